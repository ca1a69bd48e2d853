//! `JUnit` XML in all its dialects.
//!
//! There is no standard, only tools: Surefire (root `<testsuite>`, flaky and rerun elements), pytest
//! (set-up failures as `<error>`), gotestsum, jest, mocha (empty root suites), ctest and gtest
//! (`status="disabled"`, `"notrun"`), Catch2 (counts assertions as tests). So the cases are counted,
//! not the attributes; where the attributes tell of red tests the cases do not show, the
//! attributes win, and red stays red.

use std::io::{self, Read};
use std::ops::ControlFlow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

mod elements;

use self::elements::{Case, Element, Frame, ResultElement, ResultKind, number, open_case};
use super::xml::{self, Tame};
use crate::model::{Counts, Outcome, Test};
use crate::report::{MAX_MESSAGE_BYTES, Report};
use crate::text;

/// Elements within each other before a document is given up.
const MAX_DEPTH: usize = 64;

/// Properties in which our own writer keeps what `JUnit` has no place for.
pub(crate) const NOTICE: &str = "proctor.notice";
pub(crate) const UNREADABLE: &str = "proctor.unreadable";
/// Followed by the outcome: how many tests of the suite are counted and not named.
pub(crate) const UNNAMED: &str = "proctor.unnamed.";

/// Reads one `JUnit` file. Errors are those of the input itself; what is wrong with the document
/// becomes a warning of the report that makes its verdict Incomplete.
pub(crate) fn read(input: impl Read) -> io::Result<Report> {
    let mut reader = Reader::from_reader(Tame::new(input));
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.expand_empty_elements = true;
    let mut junit = JUnit::default();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Eof) => break,
            Ok(event) => {
                if junit.event(event).is_break() {
                    break;
                }
            }
            Err(quick_xml::Error::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
                return Err(io::Error::new(error.kind(), error));
            }
            Err(error) => {
                junit.give_up(&format!("The JUnit file is broken: {error}."));
                break;
            }
        }
    }
    // Of a file given up, how far its bytes were looked at is chance.
    if reader.get_ref().met_illegal_bytes() && !junit.given_up {
        junit.report.unreadable(
            "The JUnit file has bytes that XML does not allow; they are shown as \u{FFFD}.",
        );
    }
    Ok(junit.finish())
}

#[derive(Debug, Default)]
struct JUnit {
    report: Report,
    stack: Vec<Element>,
    given_up: bool,
    met_root: bool,
}

impl JUnit {
    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Start(start) => {
                if self.stack.len() >= MAX_DEPTH {
                    self.give_up(&format!(
                        "The JUnit file has more than {MAX_DEPTH} elements within each other."
                    ));
                    return ControlFlow::Break(());
                }
                let element = self.open(&start);
                self.stack.push(element);
            }
            Event::End(_) => {
                if let Some(element) = self.stack.pop() {
                    self.close(element);
                }
            }
            Event::Text(text) => self.text(&text),
            Event::CData(text) => self.text(&text),
            Event::GeneralRef(name) => match xml::resolve(&name) {
                Some(character) => self.text(character.encode_utf8(&mut [0; 4])),
                None => self.text(&format!("&{};", &*name)),
            },
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Element {
        let local_name = start.local_name();
        let result = |kind| {
            let mut message = None;
            let mut kind = kind;
            for (name, value) in xml::attributes(start) {
                match name {
                    "message" => message = Some(xml::unescape(&value)),
                    "type" if value == "todo" && local_name.as_ref() == "skipped" => {
                        kind = ResultKind::Todo;
                    }
                    // Better than nothing, and all there is for some.
                    "type" if message.is_none() => message = Some(xml::unescape(&value)),
                    _ => {}
                }
            }
            Element::Result(ResultElement {
                kind,
                message,
                text: String::new(),
            })
        };
        match local_name.into_inner() {
            "testsuite" | "testsuites" => {
                self.met_root = true;
                Element::Suite(self.open_suite(start))
            }
            "testcase" => {
                self.met_root = true;
                Element::Case(open_case(start))
            }
            "failure" => result(ResultKind::Final(Outcome::Failed)),
            "error" => result(ResultKind::Final(Outcome::Error)),
            "skipped" => result(ResultKind::Final(Outcome::Skipped)),
            "flakyFailure" | "flakyError" => result(ResultKind::Flaky),
            "rerunFailure" | "rerunError" => result(ResultKind::Rerun),
            "property" => {
                self.property(start);
                Element::Other("property".to_owned())
            }
            other => Element::Other(other.to_owned()),
        }
    }

    fn open_suite(&mut self, start: &BytesStart<'_>) -> Frame {
        let mut frame = Frame::default();
        let mut seconds = 0.0;
        for (name, value) in xml::attributes(start) {
            match name {
                "name" => frame.name = xml::unescape(&value),
                "tests" => frame.claimed_tests = number(&value),
                "failures" => frame.claimed.failed = number(&value),
                "errors" => frame.claimed.errors = number(&value),
                "skipped" | "skip" | "disabled" | "ignored" => {
                    frame.claimed.skipped = frame.claimed.skipped.saturating_add(number(&value));
                }
                "time" => seconds = text::seconds(&value).unwrap_or_default(),
                _ => {}
            }
        }
        if frame.name.is_empty() {
            frame.name = self.suite_name().to_owned();
        }
        // A root's time is that of its suites once more.
        if start.local_name().into_inner() == "testsuite" && frame.claimed_tests > 0 {
            self.report.suite_took(&frame.name, seconds);
        }
        frame
    }

    fn property(&mut self, start: &BytesStart<'_>) {
        let mut property = (String::new(), String::new());
        for (name, value) in xml::attributes(start) {
            match name {
                "name" => property.0 = xml::unescape(&value),
                "value" => property.1 = xml::unescape(&value),
                _ => {}
            }
        }
        let (name, value) = property;
        match name.as_str() {
            NOTICE => self.report.notice(value),
            UNREADABLE => self.report.unreadable(value),
            _ => {
                let outcome = name.strip_prefix(UNNAMED).and_then(Outcome::from_name);
                let Some(outcome) = outcome else { return };
                let mut counts = Counts::default();
                *counts.of(outcome) = number(&value);
                let suite = self.suite_name().to_owned();
                self.report.push_unnamed(&suite, counts);
                if let Some(frame) = self.frame() {
                    frame.seen = frame.seen.plus(counts);
                }
            }
        }
    }

    /// The innermost open suite.
    fn frame(&mut self) -> Option<&mut Frame> {
        self.stack
            .iter_mut()
            .rev()
            .find_map(|element| match element {
                Element::Suite(frame) => Some(frame),
                _ => None,
            })
    }

    fn close(&mut self, element: Element) {
        match element {
            Element::Suite(frame) => self.close_suite(frame),
            Element::Case(case) => self.close_case(case),
            Element::Result(result) => self.close_result(result),
            Element::Other(_) => {}
        }
    }

    fn close_suite(&mut self, mut frame: Frame) {
        let Frame {
            claimed,
            claimed_tests,
            seen,
            ..
        } = frame;
        if seen.tests() == 0 && (claimed_tests > 0 || claimed.red() > 0) {
            let left = claimed_tests.saturating_sub(claimed.red().saturating_add(claimed.skipped));
            frame.seen = Counts {
                passed: left,
                ..claimed
            };
            self.report.push_unnamed(&frame.name, frame.seen);
            self.report.unreadable(format!(
                "Suite {:?} counts {} tests and lists none of them.",
                frame.name,
                frame.seen.tests()
            ));
        } else if claimed.red() > 0 && seen.red() == 0 {
            let missing = Counts {
                failed: claimed.failed,
                errors: claimed.errors,
                ..Counts::default()
            };
            frame.seen = seen.plus(missing);
            self.report.push_unnamed(&frame.name, missing);
            self.report.notice(format!(
                "Suite {:?} counts {} red tests, but shows none of them as red.",
                frame.name,
                claimed.red()
            ));
        } else if claimed_tests > seen.tests() {
            self.report.notice(format!(
                "Suite {:?} counts {claimed_tests} tests, but lists {}.",
                frame.name,
                seen.tests()
            ));
        }
        if let Some(Element::Suite(parent)) = self.stack.last_mut() {
            parent.seen = parent.seen.plus(frame.seen);
        }
    }

    fn close_case(&mut self, case: Case) {
        let Case {
            mut test,
            status,
            has_result,
            todo,
        } = case;
        if let Some(status) = status
            && (!has_result || (status.is_red() && !test.outcome.is_red()))
        {
            test.outcome = status;
        }
        if todo && test.outcome.is_red() {
            test.outcome = Outcome::Skipped;
        }
        test.flaky &= test.outcome == Outcome::Passed;
        self.push(test);
    }

    fn close_result(&mut self, result: ResultElement) {
        let details = Some(result.text.trim()).filter(|text| !text.is_empty());
        let message = result
            .message
            .filter(|message| !message.is_empty())
            .or_else(|| {
                details
                    .and_then(|text| text.lines().next())
                    .map(str::to_owned)
            });
        let details = details.map(str::to_owned);
        match (self.stack.last_mut(), result.kind) {
            (Some(Element::Case(case)), ResultKind::Final(outcome)) => {
                // The first red result is what the tool tells first; red is never overwritten.
                if !case.has_result || (outcome.is_red() && !case.test.outcome.is_red()) {
                    case.test.outcome = outcome;
                    case.test.message = message;
                    case.test.details = details;
                }
                case.has_result = true;
            }
            (Some(Element::Case(case)), ResultKind::Todo) => {
                case.test.outcome = Outcome::Skipped;
                case.test.message = message;
                case.has_result = true;
                case.todo = true;
            }
            (Some(Element::Case(case)), ResultKind::Flaky) => {
                case.test.flaky = true;
                if !case.has_result {
                    case.test.message = message;
                    case.test.details = details;
                }
            }
            // A failure of the suite itself: some tools report broken set-up so.
            (Some(Element::Suite(_)), ResultKind::Final(outcome)) if outcome.is_red() => {
                let name = self.suite_name().to_owned();
                self.push(Test {
                    message,
                    details,
                    ..Test::new(name, outcome)
                });
            }
            _ => {}
        }
    }

    fn push(&mut self, test: Test) {
        let outcome = test.outcome;
        let suite = self.suite_name().to_owned();
        self.report.push(&suite, test);
        if let Some(frame) = self.frame() {
            frame.seen.add(outcome);
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(Element::Result(result)) = self.stack.last_mut() {
            let room = MAX_MESSAGE_BYTES
                .saturating_add(1)
                .saturating_sub(result.text.len());
            result.text.push_str(text::prefix(text, room));
        }
    }

    fn suite_name(&self) -> &str {
        let innermost = self.stack.iter().rev().find_map(|element| match element {
            Element::Suite(frame) if !frame.name.is_empty() => Some(frame.name.as_str()),
            _ => None,
        });
        innermost.unwrap_or("(unnamed)")
    }

    fn give_up(&mut self, why: &str) {
        self.given_up = true;
        self.report.unreadable(why);
    }

    fn finish(mut self) -> Report {
        if !self.met_root {
            self.give_up("The JUnit file ends before its first suite.");
        } else if let Some(last) = self.stack.last() {
            let place = match last {
                Element::Suite(frame) => format!("suite {:?}", frame.name),
                Element::Case(case) => format!("test {:?}", case.test.name),
                Element::Result(_) => "the result of a test".to_owned(),
                Element::Other(name) => format!("<{name}>"),
            };
            if !self.given_up {
                self.give_up(&format!("The JUnit file is cut off within {place}."));
            }
        }
        // What is open is closed from the inside out; a test only where it is known to be red.
        while let Some(element) = self.stack.pop() {
            match element {
                Element::Case(case) if !case.test.outcome.is_red() => {}
                Element::Suite(frame) => {
                    let red = frame.claimed.red() > 0 && frame.seen.red() == 0;
                    if red {
                        self.close_suite(Frame {
                            claimed_tests: 0,
                            ..frame
                        });
                    } else if let Some(Element::Suite(parent)) = self.stack.last_mut() {
                        parent.seen = parent.seen.plus(frame.seen);
                    }
                }
                other => self.close(other),
            }
        }
        self.report
    }
}
