//! Processes that the demo starts, and never leaves behind.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::DemoError;

/// How long a process of the demo may take to do what it is waited for.
const DEADLINE: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const TICK: Duration = Duration::from_millis(10);

/// A running process of this same binary; it is killed when it is dropped.
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: std::path::PathBuf,
}

impl Process {
    /// Starts this binary again as `proctor role ARGS…`; what it says goes to a file.
    pub(super) fn start<S: AsRef<OsStr>>(
        name: &'static str,
        folder: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Self, DemoError> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).map_err(|source| DemoError::file(&log, source))?;
        let errors = output
            .try_clone()
            .map_err(|source| DemoError::file(&log, source))?;
        let child = itself()?
            .args(args)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|source| DemoError::Start { name, source })?;
        Ok(Self { name, child, log })
    }

    /// Waits until the process has written a file, and yields what is in it.
    pub(super) fn writes(&mut self, file: &Path) -> Result<String, DemoError> {
        let name = self.name;
        let log = self.log.clone();
        let child = &mut self.child;
        until(|| {
            if let Ok(text) = fs::read_to_string(file)
                && !text.is_empty()
            {
                return Ok(Some(text));
            }
            match child.try_wait() {
                Ok(None) => Ok(None),
                _ => Err(DemoError::ended_early(name, &log)),
            }
        })?
        .ok_or_else(|| DemoError::ended_early(name, &log))
    }

    /// Asks the process to end, as the kubelet does, and waits until it has.
    pub(super) fn terminate(mut self) -> Result<ExitStatus, DemoError> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let child = &mut self.child;
        let status = until(|| Ok(child.try_wait().ok().flatten()))?;
        status.ok_or_else(|| DemoError::ended_early(self.name, &self.log))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that runs this same binary in one of its roles.
pub(super) fn itself() -> Result<Command, DemoError> {
    let program = std::env::current_exe().map_err(|source| DemoError::Start {
        name: "proctor",
        source,
    })?;
    let mut command = Command::new(program);
    command.arg("role");
    Ok(command)
}

/// Looks again and again until there is something to see, or the deadline is over.
fn until<T>(
    mut look: impl FnMut() -> Result<Option<T>, DemoError>,
) -> Result<Option<T>, DemoError> {
    let end = Instant::now() + DEADLINE;
    // Nobody ever sends: receiving is the wait between two looks.
    let (_silent, wait) = channel::<()>();
    loop {
        if let Some(seen) = look()? {
            return Ok(Some(seen));
        }
        if Instant::now() >= end || wait.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected) {
            return Ok(None);
        }
    }
}
