//! Annotations prove nothing: a test pod has what was injected, or is refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use json_patch::Patch;
use proctor_api::{ClusterTestPolicy, PullPolicy};
use proctor_policy::{
    Compiled, Context, Kind, Mutation, Object, Operation, Platform, ReporterPlatform, Services,
};
use serde_json::{Value, json};

const REPORTER: &str = "/spec/initContainers/0";

/// One replica of the webhook: what it knows of the sidecar's image and of the collector.
struct Replica(Compiled);

impl Replica {
    fn new(image: &str, collector_ca: &str) -> Self {
        Self::with(image, collector_ca, "{metadata: {name: p}, spec: {}}")
    }

    fn with(image: &str, collector_ca: &str, policy: &str) -> Self {
        let policy: ClusterTestPolicy = serde_saphyr::from_str(policy).unwrap();
        let reporter = ReporterPlatform {
            image: image.to_owned(),
            pull_policy: PullPolicy::IfNotPresent,
            pull_secrets: Vec::new(),
            collector_url: "https://proctor-collector.proctor-system.svc:8443".to_owned(),
            collector_ca: collector_ca.to_owned(),
        };
        let platform = Platform {
            reporter: Some(reporter),
            ..Platform::default()
        };
        Self(Compiled::new(&[policy], &[], platform).unwrap())
    }

    fn usual() -> Self {
        Self::new("proctor.dev/sidecar:1", "-----BEGIN CERTIFICATE-----")
    }

    fn without_bundle() -> Self {
        Self::new("proctor.dev/sidecar:1", "")
    }

    fn decide<T>(
        &self,
        kind: Kind,
        object: &Value,
        decide: impl FnOnce(&Compiled, &Object<'_>, &Context<'_>) -> T,
    ) -> T {
        let json = serde_json::to_vec(object).unwrap();
        let context = Context {
            now: Timestamp::UNIX_EPOCH,
            operation: Operation::Create,
            namespace: "shop",
            namespace_labels: &BTreeMap::new(),
            services: &Services::default(),
        };
        decide(&self.0, &Object::parse(kind, &json).unwrap(), &context)
    }

    fn mutate(&self, kind: Kind, object: &Value) -> Mutation {
        self.decide(kind, object, Compiled::mutate)
    }

    fn admitted(&self, pod: &Value) -> Value {
        let mut pod = pod.clone();
        let operations = self.mutate(Kind::Pod, &pod).operations;
        json_patch::patch(&mut pod, &Patch(operations)).unwrap();
        pod
    }

    /// The places that PRC402 names.
    fn refuses(&self, kind: Kind, object: &Value) -> Vec<String> {
        let findings = self.decide(kind, object, |compiled, object, context| {
            compiled.review(object, None, context)
        });
        let ours = findings
            .into_iter()
            .filter(|finding| finding.code == "PRC402");
        ours.map(|finding| finding.path).collect()
    }
}

fn pod() -> Value {
    json!({
        "metadata": { "labels": { "component": "e2e-test" } },
        "spec": { "containers": [{ "name": "test-runner", "command": ["pytest"] }] },
    })
}

fn job(container: &Value) -> Value {
    let label = json!({ "labels": { "component": "e2e-test" } });
    let spec = json!({ "containers": [container] });
    json!({ "metadata": label, "spec": { "template": { "metadata": label, "spec": spec } } })
}

fn changed(pod: &Value, pointer: &str, value: Value) -> Value {
    let mut pod = pod.clone();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = pod.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Array(list), value) if field == "-" => list.push(value),
        (Value::Array(list), value) => list[field.parse::<usize>().unwrap()] = value,
        (parent, Value::Null) => drop(parent.as_object_mut().unwrap().remove(field)),
        (parent, value) => parent[field] = value,
    }
    pod
}

#[test]
fn a_reporter_that_was_changed_is_refused_with_the_field() {
    let replica = Replica::usual();
    let admitted = replica.admitted(&pod());
    assert_eq!(replica.refuses(Kind::Pod, &admitted), [""; 0]);
    let other_env = json!({ "name": "PROCTOR_GRACE_SECONDS", "value": "0" });
    let over = |path: &str| json!({ "name": "own", "mountPath": path });
    let cases = [
        ("image", "image", json!("evil/sidecar:1")),
        ("image", "image", json!("proctor.dev/sidecar-of-mine:1")),
        ("command", "command", json!(["/bin/true"])),
        ("args", "args", json!(["report", "--grace-seconds", "0"])),
        ("args", "args", Value::Null),
        ("env", "env/-", other_env),
        ("env", "env/0/value", json!("https://elsewhere:8443")),
        ("env", "env/1", json!({ "name": "PROCTOR_COLLECTOR_CA" })),
        ("env", "env/5/value", json!("other")),
        (
            "envFrom",
            "envFrom",
            json!([{ "configMapRef": { "name": "own" } }]),
        ),
        (
            "lifecycle",
            "lifecycle/preStop",
            json!({ "exec": { "command": ["x"] } }),
        ),
        ("lifecycle", "lifecycle", Value::Null),
        (
            "securityContext",
            "securityContext/runAsNonRoot",
            json!(false),
        ),
        (
            "securityContext",
            "securityContext/capabilities/add",
            json!(["NET_ADMIN"]),
        ),
        ("volumeMounts", "volumeMounts/0", over("/proctor")),
        (
            "volumeMounts",
            "volumeMounts/1/mountPath",
            json!("/elsewhere"),
        ),
        ("volumeMounts", "volumeMounts/-", over("/proctor-sidecar")),
        (
            "volumeMounts",
            "volumeMounts/-",
            over("/x/../proctor-sidecar"),
        ),
        ("volumeMounts", "volumeMounts/-", over("/proctor/bin/")),
    ];
    for (field, pointer, value) in cases {
        let pod = changed(&admitted, &format!("{REPORTER}/{pointer}"), value);
        assert_eq!(
            replica.refuses(Kind::Pod, &pod),
            [format!(
                "spec.initContainers[name=proctor-reporter].{field}"
            )],
            "{pointer}"
        );
    }
}

#[test]
fn a_volume_or_a_wrapper_that_was_changed_is_refused() {
    let replica = Replica::usual();
    let admitted = replica.admitted(&pod());
    let refuses = |pointer: &str, value: Value| {
        replica.refuses(Kind::Pod, &changed(&admitted, pointer, value))
    };
    let own = json!({ "name": "proctor-token", "secret": { "secretName": "own" } });
    assert_eq!(
        refuses("/spec/volumes/1", own),
        ["spec.volumes[name=proctor-token]"]
    );
    let audience = "/spec/volumes/1/projected/sources/0/serviceAccountToken/audience";
    assert_eq!(
        refuses(audience, json!("x")),
        ["spec.volumes[name=proctor-token]"]
    );
    let host = json!({ "name": "proctor", "hostPath": { "path": "/" } });
    assert_eq!(
        refuses("/spec/volumes/0", host),
        ["spec.volumes[name=proctor]"]
    );
    let command = ["spec.containers[name=test-runner].command"];
    assert_eq!(
        refuses("/spec/containers/0/command", json!(["pytest"])),
        command
    );
    assert_eq!(
        refuses("/spec/containers/0/volumeMounts", json!([])),
        command
    );
    assert_eq!(
        refuses("/spec/initContainers", json!([])),
        ["spec.initContainers"]
    );
}

#[test]
fn what_the_api_server_and_others_rightly_change_is_no_difference() {
    let replica = Replica::usual();
    let mut pod = replica.admitted(&pod());
    pod["spec"]["volumes"][1]["projected"]["defaultMode"] = json!(420);
    let reporter = &mut pod["spec"]["initContainers"][0];
    reporter["terminationMessagePath"] = json!("/dev/termination-log");
    reporter["terminationMessagePolicy"] = json!("File");
    reporter["imagePullPolicy"] = json!("Always");
    reporter["resources"] = json!({ "limits": { "cpu": "1", "memory": "64Mi" } });
    reporter["securityContext"]["runAsUser"] = json!(1000);
    reporter["env"][1]["value"] = json!("-----BEGIN CERTIFICATE----- of another moment");
    let identity = json!({ "name": "AWS_ROLE_ARN", "value": "arn:aws:iam::1:role/tests" });
    reporter["env"].as_array_mut().unwrap().insert(0, identity);
    let account = json!({ "name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true });
    reporter["volumeMounts"]
        .as_array_mut()
        .unwrap()
        .push(account);
    assert_eq!(replica.refuses(Kind::Pod, &pod), [""; 0]);
}

#[test]
fn while_replicas_are_upgraded_any_version_of_the_reporters_image_is_good() {
    let policy =
        "{metadata: {name: p}, spec: {reporter: {image: 'mirror:5000/sidecar@sha256:abc'}}}";
    let old = Replica::with("proctor.dev/sidecar:1", "ca", policy);
    let admitted = Replica::new("proctor.dev/sidecar:1", "ca").admitted(&pod());
    let refuses = |image: &str| {
        let pod = changed(&admitted, &format!("{REPORTER}/image"), json!(image));
        !old.refuses(Kind::Pod, &pod).is_empty()
    };
    for good in [
        "proctor.dev/sidecar:2",
        "proctor.dev/sidecar:2@sha256:def",
        "proctor.dev/sidecar",
        "mirror:5000/sidecar:2",
    ] {
        assert!(!refuses(good), "{good}");
    }
    for bad in [
        "mirror:5001/sidecar:2",
        "mirror",
        "proctor.dev/sidecar/x:1",
        "",
    ] {
        assert!(refuses(bad), "{bad}");
    }
}

#[test]
fn a_reporter_that_the_user_wrote_is_none_of_ours() {
    let replica = Replica::usual();
    let mut pod = pod();
    let image = "proctor.dev/sidecar:1";
    pod["spec"]["initContainers"] = json!([{ "name": "proctor-reporter", "image": image, "restartPolicy": "Always", "command": ["sleep"] }]);
    let admitted = replica.admitted(&pod);
    let fields = [
        "args",
        "env",
        "lifecycle",
        "securityContext",
        "volumeMounts",
        "command",
    ];
    let expected =
        fields.map(|field| format!("spec.initContainers[name=proctor-reporter].{field}"));
    assert_eq!(replica.refuses(Kind::Pod, &admitted), expected);
}

#[test]
fn the_token_is_the_reporters_alone() {
    let replica = Replica::usual();
    let mount = json!([{ "name": "proctor-token", "mountPath": "/token" }]);
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let mut pod = replica.admitted(&pod());
        let thief = json!({ "name": "thief", "volumeMounts": mount });
        match pod["spec"][list].as_array_mut() {
            Some(containers) => containers.push(thief),
            None => pod["spec"][list] = json!([thief]),
        }
        assert_eq!(
            replica.refuses(Kind::Pod, &pod),
            [format!(
                "spec.{list}[name=thief].volumeMounts[name=proctor-token]"
            )]
        );
    }
    // Written before the volume is there, it is found once it is.
    let mut pod = pod();
    pod["spec"]["containers"][0]["volumeMounts"] = mount;
    assert_eq!(
        replica.refuses(Kind::Pod, &replica.admitted(&pod)),
        ["spec.containers[name=test-runner].volumeMounts[name=proctor-token]"]
    );
}

#[test]
fn a_container_that_another_webhook_adds_between_two_passes_is_no_difference() {
    let replica = Replica::usual();
    let mut pod = pod();
    pod["spec"]["containers"][0]["name"] = json!("tests");
    let mut pod = replica.admitted(&pod);
    let agent =
        json!({ "name": "agent", "command": ["agent"], "securityContext": { "runAsUser": 100 } });
    pod["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(agent);
    let again = replica.admitted(&pod);
    assert_eq!(
        again.pointer(&format!("{REPORTER}/env/5/value")).unwrap(),
        "tests,agent"
    );
    assert_eq!(replica.refuses(Kind::Pod, &again), [""; 0]);
}

#[test]
fn a_job_whose_template_takes_a_reserved_name_is_refused_when_it_is_applied() {
    let replica = Replica::usual();
    let own = job(&json!({ "name": "tests", "command": ["pytest"] }));
    assert_eq!(replica.refuses(Kind::Job, &own), [""; 0]);
    let template = "/spec/template/spec";
    let volume = json!([{ "name": "proctor", "emptyDir": {} }]);
    let forged = json!([{ "name": "proctor-reporter", "restartPolicy": "Always" }]);
    let mounts = json!([{ "name": "data", "mountPath": "/proctor/" }]);
    let cases = [
        ("volumes", volume, "volumes[name=proctor]"),
        (
            "initContainers",
            forged,
            "initContainers[name=proctor-reporter]",
        ),
        (
            "containers/0/volumeMounts",
            mounts,
            "containers[name=tests].volumeMounts[mountPath=/proctor]",
        ),
    ];
    for (field, value, place) in cases {
        let job = changed(&own, &format!("{template}/{field}"), value);
        assert_eq!(
            replica.refuses(Kind::Job, &job),
            [format!("spec.template.spec.{place}")]
        );
        let cron = json!({ "metadata": job["metadata"], "spec": { "jobTemplate": { "spec": job["spec"] } } });
        let path = format!("spec.jobTemplate.spec.template.spec.{place}");
        assert_eq!(replica.refuses(Kind::CronJob, &cron), [path]);
    }
}

#[test]
fn whoever_applies_a_job_is_told_what_its_pods_will_not_be_given() {
    let warnings = |job: &Value| Replica::usual().mutate(Kind::Job, job).warnings;
    assert_eq!(
        warnings(&job(&json!({ "name": "tests", "command": ["pytest"] }))),
        [""; 0]
    );
    assert_eq!(
        warnings(&job(&json!({ "name": "tests" }))),
        [
            "the container tests names no command, so its output is not brought out; set `command` in it"
        ]
    );
    let mut two = job(&json!({ "name": "one" }));
    let containers = two.pointer_mut("/spec/template/spec/containers").unwrap();
    containers
        .as_array_mut()
        .unwrap()
        .push(json!({ "name": "two" }));
    assert_eq!(
        warnings(&two),
        ["no container looks like the test; name it in the annotation proctor.dev/test-containers"]
    );
}

#[test]
fn until_the_collector_is_known_pods_run_without_a_reporter_and_say_so() {
    let (early, late) = (Replica::without_bundle(), Replica::usual());
    let mutation = early.mutate(Kind::Pod, &pod());
    assert_eq!(
        mutation.warnings,
        ["the collector is not ready yet; nothing is brought out from this pod"]
    );
    let bare = early.admitted(&pod());
    assert_eq!(bare["spec"].get("initContainers"), None);
    assert_eq!(bare["spec"]["containers"][0]["command"], json!(["pytest"]));
    assert_eq!(early.refuses(Kind::Pod, &bare), [""; 0]);

    // Injected by a replica that knew the collector already: complete, and compared.
    let full = late.admitted(&pod());
    assert_eq!(early.refuses(Kind::Pod, &full), [""; 0]);
    assert_eq!(early.mutate(Kind::Pod, &full).operations, []);
    let forged = changed(&full, &format!("{REPORTER}/args"), json!(["idle"]));
    assert_eq!(early.refuses(Kind::Pod, &forged).len(), 1);
    assert_eq!(late.refuses(Kind::Pod, &bare).len(), 1);
}
