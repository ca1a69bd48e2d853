//! The reporter in the pod, and the wrapper in front of the test commands, as `docs/data-flow.md` says.

use serde_json::{Value, json};

use super::edit::{At, Edit};
use crate::merge::Effective;
use crate::platform::{Platform, ReporterPlatform};
use crate::view::{Container, List, Pod, PodSpec};
use proctor_api::{Instrument, PullPolicy};

/// The name of the reporter's container.
pub(crate) const REPORTER: &str = "proctor-reporter";
/// The wrapper, where the reporter's `postStart` hook puts it.
pub(crate) const EXEC: &str = "/proctor/bin/exec";

const VOLUME: &str = "proctor";
const ROOT: &str = "/proctor";
const TOKEN_VOLUME: &str = "proctor-token";
const TOKEN_PATH: &str = "/var/run/secrets/proctor.dev/collector";
const TOKEN_AUDIENCE: &str = "proctor-collector";
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

/// Nothing where the pod gets no reporter.
pub(super) fn plan<'a>(
    pod: Pod<'a, 'a>,
    tests: &[(usize, &'a Container<'a>)],
    platform: &'a Platform,
    effective: &'a Effective<'a>,
    edit: &mut Edit,
) -> Option<Reporting<'a>> {
    let platform = platform.reporter.as_ref()?;
    if effective.reporter.enabled == Some(false) {
        return None;
    }
    let spec = pod.spec?;
    let present = has_reporter(spec);
    if !present && taken(spec) {
        edit.warn(format!(
            "the pod uses a name of Proctor's itself ({REPORTER}, {VOLUME}, {TOKEN_VOLUME} or {ROOT}); nothing of it is brought out"
        ));
        return None;
    }
    let mut wrapped = Vec::new();
    for (_, container) in tests {
        if container.command.is_empty() {
            edit.warn(format!(
                "the container {} names no command, so its output is not brought out; set `command` in it",
                &*container.name
            ));
        } else {
            wrapped.push(&*container.name);
        }
    }
    if wrapped.is_empty() {
        return None;
    }
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
    Some(Reporting {
        platform,
        effective,
        wrapped,
        user: user.unwrap_or(NOBODY),
        present,
    })
}

/// Whether the reporter should be in this pod, as the platform has it, and is not.
pub(crate) fn differs(pod: Pod<'_, '_>, platform: &Platform, effective: &Effective<'_>) -> bool {
    let (Some(spec), Some(platform)) = (pod.spec, platform.reporter.as_ref()) else {
        return false;
    };
    let tests = super::containers::test_containers(pod);
    let mut commands = tests
        .iter()
        .filter(|(_, test)| !test.command.is_empty())
        .peekable();
    if effective.reporter.enabled == Some(false) || commands.peek().is_none() {
        return false;
    }
    let image = effective
        .reporter
        .image
        .as_deref()
        .unwrap_or(&platform.image);
    let mut reporters = spec.init_containers.iter();
    let reporter = reporters.find(|one| &*one.name == REPORTER);
    reporter.is_none_or(|one| !one.is_native_sidecar() || &*one.image != image)
        || !commands.all(|(_, test)| test.command.first().is_some_and(|word| &**word == EXEC))
}

fn has_reporter(spec: &PodSpec<'_>) -> bool {
    let mut containers = spec.init_containers.iter();
    containers.any(|one| &*one.name == REPORTER && one.is_native_sidecar())
}

fn taken(spec: &PodSpec<'_>) -> bool {
    let by_name = spec.all_containers().any(|one| &*one.name == REPORTER);
    let by_volume = spec
        .volumes
        .iter()
        .any(|one| [VOLUME, TOKEN_VOLUME].contains(&&*one.name));
    let by_path = spec
        .all_containers()
        .flat_map(|one| one.volume_mounts.iter())
        .any(|mount| mount.mount_path.trim_end_matches('/') == ROOT);
    by_name || by_volume || by_path
}

impl Reporting<'_> {
    fn wraps(&self, container: &Container<'_>) -> bool {
        self.wrapped.contains(&&*container.name)
    }

    /// Puts the wrapper in front of the command; the arguments stay as they are.
    pub(super) fn wrap(&self, container: &Container<'_>, at: &At, edit: &mut Edit) {
        let done = container
            .command
            .first()
            .is_some_and(|word| &**word == EXEC);
        if done || !self.wraps(container) {
            return;
        }
        let mut command = vec![EXEC, "--container", &container.name];
        for glob in &self.effective.reporter.globs {
            command.extend(["--glob", glob]);
        }
        command.push("--");
        command.extend(container.command.iter().map(|word| &**word));
        edit.replace(at.field("command"), command);
        edit.changed(format!("{}: command recorded by {EXEC}", &*container.name));
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
        let volumes = [
            (VOLUME, json!({ "name": VOLUME, "emptyDir": {} })),
            (TOKEN_VOLUME, token_volume()),
        ];
        let missing = volumes
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

    fn container(&self) -> Value {
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
                { "name": "PROCTOR_COLLECTOR_CA", "value": self.platform.collector_ca },
                from_pod("PROCTOR_POD_NAME", "metadata.name"),
                from_pod("PROCTOR_POD_NAMESPACE", "metadata.namespace"),
                from_pod("PROCTOR_POD_UID", "metadata.uid"),
                { "name": "PROCTOR_CONTAINERS", "value": self.wrapped.join(",") },
            ],
            "lifecycle": { "postStart": { "exec": { "command": ["/proctor-sidecar", "install"] } } },
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

fn token_volume() -> Value {
    json!({
        "name": TOKEN_VOLUME,
        "projected": { "sources": [{ "serviceAccountToken": {
            "audience": TOKEN_AUDIENCE,
            "expirationSeconds": TOKEN_SECONDS,
            "path": "token",
        } }] },
    })
}
