//! What is known about a run, and who saw it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::gates::GateFailure;
use crate::model::Counts;
use crate::report::Report;

/// Who saw something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Observer {
    /// `exec`, which runs the test command.
    Wrapper,
    /// `report`, the native sidecar.
    Reporter,
    /// The kubelet, in the pod's status.
    Kubelet,
    /// The control plane: events, the Job's and pod's conditions, deletion.
    Cluster,
    /// The collector, on what was uploaded.
    Collector,
    /// Report files, or the console output where there are none.
    Tests,
}

/// One thing known, and who saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Who.
    pub observer: Observer,
    /// What, as a sentence.
    pub statement: String,
}

impl Fact {
    /// Puts the two together.
    pub fn new(observer: Observer, statement: impl Into<String>) -> Self {
        Self {
            observer,
            statement: statement.into(),
        }
    }
}

/// Why the tests never started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartReason {
    /// The image could not be pulled.
    ImagePull,
    /// A Secret, `ConfigMap` or volume it needs is missing.
    ConfigMissing,
    /// An init container failed.
    InitContainer,
    /// A quota, limit or admission rule refused the pod.
    Refused,
    /// No node took it.
    Unschedulable,
    /// The container's command could not be started.
    CommandNotStarted,
    /// Anything else; the fact says what.
    NeverStarted,
}

impl StartReason {
    /// `CamelCase`, as conditions carry it.
    pub fn code(self) -> &'static str {
        match self {
            Self::ImagePull => "ImagePull",
            Self::ConfigMissing => "ConfigMissing",
            Self::InitContainer => "InitContainer",
            Self::Refused => "Refused",
            Self::Unschedulable => "Unschedulable",
            Self::CommandNotStarted => "CommandNotStarted",
            Self::NeverStarted => "NeverStarted",
        }
    }
}

/// What ended the tests from outside while they ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutsideReason {
    /// Out of memory, with evidence.
    OOMKilled,
    /// The deadline of the Job or the pod.
    DeadlineExceeded,
    /// Evicted, by the kubelet or the API.
    Evicted,
    /// A pod of higher priority took its place.
    Preempted,
    /// Somebody deleted pod, Job or namespace.
    Deleted,
    /// Its node went away.
    NodeLost,
}

impl OutsideReason {
    /// `CamelCase`, as conditions carry it.
    pub fn code(self) -> &'static str {
        match self {
            Self::OOMKilled => "OOMKilled",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::Evicted => "Evicted",
            Self::Preempted => "Preempted",
            Self::Deleted => "Deleted",
            Self::NodeLost => "NodeLost",
        }
    }
}

/// How the test command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// With an exit code.
    Exited(i32),
    /// By a signal.
    Signaled(i32),
}

impl Ending {
    /// Exit code 0.
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signaled(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// What is there of the record of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Record {
    /// None is expected: report files alone are judged (`proctor results`).
    NotExpected,
    /// Everything expected of this run arrived: the end record and every byte up to it.
    Complete,
    /// The end record is there, these bytes are not.
    BytesMissing(u64),
    /// There is no end record.
    Missing,
}

/// Two sources that contradict each other on red or green.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Disagreement {
    /// Exit code 0, and tests failed.
    ZeroWithRed {
        /// How many.
        red: u64,
    },
    /// Exit code 1, and every test that ran passed.
    OneWithGreen,
    /// Report files and console output.
    FilesAndConsole {
        /// Red tests of the files.
        files: u64,
        /// Red tests of the console output.
        console: u64,
    },
}

impl Disagreement {
    /// The contradiction between how the command ended and what the tests said. Exit codes beyond
    /// 1 and signals mean that the tool itself had trouble, which is no contradiction.
    pub fn of_ending(ending: Ending, counts: Counts) -> Option<Self> {
        match ending {
            Ending::Exited(0) if counts.red() > 0 => Some(Self::ZeroWithRed { red: counts.red() }),
            Ending::Exited(1) if counts.red() == 0 && counts.passed > 0 => Some(Self::OneWithGreen),
            _ => None,
        }
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroWithRed { red } => {
                write!(
                    f,
                    "The command ended with exit code 0, but its report has {red} red tests."
                )
            }
            Self::OneWithGreen => {
                write!(
                    f,
                    "The command ended with exit code 1, but its report has no red test."
                )
            }
            Self::FilesAndConsole { files, console } => write!(
                f,
                "The report files have {files} red tests, the console output {console}."
            ),
        }
    }
}

/// Everything that is known about a run.
///
/// `start_failure` and `outside` carry evidence: a [`Fact`] says who saw it. An outside ending is
/// one that hit while the tests ran; a pod deleted after they ended was not killed.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The tests never started.
    pub start_failure: Option<(StartReason, Fact)>,
    /// Something ended them from outside.
    pub outside: Option<(OutsideReason, Fact)>,
    /// How the command ended, and who saw it.
    pub ending: Option<(Ending, Observer)>,
    /// The tests, from files and console.
    pub report: &'a Report,
    /// Files and console contradict each other (see [`crate::Merged`]).
    pub disagreement: Option<Disagreement>,
    /// Gates that failed.
    pub gates: &'a [GateFailure],
    /// What is there of the record.
    pub record: Record,
}

impl<'a> Facts<'a> {
    /// Report files alone, without a process or a pod: `proctor results`.
    pub fn offline(report: &'a Report) -> Self {
        Self {
            start_failure: None,
            outside: None,
            ending: None,
            report,
            disagreement: None,
            gates: &[],
            record: Record::NotExpected,
        }
    }
}
