//! The commands of the binary `testbed`.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::cache::Cache;
use crate::cluster::{Cluster, Setup};
use crate::image::{Image, archives};
use crate::node::{HelmVersion, Lifetime, Node, processes};
use crate::progress::{Step, say};
use crate::toolchain::Toolchain;

/// The node that `up` boots and the other commands find.
const NAME: &str = "up";

/// How a person calls this program from the workspace.
const CALL: &str = "cargo testbed";

/// A real one-node Kubernetes for tests and for people.
///
/// The node lives in network, process and mount namespaces of its own: nothing outside can reach it but through this program, and
/// nothing in it can reach the network. Its programs are built from source, once, into the cache (`$PROCTOR_CACHE`, else
/// `~/.cache/proctor`), unless `KUBEBUILDER_ASSETS` names a folder that has them, or a variable such as `PROCTOR_KUBELET` one of them.
#[derive(Debug, Parser)]
#[command(name = "testbed", version)]
pub struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Boot a node, load the images, install the chart, and leave it running.
    Up {
        /// Only the node with a shell image: none of Proctor's images, no chart.
        #[arg(long)]
        bare: bool,
    },
    /// Run kubectl against the node as a cluster administrator.
    Kubectl {
        /// Everything is passed on.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run Helm against the node.
    Helm {
        /// Helm 4 instead of Helm 3.
        #[arg(long = "v4")]
        version_4: bool,
        /// Everything is passed on.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Load an image archive (OCI or Docker) into the node.
    Load {
        /// As `docker save`, `podman save` or `buildah push … oci-archive:FILE` write it.
        archive: PathBuf,
    },
    /// Say whether a node is up; exit code 1 when none is.
    Status,
    /// Print the log of a component, or the names of all logs.
    Logs {
        /// Such as kubelet, kube-apiserver, audit.
        component: Option<String>,
    },
    /// End the node and remove everything of it.
    Down,
    /// Fill the cache, so that later runs need no build: all programs, and the images that are not Proctor's own.
    Build,
    #[command(hide = true)]
    Supervise {
        folder: PathBuf,
        #[arg(long)]
        detached: bool,
    },
    #[command(hide = true)]
    Init { folder: PathBuf },
}

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> Result<ExitCode> {
        match self.action {
            Action::Up { bare } => up(if bare { Setup::Bare } else { Setup::Proctor })?,
            Action::Kubectl { arguments } => return replace(node()?.kubectl()?.args(arguments)),
            Action::Helm {
                version_4,
                arguments,
            } => {
                let version = if version_4 {
                    HelmVersion::V4
                } else {
                    HelmVersion::V3
                };
                return replace(node()?.helm(version)?.args(arguments));
            }
            Action::Load { archive } => node()?.load(&archive)?,
            Action::Status => return status(),
            Action::Logs { component } => logs(component.as_deref())?,
            Action::Down => down()?,
            Action::Build => build()?,
            Action::Supervise { folder, detached } => {
                processes::supervise(
                    &folder,
                    if detached {
                        Lifetime::Detached
                    } else {
                        Lifetime::Tethered
                    },
                )?;
            }
            Action::Init { folder } => processes::init(&folder)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn find() -> Result<Option<Node>> {
    Node::find(&Cache::open()?, NAME)
}

fn node() -> Result<Node> {
    find()?.with_context(|| format!("No node is up; `{CALL} up` boots one."))
}

fn up(setup: Setup) -> Result<()> {
    if find()?.is_some() {
        say(&format!("A node is up already; `{CALL} down` ends it."));
        return Ok(());
    }
    let cluster = Cluster::boot(&Cache::open()?, setup, Some(NAME))?;
    say(&format!(
        "Ready ({} s from the first process to a Ready node). How to go on:",
        cluster.node().seconds_to_ready()
    ));
    say(&format!("  {CALL} kubectl get pods -A"));
    say(&format!("  {CALL} logs kubelet"));
    say(&format!("  {CALL} down"));
    Ok(())
}

fn status() -> Result<ExitCode> {
    let Some(node) = find()? else {
        say(&format!("No node is up; `{CALL} up` boots one."));
        return Ok(ExitCode::FAILURE);
    };
    say(&format!(
        "A node is up; its folder is {}.",
        node.folder().display()
    ));
    replace(
        node.kubectl()?
            .args(["get", "nodes,pods", "--all-namespaces"]),
    )
}

fn logs(component: Option<&str>) -> Result<()> {
    let folder = node()?.logs();
    if let Some(component) = component {
        let path = folder.join(format!("{component}.log"));
        let log = fs::read(&path).with_context(|| {
            format!(
                "There is no log {}; `{CALL} logs` names them.",
                path.display()
            )
        })?;
        // A reader that has enough closes the pipe.
        let _ = std::io::stdout().write_all(&log);
        return Ok(());
    }
    say(&format!("The logs are in {}:", folder.display()));
    let mut names: Vec<_> = fs::read_dir(&folder)?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    names.sort();
    for name in names {
        say(&format!(
            "  {}",
            name.file_stem().unwrap_or_default().display()
        ));
    }
    Ok(())
}

fn down() -> Result<()> {
    let Some(node) = find()? else {
        say("No node is up.");
        return Ok(());
    };
    let step = Step::begin("ending the node");
    node.shut_down()?;
    step.end();
    Ok(())
}

fn build() -> Result<()> {
    let cache = Cache::open()?;
    Toolchain::ensure(&cache)?;
    archives(&cache, Image::BASIC)?;
    archives(&cache, &[Image::Pytest])?;
    say("The cache has all programs and images.");
    Ok(())
}

/// Becomes the command, so that signals, terminal and exit code are its own.
fn replace(command: &mut Command) -> Result<ExitCode> {
    Err(command.exec()).context("nsenter of util-linux could not be started.")
}
