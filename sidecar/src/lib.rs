//! The reporter (a native sidecar) and the wrapper around the test command, in one static binary.
//!
//! - [`exec`] runs the test command unchanged and records what it writes on a volume: single-threaded,
//!   blocking, without TLS. Whatever goes wrong with the recording, the tests do not notice.
//! - [`report`] tails that volume and uploads it to the collector in resumable chunks. Its whole state
//!   is the volume and what the collector has acknowledged: it may be killed at any point.
//! - [`install`] puts the binary on the volume, from where the test container runs it as `exec`.
//! - [`spool`] is what lies on the volume between them.
//!
//! The contract of all of it is `docs/data-flow.md`. What a report file or console output means is
//! the business of `proctor-results`; who may upload, of the collector.

mod args;
pub mod exec;
pub mod install;
pub mod report;
pub mod selftest;
mod signals;
pub mod spool;

use std::ffi::OsString;
use std::process::ExitCode;

pub use args::{Args, Command};

/// Writes one line to stderr, for people. Never fails: a closed stderr is no reason to stop.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "proctor: {line}");
}

/// Does what the arguments say and returns what to exit with.
///
/// With [`Command::Exec`] it may not return: where a signal ended the test command, the process ends
/// by the same signal.
pub fn run(args: Args) -> ExitCode {
    match args.command {
        Command::Exec(options) => ExitCode::from(exec::run(&options)),
        Command::Report(options) => {
            report::run(&options);
            ExitCode::SUCCESS
        }
        Command::Selftest(options) => selftest::run(&options),
        Command::Install(options) => match install::run(&options.root) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(&describe(&error));
                ExitCode::FAILURE
            }
        },
    }
}

/// Reads the arguments of a process and runs it. A program named `exec` is the wrapper.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    run(Args::of_process(args))
}

/// An error and its causes in one line.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let sentence = line.trim_end_matches('.').len();
        line.truncate(sentence);
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}
