//! The decision: an object and its context in, patch operations and findings out.
