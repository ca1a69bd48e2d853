//! Who uploads: a session is opened with the pod's token, and outlives it.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{ApiError, App};
use crate::identity::IdentityError;
use crate::identity::{Secret, SessionSecret};
use crate::index::{NewRun, Run, RunState};

/// The answer to `POST /v1/session`.
#[derive(Serialize)]
pub(super) struct Opened {
    session: String,
    run: String,
}

/// `POST /v1/session`.
pub(super) async fn open(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<Opened>, ApiError> {
    let token = bearer(&headers)?;
    let pod = app.identity.pod(&token).await?;
    let name = pod.run_name()?;
    // A pod that was once a test remains one, whatever became of its labels.
    if !pod.labelled && app.index.run(&pod.uid).await?.is_none() {
        return Err(IdentityError::NotAllowed("the token's pod is not labelled as a test").into());
    }
    let new = NewRun {
        uid: pod.uid,
        namespace: pod.namespace,
        name,
        pod: Some(pod.name),
    };
    let run = app.index.ensure_run(&new).await?;
    if run.state != RunState::Open {
        return Err(
            IdentityError::NotAllowed("the pod's run has ended and takes nothing more").into(),
        );
    }
    let session = SessionSecret::generate()?;
    app.index.set_session(&run.uid, session.hash()).await?;
    app.metrics.sessions.inc();
    tracing::info!(namespace = %run.namespace, run = %run.name, "a reporter opened a session");
    Ok(Json(Opened {
        session: session.reveal().to_owned(),
        run: run.name.to_string(),
    }))
}

/// The body of `POST /v1/done`.
#[derive(Deserialize)]
pub(super) struct Done {
    left_behind_bytes: u64,
}

/// `POST /v1/done`.
pub(super) async fn done(
    State(app): State<App>,
    Uploader(run): Uploader,
    body: Result<Json<Done>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(done) = body.map_err(|error| ApiError::Body {
        status: error.status(),
        text: error.body_text(),
    })?;
    app.uploads.done(&run, done.left_behind_bytes).await?;
    app.wake.notify_one();
    tracing::info!(namespace = %run.namespace, run = %run.name, left_behind_bytes = done.left_behind_bytes, "a reporter is done");
    Ok(StatusCode::NO_CONTENT)
}

/// The run whose session the request carries. It is looked up before the body is read.
pub(super) struct Uploader(pub(super) Run);

impl FromRequestParts<App> for Uploader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let session = SessionSecret::received(&bearer(&parts.headers)?);
        app.index
            .run_of_session(session.hash())
            .await?
            .map(Self)
            .ok_or(ApiError::Unauthenticated(
                "the session is not known: open a new one with POST /v1/session",
            ))
    }
}

fn bearer(headers: &HeaderMap) -> Result<Secret, ApiError> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
        .map(|(_, token)| Secret::new(token.trim()))
        .ok_or(ApiError::Unauthenticated(
            "the header Authorization must be 'Bearer' and a token",
        ))
}
