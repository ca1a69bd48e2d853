//! `go test`, with and without `-v`, and compiled test binaries.

use std::collections::BTreeMap;

use crate::console::pending::{Pending, explain};
use crate::model::{Coverage, Outcome, Test, Unit};
use crate::report::{MAX_NAME_BYTES, Report};
use crate::text;

/// Tests that run at the same time and are remembered.
const MAX_OPEN: usize = 4_096;

/// The suite of tests whose package is never named: a compiled test binary.
const UNNAMED_PACKAGE: &str = "go test";

#[derive(Debug, Default)]
pub(super) struct Go {
    report: Report,
    recognised: bool,
    /// Ended tests of the package that is not over.
    pending: Pending,
    /// Begun and not ended, with what they said so far.
    open: BTreeMap<String, Test>,
    /// Whose output follows.
    speaking: Option<String>,
    /// A test binary said `PASS` or `FAIL` on a line of its own.
    binary_ended: Option<Outcome>,
    panic: Option<String>,
}

impl Go {
    pub(super) fn line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("=== ") {
            self.event(rest);
        } else if let Some((outcome, name, seconds)) = self.result_in(line) {
            self.recognised = true;
            self.result(outcome, name, seconds);
        } else if let Some(package) = package(line) {
            self.recognised = true;
            self.package_ended(&package);
        } else if line.starts_with("?   \t") {
            self.recognised = true;
        } else if let Some(coverage) = coverage(line) {
            if self.recognised {
                self.report.cover(coverage);
            }
        } else if let Some(outcome) = self.binary_result(line) {
            self.binary_ended = Some(outcome);
        } else if self.recognised {
            self.output(line);
        }
    }

    pub(super) fn running(&self) -> Option<&str> {
        let speaking = self
            .speaking
            .as_deref()
            .filter(|name| self.open.contains_key(*name));
        speaking.or_else(|| self.open.keys().next().map(String::as_str))
    }

    pub(super) fn finish(mut self) -> Option<Report> {
        if !self.recognised {
            return None;
        }
        if !self.open.is_empty() || self.pending.counts().tests() > 0 || self.panic.is_some() {
            match self.binary_ended {
                None if self.panic.is_none() => {
                    let place = self
                        .running()
                        .map(|name| format!(", during {name}"))
                        .unwrap_or_default();
                    self.report
                        .unreadable(format!("The output ends before go test does{place}."));
                    self.pending.flush(&mut self.report, UNNAMED_PACKAGE);
                }
                ended => {
                    let outcome = if self.panic.is_some() {
                        Some(Outcome::Error)
                    } else {
                        ended
                    };
                    self.package_ended(&Package {
                        name: UNNAMED_PACKAGE,
                        outcome: outcome.unwrap_or(Outcome::Passed),
                        seconds: 0.0,
                        note: "",
                        has_tests: true,
                        covered: None,
                    });
                }
            }
        }
        Some(self.report)
    }

    /// A result, on its own or right behind what a running test printed.
    fn result_in<'a>(&self, line: &'a str) -> Option<(Outcome, &'a str, f64)> {
        result(line.trim_start_matches(' ')).or_else(|| {
            let found = result(line.get(line.rfind("--- ")?..)?)?;
            self.open.contains_key(found.1).then_some(found)
        })
    }

    /// `PASS` or `FAIL`, right behind what the last test printed if need be.
    fn binary_result(&self, line: &str) -> Option<Outcome> {
        let printed = match line {
            "PASS" => return Some(Outcome::Passed),
            "FAIL" => return Some(Outcome::Failed),
            _ if self.recognised && self.open.is_empty() => line,
            _ => return None,
        };
        let outcome = |word, outcome| printed.ends_with(word).then_some(outcome);
        outcome("PASS", Outcome::Passed).or_else(|| outcome("FAIL", Outcome::Failed))
    }

    /// `RUN   TestA`, `PAUSE TestA`, `CONT  TestA`, `NAME  TestA`
    fn event(&mut self, event: &str) {
        let Some((what, name)) = event.split_once(' ') else {
            return;
        };
        let name = text::prefix(name.trim(), MAX_NAME_BYTES);
        match what {
            "RUN" => {
                self.recognised = true;
                // A new binary begins where one has ended without its package being named.
                if self.binary_ended.is_some() {
                    self.pending.flush(&mut self.report, UNNAMED_PACKAGE);
                    self.binary_ended = None;
                }
                if self.open.len() < MAX_OPEN {
                    self.open
                        .insert(name.to_owned(), Test::new(name, Outcome::Error));
                }
            }
            "CONT" | "NAME" | "PAUSE" => {}
            _ => return,
        }
        self.speaking = (what != "PAUSE" && !name.is_empty()).then(|| name.to_owned());
    }

    fn result(&mut self, outcome: Outcome, name: &str, seconds: f64) {
        let name = text::prefix(name, MAX_NAME_BYTES);
        let mut test = self
            .open
            .remove(name)
            .unwrap_or_else(|| Test::new(name, outcome));
        test.outcome = outcome;
        test.duration_seconds = seconds;
        if outcome == Outcome::Passed {
            test.message = None;
            test.details = None;
        }
        self.pending.push(test);
        // Without -v, and for skipped tests, the output follows the result.
        self.speaking = Some(name.to_owned());
    }

    fn output(&mut self, line: &str) {
        if self.panic.is_none() && line.starts_with("panic: ") {
            self.panic = Some(text::prefix(line, MAX_NAME_BYTES).to_owned());
        }
        let Some(name) = &self.speaking else { return };
        let said_of_it = line.starts_with(' ') || line.starts_with("panic: ");
        if let Some(test) = self.open.get_mut(name) {
            explain(test, line.trim());
        } else if said_of_it
            && self
                .pending
                .get_mut(name)
                .is_some_and(|test| test.outcome != Outcome::Passed)
        {
            self.pending.explain(name, line.trim());
        }
    }

    fn package_ended(&mut self, package: &Package<'_>) {
        let Package {
            name,
            outcome,
            seconds,
            note,
            has_tests,
            covered,
        } = *package;
        let red = outcome.is_red();
        // Go writes no result for tests that a panic or os.Exit cut off.
        for (_, mut test) in std::mem::take(&mut self.open) {
            test.outcome = Outcome::Error;
            test.message = Some(
                self.panic
                    .clone()
                    .unwrap_or_else(|| "The test began and never ended.".to_owned()),
            );
            self.pending.push(test);
        }
        let counts = self.pending.counts();
        if red && counts.red() == 0 {
            let why = self.panic.clone().unwrap_or_else(|| match note {
                "" => "The package failed, but none of its tests did.".to_owned(),
                note => note.to_owned(),
            });
            let test = Test {
                message: Some(why),
                ..Test::new(name, Outcome::Error)
            };
            self.pending.push(test);
        } else if outcome == Outcome::Passed && counts.tests() == 0 && has_tests {
            self.pending.push(Test {
                duration_seconds: seconds,
                ..Test::new(name, Outcome::Passed)
            });
            self.report.notice(
                "go test names passing tests only with -v; a package without names counts as one test.",
            );
        }
        self.pending.flush(&mut self.report, name);
        self.report.suite_took(name, seconds);
        if let Some(coverage) = covered {
            self.report.cover(coverage);
        }
        self.speaking = None;
        self.binary_ended = None;
        self.panic = None;
    }
}

/// `--- FAIL: TestA/b (0.25s)`
fn result(line: &str) -> Option<(Outcome, &str, f64)> {
    let (word, rest) = line.strip_prefix("--- ")?.split_once(": ")?;
    let outcome = match word {
        "PASS" => Outcome::Passed,
        "FAIL" => Outcome::Failed,
        "SKIP" => Outcome::Skipped,
        _ => return None,
    };
    let (name, time) = rest.trim_end().rsplit_once(" (")?;
    let seconds = time.strip_suffix("s)")?.parse().ok()?;
    Some((outcome, name, seconds))
}

#[derive(Debug)]
struct Package<'a> {
    name: &'a str,
    outcome: Outcome,
    seconds: f64,
    /// `[build failed]` and its kin.
    note: &'a str,
    has_tests: bool,
    covered: Option<Coverage>,
}

/// `ok pkg 0.012s coverage: …`, `FAIL pkg 0.01s`, `FAIL pkg [build failed]`, with tabs between.
fn package(line: &str) -> Option<Package<'_>> {
    let (word, rest) = line.split_once('\t')?;
    let outcome = match word.trim_end() {
        "ok" => Outcome::Passed,
        "FAIL" => Outcome::Error,
        _ => return None,
    };
    let mut parts = rest.split('\t');
    let (name, mut note) = match parts.next()?.split_once(" [") {
        Some((name, _)) => (name, rest.get(name.len() + 1..).unwrap_or_default()),
        None => (rest.split('\t').next()?, ""),
    };
    if name.is_empty() || name.contains(' ') {
        return None;
    }
    let mut seconds = 0.0;
    let mut covered = None;
    for part in parts {
        if let Some(time) = part.strip_suffix('s').and_then(|time| time.parse().ok()) {
            seconds = time;
        } else if part.starts_with('[') {
            note = part;
        } else if part.starts_with("coverage: ") {
            covered = coverage(part);
        }
    }
    let has_tests = !rest.contains("[no tests to run]") && !rest.contains("[no test files]");
    Some(Package {
        name,
        outcome,
        seconds,
        note,
        has_tests,
        covered,
    })
}

/// `coverage: 54.1% of statements`: on a line of its own under `-v`, and at the end of the `ok` line.
fn coverage(line: &str) -> Option<Coverage> {
    let (percent, _) = line
        .trim()
        .strip_prefix("coverage: ")?
        .split_once("% of statements")?;
    Coverage::percentage(percent.parse().ok()?, Unit::Statements)
}
