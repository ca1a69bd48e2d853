//! What platforms and teams say about their test pods.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, LocalObjectReference};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The platform's rules and supplies for the test pods of every namespace it matches.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "proctor.dev",
    version = "v1alpha1",
    kind = "ClusterTestPolicy",
    doc = "The platform's rules and supplies for the test pods of every namespace it matches.",
    plural = "clustertestpolicies",
    shortname = "ctp",
    category = "proctor",
    status = "PolicyStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterTestPolicySpec {
    /// Which objects the policy is about. Without it: every object that carries the test label.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub selects: Option<Match>,

    /// What is said and supplied, in the same words as a `TestPolicy`.
    #[serde(flatten)]
    pub policy: PolicySpec,
}

/// A team's own supplies in its own namespace. It may tighten a rule of the platform, never loosen one.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "proctor.dev",
    version = "v1alpha1",
    kind = "TestPolicy",
    doc = "A team's own supplies in its own namespace. It may tighten a rule of the platform, never loosen one.",
    plural = "testpolicies",
    shortname = "tp",
    category = "proctor",
    namespaced,
    status = "PolicyStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct TestPolicySpec {
    /// Which objects of the namespace the policy is about. Without it: every object that carries the test label.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub selects: Option<Match>,

    /// What is said and supplied.
    #[serde(flatten)]
    pub policy: PolicySpec,
}

/// What both kinds of policy can say.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicySpec {
    /// What test pods and their Jobs are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inject: Option<Inject>,

    /// How findings are treated. A code without a rule keeps the mode of the built-in default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,

    /// The reporter in test pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter: Option<ReporterSpec>,
}

/// Which objects a policy is about; both selectors must agree.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// By the labels of the namespace. Without it: every namespace. Ignored in a `TestPolicy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,

    /// By the labels of the pod or pod template. Without it: every object that carries the test label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<LabelSelector>,
}

/// What test pods and their Jobs are given. Nothing here overwrites what a team has set itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inject {
    /// Environment of the test containers; a variable that a container sets itself is left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,

    /// Secrets and ConfigMaps as environment of the test containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_from: Vec<EnvFromSource>,

    /// Services the tests use, name to `host` or `host:port` in cluster DNS. `postgres: db-rw.shop.svc:5432` gives
    /// `POSTGRES_HOST` and `POSTGRES_PORT`, and is what a refused `localhost:5432` is told to use instead.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, String>,

    /// Name resolution of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,

    /// Requests and limits of the test containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// Fields of Jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobDefaults>,

    /// Environment that makes test frameworks write reports, where the team set nothing itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instrument: Option<Vec<Instrument>>,
}

/// A test framework that is told by environment to write a report.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Instrument {
    /// `PYTEST_ADDOPTS=--junitxml=…`
    Pytest,
}

/// Name resolution of the pod.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dns {
    /// `dnsPolicy` of the pod; the API server's default, `ClusterFirst`, counts as unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<DnsPolicy>,

    /// Search domains to add, such as `shop.svc.cluster.local`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub searches: Vec<String>,

    /// The resolver option `ndots`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 15))]
    pub ndots: Option<i32>,
}

/// `dnsPolicy` of a pod.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the API server's own")]
pub enum DnsPolicy {
    ClusterFirst,
    ClusterFirstWithHostNet,
    Default,
    None,
}

/// Requests and limits of the test containers, by resource name (`cpu`, `memory`, …).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// Requests where a container sets none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Quantity>,

    /// Limits where a container sets none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Quantity>,

    /// What a container's limits may be at most; larger ones are lowered to it, and the change is recorded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub max: BTreeMap<String, Quantity>,
}

/// Fields of Jobs that hold where the team set none; the API server's own defaults count as unset.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDefaults {
    /// Retries; 0 shows every failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub backoff_limit: Option<i32>,

    /// Seconds after which a finished Job is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub ttl_seconds_after_finished: Option<i32>,

    /// Seconds after which a running Job is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub active_deadline_seconds: Option<i64>,

    /// `restartPolicy` of the pod template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<RestartPolicy>,
}

/// `restartPolicy` of a Job's pods.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the API server's own")]
pub enum RestartPolicy {
    Never,
    OnFailure,
}

/// How the findings of one code, or of a family of codes, are treated.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// A code (`PRC101`) or a family (`PRC1`). The longer match wins.
    #[schemars(regex(pattern = r"^PRC[1-4]([0-9]{2})?$"))]
    pub code: String,

    /// What happens to an object with such a finding.
    pub mode: Mode,

    /// Findings that are let through for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
}

/// What happens to an object with a finding. Later is stricter.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum Mode {
    /// Nothing; the finding is not even made. In YAML it has to be quoted (`"Off"`), or it is read as a boolean.
    Off,
    /// It is admitted; metrics count the finding.
    Audit,
    /// It is admitted with a warning that `kubectl` shows.
    Warn,
    /// It is refused.
    Enforce,
}

/// Findings that are let through, why, and until when.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exception {
    /// Why; shown to people who ask.
    #[schemars(length(min = 1))]
    pub reason: String,

    /// The last day on which the exception holds, `YYYY-MM-DD` in UTC.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
    pub expires: String,

    /// The namespaces it is for. Without it: every namespace the policy is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,

    /// The names it is for: of the object, or of the environment variable. Without it: every name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// The reporter in test pods.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReporterSpec {
    /// Whether test pods get the reporter. Without it: yes, where the platform has a collector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,

    /// Files to bring out besides those that instrumented frameworks write: glob patterns below the working directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub globs: Vec<String>,

    /// The image, where it is not the platform's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,

    /// When the image is pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<PullPolicy>,

    /// Pull secrets to add to the pod for the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<LocalObjectReference>,

    /// Requests and limits of the reporter, where they are not the built-in ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// `imagePullPolicy` of a container.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the API server's own")]
pub enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

/// Whether a policy is in effect.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The generation the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// `Ready`: the policy is in effect as written, or why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
