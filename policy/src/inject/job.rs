//! What a Job or CronJob is given: the label on its pod template, and fields that the user did not set.
//!
//! The API server's own defaults count as unset: it fills them in before admission, so that a webhook cannot tell them apart.

use proctor_api::RestartPolicy;
use serde_json::{Value, json};

use super::containers::expect_tests;
use super::edit::{At, Edit};
use super::reporter;
use crate::merge::Effective;
use crate::platform::Platform;
use crate::view::Object;

const DEFAULT_BACKOFF_LIMIT: i64 = 6;
const DEFAULT_RESTART_POLICY: &str = "Always";

pub(super) fn supply(object: &Object<'_>, platform: &Platform, effective: &Effective<'_>) -> Edit {
    let mut edit = Edit::default();
    let (Some(job), Some(job_path)) = (object.job(), object.kind().job_path()) else {
        return edit;
    };
    let pod = object.pod();
    // Without containers it is no Job yet; the API server says so better.
    let Some(spec) = pod.spec else {
        return edit;
    };
    // What its pods will not be given is told to whoever applies it: nobody sees the answers to the Job controller.
    let tests = expect_tests(pod, &mut edit);
    reporter::plan(pod, &tests, platform, effective, &mut edit);
    let at = At::new(job_path);
    let template = At::new(object.kind().pod_path());
    let label = &platform.label;

    if pod.label(&label.key).is_none() {
        let metadata = template.field("metadata");
        let value = json!({ label.key.clone(): label.value });
        match pod.metadata {
            None => edit.add(metadata, json!({ "labels": value })),
            Some(known) => edit.entries(
                &metadata.field("labels"),
                known.labels.is_present(),
                vec![(label.key.clone(), Value::from(label.value.clone()))],
            ),
        }
        edit.changed(format!(
            "label {}={} on the pod template",
            label.key, label.value
        ));
    }

    let defaults = &effective.job;
    let mut set = |field: &str, at: At, now: Option<Value>, is: Option<Value>| {
        let Some(value) = now else { return };
        match is {
            None => edit.add(at, value.clone()),
            Some(is) if is == value => return,
            Some(_) => edit.replace(at, value.clone()),
        }
        edit.changed(format!("{field}: {value}").replace('"', ""));
    };
    let field = "backoffLimit";
    match (job.backoff_limit, job.backoff_limit_per_index) {
        (None, None) | (Some(DEFAULT_BACKOFF_LIMIT), _) => set(
            field,
            at.field(field),
            defaults.backoff_limit.map(Value::from),
            job.backoff_limit.map(Value::from),
        ),
        _ => {}
    }
    let field = "ttlSecondsAfterFinished";
    if job.ttl_seconds_after_finished.is_none() {
        let value = defaults.ttl_seconds_after_finished.map(Value::from);
        set(field, at.field(field), value, None);
    }
    let field = "activeDeadlineSeconds";
    if job.active_deadline_seconds.is_none() {
        let value = defaults.active_deadline_seconds.map(Value::from);
        set(field, at.field(field), value, None);
    }
    let field = "restartPolicy";
    if spec.restart_policy.is_empty() || &*spec.restart_policy == DEFAULT_RESTART_POLICY {
        let is = (!spec.restart_policy.is_empty()).then(|| Value::from(&*spec.restart_policy));
        let value = defaults.restart_policy.map(|policy| match policy {
            RestartPolicy::Never => Value::from("Never"),
            RestartPolicy::OnFailure => Value::from("OnFailure"),
        });
        set(field, template.field("spec").field(field), value, is);
    }
    edit
}
