//! The verdict on a run: one pure function over what is known about it.
//!
//! The rules, first match wins:
//! 1. it never started: `Error`;
//! 2. it was ended from outside: `Killed`;
//! 3. no test ran: `NoTests` (exit 0, pytest's 5, all skipped), any other ending `Error`;
//! 4. a red test, a non-zero exit, a gate, a disagreement: `Failed`;
//! 5. something is missing or could not be read: `Incomplete`;
//! 6. `Passed`.
//!
//! Rule 3 needs to *know* that no test ran: where something is missing or unreadable, an empty
//! report proves nothing and rules 4 and 5 decide.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::{Disagreement, Ending, Fact, Facts, Observer, Record};
use crate::model::WarningKind;

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// Tests ran, all held, and nothing is missing.
    Passed,
    /// A test, the command, or a gate says no.
    Failed,
    /// It could not be run.
    Error,
    /// Something outside the tests ended it.
    Killed,
    /// It ran and there was nothing to run.
    NoTests,
    /// What arrived is not enough to say.
    Incomplete,
}

impl Verdict {
    /// The name, as everywhere: JSON, `TestRun`, pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::Failed => "Failed",
            Self::Error => "Error",
            Self::Killed => "Killed",
            Self::NoTests => "NoTests",
            Self::Incomplete => "Incomplete",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The verdict and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// The answer.
    pub verdict: Verdict,
    /// `CamelCase`, as conditions carry it.
    pub reason: &'static str,
    /// A sentence for people.
    pub message: String,
    /// What the sources contradict each other on.
    pub disagreements: Vec<Disagreement>,
    /// Everything known, with who saw it.
    pub facts: Vec<Fact>,
}

/// Judges a run.
///
/// ```
/// use proctor_results::{Ending, Facts, Observer, Outcome, Record, Report, Test, Verdict, judge};
///
/// let mut report = Report::new();
/// report.push("suite", Test::new("works", Outcome::Passed));
/// let mut facts = Facts::offline(&report);
/// facts.ending = Some((Ending::Exited(0), Observer::Wrapper));
/// facts.record = Record::Missing;
/// assert_eq!(judge(&facts).verdict, Verdict::Incomplete);
/// facts.record = Record::Complete;
/// assert_eq!(judge(&facts).verdict, Verdict::Passed);
/// ```
pub fn judge(facts: &Facts<'_>) -> Judgement {
    let disagreements = disagreements(facts);
    let (verdict, reason, message) = never_started(facts)
        .or_else(|| ended_from_outside(facts))
        .or_else(|| no_test_ran(facts))
        .or_else(|| said_no(facts, &disagreements))
        .or_else(|| not_enough(facts))
        .unwrap_or_else(|| {
            let counts = facts.report.counts();
            (
                Verdict::Passed,
                "AllPassed",
                format!("All {} tests that ran passed.", counts.ran()),
            )
        });
    Judgement {
        verdict,
        reason,
        message,
        facts: collect(facts, &disagreements),
        disagreements,
    }
}

type Answer = (Verdict, &'static str, String);

fn never_started(facts: &Facts<'_>) -> Option<Answer> {
    let (reason, fact) = facts.start_failure.as_ref()?;
    Some((
        Verdict::Error,
        reason.code(),
        format!("The tests never started. {}", fact.statement),
    ))
}

fn ended_from_outside(facts: &Facts<'_>) -> Option<Answer> {
    let (reason, fact) = facts.outside.as_ref()?;
    let red = facts.report.counts().red();
    let red = if red > 0 {
        format!(" Until then {red} tests had failed.")
    } else {
        String::new()
    };
    Some((
        Verdict::Killed,
        reason.code(),
        format!("The run was ended from outside. {}{red}", fact.statement),
    ))
}

fn no_test_ran(facts: &Facts<'_>) -> Option<Answer> {
    const PYTEST_NO_TESTS_COLLECTED: i32 = 5;
    let counts = facts.report.counts();
    if counts.ran() > 0 || not_enough(facts).is_some() {
        return None;
    }
    Some(match facts.ending {
        _ if counts.skipped > 0 => {
            let skipped = counts.skipped;
            (
                Verdict::NoTests,
                "AllSkipped",
                format!("All {skipped} tests were skipped."),
            )
        }
        None | Some((Ending::Exited(0 | PYTEST_NO_TESTS_COLLECTED), _)) => (
            Verdict::NoTests,
            "NoTestsRan",
            "The run ended without having run a test.".to_owned(),
        ),
        Some((ending, _)) => (
            Verdict::Error,
            "CommandFailed",
            format!("The command ended with {ending} before any test ran."),
        ),
    })
}

fn said_no(facts: &Facts<'_>, disagreements: &[Disagreement]) -> Option<Answer> {
    let counts = facts.report.counts();
    let failed = |reason, message| Some((Verdict::Failed, reason, message));
    if counts.red() > 0 {
        let flagged = if disagreements.is_empty() {
            ""
        } else {
            " The exit code or another report contradicts this."
        };
        let (red, ran) = (counts.red(), counts.ran());
        return failed(
            "TestsFailed",
            format!("{red} of {ran} tests that ran failed.{flagged}"),
        );
    }
    if let Some(gate) = facts.gates.first() {
        return failed("GateFailed", gate.message.clone());
    }
    if let Some(disagreement) = disagreements.first() {
        return failed("Disagreement", disagreement.to_string());
    }
    match facts.ending {
        Some((ending, _)) if !ending.is_success() => failed(
            "NonZeroExit",
            format!("No test is known to have failed, but the command ended with {ending}."),
        ),
        _ => None,
    }
}

fn not_enough(facts: &Facts<'_>) -> Option<Answer> {
    let incomplete = |reason, message: String| Some((Verdict::Incomplete, reason, message));
    match facts.record {
        Record::Missing => {
            return incomplete(
                "NoEndRecord",
                "Nobody recorded how the tests ended.".to_owned(),
            );
        }
        Record::BytesMissing(bytes) => {
            return incomplete(
                "UploadIncomplete",
                format!("{bytes} bytes of the run did not arrive."),
            );
        }
        Record::Complete if facts.ending.is_none() => {
            return incomplete(
                "EndingUnknown",
                "Nobody saw how the test command ended.".to_owned(),
            );
        }
        Record::Complete | Record::NotExpected => {}
    }
    if facts.report.is_unreadable() {
        let first = facts
            .report
            .warnings()
            .iter()
            .find(|warning| warning.kind == WarningKind::Unreadable)
            .map_or("", |warning| warning.message.as_str());
        return incomplete(
            "Unreadable",
            format!("A part of the report could not be read. {first}"),
        );
    }
    None
}

fn disagreements(facts: &Facts<'_>) -> Vec<Disagreement> {
    let counts = facts.report.counts();
    let of_ending = facts
        .ending
        .and_then(|(ending, _)| Disagreement::of_ending(ending, counts));
    of_ending.into_iter().chain(facts.disagreement).collect()
}

fn collect(facts: &Facts<'_>, disagreements: &[Disagreement]) -> Vec<Fact> {
    let mut all = Vec::new();
    all.extend(facts.start_failure.iter().map(|(_, fact)| fact.clone()));
    all.extend(facts.outside.iter().map(|(_, fact)| fact.clone()));
    if let Some((ending, observer)) = facts.ending {
        all.push(Fact::new(
            observer,
            format!("The test command ended with {ending}."),
        ));
    }
    let counts = facts.report.counts();
    all.push(Fact::new(
        Observer::Tests,
        format!(
            "{} tests: {} passed, {} failed, {} errors, {} skipped.",
            counts.tests(),
            counts.passed,
            counts.failed,
            counts.errors,
            counts.skipped
        ),
    ));
    all.extend(
        facts
            .gates
            .iter()
            .map(|gate| Fact::new(Observer::Wrapper, gate.message.clone())),
    );
    all.extend(
        disagreements
            .iter()
            .map(|found| Fact::new(Observer::Tests, found.to_string())),
    );
    let record = match facts.record {
        Record::NotExpected => None,
        Record::Complete => Some("The record of the run is complete.".to_owned()),
        Record::BytesMissing(bytes) => Some(format!("{bytes} bytes of the run did not arrive.")),
        Record::Missing => Some("There is no record of how the tests ended.".to_owned()),
    };
    all.extend(record.map(|statement| Fact::new(Observer::Collector, statement)));
    all
}
