//! What `exec` leaves on the volume about one run of the test command.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::ExecOptions;
use super::child::Ended;
use super::gather::{Gatherer, MAX_FILES, WAITING_BYTES};
use super::memory::Measured;
use super::pattern::Pattern;
use crate::say;
use crate::spool::{
    End, LogTotals, LogWriter, Root, SPOOL_CAP_BYTES, Spool, Start, Time, write_whole,
};

/// Time between two looks for files.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A look for files that took long is followed by a pause this many times as long, so that the
/// tests keep at least nineteen twentieths of a processor.
const PAUSE_FACTOR: u32 = 19;

/// The volume cannot be written.
#[derive(Debug, Error)]
#[error(
    "The run is not recorded, because the volume at {root} cannot be written; the tests run all the same"
)]
pub(super) struct NotRecorded {
    root: String,
    source: io::Error,
}

/// The record of one attempt. Nothing here can fail the tests.
pub(super) struct Recording {
    spool: Spool,
    log: LogWriter,
    gatherer: Gatherer,
    next_look: Instant,
}

impl Recording {
    /// Begins it: the folders, and `start.json`.
    pub(super) fn begin(options: &ExecOptions, started_at: Time) -> Result<Self, NotRecorded> {
        Self::try_begin(options, started_at).map_err(|source| NotRecorded {
            root: options.root.display().to_string(),
            source,
        })
    }

    fn try_begin(options: &ExecOptions, started_at: Time) -> io::Result<Self> {
        let root = Root::new(&options.root);
        let reports = root.make_reports(&options.container)?;
        let spool = root.next_spool(&options.container)?;
        let program = options
            .command
            .first()
            .map_or(OsStr::new(""), |program| program);
        let start = Start {
            container: options.container.to_string(),
            attempt: spool.attempt,
            program: Path::new(program)
                .file_name()
                .unwrap_or(program)
                .to_string_lossy()
                .into_owned(),
            started_at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        write_whole(&spool.start(), &serde_json::to_vec(&start)?)?;
        let folder = env::current_dir().unwrap_or_else(|_| "/".into());
        let mut patterns = Vec::new();
        for glob in &options.globs {
            match Pattern::glob(glob, &folder) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => say(&crate::describe(&error)),
            }
        }
        Ok(Self {
            log: LogWriter::new(spool.log_dir(), SPOOL_CAP_BYTES),
            gatherer: Gatherer::new(&spool, root.path(), reports, folder, patterns)?,
            spool,
            next_look: Instant::now() + LOOK_EVERY,
        })
    }

    /// Appends to the log.
    pub(super) fn append(&mut self, output: &[u8]) {
        self.log.append(output);
    }

    /// Looks for files where it is time to.
    pub(super) fn look(&mut self) {
        let begun = Instant::now();
        if begun >= self.next_look {
            self.gatherer.look(&self.spool);
            let now = Instant::now();
            self.next_look = now + LOOK_EVERY.max((now - begun) * PAUSE_FACTOR);
        }
    }

    /// Gathers what is left and returns every file there is a record of.
    pub(super) fn gather_rest(&mut self) -> Vec<PathBuf> {
        self.gatherer.finish(&self.spool);
        let (_, left_out) = self.gatherer.totals();
        if left_out > 0 {
            let room = WAITING_BYTES / 1024 / 1024;
            self.tell(&format!(
                "{left_out} files were not gathered: not readable, more than {MAX_FILES}, or no room in {room} MiB"
            ));
        }
        self.gatherer.gathered()
    }

    /// A line of our own, for people, in the output and in its record.
    pub(super) fn tell(&mut self, line: &str) {
        say(line);
        self.append(format!("proctor: {line}\n").as_bytes());
    }

    /// Completes the record.
    pub(super) fn finish(self, ended: Ended, started_at: Time, memory: Measured) -> io::Result<()> {
        let LogTotals { bytes, dropped } = self.log.finish();
        let (exit_code, signal) = ended.own();
        let end = End {
            exit_code,
            signal,
            wrapper_exit_code: ended.code().into(),
            started_at,
            ended_at: Time::now(),
            log_bytes: bytes,
            dropped_bytes: dropped,
            files: self.gatherer.totals().0,
            peak_memory_bytes: memory.peak,
            oom_kills: memory.oom_kills,
            gate: None,
        };
        write_whole(&self.spool.end(), &serde_json::to_vec(&end)?)
    }
}
