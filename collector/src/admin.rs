//! The admin port: plain HTTP, for the kubelet and Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::metrics::Metrics;

/// Whether the collector does its work: listening, and in a cluster with its bundle published and its pods listed.
#[derive(Debug, Default)]
pub struct Ready {
    /// The API is served.
    pub serving: AtomicBool,
    /// The bundle is published.
    pub published: AtomicBool,
    /// The pods have been listed once.
    pub listed: AtomicBool,
}

impl Ready {
    /// What is missing, as a sentence; none when nothing is.
    pub fn missing(&self) -> Option<&'static str> {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        if !is(&self.published) {
            Some("the bundle of the collector's authority is not published yet")
        } else if !is(&self.listed) {
            Some("the test pods have not been listed yet")
        } else if !is(&self.serving) {
            Some("the API is not served")
        } else {
            None
        }
    }
}

/// The routes.
pub fn router(ready: Arc<Ready>, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz).with_state(ready))
        .route("/metrics", get(render).with_state(metrics))
}

async fn readyz(State(ready): State<Arc<Ready>>) -> (StatusCode, &'static str) {
    match ready.missing() {
        None => (StatusCode::OK, "ready\n"),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, what),
    }
}

async fn render(State(metrics): State<Arc<Metrics>>) -> Result<String, StatusCode> {
    metrics
        .render()
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
