//! `proctor demo`: the whole way on one machine, without a cluster and without a part that is not the real one.
//!
//! The webhook and the collector run as processes of this same binary, on loopback. The example Jobs go through admission over TLS; the
//! one that is admitted and can run here is run as its pod would run it: its command under the wrapper, beside the reporter.

mod admission;
mod examples;
mod https;
mod pod;
mod process;
mod role;
mod run;
mod servers;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use role::Role;
pub(crate) use run::{Options, run};

/// Why the demo could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A file of the demo.
    #[error("{path} cannot be written or read; is there room, and may you write there?")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A process of this same binary.
    #[error("the {name} could not be started")]
    Start {
        /// Which.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A process ended, or did not do in time what it was waited for.
    #[error("the {name} did not get as far as it should; what it said last is in {log}: {words}")]
    EndedEarly {
        /// Which.
        name: &'static str,
        /// All of what it said.
        log: PathBuf,
        /// The end of it.
        words: String,
    },
    /// A server's answer.
    #[error("the answer to {what} is not what it should be")]
    Answer {
        /// What was asked.
        what: &'static str,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An example is not what the demo expects of it.
    #[error("the example {0} is broken; this program is broken, use another build")]
    Example(&'static str),
    /// A server of the demo, in its own process.
    #[error("it stopped")]
    Server(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl DemoError {
    fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }

    fn answer(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Answer {
            what,
            source: source.into(),
        }
    }

    fn ended_early(name: &'static str, log: &Path) -> Self {
        /// Enough for an error and its causes.
        const LAST_LINES: usize = 3;
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let mut words: Vec<&str> = text.lines().rev().take(LAST_LINES).collect();
        words.reverse();
        Self::EndedEarly {
            name,
            log: log.to_owned(),
            words: words.join(" | "),
        }
    }
}
