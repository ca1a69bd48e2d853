//! The commands of the binary `testbed`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};

use crate::cache::Cache;
use crate::image::{Image, archives};
use crate::node::{Lifetime, Node, processes};
use crate::progress::{Step, say};
use crate::toolchain::Toolchain;

/// The node that `up` boots and the other commands find.
const NAME: &str = "up";

/// A real one-node Kubernetes for tests and for people.
#[derive(Debug, Parser)]
#[command(name = "testbed", version)]
pub struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Boot a node and leave it running.
    Up {
        /// Only the node: none of Proctor's images, no chart.
        #[arg(long)]
        bare: bool,
    },
    /// Run kubectl against the node as a cluster administrator.
    Kubectl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run Helm 3 against the node.
    Helm {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Load an image archive (OCI or Docker) into the node.
    Load {
        /// As `docker save`, `podman save` or `buildah push … oci-archive:FILE` write it.
        archive: PathBuf,
    },
    /// Say whether a node is up.
    Status,
    /// Say where the logs are.
    Logs,
    /// End the node and remove everything of it.
    Down,
    /// Build all programs into the cache.
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
            Action::Up { bare: _ } => up()?,
            Action::Kubectl { arguments } => return replace(node()?.kubectl()?.args(arguments)),
            Action::Helm { arguments } => {
                let node = node()?;
                return replace(
                    node.command(node.toolchain().program("helm3")?)?
                        .args(arguments),
                );
            }
            Action::Load { archive } => node()?.load(&archive)?,
            Action::Status => {
                let node = node()?;
                say(&format!("up; its folder is {}", node.folder().display()));
            }
            Action::Logs => say(&format!("the logs are in {}", node()?.logs().display())),
            Action::Down => node()?.shut_down()?,
            Action::Build => drop(Toolchain::ensure(&Cache::open()?)?),
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
    let cache = Cache::open()?;
    let toolchain = Toolchain::ensure(&cache)?;
    Node::find(&cache, toolchain, NAME)
}

fn node() -> Result<Node> {
    find()?.context("No node is up; boot one with `testbed up`.")
}

fn up() -> Result<()> {
    if find()?.is_some() {
        bail!("A node is up already; `testbed down` ends it.");
    }
    let cache = Cache::open()?;
    let toolchain = Toolchain::ensure(&cache)?;
    let step = Step::begin("booting a node");
    let node = Node::boot(
        &cache,
        &std::env::current_exe()?,
        toolchain,
        &archives(&cache, Image::BASIC)?,
        Some(NAME),
    )?;
    step.end();
    say(&format!(
        "Ready after {} s. `testbed kubectl get pods -A` looks at it, `testbed down` ends it.",
        node.seconds_to_ready()
    ));
    Ok(())
}

/// Becomes the command, so that signals, terminal and exit code are its own.
fn replace(command: &mut Command) -> Result<ExitCode> {
    Err(command.exec()).context("nsenter of util-linux could not be started.")
}
