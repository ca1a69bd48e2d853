//! What is served over TLS: uploads from reporters (`docs/data-flow.md`, "The upload") and reading ("Reading").

mod error;
mod reading;
mod session;
mod streams;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, head, post};
use tokio::sync::{Notify, Semaphore};

pub use error::ApiError;

use crate::identity::Identity;
use crate::index::Index;
use crate::limits::{
    MAX_CHUNK_BYTES, MAX_REQUESTS_IN_FLIGHT, MAX_SMALL_BODY_BYTES, REQUEST_TIMEOUT,
};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::uploads::Uploads;

/// What the handlers work with.
#[derive(Clone, Debug)]
pub struct App {
    /// Takes chunks.
    pub uploads: Uploads,
    /// Knows the runs.
    pub index: Index,
    /// Holds what is read.
    pub store: Store,
    /// Says who asks.
    pub identity: Arc<Identity>,
    /// Wakes the finaliser.
    pub wake: Arc<Notify>,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// The routes.
pub fn router(app: App) -> Router {
    let gate = Gate {
        free: Arc::new(Semaphore::new(MAX_REQUESTS_IN_FLIGHT)),
        metrics: app.metrics.clone(),
    };
    Router::new()
        .route(
            "/v1/streams/{container}/{attempt}/{*name}",
            head(streams::head)
                .patch(streams::patch)
                .layer(DefaultBodyLimit::max(MAX_CHUNK_BYTES)),
        )
        .route("/v1/session", post(session::open))
        .route("/v1/done", post(session::done))
        .route("/v1/namespaces/{namespace}/runs/{run}", get(reading::list))
        .route(
            "/v1/namespaces/{namespace}/runs/{run}/{*path}",
            get(reading::read),
        )
        .layer(DefaultBodyLimit::max(MAX_SMALL_BODY_BYTES))
        .layer(middleware::from_fn_with_state(gate, admit))
        .with_state(app)
}

#[derive(Clone)]
struct Gate {
    free: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// Bounds how many requests are served at once, and for how long each.
async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let Ok(_permit) = gate.free.try_acquire() else {
        gate.metrics.turned_away.inc();
        return ApiError::Busy.into_response();
    };
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => {
            gate.metrics.answered(response.status());
            response
        }
        Err(_) => ApiError::TooSlow.into_response(),
    }
}
