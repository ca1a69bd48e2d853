//! What the port for people and their monitoring says.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use proctor_webhook::http::admin_routes;
use proctor_webhook::metrics::Metrics;
use proctor_webhook::ready::{Part, Readiness};
use tower::ServiceExt as _;

async fn get(readiness: &Arc<Readiness>, path: &str) -> (StatusCode, String) {
    let routes = admin_routes(Arc::clone(readiness), Arc::new(Metrics::default()));
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = routes.oneshot(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_server_that_is_not_ready_says_all_that_is_missing_and_is_alive() {
    let readiness = Arc::new(Readiness::of([
        (
            Part::Policies,
            "the policies have not been read yet".to_owned(),
        ),
        (
            Part::Services,
            "the Services have not been read yet".to_owned(),
        ),
    ]));
    let missing = "the policies have not been read yet\nthe Services have not been read yet\n";
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(
        get(&readiness, "/readyz").await,
        (unavailable, missing.to_owned())
    );
    assert_eq!(get(&readiness, "/healthz").await.0, StatusCode::OK);

    readiness.done(Part::Policies);
    readiness.done(Part::Services);
    assert_eq!(get(&readiness, "/readyz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn metrics_end_as_openmetrics_ends() {
    let (status, text) = get(&Arc::new(Readiness::of([])), "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(
        text.contains("# UNIT proctor_webhook_certificate_expiry_timestamp_seconds seconds"),
        "{text}"
    );
}
