//! Booting a node, and finding one that is up.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Node;
use super::layout::{Spec, State};
use super::supervisor::{self, Lifetime};
use crate::cache::Cache;
use crate::toolchain::Toolchain;
use crate::wait::until;

/// How long a boot may take, images included, before it is given up.
const BOOT_DEADLINE: Duration = Duration::from_mins(3);

/// The folder in the cache that holds a folder per node.
const NODES: &str = "nodes";

/// What to boot.
#[derive(Debug)]
pub struct Request<'a> {
    /// The binary `testbed`, which is the node's supervisor and first process as well.
    pub testbed: &'a Path,
    /// The node's programs.
    pub toolchain: Toolchain,
    /// The image archives to load while the node boots.
    pub images: &'a [PathBuf],
    /// The name of a node that outlives this process and that others find again; there can be one of a name. Without a name the
    /// node ends with this process.
    pub name: Option<&'a str>,
}

impl Node {
    /// Boots a node and returns when it is Ready and has its images.
    pub fn boot(cache: &Cache, request: Request) -> Result<Self> {
        // Held until the supervisor holds the lock as well, which it does before it says that the node is Ready.
        let (state, _held) = claim(cache, request.name)?;
        let spec = Spec {
            programs: request.toolchain.clone(),
            images: request.images.to_vec(),
        };
        fs::write(state.spec(), serde_json::to_vec(&spec)?)?;
        fs::create_dir(state.logs())?;
        let lifetime = if request.name.is_some() {
            Lifetime::Detached
        } else {
            Lifetime::Tethered
        };
        let mut words = tempfile::tempfile()?;
        let mut supervisor = supervise(request.testbed, &state, lifetime, words.try_clone()?)?;
        let booted = until("the node to boot", BOOT_DEADLINE, || {
            if let Ok(seconds) = fs::read_to_string(state.ready()) {
                return Ok(Some(Some(seconds)));
            }
            Ok(supervisor.try_wait()?.map(|_| None))
        });
        if let Ok(Some(seconds_to_ready)) = booted {
            let tether = (lifetime == Lifetime::Tethered).then_some(supervisor);
            return Ok(Self {
                state,
                toolchain: request.toolchain,
                seconds_to_ready,
                supervisor: Mutex::new(tether),
            });
        }
        drop(supervisor.stdin.take());
        let mut reason = String::new();
        words.rewind()?;
        words.read_to_string(&mut reason)?;
        let logs = supervisor::failed_logs(&state);
        bail!(
            "The node did not boot; its logs are in {}.\n{}",
            logs.display(),
            reason.trim_end()
        );
    }

    /// The node of this name, if it is up.
    pub fn find(cache: &Cache, name: &str) -> Result<Option<Self>> {
        let state = State::at(&cache.folder(NODES)?.join(name));
        if !in_use(&state) {
            return Ok(None);
        }
        let Ok(seconds_to_ready) = fs::read_to_string(state.ready()) else {
            bail!(
                "The node {name} is booting at this moment, or could not boot; look again in a minute."
            );
        };
        let toolchain = Spec::read(&state)?.programs;
        Ok(Some(Self {
            state,
            toolchain,
            seconds_to_ready,
            supervisor: Mutex::new(None),
        }))
    }
}

fn supervise(testbed: &Path, state: &State, lifetime: Lifetime, words: File) -> Result<Child> {
    let tether = if lifetime == Lifetime::Tethered {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    Command::new(testbed)
        .arg("supervise")
        .args((lifetime == Lifetime::Detached).then_some("--detached"))
        .arg(state.folder())
        .stdin(tether)
        .stdout(Stdio::null())
        .stderr(words)
        // An interrupt at the terminal is for the test process; the node follows it.
        .process_group(0)
        .current_dir("/")
        .spawn()
        .with_context(|| {
            format!(
                "{} could not be started to supervise a node.",
                testbed.display()
            )
        })
}

/// Makes a state folder that is in use from its first moment, after removing those that nobody uses any more.
fn claim(cache: &Cache, name: Option<&str>) -> Result<(State, File)> {
    let nodes = cache.folder(NODES)?;
    let _lock = cache.lock(NODES)?;
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

/// Whether anybody holds the node's lock.
fn in_use(state: &State) -> bool {
    File::open(state.lock()).is_ok_and(|lock| lock.try_lock().is_err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::cache;

    #[test]
    fn what_a_dead_node_left_is_removed_by_the_next_boot() {
        let (_folder, cache) = cache();
        let (dead, held) = claim(&cache, None).unwrap();
        drop(held);
        let (alive, _held) = claim(&cache, None).unwrap();
        assert!(!dead.folder().exists() && alive.folder().exists());
    }

    #[test]
    fn a_node_in_use_is_left_alone() {
        let (_folder, cache) = cache();
        let (first, _held) = claim(&cache, None).unwrap();
        let (second, _held_too) = claim(&cache, None).unwrap();
        assert!(first.folder().exists() && second.folder().exists());
        assert_ne!(first.cgroup(), second.cgroup());
    }

    #[test]
    fn there_is_one_node_of_a_name() {
        let (_folder, cache) = cache();
        let (_state, _held) = claim(&cache, Some("up")).unwrap();
        let error = claim(&cache, Some("up")).unwrap_err();
        assert!(error.to_string().contains("up already"), "{error:#}");
    }
}
