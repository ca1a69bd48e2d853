//! The command line of Proctor.
//!
//! It says offline what the webhook would say, by the same policy code: [`check`], [`patch`] and [`explain`] read manifests, apply the
//! API server's defaults first, and decide. [`results`] reads reports as the collector would. `demo` goes the whole way on one machine.
//! Nothing here decides by itself: what is refused is the policy crate's business, what a report means the results crate's.
//!
//! Exit codes: 0 fine, 1 the answer is no, 2 usage, or an input that cannot be opened or has nothing known in it.

mod check;
#[cfg(feature = "demo")]
mod demo;
mod explain;
mod failure;
mod input;
mod patch;
mod policies;
mod position;
mod results;
mod subject;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Trustworthy tests inside Kubernetes: see what would be refused and what would be added, and read reports.
#[derive(Debug, Parser)]
#[command(name = "proctor", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what the webhook would say to manifests
    Check(check::Options),
    /// Show an object as it would be stored, or the pod it would create
    Patch(patch::Options),
    /// Say what a finding code means and what the way out is
    Explain(explain::Options),
    /// Read test reports and judge them
    Results(results::Options),
    /// Go the whole way on this machine, without a cluster
    #[cfg(feature = "demo")]
    Demo(demo::Options),
    /// One of the servers of the demo
    #[cfg(feature = "demo")]
    #[command(hide = true, subcommand)]
    Role(Box<demo::Role>),
}

/// Runs the command line and returns what to exit with.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Cli::parse_from(arguments).command.run() {
        Ok(code) => code,
        Err(failure) => {
            failure.tell();
            ExitCode::from(failure::USAGE)
        }
    }
}

impl Command {
    fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Check(options) => check::run(&options),
            Self::Patch(options) => patch::run(&options),
            Self::Explain(options) => explain::run(&options),
            Self::Results(options) => results::run(&options),
            #[cfg(feature = "demo")]
            Self::Demo(options) => Ok(demo::run(&options)?),
            #[cfg(feature = "demo")]
            Self::Role(role) => Ok(role.run()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
