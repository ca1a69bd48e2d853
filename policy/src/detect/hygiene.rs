//! Jobs whose settings mask failures, and labels that keep a pod from being a test.

use super::hit::{Hit, fingerprint};
use crate::finding::{self, Code};
use crate::inject;
use crate::merge::Effective;
use crate::platform::{Label, Platform};
use crate::view::{Kind, Object};

/// What is wrong with the Job around the pod.
pub(crate) fn of_job(object: &Object<'_>, hits: &mut Vec<Hit>) {
    let (Some(job), Some(path)) = (object.job(), object.kind().job_path()) else {
        return;
    };
    let path = path.join(".");
    let mut hit = |code: &'static Code, path: String, what: String, message: String| {
        hits.push(plain(code, path, &what, message));
    };
    if let Some(limit) = job.backoff_limit.filter(|limit| *limit > 0) {
        let message =
            format!("backoffLimit is {limit}: a test that fails and then passes ends green");
        hit(
            &finding::RETRIES,
            format!("{path}.backoffLimit"),
            limit.to_string(),
            message,
        );
    }
    let spec = object.pod().spec;
    if let Some(spec) = spec.filter(|spec| &*spec.restart_policy == "OnFailure") {
        let at = format!("{}.spec.restartPolicy", object.kind().pod_path().join("."));
        let message =
            "restartPolicy is OnFailure: a failed test is started again over its own leftovers";
        hit(
            &finding::RESTART_POLICY,
            at,
            spec.restart_policy.to_string(),
            message.to_owned(),
        );
    }
    let of_pod = spec.and_then(|spec| spec.active_deadline_seconds);
    if job.active_deadline_seconds.or(of_pod).is_none() {
        let message = "nothing ends a test that hangs".to_owned();
        hit(
            &finding::NO_DEADLINE,
            format!("{path}.activeDeadlineSeconds"),
            String::new(),
            message,
        );
    }
}

/// A label that keeps the pods from being test pods.
pub(crate) fn of_label(object: &Object<'_>, platform: &Platform, hits: &mut Vec<Hit>) {
    let label = &platform.label;
    let pod = object.pod();
    if object.kind() != Kind::Pod
        && object.label(&label.key) == Some(&label.value)
        && let Some(other) = pod.label(&label.key).filter(|other| *other != label.value)
    {
        let message = format!(
            "the object has {}={}, its pod template has another value under {}; its pods would not be tests",
            label.key, label.value, label.key
        );
        let path = label_path(object, label);
        hits.push(plain(&finding::OTHER_LABEL, path, other, message));
    }
}

/// The label that an update takes away from the pods.
pub(crate) fn of_label_taken(
    object: &Object<'_>,
    old: &Object<'_>,
    platform: &Platform,
    hits: &mut Vec<Hit>,
) {
    let label = &platform.label;
    let labelled = |object: &Object<'_>| object.pod().label(&label.key) == Some(&label.value);
    if labelled(old) && !labelled(object) {
        let message = format!("the label {}={} is taken away", label.key, label.value);
        let path = label_path(object, label);
        hits.push(plain(&finding::LABEL_REMOVED, path, "", message));
    }
}

/// Where the label is on the pod or its template.
fn label_path(object: &Object<'_>, label: &Label) -> String {
    let path = object.kind().pod_path().iter().copied();
    let path: Vec<&str> = path.chain(["metadata"]).collect();
    format!("{}.labels[{}]", path.join("."), label.key)
}

/// Whether the pod is as it was injected, or can be once it is made of its template.
pub(crate) fn of_reporter(
    object: &Object<'_>,
    platform: &Platform,
    effective: &Effective<'_>,
    hits: &mut Vec<Hit>,
) {
    let is_judged = matches!(object.kind(), Kind::Pod | Kind::Job | Kind::CronJob);
    if is_judged && platform.label.selects(object) {
        let differences = inject::differences(object, platform, effective).into_iter();
        hits.extend(
            differences.map(|one| plain(&finding::NOT_INJECTED, one.path, &one.is, one.message)),
        );
    }
}

fn plain(code: &'static Code, path: String, what: &str, message: String) -> Hit {
    Hit {
        code,
        path,
        message,
        suggestion: code.way_out.to_owned(),
        name: None,
        fingerprint: fingerprint(what),
    }
}
