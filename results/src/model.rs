//! The one model every format is read into.
//!
//! A [`Report`] counts every test exactly and keeps a bounded number of them by name, so that a
//! run of a million tests costs no more memory than the constants of this file say. Counts can
//! only change together with the tests they count: the parts always add up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::text;

/// Tests kept by name in one report. Further ones are counted only, and a warning says so.
pub const MAX_TESTS: usize = 10_000;

/// Failed and broken tests kept beyond [`MAX_TESTS`]: they are what people look for.
pub const MAX_RED_BEYOND: usize = 1_000;

/// Suites kept by name. Tests of further ones are counted in [`FURTHER_SUITES`].
pub const MAX_SUITES: usize = 5_000;

/// The suite that takes the tests of all suites beyond [`MAX_SUITES`].
pub const FURTHER_SUITES: &str = "(further suites)";

/// Longest name of a test, class or suite, in bytes.
pub const MAX_NAME_BYTES: usize = 512;

/// Longest message, and longest details, of one test, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024;

/// Bytes of all messages and details of one report together.
pub const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// Warnings kept in one report.
pub const MAX_WARNINGS: usize = 100;

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
    /// True for the outcomes that make a run red.
    pub fn is_red(self) -> bool {
        matches!(self, Self::Failed | Self::Error)
    }
}

/// One test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Test {
    /// The name as its tool wrote it, at most [`MAX_NAME_BYTES`].
    pub name: String,
    /// `JUnit`'s `classname`, where there is one.
    #[serde(skip)]
    pub class: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Zero where the tool does not say.
    pub duration_seconds: f64,
    /// Why it failed or was skipped, at most [`MAX_MESSAGE_BYTES`].
    pub message: Option<String>,
    /// What the tool wrote beyond the message (a stack trace), at most [`MAX_MESSAGE_BYTES`].
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

/// Tests that belong together: a file, a class, a package.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suite {
    name: String,
    tests: Vec<Test>,
    #[serde(skip)]
    counts: Counts,
    /// Of all its tests, also of those not kept.
    #[serde(skip)]
    tests_seconds: f64,
    /// As told for the suite as a whole.
    #[serde(skip)]
    told_seconds: f64,
}

impl Suite {
    /// The name as its tool wrote it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tests kept by name.
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// All of its tests, also those that are not kept or were never named.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The sum of its tests; what the tool told for the whole where no test has a time.
    pub fn duration_seconds(&self) -> f64 {
        if self.tests_seconds > 0.0 {
            self.tests_seconds
        } else {
            self.told_seconds
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

/// All tests of one file, one console output, or one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    suites: Vec<Suite>,
    by_name: BTreeMap<String, usize>,
    kept: usize,
    text_left_out: bool,
    text_bytes: usize,
    counts: Counts,
    coverage: Option<Coverage>,
    warnings: Vec<Warning>,
    unreadable: bool,
}

impl Report {
    /// A report without tests.
    pub fn new() -> Self {
        Self::default()
    }

    /// The suites, in the order they appeared.
    pub fn suites(&self) -> &[Suite] {
        &self.suites
    }

    /// Every test kept by name, with its suite.
    pub fn tests(&self) -> impl Iterator<Item = (&Suite, &Test)> {
        self.suites
            .iter()
            .flat_map(|suite| suite.tests.iter().map(move |test| (suite, test)))
    }

    /// The failures and errors kept by name, with their suite.
    pub fn red_tests(&self) -> impl Iterator<Item = (&Suite, &Test)> {
        self.tests().filter(|(_, test)| test.outcome.is_red())
    }

    /// All tests, also those not kept by name.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The sum over the suites.
    pub fn duration_seconds(&self) -> f64 {
        // `+ 0.0`: the sum of nothing is -0.0, which would be printed as such.
        self.suites.iter().map(Suite::duration_seconds).sum::<f64>() + 0.0
    }

    /// Coverage, where something told it.
    pub fn coverage(&self) -> Option<Coverage> {
        self.coverage
    }

    /// What a reader must know, at most [`MAX_WARNINGS`].
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// A part could not be read, so a green result is not proven.
    pub fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    /// Adds a test. Texts are cut to their bounds, durations that are no time become zero.
    pub fn push(&mut self, suite: &str, mut test: Test) {
        test.duration_seconds = text::sane_seconds(test.duration_seconds);
        let bound = if test.outcome.is_red() {
            MAX_TESTS + MAX_RED_BEYOND
        } else {
            MAX_TESTS
        };
        let keep = self.kept < bound;
        if keep {
            self.kept += 1;
            text::truncate(&mut test.name, MAX_NAME_BYTES);
            self.bound_text(&mut test);
        } else {
            self.notice(format!(
                "The report names the first {MAX_TESTS} tests (and up to {MAX_RED_BEYOND} more that \
                 failed); further ones are only counted."
            ));
        }
        self.counts.add(test.outcome);
        if let Some(suite) = self.suite(suite) {
            suite.counts.add(test.outcome);
            suite.tests_seconds += test.duration_seconds;
            if keep {
                suite.tests.push(test);
            }
        }
    }

    /// Adds tests of which only the number is known.
    pub fn push_unnamed(&mut self, suite: &str, counts: Counts) {
        if counts == Counts::default() {
            return;
        }
        self.counts = self.counts.plus(counts);
        if let Some(suite) = self.suite(suite) {
            suite.counts = suite.counts.plus(counts);
        }
    }

    /// Adds the time a tool told for a suite as a whole.
    pub fn suite_took(&mut self, suite: &str, seconds: f64) {
        let seconds = text::sane_seconds(seconds);
        if seconds > 0.0
            && let Some(suite) = self.suite(suite)
        {
            suite.told_seconds += seconds;
        }
    }

    /// Adds coverage. Exact numbers are summed; of bare percentages the lowest is kept.
    pub fn cover(&mut self, new: Coverage) {
        let Some(old) = self.coverage else {
            self.coverage = Some(new);
            return;
        };
        if old == new && new.total.is_none() {
            return;
        }
        let sum = match (old, new) {
            (
                Coverage {
                    covered: Some(a),
                    total: Some(b),
                    unit,
                    ..
                },
                Coverage {
                    covered: Some(c),
                    total: Some(d),
                    unit: other,
                    ..
                },
            ) if unit == other => Coverage::exact(a.saturating_add(c), b.saturating_add(d), unit),
            _ => None,
        };
        self.coverage = Some(sum.unwrap_or_else(|| {
            self.notice("Several coverages were reported; the lowest is shown.");
            if new.percent < old.percent { new } else { old }
        }));
    }

    /// Adds a warning that leaves the counts right.
    pub fn notice(&mut self, message: impl Into<String>) {
        self.warn(Warning {
            kind: WarningKind::Notice,
            message: message.into(),
        });
    }

    /// Adds a warning that a part could not be read.
    pub fn unreadable(&mut self, message: impl Into<String>) {
        self.warn(Warning {
            kind: WarningKind::Unreadable,
            message: message.into(),
        });
    }

    /// Adds a warning once. One that puts the result in doubt counts even where it is not kept.
    pub fn warn(&mut self, mut warning: Warning) {
        self.unreadable |= warning.kind == WarningKind::Unreadable;
        if self.warnings.len() < MAX_WARNINGS {
            text::truncate(&mut warning.message, MAX_MESSAGE_BYTES);
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    /// Changes what the warnings say.
    pub(crate) fn map_warnings(mut self, change: impl Fn(Warning) -> Warning) -> Self {
        self.warnings = self.warnings.into_iter().map(change).collect();
        self
    }

    /// Adds everything of `other`.
    pub fn absorb(&mut self, other: Self) {
        for suite in other.suites {
            let mut named = Counts::default();
            let mut seconds = 0.0;
            for test in suite.tests {
                named.add(test.outcome);
                seconds += test.duration_seconds;
                self.push(&suite.name, test);
            }
            self.push_unnamed(&suite.name, suite.counts.minus(named));
            self.suite_took(&suite.name, suite.told_seconds);
            if let Some(own) = self.suite(&suite.name) {
                own.tests_seconds += text::sane_seconds(suite.tests_seconds - seconds);
            }
        }
        for warning in other.warnings {
            self.warn(warning);
        }
        self.unreadable |= other.unreadable;
        if let Some(coverage) = other.coverage {
            self.cover(coverage);
        }
    }

    /// The suite of that name, made where there is none yet. Always `Some`.
    fn suite(&mut self, name: &str) -> Option<&mut Suite> {
        let mut name = text::prefix(name, MAX_NAME_BYTES);
        if self.suites.len() >= MAX_SUITES && !self.by_name.contains_key(name) {
            name = FURTHER_SUITES;
            self.notice(format!(
                "The report names the first {MAX_SUITES} suites; the tests of further ones are in \
                 {FURTHER_SUITES:?}."
            ));
        }
        let index = if let Some(index) = self.by_name.get(name) {
            *index
        } else {
            self.suites.push(Suite {
                name: name.to_owned(),
                tests: Vec::new(),
                counts: Counts::default(),
                tests_seconds: 0.0,
                told_seconds: 0.0,
            });
            self.by_name.insert(name.to_owned(), self.suites.len() - 1);
            self.suites.len() - 1
        };
        self.suites.get_mut(index)
    }

    fn bound_text(&mut self, test: &mut Test) {
        if let Some(class) = &mut test.class {
            text::truncate(class, MAX_NAME_BYTES);
        }
        for part in [&mut test.message, &mut test.details] {
            let Some(content) = part else { continue };
            text::truncate(content, MAX_MESSAGE_BYTES);
            if content.is_empty() {
                *part = None;
            } else if self.text_bytes + content.len() > MAX_TEXT_BYTES {
                *part = None;
                self.text_left_out = true;
            } else {
                self.text_bytes += content.len();
            }
        }
        if self.text_left_out {
            self.notice(format!(
                "The messages of this report exceed {MAX_TEXT_BYTES} bytes; further ones are left out."
            ));
        }
    }
}
