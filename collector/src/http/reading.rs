//! Reading a run. What tests wrote is foreign content: a browser may show it, and nothing in it may act.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{ApiError, App};
use crate::identity::Secret;
use crate::names::{ArtifactPath, DnsName};
use crate::store::Folder;

/// The API server takes `Authorization` for itself, so the reader's token comes in this one.
const PROCTOR_TOKEN: HeaderName = HeaderName::from_static("proctor-token");

/// Scripts, forms and requests of a page are off; its own styles and pictures are on.
const CONTENT_POLICY: &str =
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:";

#[derive(Deserialize)]
pub(super) struct Listing {
    list: Option<String>,
}

/// One object of a run.
#[derive(Serialize)]
pub(super) struct Entry {
    path: String,
    size: u64,
}

/// `GET /v1/namespaces/<namespace>/runs/<run>?list`.
pub(super) async fn list(
    State(app): State<App>,
    Path((namespace, run)): Path<(String, String)>,
    Query(query): Query<Listing>,
    headers: HeaderMap,
) -> Result<Json<Vec<Entry>>, ApiError> {
    let folder = authorised(&app, &namespace, &run, &headers).await?;
    if query.list.is_none() {
        return Err(ApiError::NotFound("object without a name".to_owned()));
    }
    let found = app.store.list(&folder).await?;
    Ok(Json(
        found
            .into_iter()
            .map(|(path, size)| Entry { path, size })
            .collect(),
    ))
}

/// `GET /v1/namespaces/<namespace>/runs/<run>/<path>`.
pub(super) async fn read(
    State(app): State<App>,
    Path((namespace, run, path)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let folder = authorised(&app, &namespace, &run, &headers).await?;
    let path = ArtifactPath::parse(&path)?;
    let hidden = path.as_str().split('/').next() == Some(".parts");
    let found = if hidden {
        None
    } else {
        app.store.get(&folder, path.as_str()).await?
    };
    let found = found.ok_or_else(|| ApiError::NotFound(path.as_str().to_owned()))?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(content_type(path.as_str())),
        ),
        (header::CONTENT_LENGTH, HeaderValue::from(found.meta.size)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(CONTENT_POLICY),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    Ok((headers, Body::from_stream(found.into_stream())).into_response())
}

async fn authorised(
    app: &App,
    namespace: &str,
    run: &str,
    headers: &HeaderMap,
) -> Result<Folder, ApiError> {
    let namespace = DnsName::parse(namespace)?;
    let run = DnsName::parse(run)?;
    let token = headers
        .get(PROCTOR_TOKEN)
        .and_then(|value| value.to_str().ok())
        .ok_or(ApiError::Unauthenticated(
            "the header Proctor-Token must hold a token for the audience proctor-collector-read",
        ))?;
    app.identity
        .may_read(&Secret::new(token), &namespace)
        .await?;
    Ok(Folder::new(namespace, run))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("txt" | "log") => "text/plain; charset=utf-8",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}
