//! The API server's side of admission: objects sent to the webhook over TLS, as `AdmissionReview`s.

use json_patch::Patch;
use serde::Serialize;
use serde_json::{Value, json};

use super::DemoError;
use super::https::Client;

/// What became of an example.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Admitted {
    /// The object's name.
    pub(super) name: String,
    /// Whether it was admitted.
    pub(super) allowed: bool,
    /// Why not.
    pub(super) findings: Vec<Cause>,
    /// The object as it would be stored.
    #[serde(skip)]
    pub(super) object: Value,
}

/// One reason of a refusal.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cause {
    /// The finding's code.
    pub(super) code: String,
    /// Where in the object.
    pub(super) path: String,
    /// Why, and the way out.
    pub(super) message: String,
}

/// Sends an object through both phases, as its creation would.
pub(super) fn admit(webhook: &Client, mut object: Value) -> Result<Admitted, DemoError> {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let name = match text("/metadata/name") {
        empty if empty.is_empty() => text("/metadata/generateName"),
        name => name,
    };

    let mutated = review(webhook, "/mutate", &object)?;
    if let Some(patch) = mutated.pointer("/response/patch").and_then(Value::as_str) {
        let patch = patch_of(patch)?;
        json_patch::patch(&mut object, &patch)
            .map_err(|source| DemoError::answer("/mutate", source))?;
    }
    let validated = review(webhook, "/validate", &object)?;
    let cause = |cause: &Value| {
        let part = |name: &str| {
            cause
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Cause {
            code: part("reason"),
            path: part("field"),
            message: part("message"),
        }
    };
    let findings = validated
        .pointer("/response/status/details/causes")
        .and_then(Value::as_array)
        .map(|causes| causes.iter().map(cause).collect())
        .unwrap_or_default();
    let allowed = validated.pointer("/response/allowed") == Some(&Value::Bool(true));
    Ok(Admitted {
        name,
        allowed,
        findings,
        object,
    })
}

fn review(webhook: &Client, path: &'static str, object: &Value) -> Result<Value, DemoError> {
    let (group, resource) = match object.get("kind").and_then(Value::as_str) {
        Some("Job") => ("batch", "jobs"),
        Some("CronJob") => ("batch", "cronjobs"),
        _ => ("", "pods"),
    };
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "00000000-0000-4000-8000-000000000000",
            "kind": { "group": group, "version": "v1", "kind": object.get("kind") },
            "resource": { "group": group, "version": "v1", "resource": resource },
            "namespace": object.pointer("/metadata/namespace"),
            "name": object.pointer("/metadata/name").unwrap_or(&json!("")),
            "operation": "CREATE",
            "userInfo": { "username": "demo" },
            "object": object,
            "dryRun": false,
        },
    });
    webhook.post(path, &review)
}

fn patch_of(encoded: &str) -> Result<Patch, DemoError> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(encoded)
        .map_err(|source| DemoError::answer("/mutate", source))?;
    serde_json::from_slice(&bytes).map_err(|source| DemoError::answer("/mutate", source))
}

/// The pod that the Job controller would create for a Job.
pub(super) fn pod_of(job: &Value) -> Value {
    let empty = json!({});
    let template = job.pointer("/spec/template").unwrap_or(&empty);
    let name = job
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or("job");
    let mut labels = template
        .pointer("/metadata/labels")
        .cloned()
        .unwrap_or_else(|| json!({}));
    if let Some(labels) = labels.as_object_mut() {
        labels.insert("batch.kubernetes.io/job-name".to_owned(), name.into());
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("{name}-x7k2p"),
            "namespace": job.pointer("/metadata/namespace"),
            "labels": labels,
        },
        "spec": template.get("spec"),
    })
}
