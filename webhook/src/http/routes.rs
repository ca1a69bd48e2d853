//! `POST /mutate` and `POST /validate`: a body in, a body out, within the limits of size, number and time.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::Timestamp;

use super::gate::{Gate, Limits, Room};
use super::timeout;
use crate::admission::{self, Decided, Phase, ReviewError};
use crate::metrics::Metrics;
use crate::state::Current;

/// Up to this size a review is decided where it was read, in well under a millisecond; larger ones get a thread of their own, so
/// that they hold nobody up and can run out of time.
const INLINE_BYTES: usize = 128 * 1024;

/// What the two routes share.
#[derive(Debug)]
pub struct App {
    current: Arc<Current>,
    metrics: Arc<Metrics>,
    limits: Limits,
    gate: Gate,
}

/// Why a request gets no answer to its review. None of these admits anything: with `failurePolicy: Fail` the object is refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(
        "the content type is not `application/json`; only the API server is meant to call this address"
    )]
    ContentType,
    #[error(
        "the query's `timeout` is not a duration such as `10s`; only the API server is meant to call this address"
    )]
    Timeout,
    #[error("the body has more than {0} bytes, which is more than any object of Kubernetes")]
    TooLarge(usize),
    #[error("the body could not be read to its end")]
    Body(#[source] axum::Error),
    #[error(transparent)]
    Review(#[from] ReviewError),
    #[error(
        "too many reviews are in flight; try again in a second, and give the webhook more replicas if this happens often"
    )]
    Busy,
    #[error(
        "the review was not done within the time that the API server gave (`timeoutSeconds` of the webhook)"
    )]
    OutOfTime,
    #[error("the answer could not be written; please report this")]
    Encode(#[source] serde_json::Error),
    #[error("the review was given up; please report this")]
    Lost(#[source] tokio::task::JoinError),
}

/// The routes that the API server calls.
pub fn routes(app: App) -> Router {
    Router::new()
        .route("/mutate", post(mutate))
        .route("/validate", post(validate))
        .with_state(Arc::new(app))
}

async fn mutate(State(app): State<Arc<App>>, request: Request) -> Response {
    app.respond(Phase::Mutate, request).await
}

async fn validate(State(app): State<Arc<App>>, request: Request) -> Response {
    app.respond(Phase::Validate, request).await
}

impl App {
    /// What the routes share: the decision's inputs, the metrics, the limits.
    pub fn new(current: Arc<Current>, metrics: Arc<Metrics>, limits: Limits) -> Self {
        Self {
            gate: Gate::new(&limits),
            current,
            metrics,
            limits,
        }
    }

    async fn respond(&self, phase: Phase, request: Request) -> Response {
        let started = Instant::now();
        let result = self.review(phase, request).await;
        self.metrics.in_flight(self.gate.in_flight());
        match result {
            Ok(body) => {
                self.metrics.took(phase, started.elapsed());
                let json = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, json)], body).into_response()
            }
            Err(refused) => {
                tracing::warn!(error = &refused as &dyn std::error::Error, "no answer");
                self.metrics.refused(refused.reason());
                refused.into_response()
            }
        }
    }

    async fn review(&self, phase: Phase, request: Request) -> Result<Bytes, Refused> {
        if !is_json(request.headers()) {
            return Err(Refused::ContentType);
        }
        let time =
            timeout::allowed(request.uri().query(), self.limits.timeout).ok_or(Refused::Timeout)?;
        let length = content_length(request.headers()).unwrap_or(self.limits.body_bytes);
        if length > self.limits.body_bytes {
            return Err(Refused::TooLarge(self.limits.body_bytes));
        }
        let room = self.gate.enter(length).ok_or(Refused::Busy)?;
        self.metrics.in_flight(self.gate.in_flight());
        tokio::time::timeout(time, self.decide(phase, request.into_body(), room))
            .await
            .map_err(|_| Refused::OutOfTime)?
    }

    async fn decide(&self, phase: Phase, body: Body, room: Room) -> Result<Bytes, Refused> {
        let body = self.read(body).await?;
        if body.len() <= INLINE_BYTES {
            return decide(&self.current, &self.metrics, phase, &body);
        }
        let (current, metrics) = (Arc::clone(&self.current), Arc::clone(&self.metrics));
        tokio::task::spawn_blocking(move || {
            // The room is given back when the work is done, not when its time is over.
            let _room = room;
            decide(&current, &metrics, phase, &body)
        })
        .await
        .map_err(Refused::Lost)?
    }

    async fn read(&self, body: Body) -> Result<Bytes, Refused> {
        let limited = Limited::new(body, self.limits.body_bytes);
        let collected = limited.collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Refused::TooLarge(self.limits.body_bytes)
            } else {
                Refused::Body(axum::Error::new(error))
            }
        })?;
        Ok(collected.to_bytes())
    }
}

fn decide(
    current: &Current,
    metrics: &Metrics,
    phase: Phase,
    body: &[u8],
) -> Result<Bytes, Refused> {
    let request = admission::Request::decode(body)?;
    let decided = admission::decide(phase, &request, current, Timestamp::now());
    metrics.decided(phase, &request, &decided);
    log(phase, &request, &decided);
    decided.answer.encode(&request.uid).map_err(Refused::Encode)
}

/// Names and codes only: an object's values may be secrets.
fn log(phase: Phase, request: &admission::Request<'_>, decided: &Decided) {
    tracing::info!(
        uid = %request.uid,
        phase = phase.name(),
        kind = %request.kind.kind,
        namespace = %request.namespace,
        name = %request.name,
        operation = ?request.operation,
        dry_run = request.dry_run,
        outcome = decided.outcome.name(),
        findings = ?decided.codes(),
        "reviewed"
    );
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"))
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::ContentType | Self::Timeout | Self::Body(_) | Self::Review(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::OutOfTime => StatusCode::GATEWAY_TIMEOUT,
            Self::Encode(_) | Self::Lost(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::ContentType | Self::Timeout | Self::Body(_) | Self::Review(_) => "malformed",
            Self::TooLarge(_) => "too_large",
            Self::Busy => "busy",
            Self::OutOfTime => "out_of_time",
            Self::Encode(_) | Self::Lost(_) => "internal",
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if matches!(self, Self::Busy) {
            // The API server's client tries again by itself where it is told when.
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
