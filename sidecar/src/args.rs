//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::exec::ExecOptions;
use crate::report::ReportOptions;
use crate::selftest::SelftestOptions;

/// The reporter and the wrapper of Proctor.
#[derive(Debug, Parser)]
#[command(name = "proctor-sidecar", version)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a test command unchanged, and record it.
    Exec(ExecOptions),
    /// Upload what is recorded, until SIGTERM.
    Report(ReportOptions),
    /// Put this binary on the volume as `bin/exec`.
    Install(InstallOptions),
    /// See from inside a test pod that it was given all it should be.
    Selftest(SelftestOptions),
}

/// Where to install.
#[derive(Debug, clap::Args)]
pub struct InstallOptions {
    /// Where the volume is mounted.
    #[arg(long, default_value = "/proctor", value_name = "DIR")]
    pub root: PathBuf,
}

impl Args {
    /// Reads the arguments of a process, the program's name first. Ends the process with a usage
    /// message where they are wrong.
    pub fn of_process(args: impl IntoIterator<Item = OsString>) -> Self {
        let mut args: Vec<OsString> = args.into_iter().collect();
        let named_exec = args
            .first()
            .and_then(|program| Path::new(program).file_name())
            .is_some_and(|name| name == "exec");
        if named_exec {
            args.insert(1, "exec".into());
        }
        Self::parse_from(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }

    #[test]
    fn a_program_named_exec_is_the_wrapper() {
        let args = [
            "/proctor/bin/exec",
            "--container",
            "main",
            "--",
            "sh",
            "-c",
            "--help",
        ];
        let Command::Exec(options) = Args::of_process(args.map(OsString::from)).command else {
            panic!("not the wrapper")
        };
        assert_eq!(options.command, ["sh", "-c", "--help"]);
    }
}
