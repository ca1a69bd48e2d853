//! The upload and reading protocol of `docs/data-flow.md`, over real HTTPS.

mod common;

use common::{RUN, Server, body, offset};

#[test]
fn a_session_is_opened_with_the_pods_token_alone() {
    let server = Server::start();
    let mut opened = server.open("token-a");
    assert_eq!(opened.status(), 200);
    assert_eq!(body(&mut opened)["run"], RUN);
    assert_eq!(server.open("forged").status(), 401);
    assert_eq!(server.head("forged", "test/0/log").status(), 401);
    assert_eq!(
        server
            .patch("token-a", "test/0/log", 0, false, b"x")
            .status(),
        401
    );
}

#[test]
fn a_new_session_takes_the_place_of_the_old_one() {
    let server = Server::start();
    let old = server.session("token-a");
    let new = server.session("token-a");
    assert_eq!(server.head(&old, "test/0/log").status(), 401);
    assert_eq!(server.head(&new, "test/0/log").status(), 200);
}

#[test]
fn an_unknown_stream_is_at_the_beginning() {
    let server = Server::start();
    let session = server.session("token-a");
    let head = server.head(&session, "test/0/files/7");
    assert_eq!((head.status().as_u16(), offset(&head)), (200, 0));
    assert_eq!(head.headers()["upload-complete"], "?0");
}

#[test]
fn each_byte_is_written_once() {
    let server = Server::start();
    let session = server.session("token-a");
    let first = server.patch(&session, "test/0/log", 0, false, b"hello ");
    assert_eq!((first.status().as_u16(), offset(&first)), (204, 6));
    for wrong in [0, 3, 7] {
        let refused = server.patch(&session, "test/0/log", wrong, false, b"other");
        assert_eq!(
            (refused.status().as_u16(), offset(&refused)),
            (409, 6),
            "offset {wrong}"
        );
    }
    let last = server.patch(&session, "test/0/log", 6, true, b"world");
    assert_eq!((last.status().as_u16(), offset(&last)), (204, 11));
    let head = server.head(&session, "test/0/log");
    assert_eq!(head.headers()["upload-complete"], "?1");
    assert_eq!(
        server
            .patch(&session, "test/0/log", 11, true, b"!")
            .status(),
        409
    );
    assert_eq!(
        server.patch(&session, "test/0/log", 11, true, b"").status(),
        204
    );
}

#[test]
fn an_acknowledged_byte_is_in_the_store_and_outlives_a_restart() {
    let mut server = Server::start();
    let session = server.session("token-a");
    assert_eq!(
        server
            .patch(&session, "test/0/log", 0, false, b"before ")
            .status(),
        204
    );
    let part = server
        .folder()
        .join(".parts/test/0/log/00000000000000000000");
    assert_eq!(std::fs::read(&part).unwrap(), b"before ");
    // What a crash between the two writes leaves: a part that the index does not know.
    std::fs::write(
        part.with_file_name("00000000000000000007"),
        b"never acknowledged",
    )
    .unwrap();
    server.restart();
    let head = server.head(&session, "test/0/log");
    assert_eq!((head.status().as_u16(), offset(&head)), (200, 7));
    assert_eq!(
        server
            .patch(&session, "test/0/log", 7, true, b"after")
            .status(),
        204
    );
    server.done(&session, 0);
    server.finished();
    assert_eq!(
        std::fs::read_to_string(server.folder().join("build-log.txt")).unwrap(),
        "before after"
    );
}

#[test]
fn a_path_that_leaves_the_folder_is_refused() {
    let server = Server::start();
    let session = server.session("token-a");
    for path in [
        "../x",
        "/etc/passwd",
        "a/../../x",
        "a%00b",
        "a%0ab",
        "%2e%2e/x",
        "a//b",
        "",
        "%ff",
    ] {
        let refused = server.patch_file(&session, "test/0/files/0", 0, true, b"x", Some(path));
        assert_eq!(refused.status(), 400, "{path:?}");
    }
    let mut without = server.patch(&session, "test/0/files/0", 0, true, b"x");
    assert_eq!(without.status(), 400);
    assert!(
        body(&mut without)["error"]
            .as_str()
            .unwrap()
            .contains("Proctor-Path")
    );
    for stream in [
        "..%2f/0/log",
        "test/0/files/..%2f..%2fx",
        "Test/0/log",
        "test/x/log",
        "test/0/other",
    ] {
        assert_eq!(
            server.patch(&session, stream, 0, false, b"x").status(),
            400,
            "{stream}"
        );
    }
    assert!(!server.folder().exists());
}

#[test]
fn limits_are_told_as_such() {
    let server = Server::start();
    let session = server.session("token-a");
    let chunk = vec![b'x'; 1024 * 1024 + 1];
    assert_eq!(
        server
            .patch(&session, "test/0/log", 0, false, &chunk)
            .status(),
        413
    );
    assert_eq!(
        server
            .patch(&session, "test/0/log", 0, false, &chunk[1..])
            .status(),
        204
    );
    assert_eq!(
        server
            .patch(&session, "test/0/end", 0, false, &chunk[..=64 * 1024])
            .status(),
        413
    );
    assert_eq!(
        server
            .patch(&session, "test/0/end", 0, false, &chunk[..64 * 1024])
            .status(),
        204
    );
}

#[test]
fn an_offset_beyond_the_end_is_refused() {
    let server = Server::start();
    let session = server.session("token-a");
    let far = server.patch(&session, "test/0/log", u64::MAX, false, b"x");
    assert_eq!((far.status().as_u16(), offset(&far)), (409, 0));
}

#[test]
fn a_run_is_read_in_its_namespace_only() {
    let server = Server::start();
    let session = server.session("token-a");
    server.patch(&session, "test/0/log", 0, true, b"hello");
    server.done(&session, 0);
    server.finished();
    let mut log = server.read("token-a", "/build-log.txt");
    assert_eq!(log.status(), 200);
    assert_eq!(log.headers()["x-content-type-options"], "nosniff");
    assert_eq!(log.body_mut().read_to_string().unwrap(), "hello");
    let listing = body(&mut server.read("token-a", "?list"));
    assert!(
        listing
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["path"] == "artifacts/proctor/report.json")
    );
    assert_eq!(server.read("token-b", "/build-log.txt").status(), 403);
    assert_eq!(server.read("forged", "/build-log.txt").status(), 401);
    assert_eq!(server.read("token-a", "/nothing").status(), 404);
    assert_eq!(
        server.read("token-a", "/..%2f..%2findex.sqlite").status(),
        400
    );
    assert_eq!(
        server
            .read("token-a", "/.parts/test/0/log/00000000000000000000")
            .status(),
        404
    );
}

#[test]
fn an_ended_run_takes_nothing_more() {
    let server = Server::start();
    let session = server.session("token-a");
    server.done(&session, 0);
    server.finished();
    assert_eq!(
        server
            .patch(&session, "test/0/log", 0, false, b"late")
            .status(),
        410
    );
    assert_eq!(server.open("token-a").status(), 403);
}

#[test]
fn while_the_store_is_away_nothing_is_acknowledged() {
    let server = Server::start();
    let session = server.session("token-a");
    std::fs::create_dir_all(server.folder()).unwrap();
    let in_the_way = server.folder().join(".parts");
    std::fs::write(&in_the_way, "").unwrap();
    let away = server.patch(&session, "test/0/log", 0, false, b"hello");
    assert_eq!(away.status(), 503);
    assert!(away.headers().contains_key("retry-after"));
    assert_eq!(offset(&server.head(&session, "test/0/log")), 0);
    std::fs::remove_file(in_the_way).unwrap();
    let back = server.patch(&session, "test/0/log", 0, false, b"hello");
    assert_eq!((back.status().as_u16(), offset(&back)), (204, 5));
}
