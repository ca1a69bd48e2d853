//! The life of an install on a cluster of its own: switched off, removed, and made again with the other Helm.
//!
//! One test, because each step needs what the step before it left.

#![allow(
    clippy::indexing_slicing,
    reason = "a panic fails the test, which is what is wanted"
)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use proctor_tests::suite::{self, Function};
use proctor_tests::{
    Cluster, HelmVersion, Image, Namespace, PodSecurity, RELEASE, SYSTEM_NAMESPACE, Setup, Test,
    until,
};
use serde_json::{Value, json};

const TESTS: &[(&str, Function)] = &[(
    "an_install_is_switched_off_removed_and_made_again",
    the_life_of_an_install,
)];

fn main() -> ExitCode {
    suite::run("lifecycle", Setup::Proctor, TESTS)
}

/// A labelled Job that ends when its pod finds the ConfigMap key it waits for.
fn job(name: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": { "name": name, "labels": { "component": "e2e-test" } },
        "spec": { "template": { "spec": {
            "restartPolicy": "Never",
            "securityContext": { "runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "test-runner",
                "image": Image::Busybox.name(),
                "command": ["sh", "-c", "while ! nslookup go.$NAMESPACE.svc.cluster.local; do sleep 1; done; echo 'ok 1 - released'; echo 1..1"],
                "env": [{ "name": "NAMESPACE", "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } } }],
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
            }],
        } } },
    })
}

/// What releases the Jobs of a namespace: a Service whose name they look up.
fn release(namespace: &Namespace) -> Result<()> {
    namespace
        .kubectl(&["create", "service", "clusterip", "go", "--tcp=80"])
        .map(drop)
}

fn the_life_of_an_install(test: &Test) -> Result<()> {
    let cluster = test.cluster();
    switched_off_it_stops_nothing_that_runs(test).context("with all replicas at zero")?;
    removed_it_leaves_nothing_that_can_block_a_pod(test).context("after helm uninstall")?;
    made_again_with_helm_4_it_works(test).context("with Helm 4")?;
    ensure!(
        cluster.get(&["testruns", "-A"])?["items"]
            .as_array()
            .is_some_and(|runs| !runs.is_empty()),
        "the runs of the first install are gone"
    );
    Ok(())
}

fn switched_off_it_stops_nothing_that_runs(test: &Test) -> Result<()> {
    let cluster = test.cluster();
    let namespace = test.namespace(PodSecurity::Restricted)?;
    let namespace = &namespace;
    namespace.accepts("a Job", &job("running").to_string())?;
    namespace.accepts("another Job", &job("deleted").to_string())?;
    for name in ["running", "deleted"] {
        namespace.wait_for("a running test pod", &["job", name], |job| {
            job["status"]["ready"] == 1
        })?;
    }

    cluster.kubectl(&[
        "scale",
        "deployment",
        "proctor-webhook",
        "-n",
        SYSTEM_NAMESPACE,
        "--replicas=0",
    ])?;
    let selector = "app.kubernetes.io/component=webhook";
    until(
        "the webhook's pods to be gone",
        Duration::from_mins(2),
        || {
            let pods = cluster.get(&["pods", "-n", SYSTEM_NAMESPACE, "-l", selector])?;
            Ok(pods["items"]
                .as_array()
                .is_some_and(Vec::is_empty)
                .then_some(()))
        },
    )?;
    let words = namespace.rejects(
        "a new test Job while Proctor is down",
        &job("new").to_string(),
    )?;
    ensure!(words.contains("proctor"), "{words}");

    namespace.kubectl(&["delete", "job", "deleted", "--timeout=90s"])?;
    release(namespace)?;
    namespace.wait_for("the running Job to complete", &["job", "running"], |job| {
        job["status"]["succeeded"] == 1
    })?;
    // Finalizers, suspension and deletion all go through updates that the API server keeps to itself.
    namespace.kubectl(&[
        "delete",
        "job",
        "running",
        "--timeout=90s",
        "--cascade=foreground",
    ])?;
    cluster.kubectl(&["delete", "namespace", namespace.name(), "--timeout=90s"])?;
    cluster
        .kubectl(&["create", "namespace", namespace.name()])
        .map(drop)
}

fn removed_it_leaves_nothing_that_can_block_a_pod(test: &Test) -> Result<()> {
    let cluster = test.cluster();
    cluster.helm(
        HelmVersion::V3,
        &["uninstall", RELEASE, "-n", SYSTEM_NAMESPACE, "--wait"],
    )?;
    for kind in [
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "clusterroles",
        "clusterrolebindings",
        "validatingadmissionpolicies",
        "mutatingadmissionpolicies",
    ] {
        let left = cluster.kubectl(&["get", kind, "-o", "name"])?;
        ensure!(!left.contains("proctor"), "left behind:\n{left}");
    }
    // Pods end in the background, within their grace period.
    until(
        "the install's own objects to be gone",
        Duration::from_mins(2),
        || {
            let kinds = "all,secrets,configmaps";
            let left = cluster.kubectl(&["get", kinds, "-n", SYSTEM_NAMESPACE, "-o", "name"])?;
            ensure!(!left.contains("proctor"), "left behind:\n{left}");
            Ok(Some(()))
        },
    )?;

    let namespace = test.namespace(PodSecurity::Restricted)?;
    release(&namespace)?;
    namespace.accepts("a labelled Job without Proctor", &job("free").to_string())?;
    namespace.wait_for("the Job to complete", &["job", "free"], |job| {
        job["status"]["succeeded"] == 1
    })?;
    Ok(())
}

fn made_again_with_helm_4_it_works(test: &Test) -> Result<()> {
    let cluster: &Cluster = test.cluster();
    // Everything the chart installs meets the strictest level.
    cluster.kubectl(&[
        "label",
        "namespace",
        SYSTEM_NAMESPACE,
        "pod-security.kubernetes.io/enforce=restricted",
    ])?;
    let chart = Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("charts")
        .join("proctor");
    let chart = chart.to_str().context("a path")?;
    let values = "--set=image.server.tag=dev,image.sidecar.tag=dev";
    // Definitions and volume of the first install stayed, and belong to no release now.
    cluster.helm(
        HelmVersion::V4,
        &[
            "install",
            RELEASE,
            chart,
            "-n",
            SYSTEM_NAMESPACE,
            "--wait",
            "--timeout=3m",
            "--take-ownership",
            values,
        ],
    )?;

    let bundle = || -> Result<Value> {
        let configuration = cluster.get(&["mutatingwebhookconfiguration", "proctor"])?;
        Ok(configuration["webhooks"][0]["clientConfig"]["caBundle"].clone())
    };
    let before = bundle()?;
    ensure!(before.is_string(), "there is no caBundle");
    // An upgrade leaves what the webhook wrote alone.
    let change = "--set=webhook.logLevel=debug";
    cluster.helm(
        HelmVersion::V4,
        &[
            "upgrade",
            RELEASE,
            chart,
            "-n",
            SYSTEM_NAMESPACE,
            "--wait",
            "--timeout=3m",
            values,
            change,
        ],
    )?;
    ensure!(bundle()? == before, "the upgrade took the caBundle away");

    let namespace = test.namespace(PodSecurity::Restricted)?;
    release(&namespace)?;
    namespace.accepts("a Job", &job("again").to_string())?;
    let runs = ["testruns", "-l", "batch.kubernetes.io/job-name=again"];
    namespace.wait_for("the run to pass", &runs, |runs| {
        runs["items"][0]["status"]["verdict"] == "Passed"
    })?;
    Ok(())
}
