//! The JSON of `proctor results`: names and shapes are a contract.

use proctor_results::{Coverage, Outcome, Report, Summary, Test, Unit, Verdict};
use serde_json::json;

#[test]
fn the_summary_is_exactly_the_contract() {
    let mut report = Report::new();
    report.push(
        "api",
        Test {
            duration_seconds: 0.5,
            ..Test::new("login", Outcome::Passed)
        },
    );
    report.push(
        "api",
        Test {
            message: Some("3 is not 4".to_owned()),
            details: Some("a trace".to_owned()),
            class: Some("api.Total".to_owned()),
            ..Test::new("total", Outcome::Failed)
        },
    );
    report.push(
        "web",
        Test {
            flaky: true,
            ..Test::new("loads", Outcome::Passed)
        },
    );
    report.cover(Coverage::exact(3, 4, Unit::Lines).unwrap());
    report.notice("Something to know.");
    assert_eq!(
        serde_json::to_value(Summary::new(Verdict::Failed, &report)).unwrap(),
        json!({
            "verdict": "Failed",
            "tests": 3,
            "passed": 2,
            "failed": 1,
            "errors": 0,
            "skipped": 0,
            "duration_seconds": 0.5,
            "suites": [
                {"name": "api", "tests": [
                    {"name": "login", "outcome": "passed", "duration_seconds": 0.5, "message": null, "flaky": false},
                    {"name": "total", "outcome": "failed", "duration_seconds": 0.0, "message": "3 is not 4", "flaky": false},
                ]},
                {"name": "web", "tests": [
                    {"name": "loads", "outcome": "passed", "duration_seconds": 0.0, "message": null, "flaky": true},
                ]},
            ],
            "coverage": {"percent": 75.0, "covered": 3, "total": 4, "unit": "lines"},
            "warnings": ["Something to know."],
        })
    );
}

#[test]
fn an_empty_report_has_every_key() {
    assert_eq!(
        serde_json::to_value(Summary::new(Verdict::NoTests, &Report::new())).unwrap(),
        json!({
            "verdict": "NoTests", "tests": 0, "passed": 0, "failed": 0, "errors": 0, "skipped": 0,
            "duration_seconds": 0.0, "suites": [], "coverage": null, "warnings": [],
        })
    );
}
