//! The one model every format is read into.
//!
//! A [`Report`] counts every test exactly and keeps a bounded number of them by name, so that a
//! run of a million tests costs no more memory than the constants of this file say. Counts can
//! only change together with the tests they count: the parts always add up.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Counts, Coverage, Test, Warning, WarningKind};
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

/// All tests of one file, one console output, or one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    suites: Vec<Suite>,
    by_name: BTreeMap<String, usize>,
    kept: usize,
    tests_left_out: bool,
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
        } else if !self.tests_left_out {
            self.tests_left_out = true;
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
        let mut left_out = false;
        for part in [&mut test.message, &mut test.details] {
            let Some(content) = part else { continue };
            text::truncate(content, MAX_MESSAGE_BYTES);
            if content.is_empty() {
                *part = None;
            } else if self.text_bytes + content.len() > MAX_TEXT_BYTES {
                *part = None;
                left_out = true;
            } else {
                self.text_bytes += content.len();
            }
        }
        if left_out && !self.text_left_out {
            self.text_left_out = true;
            self.notice(format!(
                "The messages of this report exceed {MAX_TEXT_BYTES} bytes; further ones are left out."
            ));
        }
    }
}
