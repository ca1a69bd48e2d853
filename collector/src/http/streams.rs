//! Resumable uploads: where a stream is, and its next chunk.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode;

use super::error::{UPLOAD_COMPLETE, UPLOAD_OFFSET, position};
use super::session::Uploader;
use super::{ApiError, App};
use crate::names::{ArtifactPath, StreamId};
use crate::uploads::Chunk;

type Address = Path<(String, String, String)>;

/// `HEAD /v1/streams/<container>/<attempt>/<name>`.
pub(super) async fn head(
    State(app): State<App>,
    Uploader(run): Uploader,
    Path((container, attempt, name)): Address,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    let stream = app
        .uploads
        .stream(&run, StreamId::parse(&container, &attempt, &name)?)
        .await?;
    Ok(at(StatusCode::OK, stream.length, stream.complete))
}

/// `PATCH /v1/streams/<container>/<attempt>/<name>`.
pub(super) async fn patch(
    State(app): State<App>,
    Uploader(run): Uploader,
    Path((container, attempt, name)): Address,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    let id = StreamId::parse(&container, &attempt, &name)?;
    let content = body.map_err(|error| ApiError::Body {
        status: error.status(),
        text: error.body_text(),
    })?;
    let bytes = content.len() as u64;
    let chunk = Chunk {
        offset: offset(&headers)?,
        complete: complete(&headers)?,
        path: path(&headers)?,
        content,
    };
    let stream = app.uploads.append(&run, id, chunk).await?;
    app.metrics.uploaded_bytes.inc_by(bytes);
    Ok(at(StatusCode::NO_CONTENT, stream.length, stream.complete))
}

fn at(status: StatusCode, offset: u64, complete: bool) -> (StatusCode, HeaderMap) {
    let mut headers = HeaderMap::new();
    position(&mut headers, offset, complete);
    (status, headers)
}

fn offset(headers: &HeaderMap) -> Result<u64, ApiError> {
    headers
        .get(UPLOAD_OFFSET)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .ok_or(ApiError::Header(
            "Upload-Offset",
            "it is the offset of the body's first byte in the stream",
        ))
}

fn complete(headers: &HeaderMap) -> Result<bool, ApiError> {
    match headers
        .get(UPLOAD_COMPLETE)
        .map(axum::http::HeaderValue::as_bytes)
    {
        Some(b"?0") => Ok(false),
        Some(b"?1") => Ok(true),
        _ => Err(ApiError::Header(
            "Upload-Complete",
            "it is ?1 on the last chunk of a stream, else ?0",
        )),
    }
}

fn path(headers: &HeaderMap) -> Result<Option<ArtifactPath>, ApiError> {
    let Some(value) = headers.get("proctor-path") else {
        return Ok(None);
    };
    let text = percent_decode(value.as_bytes())
        .decode_utf8()
        .map_err(|_| ApiError::Header("Proctor-Path", "it is percent-encoded UTF-8"))?;
    Ok(Some(ArtifactPath::parse(&text)?))
}
