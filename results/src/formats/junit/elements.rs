//! The elements a parser of `JUnit` is within, and what their tags say.

use quick_xml::events::BytesStart;

use crate::formats::xml;
use crate::model::{Counts, Outcome, Test};
use crate::text;

/// Where in the document the parser is.
#[derive(Debug)]
pub(super) enum Element {
    Suite(Frame),
    Case(Case),
    /// A `<failure>` and its kin.
    Result(ResultElement),
    /// Anything else; what it holds is left out.
    Other(String),
}

/// A `<testsuite>` or `<testsuites>`.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) claimed_tests: u64,
    pub(super) claimed: Counts,
    /// With all suites inside.
    pub(super) seen: Counts,
}

#[derive(Debug)]
pub(super) struct Case {
    pub(super) test: Test,
    pub(super) status: Option<Outcome>,
    pub(super) has_result: bool,
    pub(super) todo: bool,
}

#[derive(Debug)]
pub(super) struct ResultElement {
    pub(super) kind: ResultKind,
    pub(super) message: Option<String>,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ResultKind {
    Final(Outcome),
    /// node: known to fail, so the failure beside it is none.
    Todo,
    /// Surefire: failed at first, passed in the end.
    Flaky,
    /// Surefire: failed again; the final failure stands beside it.
    Rerun,
}

pub(super) fn open_case(start: &BytesStart<'_>) -> Case {
    let mut test = Test::new("", Outcome::Passed);
    let mut status = None;
    for (name, value) in xml::attributes(start) {
        match name {
            "name" => test.name = xml::unescape(&value),
            "classname" => {
                test.class = Some(xml::unescape(&value)).filter(|class| !class.is_empty());
            }
            "time" => test.duration_seconds = text::seconds(&value).unwrap_or_default(),
            "status" => status = status_outcome(&value),
            _ => {}
        }
    }
    Case {
        test,
        status,
        has_result: false,
        todo: false,
    }
}

/// What ctest, gtest and others say in `status`, where it is more than that the test ran.
fn status_outcome(status: &str) -> Option<Outcome> {
    match status.to_ascii_lowercase().as_str() {
        "notrun" | "disabled" | "skipped" | "ignored" | "pending" => Some(Outcome::Skipped),
        "fail" | "failed" | "failure" => Some(Outcome::Failed),
        "error" => Some(Outcome::Error),
        _ => None,
    }
}

/// A count, `1,024` too; what is none counts as zero.
pub(super) fn number(text: &str) -> u64 {
    text.trim().replace(',', "").parse().unwrap_or_default()
}
