//! The testbed (a real Kubernetes node) and the end-to-end tests.
//!
//! The library boots a node from programs it builds itself, loads images into it, and gives each test a namespace. It knows
//! nothing of what the tests want to see; those are in `tests/`. The binary `testbed` offers the same to a person.
//!
//! - [`suite`]: running tests on a cluster; where to begin
//! - [`cluster`]: a cluster and its namespaces, in the language of tests
//! - [`node`]: one Kubernetes node that leaves nothing behind
//! - [`image`]: the images that pods need
//! - [`toolchain`]: the programs that a node needs
//! - [`cache`], [`wait`], [`progress`]: what is kept, waiting for conditions, words for people

pub mod cache;
pub mod cli;
pub mod cluster;
pub mod image;
pub mod node;
pub mod progress;
mod run;
pub mod suite;
pub mod toolchain;
pub mod wait;

pub use cluster::{Cluster, Namespace, PodSecurity, RELEASE, SYSTEM_NAMESPACE, Setup};
pub use image::Image;
pub use node::HelmVersion;
pub use suite::Test;
pub use wait::until;
