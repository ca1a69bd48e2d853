//! What the API server asks: an `AdmissionReview` of `admission.k8s.io/v1`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

const API_VERSION: &str = "admission.k8s.io/v1";

/// The request of a review, borrowed from the body. The objects in it are not parsed: what is judged is little of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// What the answer must carry, so that the API server knows whose it is.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// The kind of the object, as the webhook configuration asked for it.
    #[serde(borrow)]
    pub kind: Kind<'a>,
    /// `ephemeralcontainers`, `resize`, …; empty for the object itself.
    #[serde(borrow, default)]
    pub sub_resource: Cow<'a, str>,
    /// The namespace of the request. An object's own may be empty on creation.
    #[serde(borrow, default)]
    pub namespace: Cow<'a, str>,
    /// The name of the object, empty where `generateName` makes it later.
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    /// What is done to it.
    pub operation: Operation,
    /// Whether nothing of it will be stored.
    #[serde(default)]
    pub dry_run: bool,
    /// The object as it would be, absent on deletion.
    #[serde(borrow, default)]
    pub object: Option<&'a RawValue>,
    /// The object as it is, absent on creation.
    #[serde(borrow, default)]
    pub old_object: Option<&'a RawValue>,
}

/// A group, version and kind.
#[derive(Debug, Deserialize)]
pub struct Kind<'a> {
    /// The API group, empty for the core group.
    #[serde(borrow, default)]
    pub group: Cow<'a, str>,
    /// The kind.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
}

/// What is done to an object.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names are the API server's own")]
pub enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

/// Why a body is not a review.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// It is not JSON, or not of that shape.
    #[error(
        "the body is not an AdmissionReview of admission.k8s.io/v1 in JSON: {0}; only the API server is meant to call this address"
    )]
    Malformed(#[source] serde_json::Error),
    /// It is another kind of object.
    #[error(
        "the body is {api_version:?} {kind:?}, not an AdmissionReview of admission.k8s.io/v1; set `admissionReviewVersions: [v1]` in the webhook configuration"
    )]
    OtherKind {
        /// What it says it is.
        api_version: String,
        /// What it says it is.
        kind: String,
    },
    /// A review without a question, such as an answer sent back.
    #[error(
        "the AdmissionReview has no `request`; only the API server is meant to call this address"
    )]
    NoRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    request: Option<Request<'a>>,
}

/// What a body says it is, read where the whole cannot be.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TypeMeta {
    api_version: String,
    kind: String,
}

impl<'a> Request<'a> {
    /// Reads the body of a request to the webhook.
    ///
    /// ```
    /// use proctor_webhook::admission::{Operation, Request};
    ///
    /// let body = br#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
    ///     "uid": "1", "kind": {"group": "batch", "version": "v1", "kind": "Job"}, "operation": "CREATE", "object": {}}}"#;
    /// let request = Request::decode(body)?;
    /// assert_eq!(request.operation, Operation::Create);
    /// # Ok::<(), proctor_webhook::admission::ReviewError>(())
    /// ```
    pub fn decode(body: &'a [u8]) -> Result<Self, ReviewError> {
        let review = serde_json::from_slice::<Review<'a>>(body).map_err(|error| {
            // Another version has other fields, and "missing field" would not tell that.
            match serde_json::from_slice::<TypeMeta>(body) {
                Ok(other) if !is_review(&other.api_version, &other.kind) => other.into(),
                _ => ReviewError::Malformed(error),
            }
        })?;
        if !is_review(&review.api_version, &review.kind) {
            return Err(ReviewError::OtherKind {
                api_version: review.api_version.into_owned(),
                kind: review.kind.into_owned(),
            });
        }
        review.request.ok_or(ReviewError::NoRequest)
    }
}

fn is_review(api_version: &str, kind: &str) -> bool {
    api_version == API_VERSION && kind == "AdmissionReview"
}

impl From<TypeMeta> for ReviewError {
    fn from(other: TypeMeta) -> Self {
        Self::OtherKind {
            api_version: other.api_version,
            kind: other.kind,
        }
    }
}
