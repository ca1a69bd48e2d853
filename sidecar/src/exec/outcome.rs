//! What the tests came to, for the termination message.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use proctor_results::{
    Aggregate, Console, Ending, Fact, Facts, Kind, Observer, Record, StartReason, detect, judge,
    read,
};
use serde::Serialize;

use super::child::Ended;

/// The kubelet keeps this much of a termination message.
const MESSAGE_BYTES: usize = 1024;

/// Enough of a file to see whether it is a report.
const HEAD_BYTES: u64 = 4096;

/// Read of one report file before the container may end.
const READ_BYTES: u64 = 64 * 1024 * 1024;

/// The termination message of the container, as the collector reads it.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    proctor: u8,
    exit_code: Option<i32>,
    signal: Option<i32>,
    verdict: &'static str,
    tests: u64,
    passed: u64,
    failed: u64,
    errors: u64,
    skipped: u64,
    gate: Option<String>,
}

impl Message {
    /// Judges by the report files, else by the console output.
    pub(super) fn new(ended: Ended, console: Console, files: &[PathBuf]) -> Self {
        let mut tests = Aggregate::new();
        for path in files {
            if is_report(path)
                && let Ok(file) = File::open(path)
            {
                tests.file(&path.to_string_lossy(), read(file.take(READ_BYTES)));
            }
        }
        tests.console(console.finish());
        let merged = tests.finish();
        let not_started = || Fact::new(Observer::Wrapper, "The test command could not be started.");
        let (exit_code, signal) = ended.own();
        let judgement = judge(&Facts {
            start_failure: matches!(ended, Ended::NotStarted(_))
                .then(|| (StartReason::CommandNotStarted, not_started())),
            ending: Some((ended.into(), Observer::Wrapper)),
            disagreement: merged.disagreement,
            record: Record::Complete,
            ..Facts::offline(&merged.report)
        });
        let counts = merged.report.counts();
        Self {
            proctor: 1,
            exit_code,
            signal,
            verdict: judgement.verdict.as_str(),
            tests: counts.tests(),
            passed: counts.passed,
            failed: counts.failed,
            errors: counts.errors,
            skipped: counts.skipped,
            gate: None,
        }
    }

    /// Writes it where the kubelet made a file for it; elsewhere nobody would read it.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let json = serde_json::to_vec(self)?;
        debug_assert!(
            json.len() <= MESSAGE_BYTES,
            "numbers and names of bounded length"
        );
        match OpenOptions::new().write(true).truncate(true).open(path) {
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(()),
            file => file?.write_all(&json),
        }
    }
}

impl From<Ended> for Ending {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Exited(code) | Ended::NotStarted(code) => Self::Exited(code.into()),
            Ended::Signaled(number) => Self::Signaled(number),
        }
    }
}

fn is_report(path: &Path) -> bool {
    let mut head = Vec::new();
    let looked = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    looked.is_ok() && detect(&head) == Kind::JUnit
}
