//! The test command as a process.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigSet, Signal as Name};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use rustix::stdio::{stderr, stdout};

use super::spawn::{Spawned, spawn};
use super::stream::Stream;
use crate::signals::{Received, stop};

/// The shell's answer to a command that exists and cannot be run.
const NOT_EXECUTABLE: u8 = 126;
/// The shell's answer to a command that does not exist.
const NOT_FOUND: u8 = 127;

/// How the test command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself.
    Exited(u8),
    /// By a signal.
    Signaled(i32),
    /// It could not be started.
    NotStarted(u8),
}

impl Ended {
    /// As a shell and a container runtime show it.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Exited(code) | Self::NotStarted(code) => code,
            Self::Signaled(number) => u8::try_from(number).unwrap_or_default().saturating_add(128),
        }
    }

    /// Exit code and signal of the command itself; neither where it was not started.
    pub(super) fn own(self) -> (Option<i32>, Option<i32>) {
        match self {
            Self::Exited(code) => (Some(code.into()), None),
            Self::Signaled(number) => (None, Some(number)),
            Self::NotStarted(_) => (None, None),
        }
    }
}

/// A running test command.
pub(super) struct Child(Pid);

/// Why it does not run: a sentence, and what to exit with.
pub(super) struct NotStarted {
    pub(super) line: String,
    pub(super) ended: Ended,
}

impl Child {
    /// Starts it, and gives its stdout and stderr.
    ///
    /// It shares our stdin, process group and session, so that a terminal's signals, job control and
    /// `kill 0` in a script reach what they would reach without us.
    pub(super) fn start(
        command: &[OsString],
        mask: &SigSet,
    ) -> Result<(Self, Stream, Stream), NotStarted> {
        begin(command, mask).map_err(|error| {
            let (code, reason) = match error.kind() {
                io::ErrorKind::NotFound => (
                    NOT_FOUND,
                    "it, or the interpreter in its first line, is not in the image",
                ),
                io::ErrorKind::PermissionDenied => {
                    (NOT_EXECUTABLE, "it is not executable for this user")
                }
                _ => (NOT_EXECUTABLE, "it cannot be run on this system"),
            };
            let program = command
                .first()
                .map(|program| program.to_string_lossy())
                .unwrap_or_default();
            let line = format!("The test command {program} was not started: {reason} ({error}).");
            NotStarted {
                line,
                ended: Ended::NotStarted(code),
            }
        })
    }

    /// Passes a signal on.
    ///
    /// Not one from the kernel: a terminal sends to the whole process group, and the command is in
    /// it. Nor one that the command sent itself: by `kill 0` it has it already. Real-time signals
    /// cannot be passed on; they are taken and left.
    pub(super) fn forward(&self, received: Received) {
        let from_elsewhere = received
            .sender
            .is_some_and(|sender| sender != self.0.as_raw_nonzero().get());
        if received.is(Name::SIGCHLD) || !from_elsewhere {
            return;
        }
        if let Some(signal) = Signal::from_named_raw(received.number) {
            // It may have ended a moment ago; then the signal would have reached nobody either.
            let _ = kill_process(self.0, signal);
        }
    }

    /// Takes the status of every child that has ended: of the command, and of what it left behind.
    pub(super) fn reap(&self) -> Option<Ended> {
        let mut ended = None;
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            if pid != self.0 {
                continue;
            }
            if let Some(code) = status.exit_status() {
                ended = Some(Ended::Exited(u8::try_from(code).unwrap_or(u8::MAX)));
            } else if let Some(number) = status.terminating_signal() {
                ended = Some(Ended::Signaled(number));
            } else if status.stopped() {
                stop();
            }
        }
        ended
    }
}

fn begin(command: &[OsString], mask: &SigSet) -> io::Result<(Child, Stream, Stream)> {
    let Spawned {
        pid,
        stdout: out,
        stderr: err,
    } = spawn(command, mask)?;
    Ok((
        Child(pid),
        Stream::new(out.into(), stdout())?,
        Stream::new(err.into(), stderr())?,
    ))
}

/// Runs the command in place of ourselves: unwrapped, where wrapping is not possible.
pub(super) fn replace(command: &[OsString]) -> Ended {
    let (program, args) = command
        .split_first()
        .map_or((OsStr::new(""), &[][..]), |(program, args)| {
            (program.as_os_str(), args)
        });
    let error = Command::new(program).args(args).exec();
    Ended::NotStarted(if error.kind() == io::ErrorKind::NotFound {
        NOT_FOUND
    } else {
        NOT_EXECUTABLE
    })
}
