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

mod cgroup;
mod components;
mod config;
mod init;
mod layout;
mod network;
mod pki;
mod supervisor;

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::run;
use crate::toolchain::Toolchain;
use crate::wait::until;
pub use layout::{API_SERVER, NODE_ADDRESS, NODE_NAME, PAUSE_IMAGE, VOLUMES};
use layout::{Spec, State};
pub use supervisor::Lifetime;

/// How long a boot may take, images included, before it is given up.
const BOOT_DEADLINE: Duration = Duration::from_secs(180);

/// How long a node may take to vanish.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(60);

/// The folder in the cache that holds a folder per node.
const NODES: &str = "nodes";

/// A running node.
#[derive(Debug)]
pub struct Node {
    state: State,
    toolchain: Toolchain,
    seconds_to_ready: String,
    /// The supervisor of a tethered node; its standard input is the tether.
    supervisor: Option<Child>,
}

impl Node {
    /// Boots a node and returns when it is Ready and has these image archives loaded.
    ///
    /// `name` is for a node that others find again, of which there can be one; without a name the node gets a random one.
    /// `program` is the binary `testbed`, which is the node's supervisor as well.
    pub fn boot(
        cache: &Cache,
        program: &Path,
        toolchain: Toolchain,
        images: &[PathBuf],
        name: Option<&str>,
    ) -> Result<Self> {
        let (state, _held) = claim(cache, name)?;
        let id = state
            .folder()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let programs = toolchain
            .programs()
            .map(|(name, path)| (name.to_owned(), path.to_owned()))
            .collect();
        let spec = Spec {
            programs,
            images: images.to_vec(),
            cgroup: format!("proctor-{id}"),
        };
        fs::write(state.spec(), serde_json::to_vec(&spec)?)?;
        fs::create_dir(state.logs())?;
        let lifetime = if name.is_some() {
            Lifetime::Detached
        } else {
            Lifetime::Tethered
        };
        let log = File::create(state.logs().join("testbed.log"))?;
        let mut supervisor = Command::new(program)
            .arg("supervise")
            .args((lifetime == Lifetime::Detached).then_some("--detached"))
            .arg(state.folder())
            .stdin(if lifetime == Lifetime::Tethered {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::null())
            .stderr(log)
            // An interrupt at the terminal is for the test process; the node follows it.
            .process_group(0)
            .current_dir("/")
            .spawn()
            .with_context(|| {
                format!(
                    "{} could not be started to supervise a node.",
                    program.display()
                )
            })?;
        let booted = until("the node to boot", BOOT_DEADLINE, || {
            if let Ok(seconds) = fs::read_to_string(state.ready()) {
                return Ok(Some(Ok(seconds)));
            }
            if let Some(status) = supervisor.try_wait()? {
                return Ok(Some(Err(format!("its supervisor ended ({status})"))));
            }
            Ok(fs::read_to_string(state.failed()).ok().map(Err))
        })?;
        match booted {
            Ok(seconds_to_ready) => {
                let supervisor = (lifetime == Lifetime::Tethered).then_some(supervisor);
                Ok(Self {
                    state,
                    toolchain,
                    seconds_to_ready,
                    supervisor,
                })
            }
            Err(reason) => bail!("The node did not boot: {reason}"),
        }
    }

    /// The node of this name, if it is up.
    pub fn find(cache: &Cache, toolchain: Toolchain, name: &str) -> Result<Option<Self>> {
        let state = State::at(&cache.folder(NODES)?.join(name));
        if !in_use(&state) {
            return Ok(None);
        }
        let Ok(seconds_to_ready) = fs::read_to_string(state.ready()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            state,
            toolchain,
            seconds_to_ready,
            supervisor: None,
        }))
    }

    /// How long it took from the first process to Ready.
    pub fn seconds_to_ready(&self) -> &str {
        &self.seconds_to_ready
    }

    /// The folder of everything that the node keeps.
    pub fn folder(&self) -> &Path {
        self.state.folder()
    }

    /// The folder with a log per component.
    pub fn logs(&self) -> PathBuf {
        self.state.logs()
    }

    /// The programs the node was booted with.
    pub fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// A command that runs in the node's network, with the caller's files and working folder.
    pub fn command(&self, program: &Path) -> Result<Command> {
        let mut command = self.enter(&["--net", "--pid"])?;
        command.arg(program);
        command
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

    fn enter(&self, namespaces: &[&str]) -> Result<Command> {
        let init = fs::read_to_string(self.state.init_pid()).context("The node is gone.")?;
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(init).args(namespaces).arg("--");
        Ok(command)
    }

    /// Ends the node and returns when nothing of it is left.
    pub fn shut_down(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if let Some(mut supervisor) = self.supervisor.take() {
            drop(supervisor.stdin.take());
            supervisor.wait()?;
        } else {
            let init = fs::read_to_string(self.state.init_pid()).context("The node is gone.")?;
            run::output(Command::new("kill").args(["-KILL", &init]))?;
        }
        until("the node to vanish", SHUTDOWN_DEADLINE, || {
            Ok((!self.state.folder().exists()).then_some(()))
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.supervisor.is_some()
            && let Err(error) = self.end()
        {
            crate::progress::say(&format!("The node did not end cleanly: {error:#}"));
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

/// Makes a state folder that is in use from its first moment, after removing those that nobody uses any more.
fn claim(cache: &Cache, name: Option<&str>) -> Result<(State, File)> {
    let nodes = cache.folder(NODES)?;
    let _lock = cache.lock("nodes")?;
    for entry in fs::read_dir(&nodes)?.flatten() {
        let state = State::at(&entry.path());
        if !in_use(&state) {
            supervisor::remove(&state)?;
        }
    }
    let folder = if let Some(name) = name {
        let folder = nodes.join(name);
        fs::create_dir(&folder).with_context(|| format!("A node {name} is up already."))?;
        folder
    } else {
        tempfile::Builder::new()
            .prefix("test-")
            .tempdir_in(&nodes)?
            .keep()
    };
    let state = State::at(&folder);
    let held = File::create(state.lock())?;
    held.lock_shared()?;
    Ok((state, held))
}

fn in_use(state: &State) -> bool {
    File::open(state.lock()).is_ok_and(|lock| lock.try_lock().is_err())
}
