//! The process that outlives a node by a moment: it holds the node's namespaces and removes what they leave.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use anyhow::{Context, Result, bail};

use super::cgroup;
use super::layout::{Spec, State};
use crate::wait::TICK;

/// When a node ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// With the process that booted it, however that ends.
    Tethered,
    /// When it is shut down.
    Detached,
}

/// Runs the node in `folder` to its end, then removes everything of it.
pub(super) fn run(folder: &Path, lifetime: Lifetime) -> Result<()> {
    let state = State::at(folder);
    let lock = File::open(state.lock())
        .with_context(|| format!("There is no node in {}.", folder.display()))?;
    lock.lock_shared()?;
    cgroup::create(&state.cgroup())?;
    let (sender, orphaned) = mpsc::channel();
    let watcher = sender.clone();
    if lifetime == Lifetime::Tethered {
        std::thread::spawn(move || {
            // Nothing is ever written: the read ends when the last holder of the other end is gone.
            let _ = std::io::stdin().read(&mut [0]);
            let _ = watcher.send(());
        });
    }
    let mut init = start(&state)?;
    let ended = loop {
        if orphaned.recv_timeout(TICK).is_ok() {
            // Its parent's death is the init's; see `--kill-child`.
            init.kill()?;
            break init.wait()?;
        }
        if let Some(status) = init.try_wait()? {
            break status;
        }
    };
    drop(sender);
    if state.ready().exists() {
        return remove(&state);
    }
    let logs = failed_logs(&state);
    // Those of the last failure are enough.
    let _ = fs::remove_dir_all(&logs);
    fs::create_dir_all(logs.parent().unwrap_or(&logs))?;
    fs::rename(state.logs(), &logs)?;
    remove(&state)?;
    bail!("The node's first process ended early ({ended}).")
}

/// Starts the first process in namespaces of its own.
fn start(state: &State) -> Result<Child> {
    Command::new("unshare")
        .args([
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "--propagation=private",
        ])
        // This very program, whatever is at its path by now.
        .arg(format!("/proc/{}/exe", std::process::id()))
        .arg("init")
        .arg(state.folder())
        .env_clear()
        .env("PATH", path(&Spec::read(state)?))
        .current_dir("/")
        // Open as long as this process lives; the node ends when it is closed.
        .stdin(Stdio::piped())
        .spawn()
        .context("`unshare` of util-linux could not be started.")
}

/// Where the logs of a node that could not boot are kept.
pub(super) fn failed_logs(state: &State) -> PathBuf {
    let cache = state
        .folder()
        .parent()
        .and_then(Path::parent)
        .unwrap_or(state.folder());
    cache.join("logs/failed-boot")
}

/// Removes the cgroups (which waits for the last process to be gone) and the folder of a node that has ended.
pub(super) fn remove(state: &State) -> Result<()> {
    cgroup::remove(&state.cgroup())?;
    fs::remove_dir_all(state.folder())
        .with_context(|| format!("{} cannot be removed.", state.folder().display()))
}

/// `PATH` inside: containerd finds its shim by it, the others find the system's tools.
fn path(spec: &Spec) -> String {
    let shim = spec
        .programs
        .program("containerd-shim-runc-v2")
        .ok()
        .and_then(Path::parent);
    let folder = shim
        .map(|folder| folder.to_string_lossy().into_owned())
        .unwrap_or_default();
    format!("{folder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
}
