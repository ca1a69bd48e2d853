//! The binary as people and programs use it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect(&self.out)
    }
}

fn proctor(arguments: &[&str], input: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_proctor"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples")
}

fn example(path: &str) -> String {
    examples().join(path).display().to_string()
}

/// The template of a team, as its document has it.
const TEMPLATE: &str = r#"apiVersion: batch/v1
kind: Job
metadata:
  name: "{{JOB_NAME}}"
  namespace: "{{NAMESPACE}}"
spec:
  template:
    spec:
      containers:
      - name: test-runner
        image: {{IMAGE}}
        env:
        - name: POSTGRES_PASSWORD
          valueFrom:
            secretKeyRef:
              name: deepagents-runtime-db-conn
              key: POSTGRES_PASSWORD
        - name: POSTGRES_HOST
          value: "deepagents-runtime-db-rw"
        command: ["python", "-m", "pytest", "{{TEST_PATH}}"]
"#;

#[test]
fn a_credential_is_shown_with_its_line_and_refused() {
    let file = example("ide-orchestrator/job.yaml");
    let ran = proctor(&["check", "--output", "json", &file], "");
    assert_eq!(ran.code, 1);
    let answer = ran.json();
    let object = &answer["objects"][0];
    assert_eq!(object["allowed"], false);
    assert_eq!(object["findings"].as_array().unwrap().len(), 1);
    let finding = &object["findings"][0];
    let keys: Vec<&String> = finding.as_object().unwrap().keys().collect();
    let mut contract = [
        "code",
        "rule",
        "mode",
        "path",
        "message",
        "suggestion",
        "docs",
        "line",
        "column",
    ];
    contract.sort_unstable();
    let mut keys: Vec<&str> = keys.into_iter().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, contract);
    assert_eq!(finding["code"], "PRC101");
    assert_eq!(finding["mode"], "Enforce");
    let text = std::fs::read_to_string(&file).unwrap();
    let line = usize::try_from(finding["line"].as_u64().unwrap()).unwrap();
    assert_eq!(
        text.lines().nth(line - 1).unwrap().trim(),
        "value: \"test-secret-key\""
    );
    assert!(!ran.out.contains("test-secret-key"));
}

#[test]
fn people_are_told_why_and_what_to_do() {
    let ran = proctor(&["check", &example("ide-orchestrator/job.yaml")], "");
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("PRC101") && ran.out.contains("secretKeyRef"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains('\u{1b}'), "colour is for terminals");
}

#[test]
fn good_jobs_are_admitted() {
    let ran = proctor(
        &[
            "check",
            "--policy",
            &example("swe-ai-fleet/policy.yaml"),
            &example("swe-ai-fleet/job.yaml"),
        ],
        "",
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
}

#[test]
fn a_template_with_placeholders_is_judged_with_all_and_listed_without() {
    let ran = proctor(&["check", "--all", "--output", "json", "-"], TEMPLATE);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(ran.json()["objects"][0]["findings"], json!([]));
    let ran = proctor(&["check", "--output", "json", "-"], TEMPLATE);
    assert_eq!(ran.code, 0);
    let object = &ran.json()["objects"][0];
    assert_eq!(
        (&object["skipped"], &object["allowed"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(object["file"], "-");
}

#[test]
fn the_way_out_names_the_service_of_the_policy() {
    let policy = example("kodosumi/policy.yaml");
    let ran = proctor(
        &["check", "--policy", &policy, &example("kodosumi/job.yaml")],
        "",
    );
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("redis.kodosumi.svc.cluster.local:6379"),
        "{}",
        ran.out
    );
}

#[test]
fn lists_documents_and_json_are_read() {
    let pod = json!({ "kind": "Pod", "metadata": { "name": "a" }, "spec": { "containers": [] } });
    let list = json!({ "kind": "List", "items": [pod, { "kind": "Service" }, pod] });
    let input =
        format!("{list}\n---\nkind: Job\nmetadata: {{name: b}}\n---\n---\nkind: Namespace\n");
    let ran = proctor(&["check", "--output", "json", "-"], &input);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.json()["objects"].as_array().unwrap().len(), 3);
}

#[test]
fn what_cannot_be_read_or_has_nothing_known_in_it_is_exit_code_2() {
    for (arguments, input, says) in [
        (vec!["check", "/nonexistent.yaml"], "", "/nonexistent.yaml"),
        (vec!["check", "-"], "kind: Service\n", "has no Pod"),
        (vec!["check", "-"], "", "has no Pod"),
        (
            vec!["check", "-"],
            "kind: Pod\n---\nkind: [\n",
            "document 2",
        ),
        (
            vec!["check", "-"],
            "kind: Pod\nspec: {containers: {a: b}}\n",
            "spec.containers",
        ),
        (vec!["check"], "", "PATH"),
        (vec!["explain", "PRC999"], "", "PRC101"),
        (
            vec!["patch", "--output", "jsonpatch", "-"],
            "kind: Pod\n---\nkind: Pod\n",
            "2 objects",
        ),
    ] {
        let ran = proctor(&arguments, input);
        assert_eq!(ran.code, 2, "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn patch_shows_the_job_as_stored_and_the_pod_as_admitted() {
    let job = example("swe-ai-fleet/job.yaml");
    let policy = example("swe-ai-fleet/policy.yaml");
    let ran = proctor(&["patch", "--policy", &policy, &job], "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("activeDeadlineSeconds: 3600"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("proctor-reporter"));
    let ran = proctor(&["patch", "--pod", "--policy", &policy, &job], "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    for part in [
        "kind: Pod",
        "proctor-reporter",
        "vllm-credentials",
        "/proctor/bin/exec",
        "VLLM_HOST",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let ran = proctor(&["patch", "--diff", &job], "");
    assert!(
        ran.out.contains("+  activeDeadlineSeconds: 3600"),
        "{}",
        ran.out
    );
    let ran = proctor(&["patch", "--output", "jsonpatch", &job], "");
    assert_eq!(ran.json()[0]["path"], "/spec/activeDeadlineSeconds");
}

#[test]
fn every_code_is_explained_offline() {
    let ran = proctor(&["explain", "prc201"], "");
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("localhost"), "{}", ran.out);
}

#[test]
fn reports_are_judged_by_exit_code() {
    let green = "<testsuite name='a'><testcase name='b'/></testsuite>";
    let ran = proctor(&["results", "-"], green);
    assert_eq!((ran.code, &ran.json()["verdict"]), (0, &json!("Passed")));
    let red = "<testsuite name='a'><testcase name='b'><failure/></testcase></testsuite>";
    assert_eq!(proctor(&["results", "-"], red).code, 1);
    assert_eq!(proctor(&["results", "/nonexistent.xml"], "").code, 2);
}

#[test]
fn what_is_patched_and_would_be_refused_is_told_so() {
    let ran = proctor(
        &["patch", "--pod", &example("ide-orchestrator/job.yaml")],
        "",
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("would be refused: PRC101"), "{}", ran.err);
    let ran = proctor(&["patch", &example("swe-ai-fleet/job.yaml")], "");
    assert_eq!(ran.err, "");
}

#[test]
fn reports_that_contradict_each_other_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "green.xml",
        "<testsuite name='a'><testcase name='one'/></testsuite>",
    );
    write("red.tap", "TAP version 13\nnot ok 1 - two\n1..1\n");
    let ran = proctor(&["results", folder.path().to_str().unwrap()], "");
    let summary: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &summary["verdict"]), (1, &Value::from("Failed")));
    assert_ne!(summary["warnings"], serde_json::json!([]), "{}", ran.out);
}
