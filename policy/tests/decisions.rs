//! What platforms and teams rely on, on Jobs of theirs.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

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

#[test]
fn the_jwt_secret_of_ide_orchestrator_is_refused_and_nothing_else_of_it() {
    let job: Value = yaml(&example("ide-orchestrator/job.yaml"));
    let findings = Cluster::new(&[], &[]).applied(Kind::Job, &job);
    assert_eq!(codes(&findings), [("PRC101", Mode::Enforce)]);
    let [finding] = findings.as_slice() else {
        unreachable!()
    };
    assert_eq!(
        finding.path,
        "spec.template.spec.containers[name=test-runner].env[name=JWT_SECRET].value"
    );
    assert_eq!(
        finding.suggestion,
        "set valueFrom.secretKeyRef to a Secret that holds JWT_SECRET"
    );
    assert!(!allowed(&findings));
}

#[test]
fn the_job_of_swe_ai_fleet_is_admitted() {
    let job: Value = yaml(&example("swe-ai-fleet/job.yaml"));
    let cluster = Cluster::new(&[&example("swe-ai-fleet/policy.yaml")], &[]);
    assert_eq!(cluster.applied(Kind::Job, &job), []);
}

#[test]
fn kodosumi_is_told_which_services_to_use() {
    let job: Value = yaml(&example("kodosumi/job.yaml"));
    let cluster = Cluster::new(&[&example("kodosumi/policy.yaml")], &[]);
    let findings = cluster.applied(Kind::Job, &job);
    let said: Vec<(&str, &str)> = findings
        .iter()
        .map(|finding| (finding.code, finding.suggestion.as_str()))
        .filter(|(code, _)| *code == "PRC201")
        .collect();
    assert_eq!(
        said,
        [
            ("PRC201", "use postgres.kodosumi.svc.cluster.local:5432"),
            ("PRC201", "use redis.kodosumi.svc.cluster.local:6379"),
            ("PRC201", "use temporal.kodosumi.svc.cluster.local:7233"),
        ]
    );
    assert!(findings.iter().any(|finding| finding.code == "PRC102"));
}

#[test]
fn a_service_of_the_namespace_is_the_way_out_by_name_or_by_port() {
    let mut cluster = Cluster::new(&[], &[]);
    cluster.services.insert("shop", "orders-db", vec![5432]);
    cluster.services.insert("shop", "cache", vec![6379, 9121]);
    let way_out = |name: &str, value: &str| {
        let job = job_with(json!({ "env": [{ "name": name, "value": value }] }));
        cluster.applied(Kind::Job, &job)[0].suggestion.clone()
    };
    assert_eq!(
        way_out("ORDERS_URL", "http://localhost:9999"),
        "use orders-db.shop.svc.cluster.local:5432"
    );
    assert_eq!(
        way_out("STORE", "redis://localhost:6379"),
        "use cache.shop.svc.cluster.local:6379"
    );
    assert_eq!(
        way_out("PAYMENTS_URL", "http://localhost:7777"),
        "use the DNS name of the Service: NAME.shop.svc.cluster.local:7777"
    );
}

#[test]
fn a_job_is_given_the_label_and_what_it_did_not_set() {
    let stored = Cluster::new(&[], &[]).stored(Kind::Job, &job_with(json!({ "image": "x" })));
    let spec = &stored["spec"];
    assert_eq!(spec["backoffLimit"], 0);
    assert_eq!(spec["ttlSecondsAfterFinished"], 3600);
    assert_eq!(spec["activeDeadlineSeconds"], 3600);
    assert_eq!(spec["template"]["spec"]["restartPolicy"], "Never");
    assert_eq!(
        spec["template"]["metadata"]["labels"]["component"],
        "e2e-test"
    );
    assert_eq!(
        spec["template"]["spec"]["containers"],
        json!([{ "image": "x", "name": "test-runner" }])
    );
}

#[test]
fn what_a_job_sets_itself_is_kept_and_warned_of() {
    let mut job = job_with(json!({}));
    job["spec"]["backoffLimit"] = json!(3);
    job["spec"]["template"]["spec"]["restartPolicy"] = json!("OnFailure");
    let findings = Cluster::new(&[], &[]).applied(Kind::Job, &job);
    assert_eq!(
        codes(&findings),
        [("PRC301", Mode::Warn), ("PRC302", Mode::Warn)]
    );
    assert!(allowed(&findings));
}

#[test]
fn another_value_under_the_labels_key_is_refused() {
    let mut job = job_with(json!({}));
    job["spec"]["template"]["metadata"]["labels"]["component"] = json!("backend");
    let cluster = Cluster::new(&[], &[]);
    assert_eq!(
        codes(&cluster.applied(Kind::Job, &job)),
        [("PRC401", Mode::Enforce)]
    );
    let stored = cluster.stored(Kind::Job, &job);
    assert_eq!(
        stored["spec"]["template"]["metadata"]["labels"]["component"],
        "backend"
    );
}

#[test]
fn a_running_job_is_left_alone_and_a_cron_job_is_not() {
    let cluster = Cluster::new(&[], &[]);
    let changes = |kind, object: &Value| {
        cluster.with(
            kind,
            object,
            Operation::Update,
            |compiled, object, context| compiled.mutate(object, context).changes.len(),
        )
    };
    let job = job_with(json!({}));
    assert_eq!(changes(Kind::Job, &job), 0);
    let spec = json!({ "jobTemplate": { "spec": job["spec"] } });
    assert!(
        changes(
            Kind::CronJob,
            &json!({ "metadata": job["metadata"], "spec": spec })
        ) > 0
    );
}

#[test]
fn an_update_is_refused_only_for_what_it_brings_in() {
    let cluster = Cluster::new(&[], &[]);
    let env = |value: &str| job_with(json!({ "env": [{ "name": "JWT_SECRET", "value": value }] }));
    let label = |mut job: Value, value: &str| {
        job["spec"]["template"]["metadata"] = json!({ "labels": { "component": value } });
        job["spec"]["activeDeadlineSeconds"] = json!(60);
        job
    };
    let old = label(env("one"), "e2e-test");
    assert_eq!(cluster.updated(Kind::Job, &old, &old), []);
    let other = label(env("two"), "e2e-test");
    assert_eq!(
        codes(&cluster.updated(Kind::Job, &old, &other)),
        [("PRC101", Mode::Enforce)]
    );
    let mut unlabelled = old.clone();
    unlabelled["spec"]["template"]["metadata"] = json!({});
    assert_eq!(
        codes(&cluster.updated(Kind::Job, &old, &unlabelled)),
        [("PRC403", Mode::Enforce)]
    );
}

#[test]
fn the_update_that_makes_an_object_a_test_brings_in_all_that_is_in_it() {
    let cluster = Cluster::new(&[], &[]);
    let container =
        json!({ "name": "test-runner", "env": [{ "name": "JWT_SECRET", "value": "x" }] });
    let labels = json!({ "labels": { "component": "e2e-test" } });
    let job = json!({
        "activeDeadlineSeconds": 60,
        "template": { "metadata": labels, "spec": { "containers": [container] } },
    });
    let cases = [
        (Kind::Pod, json!({ "containers": [container] })),
        (Kind::Job, job.clone()),
        (Kind::CronJob, json!({ "jobTemplate": { "spec": job } })),
    ];
    for (kind, spec) in cases {
        let labelled = json!({ "metadata": labels, "spec": spec });
        let mut unlabelled = labelled.clone();
        unlabelled["metadata"] = json!({});
        for path in ["/spec/template", "/spec/jobTemplate/spec/template"] {
            if let Some(template) = unlabelled.pointer_mut(path) {
                template["metadata"] = json!({});
            }
        }
        assert_eq!(
            codes(&cluster.updated(kind, &unlabelled, &labelled)),
            [("PRC101", Mode::Enforce)],
            "{kind:?}"
        );
        assert_eq!(cluster.updated(kind, &labelled, &labelled), [], "{kind:?}");
        assert_eq!(
            codes(&cluster.updated(kind, &labelled, &unlabelled)),
            [("PRC403", Mode::Enforce)],
            "{kind:?}"
        );
    }
}

#[test]
fn another_value_under_the_labels_key_that_was_there_before_holds_no_update_up() {
    let cluster = Cluster::new(&[], &[]);
    let mut old = job_with(json!({}));
    old["spec"]["activeDeadlineSeconds"] = json!(60);
    old["spec"]["template"]["metadata"] = json!({ "labels": { "component": "backend" } });
    let mut new = old.clone();
    new["metadata"]["annotations"] = json!({ "note": "changed" });
    assert_eq!(cluster.updated(Kind::Job, &old, &new), []);
    old["metadata"]["labels"] = json!({});
    assert_eq!(
        codes(&cluster.updated(Kind::Job, &old, &new)),
        [("PRC401", Mode::Enforce)]
    );
}

#[test]
fn policies_are_put_together_by_name_whatever_their_generations() {
    let named = |name: &str, generation: u8| {
        format!(
            "{{metadata: {{name: {name}, namespace: shop, generation: {generation}}}, \
             spec: {{inject: {{env: [{{name: FROM, value: {name}}}]}}}}}}"
        )
    };
    let (first, second) = (named("shop", 3), named("shop-db", 1));
    let policies = [second.as_str(), first.as_str()];
    let pod = json!({
        "metadata": { "labels": { "component": "e2e-test" } },
        "spec": { "containers": [{ "name": "test-runner" }] },
    });
    for cluster in [Cluster::new(&policies, &[]), Cluster::new(&[], &policies)] {
        let stored = cluster.stored(Kind::Pod, &pod);
        assert_eq!(
            stored["metadata"]["annotations"]["proctor.dev/applied"],
            "built-in,shop@3,shop-db@1"
        );
        assert_eq!(
            stored["spec"]["containers"][0]["env"],
            json!([{ "name": "FROM", "value": "shop-db" }])
        );
    }
}

#[test]
fn a_pod_is_given_the_reporter_as_the_data_flow_says() {
    let cluster = Cluster::on(reporting(), &[], &[]);
    let pod = json!({
        "metadata": { "labels": { "component": "e2e-test" } },
        "spec": {
            "securityContext": { "runAsUser": 1000 },
            "initContainers": [{ "name": "mesh", "restartPolicy": "Always" }, { "name": "migrate" }],
            "containers": [{ "name": "test-runner", "command": ["pytest"], "args": ["-v"] }, { "name": "other", "command": ["x"] }],
        },
    });
    let stored = cluster.stored(Kind::Pod, &pod);
    let spec = &stored["spec"];
    let names: Vec<&str> = spec["initContainers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["mesh", "proctor-reporter", "migrate"]);
    let reporter = &spec["initContainers"][1];
    assert_eq!(reporter["args"], json!(["report"]));
    assert_eq!(reporter["restartPolicy"], "Always");
    assert_eq!(reporter["securityContext"]["runAsUser"], 1000);
    assert_eq!(
        reporter["lifecycle"]["postStart"]["exec"]["command"],
        json!(["/proctor-sidecar", "install"])
    );
    let test = &spec["containers"][0];
    assert_eq!(
        test["command"],
        json!([
            "/proctor/bin/exec",
            "--container",
            "test-runner",
            "--",
            "pytest"
        ])
    );
    assert_eq!(test["args"], json!(["-v"]));
    assert_eq!(
        test["volumeMounts"],
        json!([{ "name": "proctor", "mountPath": "/proctor" }])
    );
    assert_eq!(
        test["env"],
        json!([{ "name": "PYTEST_ADDOPTS", "value": "--junitxml=/proctor/reports/test-runner/junit.xml" }])
    );
    assert_eq!(
        spec["containers"][1],
        json!({ "name": "other", "command": ["x"] })
    );
    assert_eq!(spec["imagePullSecrets"], json!([{ "name": "mirror" }]));
    assert_eq!(
        stored["metadata"]["annotations"]["proctor.dev/applied"],
        "built-in"
    );
    assert_eq!(cluster.applied(Kind::Pod, &pod), []);
}

#[test]
fn a_pod_that_lost_its_reporter_is_refused() {
    let cluster = Cluster::on(reporting(), &[], &[]);
    let pod = json!({
        "metadata": { "labels": { "component": "e2e-test" } },
        "spec": { "containers": [{ "name": "test-runner", "command": ["pytest"] }] },
    });
    let mut stored = cluster.stored(Kind::Pod, &pod);
    let review = |pod: &Value| {
        cluster.with(
            Kind::Pod,
            pod,
            Operation::Create,
            |compiled, object, context| compiled.review(object, None, context),
        )
    };
    assert_eq!(review(&stored), []);
    stored["spec"]["initContainers"][0]["image"] = json!("evil");
    assert_eq!(codes(&review(&stored)), [("PRC402", Mode::Enforce)]);
    assert_eq!(codes(&review(&pod)), [("PRC402", Mode::Enforce)]);
}

#[test]
fn without_a_reporter_all_the_rest_works() {
    let policy = "{metadata: {name: p}, spec: {inject: {envFrom: [{secretRef: {name: db}}]}}}";
    let pod = json!({
        "metadata": { "labels": { "component": "e2e-test" } },
        "spec": { "containers": [{ "name": "tests", "command": ["pytest"] }] },
    });
    let stored = Cluster::new(&[policy], &[]).stored(Kind::Pod, &pod);
    let container = &stored["spec"]["containers"][0];
    assert_eq!(container["command"], json!(["pytest"]));
    assert_eq!(
        container["envFrom"],
        json!([{ "secretRef": { "name": "db" } }])
    );
    assert_eq!(container["resources"]["limits"]["memory"], "2Gi");
    assert!(stored["spec"].get("initContainers").is_none());
}

#[test]
fn large_limits_are_lowered_and_the_change_is_told() {
    let policy = "{metadata: {name: p}, spec: {inject: {resources: {max: {memory: 1Gi}}}}}";
    let pod = json!({
        "metadata": { "labels": { "component": "e2e-test" } },
        "spec": { "containers": [{ "name": "tests", "resources": { "limits": { "memory": "8Gi" }, "requests": { "memory": "4Gi" } } }] },
    });
    let stored = Cluster::new(&[policy], &[]).stored(Kind::Pod, &pod);
    let resources = &stored["spec"]["containers"][0]["resources"];
    assert_eq!(resources["limits"]["memory"], "1Gi");
    assert_eq!(resources["requests"]["memory"], "1Gi");
    let changes = stored["metadata"]["annotations"]["proctor.dev/changes"]
        .as_str()
        .unwrap();
    assert!(
        changes.contains("tests: memory limit lowered from 8Gi to 1Gi"),
        "{changes}"
    );
}

#[test]
fn a_team_may_tighten_a_rule_and_never_loosen_it() {
    // In quotes: a bare Off is a boolean in YAML.
    let team = |mode: &str, code: &str| {
        format!(
            "{{metadata: {{name: t, namespace: shop}}, spec: {{rules: [{{code: {code}, mode: '{mode}'}}]}}}}"
        )
    };
    let mut job = job_with(json!({ "env": [{ "name": "JWT_SECRET", "value": "x" }] }));
    job["spec"]["backoffLimit"] = json!(2);
    let modes = |policy: &str| {
        let findings = Cluster::new(&[], &[policy]).applied(Kind::Job, &job);
        findings
            .iter()
            .map(|finding| finding.mode)
            .collect::<Vec<_>>()
    };
    assert_eq!(modes(&team("Off", "PRC1")), [Mode::Enforce, Mode::Warn]);
    assert_eq!(
        modes(&team("Enforce", "PRC301")),
        [Mode::Enforce, Mode::Enforce]
    );
}

#[test]
fn an_exception_holds_to_its_last_day() {
    let policy = "{metadata: {name: p}, spec: {rules: [{code: PRC101, mode: Enforce, exceptions: [\
        {reason: moving to Vault, expires: 2026-06-15, names: [JWT_SECRET]}]}]}}";
    let mut cluster = Cluster::new(&[policy], &[]);
    let job = |name: &str| job_with(json!({ "env": [{ "name": name, "value": "x" }] }));
    assert_eq!(
        codes(&cluster.applied(Kind::Job, &job("JWT_SECRET"))),
        [("PRC101", Mode::Audit)]
    );
    assert_eq!(
        codes(&cluster.applied(Kind::Job, &job("API_TOKEN"))),
        [("PRC101", Mode::Enforce)]
    );
    cluster.now = "2026-06-16T00:00:00Z".parse().unwrap();
    assert_eq!(
        codes(&cluster.applied(Kind::Job, &job("JWT_SECRET"))),
        [("PRC101", Mode::Enforce)]
    );
}

#[test]
fn a_roll_out_caps_every_mode() {
    let platform = Platform {
        mode: Mode::Warn,
        ..Platform::default()
    };
    let job = job_with(json!({ "env": [{ "name": "JWT_SECRET", "value": "x" }] }));
    let findings = Cluster::on(platform, &[], &[]).applied(Kind::Job, &job);
    assert_eq!(codes(&findings), [("PRC101", Mode::Warn)]);
}

#[test]
fn all_that_is_wrong_with_policies_is_told_at_once() {
    let policy: ClusterTestPolicy = yaml(
        "{metadata: {name: p}, spec: {match: {objectSelector: {matchExpressions: [{key: a, operator: Is}]}}, \
         inject: {resources: {limits: {memory: much}}}, \
         rules: [{code: PRC9, mode: Warn}, {code: PRC1, mode: Warn, exceptions: [{reason: ' ', expires: soon}]}]}}",
    );
    let team: TestPolicy = yaml(
        "{metadata: {name: t, namespace: shop}, spec: {rules: [{code: PRC1, mode: Enforce, exceptions: \
         [{reason: we said so, expires: 2030-01-01}]}]}}",
    );
    let errors = Compiled::new(&[policy], &[team], Platform::default()).unwrap_err();
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 6, "{told:#?}");
    assert!(
        errors
            .iter()
            .any(|error| matches!(error, PolicyError::TeamException { .. }))
    );
}

#[test]
fn the_built_in_policy_says_what_the_table_of_codes_says() {
    let policy = Compiled::default_policy().unwrap();
    for code in proctor_policy::CODES {
        let mut rules = policy.spec.policy.rules.iter();
        let rule = rules
            .find(|rule| code.code.starts_with(&rule.code))
            .unwrap();
        assert_eq!(rule.mode, code.default_mode, "{}", code.code);
    }
}
