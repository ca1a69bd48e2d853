//! What pods are given.

use super::*;

#[test]
fn a_pod_is_given_the_reporter_as_the_data_flow_says() {
    let cluster = Cluster::on(reporting(), &[], &[]);
    let pod = json!({
        "metadata": { "labels": { "component": "e2e-test" } },
        "spec": {
            "securityContext": { "runAsUser": 1000 },
            "initContainers": [{ "name": "mesh", "restartPolicy": "Always" }, { "name": "migrate" }],
            "containers": [{ "name": "test-runner", "command": ["pytest"], "args": ["-v"] }, { "name": "other", "command": ["x"] }],
        },
    });
    let stored = cluster.stored(Kind::Pod, &pod);
    let spec = &stored["spec"];
    let names: Vec<&str> = spec["initContainers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["mesh", "proctor-reporter", "migrate"]);
    let reporter = &spec["initContainers"][1];
    assert_eq!(reporter["args"], json!(["report"]));
    assert_eq!(reporter["restartPolicy"], "Always");
    assert_eq!(reporter["securityContext"]["runAsUser"], 1000);
    assert_eq!(
        reporter["lifecycle"]["postStart"]["exec"]["command"],
        json!(["/proctor-sidecar", "install"])
    );
    let test = &spec["containers"][0];
    assert_eq!(
        test["command"],
        json!([
            "/proctor/bin/exec",
            "--container",
            "test-runner",
            "--",
            "pytest"
        ])
    );
    assert_eq!(test["args"], json!(["-v"]));
    assert_eq!(
        test["volumeMounts"],
        json!([{ "name": "proctor", "mountPath": "/proctor" }])
    );
    assert_eq!(
        test["env"],
        json!([{ "name": "PYTEST_ADDOPTS", "value": "--junitxml=/proctor/reports/test-runner/junit.xml" }])
    );
    assert_eq!(
        spec["containers"][1],
        json!({ "name": "other", "command": ["x"] })
    );
    assert_eq!(spec["imagePullSecrets"], json!([{ "name": "mirror" }]));
    assert_eq!(
        stored["metadata"]["annotations"]["proctor.dev/applied"],
        "built-in"
    );
    assert_eq!(cluster.applied(Kind::Pod, &pod), []);
}

#[test]
fn a_pod_that_lost_its_reporter_is_refused() {
    let cluster = Cluster::on(reporting(), &[], &[]);
    let pod = json!({
        "metadata": { "labels": { "component": "e2e-test" } },
        "spec": { "containers": [{ "name": "test-runner", "command": ["pytest"] }] },
    });
    let mut stored = cluster.stored(Kind::Pod, &pod);
    let review = |pod: &Value| {
        cluster.with(
            Kind::Pod,
            pod,
            Operation::Create,
            |compiled, object, context| compiled.review(object, None, context),
        )
    };
    assert_eq!(review(&stored), []);
    stored["spec"]["initContainers"][0]["image"] = json!("evil");
    assert_eq!(codes(&review(&stored)), [("PRC402", Mode::Enforce)]);
    assert_eq!(codes(&review(&pod)), [("PRC402", Mode::Enforce)]);
}

#[test]
fn without_a_reporter_all_the_rest_works() {
    let policy = "{metadata: {name: p}, spec: {inject: {envFrom: [{secretRef: {name: db}}]}}}";
    let pod = json!({
        "metadata": { "labels": { "component": "e2e-test" } },
        "spec": { "containers": [{ "name": "tests", "command": ["pytest"] }] },
    });
    let stored = Cluster::new(&[policy], &[]).stored(Kind::Pod, &pod);
    let container = &stored["spec"]["containers"][0];
    assert_eq!(container["command"], json!(["pytest"]));
    assert_eq!(
        container["envFrom"],
        json!([{ "secretRef": { "name": "db" } }])
    );
    assert_eq!(container["resources"]["limits"]["memory"], "2Gi");
    assert!(stored["spec"].get("initContainers").is_none());
}

#[test]
fn large_limits_are_lowered_and_the_change_is_told() {
    let policy = "{metadata: {name: p}, spec: {inject: {resources: {max: {memory: 1Gi}}}}}";
    let pod = json!({
        "metadata": { "labels": { "component": "e2e-test" } },
        "spec": { "containers": [{ "name": "tests", "resources": { "limits": { "memory": "8Gi" }, "requests": { "memory": "4Gi" } } }] },
    });
    let stored = Cluster::new(&[policy], &[]).stored(Kind::Pod, &pod);
    let resources = &stored["spec"]["containers"][0]["resources"];
    assert_eq!(resources["limits"]["memory"], "1Gi");
    assert_eq!(resources["requests"]["memory"], "1Gi");
    let changes = stored["metadata"]["annotations"]["proctor.dev/changes"]
        .as_str()
        .unwrap();
    assert!(
        changes.contains("tests: memory limit lowered from 8Gi to 1Gi"),
        "{changes}"
    );
}
