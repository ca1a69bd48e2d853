//! What holds for any bytes at all.

use std::fmt::Write as _;

use proctor_results::{Console, Output, Stream, read};
use proptest::prelude::*;

/// Bytes that come near to what the parsers know.
fn near_console() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[ -~]{0,12}",
        Just("\n".to_owned()),
        Just("    ".to_owned()),
        prop::sample::select(vec![
            "=== RUN   TestA\n",
            "--- PASS: TestA (0.00s)\n",
            "--- FAIL: TestA/b (x)\n",
            "PASS\n",
            "FAIL\tpkg\t0.1s\n",
            "ok  \tpkg\t0.1s\tcoverage: 54.1% of statements\n",
            "panic: no\n",
            "?   \tpkg\t[no test files]\n",
            "== test session starts ==\n",
            "a.py::t PASSED",
            " [ 50%]\n",
            "a.py::t[x ",
            "a.py::t ",
            "PASSED\n",
            "== FAILURES ==\n",
            "== short test summary info ==\n",
            "FAILED a.py::t - no\n",
            "[gw0] [ 50%] PASSED a.py::t\n",
            "== 1 failed, 2 passed in 0.1s ==\n",
            "== tests coverage ==\n",
            "TOTAL 3 4 5%\n",
            "TOTAL 1 9\n",
            "running 2 tests\n",
            "test a ... ok\n",
            "test a ... ",
            "test result: ok. 1 passed; 0 failed\n",
            "Running a (b)\n",
            "error: test failed, to rerun pass `--lib`\n",
            "---- a stdout ----\n",
            "TAP version 13\n",
            "1..2\n",
            "ok 1 - a\n",
            "not ok",
            " # TODO x\n",
            "# Subtest: a\n",
            "Bail out! x\n",
            "\x1b[31m",
            "\x1b]",
            "\x1b",
            "\r",
            "ä",
            "\u{FFFD}",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

fn near_xml() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[ -~]{0,12}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "<?xml version=\"1.0\"?>",
            "<testsuites>",
            "</testsuites>",
            "<testsuite name=\"a\" tests=\"3\" failures='1'>",
            "</testsuite>",
            "<testcase name=\"a\" time=\"1,0\">",
            "<testcase/>",
            "</testcase>",
            "<failure message=\"&lt;",
            "\">",
            "</failure>",
            "<skipped/>",
            "<error>",
            "</error>",
            "<![CDATA[",
            "]]>",
            "<!--",
            "-->",
            "<?",
            "?>",
            "<!DOCTYPE a [",
            "<!ENTITY a \"b\">",
            "]>",
            "&amp;",
            "&a;",
            "&#0;",
            "&#x1F600;",
            "<",
            ">",
            "\"",
            "'",
            "&",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn in_chunks(bytes: &[u8], mut sizes: impl Iterator<Item = usize>) -> Output {
    let mut console = Console::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(sizes.next().unwrap_or(rest.len()).min(rest.len()));
        console.push(chunk);
        rest = behind;
    }
    console.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let _ = read(bytes.as_slice());
        let mut console = Console::new();
        console.push_from(Stream::Err, &bytes);
        console.finish();
    }

    #[test]
    fn nearly_right_console_output_does_not_either_and_the_parts_add_up(bytes in near_console()) {
        let output = in_chunks(&bytes, std::iter::empty());
        let counts = output.report.counts();
        prop_assert_eq!(counts.tests(), counts.passed + counts.failed + counts.errors + counts.skipped);
        prop_assert!(output.report.tests().count() as u64 <= counts.tests());
        prop_assert!(!output.frameworks.is_empty() || counts.tests() == 0);
    }

    #[test]
    fn nearly_right_xml_does_not_either_and_the_parts_add_up(bytes in near_xml()) {
        if let Ok(parsed) = read(bytes.as_slice()) {
            let counts = parsed.report.counts();
            prop_assert_eq!(counts.tests(), counts.passed + counts.failed + counts.errors + counts.skipped);
            prop_assert!(parsed.report.tests().count() as u64 <= counts.tests());
        }
    }

    #[test]
    fn the_size_of_chunks_changes_nothing(bytes in near_console(), sizes in prop::collection::vec(1..24_usize, 1..16)) {
        let whole = in_chunks(&bytes, std::iter::empty());
        prop_assert_eq!(in_chunks(&bytes, sizes.into_iter().cycle()), whole);
    }
}

#[test]
fn a_gigantic_test_costs_only_its_bounds() {
    use std::io::Read;
    let open = &b"<testsuite name='a'><testcase name='t'><failure message='"[..];
    let middle = &b"'><![CDATA["[..];
    let close = &b"]]></failure></testcase></testsuite>"[..];
    let filler = || std::io::repeat(b'x').take(32 * 1024 * 1024);
    let input = open
        .chain(filler())
        .chain(middle)
        .chain(filler())
        .chain(close);
    let report = read(input).unwrap().report;
    let (_, test) = report.tests().next().unwrap();
    assert_eq!(report.counts().failed, 1);
    assert_eq!(
        test.message.as_ref().unwrap().len(),
        proctor_results::report::MAX_MESSAGE_BYTES
    );
}

#[test]
fn beyond_the_bound_tests_are_counted_and_failures_still_named() {
    let mut xml = String::from("<testsuite name='a'>");
    for index in 0..20_000 {
        write!(xml, "<testcase name='{index}'/>").unwrap();
    }
    xml.push_str("<testcase name='last'><failure/></testcase></testsuite>");
    let report = read(xml.as_bytes()).unwrap().report;
    assert_eq!(
        (report.counts().passed, report.counts().failed),
        (20_000, 1)
    );
    assert_eq!(
        report.tests().count(),
        proctor_results::report::MAX_TESTS + 1
    );
    assert_eq!(report.red_tests().next().unwrap().1.name, "last");
    assert!(report.warnings()[0].message.contains("only counted"));
    assert!(!report.is_unreadable());
}
