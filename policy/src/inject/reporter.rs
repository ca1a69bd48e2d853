//! The reporter in the pod, and the wrapper in front of the test commands, as `docs/data-flow.md` says.

use proctor_api::injected::{
    REPORTER, ROOT, TOKEN_PATH, TOKEN_VOLUME, UPLOAD_AUDIENCE, VOLUME, WRAPPER,
};
use serde_json::{Value, json};

use super::edit::{At, Edit};
use crate::merge::Effective;
use crate::platform::{Platform, ReporterPlatform};
use crate::view::{Container, List, Pod, PodSpec};
use proctor_api::{Instrument, PullPolicy};

/// The program in the image, which is also its entry point.
pub(super) const SIDECAR: &str = "/proctor-sidecar";
/// The variable with the certificates the collector is verified with.
pub(super) const COLLECTOR_CA: &str = "PROCTOR_COLLECTOR_CA";
const CONTAINERS: &str = "PROCTOR_CONTAINERS";

const TOKEN_SECONDS: u32 = 3600;
/// Used where the test container is root, or does not say who it is.
const NOBODY: i64 = 65532;

/// A reporter that will be, or is, in the pod.
#[derive(Debug)]
pub(super) struct Reporting<'a> {
    platform: &'a ReporterPlatform,
    effective: &'a Effective<'a>,
    wrapped: Vec<&'a str>,
    user: i64,
    present: bool,
}

/// Nothing where the pod gets no reporter, and says why.
pub(super) fn plan<'a>(
    pod: Pod<'a, 'a>,
    tests: &[(usize, &'a Container<'a>)],
    platform: &'a Platform,
    effective: &'a Effective<'a>,
    edit: &mut Edit,
) -> Option<Reporting<'a>> {
    let reporting = Reporting::of(pod, tests, platform, effective)?;
    for (_, container) in tests {
        if container.command.is_empty() {
            edit.warn(format!(
                "the container {} names no command, so its output is not brought out; set `command` in it",
                &*container.name
            ));
        }
    }
    if !reporting.has_something_to_report() {
        return None;
    }
    if !reporting.present
        && let Some(place) = taken(pod.spec?)
    {
        edit.warn(format!(
            "the pod uses a name of Proctor's itself ({place}); nothing of it is brought out"
        ));
        return None;
    }
    if !reporting.is_due() {
        edit.warn(
            "the collector is not ready yet; nothing is brought out from this pod".to_owned(),
        );
        return None;
    }
    Some(reporting)
}

fn has_reporter(spec: &PodSpec<'_>) -> bool {
    let mut containers = spec.init_containers.iter();
    containers.any(|one| &*one.name == REPORTER && one.is_native_sidecar())
}

/// Where a pod without our reporter uses one of the names that injection needs.
pub(super) fn taken(spec: &PodSpec<'_>) -> Option<String> {
    for (list, _, container) in spec.indexed_containers() {
        let place = format!("{}[name={}]", list.field(), &*container.name);
        if &*container.name == REPORTER {
            return Some(place);
        }
        let mut mounts = container.volume_mounts.iter();
        if mounts.any(|mount| mount.mount_path.trim_end_matches('/') == ROOT) {
            return Some(format!("{place}.volumeMounts[mountPath={ROOT}]"));
        }
    }
    let names = [VOLUME, TOKEN_VOLUME].into_iter();
    let mut taken = names.filter(|name| has(&spec.volumes, name));
    taken.next().map(|name| format!("volumes[name={name}]"))
}

impl<'a> Reporting<'a> {
    /// Nothing where the install or the policy wants no reporter.
    pub(super) fn of(
        pod: Pod<'a, 'a>,
        tests: &[(usize, &'a Container<'a>)],
        platform: &'a Platform,
        effective: &'a Effective<'a>,
    ) -> Option<Self> {
        let platform = platform.reporter.as_ref()?;
        if effective.reporter.enabled == Some(false) {
            return None;
        }
        let spec = pod.spec?;
        let commands = tests.iter().filter(|(_, test)| !test.command.is_empty());
        let user = tests.iter().find_map(|(_, container)| {
            let own = container
                .security_context
                .as_ref()
                .and_then(|context| context.run_as_user);
            let of_pod = || {
                spec.security_context
                    .as_ref()
                    .and_then(|context| context.run_as_user)
            };
            own.or_else(of_pod).filter(|user| *user > 0)
        });
        Some(Self {
            platform,
            effective,
            wrapped: commands.map(|(_, test)| &*test.name).collect(),
            user: user.unwrap_or(NOBODY),
            present: has_reporter(spec),
        })
    }

    /// Whether the command of any test container can be recorded.
    pub(super) fn has_something_to_report(&self) -> bool {
        !self.wrapped.is_empty()
    }

    /// Whether the pod has to have the reporter. Without the collector's bundle it could never upload, so none is put in; one that
    /// another replica, which knew the bundle, has put in is kept.
    pub(super) fn is_due(&self) -> bool {
        let reachable = self.present || !self.platform.collector_ca.is_empty();
        reachable && self.has_something_to_report()
    }

    /// Whether the image is the reporter's, in any version: during an upgrade one replica injects the new one while another still
    /// validates by the old one, and a good pod must not be refused for that.
    pub(super) fn is_own_image(&self, image: &str) -> bool {
        let of_policy = self.effective.reporter.image.iter();
        let mut known = of_policy.chain([&self.platform.image]);
        known.any(|known| repository(known) == repository(image))
    }

    fn wraps(&self, container: &Container<'_>) -> bool {
        self.wrapped.contains(&&*container.name)
    }

    /// Puts the wrapper in front of the command; the arguments stay as they are.
    pub(super) fn wrap(&self, container: &Container<'_>, at: &At, edit: &mut Edit) {
        let done = container
            .command
            .first()
            .is_some_and(|word| &**word == WRAPPER);
        if done || !self.wraps(container) {
            return;
        }
        let mut command = vec![WRAPPER, "--container", &container.name];
        for glob in &self.effective.reporter.globs {
            command.extend(["--glob", glob]);
        }
        command.push("--");
        command.extend(container.command.iter().map(|word| &**word));
        edit.replace(at.field("command"), command);
        edit.changed(format!(
            "{}: command recorded by {WRAPPER}",
            &*container.name
        ));
    }

    /// Environment that makes test frameworks write reports where the wrapper gathers them.
    pub(super) fn instruments(
        &self,
        container: &Container<'_>,
        effective: &Effective<'_>,
    ) -> Vec<(String, String)> {
        if !self.wraps(container) {
            return Vec::new();
        }
        let reports = format!("{ROOT}/reports/{}", &*container.name);
        let instruments = effective.instrument.iter();
        let instruments = instruments.map(|instrument| match instrument {
            Instrument::Pytest => (
                "PYTEST_ADDOPTS".to_owned(),
                format!("--junitxml={reports}/junit.xml"),
            ),
        });
        instruments.collect()
    }

    /// The container, its volumes and pull secrets.
    pub(super) fn inject(&self, spec: &PodSpec<'_>, at: &At, edit: &mut Edit) {
        if !self.present {
            let containers = &spec.init_containers;
            // Started after a mesh proxy it also stops before it, while the network is still up.
            let plain = containers.iter().position(|one| !one.is_native_sidecar());
            let index = plain.unwrap_or(containers.len());
            let list = at.field("initContainers");
            edit.insert(
                &list,
                containers.is_present(),
                index,
                vec![self.container()],
            );
            edit.changed(format!("reporter {REPORTER}"));
        }
        self.retell(spec, at, edit);
        let missing = volumes()
            .into_iter()
            .filter(|(name, _)| !has(&spec.volumes, name));
        let missing = missing.map(|(_, volume)| volume).collect();
        let list = at.field("volumes");
        edit.insert(
            &list,
            spec.volumes.is_present(),
            spec.volumes.len(),
            missing,
        );

        let ours = self.effective.reporter.image_pull_secrets.iter();
        let mut secrets: Vec<&str> = self
            .platform
            .pull_secrets
            .iter()
            .map(String::as_str)
            .collect();
        secrets.extend(ours.map(|secret| secret.name.as_str()));
        secrets.sort_unstable();
        secrets.dedup();
        let known = &spec.image_pull_secrets;
        secrets.retain(|name| !has(known, name));
        let secrets = secrets
            .into_iter()
            .map(|name| json!({ "name": name }))
            .collect();
        edit.insert(
            &at.field("imagePullSecrets"),
            known.is_present(),
            known.len(),
            secrets,
        );
    }

    /// Tells a reporter of an earlier pass of the containers that are wrapped by now: another webhook may have added one in between.
    fn retell(&self, spec: &PodSpec<'_>, at: &At, edit: &mut Edit) {
        let mut containers = spec.init_containers.iter().enumerate();
        let reporter =
            containers.find(|(_, one)| &*one.name == REPORTER && one.is_native_sidecar());
        let Some((index, reporter)) = reporter else {
            return;
        };
        let told = self.wrapped.join(",");
        let mut env = reporter.env.iter();
        if let Some(var) = env.position(|var| &*var.name == CONTAINERS && *var.value != *told) {
            let at = at.field("initContainers").field(index);
            edit.replace(at.field("env").field(var).field("value"), told);
        }
    }

    pub(super) fn container(&self) -> Value {
        let spec = &self.effective.reporter;
        let image = spec.image.as_ref().unwrap_or(&self.platform.image);
        let pull = match spec.image_pull_policy.unwrap_or(self.platform.pull_policy) {
            PullPolicy::Always => "Always",
            PullPolicy::IfNotPresent => "IfNotPresent",
            PullPolicy::Never => "Never",
        };
        let mut requests = json!({ "cpu": "10m", "memory": "32Mi" });
        let mut limits = json!({ "cpu": "500m", "memory": "128Mi" });
        if let Some(resources) = &spec.resources {
            for (ours, theirs) in [
                (&mut requests, &resources.requests),
                (&mut limits, &resources.limits),
            ] {
                for (name, amount) in theirs {
                    if let Some(ours) = ours.as_object_mut() {
                        ours.insert(name.clone(), json!(amount));
                    }
                }
            }
        }
        let from_pod = |name: &str, field: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": field } } });
        json!({
            "name": REPORTER,
            "image": image,
            "imagePullPolicy": pull,
            "args": ["report"],
            "restartPolicy": "Always",
            "env": [
                { "name": "PROCTOR_COLLECTOR_URL", "value": self.platform.collector_url },
                { "name": COLLECTOR_CA, "value": self.platform.collector_ca },
                from_pod("PROCTOR_POD_NAME", "metadata.name"),
                from_pod("PROCTOR_POD_NAMESPACE", "metadata.namespace"),
                from_pod("PROCTOR_POD_UID", "metadata.uid"),
                { "name": CONTAINERS, "value": self.wrapped.join(",") },
            ],
            "lifecycle": { "postStart": { "exec": { "command": [SIDECAR, "install"] } } },
            "resources": { "requests": requests, "limits": limits },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": { "drop": ["ALL"] },
                "readOnlyRootFilesystem": true,
                "runAsNonRoot": true,
                "runAsUser": self.user,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "volumeMounts": [
                { "name": VOLUME, "mountPath": ROOT },
                { "name": TOKEN_VOLUME, "mountPath": TOKEN_PATH, "readOnly": true },
            ],
        })
    }
}

/// The volume, where the container does not mount it yet.
pub(super) fn mounts(container: &Container<'_>) -> Vec<Value> {
    if container
        .volume_mounts
        .iter()
        .any(|mount| &*mount.name == VOLUME)
    {
        return Vec::new();
    }
    vec![json!({ "name": VOLUME, "mountPath": ROOT })]
}

fn has(list: &List<crate::view::Named<'_>>, name: &str) -> bool {
    list.iter().any(|one| &*one.name == name)
}

/// A reference without tag and digest.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        // A colon before a slash is that of the registry's port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// The volumes with their names.
pub(super) fn volumes() -> [(&'static str, Value); 2] {
    let token = json!({
        "name": TOKEN_VOLUME,
        "projected": { "sources": [{ "serviceAccountToken": {
            "audience": UPLOAD_AUDIENCE,
            "expirationSeconds": TOKEN_SECONDS,
            "path": "token",
        } }] },
    });
    [
        (VOLUME, json!({ "name": VOLUME, "emptyDir": {} })),
        (TOKEN_VOLUME, token),
    ]
}
