//! How a run ended: from what the cluster told and what was recorded, one pure function.
//!
//! The order of the facts is the verdict table's (design, "Verdicts"): that it never started comes before that it was ended from
//! outside, and that before what the tests said.

use jiff::Timestamp;
use proctor_results::{
    Ending, Fact, Gate, GateFailure, Observer, OutsideReason, Record, StartReason,
};

use super::container::{AtStop, SeenContainer};
use super::records::{Attempt, EndRecord, Records};
use super::seen::{Seen, SeenPod, Told};

/// A container whose memory peaked above this share of its limit, in percent, and that was killed, was killed for memory.
const FULL_PERCENT: u64 = 95;

/// How a run ended, apart from its tests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The tests never started.
    pub start_failure: Option<(StartReason, Fact)>,
    /// Something ended them from outside.
    pub outside: Option<(OutsideReason, Fact)>,
    /// How the command ended.
    pub ending: Option<(Ending, Observer)>,
    /// Gates that failed.
    pub gates: Vec<GateFailure>,
}

/// Judges what is known about a run that is over.
pub fn observe(seen: &Seen, records: &Records) -> Observed {
    let containers = names(seen, records);
    let start_failure = never_started(seen, records);
    let outside = if start_failure.is_some() {
        None
    } else {
        ended_from_outside(seen, records)
    };
    Observed {
        start_failure,
        outside,
        ending: ending(seen, records, &containers),
        gates: containers
            .iter()
            .filter_map(|name| gate(records.last(name)?.end.as_ref()?))
            .collect(),
    }
}

/// The test containers: those of the pod, and those that uploaded.
pub fn names(seen: &Seen, records: &Records) -> Vec<String> {
    let pod = seen.pod.as_ref();
    let mut names: Vec<String> = pod
        .map(|pod| {
            pod.containers
                .iter()
                .map(|container| container.name.clone())
                .collect()
        })
        .unwrap_or_default();
    for name in records.containers.keys() {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// What is there of the record of a run.
pub fn record(seen: &Seen, records: &Records, left_behind_bytes: u64) -> Record {
    let containers = names(seen, records);
    let attempts: Vec<Option<&Attempt>> =
        containers.iter().map(|name| records.last(name)).collect();
    if attempts.is_empty()
        || attempts
            .iter()
            .any(|attempt| attempt.is_none_or(|attempt| attempt.end.is_none()))
    {
        return Record::Missing;
    }
    let missing: u64 = attempts
        .into_iter()
        .flatten()
        .map(Attempt::missing_bytes)
        .sum();
    match missing.max(left_behind_bytes) {
        0 => Record::Complete,
        bytes => Record::BytesMissing(bytes),
    }
}

// === Rule 1 ===

fn never_started(seen: &Seen, records: &Records) -> Option<(StartReason, Fact)> {
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
                .or_else(|| job.failed.as_ref().map(sentence));
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
        return kubelet(stuck_reason(&stuck.reason), sentence(stuck));
    }
    match &pod.stopped {
        Some(stopped) if outside_reason(&stopped.reason).is_none() => {
            kubelet(StartReason::Refused, sentence(stopped))
        }
        Some(stopped) => kubelet(StartReason::NeverStarted, sentence(stopped)),
        None => {
            let statement = match (&pod.disrupted, pod.deletion.is_some() || pod.gone) {
                (Some(disrupted), _) => sentence(disrupted),
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

// === Rule 2 ===

fn ended_from_outside(seen: &Seen, records: &Records) -> Option<(OutsideReason, Fact)> {
    let pod = seen.pod.as_ref()?;
    let of = |container: &SeenContainer| {
        records
            .last(&container.name)
            .and_then(|attempt| attempt.end.clone())
    };
    if let Some(found) = pod
        .containers
        .iter()
        .find_map(|container| out_of_memory(container, of(container).as_ref()))
    {
        return Some(found);
    }
    let requested_at = pod.deletion.map(|deletion| deletion.requested_at);
    let cut_off = pod
        .containers
        .iter()
        .find(|container| was_cut_off(container, of(container).as_ref(), requested_at))?;
    Some(who_stopped(seen, pod, &cut_off.name))
}

/// Exit code 137 alone is any SIGKILL, and the runtime's word alone may speak of a child that nobody missed: both together, or the
/// kill and a measurement, are evidence.
fn out_of_memory(
    container: &SeenContainer,
    end: Option<&EndRecord>,
) -> Option<(OutsideReason, Fact)> {
    const KILLED: i32 = 128 + 9;
    let name = &container.name;
    let kubelet = container.end.as_ref();
    if kubelet.is_some_and(|end| end.exit_code == KILLED && end.reason == "OOMKilled") {
        let statement =
            format!("The container {name} was killed for memory (OOMKilled, exit code {KILLED}).");
        return Some((
            OutsideReason::OOMKilled,
            Fact::new(Observer::Kubelet, statement),
        ));
    }
    let end = end?;
    let killed = matches!(
        end.ending(),
        Some(Ending::Signaled(9) | Ending::Exited(KILLED))
    );
    let (peak, limit) = (end.peak_memory_bytes?, container.memory_limit?);
    (killed && peak >= limit / 100 * FULL_PERCENT).then(|| {
        let statement = format!("The test command of {name} was killed when it had taken {peak} of {limit} bytes of memory.");
        (OutsideReason::OOMKilled, Fact::new(Observer::Wrapper, statement))
    })
}

fn was_cut_off(
    container: &SeenContainer,
    end: Option<&EndRecord>,
    requested_at: Option<Timestamp>,
) -> bool {
    let Some(mut at_stop) = container.at_stop else {
        return false;
    };
    if let Some(end) = end {
        at_stop = at_stop.knowing(end.ended_at, requested_at);
    }
    match at_stop {
        AtStop::Running => true,
        AtStop::Ended => false,
        AtStop::Unclear => {
            ending_of(container, end).is_none_or(|(ending, _)| looks_cut_off(ending))
        }
    }
}

/// The endings that SIGKILL, SIGTERM and SIGINT cause, as a process and as a shell shows them.
fn looks_cut_off(ending: Ending) -> bool {
    matches!(
        ending,
        Ending::Signaled(2 | 9 | 15) | Ending::Exited(130 | 137 | 143)
    )
}

/// Why the pod was stopped, the closest witness first.
fn who_stopped(seen: &Seen, pod: &SeenPod, container: &str) -> (OutsideReason, Fact) {
    let told = |observer, told: &Told| {
        let reason = outside_reason(&told.reason)?;
        Some((
            reason,
            Fact::new(
                observer,
                format!(
                    "{} The container {container} was still running.",
                    sentence(told)
                ),
            ),
        ))
    };
    let stopped = pod
        .stopped
        .as_ref()
        .and_then(|stopped| told(Observer::Kubelet, stopped));
    let disrupted = || {
        pod.disrupted
            .as_ref()
            .and_then(|disrupted| told(Observer::Cluster, disrupted))
    };
    let job = || {
        seen.job
            .as_ref()?
            .failed
            .as_ref()
            .and_then(|failed| told(Observer::Cluster, failed))
    };
    stopped.or_else(disrupted).or_else(job).unwrap_or_else(|| {
        let because = seen.job.as_ref().and_then(|job| job.failed.as_ref());
        let because = because
            .map(|failed| format!(" The Job had failed: {}", sentence(failed)))
            .unwrap_or_default();
        let statement =
            format!("The pod was deleted while the container {container} was running.{because}");
        (
            OutsideReason::Deleted,
            Fact::new(Observer::Cluster, statement),
        )
    })
}

/// Reasons of pods' and Jobs' status and of the condition `DisruptionTarget` that mean an end from outside.
fn outside_reason(reason: &str) -> Option<OutsideReason> {
    Some(match reason {
        "DeadlineExceeded" => OutsideReason::DeadlineExceeded,
        "Evicted"
        | "EvictionByEvictionAPI"
        | "TerminationByKubelet"
        | "Terminated"
        | "NodeShutdown"
        | "Shutdown" => OutsideReason::Evicted,
        "Preempting" | "PreemptionByScheduler" => OutsideReason::Preempted,
        "NodeLost" | "DeletionByTaintManager" | "DeletionByPodGC" => OutsideReason::NodeLost,
        _ => return None,
    })
}

fn sentence(told: &Told) -> String {
    let message = told.message.trim();
    match (message.is_empty(), message.ends_with('.')) {
        (true, _) => format!("{}.", told.reason),
        (false, true) => format!("{}: {message}", told.reason),
        (false, false) => format!("{}: {message}.", told.reason),
    }
}

// === How the command ended ===

/// The ending of the run: the first that is not a success; a success only where every container is known to have had one.
fn ending(seen: &Seen, records: &Records, containers: &[String]) -> Option<(Ending, Observer)> {
    let pod = seen.pod.as_ref();
    let endings: Vec<Option<(Ending, Observer)>> = containers
        .iter()
        .map(|name| {
            let end = records.last(name).and_then(|attempt| attempt.end.as_ref());
            let container = pod.and_then(|pod| {
                pod.containers
                    .iter()
                    .find(|container| container.name == *name)
            });
            container.map_or_else(|| of_record(end), |container| ending_of(container, end))
        })
        .collect();
    let red = endings
        .iter()
        .flatten()
        .find(|(ending, _)| !ending.is_success());
    let green = endings
        .iter()
        .all(Option::is_some)
        .then(|| endings.first().copied().flatten())
        .flatten();
    red.copied().or(green)
}

fn ending_of(container: &SeenContainer, end: Option<&EndRecord>) -> Option<(Ending, Observer)> {
    let kubelet = container.end.as_ref();
    let told = || {
        let told = kubelet?.told.as_ref()?;
        let ending = told
            .signal
            .map(Ending::Signaled)
            .or(told.exit_code.map(Ending::Exited))?;
        Some((ending, Observer::Wrapper))
    };
    let seen = || Some((Ending::Exited(kubelet?.exit_code), Observer::Kubelet));
    of_record(end).or_else(told).or_else(seen)
}

fn of_record(end: Option<&EndRecord>) -> Option<(Ending, Observer)> {
    Some((end?.ending()?, Observer::Wrapper))
}

fn gate(end: &EndRecord) -> Option<GateFailure> {
    let gate = Gate::of_exit_code(end.wrapper_exit_code)?;
    // The same number from the command itself is no gate's.
    (end.gate.is_some() || end.exit_code != Some(end.wrapper_exit_code)).then(|| GateFailure {
        gate,
        exit_code: gate.exit_code(),
        message: end
            .gate
            .clone()
            .unwrap_or_else(|| format!("The gate {gate:?} did not hold.")),
    })
}
