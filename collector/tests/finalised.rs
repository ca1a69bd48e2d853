//! What becomes of an upload: the layout, the report, the verdict.

#![allow(
    clippy::unwrap_used,
    reason = "what goes wrong in a helper fails the test"
)]

mod common;

use common::{Server, wait_until};
use serde_json::{Value, json};

const GREEN: &str = r#"<testsuite name="api"><testcase name="login" time="0.5"/><testcase name="logout" time="0.25"/></testsuite>"#;
const RED: &str = r#"<testsuite name="api"><testcase name="login"><failure message="expected 200, got 500"/></testcase></testsuite>"#;

fn end(exit_code: i32, log: &str, files: u64) -> Value {
    json!({
        "exit_code": exit_code, "signal": null, "wrapper_exit_code": exit_code,
        "started_at": "2026-01-02T03:04:05.678Z", "ended_at": "2026-01-02T03:04:09.001Z",
        "log_bytes": log.len(), "dropped_bytes": 0, "files": files, "peak_memory_bytes": null, "gate": null,
    })
}

/// Uploads one container's run as the reporter does.
struct Upload<'a> {
    container: &'a str,
    log: &'a str,
    files: &'a [(&'a str, &'a str)],
    exit_code: Option<i32>,
}

impl Upload<'_> {
    fn send(&self, server: &Server, session: &str) {
        let container = self.container;
        let start = json!({"container": container, "attempt": 0, "program": "pytest", "started_at": "2026-01-02T03:04:05.678Z", "version": "0.1.0"});
        let whole = |name: &str, content: &[u8], path: Option<&str>| {
            let stream = format!("{container}/0/{name}");
            assert_eq!(
                server
                    .patch_file(session, &stream, 0, true, content, path)
                    .status(),
                204,
                "{stream}"
            );
        };
        whole("start", start.to_string().as_bytes(), None);
        whole("log", self.log.as_bytes(), None);
        for (number, (path, content)) in self.files.iter().enumerate() {
            whole(&format!("files/{number}"), content.as_bytes(), Some(path));
        }
        if let Some(code) = self.exit_code {
            whole(
                "end",
                end(code, self.log, self.files.len() as u64)
                    .to_string()
                    .as_bytes(),
                None,
            );
        }
    }
}

fn verdict_of(uploads: &[Upload<'_>], left_behind_bytes: u64) -> (Server, Value) {
    let server = Server::start();
    let session = server.session("token-a");
    for upload in uploads {
        upload.send(&server, &session);
    }
    assert_eq!(server.done(&session, left_behind_bytes).status(), 204);
    let finished = server.finished();
    (server, finished)
}

fn text(server: &Server, name: &str) -> String {
    std::fs::read_to_string(server.folder().join(name)).unwrap()
}

#[test]
fn a_green_run_ends_in_prows_layout() {
    let upload = Upload {
        container: "test",
        log: "2 passed\n",
        files: &[("junit.xml", GREEN), ("shots/a b#1.txt", "x")],
        exit_code: Some(0),
    };
    let (server, finished) = verdict_of(&[upload], 0);
    assert_eq!(finished["result"], "SUCCESS");
    assert_eq!(finished["passed"], true);
    assert_eq!(finished["timestamp"], 1_767_323_049);
    assert_eq!(finished["metadata"]["verdict"], "Passed");
    let started: Value = serde_json::from_str(&text(&server, "started.json")).unwrap();
    assert_eq!(started["timestamp"], 1_767_323_045);
    assert_eq!(text(&server, "build-log.txt"), "2 passed\n");
    assert_eq!(text(&server, "artifacts/junit.xml"), GREEN);
    assert!(text(&server, "artifacts/proctor/report.html").contains("login"));
    let report = server.report();
    assert_eq!(
        (&report["verdict"], &report["tests"], &report["passed"]),
        (&json!("Passed"), &json!(2), &json!(2))
    );
    assert_eq!(report["suites"][0]["name"], "api");
    assert_eq!(report["duration_seconds"], 0.75);
    let mut shot = server.read("token-a", "/artifacts/shots/a%20b%231.txt");
    assert_eq!(
        (
            shot.status().as_u16(),
            shot.body_mut().read_to_string().unwrap()
        ),
        (200, "x".to_owned())
    );
}

#[test]
fn a_failing_test_is_named() {
    let upload = Upload {
        container: "test",
        log: "",
        files: &[("junit.xml", RED)],
        exit_code: Some(1),
    };
    let (server, finished) = verdict_of(&[upload], 0);
    assert_eq!(
        (&finished["result"], &finished["metadata"]["reason"]),
        (&json!("FAILURE"), &json!("TestsFailed"))
    );
    let test = &server.report()["suites"][0]["tests"][0];
    assert_eq!(
        (&test["name"], &test["outcome"]),
        (&json!("login"), &json!("failed"))
    );
}

#[test]
fn without_a_report_file_the_log_is_read() {
    let log = "=== RUN   TestA\n--- PASS: TestA (0.00s)\nPASS\nok  \texample.com/a\t0.01s\n";
    let (server, finished) = verdict_of(
        &[Upload {
            container: "test",
            log,
            files: &[],
            exit_code: Some(0),
        }],
        0,
    );
    assert_eq!(finished["metadata"]["verdict"], "Passed");
    assert_eq!(server.report()["passed"], 1);
}

#[test]
fn a_run_without_an_end_record_is_never_a_pass() {
    let upload = Upload {
        container: "test",
        log: "",
        files: &[("junit.xml", GREEN)],
        exit_code: None,
    };
    let (_server, finished) = verdict_of(&[upload], 0);
    assert_eq!(
        (
            &finished["metadata"]["verdict"],
            &finished["metadata"]["reason"]
        ),
        (&json!("Incomplete"), &json!("NoEndRecord"))
    );
}

#[test]
fn bytes_that_were_left_behind_make_a_run_incomplete() {
    let upload = Upload {
        container: "test",
        log: "",
        files: &[("junit.xml", GREEN)],
        exit_code: Some(0),
    };
    let (_server, finished) = verdict_of(&[upload], 17);
    assert_eq!(finished["metadata"]["verdict"], "Incomplete");
    assert!(
        finished["metadata"]["message"]
            .as_str()
            .unwrap()
            .contains("17 bytes")
    );
}

#[test]
fn bytes_that_the_store_lost_make_a_run_incomplete_and_nobody_waits_for_them() {
    let server = Server::start();
    let session = server.session("token-a");
    let upload = Upload {
        container: "test",
        log: "2 passed\n",
        files: &[("junit.xml", GREEN)],
        exit_code: Some(0),
    };
    upload.send(&server, &session);
    let log = server.folder().join(".parts/test/0/log");
    std::fs::remove_dir_all(log).unwrap();
    server.done(&session, 0);
    let metadata = &server.finished()["metadata"];
    assert_eq!(metadata["verdict"], "Incomplete", "{metadata}");
    let message = metadata["message"].as_str().unwrap();
    assert!(message.contains("9 bytes"), "{message}");
}

#[test]
fn a_run_of_which_nothing_came_is_incomplete() {
    let (_server, finished) = verdict_of(&[], 0);
    assert_eq!(finished["metadata"]["verdict"], "Incomplete");
}

#[test]
fn of_two_containers_one_red_one_decides() {
    let green = Upload {
        container: "api",
        log: "api log",
        files: &[("junit.xml", GREEN)],
        exit_code: Some(0),
    };
    let red = Upload {
        container: "ui",
        log: "ui log",
        files: &[("junit.xml", RED)],
        exit_code: Some(1),
    };
    let (server, finished) = verdict_of(&[green, red], 0);
    assert_eq!(finished["metadata"]["verdict"], "Failed");
    assert_eq!(server.report()["tests"], 3);
    assert_eq!(text(&server, "build-log.txt"), "api log");
    assert_eq!(text(&server, "ui-build-log.txt"), "ui log");
    assert_eq!(text(&server, "artifacts/ui/junit.xml"), RED);
}

#[test]
fn a_run_that_was_done_is_finalised_after_a_restart() {
    let mut server = Server::start();
    let session = server.session("token-a");
    Upload {
        container: "test",
        log: "",
        files: &[("junit.xml", GREEN)],
        exit_code: Some(0),
    }
    .send(&server, &session);
    server.done(&session, 0);
    server.restart();
    assert_eq!(server.finished()["metadata"]["verdict"], "Passed");
}

#[test]
fn finalising_that_was_cut_off_is_done_again_from_the_beginning() {
    let server = Server::start();
    let session = server.session("token-a");
    let upload = Upload {
        container: "test",
        log: "2 passed\n",
        files: &[("junit.xml", GREEN)],
        exit_code: Some(0),
    };
    upload.send(&server, &session);
    // What an attempt leaves that composed the log, and then lost the store.
    std::fs::write(server.folder().join("build-log.txt"), "half of it").unwrap();
    std::fs::write(server.folder().join("artifacts"), "in the way").unwrap();
    server.done(&session, 0);
    wait_until("the log to be composed", || {
        text(&server, "build-log.txt") != "half of it"
    });
    assert!(!server.folder().join("finished.json").exists());
    std::fs::remove_file(server.folder().join("artifacts")).unwrap();
    assert_eq!(server.finished()["metadata"]["verdict"], "Passed");
    assert_eq!(text(&server, "build-log.txt"), "2 passed\n");
}
