//! The Test Anything Protocol, versions 12 to 14 (<https://testanything.org>).

use crate::console::pending::explain;
use crate::model::{Outcome, Test};
use crate::report::Report;
use crate::text;

/// Subtests within each other that are named.
const MAX_DEPTH: usize = 16;

const SUITE: &str = "TAP";

#[derive(Debug, Default)]
pub(super) struct Tap {
    report: Report,
    version: bool,
    /// A test line or a plan that skips everything.
    points: u64,
    planned: Option<u64>,
    /// Of the outermost level, which the plan speaks of.
    outermost: u64,
    /// `# Subtest: name` of every open level.
    subtests: Vec<String>,
    /// The last test line; its diagnostics follow.
    last: Option<Test>,
    bailed_out: bool,
}

impl Tap {
    pub(super) fn line(&mut self, line: &str) {
        let text = line.trim_start_matches(' ');
        let indent = line.len() - text.len();
        let depth = indent / 4;
        if !indent.is_multiple_of(4) {
            self.diagnostic(text);
        } else if line.starts_with("TAP version ") {
            self.version = true;
        } else if let Some((plan, reason)) = plan(text) {
            if depth == 0 {
                self.flush();
                self.plan(plan, reason);
            }
        } else if let Some(name) = text.strip_prefix("# Subtest: ") {
            self.flush();
            // The comment may stand before its level or within it.
            self.subtests.truncate(depth);
            if self.subtests.len() < MAX_DEPTH {
                self.subtests.push(name.to_owned());
            }
        } else if let Some(point) = point(text) {
            self.point(depth, &point);
        } else if let Some(reason) = line.strip_prefix("Bail out!")
            && self.recognised()
        {
            self.bail_out(reason.trim());
        } else {
            self.diagnostic(text);
        }
    }

    /// A comment, or a line of the YAML block (TAP 13), that follows a test line.
    fn diagnostic(&mut self, line: &str) {
        let Some(test) = &mut self.last else { return };
        let said = line.trim_start_matches('#').trim();
        if let Some(milliseconds) = said.strip_prefix("duration_ms: ") {
            test.duration_seconds = text::seconds(milliseconds).unwrap_or_default() / 1000.0;
        } else if test.outcome.is_red() && !matches!(said, "---" | "...") {
            let (key, value) = said.split_once(": ").unwrap_or_default();
            if matches!(key, "error" | "message") && !value.starts_with(['|', '>']) {
                test.message = Some(value.trim_matches(['\'', '"']).to_owned());
            }
            explain(test, said);
        }
    }

    pub(super) fn finish(mut self) -> Option<Report> {
        self.flush();
        if !self.recognised() {
            return None;
        }
        match self.planned {
            _ if self.bailed_out => {}
            Some(planned) if planned != self.outermost => {
                let seen = self.outermost;
                self.report
                    .unreadable(format!("TAP planned {planned} tests; {seen} were seen."));
            }
            None => self
                .report
                .unreadable("The TAP output has no plan; tests may be missing."),
            Some(_) => {}
        }
        Some(self.report)
    }

    /// `ok 1` alone is not enough: ordinary output says such things too.
    fn recognised(&self) -> bool {
        self.version || (self.planned.is_some() && (self.points > 0 || self.planned == Some(0)))
    }

    fn plan(&mut self, plan: u64, reason: Option<&str>) {
        self.planned = Some(self.planned.unwrap_or_default().saturating_add(plan));
        if plan == 0
            && let Some(reason) = reason
        {
            let message = Some(reason.to_owned());
            self.report.push(
                SUITE,
                Test {
                    message,
                    ..Test::new("(all)", Outcome::Skipped)
                },
            );
        }
    }

    fn point(&mut self, depth: usize, point: &Point<'_>) {
        self.flush();
        self.points += 1;
        if depth == 0 {
            self.outermost += 1;
        }
        // A level that ends is summed up by a point named like it.
        self.subtests.truncate(depth);
        let mut name = self.subtests.join(" > ");
        if !name.is_empty() {
            name.push_str(" > ");
        }
        match point.description {
            "" => name.push_str(&self.points.to_string()),
            description => name.push_str(description),
        }
        let message = point.reason.map(str::to_owned);
        self.last = Some(Test {
            message,
            ..Test::new(name, point.outcome)
        });
    }

    fn bail_out(&mut self, reason: &str) {
        self.flush();
        self.bailed_out = true;
        let message = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        self.report.push(
            SUITE,
            Test {
                message,
                ..Test::new("Bail out!", Outcome::Error)
            },
        );
    }

    fn flush(&mut self) {
        if let Some(test) = self.last.take() {
            self.report.push(SUITE, test);
        }
    }
}

/// One `ok` or `not ok` line.
#[derive(Debug)]
struct Point<'a> {
    outcome: Outcome,
    description: &'a str,
    reason: Option<&'a str>,
}

/// `1..4`, `1..0 # SKIP no database`
fn plan(text: &str) -> Option<(u64, Option<&str>)> {
    let rest = text.strip_prefix("1..")?;
    let (number, comment) = match rest.split_once('#') {
        Some((number, comment)) => (number, Some(comment.trim())),
        None => (rest, None),
    };
    Some((number.trim().parse().ok()?, comment))
}

/// `ok 1 - works`, `not ok 2 - fails # TODO later`
fn point(text: &str) -> Option<Point<'_>> {
    let (ok, rest) = match text.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix("ok")?),
    };
    if !(rest.is_empty() || rest.starts_with(' ')) {
        return None;
    }
    let rest = rest.trim_start();
    let number = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let rest = rest.get(number..).unwrap_or_default().trim();
    let (description, directive) = match rest
        .rsplit_once(" # ")
        .or_else(|| Some(("", rest.strip_prefix("# ")?)))
    {
        Some((description, directive)) => (description, directive),
        None => (rest, ""),
    };
    let description = description.strip_prefix("- ").unwrap_or(description).trim();
    let is = |word: &str| text::prefix(directive, word.len()).eq_ignore_ascii_case(word);
    let reason = directive.split_once(' ').map(|(_, reason)| reason.trim());
    let skipped = is("skip") || (is("todo") && !ok);
    Some(Point {
        outcome: match (ok, skipped) {
            (_, true) => Outcome::Skipped,
            (true, false) => Outcome::Passed,
            (false, false) => Outcome::Failed,
        },
        description: if skipped || is("todo") {
            description
        } else {
            rest.strip_prefix("- ").unwrap_or(rest)
        },
        reason: if skipped { reason } else { None },
    })
}
