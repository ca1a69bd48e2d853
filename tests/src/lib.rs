//! The testbed (a real Kubernetes node) and the end-to-end tests.
//!
//! The library boots a node from programs it builds itself, loads images into it, and gives each test a namespace. It knows
//! nothing of what the tests want to see; those are in `tests/`. The binary `testbed` offers the same to a person.

pub mod cache;
pub mod cli;
pub mod image;
pub mod node;
pub mod progress;
mod run;
pub mod toolchain;
pub mod wait;
