//! Tests of a suite that is not over: their messages, and sometimes their suite, come later.

use std::collections::BTreeMap;

use crate::model::{Counts, Test};
use crate::report::{
    MAX_MESSAGE_BYTES, MAX_NAME_BYTES, MAX_RED_BEYOND, MAX_TESTS, MAX_TEXT_BYTES, Report,
};
use crate::text;

/// Tests in the order they ended, found again by name.
#[derive(Debug, Default)]
pub(super) struct Pending {
    tests: Vec<Test>,
    by_name: BTreeMap<String, usize>,
    beyond: Counts,
    text_bytes: usize,
}

impl Pending {
    /// All of them, also those beyond the bound.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = self.beyond;
        for test in &self.tests {
            counts.add(test.outcome);
        }
        counts
    }

    pub(super) fn push(&mut self, mut test: Test) {
        if self.tests.len() >= MAX_TESTS + MAX_RED_BEYOND {
            self.beyond.add(test.outcome);
            return;
        }
        text::truncate(&mut test.name, MAX_NAME_BYTES);
        self.by_name.insert(test.name.clone(), self.tests.len());
        self.tests.push(test);
    }

    /// The latest test of that name.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Test> {
        let index = self.by_name.get(name)?;
        self.tests.get_mut(*index)
    }

    /// Adds a line to what a test says of itself; the first becomes its message.
    pub(super) fn explain(&mut self, name: &str, line: &str) {
        let room = MAX_TEXT_BYTES.saturating_sub(self.text_bytes);
        if let Some(test) = self.get_mut(name) {
            self.text_bytes += explain(test, text::prefix(line, room));
        }
    }

    /// Everything so far, and how many more there were; starts anew.
    pub(super) fn take(&mut self) -> (Vec<Test>, Counts) {
        let Self { tests, beyond, .. } = std::mem::take(self);
        (tests, beyond)
    }

    /// Moves everything to a suite of `report`.
    pub(super) fn flush(&mut self, report: &mut Report, suite: &str) {
        let (tests, beyond) = self.take();
        for test in tests {
            report.push(suite, test);
        }
        report.push_unnamed(suite, beyond);
    }
}

/// Adds a line to what a test says of itself, within the bound; returns the bytes it took. The
/// first line becomes the message.
pub(super) fn explain(test: &mut Test, line: &str) -> usize {
    let details = test.details.get_or_insert_default();
    let room = MAX_MESSAGE_BYTES.saturating_sub(details.len());
    let line = text::prefix(line, room);
    if line.is_empty() {
        return 0;
    }
    if !details.is_empty() {
        details.push('\n');
    }
    details.push_str(line);
    if test.message.is_none() {
        test.message = Some(line.trim().to_owned());
    }
    line.len() + 1
}
