//! Names, addresses and paths of a node.
//!
//! Inside its namespaces a node sees its state folder at [`INSIDE`], so every path and port is fixed; nodes differ in nothing
//! but the folder outside and the cgroup.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::toolchain::Toolchain;

/// Where a node's own processes see its state folder.
pub(super) const INSIDE: &str = "/run/node";

/// The name of the Node object.
pub const NODE_NAME: &str = "node-0";
/// The node's address; it exists in the node's network namespace only.
pub const NODE_ADDRESS: &str = "10.250.0.10";
/// The address of the API server.
pub const API_SERVER: &str = "https://10.250.0.10:6443";
/// The first address of Services: the one of `kubernetes.default`.
pub(super) const KUBERNETES_SERVICE: &str = "10.96.0.1";
/// The addresses of Services.
pub(super) const SERVICES: &str = "10.96.0.0/16";
/// The address of cluster DNS.
pub(super) const DNS_SERVICE: &str = "10.96.0.10";
/// The addresses of pods on this node.
pub(super) const PODS: &str = "10.244.0.0/24";
/// The pause image, under the name that containerd is told.
pub const PAUSE_IMAGE: &str = "proctor.dev/pause:dev";
/// How many volumes are there to be claimed.
pub const VOLUMES: usize = 48;

/// What a node is made of: written by the one who boots it, read by its supervisor and its first process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Spec {
    pub(super) programs: Toolchain,
    /// The image archives that are loaded while the node boots.
    pub(super) images: Vec<PathBuf>,
}

impl Spec {
    pub(super) fn read(state: &State) -> Result<Self> {
        let path = state.spec();
        let text =
            fs::read(&path).with_context(|| format!("{} cannot be read.", path.display()))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} is of another version of the testbed.", path.display()))
    }
}

/// The state folder of a node, as it is seen outside (or inside, at [`INSIDE`]).
#[derive(Debug, Clone)]
pub(super) struct State {
    folder: PathBuf,
}

impl State {
    pub(super) fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The node's cgroup, below the root of every hierarchy.
    pub(super) fn cgroup(&self) -> String {
        let id = self.folder.file_name().unwrap_or_default();
        format!("proctor-{}", id.to_string_lossy())
    }

    /// Held (shared) by whoever uses the node; free when nobody is left.
    pub(super) fn lock(&self) -> PathBuf {
        self.path("lock")
    }

    /// The [`Spec`], as JSON.
    pub(super) fn spec(&self) -> PathBuf {
        self.path("spec.json")
    }

    /// What each component and the supervisor say.
    pub(super) fn logs(&self) -> PathBuf {
        self.path("logs")
    }

    /// Of a cluster administrator.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig")
    }

    /// The process id, seen from outside, of the first process in the node's namespaces.
    pub(super) fn init_pid(&self) -> PathBuf {
        self.path("init.pid")
    }

    /// There when the node is Ready; its content is how many seconds that took.
    pub(super) fn ready(&self) -> PathBuf {
        self.path("ready")
    }
}
