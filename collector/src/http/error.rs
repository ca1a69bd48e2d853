//! What a client is told when something is not done.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use thiserror::Error;

use crate::identity::IdentityError;
use crate::index::IndexError;
use crate::limits::RETRY_AFTER_SECONDS;
use crate::names::NameError;
use crate::store::StoreError;
use crate::uploads::UploadError;

/// Why a request was not done; the text goes to the client.
#[derive(Debug, Error)]
pub enum ApiError {
    /// Nobody we know.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// A name in the address.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A header.
    #[error("the header {0} is missing or wrong: {1}")]
    Header(&'static str, &'static str),
    /// The body.
    #[error("the body could not be read: {text}")]
    Body {
        /// The status that fits.
        status: StatusCode,
        /// What was wrong.
        text: String,
    },
    /// Nothing of that name.
    #[error("there is no {0} in this run: append ?list to the run's address to see what there is")]
    NotFound(String),
    /// Who asks may not, or cannot be asked about.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A chunk was not taken.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Too many requests.
    #[error("too many requests are being served: try again in a moment")]
    Busy,
    /// It took too long.
    #[error("the request took too long: try again, with a smaller body where there is one")]
    TooSlow,
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated(_) | Self::Identity(IdentityError::NotGood(_)) => {
                StatusCode::UNAUTHORIZED
            }
            Self::Identity(IdentityError::NotAllowed(_)) => StatusCode::FORBIDDEN,
            Self::Upload(UploadError::Ended(_)) => StatusCode::GONE,
            Self::Name(_) | Self::Header(..) | Self::Upload(UploadError::NoPath) => {
                StatusCode::BAD_REQUEST
            }
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Body { status, .. } => *status,
            Self::Upload(UploadError::Offset { .. }) => StatusCode::CONFLICT,
            Self::Upload(UploadError::Limit { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Identity(IdentityError::Away { .. })
            | Self::Upload(
                UploadError::Store(_) | UploadError::Index(_) | UploadError::CutOff(_),
            )
            | Self::Store(_)
            | Self::Index(_)
            | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What a client needs not know in detail, and an operator must.
    fn log(&self) {
        let source = std::error::Error::source(self)
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::warn!(error = %self, source, "a request could not be served");
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            self.log();
        }
        let mut response = (status, Json(json!({ "error": self.to_string() }))).into_response();
        let headers = response.headers_mut();
        match &self {
            Self::Upload(UploadError::Offset { offset, complete }) => {
                position(headers, *offset, *complete);
            }
            Self::Unauthenticated(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ if status == StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
            }
            _ => {}
        }
        response
    }
}

/// Header of the IETF draft "Resumable Uploads for HTTP".
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");

/// Header of the same draft; a structured boolean, `?0` or `?1`.
pub(super) const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");

/// Says where a stream is.
pub(super) fn position(headers: &mut axum::http::HeaderMap, offset: u64, complete: bool) {
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(offset));
    headers.insert(
        UPLOAD_COMPLETE,
        HeaderValue::from_static(if complete { "?1" } else { "?0" }),
    );
}
