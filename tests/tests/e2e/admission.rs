//! What is refused at `kubectl apply`, and what is left alone.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use proctor_tests::node::HelmVersion;
use proctor_tests::{PodSecurity, Test};

/// A file of `deploy/examples`.
pub(crate) fn example(path: &str) -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("deploy")
        .join("examples");
    fs::read_to_string(folder.join(path)).with_context(|| format!("The example {path} is missing."))
}

/// A labelled Job that runs a script in busybox and meets `restricted`.
pub(crate) fn job(name: &str, script: &str) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": name, "labels": { "component": "e2e-test" } },
        "spec": { "template": { "spec": {
            "restartPolicy": "Never",
            "securityContext": { "runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "test-runner",
                "image": proctor_tests::Image::Busybox.name(),
                "command": ["sh", "-c", script],
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
            }],
        } } },
    })
}

pub(crate) fn a_credential_is_refused(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    let manifest =
        example("ide-orchestrator/job.yaml")?.replace("intelligence-platform", namespace.name());
    let words = namespace.rejects("a Job with JWT_SECRET in plain sight", &manifest)?;
    for part in [
        "PRC101",
        "spec.template.spec.containers[name=test-runner].env[name=JWT_SECRET].value",
        "secretKeyRef",
    ] {
        ensure!(words.contains(part), "{part} is not in:\n{words}");
    }
    ensure!(
        !words.contains("test-secret-key"),
        "the secret is told:\n{words}"
    );
    ensure!(
        namespace.get(&["jobs"])?["items"] == serde_json::json!([]),
        "something was stored"
    );
    Ok(())
}

pub(crate) fn localhost_is_refused(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    let policy = example("kodosumi/policy.yaml")?.replace("kodosumi", namespace.name());
    namespace.accepts("the policy", &policy)?;
    let manifest = example("kodosumi/job.yaml")?.replace(
        "namespace: kodosumi",
        &format!("namespace: {}", namespace.name()),
    );
    // The policy reaches the replicas by a watch, a moment after it is stored.
    let service = format!("redis.{}.svc.cluster.local:6379", namespace.name());
    proctor_tests::until(
        "the refusal to name the Service",
        std::time::Duration::from_secs(30),
        || {
            let words = namespace.rejects("a Job that reaches for localhost", &manifest)?;
            ensure!(
                words.contains("PRC201") && words.contains("env[name=KODO_REDIS_URL].value"),
                "{words}"
            );
            ensure!(
                !words.contains("kodosumi:kodosumi"),
                "the password is told:\n{words}"
            );
            ensure!(
                words.contains(&service),
                "{service} is not proposed:\n{words}"
            );
            Ok(Some(()))
        },
    )?;
    namespace
        .cluster()
        .kubectl(&["delete", "clustertestpolicy", namespace.name()])
        .map(drop)
}

pub(crate) fn what_is_not_labelled_is_left_alone(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    let mut manifest = job("ordinary", "true");
    manifest["metadata"]["labels"] = serde_json::json!({});
    manifest["spec"]["suspend"] = true.into();
    manifest["spec"]["template"]["spec"]["containers"][0]["env"] = serde_json::json!([{ "name": "DB_PASSWORD", "value": "hunter2" }, { "name": "DB_HOST", "value": "localhost" }]);
    namespace.accepts("an ordinary Job", &manifest.to_string())?;
    let stored = namespace.get(&["job", "ordinary"])?;
    ensure!(
        stored["spec"]["backoffLimit"] == 6,
        "a default was changed: {stored}"
    );
    Ok(())
}

pub(crate) fn the_same_manifest_twice_changes_nothing(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    let version = |name: &str| -> Result<String> {
        let job = namespace.get(&["job", name])?;
        Ok(job["metadata"]["generation"].to_string())
    };

    let mut manifest = job("client-side", "true");
    manifest["spec"]["suspend"] = true.into();
    let manifest = manifest.to_string();
    namespace.accepts("the Job", &manifest)?;
    let words = namespace.accepts("the same Job", &manifest)?;
    ensure!(words.contains("unchanged"), "{words}");

    let mut manifest = job("server-side", "true");
    manifest["spec"]["suspend"] = true.into();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("job.json");
    fs::write(&file, manifest.to_string())?;
    let file = file.to_str().context("a path")?;
    namespace.kubectl(&["apply", "--server-side", "-f", file])?;
    let before = version("server-side")?;
    namespace.kubectl(&["apply", "--server-side", "-f", file])?;
    ensure!(version("server-side")? == before, "the Job was changed");

    for (helm, name) in [
        (HelmVersion::V3, "helm-three"),
        (HelmVersion::V4, "helm-four"),
    ] {
        let chart = folder.path().join(name);
        fs::create_dir_all(chart.join("templates"))?;
        fs::write(
            chart.join("Chart.yaml"),
            format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n"),
        )?;
        let mut manifest = job(name, "true");
        manifest["spec"]["suspend"] = true.into();
        fs::write(chart.join("templates/job.yaml"), manifest.to_string())?;
        let chart = chart.to_str().context("a path")?;
        let arguments = ["upgrade", "--install", name, chart, "-n", namespace.name()];
        namespace.cluster().helm(helm, &arguments)?;
        let before = version(name)?;
        namespace.cluster().helm(helm, &arguments)?;
        ensure!(version(name)? == before, "{name}: the Job was changed");
    }
    Ok(())
}

/// A CronJob that never runs, with a variable in its container and labels on itself and on its pod template.
fn cron_job(labels: &serde_json::Value, template_labels: &serde_json::Value) -> serde_json::Value {
    let mut template = job("template", "true")["spec"]["template"].clone();
    template["metadata"] = serde_json::json!({ "labels": template_labels });
    template["spec"]["containers"][0]["env"] =
        serde_json::json!([{ "name": "DB_PASSWORD", "value": "hunter2" }]);
    serde_json::json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": { "name": "nightly", "labels": labels },
        "spec": {
            "schedule": "0 0 1 1 *",
            "suspend": true,
            "jobTemplate": { "spec": { "template": template } },
        },
    })
}

pub(crate) fn an_update_is_judged_by_what_it_brings_in(test: &Test) -> Result<()> {
    let namespace = test.namespace(PodSecurity::Restricted)?;
    let (none, label) = (
        serde_json::json!({}),
        serde_json::json!({ "component": "e2e-test" }),
    );
    namespace.accepts("an ordinary CronJob", &cron_job(&none, &none).to_string())?;
    let words = namespace.rejects("the label on it", &cron_job(&label, &none).to_string())?;
    ensure!(words.contains("PRC101"), "{words}");
    let words = namespace.rejects(
        "the label on its template",
        &cron_job(&none, &label).to_string(),
    )?;
    ensure!(words.contains("PRC101"), "{words}");

    let mut clean = cron_job(&none, &label);
    clean["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["env"] =
        serde_json::json!([]);
    namespace.accepts("the label without the password", &clean.to_string())?;
    clean["spec"]["suspend"] = false.into();
    namespace.accepts("its resumption", &clean.to_string())?;
    clean["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"] = none;
    let words = namespace.rejects("the label's removal", &clean.to_string())?;
    ensure!(words.contains("PRC403"), "{words}");
    Ok(())
}
