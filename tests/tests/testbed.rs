//! What every other end-to-end test builds on: the node itself works.

#![allow(
    clippy::indexing_slicing,
    reason = "a panic fails the test, which is what is wanted"
)]

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use proctor_tests::node::NODE_NAME;
use proctor_tests::suite::{self, Function};
use proctor_tests::{Image, PodSecurity, Setup, Test, until};
use serde_json::{Value, json};

const TESTS: &[(&str, Function)] = &[
    ("the_node_is_ready", the_node_is_ready),
    (
        "a_pod_runs_and_its_log_is_read",
        a_pod_runs_and_its_log_is_read,
    ),
    ("pod_security_is_enforced", pod_security_is_enforced),
    (
        "a_service_is_found_by_name_from_pods_and_by_address_from_the_node",
        a_service_is_found,
    ),
    (
        "a_claim_without_a_class_gets_a_volume_that_its_group_can_write",
        a_claim_gets_a_volume,
    ),
    (
        "a_container_over_its_memory_limit_is_reported_as_oom_killed",
        a_container_is_oom_killed,
    ),
    (
        "an_image_that_was_not_loaded_is_refused_at_once",
        an_unknown_image_is_refused,
    ),
    (
        "nothing_outside_the_cluster_can_be_reached",
        nothing_outside_can_be_reached,
    ),
    (
        "a_component_that_dies_is_started_again",
        a_component_is_started_again,
    ),
];

const SOON: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    suite::run("testbed", Setup::Bare, TESTS)
}

fn the_node_is_ready(test: &Test) -> Result<()> {
    let node = test.cluster().get(&["node", NODE_NAME])?;
    let conditions = node
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .context("conditions")?;
    let ready = conditions
        .iter()
        .find(|condition| condition["type"] == "Ready")
        .context("Ready")?;
    ensure!(ready["status"] == "True", "{ready}");
    Ok(())
}

fn a_pod_runs_and_its_log_is_read(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    namespace.run_script("greeter", "echo hello")?;
    assert_eq!(
        namespace.ended("greeter")?,
        ("Succeeded".into(), "hello\n".into())
    );
    namespace.run_script("failing", "echo no; exit 3")?;
    assert_eq!(
        namespace.ended("failing")?,
        ("Failed".into(), "no\n".into())
    );
    Ok(())
}

fn pod_security_is_enforced(test: &Test) -> Result<()> {
    let as_root = pod(
        "root",
        &json!({ "image": Image::Busybox.name(), "command": ["id", "-u"] }),
    );
    let restricted = test.namespace(PodSecurity::Restricted)?;
    let words = restricted.rejects("a pod as root", &as_root)?;
    ensure!(words.contains("runAsNonRoot"), "{words}");
    let baseline = test.namespace(PodSecurity::Baseline)?;
    baseline.accepts("a pod as root", &as_root)?;
    assert_eq!(baseline.ended("root")?.1, "0\n");
    Ok(())
}

fn a_service_is_found(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    namespace.run_script(
        "server",
        "echo hello > /tmp/index.html; exec httpd -f -p 8080 -h /tmp",
    )?;
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "web" },
        "spec": { "selector": { "app": "server" }, "ports": [{ "port": 80, "targetPort": 8080 }] },
    });
    namespace.accepts("a Service", &service.to_string())?;
    let full = format!("web.{}.svc.cluster.local", namespace.name());
    let fetch = |url: &str| {
        format!("for try in $(seq 100); do wget -qO- {url} && exit; sleep 0.2; done; exit 1")
    };
    namespace.run_script("by-short-name", &fetch("http://web"))?;
    namespace.run_script("by-full-name", &fetch(&format!("http://{full}")))?;
    assert_eq!(
        namespace.ended("by-short-name")?.1.lines().last(),
        Some("hello")
    );
    assert_eq!(
        namespace.ended("by-full-name")?.1.lines().last(),
        Some("hello")
    );

    // The API server calls webhooks by the address of their Service, from the node's own network.
    let service = namespace.get(&["service", "web"])?;
    let address = service
        .pointer("/spec/clusterIP")
        .and_then(Value::as_str)
        .context("an address")?;
    let mut wget = test.cluster().node().command("/bin/busybox")?;
    let answer = wget
        .args(["wget", "-qO-", &format!("http://{address}")])
        .output()?;
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "hello\n");
    Ok(())
}

fn a_claim_gets_a_volume(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    let claim = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": "data" },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
    });
    namespace.accepts("a claim", &claim.to_string())?;
    for (name, script) in [
        ("writer", "echo kept > /data/file"),
        ("reader", "cat /data/file"),
    ] {
        let restricted =
            json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } });
        let manifest = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": name },
            "spec": {
                "restartPolicy": "Never",
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": 65532,
                    "fsGroup": 65532,
                    "seccompProfile": { "type": "RuntimeDefault" },
                },
                "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }],
                "containers": [{
                    "name": "main",
                    "image": Image::Busybox.name(),
                    "command": ["sh", "-c", script],
                    "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
                    "securityContext": restricted,
                }],
            },
        });
        namespace.accepts("a pod with a claim", &manifest.to_string())?;
        let (phase, log) = namespace.ended(name)?;
        ensure!(phase == "Succeeded", "{name}: {phase}: {log}");
    }
    assert_eq!(namespace.logs("reader")?, "kept\n");
    Ok(())
}

fn a_container_is_oom_killed(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Baseline)?;
    let greedy = json!({
        "image": Image::Busybox.name(),
        "command": ["tail", "-c", "200m", "/dev/zero"],
        "resources": { "limits": { "memory": "20Mi" } },
    });
    namespace.accepts("a greedy pod", &pod("greedy", &greedy))?;
    namespace.ended("greedy")?;
    let pod = namespace.get(&["pod", "greedy"])?;
    let end = pod
        .pointer("/status/containerStatuses/0/state/terminated")
        .context("an end")?;
    ensure!(
        end["reason"] == "OOMKilled" && end["exitCode"] == 137,
        "{end}"
    );
    Ok(())
}

fn an_unknown_image_is_refused(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Baseline)?;
    namespace.accepts(
        "a pod",
        &pod("stranger", &json!({ "image": "example.org/not/there:1" })),
    )?;
    namespace.wait_for("the refusal of the image", &["pod", "stranger"], |pod| {
        let reason = pod.pointer("/status/containerStatuses/0/state/waiting/reason");
        reason.is_some_and(|reason| reason == "ErrImagePull" || reason == "ImagePullBackOff")
    })?;
    Ok(())
}

fn nothing_outside_can_be_reached(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    // 198.51.100.0/24 is for documentation (RFC 5737): nobody is asked, even if the namespace leaked.
    namespace.run_script(
        "by-address",
        "wget -qO- http://198.51.100.1 2>&1; ip route get 198.51.100.1",
    )?;
    namespace.run_script("by-name", "nslookup example.org 2>&1")?;
    let (_, log) = namespace.ended("by-address")?;
    ensure!(log.contains("No route to host"), "{log}");
    let (_, log) = namespace.ended("by-name")?;
    ensure!(log.contains("NXDOMAIN"), "{log}");
    Ok(())
}

fn a_component_is_started_again(test: &Test) -> Result<()> {
    let node = test.cluster().node();
    let first = node.pid_of("kube-scheduler")?;
    ensure!(
        Command::new("kill")
            .args(["-KILL", &first.to_string()])
            .status()?
            .success()
    );
    until("another scheduler", SOON, || {
        Ok((node.pid_of("kube-scheduler")? != first).then_some(()))
    })?;
    let namespace = test.namespace(PodSecurity::Restricted)?;
    namespace.run_script("later", "echo scheduled")?;
    assert_eq!(namespace.ended("later")?.1, "scheduled\n");
    Ok(())
}

fn pod(name: &str, container: &Value) -> String {
    let mut container = container.clone();
    container["name"] = "main".into();
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name },
        "spec": { "restartPolicy": "Never", "containers": [container] },
    })
    .to_string()
}
