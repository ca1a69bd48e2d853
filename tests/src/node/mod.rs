//! One Kubernetes node, in namespaces and cgroups of its own, that leaves nothing behind.
//!
//! ```text
//! test process ==pipe==> supervisor ==pipe==> init (process 1 of the namespaces) --> etcd, API server, kubelet, containerd, …
//! ```
//!
//! When the test process is gone, by whatever signal, its pipe closes; the supervisor then kills the first process of the
//! namespaces, and with it the kernel ends every process, mount and device of the node. What namespaces do not hold, the cgroups
//! and the state folder, the supervisor removes. Should the supervisor be killed as well, the node still ends by the second pipe,
//! and the next boot removes the rest.

mod boot;
mod cgroup;
mod components;
mod config;
mod init;
mod layout;
mod network;
mod pki;
mod supervisor;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::progress::{say, sentences};
use crate::run;
use crate::toolchain::Toolchain;
use crate::wait::until;
pub use boot::Request;
use layout::State;
pub use layout::{API_SERVER, NODE_ADDRESS, NODE_NAME, PAUSE_IMAGE, VOLUMES};
pub use supervisor::Lifetime;

/// How long a node may take to vanish.
const SHUTDOWN_DEADLINE: Duration = Duration::from_mins(1);

/// Which Helm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelmVersion {
    /// Helm 3.
    V3,
    /// Helm 4.
    V4,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    state: State,
    toolchain: Toolchain,
    seconds_to_ready: String,
    /// The supervisor of a tethered node; its standard input is the tether.
    supervisor: Mutex<Option<Child>>,
}

impl Node {
    /// How long it took from the first process to Ready.
    pub fn seconds_to_ready(&self) -> &str {
        &self.seconds_to_ready
    }

    /// The folder of everything that the node keeps.
    pub fn folder(&self) -> &Path {
        self.state.folder()
    }

    /// The node's cgroup, below the root of every hierarchy.
    pub fn cgroup(&self) -> String {
        self.state.cgroup()
    }

    /// The folder with a log per component.
    pub fn logs(&self) -> PathBuf {
        self.state.logs()
    }

    /// The process id of a component, such as `kube-apiserver`, for tests that end one.
    pub fn pid_of(&self, component: &str) -> Result<u32> {
        let program = self.toolchain.program(component)?.canonicalize()?;
        let runs =
            |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path == program);
        cgroup::processes(&self.cgroup())?
            .into_iter()
            .find(runs)
            .with_context(|| format!("{component} does not run."))
    }

    /// A command that runs in the node's network, with the caller's files and working folder, and with the
    /// `KUBECONFIG` of a cluster administrator.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Result<Command> {
        let mut command = self.enter(&["--net", "--pid"])?;
        command
            .arg(program)
            .env("KUBECONFIG", self.state.kubeconfig())
            .env("KUBECACHEDIR", self.state.path("kubectl"))
            .env("HELM_CACHE_HOME", self.state.path("helm/cache"))
            .env("HELM_CONFIG_HOME", self.state.path("helm/config"))
            .env("HELM_DATA_HOME", self.state.path("helm/data"));
        Ok(command)
    }

    /// `kubectl` as a cluster administrator.
    pub fn kubectl(&self) -> Result<Command> {
        self.command(self.toolchain.program("kubectl")?)
    }

    /// `helm` as a cluster administrator.
    pub fn helm(&self, version: HelmVersion) -> Result<Command> {
        self.command(self.toolchain.program(match version {
            HelmVersion::V3 => "helm3",
            HelmVersion::V4 => "helm4",
        })?)
    }

    /// Loads an image archive (OCI or Docker).
    pub fn load(&self, archive: &Path) -> Result<()> {
        let file = File::open(archive)
            .with_context(|| format!("The image archive {} cannot be read.", archive.display()))?;
        let mut command = self.enter(&["--net", "--pid", "--mount"])?;
        command.arg(self.toolchain.program("ctr")?).args([
            "--namespace=k8s.io",
            "images",
            "import",
            "--local",
            "-",
        ]);
        run::output(command.stdin(file))
            .map(drop)
            .with_context(|| format!("{} could not be loaded.", archive.display()))
    }

    /// Runs `ctr` on the node's containers, for tests that end one; yields what it prints.
    pub fn ctr(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.enter(&["--net", "--pid", "--mount"])?;
        command
            .arg(self.toolchain.program("ctr")?)
            .arg("--namespace=k8s.io")
            .args(arguments);
        run::output(&mut command)
    }

    fn enter(&self, namespaces: &[&str]) -> Result<Command> {
        let mut command = Command::new("nsenter");
        command
            .arg("--target")
            .arg(self.init()?)
            .args(namespaces)
            .arg("--");
        Ok(command)
    }

    fn init(&self) -> Result<String> {
        fs::read_to_string(self.state.init_pid()).context("The node is gone.")
    }

    /// Ends the node and returns when nothing of it is left.
    pub fn shut_down(&self) -> Result<()> {
        let tether = self
            .supervisor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut supervisor) = tether {
            drop(supervisor.stdin.take());
            supervisor.wait()?;
        } else {
            run::output(Command::new("kill").args(["-KILL", &self.init()?]))?;
        }
        until("the node to vanish", SHUTDOWN_DEADLINE, || {
            Ok((!self.state.folder().exists()).then_some(()))
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let tethered = self
            .supervisor
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        if tethered && let Err(error) = self.shut_down() {
            say(&format!(
                "The node did not end cleanly: {}",
                sentences(&error)
            ));
        }
    }
}

/// The hidden subcommands of the binary `testbed`, which a node's processes are.
pub mod processes {
    use std::path::Path;

    use anyhow::Result;

    /// The supervisor of the node in `folder`.
    pub fn supervise(folder: &Path, lifetime: super::Lifetime) -> Result<()> {
        super::supervisor::run(folder, lifetime)
    }

    /// The first process of the namespaces of the node in `folder`.
    pub fn init(folder: &Path) -> Result<()> {
        super::init::run(folder)
    }
}
