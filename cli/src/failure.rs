//! Why a command could not do its work.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

/// The exit code of a usage error, and of an input that cannot be read.
pub(crate) const USAGE: u8 = 2;

/// The exit code of an answer that is no.
pub(crate) const NO: u8 = 1;

/// Why a command could not do its work. Its exit code is [`USAGE`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// An input that cannot be opened.
    #[error("{path} cannot be read")]
    Open {
        /// The input.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An input that is not text.
    #[error("{path} is not UTF-8 text; manifests are YAML or JSON")]
    NotText {
        /// The input.
        path: PathBuf,
    },
    /// A document that is not YAML or JSON.
    #[error(
        "{path}, document {document}, line {line}, column {column}: this is not YAML or JSON: {reason}"
    )]
    Syntax {
        /// The input.
        path: PathBuf,
        /// Which of its documents, from 1.
        document: usize,
        /// The line in the file, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
        /// What the parser says.
        reason: String,
    },
    /// An input in which nothing is known.
    #[error(
        "{path} has no Pod, Job, CronJob or other object with a pod template in it (policies are given with --policy)"
    )]
    NothingKnown {
        /// The input.
        path: PathBuf,
    },
    /// An object of a known kind that has not its shape.
    #[error("{path}: {object}")]
    Shape {
        /// The input.
        path: PathBuf,
        /// Which object, and what is wrong with it.
        object: proctor_policy::ObjectError,
    },
    /// A policy file without a policy, or with one that is not of its shape.
    #[error("{path}: the {kind} {name} is not as its definition says: {reason}; `kubectl explain {lower}.spec` shows its shape", lower = kind.to_lowercase())]
    Policy {
        /// The input.
        path: PathBuf,
        /// The kind.
        kind: String,
        /// The name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A policy file in which nothing is known.
    #[error("{path} has no ClusterTestPolicy, TestPolicy, Namespace or Service in it")]
    NoPolicy {
        /// The input.
        path: PathBuf,
    },
    /// Policies that cannot be put into effect.
    #[error("the policies cannot be put into effect: {}", list(.0))]
    Compile(Vec<proctor_policy::PolicyError>),
    /// More than one object where a patch is for one.
    #[error(
        "{path} has {count} objects in it, and a JSON Patch is for one; give one at a time, or leave --output away"
    )]
    NotOne {
        /// The input.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// An input without a report.
    #[error(
        "{path} holds no test report; known are JUnit XML and the console output of pytest, go test, cargo test and TAP producers"
    )]
    NoReport {
        /// The input.
        path: PathBuf,
    },
    /// A code that does not exist.
    #[error("there is no finding code {code}; there are {known}")]
    NoCode {
        /// What was asked for.
        code: String,
        /// All there are.
        known: String,
    },
    /// A patch that does not fit its object.
    #[error(
        "the change does not fit the object; this is a fault of this program, please report it"
    )]
    Patch(#[source] json_patch::PatchError),
    /// Output that cannot be written.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    /// Output that cannot be put into words.
    #[error("the output cannot be encoded; this is a fault of this program, please report it")]
    Encode(#[source] Box<dyn Error + Send + Sync>),
    /// The demo.
    #[cfg(feature = "demo")]
    #[error(transparent)]
    Demo(#[from] crate::demo::DemoError),
}

fn list(errors: &[proctor_policy::PolicyError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

impl Failure {
    /// Tells people on standard error, with all causes.
    pub(crate) fn tell(&self) {
        // Whoever reads the output has seen enough (`| head`).
        if let Self::Output(error) = self
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            return;
        }
        let mut line = format!("error: {self}");
        let mut cause = self.source();
        while let Some(inner) = cause {
            line = format!("{line}: {inner}");
            cause = inner.source();
        }
        let _ = writeln!(io::stderr(), "{line}");
    }
}
