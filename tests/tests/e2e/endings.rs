//! Every ending has its true verdict: the example of swe-ai-fleet, applied as its README says.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use proctor_tests::{Cluster, PodSecurity, Test, until};
use serde_json::Value;

use crate::admission::{example, job};
use crate::runs::{artifact, condition, counts, of_job};

const FLEET: &str = "swe-ai-fleet";

/// The namespace, the policy and the services of the example; once for all tests.
fn fleet(cluster: &Cluster) -> Result<()> {
    static APPLIED: OnceLock<Result<(), String>> = OnceLock::new();
    let applied = APPLIED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .with_file_name("deploy")
            .join("examples")
            .join(FLEET);
        let apply = || -> Result<()> {
            cluster.kubectl(&["apply", "-k", folder.to_str().context("a path")?])?;
            cluster.kubectl(&[
                "wait",
                "-n",
                FLEET,
                "--for=condition=Available",
                "deployment",
                "--all",
                "--timeout=120s",
            ])?;
            Ok(())
        };
        apply().map_err(|error| format!("{error:#}"))
    });
    applied.clone().map_err(|error| anyhow!(error))
}

/// The example's Job under another name, with the tests of another branch.
fn fleet_job(name: &str, branch: &str) -> Result<String> {
    Ok(example("swe-ai-fleet/job.yaml")?
        .replace("test-vllm-e2e", name)
        .replace("hexagonal-refactor-v2", branch))
}

pub(crate) fn a_green_run_passes(test: &Test) -> Result<()> {
    let cluster = test.cluster();
    fleet(cluster)?;
    cluster.apply(&fleet_job("green", "hexagonal-refactor-v2")?)?;
    let run = of_job(cluster, FLEET, "green")?;
    ensure!(run["status"]["verdict"] == "Passed", "{}", run["status"]);
    ensure!(
        condition(&run, "Passed") == Some("True"),
        "{}",
        run["status"]
    );
    ensure!(counts(&run) == [5, 5, 0, 0, 0], "{}", run["status"]);

    let log = artifact(cluster, FLEET, &run, "build-log.txt")?;
    ensure!(
        log.contains("Repository at commit:") && log.contains("5 passed"),
        "{log}"
    );
    ensure!(log.trim_end().ends_with("Test PASSED!"), "{log}");
    let junit = artifact(cluster, FLEET, &run, "artifacts/junit.xml")?;
    ensure!(junit.contains("test_a_wrong_key_is_refused"), "{junit}");
    let page = artifact(cluster, FLEET, &run, "artifacts/proctor/report.html")?;
    ensure!(page.contains("Passed"), "{page}");
    Ok(())
}

pub(crate) fn a_red_test_is_named(test: &Test) -> Result<()> {
    let cluster = test.cluster();
    fleet(cluster)?;
    cluster.apply(&fleet_job("red", "one-red")?)?;
    let run = of_job(cluster, FLEET, "red")?;
    ensure!(run["status"]["verdict"] == "Failed", "{}", run["status"]);
    ensure!(
        condition(&run, "Passed") == Some("False"),
        "{}",
        run["status"]
    );
    ensure!(counts(&run) == [6, 5, 1, 0, 0], "{}", run["status"]);
    let failing = &run["status"]["failingTests"][0];
    ensure!(
        failing["name"] == "test_the_answer_is_forty_two",
        "{failing}"
    );
    ensure!(
        failing["message"]
            .as_str()
            .is_some_and(|message| message.contains("the question is not known")),
        "{failing}"
    );
    Ok(())
}

pub(crate) fn a_test_is_killed_for_memory(test: &Test) -> Result<()> {
    let cluster = test.cluster();
    fleet(cluster)?;
    cluster.apply(&fleet_job("hungry", "memory")?.replace("4Gi", "256Mi"))?;
    let run = of_job(cluster, FLEET, "hungry")?;
    ensure!(
        run["status"]["verdict"] == "Killed" && run["status"]["reason"] == "OOMKilled",
        "{}",
        run["status"]
    );
    Ok(())
}

pub(crate) fn a_job_is_deleted_half_way(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    let script = "trap 'exit 143' TERM; echo ok 1 - the first half; while true; do sleep 1; done";
    namespace.accepts("the Job", &job("half", script).to_string())?;
    let selector = "batch.kubernetes.io/job-name=half";
    until("the first half", std::time::Duration::from_mins(2), || {
        let log = namespace.kubectl(&["logs", "-l", selector, "-c", "test-runner"])?;
        ensure!(log.contains("the first half"), "the log is {log:?}");
        Ok(Some(()))
    })?;
    namespace.kubectl(&["delete", "job", "half"])?;
    let run = of_job(test.cluster(), namespace.name(), "half")?;
    ensure!(
        run["status"]["verdict"] == "Killed" && run["status"]["reason"] == "Deleted",
        "{}",
        run["status"]
    );
    let log = artifact(test.cluster(), namespace.name(), &run, "build-log.txt")?;
    ensure!(log.contains("the first half"), "{log}");
    Ok(())
}

pub(crate) fn a_pod_never_started(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    let mut absent: Value = job("absent", "true");
    absent["spec"]["template"]["spec"]["containers"][0]["image"] = "proctor.dev/absent:1".into();
    // The kubelet tells why a container waits with its next look at the pod, which is 10 s and more after a failed pull.
    absent["spec"]["activeDeadlineSeconds"] = 45.into();
    namespace.accepts("the Job", &absent.to_string())?;
    let run = of_job(test.cluster(), namespace.name(), "absent")?;
    ensure!(run["status"]["verdict"] == "Error", "{}", run["status"]);
    let message = run["status"]["message"].as_str().unwrap_or_default();
    ensure!(message.contains("image"), "{message}");
    Ok(())
}
