//! `JUnit` XML, in the dialect most viewers read: that of Surefire.
//!
//! Tests that are only counted, and warnings, stand in `<property>` elements, so that reading the
//! file again gives the same counts and the same doubts.

use std::fmt;
use std::io::{self, Write};

use crate::formats::junit::{NOTICE, UNNAMED, UNREADABLE};
use crate::model::{Counts, Outcome, Test, WarningKind};
use crate::report::{Report, Suite};

/// Writes a report.
///
/// ```
/// use proctor_results::{Outcome, Report, Test, read, write::junit};
///
/// let mut report = Report::new();
/// report.push("api", Test::new("a < b", Outcome::Failed));
/// let mut xml = Vec::new();
/// junit::write(&report, &mut xml)?;
/// assert_eq!(read(xml.as_slice()).map(|parsed| parsed.report.counts().failed).ok(), Some(1));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    write!(out, "<testsuites")?;
    totals(out, report.counts(), report.duration_seconds())?;
    if !report.warnings().is_empty() {
        writeln!(out, "  <properties>")?;
        for warning in report.warnings() {
            let name = match warning.kind {
                WarningKind::Notice => NOTICE,
                WarningKind::Unreadable => UNREADABLE,
            };
            property(out, name, &warning.message)?;
        }
        writeln!(out, "  </properties>")?;
    }
    for suite in report.suites() {
        write_suite(suite, out)?;
    }
    writeln!(out, "</testsuites>")
}

fn write_suite(suite: &Suite, out: &mut impl Write) -> io::Result<()> {
    write!(out, r#"  <testsuite name="{}""#, Attribute(suite.name()))?;
    totals(out, suite.counts(), suite.duration_seconds())?;
    let named = suite
        .tests()
        .iter()
        .fold(Counts::default(), |mut counts, test| {
            counts.add(test.outcome);
            counts
        });
    let mut unnamed = suite.counts().minus(named);
    if unnamed != Counts::default() {
        writeln!(out, "    <properties>")?;
        for outcome in [
            Outcome::Passed,
            Outcome::Failed,
            Outcome::Error,
            Outcome::Skipped,
        ] {
            let name = format!("{UNNAMED}{}", outcome.as_str());
            property(out, &name, &unnamed.of(outcome).to_string())?;
        }
        writeln!(out, "    </properties>")?;
    }
    for test in suite.tests() {
        write_test(test, out)?;
    }
    writeln!(out, "  </testsuite>")
}

fn write_test(test: &Test, out: &mut impl Write) -> io::Result<()> {
    write!(out, r#"    <testcase name="{}""#, Attribute(&test.name))?;
    if let Some(class) = &test.class {
        write!(out, r#" classname="{}""#, Attribute(class))?;
    }
    write!(out, r#" time="{}""#, test.duration_seconds)?;
    let element = match test.outcome {
        Outcome::Passed if test.flaky => "flakyFailure",
        Outcome::Passed => return writeln!(out, "/>"),
        Outcome::Failed => "failure",
        Outcome::Error => "error",
        Outcome::Skipped => "skipped",
    };
    write!(out, ">\n      <{element}")?;
    if let Some(message) = &test.message {
        write!(out, r#" message="{}""#, Attribute(message))?;
    }
    let details = test.details.as_deref().unwrap_or_default();
    writeln!(out, ">{}</{element}>\n    </testcase>", Text(details))
}

fn totals(out: &mut impl Write, counts: Counts, seconds: f64) -> io::Result<()> {
    let Counts {
        failed,
        errors,
        skipped,
        ..
    } = counts;
    let tests = counts.tests();
    writeln!(
        out,
        r#" tests="{tests}" failures="{failed}" errors="{errors}" skipped="{skipped}" time="{seconds}">"#
    )
}

fn property(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(
        out,
        r#"    <property name="{name}" value="{}"/>"#,
        Attribute(value)
    )
}

/// A value between double quotes. XML readers turn bare line ends there into blanks.
struct Attribute<'a>(&'a str);

impl fmt::Display for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.0, f, true)
    }
}

/// Text between tags.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.0, f, false)
    }
}

fn escape(text: &str, f: &mut fmt::Formatter<'_>, attribute: bool) -> fmt::Result {
    let special = |c: char| c < ' ' || matches!(c, '&' | '<' | '>' | '"' | '\u{FFFE}' | '\u{FFFF}');
    let mut rest = text;
    while let Some(at) = rest.find(special) {
        let (before, from) = rest.split_at(at);
        f.write_str(before)?;
        let mut characters = from.chars();
        match characters.next() {
            Some('&') => f.write_str("&amp;")?,
            Some('<') => f.write_str("&lt;")?,
            Some('>') => f.write_str("&gt;")?,
            Some('"') => f.write_str("&quot;")?,
            Some(c @ ('\n' | '\t')) if !attribute => fmt::Write::write_char(f, c)?,
            Some(c @ ('\n' | '\t' | '\r')) => write!(f, "&#{};", u32::from(c))?,
            // XML has no way to write these.
            _ => f.write_str("\u{FFFD}")?,
        }
        rest = characters.as_str();
    }
    f.write_str(rest)
}
