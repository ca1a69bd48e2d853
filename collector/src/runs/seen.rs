//! What the cluster has told about a pod, kept so that it outlives the pod.
//!
//! Snapshots of a pod are folded into one [`SeenPod`]. What a later snapshot no longer tells (why a container could not start, that
//! it ran when the pod was stopped) is kept from the earlier one.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};
use proctor_api::injected::REPORTER;
use serde::{Deserialize, Serialize};

use super::container::{AtStop, SeenContainer, test_containers};

/// How long after its deletion deadline a pod may still be there before its node counts as lost.
const OVERDUE: SignedDuration = SignedDuration::from_secs(60);

/// What the cluster has told about a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// About the pod.
    pub pod: Option<SeenPod>,
    /// About the Job the pod belongs to, or that never got a pod.
    pub job: Option<SeenJob>,
    /// The labels that its `TestRun` carries.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A reason in one word and its message, as Kubernetes gives them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// One word.
    pub reason: String,
    /// A sentence; may be empty.
    pub message: String,
}

impl Told {
    pub(crate) fn new(reason: &str, message: Option<&str>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.unwrap_or_default().to_owned(),
        }
    }

    /// Both, as a sentence.
    pub fn sentence(&self) -> String {
        let message = self.message.trim();
        match (message.is_empty(), message.ends_with('.')) {
            (true, _) => format!("{}.", self.reason),
            (false, true) => format!("{}: {message}", self.reason),
            (false, false) => format!("{}: {message}.", self.reason),
        }
    }
}

/// What is known about a Job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeenJob {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Why it failed.
    pub failed: Option<Told>,
    /// Why its controller could not create a pod.
    pub refused: Option<String>,
}

/// What is known about a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeenPod {
    /// `Pending`, `Running`, `Succeeded`, `Failed`.
    pub phase: String,
    /// The status's reason: `Evicted`, `DeadlineExceeded`, …
    pub stopped: Option<Told>,
    /// The condition `DisruptionTarget`.
    pub disrupted: Option<Told>,
    /// Why something of it could not start, while nothing of it had.
    pub stuck: Option<Told>,
    /// Its init container failed: a sentence.
    pub init_failure: Option<String>,
    /// Its deletion was asked for.
    pub deletion: Option<Deletion>,
    /// When its end was seen first.
    pub ended_at: Option<Timestamp>,
    /// It is not there any more.
    pub gone: bool,
    /// The reporter has stopped: no byte comes any more.
    pub reporter_ended: bool,
    /// The test containers, in the order of the pod.
    pub containers: Vec<SeenContainer>,
}

/// A request to delete a pod.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deletion {
    /// When it was made; whole seconds, rounded down.
    pub requested_at: Timestamp,
    /// When the pod must be gone, or its node counts as lost.
    pub overdue_at: Timestamp,
}

impl SeenPod {
    /// Folds a snapshot into what was known before.
    #[must_use]
    pub fn fold(before: Option<&Self>, pod: &Pod, now: Timestamp) -> Self {
        let none = PodStatus::default();
        let status = pod.status.as_ref().unwrap_or(&none);
        let mut seen = Self {
            phase: status.phase.clone().unwrap_or_default(),
            stopped: status
                .reason
                .as_deref()
                .map(|reason| Told::new(reason, status.message.as_deref())),
            disrupted: condition(status, "DisruptionTarget", "True"),
            stuck: stuck(status),
            init_failure: init_failure(pod, status),
            deletion: deletion(pod),
            reporter_ended: reporter_ended(status),
            containers: test_containers(pod),
            ..Self::default()
        };
        seen.stop(before);
        if let Some(before) = before {
            seen.remember(before);
        }
        if seen.is_terminal() {
            seen.ended_at = seen.ended_at.or(Some(now));
        }
        seen
    }

    /// Takes over what an earlier snapshot told and this one does not.
    fn remember(&mut self, before: &Self) {
        for (container, before) in self.containers.iter_mut().filter_map(|container| {
            let name = container.name.clone();
            Some((container, before.container(&name)?))
        }) {
            container.remember(before);
        }
        let keep = |now: &mut Option<Told>, before: &Option<Told>| {
            *now = now.take().or_else(|| before.clone());
        };
        keep(&mut self.stopped, &before.stopped);
        keep(&mut self.disrupted, &before.disrupted);
        if !self.has_started() {
            keep(&mut self.stuck, &before.stuck);
        }
        self.deletion = self.deletion.or(before.deletion);
        self.ended_at = before.ended_at;
        self.reporter_ended |= before.reporter_ended;
    }

    /// Notes, in the first snapshot in which something stopped the pod, which containers that hit.
    fn stop(&mut self, before: Option<&Self>) {
        let is_stopped =
            |pod: &Self| pod.stopped.is_some() || pod.disrupted.is_some() || pod.deletion.is_some();
        if !is_stopped(self) || before.is_some_and(is_stopped) {
            return;
        }
        let requested_at = self.deletion.map(|deletion| deletion.requested_at);
        for container in &mut self.containers {
            let before = before.and_then(|before| before.container(&container.name));
            container.at_stop = Some(AtStop::of(container, before, requested_at));
        }
    }

    /// The pod is not there any more, and no snapshot tells how that came.
    pub fn vanish(&mut self, now: Timestamp) {
        self.gone = true;
        self.ended_at = self.ended_at.or(Some(now));
        for container in &mut self.containers {
            let at_stop = if container.end.is_some() {
                AtStop::Ended
            } else {
                AtStop::Unclear
            };
            container.at_stop = container.at_stop.or(Some(at_stop));
        }
    }

    /// A test container has run.
    pub fn has_started(&self) -> bool {
        self.containers.iter().any(|container| container.started)
    }

    /// Nothing of the pod runs any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.gone || self.is_terminal() || self.is_overdue(now)
    }

    /// It should be gone and is not: nobody runs on its node who could say more.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.deletion
            .is_some_and(|deletion| deletion.overdue_at <= now)
    }

    fn is_terminal(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    fn container(&self, name: &str) -> Option<&SeenContainer> {
        self.containers
            .iter()
            .find(|container| container.name == name)
    }
}

fn condition(status: &PodStatus, type_: &str, wanted: &str) -> Option<Told> {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let found = conditions
        .iter()
        .find(|condition| condition.type_ == type_ && condition.status == wanted)?;
    Some(Told::new(
        found.reason.as_deref().unwrap_or_default(),
        found.message.as_deref(),
    ))
}

/// A container that waits for something other than its turn, or a pod that no node takes.
fn stuck(status: &PodStatus) -> Option<Told> {
    const ON_THE_WAY: [&str; 2] = ["ContainerCreating", "PodInitializing"];
    let waiting = |container: &ContainerStatus| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting
            .reason
            .as_deref()
            .filter(|reason| !ON_THE_WAY.contains(reason))?;
        let message = waiting.message.as_deref().unwrap_or_default();
        Some(Told::new(
            reason,
            Some(&format!("container {}: {message}", container.name)),
        ))
    };
    let init = status.init_container_statuses.iter().flatten();
    init.chain(status.container_statuses.iter().flatten())
        .find_map(waiting)
        .or_else(|| condition(status, "PodScheduled", "False"))
}

/// A plain init container that ended badly. Native sidecars stop with the pod and say nothing about its start.
fn init_failure(pod: &Pod, status: &PodStatus) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let plain = |name: &str| {
        let containers = spec.init_containers.as_deref().unwrap_or_default();
        containers.iter().any(|container| {
            container.name == name && container.restart_policy.as_deref() != Some("Always")
        })
    };
    let failed = |container: &ContainerStatus| {
        let state = container.state.as_ref()?;
        let end = state.terminated.as_ref()?;
        let reason = end.reason.as_deref().unwrap_or("Error");
        (plain(&container.name) && end.exit_code != 0).then(|| {
            let (name, code) = (&container.name, end.exit_code);
            format!("The init container {name} ended with exit code {code} ({reason}).")
        })
    };
    status
        .init_container_statuses
        .iter()
        .flatten()
        .find_map(failed)
}

fn deletion(pod: &Pod) -> Option<Deletion> {
    let deadline = pod.metadata.deletion_timestamp.as_ref()?.0;
    let grace = SignedDuration::from_secs(pod.metadata.deletion_grace_period_seconds.unwrap_or(0));
    Some(Deletion {
        requested_at: deadline.checked_sub(grace).unwrap_or(deadline),
        overdue_at: deadline.checked_add(OVERDUE).unwrap_or(deadline),
    })
}

fn reporter_ended(status: &PodStatus) -> bool {
    let reporter = status
        .init_container_statuses
        .iter()
        .flatten()
        .find(|status| status.name == REPORTER);
    reporter.is_some_and(|reporter| {
        reporter
            .state
            .as_ref()
            .is_some_and(|state| state.terminated.is_some())
    }) && matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"))
}
