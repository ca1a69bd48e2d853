//! Whether a pod is as it was injected. Annotations prove nothing: what is there is compared with what would be put there.

use std::path::{Component, Path};

use proctor_api::injected::{REPORTER, ROOT, TOKEN_PATH, TOKEN_VOLUME, VOLUME, WRAPPER};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::containers::test_containers;
use super::reporter::{COLLECTOR_CA, Reporting, SIDECAR, taken, volumes};
use crate::merge::Effective;
use crate::platform::Platform;
use crate::view::{Container, ContainerList, Kind, Object, PodSpec};

/// A place where a pod, or the template of one, is not as it has to be.
#[derive(Debug)]
pub(crate) struct Difference {
    /// From the object.
    pub(crate) path: String,
    /// Without what is there instead.
    pub(crate) message: String,
    /// What is there instead, for telling one difference from another; never shown.
    pub(crate) is: String,
}

impl Difference {
    fn new(path: String, message: impl Into<String>, is: &Value) -> Self {
        Self {
            path,
            message: message.into(),
            is: is.to_string(),
        }
    }
}

/// The injected parts of a pod, whole.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Whole<'a> {
    #[serde(borrow)]
    spec: Option<Parts<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Parts<'a> {
    #[serde(borrow)]
    init_containers: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    volumes: Option<Vec<&'a RawValue>>,
}

/// Where the pod is not as it was injected; in a template, what would keep its pods from being injected.
pub(crate) fn differences(
    object: &Object<'_>,
    platform: &Platform,
    effective: &Effective<'_>,
) -> Vec<Difference> {
    let pod = object.pod();
    let tests = test_containers(pod);
    let reporting = Reporting::of(pod, &tests, platform, effective);
    let (Some(spec), Some(reporting)) = (pod.spec, reporting) else {
        return Vec::new();
    };
    if object.kind() != Kind::Pod {
        let taken = taken(spec).filter(|_| reporting.has_something_to_report());
        let taken = taken.map(|place| {
            let path = format!("{}.spec.{place}", object.kind().pod_path().join("."));
            let message = "the pod template uses a name of Proctor's itself";
            Difference::new(path, message, &Value::Null)
        });
        return taken.into_iter().collect();
    }
    let mut found = token_mounts(spec);
    if reporting.is_due() {
        found.extend(injected(object, spec, &tests, &reporting));
    }
    found
}

/// Who else holds the token could upload in the reporter's name.
fn token_mounts(spec: &PodSpec<'_>) -> Vec<Difference> {
    let containers = spec.indexed_containers();
    let others =
        containers.filter(|(list, _, one)| (*list, &*one.name) != (ContainerList::Init, REPORTER));
    let mounting = others.filter(|(_, _, container)| {
        let mut mounts = container.volume_mounts.iter();
        mounts.any(|mount| &*mount.name == TOKEN_VOLUME)
    });
    let found = mounting.map(|(list, _, container)| {
        let (list, name) = (list.field(), &*container.name);
        let path = format!("spec.{list}[name={name}].volumeMounts[name={TOKEN_VOLUME}]");
        let message = format!("the volume {TOKEN_VOLUME} is the reporter's alone");
        Difference::new(path, message, &Value::Null)
    });
    found.collect()
}

fn is_recorded(test: &Container<'_>) -> bool {
    let Some(word) = test.command.first() else {
        return true;
    };
    let mut mounts = test.volume_mounts.iter();
    &**word == WRAPPER && mounts.any(|mount| &*mount.name == VOLUME && &*mount.mount_path == ROOT)
}

/// The reporter, its volumes and the wrapper.
fn injected(
    object: &Object<'_>,
    spec: &PodSpec<'_>,
    tests: &[(usize, &Container<'_>)],
    reporting: &Reporting<'_>,
) -> Vec<Difference> {
    let whole: Whole<'_> = serde_json::from_slice(object.json()).unwrap_or_default();
    let parts = whole.spec.unwrap_or_default();
    let value = |list: Option<&Vec<&RawValue>>, index: Option<usize>| -> Option<Value> {
        serde_json::from_str(list?.get(index?)?.get()).ok()
    };
    let mut containers = spec.init_containers.iter();
    let index = containers.position(|one| &*one.name == REPORTER && one.is_native_sidecar());
    let Some(container) = value(parts.init_containers.as_ref(), index) else {
        let message = "the reporter is missing";
        let path = "spec.initContainers".to_owned();
        return vec![Difference::new(path, message, &Value::Null)];
    };
    let fields = differing_fields(&container, reporting);
    let fields = fields.into_iter().map(|(field, is)| {
        let path = format!("spec.initContainers[name={REPORTER}].{field}");
        Difference::new(path, "the reporter is not as it was injected", is)
    });
    let volumes = volumes().into_iter().filter_map(|(name, expected)| {
        let index = spec.volumes.iter().position(|one| &*one.name == name);
        let is = value(parts.volumes.as_ref(), index).unwrap_or_default();
        let message = "the reporter's volume is missing, or is not as it was injected";
        let path = format!("spec.volumes[name={name}]");
        (!holds(&expected, &is)).then(|| Difference::new(path, message, &is))
    });
    let tests = tests.iter().filter(|(_, test)| !is_recorded(test));
    let tests = tests.map(|(_, test)| {
        let path = format!("spec.containers[name={}].command", &*test.name);
        let message = "the test command is not recorded: the wrapper or its volume is missing";
        Difference::new(path, message, &Value::Null)
    });
    fields.chain(volumes).chain(tests).collect()
}

/// The fields of the reporter that are not as they were injected, with what they are.
fn differing_fields<'v>(
    container: &'v Value,
    reporting: &Reporting<'_>,
) -> Vec<(String, &'v Value)> {
    let expected = reporting.container();
    let mut found = Vec::new();
    for (field, expected) in expected.as_object().into_iter().flatten() {
        let is = container.get(field).unwrap_or(&Value::Null);
        let same = match field.as_str() {
            // Others rightly change these: AlwaysPullImages, limit ranges, resizing.
            "imagePullPolicy" | "resources" => true,
            "image" => reporting.is_own_image(is.as_str().unwrap_or_default()),
            "env" => same_env(expected, is),
            "volumeMounts" => same_mounts(expected, is),
            "securityContext" => same_security(expected, is),
            _ => expected == is,
        };
        if !same {
            found.push((field.clone(), is));
        }
    }
    for field in ["command", "envFrom"] {
        let is = container.get(field).unwrap_or(&Value::Null);
        if !is.is_null() && is.as_array().is_none_or(|list| !list.is_empty()) {
            found.push((field.to_owned(), is));
        }
    }
    found
}

/// All of ours is there, and nothing else of the reporter's own names; what other webhooks add to every container (a cloud identity, say) is
/// no business of its. Replicas learn of a new bundle one after the other, so its value may be that of the one that injected.
fn same_env(expected: &Value, is: &Value) -> bool {
    const OURS: &str = "PROCTOR_";
    let (Some(expected), Some(is)) = (expected.as_array(), is.as_array()) else {
        return false;
    };
    let same = |expected: &Value, is: &Value| {
        let is_bundle = name(is) == COLLECTOR_CA && is.get("value").is_some_and(Value::is_string);
        expected == is || (name(expected) == COLLECTOR_CA && is_bundle)
    };
    let is: Vec<_> = is.iter().filter(|is| name(is).starts_with(OURS)).collect();
    expected.len() == is.len()
        && expected
            .iter()
            .zip(is)
            .all(|(expected, is)| same(expected, is))
}

fn name(variable: &Value) -> &str {
    let name = variable.get("name").and_then(Value::as_str);
    name.unwrap_or_default()
}

/// The API server adds the service account's mount. What is mounted over the program, the volume or the token is another reporter.
fn same_mounts(expected: &Value, is: &Value) -> bool {
    let (Some(expected), Some(is)) = (expected.as_array(), is.as_array()) else {
        return false;
    };
    let covers = |mount: &Value| {
        let path = mount.get("mountPath").and_then(Value::as_str);
        let path = Path::new("/").join(path.unwrap_or_default());
        path.components().any(|part| part == Component::ParentDir)
            || [SIDECAR, ROOT, TOKEN_PATH]
                .iter()
                .any(|ours| path.starts_with(ours))
    };
    let mut added = is.iter().filter(|mount| !expected.contains(mount));
    expected.iter().all(|mount| is.contains(mount)) && !added.any(covers)
}

/// `runAsUser` follows the test container's, which others may have set after the injection; any user but root will do.
fn same_security(expected: &Value, is: &Value) -> bool {
    let mut expected = expected.as_object().into_iter().flatten();
    expected.all(|(field, value)| field == "runAsUser" || is.get(field) == Some(value))
}

/// Whether everything that we set is there; the API server fills in more, such as `defaultMode`.
fn holds(expected: &Value, is: &Value) -> bool {
    match (expected, is) {
        (Value::Object(expected), Value::Object(is)) => expected
            .iter()
            .all(|(field, value)| is.get(field).is_some_and(|is| holds(value, is))),
        (Value::Array(expected), Value::Array(is)) => {
            expected.len() == is.len()
                && expected.iter().zip(is).all(|(value, is)| holds(value, is))
        }
        _ => expected == is,
    }
}
