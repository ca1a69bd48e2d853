//! The testbed (a real Kubernetes node) and the end-to-end tests.
