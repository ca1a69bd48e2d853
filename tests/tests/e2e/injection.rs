//! What a pod is given, whoever it runs as, and that nothing of its report is lost.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use proctor_tests::{Namespace, PodSecurity, Test, until};
use serde_json::{Value, json};

use crate::admission::job;
use crate::runs::{artifact, counts, of_job};

/// What a case does to a Job's pod.
type Change = fn(&mut Value);

/// A script that speaks TAP and is green.
const GREEN: &str = "echo 'ok 1 - it runs'; echo 'ok 2 - it still runs'; echo 1..2";

fn pod_of(namespace: &Namespace, job: &str) -> Result<Value> {
    let selector = format!("batch.kubernetes.io/job-name={job}");
    until(&format!("the pod of {job}"), Duration::from_mins(1), || {
        let pods = namespace.get(&["pods", "-l", &selector])?;
        Ok(pods["items"].get(0).cloned())
    })
}

/// Applies a cluster-wide policy for one namespace and returns when the webhook decides by it.
fn policy(namespace: &Namespace, spec: Value) -> Result<()> {
    let mut spec = spec;
    spec["match"] = json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace.name() } } });
    let policy = json!({
        "apiVersion": "proctor.dev/v1alpha1",
        "kind": "ClusterTestPolicy",
        "metadata": { "name": namespace.name() },
        "spec": spec,
    });
    namespace.accepts("the policy", &policy.to_string())?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "probe", "labels": { "component": "e2e-test" } },
        "spec": job("probe", "true")["spec"]["template"]["spec"],
    });
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("pod.json");
    std::fs::write(&file, pod.to_string())?;
    let file = file.to_str().context("a path")?.to_owned();
    until(
        "the policy to be in effect",
        Duration::from_secs(30),
        || {
            // Both replicas have to know it: ask a few times over.
            for _ in 0..4 {
                let pod = namespace.kubectl(&[
                    "create",
                    "--dry-run=server",
                    "-o",
                    "json",
                    "-f",
                    &file,
                ])?;
                let pod: Value = serde_json::from_str(&pod)?;
                let applied = pod["metadata"]["annotations"]["proctor.dev/applied"]
                    .as_str()
                    .unwrap_or_default();
                ensure!(
                    applied.contains(namespace.name()),
                    "what was applied is {applied:?}"
                );
            }
            Ok(Some(()))
        },
    )
}

pub(crate) fn a_pod_is_given_what_the_policy_says(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "db-conn" },
        "stringData": { "POSTGRES_PASSWORD": "made-up-4711" },
    });
    namespace.accepts("the Secret", &secret.to_string())?;
    policy(
        &namespace,
        json!({ "inject": {
        "envFrom": [{ "secretRef": { "name": "db-conn" } }],
        "services": { "postgres": "db-rw.shop.svc:5432" },
        "dns": { "ndots": 2, "searches": ["shop.svc.cluster.local"] },
        "resources": { "limits": { "memory": "128Mi" }, "requests": { "cpu": "20m" } },
    } }),
    )?;

    let script = r##"
        check() { if [ "$2" = "$3" ]; then echo "ok - $1"; else echo "not ok - $1"; echo "# $2 is not $3"; fi; }
        check "the password comes from the Secret" "$POSTGRES_PASSWORD" "made-up-$((4700 + 11))"
        check "the service is named" "$POSTGRES_HOST:$POSTGRES_PORT" db-rw.shop.svc:5432
        check "names are searched for as asked" "$(grep -c 'search.*shop.svc.cluster.local' /etc/resolv.conf)" 1
        check "ndots is set" "$(grep -c ndots:2 /etc/resolv.conf)" 1
        echo 1..4
    "##;
    namespace.accepts("the Job", &job("supplied", script).to_string())?;
    let run = of_job(test.cluster(), namespace.name(), "supplied")?;
    ensure!(
        run["status"]["verdict"] == "Passed" && counts(&run) == [4, 4, 0, 0, 0],
        "{}",
        run["status"]
    );

    let stored = namespace.get(&["job", "supplied"])?;
    let spec = &stored["spec"];
    ensure!(
        spec["backoffLimit"] == 0
            && spec["ttlSecondsAfterFinished"] == 3600
            && spec["activeDeadlineSeconds"] == 3600,
        "{spec}"
    );
    ensure!(
        spec["template"]["spec"]["initContainers"].is_null(),
        "a Job's pods are injected when they are created, not before: {spec}"
    );
    let pod = pod_of(&namespace, "supplied")?;
    ensure!(
        pod["spec"]["containers"][0]["resources"]["limits"]["memory"] == "128Mi",
        "{}",
        pod["spec"]
    );
    ensure!(
        pod["metadata"]["annotations"]["proctor.dev/changes"].is_string(),
        "{}",
        pod["metadata"]
    );
    ensure!(
        !pod.to_string().contains("made-up-4711"),
        "the pod carries the secret"
    );
    Ok(())
}

pub(crate) fn reports_come_out_whoever_the_test_container_runs_as(test: &Test) -> Result<()> {
    let restricted = test.namespace(PodSecurity::Restricted)?;
    let baseline = test.namespace(PodSecurity::Baseline)?;
    let cases: [(&str, &Namespace, Change); 5] = [
        ("non-root", &restricted, |_| {}),
        ("read-only-root", &restricted, |pod| {
            pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = true.into();
        }),
        ("fs-group", &restricted, |pod| {
            pod["securityContext"]["fsGroup"] = 2000.into();
        }),
        ("root", &baseline, |pod| {
            pod["securityContext"] = json!({ "runAsUser": 0 });
        }),
        // Without the capability to ignore permissions root depends on them like everybody else.
        ("root-without-capabilities", &baseline, |pod| {
            pod["securityContext"] = json!({});
            pod["containers"][0]["securityContext"] =
                json!({ "runAsUser": 0, "capabilities": { "drop": ["ALL"] } });
        }),
    ];
    for (name, namespace, change) in &cases {
        let mut manifest = job(
            name,
            &format!(
                "echo '<testsuite name=\"t\"><testcase name=\"one\"/></testsuite>' > /proctor/reports/test-runner/own.xml; {GREEN}"
            ),
        );
        change(&mut manifest["spec"]["template"]["spec"]);
        namespace.accepts(name, &manifest.to_string())?;
    }
    for (name, namespace, _) in &cases {
        let run = of_job(test.cluster(), namespace.name(), name)?;
        ensure!(
            run["status"]["verdict"] == "Passed",
            "{name}: {}",
            run["status"]
        );
        let files = &run["status"]["artifacts"]["files"];
        ensure!(
            files.to_string().contains("own.xml"),
            "{name}: the report file is missing from {files}"
        );
    }
    Ok(())
}

pub(crate) fn the_wrapper_is_in_place(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    policy(
        &namespace,
        json!({ "reporter": { "image": proctor_tests::Image::SlowSidecar.name() } }),
    )?;
    namespace.accepts("the Job", &job("patient", GREEN).to_string())?;
    let run = of_job(test.cluster(), namespace.name(), "patient")?;
    ensure!(run["status"]["verdict"] == "Passed", "{}", run["status"]);

    let pod = pod_of(&namespace, "patient")?;
    let reporter = pod["status"]["initContainerStatuses"][0]["state"].to_string()
        + &pod["status"]["initContainerStatuses"][0]["lastState"].to_string();
    let tests = pod["status"]["containerStatuses"][0]["state"]["terminated"]["startedAt"]
        .as_str()
        .context("the test container ended")?;
    // RFC 3339 in UTC sorts as text; the hook of that image takes five seconds.
    let started = reporter
        .split("\"startedAt\":\"")
        .nth(1)
        .and_then(|rest| rest.get(..20))
        .context("the reporter started")?;
    ensure!(
        seconds(tests)? >= seconds(started)? + 5,
        "the reporter started at {started}, the tests at {tests}"
    );
    Ok(())
}

/// The seconds of the day of an RFC 3339 time in UTC.
fn seconds(time: &str) -> Result<u32> {
    let part =
        |from: usize| -> Result<u32> { Ok(time.get(from..from + 2).context("a time")?.parse()?) };
    Ok(part(11)? * 3600 + part(14)? * 60 + part(17)?)
}

pub(crate) fn a_reporter_that_is_killed_loses_nothing(test: &Test) -> Result<()> {
    /// The kubelet waits 10 s before it starts the reporter again, then 20 s.
    const KILLS: i64 = 2;
    let namespace = test.namespace(PodSecurity::Restricted)?;
    // It writes until a Service called `go` is there, and says at last how much that was.
    let script = format!(
        "i=0; while ! nslookup go.{}.svc.cluster.local >/dev/null 2>&1; do \
           for _ in 1 2 3 4 5 6 7 8 9 10; do i=$((i+1)); echo \"line $i\"; done; sleep 0.1; done; \
         echo \"lines $i\"; echo 'ok 1 - all written'; echo 1..1",
        namespace.name()
    );
    namespace.accepts("the Job", &job("chatty", &script).to_string())?;
    for kill in 0..=KILLS {
        let container = until("a running reporter", Duration::from_mins(2), || {
            let pod = pod_of(&namespace, "chatty")?;
            let status = &pod["status"]["initContainerStatuses"][0];
            ensure!(
                status["started"] == true && status["restartCount"] == kill,
                "{status}"
            );
            let id = status["containerID"].as_str().context("an id")?;
            Ok(id.strip_prefix("containerd://").map(str::to_owned))
        })?;
        if kill < KILLS {
            let arguments = ["task", "kill", "--signal", "SIGKILL", &container];
            test.cluster().node().ctr(&arguments)?;
        }
    }
    namespace.kubectl(&["create", "service", "clusterip", "go", "--tcp=80"])?;
    let run = of_job(test.cluster(), namespace.name(), "chatty")?;
    ensure!(run["status"]["verdict"] == "Passed", "{}", run["status"]);
    let log = artifact(test.cluster(), namespace.name(), &run, "build-log.txt")?;
    let number = |prefix: &str| {
        let lines = log.lines().filter_map(|line| line.strip_prefix(prefix));
        lines.map(str::parse).collect::<Result<Vec<usize>, _>>()
    };
    let last = *number("lines ")?.first().context("the last line")?;
    ensure!(
        last > 0 && number("line ")? == (1..=last).collect::<Vec<_>>(),
        "{} lines came out, not {last} in order",
        number("line ")?.len()
    );
    Ok(())
}
