//! `cargo test`: the harness of libtest as it prints for people.

use crate::console::pending::Pending;
use crate::model::{Counts, Outcome, Test};
use crate::report::{MAX_NAME_BYTES, Report};
use crate::text;

/// The suite of tests whose binary is never named.
const UNNAMED_BINARY: &str = "cargo test";

#[derive(Debug, Default)]
pub(super) struct Cargo {
    report: Report,
    recognised: bool,
    /// From cargo's own lines on standard error.
    binary: Option<String>,
    next_binary: Option<String>,
    /// cargo said that the binary failed.
    said_failed: bool,
    pending: Pending,
    /// `running 3 tests` was read and its `test result:` was not.
    announced: Option<u64>,
    running: Option<String>,
    /// The failed test whose output follows.
    speaking: Option<String>,
}

impl Cargo {
    pub(super) fn line(&mut self, line: &str) {
        if let Some(binary) = binary(line) {
            // cargo's own lines come on standard error and may overtake the harness's.
            self.next_binary = Some(text::prefix(binary, MAX_NAME_BYTES).to_owned());
        } else if let Some(number) = announcement(line) {
            if self.announced.is_some() {
                self.cut_off();
            }
            self.announced = Some(number);
            self.binary = self.next_binary.take();
        } else if self.announced.is_some() {
            self.harness_line(line);
        }
    }

    fn harness_line(&mut self, line: &str) {
        if line.starts_with("error: test failed, to rerun pass ") {
            self.said_failed = true;
        } else if let Some((counts, seconds)) = last_line(line) {
            self.close(counts, seconds);
        } else if let Some(rest) = line.strip_prefix("test ")
            && let Some((name, outcome)) = rest.split_once(" ... ")
        {
            self.test_line(name, outcome.trim());
        } else if let Some(name) = self.running.take() {
            // With --nocapture the outcome follows whatever the test printed.
            match outcome_of(line.trim()) {
                Some((outcome, _)) => self.pending.push(Test::new(name, outcome)),
                None => self.running = Some(name),
            }
        } else {
            self.output(line);
        }
    }

    pub(super) fn running(&self) -> Option<&str> {
        self.running.as_deref()
    }

    pub(super) fn finish(mut self) -> Option<Report> {
        if self.announced.is_some() {
            self.cut_off();
        }
        self.recognised.then_some(self.report)
    }

    fn test_line(&mut self, name: &str, outcome: &str) {
        self.recognised = true;
        let name = text::prefix(name.trim_end_matches(" - should panic"), MAX_NAME_BYTES);
        match outcome_of(outcome) {
            Some((outcome, reason)) => {
                let message = reason.map(str::to_owned);
                self.running = None;
                self.pending.push(Test {
                    message,
                    ..Test::new(name, outcome)
                });
            }
            None => self.running = Some(name.to_owned()),
        }
    }

    fn output(&mut self, line: &str) {
        if let Some(name) = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            self.speaking = Some(name.to_owned());
        } else if line == "failures:" {
            self.speaking = None;
        } else if let Some(name) = &self.speaking
            && !line.trim().is_empty()
        {
            self.pending.explain(name, line);
        }
    }

    /// `test result:` is the authority on the counts.
    fn close(&mut self, counts: Counts, seconds: f64) {
        self.recognised = true;
        let named = self.pending.counts();
        let suite = self.suite();
        self.pending.flush(&mut self.report, &suite);
        let left = counts.minus(named);
        if left != Counts::default() {
            self.report.push_unnamed(&suite, left);
            let (named, all) = (named.tests(), counts.tests());
            self.report.notice(format!(
                "cargo test named {named} of the {all} tests of {suite}."
            ));
        }
        if named.minus(counts) != Counts::default() {
            self.report.notice(format!(
                "The tests' own output of {suite} looks like cargo test's; there may be fewer tests."
            ));
        }
        self.report.suite_took(&suite, seconds);
        self.reset();
    }

    /// The binary ended without saying how: aborted, killed, or the output ends here.
    fn cut_off(&mut self) {
        // `running 3 tests` alone is not enough: other programs say such things too.
        if !self.recognised && self.binary.is_none() {
            self.reset();
            return;
        }
        self.recognised = true;
        let suite = self.suite();
        if self.said_failed {
            let name = self.running.clone().unwrap_or_else(|| suite.clone());
            let message = "The test binary ended before it said how its tests did.".to_owned();
            self.pending.push(Test {
                message: Some(message),
                ..Test::new(name, Outcome::Error)
            });
        } else {
            let during = self.running.as_ref();
            let place = during.map(|name| format!(", during {name}"));
            self.report.unreadable(format!(
                "The output ends before the result of {suite}{}.",
                place.unwrap_or_default()
            ));
        }
        self.pending.flush(&mut self.report, &suite);
        self.reset();
    }

    fn suite(&self) -> String {
        let binary = self.binary.as_deref();
        binary.unwrap_or(UNNAMED_BINARY).to_owned()
    }

    fn reset(&mut self) {
        self.announced = None;
        self.said_failed = false;
        self.running = None;
        self.speaking = None;
    }
}

/// `     Running unittests src/lib.rs (target/debug/deps/api-0a1b)`, `   Doc-tests api`
fn binary(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.starts_with("Doc-tests ") {
        return Some(line);
    }
    let (source, path) = line
        .strip_prefix("Running ")?
        .strip_suffix(')')?
        .split_once(" (")?;
    // Two crates may both have src/lib.rs; the file name tells them apart, its hash does not last.
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
    Some(if name.is_empty() { source } else { name })
}

/// `running 3 tests`
fn announcement(line: &str) -> Option<u64> {
    let (number, word) = line.strip_prefix("running ")?.split_once(' ')?;
    matches!(word, "test" | "tests").then(|| number.parse().ok())?
}

/// `test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn last_line(line: &str) -> Option<(Counts, f64)> {
    let (_, parts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = Counts::default();
    let mut seconds = 0.0;
    for part in parts.split("; ") {
        if let Some(time) = part.strip_prefix("finished in ") {
            seconds = text::seconds(time).unwrap_or_default();
            continue;
        }
        let (number, word) = part.split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        match word {
            "passed" | "measured" => counts.passed = counts.passed.saturating_add(number),
            "failed" => counts.failed = number,
            "ignored" => counts.skipped = number,
            _ => {}
        }
    }
    Some((counts, seconds))
}

/// `ok`, `FAILED`, `ignored, too slow`, `ok <0.012s>`
fn outcome_of(text: &str) -> Option<(Outcome, Option<&str>)> {
    let (word, reason) = match text.split_once(", ") {
        Some((word, reason)) => (word, Some(reason)),
        None => (text, None),
    };
    let word = word.split(" <").next()?;
    Some(match word {
        "ok" => (Outcome::Passed, None),
        "FAILED" => (Outcome::Failed, None),
        "ignored" => (Outcome::Skipped, reason),
        _ if word.starts_with("bench:") => (Outcome::Passed, None),
        _ => return None,
    })
}
