//! What became of a test pod.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One run of one test pod: its verdict, its counts, and where its artifacts are. The collector writes it; it has no owner and outlives its Job and its pod.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "proctor.dev",
    version = "v1alpha1",
    kind = "TestRun",
    doc = "One run of one test pod: its verdict, its counts, and where its artifacts are.",
    plural = "testruns",
    shortname = "tr",
    category = "proctor",
    namespaced,
    status = "TestRunStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Verdict","type":"string","jsonPath":".status.verdict"}"#,
    printcolumn = r#"{"name":"Tests","type":"integer","jsonPath":".status.counts.tests"}"#,
    printcolumn = r#"{"name":"Failed","type":"integer","jsonPath":".status.counts.failed"}"#,
    printcolumn = r#"{"name":"Errors","type":"integer","jsonPath":".status.counts.errors"}"#,
    printcolumn = r#"{"name":"Skipped","type":"integer","jsonPath":".status.counts.skipped"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.reason","priority":1}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct TestRunSpec {
    /// The pod whose run this is; absent for a Job that never got a pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodReference>,

    /// The Job the pod belongs to, where it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
}

/// A pod, for good: names are used again, UIDs are not.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodReference {
    /// The pod's name.
    pub name: String,
    /// The pod's UID.
    pub uid: String,
}

/// What is known of the run so far.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestRunStatus {
    /// The verdict; absent while the run goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,

    /// Why, in one CamelCase word (`OOMKilled`, `TestsFailed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,

    /// Why, in a sentence that names who observed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// How many tests ended how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,

    /// The tests that failed or had an error; the first ones where there are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing_tests: Vec<FailingTest>,

    /// The exit code of the test command, as the wrapper or the kubelet saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,

    /// When the test command started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,

    /// When the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,

    /// Where log and artifacts are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Artifacts>,

    /// Bytes that could not be brought out of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_behind_bytes: Option<i64>,

    /// `Completed` and `Passed`; each is set once, at the end, and never changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
pub enum Verdict {
    /// There is a positive record of it: tests ran, all were green, everything arrived.
    Passed,
    /// A test failed, or the command or a gate said no.
    Failed,
    /// The tests never started, or ended with an error before any test ran.
    Error,
    /// The pod was ended from outside.
    Killed,
    /// The command ended well, but no test ran.
    NoTests,
    /// What arrived is not enough to say.
    Incomplete,
}

/// How many tests ended how; `tests` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub tests: i64,
    pub passed: i64,
    pub failed: i64,
    pub errors: i64,
    pub skipped: i64,
}

/// A test that failed or had an error.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailingTest {
    /// The suite it belongs to.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// The beginning of its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Where log and artifacts are: paths below the store's root.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifacts {
    /// The folder of the run.
    pub path: String,
    /// The log, below the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The report as a page, below the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// Gathered files, below the folder; the first ones where there are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}
