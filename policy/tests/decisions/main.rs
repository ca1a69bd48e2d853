//! What platforms and teams rely on, on Jobs of theirs.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod findings;
mod jobs;
mod pods;
mod policies;

use std::collections::BTreeMap;

use jiff::Timestamp;
use json_patch::Patch;
use proctor_api::{ClusterTestPolicy, Mode, PullPolicy, TestPolicy};
use proctor_policy::{
    Compiled, Context, Finding, Kind, Object, Operation, Platform, PolicyError, ReporterPlatform,
    Services, allowed, set_defaults,
};
use serde_json::{Value, json};

fn yaml<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_saphyr::from_str(text).unwrap()
}

fn example(path: &str) -> String {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples");
    std::fs::read_to_string(examples.join(path)).unwrap()
}

struct Cluster {
    compiled: Compiled,
    services: Services,
    now: Timestamp,
}

impl Cluster {
    fn new(cluster: &[&str], teams: &[&str]) -> Self {
        Self::on(Platform::default(), cluster, teams)
    }

    fn on(platform: Platform, cluster: &[&str], teams: &[&str]) -> Self {
        let cluster: Vec<ClusterTestPolicy> = cluster.iter().map(|text| yaml(text)).collect();
        let teams: Vec<TestPolicy> = teams.iter().map(|text| yaml(text)).collect();
        Self {
            compiled: Compiled::new(&cluster, &teams, platform).unwrap(),
            services: Services::default(),
            now: "2026-06-15T12:00:00Z".parse().unwrap(),
        }
    }

    fn with<T>(
        &self,
        kind: Kind,
        object: &Value,
        operation: Operation,
        decide: impl FnOnce(&Compiled, &Object<'_>, &Context<'_>) -> T,
    ) -> T {
        let json = serde_json::to_vec(object).unwrap();
        let object = Object::parse(kind, &json).unwrap();
        let namespace = if object.namespace().is_empty() {
            "shop"
        } else {
            object.namespace()
        };
        let labels = BTreeMap::from([(
            "kubernetes.io/metadata.name".to_owned(),
            namespace.to_owned(),
        )]);
        let context = Context {
            now: self.now,
            operation,
            namespace,
            namespace_labels: &labels,
            services: &self.services,
        };
        decide(&self.compiled, &object, &context)
    }

    fn stored(&self, kind: Kind, object: &Value) -> Value {
        let mut object = object.clone();
        set_defaults(kind, &mut object);
        let mutation = self.with(kind, &object, Operation::Create, Compiled::mutate);
        json_patch::patch(&mut object, &Patch(mutation.operations)).unwrap();
        object
    }

    /// As `kubectl apply` would have it: given first, then judged.
    fn applied(&self, kind: Kind, object: &Value) -> Vec<Finding> {
        let stored = self.stored(kind, object);
        self.with(
            kind,
            &stored,
            Operation::Create,
            |compiled, object, context| compiled.review(object, None, context),
        )
    }

    fn updated(&self, kind: Kind, old: &Value, new: &Value) -> Vec<Finding> {
        let old = serde_json::to_vec(old).unwrap();
        let old = Object::parse(kind, &old).unwrap();
        self.with(kind, new, Operation::Update, |compiled, object, context| {
            compiled.review(object, Some(&old), context)
        })
    }
}

fn codes(findings: &[Finding]) -> Vec<(&str, Mode)> {
    findings
        .iter()
        .map(|finding| (finding.code, finding.mode))
        .collect()
}

fn job_with(mut container: Value) -> Value {
    container["name"] = json!("test-runner");
    json!({
        "metadata": { "name": "tests", "labels": { "component": "e2e-test" } },
        "spec": { "template": { "spec": { "containers": [container] } } },
    })
}

fn reporting() -> Platform {
    Platform {
        reporter: Some(ReporterPlatform {
            image: "proctor.dev/sidecar:1".to_owned(),
            pull_policy: PullPolicy::IfNotPresent,
            pull_secrets: vec!["mirror".to_owned()],
            collector_url: "https://proctor-collector.proctor-system.svc:8443".to_owned(),
            collector_ca: "-----BEGIN CERTIFICATE-----\n".to_owned(),
        }),
        ..Platform::default()
    }
}
