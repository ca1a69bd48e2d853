//! Takes uploads, keeps TestRuns, stores and serves them.
