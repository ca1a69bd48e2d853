//! What a server does when it is asked too much, too slowly, or to stop: it answers what it can, and admits nothing for want of room.

mod support;

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use proctor_webhook::http::{Drain, Limits};
use support::{Connection, JOB, Server, review};

const JSON: &str = "Content-Type: application/json";

fn body() -> Vec<u8> {
    let job = serde_json::from_str(JOB).unwrap_or_default();
    review("CREATE", &job).to_string().into_bytes()
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    connection.head("/validate", JSON, 8 * 1024 * 1024).await;
    let answer = connection.answer().await;
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("7340032 bytes"), "{}", answer.body);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_read_no_further_than_the_limit() {
    let limits = Limits {
        body_bytes: 1000,
        ..Limits::default()
    };
    let server = Server::with(limits, Duration::from_secs(10)).await;
    let mut connection = server.connect().await;
    let head = "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.send(head.as_bytes()).await;
    connection
        .send(format!("7d0\r\n{}\r\n", "x".repeat(2000)).as_bytes())
        .await;
    assert_eq!(connection.answer().await.status, 413);
}

#[tokio::test]
async fn a_request_that_takes_longer_than_the_api_server_waits_is_answered_before() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    connection.head("/validate?timeout=300ms", JSON, 100).await;
    connection.send(b"{").await;
    let answer = connection.answer().await;
    assert_eq!(answer.status, 504);
    assert!(answer.body.contains("timeoutSeconds"), "{}", answer.body);
}

#[tokio::test]
async fn beyond_the_number_in_flight_nothing_is_admitted_and_the_others_are_answered() {
    let limits = Limits {
        in_flight: 1,
        ..Limits::default()
    };
    let server = Server::with(limits, Duration::from_secs(10)).await;
    let body = body();
    let mut first = server.connect().await;
    first.head("/validate", JSON, body.len()).await;
    server.in_flight(1).await;

    let turned_away = server.post("/validate", &body).await;
    assert_eq!(turned_away.status, 503);
    assert!(
        turned_away.head.contains("retry-after: 1\r\n"),
        "{}",
        turned_away.head
    );
    assert!(
        !turned_away.body.contains("allowed"),
        "{}",
        turned_away.body
    );

    first.send(&body).await;
    assert!(first.answer().await.response().allowed);
    server.in_flight(0).await;
    assert!(server.post("/validate", &body).await.response().allowed);
}

#[tokio::test]
async fn bodies_take_no_more_memory_than_they_may() {
    let body = body();
    let limits = Limits {
        buffered_bytes: body.len() + 10,
        ..Limits::default()
    };
    let server = Server::with(limits, Duration::from_secs(10)).await;
    let mut first = server.connect().await;
    first.head("/validate", JSON, body.len()).await;
    server.in_flight(1).await;
    assert_eq!(server.post("/validate", &body).await.status, 503);
    first.send(&body).await;
    assert!(first.answer().await.response().allowed);
}

#[tokio::test]
async fn a_server_that_stops_answers_what_it_was_asked_and_accepts_nobody_new() {
    let server = Server::start().await;
    let body = body();
    let mut idle = server.connect().await;
    assert!(idle.post("/validate", &body).await.response().allowed);
    let mut asked = server.connect().await;
    asked.head("/validate", JSON, body.len()).await;
    asked.send(&body[..10]).await;
    server.in_flight(1).await;

    server.stop();
    let mut refused = false;
    while !refused {
        let bundle = server.bundle();
        refused = Connection::try_open(server.address, &bundle, "http/1.1")
            .await
            .is_err();
    }
    asked.send(&body[10..]).await;
    let answer = asked.answer().await;
    assert!(answer.response().allowed);
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert_eq!(server.drained().await, Drain::Complete);
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_a_server_from_stopping() {
    let server = Server::with(Limits::default(), Duration::from_millis(200)).await;
    let mut asked = server.connect().await;
    asked.head("/validate", JSON, 100).await;
    server.in_flight(1).await;
    server.stop();
    assert_eq!(server.drained().await, Drain::Cut(1));
}

#[tokio::test]
async fn a_new_certificate_drops_no_connection() {
    let server = Server::start().await;
    let mut old = server.connect().await;
    let body = body();
    assert!(old.post("/validate", &body).await.response().allowed);
    server.renew();
    assert!(old.post("/validate", &body).await.response().allowed);
    let new = server.connect().await;
    assert_ne!(new.certificate(), old.certificate());
}

#[tokio::test]
async fn http_2_is_spoken_too() {
    let server = Server::start().await;
    let connection = Connection::open(server.address, &server.bundle(), "h2").await;
    let stream = TokioIo::new(connection.into_stream());
    let (mut sender, driver) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(driver);
    let request = hyper::Request::post("https://proctor-webhook/validate?timeout=10s")
        .header("content-type", "application/json")
        .body(Full::new(bytes::Bytes::from(body())))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer = answer.into_body().collect().await.unwrap().to_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["response"]["allowed"], true);
}

#[tokio::test]
async fn other_paths_and_methods_are_none_of_ours() {
    let server = Server::start().await;
    assert_eq!(server.post("/", b"{}").await.status, 404);
    let mut connection = server.connect().await;
    connection
        .send(b"GET /mutate HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert_eq!(connection.answer().await.status, 405);
}
