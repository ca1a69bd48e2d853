//! What a report is made of: tests, counts, coverage, warnings.

use serde::{Deserialize, Serialize, Serializer};

/// How one test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It ran and held.
    Passed,
    /// It ran and an assertion did not hold.
    Failed,
    /// It could not be run to its end: set-up, panic, build.
    Error,
    /// It was left out on purpose, or was expected to fail and did.
    Skipped,
}

impl Outcome {
    /// The name, as in the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }

    /// The outcome of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Passed, Self::Failed, Self::Error, Self::Skipped]
            .into_iter()
            .find(|outcome| outcome.as_str() == name)
    }

    /// True for the outcomes that make a run red.
    pub fn is_red(self) -> bool {
        matches!(self, Self::Failed | Self::Error)
    }
}

/// One test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Test {
    /// The name as its tool wrote it, at most [`MAX_NAME_BYTES`](crate::report::MAX_NAME_BYTES).
    pub name: String,
    /// `JUnit`'s `classname`, where there is one.
    #[serde(skip)]
    pub class: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Zero where the tool does not say.
    pub duration_seconds: f64,
    /// Why it failed or was skipped, at most [`MAX_MESSAGE_BYTES`](crate::report::MAX_MESSAGE_BYTES).
    pub message: Option<String>,
    /// What the tool wrote beyond the message (a stack trace), at most [`MAX_MESSAGE_BYTES`](crate::report::MAX_MESSAGE_BYTES).
    #[serde(skip)]
    pub details: Option<String>,
    /// It failed first and passed when tried again.
    pub flaky: bool,
}

impl Test {
    /// A test of which nothing but name and outcome is known.
    pub fn new(name: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            name: name.into(),
            class: None,
            outcome,
            duration_seconds: 0.0,
            message: None,
            details: None,
            flaky: false,
        }
    }

    /// Class and name, where the name does not begin with the class already.
    pub fn full_name(&self) -> String {
        match &self.class {
            Some(class) if !class.is_empty() && !self.name.starts_with(class.as_str()) => {
                format!("{class}.{}", self.name)
            }
            _ => self.name.clone(),
        }
    }
}

/// How many tests ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Tests that ran and held.
    pub passed: u64,
    /// Tests whose assertion did not hold.
    pub failed: u64,
    /// Tests that could not be run to their end.
    pub errors: u64,
    /// Tests left out.
    pub skipped: u64,
}

impl Counts {
    /// All of them; by construction the sum of the four.
    pub fn tests(&self) -> u64 {
        self.ran().saturating_add(self.skipped)
    }

    /// Those that were not left out.
    pub fn ran(&self) -> u64 {
        self.passed.saturating_add(self.red())
    }

    /// Failures and errors.
    pub fn red(&self) -> u64 {
        self.failed.saturating_add(self.errors)
    }

    /// The count of one outcome.
    pub fn of(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Failed => &mut self.failed,
            Outcome::Error => &mut self.errors,
            Outcome::Skipped => &mut self.skipped,
        }
    }

    /// One more test.
    pub fn add(&mut self, outcome: Outcome) {
        let count = self.of(outcome);
        *count = count.saturating_add(1);
    }

    /// The sum, part by part.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed.saturating_add(other.passed),
            failed: self.failed.saturating_add(other.failed),
            errors: self.errors.saturating_add(other.errors),
            skipped: self.skipped.saturating_add(other.skipped),
        }
    }

    /// What is left after taking `other` away, part by part, never below zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            passed: self.passed.saturating_sub(other.passed),
            failed: self.failed.saturating_sub(other.failed),
            errors: self.errors.saturating_sub(other.errors),
            skipped: self.skipped.saturating_sub(other.skipped),
        }
    }
}

/// What [`Coverage`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Lines of source.
    Lines,
    /// Statements, as Go and coverage.py count.
    Statements,
}

/// How much of the code the tests reached.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// 0 to 100.
    pub percent: f64,
    /// Units reached, where the tool says.
    pub covered: Option<u64>,
    /// Units there are, where the tool says.
    pub total: Option<u64>,
    /// What is counted.
    pub unit: Unit,
}

impl Coverage {
    /// From a percentage alone, as `go test -cover` prints it; `None` outside 0 to 100.
    pub fn percentage(percent: f64, unit: Unit) -> Option<Self> {
        (0.0..=100.0).contains(&percent).then_some(Self {
            percent,
            covered: None,
            total: None,
            unit,
        })
    }

    /// From exact numbers; `None` without any unit or with more covered than there are.
    pub fn exact(covered: u64, total: u64, unit: Unit) -> Option<Self> {
        #[allow(clippy::cast_precision_loss)] // 2^53 lines are not to be had
        let percent = covered as f64 * 100.0 / total as f64;
        (total > 0 && covered <= total).then_some(Self {
            percent,
            covered: Some(covered),
            total: Some(total),
            unit,
        })
    }
}

/// Something a reader of the report must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Whether it puts a green result in doubt.
    pub kind: WarningKind,
    /// A sentence.
    pub message: String,
}

/// Whether a [`Warning`] puts a green result in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// Good to know; the counts are right.
    Notice,
    /// A part could not be read: what is green here is not proven.
    Unreadable,
}

impl Serialize for Warning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.message)
    }
}
