//! Rule 1 of the verdict table: the tests never started.

use proctor_results::{Fact, Observer, StartReason};

use super::outside::outside_reason;
use super::records::Records;
use super::seen::{Seen, SeenPod, Told};

pub(super) fn never_started(seen: &Seen, records: &Records) -> Option<(StartReason, Fact)> {
    if let Some(attempt) = not_runnable(records) {
        return Some(attempt);
    }
    if records.has_started() || seen.pod.as_ref().is_some_and(SeenPod::has_started) {
        return None;
    }
    match (&seen.pod, &seen.job) {
        (Some(pod), _) => Some(pod_never_started(pod)),
        (None, Some(job)) => {
            let why = job
                .refused
                .clone()
                .or_else(|| job.failed.as_ref().map(Told::sentence));
            let why = why.unwrap_or_else(|| "Its controller did not say why.".to_owned());
            let statement = format!(
                "The Job {} ended without ever having a pod. {why}",
                job.name
            );
            Some((
                StartReason::Refused,
                Fact::new(Observer::Cluster, statement),
            ))
        }
        // Without a cluster nobody but the wrapper can tell that something started.
        (None, None) => None,
    }
}

/// A wrapper that could not start its command.
fn not_runnable(records: &Records) -> Option<(StartReason, Fact)> {
    let found = records.containers.iter().find_map(|(name, attempts)| {
        let end = attempts.values().next_back()?.end.as_ref()?;
        end.ending()
            .is_none()
            .then_some((name, end.wrapper_exit_code))
    });
    let (name, code) = found?;
    let why = match code {
        126 => "is not executable",
        127 => "was not found",
        _ => "could not be started",
    };
    let statement = format!("The command of the container {name} {why} (exit code {code}).");
    Some((
        StartReason::CommandNotStarted,
        Fact::new(Observer::Wrapper, statement),
    ))
}

fn pod_never_started(pod: &SeenPod) -> (StartReason, Fact) {
    let kubelet = |reason, statement: String| (reason, Fact::new(Observer::Kubelet, statement));
    if let Some(failure) = &pod.init_failure {
        return kubelet(StartReason::InitContainer, failure.clone());
    }
    if let Some(why) = pod
        .containers
        .iter()
        .find_map(|container| container.not_started.as_ref())
    {
        return kubelet(
            StartReason::CommandNotStarted,
            format!("The runtime could not start the command: {why}"),
        );
    }
    if let Some(stuck) = &pod.stuck {
        return kubelet(stuck_reason(&stuck.reason), stuck.sentence());
    }
    match &pod.stopped {
        Some(stopped) if outside_reason(&stopped.reason).is_none() => {
            kubelet(StartReason::Refused, stopped.sentence())
        }
        Some(stopped) => kubelet(StartReason::NeverStarted, stopped.sentence()),
        None => {
            let statement = match (&pod.disrupted, pod.deletion.is_some() || pod.gone) {
                (Some(disrupted), _) => disrupted.sentence(),
                (None, true) => "The pod was deleted before its tests started.".to_owned(),
                (None, false) => "The pod ended before its tests started.".to_owned(),
            };
            (
                StartReason::NeverStarted,
                Fact::new(Observer::Cluster, statement),
            )
        }
    }
}

fn stuck_reason(reason: &str) -> StartReason {
    match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => StartReason::ImagePull,
        "CreateContainerConfigError" => StartReason::ConfigMissing,
        "CreateContainerError" | "RunContainerError" | "PostStartHookError" | "StartError" => {
            StartReason::CommandNotStarted
        }
        "Unschedulable" | "SchedulingGated" => StartReason::Unschedulable,
        _ => StartReason::NeverStarted,
    }
}
