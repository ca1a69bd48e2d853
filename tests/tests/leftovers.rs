//! A test process that is killed leaves nothing of its node on the machine.

#![allow(
    clippy::indexing_slicing,
    reason = "a panic fails the test, which is what is wanted"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use proctor_tests::cache::Cache;
use proctor_tests::suite;
use proctor_tests::{Cluster, Image, Setup, Test, until};
use serde_json::{Value, json};

/// Set for the process that boots a node and is then killed.
const VICTIM: &str = "PROCTOR_TESTS_VICTIM";

const SOON: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    if std::env::var_os(VICTIM).is_some() {
        return hold_a_node().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    // The shared cluster boots as well: two nodes live side by side.
    suite::run(
        "leftovers",
        Setup::Bare,
        &[(
            "a_killed_test_process_leaves_nothing",
            a_killed_test_process_leaves_nothing,
        )],
    )
}

fn a_killed_test_process_leaves_nothing(_: &Test) -> Result<()> {
    let mut victim = Command::new(std::env::current_exe()?)
        .env(VICTIM, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let trace = Trace::of(&mut victim);
    victim.kill()?;
    victim.wait()?;
    let trace = trace?;
    until("the node to have left nothing", SOON, || {
        let left = trace.left()?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(Some(()))
    })
}

/// What a node has on the machine.
struct Trace {
    folder: PathBuf,
    cgroup: String,
    network: u64,
}

impl Trace {
    /// Reads what [`hold_a_node`] says, and looks at the node while it runs.
    fn of(victim: &mut Child) -> Result<Self> {
        let mut line = String::new();
        BufReader::new(victim.stdout.take().context("a pipe")?).read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line).context("The victim did not boot a node.")?;
        let text = |key: &str| said[key].as_str().map(str::to_owned).context("text");
        let (folder, cgroup) = (PathBuf::from(text("folder")?), text("cgroup")?);
        let init = fs::read_to_string(folder.join("init.pid"))?;
        let network = fs::metadata(format!("/proc/{init}/ns/net"))?.ino();
        let trace = Self {
            folder,
            cgroup,
            network,
        };
        // The looks of `left` see what is there, so that seeing nothing means something.
        let left = trace.left()?.join("\n");
        for kind in ["folder", "cgroup", "process", "network"] {
            ensure!(left.contains(kind), "no {kind} in {left}");
        }
        Ok(trace)
    }

    fn left(&self) -> Result<Vec<String>> {
        let mut left = Vec::new();
        if self.folder.exists() {
            left.push(format!("folder {}", self.folder.display()));
        }
        for root in hierarchies()? {
            if root.join(&self.cgroup).exists() {
                left.push(format!("cgroup {}", root.join(&self.cgroup).display()));
            }
        }
        left.extend(
            processes(&self.cgroup)?
                .into_iter()
                .map(|pid| format!("process {pid}")),
        );
        for entry in fs::read_dir("/proc")?.flatten() {
            if fs::metadata(entry.path().join("ns/net"))
                .is_ok_and(|network| network.ino() == self.network)
            {
                left.push(format!("network namespace of {}", entry.path().display()));
            }
        }
        let mounts = fs::read_to_string("/proc/mounts")?;
        let ours = mounts
            .lines()
            .filter(|line| line.contains(&*self.folder.to_string_lossy()));
        left.extend(ours.map(|line| format!("mount {line}")));
        Ok(left)
    }
}

/// The victim: boots a node, runs a pod, says where it is, and waits to be killed.
fn hold_a_node() -> Result<()> {
    let cluster = Cluster::boot(&Cache::open()?, Setup::Bare, None)?;
    cluster.kubectl(&[
        "run",
        "sleeper",
        "--image",
        Image::Busybox.name(),
        "--",
        "sleep",
        "1000",
    ])?;
    cluster.kubectl(&[
        "wait",
        "--for=condition=Ready",
        "--timeout=60s",
        "pod/sleeper",
    ])?;
    let node = cluster.node();
    writeln!(
        std::io::stdout(),
        "{}",
        json!({ "folder": node.folder(), "cgroup": node.cgroup() })
    )?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    bail!("Nobody killed this process.")
}

/// The mount points of all cgroup hierarchies.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    let cgroups = mounts.lines().filter(|line| line.starts_with("cgroup"));
    Ok(cgroups
        .filter_map(|line| line.split(' ').nth(1))
        .map(PathBuf::from)
        .collect())
}

/// The processes in a cgroup and below it.
fn processes(cgroup: &str) -> Result<Vec<u32>> {
    fn collect(folder: &Path, into: &mut Vec<u32>) {
        let processes = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        into.extend(processes.lines().filter_map(|pid| pid.parse::<u32>().ok()));
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                collect(&entry.path(), into);
            }
        }
    }
    let mut all = Vec::new();
    for root in hierarchies()? {
        collect(&root.join(cgroup), &mut all);
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}
