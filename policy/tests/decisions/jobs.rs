//! What Jobs and CronJobs are given, and what an update brings in.

use super::*;

#[test]
fn a_job_is_given_the_label_and_what_it_did_not_set() {
    let stored = Cluster::new(&[], &[]).stored(Kind::Job, &job_with(json!({ "image": "x" })));
    let spec = &stored["spec"];
    assert_eq!(spec["backoffLimit"], 0);
    assert_eq!(spec["ttlSecondsAfterFinished"], 3600);
    assert_eq!(spec["activeDeadlineSeconds"], 3600);
    assert_eq!(spec["template"]["spec"]["restartPolicy"], "Never");
    assert_eq!(
        spec["template"]["metadata"]["labels"]["component"],
        "e2e-test"
    );
    assert_eq!(
        spec["template"]["spec"]["containers"],
        json!([{ "image": "x", "name": "test-runner" }])
    );
}

#[test]
fn what_a_job_sets_itself_is_kept_and_warned_of() {
    let mut job = job_with(json!({}));
    job["spec"]["backoffLimit"] = json!(3);
    job["spec"]["template"]["spec"]["restartPolicy"] = json!("OnFailure");
    let findings = Cluster::new(&[], &[]).applied(Kind::Job, &job);
    assert_eq!(
        codes(&findings),
        [("PRC301", Mode::Warn), ("PRC302", Mode::Warn)]
    );
    assert!(allowed(&findings));
}

#[test]
fn another_value_under_the_labels_key_is_refused() {
    let mut job = job_with(json!({}));
    job["spec"]["template"]["metadata"]["labels"]["component"] = json!("backend");
    let cluster = Cluster::new(&[], &[]);
    assert_eq!(
        codes(&cluster.applied(Kind::Job, &job)),
        [("PRC401", Mode::Enforce)]
    );
    let stored = cluster.stored(Kind::Job, &job);
    assert_eq!(
        stored["spec"]["template"]["metadata"]["labels"]["component"],
        "backend"
    );
}

#[test]
fn a_running_job_is_left_alone_and_a_cron_job_is_not() {
    let cluster = Cluster::new(&[], &[]);
    let changes = |kind, object: &Value| {
        cluster.with(
            kind,
            object,
            Operation::Update,
            |compiled, object, context| compiled.mutate(object, context).changes.len(),
        )
    };
    let job = job_with(json!({}));
    assert_eq!(changes(Kind::Job, &job), 0);
    let spec = json!({ "jobTemplate": { "spec": job["spec"] } });
    assert!(
        changes(
            Kind::CronJob,
            &json!({ "metadata": job["metadata"], "spec": spec })
        ) > 0
    );
}

#[test]
fn an_update_is_refused_only_for_what_it_brings_in() {
    let cluster = Cluster::new(&[], &[]);
    let env = |value: &str| job_with(json!({ "env": [{ "name": "JWT_SECRET", "value": value }] }));
    let label = |mut job: Value, value: &str| {
        job["spec"]["template"]["metadata"] = json!({ "labels": { "component": value } });
        job["spec"]["activeDeadlineSeconds"] = json!(60);
        job
    };
    let old = label(env("one"), "e2e-test");
    assert_eq!(cluster.updated(Kind::Job, &old, &old), []);
    let other = label(env("two"), "e2e-test");
    assert_eq!(
        codes(&cluster.updated(Kind::Job, &old, &other)),
        [("PRC101", Mode::Enforce)]
    );
    let mut unlabelled = old.clone();
    unlabelled["spec"]["template"]["metadata"] = json!({});
    assert_eq!(
        codes(&cluster.updated(Kind::Job, &old, &unlabelled)),
        [("PRC403", Mode::Enforce)]
    );
}

#[test]
fn the_update_that_makes_an_object_a_test_brings_in_all_that_is_in_it() {
    let cluster = Cluster::new(&[], &[]);
    let container =
        json!({ "name": "test-runner", "env": [{ "name": "JWT_SECRET", "value": "x" }] });
    let labels = json!({ "labels": { "component": "e2e-test" } });
    let job = json!({
        "activeDeadlineSeconds": 60,
        "template": { "metadata": labels, "spec": { "containers": [container] } },
    });
    let cases = [
        (Kind::Pod, json!({ "containers": [container] })),
        (Kind::Job, job.clone()),
        (Kind::CronJob, json!({ "jobTemplate": { "spec": job } })),
    ];
    for (kind, spec) in cases {
        let labelled = json!({ "metadata": labels, "spec": spec });
        let mut unlabelled = labelled.clone();
        unlabelled["metadata"] = json!({});
        for path in ["/spec/template", "/spec/jobTemplate/spec/template"] {
            if let Some(template) = unlabelled.pointer_mut(path) {
                template["metadata"] = json!({});
            }
        }
        assert_eq!(
            codes(&cluster.updated(kind, &unlabelled, &labelled)),
            [("PRC101", Mode::Enforce)],
            "{kind:?}"
        );
        assert_eq!(cluster.updated(kind, &labelled, &labelled), [], "{kind:?}");
        assert_eq!(
            codes(&cluster.updated(kind, &labelled, &unlabelled)),
            [("PRC403", Mode::Enforce)],
            "{kind:?}"
        );
    }
}

#[test]
fn another_value_under_the_labels_key_that_was_there_before_holds_no_update_up() {
    let cluster = Cluster::new(&[], &[]);
    let mut old = job_with(json!({}));
    old["spec"]["activeDeadlineSeconds"] = json!(60);
    old["spec"]["template"]["metadata"] = json!({ "labels": { "component": "backend" } });
    let mut new = old.clone();
    new["metadata"]["annotations"] = json!({ "note": "changed" });
    assert_eq!(cluster.updated(Kind::Job, &old, &new), []);
    old["metadata"]["labels"] = json!({});
    assert_eq!(
        codes(&cluster.updated(Kind::Job, &old, &new)),
        [("PRC401", Mode::Enforce)]
    );
}
