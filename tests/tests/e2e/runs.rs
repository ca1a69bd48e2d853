//! TestRuns as a user sees them, and their artifacts as a reader gets them.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use proctor_tests::{Cluster, Image, SYSTEM_NAMESPACE, until};
use serde_json::{Value, json};

/// How long a run may take from its Job to its verdict; many times what it takes, as the machine may be busy.
const RUN_DEADLINE: Duration = Duration::from_mins(3);

/// The completed run of a Job, waited for.
pub(crate) fn of_job(cluster: &Cluster, namespace: &str, job: &str) -> Result<Value> {
    let selector = format!("batch.kubernetes.io/job-name={job}");
    completed(cluster, namespace, &["-l", &selector])
}

/// The one completed run that a selection yields, waited for.
pub(crate) fn completed(cluster: &Cluster, namespace: &str, selection: &[&str]) -> Result<Value> {
    let arguments = [&["testruns", "-n", namespace], selection].concat();
    until(
        &format!("a completed run in {namespace}"),
        RUN_DEADLINE,
        || {
            let list = cluster.get(&arguments)?;
            let items = list["items"].as_array().context("a list")?;
            let Some(run) = items.first() else {
                bail!("there is no run yet");
            };
            if condition(run, "Completed").is_none() {
                bail!("the run is not completed: {}", run["status"]);
            }
            Ok(Some(run.clone()))
        },
    )
}

/// The status of a condition, where it is set.
pub(crate) fn condition<'a>(run: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = run["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)?["status"]
        .as_str()
}

/// `[tests, passed, failed, errors, skipped]`
pub(crate) fn counts(run: &Value) -> [i64; 5] {
    ["tests", "passed", "failed", "errors", "skipped"]
        .map(|name| run["status"]["counts"][name].as_i64().unwrap_or(-1))
}

/// Reads a file of a run from the collector, as a service account of the namespace that may read TestRuns.
pub(crate) fn artifact(
    cluster: &Cluster,
    namespace: &str,
    run: &Value,
    path: &str,
) -> Result<String> {
    let name = run["metadata"]["name"].as_str().context("a name")?;
    let address = format!(
        "https://proctor-collector.{SYSTEM_NAMESPACE}.svc:8443/v1/namespaces/{namespace}/runs/{name}/{path}"
    );
    let bundle = cluster.get(&[
        "configmap",
        "proctor-collector-bundle",
        "-n",
        SYSTEM_NAMESPACE,
    ])?;
    let authority = bundle["data"]["ca.crt"]
        .as_str()
        .context("the collector's bundle")?;
    let pod = format!("reader-{:x}", fingerprint(&address));
    cluster.apply(&reader(namespace, &pod, &address, authority).to_string())?;
    let phase = until("the reader to end", RUN_DEADLINE, || {
        let phase = cluster.get(&["pod", &pod, "-n", namespace])?["status"]["phase"].clone();
        match phase.as_str() {
            Some("Succeeded" | "Failed") => Ok(Some(phase)),
            _ => bail!("it is {phase}"),
        }
    })?;
    let words = cluster.kubectl(&["logs", &pod, "-n", namespace])?;
    if phase != "Succeeded" {
        bail!("{path} could not be read:\n{words}");
    }
    Ok(words)
}

/// A service account with the cluster's `view`, and a pod of it that prints what it reads.
fn reader(namespace: &str, pod: &str, address: &str, authority: &str) -> Value {
    let program = "
import os, ssl, sys, urllib.request
token = open('/token/token').read()
request = urllib.request.Request(os.environ['ADDRESS'], headers={'Proctor-Token': token})
context = ssl.create_default_context(cadata=os.environ['AUTHORITY'])
sys.stdout.buffer.write(urllib.request.urlopen(request, context=context, timeout=30).read())
";
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "reader", "namespace": namespace } },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": { "name": "reader", "namespace": namespace },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view" },
            "subjects": [{ "kind": "ServiceAccount", "name": "reader", "namespace": namespace }],
        },
        {
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": pod, "namespace": namespace },
            "spec": {
                "restartPolicy": "Never",
                "serviceAccountName": "reader",
                "securityContext": { "runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": { "type": "RuntimeDefault" } },
                "containers": [{
                    "name": "reader",
                    "image": Image::Pytest.name(),
                    "command": ["python3", "-c", program],
                    "env": [{ "name": "ADDRESS", "value": address }, { "name": "AUTHORITY", "value": authority }],
                    "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
                    "volumeMounts": [{ "name": "token", "mountPath": "/token" }],
                }],
                "volumes": [{
                    "name": "token",
                    "projected": { "sources": [{ "serviceAccountToken": { "audience": "proctor-collector-read", "path": "token" } }] },
                }],
            },
        },
    ] })
}

/// A short name for a text; collisions within a test would only be confusing.
fn fingerprint(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
