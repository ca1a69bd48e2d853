//! What the kubelet has told about a test container.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, ContainerState, ContainerStateTerminated, Pod};
use proctor_api::injected::{self, Candidate, TEST_CONTAINERS, WRAPPER};
use serde::{Deserialize, Serialize};

use super::quantity;

/// What is known about a test container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeenContainer {
    /// Its name.
    pub name: String,
    /// Its command is wrapped, so a record of its end is to be expected.
    pub wrapped: bool,
    /// It has run.
    pub started: bool,
    /// It runs.
    pub running: bool,
    /// How it ended; the last time, where it was restarted.
    pub end: Option<ContainerEnd>,
    /// What the runtime said when it could not start the command.
    pub not_started: Option<String>,
    /// Where it was when something stopped the pod.
    pub at_stop: Option<AtStop>,
    /// Its limit of memory, in bytes.
    pub memory_limit: Option<u64>,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerEnd {
    /// Its exit code; 128 and the signal's number where a signal ended it.
    pub exit_code: i32,
    /// `Completed`, `Error`, `OOMKilled`, …
    pub reason: String,
    /// By the node's clock; whole seconds, rounded down.
    pub finished_at: Option<Timestamp>,
    /// What the wrapper left as the termination message.
    pub told: Option<TerminationMessage>,
}

/// The JSON object a wrapper leaves as the termination message (`docs/data-flow.md`, "The volume").
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TerminationMessage {
    /// The version of the form; 1.
    pub proctor: u32,
    /// The test command's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Tests that held.
    #[serde(default)]
    pub passed: u64,
    /// Tests that failed.
    #[serde(default)]
    pub failed: u64,
    /// Tests that could not be run to their end.
    #[serde(default)]
    pub errors: u64,
    /// Tests left out.
    #[serde(default)]
    pub skipped: u64,
}

/// Where a container was when something stopped its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AtStop {
    /// It ran, so it was cut off.
    Running,
    /// It had ended by itself.
    Ended,
    /// Nobody looked in between: how it ended must tell.
    Unclear,
}

impl AtStop {
    /// Judges the first snapshot in which the pod is stopped. `requested_at` is when its deletion was asked for, in whole seconds
    /// rounded down, as the end of the container is.
    pub(super) fn of(
        now: &SeenContainer,
        before: Option<&SeenContainer>,
        requested_at: Option<Timestamp>,
    ) -> Self {
        let Some(end) = &now.end else {
            return Self::Running;
        };
        if before.is_some_and(|before| before.end.as_ref() == Some(end)) {
            return Self::Ended;
        }
        match (end.finished_at, requested_at) {
            (Some(finished), Some(requested)) if finished < requested => Self::Ended,
            (Some(finished), Some(requested)) if finished > requested => Self::Running,
            _ => Self::Unclear,
        }
    }

    /// What a time of the end that is known better (by the wrapper's record, to the millisecond) makes of it.
    #[must_use]
    pub fn knowing(self, ended_at: Timestamp, requested_at: Option<Timestamp>) -> Self {
        let (Self::Running, Some(requested)) = (self, requested_at) else {
            return self;
        };
        if ended_at < requested {
            Self::Ended
        } else if ended_at.duration_since(requested) < SignedDuration::from_secs(1) {
            Self::Unclear
        } else {
            Self::Running
        }
    }
}

impl SeenContainer {
    pub(super) fn remember(&mut self, before: &Self) {
        self.started |= before.started;
        self.at_stop = self.at_stop.or(before.at_stop);
        // A node that came back may not know any more how a container ended.
        if !self.running && self.end.is_none() {
            self.end.clone_from(&before.end);
        }
        self.not_started = self
            .not_started
            .take()
            .or_else(|| before.not_started.clone());
    }
}

/// The test containers of a pod, in its order: the webhook's choice, and whatever is wrapped, because something may have joined the pod
/// since; all of them where that is none.
pub(super) fn test_containers(pod: &Pod) -> Vec<SeenContainer> {
    let Some(spec) = &pod.spec else {
        return Vec::new();
    };
    let annotation = pod
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get(TEST_CONTAINERS));
    let candidates: Vec<Candidate<'_>> = spec.containers.iter().map(candidate).collect();
    let chosen = injected::test_containers(annotation.map(String::as_str), &candidates);
    let is_test =
        |index: usize, container: &Container| chosen.contains(&index) || is_wrapped(container);
    let all = || spec.containers.iter().enumerate();
    let none = !all().any(|(index, container)| is_test(index, container));
    all()
        .filter(|(index, container)| none || is_test(*index, container))
        .map(|(_, container)| see(pod, container))
        .collect()
}

fn candidate(container: &Container) -> Candidate<'_> {
    Candidate {
        name: &container.name,
        has_command: container
            .command
            .as_ref()
            .is_some_and(|command| !command.is_empty()),
        has_ports: container
            .ports
            .as_ref()
            .is_some_and(|ports| !ports.is_empty()),
    }
}

fn is_wrapped(container: &Container) -> bool {
    container
        .command
        .as_ref()
        .and_then(|command| command.first())
        .is_some_and(|program| program == WRAPPER)
}

fn see(pod: &Pod, container: &Container) -> SeenContainer {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    let status = statuses
        .into_iter()
        .flatten()
        .find(|status| status.name == container.name);
    let limits = container
        .resources
        .as_ref()
        .and_then(|resources| resources.limits.as_ref());
    let mut seen = SeenContainer {
        name: container.name.clone(),
        wrapped: is_wrapped(container),
        memory_limit: limits
            .and_then(|limits| limits.get("memory"))
            .and_then(|limit| quantity::bytes(&limit.0)),
        ..SeenContainer::default()
    };
    let Some(status) = status else { return seen };
    let ended =
        |state: &Option<ContainerState>| state.as_ref().and_then(|state| state.terminated.clone());
    let (now, last) = (ended(&status.state), ended(&status.last_state));
    seen.running = status
        .state
        .as_ref()
        .is_some_and(|state| state.running.is_some());
    seen.started = seen.running || [&now, &last].into_iter().flatten().any(has_run);
    // While it runs again, how it ended before is not how it ended.
    let end = now.or_else(|| last.filter(|_| !seen.running));
    if let Some(end) = end {
        if has_run(&end) {
            seen.end = Some(ContainerEnd::from(&end));
        } else if was_refused(&end) {
            seen.not_started = end.message.or(end.reason);
        }
    }
    seen
}

/// A container that never ran has no time of a start, or the first second of 1970.
fn has_run(end: &ContainerStateTerminated) -> bool {
    !was_refused(end)
        && end
            .started_at
            .as_ref()
            .is_some_and(|time| time.0.as_second() > 0)
}

/// The runtime could not start its command.
fn was_refused(end: &ContainerStateTerminated) -> bool {
    matches!(
        end.reason.as_deref(),
        Some("StartError" | "ContainerCannotRun")
    )
}

impl From<&ContainerStateTerminated> for ContainerEnd {
    fn from(end: &ContainerStateTerminated) -> Self {
        let told = end
            .message
            .as_deref()
            .and_then(|text| serde_json::from_str::<TerminationMessage>(text.trim()).ok());
        Self {
            exit_code: end.exit_code,
            reason: end.reason.clone().unwrap_or_default(),
            finished_at: end.finished_at.as_ref().map(|time| time.0),
            told: told.filter(|told| told.proctor == 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn chosen(annotation: Option<&str>, containers: &Value) -> Vec<String> {
        let annotations = annotation.map(|names| json!({ TEST_CONTAINERS: names }));
        let pod = json!({ "metadata": { "annotations": annotations }, "spec": { "containers": containers } });
        let found = test_containers(&serde_json::from_value(pod).unwrap());
        found.into_iter().map(|container| container.name).collect()
    }

    #[test]
    fn the_test_containers_are_those_of_the_webhook() {
        let wrapped = json!({ "name": "api", "command": [WRAPPER, "--", "pytest"] });
        // Its command is the image's, so nothing stands in front of it; its tests count all the same.
        let bare = json!({ "name": "ui" });
        let served =
            json!({ "name": "db", "command": ["postgres"], "ports": [{ "containerPort": 5432 }] });
        let all = json!([wrapped, bare, served]);
        assert_eq!(chosen(Some("ui, api"), &all), ["api", "ui"]);
        assert_eq!(chosen(None, &all), ["api"]);
        assert_eq!(
            chosen(
                None,
                &json!([served, { "name": "test", "command": ["pytest"] }])
            ),
            ["test"]
        );
    }

    #[test]
    fn what_joined_the_pod_later_does_not_hide_the_tests() {
        let tests =
            json!({ "name": "tests", "command": [WRAPPER], "ports": [{ "containerPort": 80 }] });
        let mesh = json!({ "name": "mesh" });
        assert_eq!(chosen(None, &json!([tests, mesh])), ["tests"]);
        assert_eq!(
            chosen(None, &json!([mesh, { "name": "more" }])),
            ["mesh", "more"]
        );
    }
}
