//! A cluster for tests: a node with images, perhaps with Proctor installed, and a namespace for each test.

pub(crate) mod logs;
mod namespace;
mod proctor;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cache::Cache;
use crate::image::{Image, archives};
use crate::node::{HelmVersion, Node, Request};
use crate::progress::Step;
use crate::run;
use crate::toolchain::Toolchain;
pub use namespace::{Namespace, PodSecurity};
pub use proctor::{RELEASE, SYSTEM_NAMESPACE};

/// What is in a cluster when the first test begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// A node and the [basic](Image::BASIC) images.
    Bare,
    /// [All](Image::ALL) images, and Proctor installed by Helm with the values a user gets, but the image tags.
    Proctor,
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    node: Node,
}

impl Cluster {
    /// Boots a cluster that ends with this process, or with a name one that outlives it.
    pub fn boot(cache: &Cache, setup: Setup, name: Option<&str>) -> Result<Self> {
        let toolchain = Toolchain::ensure(cache)?;
        let images = archives(
            cache,
            if setup == Setup::Bare {
                Image::BASIC
            } else {
                Image::ALL
            },
        )?;
        let step = Step::begin("booting a node");
        let testbed = testbed_program()?;
        let node = Node::boot(
            cache,
            Request {
                testbed: &testbed,
                toolchain,
                images: &images,
                name,
            },
        )?;
        step.end();
        let cluster = Self { node };
        if setup == Setup::Proctor
            && let Err(error) = proctor::install(&cluster)
        {
            return Err(error.context(logs::collect(&cluster, Path::new("install"))));
        }
        Ok(cluster)
    }

    /// The node of the cluster.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Runs kubectl as a cluster administrator; yields what it prints. An error has what it said.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        run::output(self.node.kubectl()?.args(arguments))
    }

    /// Runs Helm; yields what it prints.
    pub fn helm(&self, version: HelmVersion, arguments: &[&str]) -> Result<String> {
        run::output(self.node.helm(version)?.args(arguments))
    }

    /// Applies manifests (YAML or JSON) as a cluster administrator.
    pub fn apply(&self, manifests: &str) -> Result<String> {
        run::output_with_input(self.node.kubectl()?.args(["apply", "-f", "-"]), manifests)
    }

    /// An object (`get(&["node", "node-0"])`) or a list (`get(&["pods", "-A"])`).
    pub fn get(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.kubectl(&[&["get", "-o", "json"], arguments].concat())?;
        serde_json::from_str(&text).context("kubectl printed something that is not JSON.")
    }
}

/// The binary `testbed`, which Cargo builds before it runs a test of this crate.
fn testbed_program() -> Result<PathBuf> {
    let current = std::env::current_exe().context("The path of this program is not known.")?;
    let name = current
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    if name == "testbed" || name == "testbed (deleted)" {
        // Not by its path: that may have been built anew since this process began.
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    // A test is target/PROFILE/deps/NAME-HASH, the binary target/PROFILE/testbed.
    let folder = current.parent().and_then(Path::parent).unwrap_or(&current);
    let sibling = folder.join("testbed");
    sibling.is_file().then(|| sibling.clone()).with_context(|| {
        format!(
            "The binary {} is missing; `cargo build -p proctor-tests` builds it.",
            sibling.display()
        )
    })
}
