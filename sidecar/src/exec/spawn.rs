//! Starts a process with a signal mask of its own, which `std::process` cannot: between lifting our
//! mask for the child to inherit and setting it again, a signal would end us and not reach the child.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io::{self, PipeReader, pipe};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal};
use rustix::process::Pid;

/// A started process, and what it writes.
pub(super) struct Spawned {
    pub(super) pid: Pid,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
}

/// Starts a command, looked for in `PATH`, with our environment, folder, stdin and process group.
pub(super) fn spawn(command: &[OsString], mask: &SigSet) -> io::Result<Spawned> {
    let args = command
        .iter()
        .map(|arg| text(arg))
        .collect::<io::Result<Vec<_>>>()?;
    let program = args.first().ok_or(io::ErrorKind::NotFound)?;
    let (stdout, child_stdout) = pipe()?;
    let (stderr, child_stderr) = pipe()?;
    let mut files = PosixSpawnFileActions::init()?;
    files.add_dup2(child_stdout.as_raw_fd(), io::stdout().as_raw_fd())?;
    files.add_dup2(child_stderr.as_raw_fd(), io::stderr().as_raw_fd())?;
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
    )?;
    attributes.set_sigmask(mask)?;
    // Every Rust program begins by ignoring it, and what is ignored is inherited.
    attributes.set_sigdefault(&SigSet::from_iter([Signal::SIGPIPE]))?;
    let pid = posix_spawnp(program, &files, &attributes, &args, &environment())?;
    let pid = Pid::from_raw(pid.as_raw())
        .ok_or_else(|| io::Error::other("the system gave no process id"))?;
    Ok(Spawned {
        pid,
        stdout,
        stderr,
    })
}

fn environment() -> Vec<CString> {
    let pair = |(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        CString::new(name.into_vec()).ok()
    };
    env::vars_os().filter_map(pair).collect()
}

fn text(arg: &OsStr) -> io::Result<CString> {
    CString::new(arg.as_bytes()).map_err(io::Error::from)
}
