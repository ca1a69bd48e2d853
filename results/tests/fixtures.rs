//! What people's own report files and console outputs come out as.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as loudly as tests"
)]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use proctor_results::{
    Counts, Facts, Format, Framework, Outcome, Parsed, ReadError, Report, Verdict, judge, read,
};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn parsed(name: &str) -> Parsed {
    let file = fs::File::open(fixtures().join(name)).expect(name);
    read(file).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn report(name: &str) -> Report {
    parsed(name).report
}

struct Expected {
    name: String,
    verdict: String,
    counts: Counts,
}

fn expected() -> Vec<Expected> {
    let table = fs::read_to_string(fixtures().join("expected.txt")).unwrap();
    let rows = table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|row| {
        let words: Vec<&str> = row.split_whitespace().collect();
        let count = |index: usize| words[index].parse().expect(row);
        Expected {
            name: words[0].to_owned(),
            verdict: words[1].to_owned(),
            counts: Counts {
                passed: count(2),
                failed: count(3),
                errors: count(4),
                skipped: count(5),
            },
        }
    })
    .collect()
}

/// A reader that hands out one byte at a time.
struct Drops<R>(R);

impl<R: Read> Read for Drops<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let end = buf.len().min(1);
        self.0.read(&mut buf[..end])
    }
}

#[test]
fn every_fixture_is_told_as_expected() {
    let mut wrong = Vec::new();
    for Expected {
        name,
        verdict,
        counts,
    } in expected()
    {
        let report = report(&name);
        let judgement = judge(&Facts::offline(&report));
        if judgement.verdict.as_str() != verdict || report.counts() != counts {
            wrong.push(format!(
                "{name}: {} {:?}, not {verdict} {counts:?}; {:?}",
                judgement.verdict,
                report.counts(),
                report.warnings()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_among_the_fixtures_is_expected_somehow() {
    let known: Vec<String> = expected().into_iter().map(|row| row.name).collect();
    for folder in ["junit", "pytest", "go", "cargo", "tap"] {
        for entry in fs::read_dir(fixtures().join(folder)).unwrap() {
            let name = format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy());
            assert!(known.contains(&name), "{name} has no line in expected.txt");
        }
    }
}

#[test]
fn how_the_bytes_arrive_changes_nothing() {
    for Expected { name, .. } in expected() {
        let bytes = fs::read(fixtures().join(&name)).unwrap();
        let whole = read(bytes.as_slice()).unwrap();
        assert_eq!(read(Drops(bytes.as_slice())).unwrap(), whole, "{name}");
    }
}

#[test]
fn cut_anywhere_no_green_file_with_an_end_passes() {
    for name in [
        "junit/pytest-green.xml",
        "junit/mocha-empty-root.xml",
        "pytest/green-uncaptured.txt",
    ] {
        let bytes = fs::read(fixtures().join(name)).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        for end in 1..text.trim_end().len() {
            let Ok(parsed) = read(&text.as_bytes()[..end]) else {
                continue;
            };
            let verdict = judge(&Facts::offline(&parsed.report)).verdict;
            // `== 2 passed in 0.01s` says all there is to say, with or without the last `=`.
            if !text[..end].contains(" passed in 0.01s") {
                assert_ne!(verdict, Verdict::Passed, "{name} cut at {end}");
            }
        }
    }
}

#[test]
fn text_without_a_known_framework_is_an_answer_of_its_own() {
    let file = fs::File::open(fixtures().join("unrecognised.txt")).unwrap();
    assert!(matches!(read(file), Err(ReadError::Unrecognised)));
    assert!(matches!(read(&b""[..]), Err(ReadError::Unrecognised)));
    assert!(matches!(
        read(&b"<html><body/></html>"[..]),
        Err(ReadError::Unrecognised)
    ));
}

#[test]
fn each_console_output_names_its_framework() {
    for (name, framework) in [
        ("pytest/colour.txt", Framework::Pytest),
        ("pytest/spoofed.txt", Framework::Pytest),
        ("go/verbose.txt", Framework::Go),
        ("go/no-tests.txt", Framework::Go),
        ("cargo/all.txt", Framework::Cargo),
        ("tap/perl.txt", Framework::Tap),
    ] {
        assert_eq!(
            parsed(name).format,
            Format::Console(vec![framework]),
            "{name}"
        );
    }
}

fn red(report: &Report) -> Vec<(String, String)> {
    let tests = report.red_tests();
    tests
        .map(|(_, test)| (test.name.clone(), test.message.clone().unwrap_or_default()))
        .collect()
}

#[test]
fn failures_are_named_with_what_they_say() {
    for (name, test, message) in [
        (
            "junit/pytest.xml",
            "test_total",
            "AssertionError: the total is wrong",
        ),
        ("junit/surefire.xml", "total", "expected: <4> but was: <3>"),
        (
            "junit/jest-nested.xml",
            "inner total",
            "Error: expect(received).toBe(expected)",
        ),
        (
            "junit/illegal-bytes-red.xml",
            "t\u{FFFD}glich",
            "\u{FFFD}[31mno",
        ),
        ("junit/concatenated.xml", "two", "Broken"),
        (
            "pytest/plain.txt",
            "test_shop.py::test_total",
            "AssertionError: the total is wrong",
        ),
        (
            "pytest/uncaptured.txt",
            "test_shop.py::test_needs_service",
            "RuntimeError: no service",
        ),
        ("pytest/collection-error.txt", "tests/test_shop.py", ""),
        ("go/verbose.txt", "TestTable/one", "talking"),
        (
            "go/plain.txt",
            "TestTable/one",
            "calc_test.go:20: got 1, want 2",
        ),
        (
            "go/plain.txt",
            "TestPanics",
            "panic: assignment to entry in nil map",
        ),
        (
            "go/verbose.txt",
            "TestExits",
            "The test began and never ended.",
        ),
        (
            "go/verbose.txt",
            "example.org/shop/broken",
            "[build failed]",
        ),
        ("cargo/all.txt", "tests::total", "computing"),
        ("tap/node.txt", "group > red inner", "no"),
        ("tap/perl.txt", "total", "Failed test 'total'"),
        ("tap/bail-out.txt", "Bail out!", "no service"),
    ] {
        let red = red(&report(name));
        let found = red.iter().any(|(n, m)| n == test && m.starts_with(message));
        assert!(
            found,
            "{name}: {test:?} with {message:?} is not among {red:?}"
        );
    }
}

#[test]
fn suites_are_files_packages_and_binaries() {
    for (name, suite) in [
        ("junit/jest-nested.xml", "inner"),
        ("pytest/verbose.txt", "test_shop.py"),
        ("go/verbose.txt", "example.org/shop/calc"),
        ("go/binary.txt", "go test"),
        ("cargo/all.txt", "shop"),
        ("cargo/all.txt", "Doc-tests shop"),
        ("cargo/nocapture.txt", "cargo test"),
    ] {
        let report = report(name);
        let names: Vec<&str> = report
            .suites()
            .iter()
            .map(proctor_results::Suite::name)
            .collect();
        assert!(
            names.contains(&suite),
            "{name}: {suite:?} is not among {names:?}"
        );
    }
}

#[test]
fn a_test_that_passed_when_tried_again_is_flaky() {
    for (name, flaky) in [
        ("junit/surefire.xml", "flaky"),
        ("pytest/rerun.txt", "test_flaky.py::test_flaky"),
    ] {
        let report = report(name);
        let names: Vec<&str> = report
            .tests()
            .filter(|(_, test)| test.flaky)
            .map(|(_, test)| test.name.as_str())
            .collect();
        assert_eq!(names, [flaky], "{name}");
    }
}

#[test]
fn durations_are_summed_whatever_the_locale() {
    assert!((report("junit/surefire.xml").duration_seconds() - 2120.532).abs() < 1e-9);
    assert!((report("junit/namespaced.xml").duration_seconds() - 0.5).abs() < 1e-9);
    assert!((report("pytest/verbose.txt").duration_seconds() - 0.04).abs() < 1e-9);
}

#[test]
fn coverage_is_read_from_the_console() {
    let covered = |name| report(name).coverage().unwrap();
    assert!((covered("go/coverage.txt").percent - 54.1).abs() < 1e-9);
    assert!((covered("go/binary-green.txt").percent - 50.0).abs() < 1e-9);
    let exact = covered("pytest/coverage.txt");
    assert_eq!((exact.covered, exact.total), (Some(21), Some(27)));
}

#[test]
fn what_is_skipped_says_why() {
    let report = report("junit/ctest.xml");
    let skipped = report
        .tests()
        .filter(|(_, test)| test.outcome == Outcome::Skipped);
    let why: Vec<_> = skipped.map(|(_, test)| test.message.as_deref()).collect();
    assert_eq!(why, [None, Some("SKIP_RETURN_CODE=77")]);
}
