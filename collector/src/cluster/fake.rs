//! An API server for tests: one function answers every request.

use std::convert::Infallible;

use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// A client of the API server that answers so.
pub(crate) fn client<F, A>(answer: F) -> Client
where
    F: Fn(Asked) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = (u16, Value)> + Send,
{
    let service = service_fn(move |request: axum::http::Request<Body>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = axum::body::Body::new(body);
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let asked = Asked {
                method: head.method.to_string(),
                path: head.uri.to_string(),
                body: serde_json::from_slice(&body).unwrap_or_default(),
            };
            let (code, answer) = answer(asked).await;
            let answer = Body::from(serde_json::to_vec(&answer).unwrap());
            let answer = axum::http::Response::builder().status(code).body(answer);
            Ok::<_, Infallible>(answer.unwrap())
        }
    });
    Client::new(service, "proctor-system")
}

/// A refusal, with what it is about.
pub(crate) fn refusal(code: u16, reason: &str, details: &Value) -> (u16, Value) {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": code, "reason": reason, "message": reason, "details": details,
    });
    (code, status)
}
