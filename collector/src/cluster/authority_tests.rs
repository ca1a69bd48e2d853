//! The authority and its Secret, on an API server that keeps one Secret and takes every ConfigMap.

use std::sync::Mutex;

use proctor_certs::Leaf;
use serde_json::Value;

use super::*;
use crate::cluster::fake::{Asked, client, refusal};

type Stored = Arc<Mutex<Option<Value>>>;

fn answer(stored: &Stored, asked: Asked) -> (u16, Value) {
    let mut stored = stored.lock().unwrap();
    if asked.path.contains("/configmaps/") {
        return match asked.method.as_str() {
            "GET" => refusal(404, "NotFound", &Value::Null),
            _ => (200, asked.body),
        };
    }
    match (asked.method.as_str(), stored.clone()) {
        ("GET", Some(secret)) => (200, secret),
        ("PUT", Some(_)) => (200, stored.insert(asked.body).clone()),
        ("GET" | "PUT", None) => refusal(404, "NotFound", &Value::Null),
        _ => refusal(403, "Forbidden", &Value::Null),
    }
}

fn authority(stored: &Stored) -> SharedAuthority {
    let stored = stored.clone();
    let client = client(move |asked| std::future::ready(answer(&stored, asked)));
    SharedAuthority::new(client, "proctor-system", "proctor-collector").unwrap()
}

/// The Secret as the chart makes it.
fn empty() -> Value {
    json!({ "metadata": { "name": SECRET, "resourceVersion": "1" } })
}

/// A leaf that should have been renewed long ago.
fn old_leaf(authority: &SharedAuthority, rotation: &Rotation) -> Leaf {
    let long_ago = Timestamp::now() - LEAF_VALIDITY;
    let leaf = rotation
        .current()
        .issue(&authority.names, LEAF_VALIDITY, long_ago);
    leaf.unwrap()
}

#[test]
fn the_times_of_a_rotation_fit_each_other() {
    schedule().unwrap();
}

#[tokio::test]
async fn a_secret_that_was_emptied_gets_the_authority_that_is_held() {
    let stored: Stored = Arc::new(Mutex::new(Some(empty())));
    let authority = authority(&stored);
    let (mut rotation, resolver) = authority.first().await.unwrap();
    let bundle = rotation.bundle();
    *stored.lock().unwrap() = Some(empty());
    authority.round(&mut rotation, &resolver).await.unwrap();
    assert_eq!(rotation.bundle(), bundle);
    assert_eq!(authority.sync(None).await.unwrap().bundle(), bundle);
}

#[tokio::test]
async fn a_secret_that_is_absent_is_an_error_with_the_way_out() {
    let stored = Stored::default();
    let error = authority(&stored).sync(None).await.unwrap_err();
    assert!(error.to_string().contains("helm upgrade"), "{error}");
}

#[tokio::test]
async fn a_leaf_is_renewed_though_the_api_server_is_away() {
    let stored: Stored = Arc::new(Mutex::new(Some(empty())));
    let authority = authority(&stored);
    let (mut rotation, _) = authority.first().await.unwrap();
    let resolver = Resolver::new(old_leaf(&authority, &rotation));
    *stored.lock().unwrap() = None;
    authority.round(&mut rotation, &resolver).await.unwrap_err();
    assert!(resolver.not_after() > Timestamp::now() + DAY);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_hangs_is_asked_again() {
    let (asked, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let client = client(move |request| {
        asked.send(request.path).unwrap();
        std::future::pending()
    });
    let authority = SharedAuthority::new(client, "proctor-system", "proctor-collector").unwrap();
    let rotation = Rotation::begin(SECRET, Timestamp::now(), &authority.schedule).unwrap();
    let resolver = Resolver::new(old_leaf(&authority, &rotation));
    let stop = CancellationToken::new();
    let keep = authority.keep(
        rotation,
        resolver,
        Arc::default(),
        Arc::default(),
        stop.clone(),
    );
    let keep = tokio::spawn(keep);
    for _ in 0..2 {
        let asked = tokio::time::timeout(PATIENCE * 3, requests.recv()).await;
        assert!(asked.unwrap().unwrap().contains(SECRET));
    }
    stop.cancel();
    keep.await.unwrap();
}
