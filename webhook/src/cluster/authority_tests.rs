//! Replicas and one Secret, on an API server that keeps one object and its resource version.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::client::Body;
use proctor_certs::{Rotation, Schedule};
use serde_json::{Value, json};
use tower::service_fn;

use super::authority::{AuthorityStore, StoreError};

#[derive(Default)]
struct Server {
    secret: Option<Value>,
    version: u64,
    conflicts: usize,
}

impl Server {
    fn with(secret: Value) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            secret: Some(secret),
            ..Self::default()
        }))
    }

    fn answer(&mut self, method: &str, object: Option<Value>) -> (u16, Value) {
        let stored = self.secret.as_ref();
        let known = stored.map(|secret| &secret["metadata"]["resourceVersion"]);
        match (method, object) {
            ("GET", _) => match stored {
                Some(secret) => (200, secret.clone()),
                None => (404, status(404, "NotFound")),
            },
            // As the chart's role has it.
            ("POST", _) => (403, status(403, "Forbidden")),
            ("PUT", Some(object)) if known == Some(&object["metadata"]["resourceVersion"]) => {
                (200, self.store(object))
            }
            _ => {
                self.conflicts += 1;
                (409, status(409, "Conflict"))
            }
        }
    }

    fn store(&mut self, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.secret.insert(object).clone()
    }
}

fn status(code: u16, reason: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason})
}

fn replica(server: &Arc<Mutex<Server>>) -> AuthorityStore {
    let server = Arc::clone(server);
    let service = service_fn(move |request: axum::http::Request<Body>| {
        let server = Arc::clone(&server);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            // The others get their turn between a read and the write after it.
            tokio::task::yield_now().await;
            let object = serde_json::from_slice(&body).ok();
            let mut server = server.lock().unwrap();
            let (code, answer) = server.answer(head.method.as_str(), object);
            let answer = Body::from(serde_json::to_vec(&answer).unwrap());
            let answer = axum::http::Response::builder().status(code).body(answer);
            Ok::<_, Infallible>(answer.unwrap())
        }
    });
    AuthorityStore::new(
        Client::new(service, "proctor-system"),
        "proctor-system",
        Schedule::default(),
    )
}

/// The Secret as the chart makes it.
fn empty() -> Value {
    json!({"metadata": {"name": "proctor-webhook-ca", "resourceVersion": "0"}})
}

async fn current(store: &AuthorityStore) -> Result<Rotation, StoreError> {
    store.current(None, Timestamp::now()).await
}

#[tokio::test]
async fn replicas_that_start_together_agree_on_one_authority() {
    let server = Server::with(empty());
    let replicas = [replica(&server), replica(&server), replica(&server)];
    let (one, two, three) = tokio::join!(
        current(&replicas[0]),
        current(&replicas[1]),
        current(&replicas[2])
    );
    let bundle = one.unwrap().bundle();
    assert_eq!(two.unwrap().bundle(), bundle);
    assert_eq!(three.unwrap().bundle(), bundle);
    assert!(
        server.lock().unwrap().conflicts > 0,
        "nobody was in anybody's way"
    );
}

#[tokio::test]
async fn replicas_that_find_a_rotation_due_take_the_step_once() {
    let old = Timestamp::now() - SignedDuration::from_hours(340 * 24);
    let rotation = Rotation::begin("old", old, &Schedule::default()).unwrap();
    let server = Server::with(empty());
    let store = replica(&server);
    store.current(Some(&rotation), old).await.unwrap();

    let (one, two) = (replica(&server), replica(&server));
    let (one, two) = tokio::join!(current(&one), current(&two));
    let bundle = one.unwrap().bundle();
    assert_eq!(bundle.certificates().count(), 2);
    assert_eq!(two.unwrap().bundle(), bundle);
}

#[tokio::test]
async fn an_emptied_secret_is_filled_again_with_what_a_replica_holds() {
    let server = Server::with(empty());
    let store = replica(&server);
    let held = current(&store).await.unwrap();
    server.lock().unwrap().secret = Some(empty());
    let again = store.current(Some(&held), Timestamp::now()).await.unwrap();
    assert_eq!(again.bundle(), held.bundle());
    assert_eq!(current(&store).await.unwrap().bundle(), held.bundle());
}

#[tokio::test]
async fn an_absent_secret_is_left_to_helm() {
    let server = Arc::default();
    let error = current(&replica(&server)).await.unwrap_err();
    assert!(matches!(error, StoreError::Absent), "{error}");
    assert!(error.to_string().contains("helm upgrade"), "{error}");
    assert_eq!(server.lock().unwrap().secret, None);
}

#[tokio::test]
async fn a_damaged_secret_is_reported_and_left_alone() {
    let mut damaged = empty();
    damaged["data"] = json!({"ca.crt": ""});
    let server = Server::with(damaged.clone());
    let error = current(&replica(&server)).await.unwrap_err();
    let text = crate::causes(&error);
    assert!(
        text.contains("proctor-webhook-ca") && text.contains("ca.key is missing"),
        "{text}"
    );
    assert_eq!(server.lock().unwrap().secret, Some(damaged));
}
