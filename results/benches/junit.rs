//! How fast `JUnit` is read: many small cases, as a big suite has them, and one huge log.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use proctor_results::read;

fn many_cases() -> String {
    let mut xml = String::from("<?xml version=\"1.0\"?><testsuites><testsuite name=\"shop\">\n");
    for index in 0..50_000 {
        let _ = write!(
            xml,
            "<testcase classname=\"org.example.shop.CartTest\" name=\"adds {index}\" time=\"0.012\">"
        );
        if index % 50 == 0 {
            xml.push_str(
                "<failure message=\"expected: &lt;4&gt; but was: &lt;3&gt;\"><![CDATA[at org.example.\
                 shop.CartTest.adds(CartTest.java:20)]]></failure>",
            );
        }
        xml.push_str("</testcase>\n");
    }
    xml.push_str("</testsuite></testsuites>");
    xml
}

fn huge_log() -> String {
    let line =
        "2026-01-01 12:00:00 INFO  [main] org.example.shop.Cart - added one of three things\n";
    format!(
        "<testsuite name=\"shop\"><testcase name=\"a\"><system-out><![CDATA[{}]]></system-out></testcase></testsuite>",
        line.repeat(200_000)
    )
}

fn junit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("junit");
    for (name, xml) in [("many cases", many_cases()), ("huge log", huge_log())] {
        group.throughput(Throughput::Bytes(xml.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(read(xml.as_bytes())));
        });
    }
    group.finish();
}

criterion_group!(benches, junit);
criterion_main!(benches);
