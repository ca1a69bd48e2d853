//! The reporter (a native sidecar) and the wrapper around the test command, in one binary.
