//! Any bytes behind the start of a `JUnit` file: no panic, and the parts add up.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use proctor_results::read;

fuzz_target!(|bytes: &[u8]| {
    let whole = read((&b"<testsuites>"[..]).chain(bytes)).expect("a slice can be read, and this is JUnit");
    let counts = whole.report.counts();
    assert_eq!(counts.tests(), counts.passed + counts.failed + counts.errors + counts.skipped);
    assert!(whole.report.tests().count() as u64 <= counts.tests());
});
