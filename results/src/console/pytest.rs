//! pytest: the counts of its last line, the names of `-v` and of the short summary.
//!
//! The last line (`== 1 failed, 2 passed in 0.12s ==`) is the authority on the counts: without `-v`
//! passing tests have no names, and with `-s` the tests' own output stands between ours.

use crate::console::pending::Pending;
use crate::model::{Counts, Coverage, Outcome, Test, Unit};
use crate::report::{MAX_NAME_BYTES, Report};
use crate::text;

#[derive(Debug, Default)]
pub(super) struct Pytest {
    report: Report,
    recognised: bool,
    /// Tests of the session that is not over.
    pending: Pending,
    section: Section,
    open: bool,
    /// Named by `-v`, its outcome not seen yet.
    running: Option<String>,
    /// Ran into trouble at least once before it ends.
    rerun: Option<String>,
}

#[derive(Debug, Default, PartialEq)]
enum Section {
    #[default]
    Tests,
    /// The short test summary.
    Summary,
    /// The table of pytest-cov.
    Coverage,
    /// Tracebacks, captured output, warnings: what stands there is not pytest's own.
    Other,
}

/// What a line of `-v` says of a test.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mark {
    Ended(Outcome),
    Rerun,
}

impl Pytest {
    pub(super) fn line(&mut self, line: &str) {
        if let Some((counts, seconds)) = last_line(line) {
            self.close(counts, seconds);
        } else if let Some(title) = title(line) {
            self.enter(title);
        } else if self.open && self.section == Section::Tests {
            self.test_line(line);
        } else if self.section == Section::Summary {
            self.summary_line(line);
        } else if self.section == Section::Coverage
            && let Some(coverage) = total(line)
        {
            self.report.cover(coverage);
        }
    }

    pub(super) fn running(&self) -> Option<&str> {
        self.running.as_deref()
    }

    pub(super) fn finish(mut self) -> Option<Report> {
        if self.open {
            self.give_up();
        }
        self.recognised.then_some(self.report)
    }

    fn enter(&mut self, title: &str) {
        self.section = match title {
            "test session starts" => {
                if self.open {
                    self.give_up();
                }
                self.recognised = true;
                self.open = true;
                Section::Tests
            }
            "short test summary info" => Section::Summary,
            "tests coverage" => Section::Coverage,
            _ => Section::Other,
        };
    }

    fn test_line(&mut self, line: &str) {
        if let Some((node, mark, reason)) = xdist_line(line) {
            self.mark(node, mark, reason);
        } else if let Some(node) = node_id(line) {
            let rest = line.get(node.len()..).unwrap_or_default();
            match mark_at_end(rest.trim_start()) {
                Some((mark, reason)) => self.mark(node, mark, reason),
                None if rest.is_empty() || rest.starts_with(char::is_whitespace) => {
                    self.running = Some(text::prefix(node, MAX_NAME_BYTES).to_owned());
                }
                None => {}
            }
        } else if let Some(node) = self.running.take() {
            // With -s the outcome follows whatever the test printed.
            match mark_at_end(line) {
                Some((mark, reason)) => self.mark(&node, mark, reason),
                None => self.running = Some(node),
            }
        }
    }

    fn mark(&mut self, node: &str, mark: Mark, reason: Option<&str>) {
        self.running = None;
        match mark {
            Mark::Rerun => self.rerun = Some(node.to_owned()),
            Mark::Ended(outcome) => {
                let mut test = Test::new(node, outcome);
                test.message = reason.map(str::to_owned);
                test.flaky = outcome == Outcome::Passed && self.rerun.as_deref() == Some(node);
                self.pending.push(test);
            }
        }
    }

    /// `FAILED tests/a.py::test_b - assert 1 == 2`
    fn summary_line(&mut self, line: &str) {
        let Some((word, rest)) = line.split_once(' ') else {
            return;
        };
        let outcome = match word {
            "FAILED" => Outcome::Failed,
            "ERROR" => Outcome::Error,
            _ => return,
        };
        let node = node_id(rest)
            .unwrap_or_else(|| rest.split(" - ").next().unwrap_or(rest))
            .trim_end();
        let message = rest
            .get(node.len()..)
            .and_then(|tail| tail.trim_start().strip_prefix("- "));
        if !self
            .pending
            .get_mut(node)
            .is_some_and(|test| test.outcome == outcome)
        {
            self.pending.push(Test::new(node, outcome));
        }
        // The mark of the short summary: whatever stands here was confirmed by pytest itself.
        self.pending
            .explain(node, message.unwrap_or("(pytest gave no message)"));
    }

    /// The session is over and these are its counts.
    fn close(&mut self, counts: Counts, seconds: f64) {
        self.recognised = true;
        let named = self.pending.counts();
        let fits = named.minus(counts) == Counts::default();
        let (tests, _) = self.pending.take();
        let mut left = counts;
        let mut suite = "pytest".to_owned();
        for test in tests {
            // Names that do not fit the counts came from the tests' own output; what the short
            // summary names did not.
            let confirmed = test.outcome.is_red() && test.details.is_some();
            if !(fits || confirmed) {
                continue;
            }
            let count = left.of(test.outcome);
            *count = count.saturating_sub(1);
            file_of(&test.name).clone_into(&mut suite);
            self.report.push(&suite, test);
        }
        if !fits {
            self.report.notice(
                "The tests' own output looks like pytest's; the counts are those of its last line.",
            );
        }
        if left != Counts::default() {
            self.report.push_unnamed("pytest", left);
            self.report.notice(format!(
                "pytest named {} of its {} tests; run it with -v to see all.",
                counts.tests().saturating_sub(left.tests()),
                counts.tests()
            ));
            "pytest".clone_into(&mut suite);
        }
        self.report.suite_took(&suite, seconds);
        self.open = false;
        self.section = Section::Tests;
        self.running = None;
        self.rerun = None;
    }

    /// The session never came to its last line.
    fn give_up(&mut self) {
        let (tests, beyond) = self.pending.take();
        for test in tests {
            let suite = file_of(&test.name).to_owned();
            self.report.push(&suite, test);
        }
        self.report.push_unnamed("pytest", beyond);
        let place = self
            .running
            .take()
            .map(|node| format!(", during {node}"))
            .unwrap_or_default();
        self.report
            .unreadable(format!("The output ends before pytest's last line{place}."));
        self.open = false;
    }
}

/// The file of a node ID.
fn file_of(node: &str) -> &str {
    node.split_once("::").map_or("pytest", |(file, _)| file)
}

/// The text of a `==== text ====` line.
fn title(line: &str) -> Option<&str> {
    let inner = line.trim_end().strip_prefix("==")?.strip_suffix("==")?;
    let inner = inner.trim_matches('=');
    Some(inner.strip_prefix(' ')?.strip_suffix(' ')?.trim())
}

/// Counts and seconds of the last line: `1 failed, 2 passed in 0.12s (0:00:00)`, with or without `=`.
fn last_line(line: &str) -> Option<(Counts, f64)> {
    let (what, time) = line.trim().trim_matches('=').trim().rsplit_once(" in ")?;
    let time = time.split(' ').next()?.strip_suffix('s')?;
    let seconds: f64 = time.parse().ok()?;
    let mut counts = Counts::default();
    if what == "no tests ran" || what == "no tests collected" {
        return Some((counts, seconds));
    }
    for part in what.split(", ") {
        let (number, word) = part.split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        let count = match word {
            "passed" | "xpassed" => &mut counts.passed,
            "failed" => &mut counts.failed,
            "error" | "errors" => &mut counts.errors,
            "skipped" | "xfailed" => &mut counts.skipped,
            "deselected" | "warning" | "warnings" | "rerun" | "reruns" | "subtests passed" => {
                continue;
            }
            _ => return None,
        };
        *count = count.saturating_add(number);
    }
    Some((counts, seconds))
}

/// `TOTAL      27      6    78%`; with branches, their columns stand before the percentage.
fn total(line: &str) -> Option<Coverage> {
    let words: Vec<&str> = line.strip_prefix("TOTAL ")?.split_whitespace().collect();
    match *words.as_slice() {
        [statements, missed, _] => {
            let total: u64 = statements.parse().ok()?;
            Coverage::exact(
                total.checked_sub(missed.parse().ok()?)?,
                total,
                Unit::Statements,
            )
        }
        [.., percent] => {
            Coverage::percentage(percent.strip_suffix('%')?.parse().ok()?, Unit::Statements)
        }
        [] => None,
    }
}

/// The node ID a line begins with: `tests/a.py::TestB::test_c[x y]`.
fn node_id(line: &str) -> Option<&str> {
    let at = line.find("::")?;
    if at == 0 || line.get(..at)?.contains(char::is_whitespace) {
        return None;
    }
    let mut depth = 0_usize;
    let mut end = line.len();
    for (index, character) in line.char_indices() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            c if c.is_whitespace() && depth == 0 => {
                end = index;
                break;
            }
            _ => {}
        }
    }
    if depth > 0 {
        // A lone bracket among the parameters: the first blank will have to do.
        end = line.find(char::is_whitespace).unwrap_or(line.len());
    }
    line.get(..end)
}

/// `PASSED`, `SKIPPED (reason)`, `FAILED   [ 50%]`
fn mark_of(text: &str) -> Option<(Mark, Option<&str>)> {
    let text = without_progress(text);
    let (word, reason) = match text.split_once(' ') {
        None => (text, None),
        Some((word, reason)) => (
            word,
            Some(reason.trim().strip_prefix('(')?.strip_suffix(')')?),
        ),
    };
    Some((word_mark(word)?, reason))
}

fn word_mark(word: &str) -> Option<Mark> {
    Some(match word {
        "PASSED" | "XPASS" => Mark::Ended(Outcome::Passed),
        "FAILED" => Mark::Ended(Outcome::Failed),
        "ERROR" => Mark::Ended(Outcome::Error),
        "SKIPPED" | "XFAIL" => Mark::Ended(Outcome::Skipped),
        "RERUN" => Mark::Rerun,
        _ => return None,
    })
}

/// A mark that follows the output of a test, on its own or without a blank before it.
fn mark_at_end(line: &str) -> Option<(Mark, Option<&str>)> {
    if let Some(found) = mark_of(line) {
        return Some(found);
    }
    let text = without_progress(line);
    let word = [
        "PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "XPASS", "RERUN",
    ]
    .into_iter()
    .find(|word| {
        text.strip_suffix(word)
            .is_some_and(|before| !before.ends_with(char::is_whitespace))
    })?;
    Some((word_mark(word)?, None))
}

/// Without the `[ 50%]` at the end.
fn without_progress(text: &str) -> &str {
    let text = text.trim_end();
    match text.rsplit_once('[') {
        Some((before, progress)) if progress.ends_with("%]") => before.trim_end(),
        _ => text,
    }
}

/// `[gw0] [ 50%] PASSED tests/a.py::test_b`
fn xdist_line(line: &str) -> Option<(&str, Mark, Option<&str>)> {
    let (_, rest) = line.strip_prefix("[gw")?.split_once("] ")?;
    let rest = match rest.strip_prefix('[') {
        Some(progress) => progress.split_once("] ")?.1,
        None => rest,
    };
    let (word, rest) = rest.split_once(' ')?;
    Some((node_id(rest.trim_start())?, word_mark(word)?, None))
}
