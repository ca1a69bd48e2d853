//! What the API server is told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use json_patch::Patch;
use serde::Serialize;

/// The API server cuts longer warnings, and drops them all beyond 4096 characters together.
const MAX_WARNING_CHARS: usize = 256;
const MAX_WARNINGS_CHARS: usize = 4096;

/// The answer to a review: admitted, perhaps changed, perhaps with warnings; or refused, with all the reasons.
#[derive(Debug, Default)]
pub struct Answer {
    patch: Option<Patch>,
    warnings: Vec<String>,
    refusal: Option<String>,
    causes: Vec<Cause>,
}

/// One reason of a refusal, for programs: a cause of `metav1.Status`.
#[derive(Clone, Debug, Serialize)]
pub struct Cause {
    /// The finding's code.
    pub reason: &'static str,
    /// Why, and the way out.
    pub message: String,
    /// Where in the object.
    pub field: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
}

#[derive(Serialize)]
#[allow(
    clippy::struct_field_names,
    reason = "the names are the API server's own"
)]
struct Status<'a> {
    status: &'static str,
    reason: &'static str,
    code: u16,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
}

#[derive(Serialize)]
struct Details<'a> {
    causes: &'a [Cause],
}

impl Answer {
    /// Admitted as it is.
    pub fn allowed() -> Self {
        Self::default()
    }

    /// Admitted with these changes; none is the same as [`Answer::allowed`].
    pub fn patched(patch: Patch) -> Self {
        Self {
            patch: (!patch.0.is_empty()).then_some(patch),
            ..Self::default()
        }
    }

    /// Refused with 403, for this reason.
    pub fn denied(message: String) -> Self {
        Self {
            refusal: Some(message),
            ..Self::default()
        }
    }

    /// The same refusal with its reasons one by one.
    #[must_use]
    pub fn with_causes(mut self, causes: impl IntoIterator<Item = Cause>) -> Self {
        self.causes.extend(causes);
        self
    }

    /// The same answer with warnings, which `kubectl` shows.
    #[must_use]
    pub fn with_warnings(mut self, warnings: impl IntoIterator<Item = String>) -> Self {
        let mut left = MAX_WARNINGS_CHARS;
        for warning in warnings {
            let warning = shorten(warning);
            let Some(rest) = left.checked_sub(warning.chars().count()) else {
                break;
            };
            left = rest;
            self.warnings.push(warning);
        }
        self
    }

    /// Whether it is admitted.
    pub fn is_allowed(&self) -> bool {
        self.refusal.is_none()
    }

    /// Whether it is changed.
    pub fn is_patched(&self) -> bool {
        self.patch.is_some()
    }

    /// Whether there is something to tell though it is admitted.
    pub fn has_warnings(&self) -> bool {
        !self.warnings.is_empty()
    }

    /// The review that answers the one with this uid, in JSON.
    pub fn encode(&self, uid: &str) -> Result<Bytes, serde_json::Error> {
        let patch = self.patch.as_ref().map(serde_json::to_vec).transpose()?;
        let review = Review {
            api_version: "admission.k8s.io/v1",
            kind: "AdmissionReview",
            response: Response {
                uid,
                allowed: self.is_allowed(),
                patch_type: patch.is_some().then_some("JSONPatch"),
                patch: patch.map(|patch| STANDARD.encode(patch)),
                warnings: &self.warnings,
                status: self.refusal.as_deref().map(|message| Status {
                    status: "Failure",
                    reason: "Forbidden",
                    code: 403,
                    message,
                    details: (!self.causes.is_empty()).then_some(Details {
                        causes: &self.causes,
                    }),
                }),
            },
        };
        serde_json::to_vec(&review).map(Bytes::from)
    }
}

fn shorten(warning: String) -> String {
    if warning.chars().count() <= MAX_WARNING_CHARS {
        return warning;
    }
    let mut short: String = warning.chars().take(MAX_WARNING_CHARS - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_warning_is_cut_to_what_the_api_server_takes() {
        let answer = Answer::allowed().with_warnings(["ü".repeat(300), "short".to_owned()]);
        assert_eq!(answer.warnings[0].chars().count(), 256);
        assert!(answer.warnings[0].ends_with('…'));
        assert_eq!(answer.warnings[1], "short");
    }

    #[test]
    fn warnings_beyond_what_the_api_server_takes_together_are_left_out() {
        let answer = Answer::allowed().with_warnings(vec!["x".repeat(256); 20]);
        assert_eq!(answer.warnings.len(), 16);
    }

    #[test]
    fn a_patch_without_operations_is_no_patch() {
        let answer = Answer::patched(Patch(Vec::new())).encode("1").unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(
            answer,
            serde_json::json!({
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": {"uid": "1", "allowed": true},
            })
        );
    }
}
