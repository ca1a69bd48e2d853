//! What holds for every object, shown on many.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use json_patch::Patch;
use proctor_api::{ClusterTestPolicy, PullPolicy};
use proctor_policy::{
    Compiled, Context, Finding, Kind, Mutation, Object, Operation, Platform, ReporterPlatform,
    Services, set_defaults,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const POLICY: &str = r#"
apiVersion: proctor.dev/v1alpha1
kind: ClusterTestPolicy
metadata: { name: everything, generation: 3 }
spec:
  inject:
    env: [{ name: REGION, value: eu }, { name: FROM_FIELD, valueFrom: { fieldRef: { fieldPath: metadata.name } } }]
    envFrom:
      - { secretRef: { name: db }, prefix: DB_ }
      - { secretRef: { name: llm, optional: true } }
      - { configMapRef: { name: settings } }
    services: { postgres: "db-rw.shop.svc.cluster.local:5432", model-server: models.shop.svc }
    dns: { policy: ClusterFirst, searches: [shop.svc.cluster.local], ndots: 2 }
    resources: { requests: { cpu: 100m, memory: 256Mi }, limits: { memory: 1Gi }, max: { cpu: "1", memory: 2Gi } }
  reporter: { globs: ["out/*.xml"], imagePullSecrets: [{ name: mirror }] }
"#;

static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let policy: ClusterTestPolicy = serde_saphyr::from_str(POLICY).unwrap();
    let reporter = ReporterPlatform {
        image: "proctor.dev/sidecar:1".to_owned(),
        pull_policy: PullPolicy::IfNotPresent,
        pull_secrets: vec!["mirror".to_owned()],
        collector_url: "https://127.0.0.1:8443".to_owned(),
        collector_ca: "-----BEGIN CERTIFICATE-----".to_owned(),
    };
    let platform = Platform {
        reporter: Some(reporter),
        ..Platform::default()
    };
    Compiled::new(&[policy], &[], platform).unwrap()
});

fn decide<T>(kind: Kind, object: &Value, decide: impl FnOnce(&Object<'_>, &Context<'_>) -> T) -> T {
    let json = serde_json::to_vec(object).unwrap();
    let object = Object::parse(kind, &json).unwrap();
    let context = Context {
        now: Timestamp::UNIX_EPOCH,
        operation: Operation::Create,
        namespace: "shop",
        namespace_labels: &BTreeMap::new(),
        services: &Services::default(),
    };
    decide(&object, &context)
}

fn mutate(compiled: &Compiled, kind: Kind, object: &Value) -> Mutation {
    decide(kind, object, |object, context| {
        compiled.mutate(object, context)
    })
}

fn review(compiled: &Compiled, kind: Kind, object: &Value) -> Vec<Finding> {
    decide(kind, object, |object, context| {
        compiled.review(object, None, context)
    })
}

fn admitted(compiled: &Compiled, kind: Kind, object: &Value) -> Value {
    let mut object = object.clone();
    let patch = Patch(mutate(compiled, kind, &object).operations);
    json_patch::patch(&mut object, &patch).unwrap();
    object
}

/// A value that is absent, null, or there.
fn perhaps(value: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Option<Value>> {
    prop_oneof![Just(None), Just(Some(Value::Null)), value.prop_map(Some)].boxed()
}

fn map(fields: Vec<(&'static str, BoxedStrategy<Option<Value>>)>) -> BoxedStrategy<Value> {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    values
        .prop_map(move |values| {
            let fields = names.iter().zip(values);
            let fields = fields.filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
            Value::Object(fields.collect())
        })
        .boxed()
}

fn list(item: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    prop::collection::vec(item, 0..3)
        .prop_map(Value::from)
        .boxed()
}

fn one_of(values: &[Value]) -> BoxedStrategy<Value> {
    select(values.to_vec()).boxed()
}

fn container() -> BoxedStrategy<Value> {
    let words = || {
        list(one_of(&[
            json!("pytest"),
            json!("-v"),
            json!("sh"),
            json!("-c"),
            json!("--"),
        ]))
    };
    let env = list(one_of(&[
        json!({ "name": "REGION", "value": "us" }),
        json!({ "name": "POSTGRES_HOST", "value": "other" }),
        json!({ "name": "PYTEST_ADDOPTS", "value": "-q" }),
        json!({ "name": "PASSWORD", "valueFrom": { "secretKeyRef": { "name": "a", "key": "b" } } }),
    ]));
    let env_from = list(one_of(&[
        json!({ "secretRef": { "name": "db" }, "prefix": "DB_" }),
        json!({ "secretRef": { "name": "llm" } }),
        json!({ "configMapRef": { "name": "other" } }),
    ]));
    let amounts = || {
        map(vec![
            (
                "cpu",
                perhaps(one_of(&[
                    json!("50m"),
                    json!("4"),
                    json!(2),
                    json!("nonsense"),
                ])),
            ),
            (
                "memory",
                perhaps(one_of(&[json!("64Mi"), json!("8Gi"), json!("1.5Gi")])),
            ),
        ])
    };
    let resources = map(vec![
        ("requests", perhaps(amounts())),
        ("limits", perhaps(amounts())),
    ]);
    map(vec![
        ("command", perhaps(words())),
        ("args", perhaps(words())),
        ("env", perhaps(env)),
        ("envFrom", perhaps(env_from)),
        ("resources", perhaps(resources)),
        (
            "volumeMounts",
            perhaps(list(Just(json!({ "name": "x", "mountPath": "/x" })))),
        ),
        ("ports", perhaps(list(Just(json!({ "containerPort": 80 }))))),
        (
            "securityContext",
            perhaps(one_of(&[
                json!({ "runAsUser": 1000 }),
                json!({ "runAsUser": 0 }),
            ])),
        ),
    ])
}

fn pod_spec() -> BoxedStrategy<Value> {
    let containers =
        prop::collection::vec((container(), any::<bool>()), 1..4).prop_map(|containers| {
            let named =
                containers
                    .into_iter()
                    .enumerate()
                    .map(|(index, (mut container, runner))| {
                        let runner = runner && index == 0;
                        container["name"] = json!(if runner {
                            "test-runner".to_owned()
                        } else {
                            format!("c{index}")
                        });
                        container
                    });
            named.collect::<Value>()
        });
    let init = list(one_of(&[
        json!({ "name": "mesh", "restartPolicy": "Always" }),
        json!({ "name": "migrate", "command": ["sh"] }),
    ]));
    let dns = map(vec![
        (
            "searches",
            perhaps(list(one_of(&[json!("a"), json!("shop.svc.cluster.local")]))),
        ),
        (
            "options",
            perhaps(list(one_of(&[
                json!({ "name": "ndots", "value": "5" }),
                json!({ "name": "edns0" }),
            ]))),
        ),
    ]);
    map(vec![
        ("containers", containers.prop_map(Some).boxed()),
        ("initContainers", perhaps(init)),
        (
            "dnsPolicy",
            perhaps(one_of(&[json!("ClusterFirst"), json!("Default")])),
        ),
        ("dnsConfig", perhaps(dns)),
        (
            "volumes",
            perhaps(list(Just(json!({ "name": "x", "emptyDir": {} })))),
        ),
        (
            "imagePullSecrets",
            perhaps(list(Just(json!({ "name": "mirror" })))),
        ),
        (
            "restartPolicy",
            perhaps(one_of(&[
                json!("Always"),
                json!("Never"),
                json!("OnFailure"),
            ])),
        ),
        ("unknownField", perhaps(Just(json!({ "kept": true })))),
    ])
}

fn metadata() -> BoxedStrategy<Value> {
    let annotations = map(vec![
        ("proctor.dev/changes", perhaps(Just(json!("forged")))),
        ("proctor.dev/applied", perhaps(Just(json!("forged")))),
        (
            "proctor.dev/test-containers",
            perhaps(Just(json!("c1, c2"))),
        ),
    ]);
    map(vec![
        ("annotations", perhaps(annotations)),
        ("labels", perhaps(Just(json!({ "app": "x" })))),
    ])
}

fn pod() -> BoxedStrategy<Value> {
    (metadata(), pod_spec())
        .prop_map(|(mut metadata, spec)| {
            metadata["labels"] = json!({ "component": "e2e-test" });
            json!({ "kind": "Pod", "metadata": metadata, "spec": spec })
        })
        .boxed()
}

fn job_spec() -> BoxedStrategy<Value> {
    let template = map(vec![
        ("metadata", perhaps(metadata())),
        ("spec", pod_spec().prop_map(Some).boxed()),
    ]);
    map(vec![
        (
            "backoffLimit",
            perhaps(one_of(&[json!(0), json!(3), json!(6)])),
        ),
        ("backoffLimitPerIndex", perhaps(Just(json!(1)))),
        ("ttlSecondsAfterFinished", perhaps(Just(json!(60)))),
        ("activeDeadlineSeconds", perhaps(Just(json!(60)))),
        ("template", template.prop_map(Some).boxed()),
    ])
}

fn job() -> BoxedStrategy<(Kind, Value)> {
    (job_spec(), any::<bool>())
        .prop_map(|(spec, cron)| {
            let metadata = json!({ "name": "tests", "labels": { "component": "e2e-test" } });
            if cron {
                let spec = json!({ "schedule": "* * * * *", "jobTemplate": { "spec": spec } });
                (Kind::CronJob, json!({ "metadata": metadata, "spec": spec }))
            } else {
                (Kind::Job, json!({ "metadata": metadata, "spec": spec }))
            }
        })
        .boxed()
}

proptest! {
    #[test]
    fn what_a_pod_was_given_it_is_not_given_again(pod in pod()) {
        let once = admitted(&COMPILED, Kind::Pod, &pod);
        let again = mutate(&COMPILED, Kind::Pod, &once);
        prop_assert_eq!(again.operations, vec![], "{:#}", once);
        prop_assert!(review(&COMPILED, Kind::Pod, &once).iter().all(|finding| finding.code != "PRC402"));
    }

    #[test]
    fn what_a_job_was_given_it_is_not_given_again((kind, job) in job()) {
        let once = admitted(&COMPILED, kind, &job);
        prop_assert_eq!(mutate(&COMPILED, kind, &once).operations, vec![], "{:#}", once);
    }

    #[test]
    fn a_job_is_given_the_same_before_and_after_the_api_servers_defaults((kind, job) in job()) {
        let mut given_first = admitted(&COMPILED, kind, &job);
        set_defaults(kind, &mut given_first);
        let mut defaulted = job.clone();
        set_defaults(kind, &mut defaulted);
        prop_assert_eq!(given_first, admitted(&COMPILED, kind, &defaulted));
    }

    #[test]
    fn unknown_fields_survive(pod in pod()) {
        let given = admitted(&COMPILED, Kind::Pod, &pod);
        prop_assert_eq!(given["spec"].get("unknownField"), pod["spec"].get("unknownField"));
    }

    #[test]
    fn what_the_team_set_itself_is_left_alone(pod in pod()) {
        let given = admitted(&COMPILED, Kind::Pod, &pod);
        let containers = pod["spec"]["containers"].as_array().unwrap();
        for (before, after) in containers.iter().zip(given["spec"]["containers"].as_array().unwrap()) {
            let ours = before["env"].as_array().cloned().unwrap_or_default();
            let env = after["env"].as_array().cloned().unwrap_or_default();
            prop_assert!(env.ends_with(&ours));
            prop_assert_eq!(&before["args"], &after["args"]);
        }
    }

    #[test]
    fn any_bytes_are_an_object_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in [Kind::Pod, Kind::Job, Kind::CronJob, Kind::Deployment] {
            let _ = Object::parse(kind, &bytes);
        }
    }

    #[test]
    fn any_strings_are_judged_without_a_panic(name in ".{0,40}", value in ".{0,80}", script in "[a-z$(){}'\"#=:/@;&|<>\\\\ \n-]{0,80}") {
        let env = json!([{ "name": name, "value": value }, { "name": "DB_URL", "value": script }]);
        let container = json!({ "name": name, "env": env, "command": ["sh", "-c", script, value], "args": [value, script] });
        let pod = json!({ "metadata": { "annotations": { name: value } }, "spec": { "containers": [container] } });
        review(&COMPILED, Kind::Pod, &pod);
    }

    #[test]
    fn a_planted_credential_is_found_everywhere_and_never_told(
        list in select(vec!["containers", "initContainers", "ephemeralContainers"]),
        place in 0..8_usize,
        secret in "[a-zA-Z0-9]{12,30}",
        kind in select(vec![Kind::Pod, Kind::Job, Kind::CronJob, Kind::Deployment]),
    ) {
        let url = format!("postgres://app:{secret}@db:5432/shop");
        let script = format!("set -e\nexport DB_PASSWORD={secret}\npytest");
        let planted = match place {
            0 => json!({ "env": [{ "name": "DB_PASSWORD", "value": secret }] }),
            1 => json!({ "env": [{ "name": "DB", "value": url }] }),
            2 => json!({ "command": ["sh", "-c", script] }),
            3 => json!({ "args": ["--dsn", url] }),
            4 => json!({ "args": [format!("--db-password={secret}")] }),
            5 => json!({ "lifecycle": { "postStart": { "exec": { "command": ["sh", "-c", script] } } } }),
            6 => json!({ "livenessProbe": { "httpGet": { "path": "/", "port": 1, "httpHeaders": [{ "name": "Authorization", "value": secret }] } } }),
            _ => json!({ "readinessProbe": { "exec": { "command": ["psql", url] } } }),
        };
        let mut container = planted;
        container["name"] = json!("test-runner");
        let template = json!({ "spec": { list: [container] } });
        let object = match kind {
            Kind::Pod => template,
            Kind::CronJob => json!({ "spec": { "jobTemplate": { "spec": { "template": template } } } }),
            _ => json!({ "spec": { "template": template } }),
        };
        let findings = review(&COMPILED, kind, &object);
        prop_assert!(findings.iter().any(|finding| finding.code.starts_with("PRC1")), "{object:#}");
        let told = serde_json::to_string(&findings).unwrap();
        prop_assert!(!told.contains(&secret), "{told}");
    }
}
