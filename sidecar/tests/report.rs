//! The way from the volume to the collector, whatever happens to the reporter, the connection and
//! the collector.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as loudly as tests"
)]

mod common;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::peer::{Fault, Peer};
use common::{Running, Volume, names, sidecar, text, until};
use nix::sys::signal::Signal;
use rustls::crypto::ring::default_provider;

fn reporter(volume: &Volume, peer: &Peer) -> Command {
    let _ = default_provider().install_default();
    let token = volume.join("token");
    std::fs::write(&token, "the-projected-token\n").unwrap();
    let mut command = sidecar();
    command
        .arg("report")
        .arg("--root")
        .arg(volume.path())
        .arg("--token-file")
        .arg(token);
    command
        .env("PROCTOR_COLLECTOR_URL", &peer.url)
        .env("PROCTOR_COLLECTOR_CA", &peer.ca);
    command
}

/// Ends the reporter as the kubelet does.
fn end(mut reporter: Running) -> String {
    reporter.takes_signals();
    reporter.signal(Signal::SIGTERM);
    let output = reporter.output();
    assert!(output.status.success(), "{output:?}");
    text(&output.stderr)
}

#[test]
fn everything_arrives_while_the_tests_run_and_the_end_comes_last() {
    let (volume, peer) = (Volume::new(), Peer::new());
    let reporter = Running::piped(&mut reporter(&volume, &peer));
    let reports = volume.join("reports/main");
    let script = format!(
        "echo first; mkdir '{0}/sub dir'; echo '<testsuite/>' > '{0}/sub dir/ü.xml'; read line; echo $line",
        reports.display()
    );
    let mut exec = Running::piped(volume.exec(&script).stdin(Stdio::piped()));
    until("the log and the file arrive while the test runs", || {
        peer.stream("main/0/log").bytes == b"first\n" && peer.is_complete("main/0/files/0")
    });
    assert!(!peer.is_complete("main/0/log") && peer.stream("main/0/end").bytes.is_empty());
    exec.child()
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"second\n")
        .unwrap();
    exec.output();

    let said = end(reporter);
    assert_eq!(text(&peer.stream("main/0/log").bytes), "first\nsecond\n");
    assert_eq!(
        peer.stream("main/0/files/0").path.as_deref(),
        Some("sub%20dir/%C3%BC.xml")
    );
    let end: serde_json::Value = serde_json::from_slice(&peer.stream("main/0/end").bytes).unwrap();
    assert_eq!(
        (&end["exit_code"], &end["log_bytes"], &end["files"]),
        (&0.into(), &13.into(), &1.into())
    );
    let state = peer.state();
    assert_eq!(
        state.order.first().map(String::as_str),
        Some("main/0/start")
    );
    assert_eq!(state.order.last().map(String::as_str), Some("main/0/end"));
    assert_eq!(state.left_behind, Some(0), "{said}");
    assert_eq!(state.tokens, ["the-projected-token"]);
    assert!(!said.contains("the-projected-token") && !said.contains("session-1"));
    assert_eq!(
        names(&volume.join("spool/main/0/log")),
        [""; 0],
        "what is acknowledged is deleted"
    );
    assert_eq!(names(&volume.join("spool/main/0/files")), [""; 0]);
}

/// Six megabytes in lines that tell their number.
const WRITER: &str = "i=0; while [ $i -lt 300 ]; do seq $i $((i+3500)); i=$((i+1)); done; echo end";

fn written() -> Vec<u8> {
    Command::new("sh")
        .args(["-c", WRITER])
        .output()
        .unwrap()
        .stdout
}

#[test]
fn a_reporter_killed_again_and_again_loses_nothing_and_doubles_nothing() {
    let (volume, peer) = (Volume::new(), Peer::new());
    let exec = Running::piped(&mut volume.exec(WRITER));
    let mut patches = 0_u32;
    for round in 0..12_u64 {
        let mut reporter = Running::start(reporter(&volume, &peer).stderr(Stdio::null()));
        // Killed at another point each time: before the session, within pieces, between them.
        let point = Duration::from_millis(15 + 37 * (round * 7 % 12));
        let begun = Instant::now();
        until("its moment to be killed", || begun.elapsed() >= point);
        reporter.signal(Signal::SIGKILL);
        patches += u32::from(!peer.stream("main/0/log").bytes.is_empty());
    }
    exec.output();
    end(Running::piped(&mut reporter(&volume, &peer)));
    assert!(patches > 0);
    assert!(
        peer.stream("main/0/log").bytes == written(),
        "every byte exactly once, in order"
    );
    assert!(peer.is_complete("main/0/log") && peer.is_complete("main/0/end"));
}

#[test]
fn resets_refusals_and_lost_sessions_lose_nothing_and_double_nothing() {
    let (volume, peer) = (Volume::new(), Peer::new());
    let mut random = 42_u64;
    peer.faults(move |_| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        match (random >> 33) % 20 {
            0 => Some(Fault::ResetBefore),
            1 | 2 => Some(Fault::ResetAfter),
            3 | 4 => Some(Fault::ResetHalf),
            5 => Some(Fault::Answer(503)),
            6 => Some(Fault::Answer(401)),
            7 => Some(Fault::Answer(500)),
            _ => None,
        }
    });
    let reporter = Running::piped(&mut reporter(&volume, &peer));
    Running::piped(&mut volume.exec(WRITER)).output();
    until("everything arrives in spite of it", || {
        peer.is_complete("main/0/end") && peer.is_complete("main/0/log")
    });
    peer.no_faults();
    end(reporter);
    assert!(peer.stream("main/0/log").bytes == written());
    assert!(
        peer.state().tokens.len() > 1,
        "a session that is not known any more is replaced"
    );
}

#[test]
fn a_wrong_offset_is_corrected_by_the_collector() {
    let (volume, peer) = (Volume::new(), Peer::new());
    Running::piped(&mut volume.exec("echo hello")).output();
    // The reporter asks, and before it sends somebody else (an earlier reporter's last request) did.
    let mut asked = false;
    peer.faults(move |request| {
        let first = request.method == "PATCH" && request.path.ends_with("/log") && !asked;
        asked |= first;
        first.then_some(Fault::ResetHalf)
    });
    end(Running::piped(&mut reporter(&volume, &peer)));
    assert_eq!(text(&peer.stream("main/0/log").bytes), "hello\n");
}

#[test]
fn one_bad_stream_does_not_stop_the_others() {
    for fault in [Fault::Answer(413), Fault::Answer(503), Fault::ResetBefore] {
        let (volume, peer) = (Volume::new(), Peer::new());
        peer.faults(move |request| {
            (request.method == "PATCH" && request.path.ends_with("/log")).then_some(fault)
        });
        let reporter = Running::piped(&mut reporter(&volume, &peer));
        let reports = volume.join("reports/main");
        let script = format!(
            "echo log; echo '<testsuite/>' > {}/junit.xml",
            reports.display()
        );
        Running::piped(&mut volume.exec(&script)).output();
        until("the others arrive", || {
            ["start", "files/0", "end"]
                .iter()
                .all(|name| peer.is_complete(&format!("main/0/{name}")))
        });
        if fault == Fault::Answer(413) {
            let said = end(reporter);
            assert!(
                said.contains("main/0/log: The collector refuses it (status 413)"),
                "{said}"
            );
            assert_eq!(peer.state().left_behind, Some(4));
        }
    }
}

#[test]
fn what_does_not_arrive_within_the_grace_period_is_counted() {
    let (volume, peer) = (Volume::new(), Peer::new());
    Running::piped(&mut volume.exec("echo 123456789")).output();
    peer.faults(|request| (request.method == "PATCH").then_some(Fault::Answer(503)));
    let mut reporter = Running::piped(reporter(&volume, &peer).args(["--grace-seconds", "2"]));
    until("a session", || !peer.state().tokens.is_empty());
    reporter.signal(Signal::SIGTERM);
    let output = reporter.output();
    assert!(output.status.success());
    let sizes: u64 = ["start.json", "end.json"]
        .iter()
        .map(|name| {
            std::fs::metadata(volume.join(&format!("spool/main/0/{name}")))
                .unwrap()
                .len()
        })
        .sum();
    assert_eq!(
        peer.state().left_behind,
        Some(sizes + 10),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_container_that_was_killed_is_not_waited_for() {
    let (volume, peer) = (Volume::new(), Peer::new());
    let mut exec = Running::piped(&mut volume.exec("echo $$; exec sleep 1000"));
    let reporter = Running::piped(&mut reporter(&volume, &peer));
    until("the log arrives", || {
        peer.stream("main/0/log").bytes.ends_with(b"\n")
    });
    // In a container the kernel ends both at once.
    let test = text(&peer.stream("main/0/log").bytes)
        .trim()
        .parse()
        .unwrap();
    exec.signal(Signal::SIGKILL);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(test), Signal::SIGKILL).unwrap();
    exec.child().wait().unwrap();
    let said = end(reporter);
    assert!(said.contains("Everything is uploaded"), "{said}");
    assert!(!peer.is_complete("main/0/log") && !peer.is_complete("main/0/end"));
    assert_eq!(peer.state().left_behind, Some(0));
}

#[test]
fn without_a_collector_the_spool_is_kept_until_one_is_there() {
    let (volume, peer) = (Volume::new(), Peer::new());
    Running::piped(&mut volume.exec("echo kept")).output();
    let away = Running::piped(
        reporter(&volume, &peer)
            .env("PROCTOR_COLLECTOR_URL", "https://localhost:1")
            .args(["--grace-seconds", "1"]),
    );
    let said = end(away);
    assert!(
        said.contains("bytes are left behind, and the collector could not be told"),
        "{said}"
    );
    let none = Running::piped(reporter(&volume, &peer).env_remove("PROCTOR_COLLECTOR_URL"));
    let said = end(none);
    assert!(said.contains("No collector is configured"), "{said}");
    end(Running::piped(&mut reporter(&volume, &peer)));
    assert_eq!(text(&peer.stream("main/0/log").bytes), "kept\n");
}

#[test]
fn a_collector_of_another_authority_gets_no_token() {
    let (volume, peer, other) = (Volume::new(), Peer::new(), Peer::new());
    Running::piped(&mut volume.exec("echo secret")).output();
    let said = end(Running::piped(
        reporter(&volume, &peer)
            .env("PROCTOR_COLLECTOR_CA", &other.ca)
            .args(["--grace-seconds", "1"]),
    ));
    assert!(said.contains("The collector was not reached"), "{said}");
    assert_eq!(peer.state().tokens, [""; 0]);
}

#[test]
fn every_attempt_of_a_container_is_a_stream_of_its_own() {
    let (volume, peer) = (Volume::new(), Peer::new());
    let reporter = Running::piped(&mut reporter(&volume, &peer));
    for attempt in 0..3 {
        Running::piped(&mut volume.exec(&format!("echo attempt {attempt}"))).output();
    }
    end(reporter);
    for attempt in 0..3 {
        assert_eq!(
            text(&peer.stream(&format!("main/{attempt}/log")).bytes),
            format!("attempt {attempt}\n")
        );
        assert!(peer.is_complete(&format!("main/{attempt}/end")));
    }
}
