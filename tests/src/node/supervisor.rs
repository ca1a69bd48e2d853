//! The process that outlives a node by a moment: it holds the node's namespaces and removes what they leave.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::cgroup;
use super::layout::{Spec, State};

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
    let spec: Spec = serde_json::from_slice(&fs::read(state.spec())?)?;
    cgroup::create(&spec.cgroup)?;
    let mut init = Command::new("unshare")
        .args([
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "--propagation=private",
        ])
        .arg(std::env::current_exe()?)
        .arg("init")
        .arg(folder)
        .env_clear()
        .env("PATH", path(&spec))
        .current_dir("/")
        // Open as long as this process lives; the node ends when it is closed.
        .stdin(Stdio::piped())
        .spawn()
        .context("`unshare` of util-linux could not be started.")?;
    let (sender, orphaned) = mpsc::channel();
    if lifetime == Lifetime::Tethered {
        std::thread::spawn(move || {
            // Nothing is ever written: the read ends when the last holder of the other end is gone.
            let _ = std::io::stdin().read(&mut [0]);
            let _ = sender.send(());
        });
    } else {
        std::mem::forget(sender);
    }
    loop {
        if orphaned.recv_timeout(Duration::from_millis(50)).is_ok() {
            init.kill()?;
            init.wait()?;
            break;
        }
        if init.try_wait()?.is_some() {
            break;
        }
    }
    remove(&state)
}

/// Removes the cgroups (which waits for the last process to be gone) and the folder of a node that has ended.
pub(super) fn remove(state: &State) -> Result<()> {
    if let Ok(spec) = fs::read(state.spec()) {
        let spec: Spec = serde_json::from_slice(&spec)?;
        cgroup::remove(&spec.cgroup)?;
    }
    fs::remove_dir_all(state.folder())
        .with_context(|| format!("{} cannot be removed.", state.folder().display()))
}

/// `PATH` inside: containerd finds its shim by it, the others find the system's tools.
fn path(spec: &Spec) -> String {
    let shim = spec
        .programs
        .get("containerd-shim-runc-v2")
        .and_then(|shim| shim.parent());
    let folder = shim
        .map(|folder| folder.to_string_lossy().into_owned())
        .unwrap_or_default();
    format!("{folder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
}
