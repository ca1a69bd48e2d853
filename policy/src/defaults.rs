//! What the API server fills in before admission, in the fields that are judged.
//!
//! Source: `pkg/apis/{core,batch}/v1/defaults.go` of Kubernetes 1.36. A webhook sees objects after this; who reads files applies it first, so
//! that both decide on the same.

use serde_json::{Map, Value, json};

use crate::view::Kind;

/// Fills in what the API server would, in the fields that are judged. What has not the shape of such an object is left alone.
///
/// ```
/// use proctor_policy::{Kind, set_defaults};
///
/// let mut job = serde_json::json!({"spec": {"template": {"spec": {"containers": []}}}});
/// set_defaults(Kind::Job, &mut job);
/// assert_eq!(job["spec"]["backoffLimit"], 6);
/// assert_eq!(job["spec"]["template"]["spec"]["restartPolicy"], "Always");
/// ```
pub fn set_defaults(kind: Kind, object: &mut Value) {
    if let Some(spec) = kind.job_path().and_then(|path| descend(object, path)) {
        let per_index = spec
            .get("backoffLimitPerIndex")
            .is_some_and(|value| !value.is_null());
        let limit = if per_index { i32::MAX } else { 6 };
        fill(spec, "backoffLimit", || json!(limit));
    }
    let Some(template) = descend(object, kind.pod_path()) else {
        return;
    };
    let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    fill(spec, "restartPolicy", || json!("Always"));
    fill(spec, "dnsPolicy", || json!("ClusterFirst"));
    fill(spec, "terminationGracePeriodSeconds", || json!(30));
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            // Only a pod's requests follow its limits; a template's do so once it is a pod.
            if kind == Kind::Pod {
                requests_follow_limits(container);
            }
        }
    }
}

fn requests_follow_limits(container: &mut Value) {
    let Some(resources) = container
        .get_mut("resources")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else {
        return;
    };
    fill(resources, "requests", || json!({}));
    if let Some(requests) = resources.get_mut("requests").and_then(Value::as_object_mut) {
        for (name, limit) in limits {
            fill(requests, &name, || limit);
        }
    }
}

fn descend<'v>(object: &'v mut Value, path: &[&str]) -> Option<&'v mut Map<String, Value>> {
    let mut inner = object;
    for field in path {
        inner = inner.get_mut(field)?;
    }
    inner.as_object_mut()
}

fn fill(object: &mut Map<String, Value>, field: &str, value: impl FnOnce() -> Value) {
    let slot = object.entry(field).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value();
    }
}
