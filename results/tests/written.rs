//! What is written says the same as what was read, and does no harm.
#![cfg(all(feature = "html", feature = "junit"))]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail as loudly as tests"
)]

use proctor_results::write::html::{self, Artifact, Log, Page};
use proctor_results::write::junit;
use proctor_results::{
    Counts, Facts, Format, Outcome, Report, Summary, Test, Verdict, judge, read,
};
use proptest::prelude::*;

/// Any character XML can write.
const TEXT: &str = "[^\\x00-\\x1F\\x7F\u{FFFE}\u{FFFF}]{1,12}";

fn test() -> impl Strategy<Value = Test> {
    let outcome = prop_oneof![
        Just(Outcome::Passed),
        Just(Outcome::Failed),
        Just(Outcome::Error),
        Just(Outcome::Skipped)
    ];
    let said = (
        prop::option::of(TEXT),
        prop::option::of(prop::collection::vec("[!-~][ -~\t]{0,8}[!-~]", 1..4)),
    );
    (
        TEXT,
        prop::option::of(TEXT),
        outcome,
        0.0..9_999.0_f64,
        said,
        any::<bool>(),
    )
        .prop_map(
            |(name, class, outcome, duration_seconds, (message, details), flaky)| {
                let passed = outcome == Outcome::Passed;
                let flaky = passed && flaky;
                // A plain pass has nothing to say; details bring a message with them.
                let silent = passed && !flaky;
                let details = details.map(|lines| lines.join("\n")).filter(|_| !silent);
                let message = message
                    .or_else(|| details.as_ref().map(|_| "said".to_owned()))
                    .filter(|_| !silent);
                Test {
                    name,
                    class,
                    outcome,
                    duration_seconds,
                    message,
                    details,
                    flaky,
                }
            },
        )
}

prop_compose! {
    fn report()(
        suites in prop::collection::vec((TEXT, prop::collection::vec(test(), 1..5), 0..3_u64, 0..2_u64), 0..4),
        notice in prop::option::of(TEXT),
        unreadable in prop::option::of(TEXT),
    ) -> Report {
        let mut report = Report::new();
        for (name, tests, passed, failed) in suites {
            for test in tests {
                report.push(&name, test);
            }
            report.push_unnamed(&name, Counts { passed, failed, ..Counts::default() });
        }
        if let Some(text) = notice {
            report.notice(text);
        }
        if let Some(text) = unreadable {
            report.unreadable(text);
        }
        report
    }
}

fn page(report: &Report) -> String {
    let judgement = judge(&Facts::offline(report));
    let artifacts = [
        Artifact {
            name: "junit.xml",
            href: "artifacts/junit.xml",
            bytes: 12,
        },
        Artifact {
            name: "javascript:alert(1)",
            href: "javascript:alert(1)",
            bytes: 1,
        },
    ];
    let page = Page {
        title: "shop-7",
        judgement: &judgement,
        report,
        about: &[("Job", "shop".to_owned())],
        log: Some(Log {
            text: "</pre><script>alert(1)</script>",
            left_out: 17,
        }),
        artifacts: &artifacts,
    };
    let mut out = Vec::new();
    html::write(&page, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

proptest! {
    #[test]
    fn junit_written_and_read_again_is_the_same_report(report in report()) {
        let mut xml = Vec::new();
        junit::write(&report, &mut xml).unwrap();
        let again = read(xml.as_slice()).unwrap();
        prop_assert_eq!(&again.format, &Format::JUnit);
        let again = again.report;
        let json = |report: &Report| serde_json::to_value(Summary::new(Verdict::Passed, report)).unwrap();
        prop_assert_eq!(json(&again), json(&report), "{}", String::from_utf8_lossy(&xml));
        let all = |report: &Report| report.tests().map(|(_, test)| test.clone()).collect::<Vec<_>>();
        prop_assert_eq!(all(&again), all(&report));
        prop_assert_eq!(again.counts(), report.counts());
        prop_assert_eq!(again.is_unreadable(), report.is_unreadable());
    }

    #[test]
    fn whatever_tests_say_becomes_text_on_the_page(evil in "[<>&\"' a-z/=]{0,40}") {
        let mut report = Report::new();
        let said = Some(format!("<script>{evil}</script>"));
        let test = Test { message: said.clone(), details: said, ..Test::new(format!("<u>{evil}"), Outcome::Failed) };
        report.push(&format!("<q>{evil}"), test);
        report.unreadable(format!("<script>{evil}"));
        let page = page(&report);
        for tag in ["<script", "<u>", "<q>"] {
            prop_assert!(!page.contains(tag), "{tag}");
        }
    }
}

#[test]
fn what_xml_cannot_write_is_replaced_and_what_it_can_is_kept() {
    let mut report = Report::new();
    let test = Test {
        message: Some("two\nlines\tand\r\u{1b}[31m".to_owned()),
        details: Some("]]> & <![CDATA[ \u{0}".to_owned()),
        ..Test::new("a \"b\" <c>", Outcome::Failed)
    };
    report.push("suite", test);
    let mut xml = Vec::new();
    junit::write(&report, &mut xml).unwrap();
    let again = read(xml.as_slice()).unwrap().report;
    let (_, test) = again.tests().next().unwrap();
    assert_eq!(test.name, "a \"b\" <c>");
    assert_eq!(
        test.message.as_deref(),
        Some("two\nlines\tand\r\u{FFFD}[31m")
    );
    assert_eq!(test.details.as_deref(), Some("]]> & <![CDATA[ \u{FFFD}"));
    assert!(!again.is_unreadable());
}

#[test]
fn the_page_tells_the_verdict_the_failures_and_where_things_are() {
    let mut report = Report::new();
    let test = Test {
        message: Some("3 is not 4".to_owned()),
        ..Test::new("total", Outcome::Failed)
    };
    report.push("shop", test);
    report.push_unnamed(
        "shop",
        Counts {
            passed: 4,
            failed: 2,
            ..Counts::default()
        },
    );
    let page = page(&report);
    for part in [
        "<title>Failed: shop-7</title>",
        "<strong>Failed</strong>",
        "3 of 7 tests that ran failed.",
        "<pre>3 is not 4</pre>",
        "2 more failed; the report does not name them.",
        "<dt>Job</dt><dd>shop</dd>",
        "17 bytes before it are left out.",
        "<a href=\"artifacts/junit.xml\">",
    ] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_links_to_nothing_that_acts() {
    let page = page(&Report::new());
    for part in [
        "<script",
        "src=",
        "@import",
        "url(",
        "<link",
        "href=\"javascript",
    ] {
        assert!(!page.contains(part), "{part:?} is in {page}");
    }
    assert!(
        page.contains("javascript:alert(1)"),
        "the name is still shown"
    );
}
