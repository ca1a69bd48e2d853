//! Rule 2 of the verdict table: the tests were ended from outside.

use jiff::Timestamp;
use proctor_results::{Ending, Fact, Merged, Observer, OutsideReason};

use super::container::{AtStop, SeenContainer};
use super::ending::ending_of;
use super::records::{Attempt, EndRecord, Records};
use super::seen::{Seen, SeenPod, Told};

/// A container whose memory peaked above this share of its limit, in percent, and that was killed, was killed for memory.
const FULL_PERCENT: u64 = 95;

pub(super) fn ended_from_outside(
    seen: &Seen,
    records: &Records,
    tests: &Merged,
) -> Option<(OutsideReason, Fact)> {
    let pod = seen.pod.as_ref()?;
    let of = |container: &SeenContainer| {
        records
            .last(&container.name)
            .and_then(|attempt| attempt.end.clone())
    };
    if let Some(found) = pod
        .containers
        .iter()
        .find_map(|container| out_of_memory(container, records.last(&container.name), tests))
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

/// Exit code 137 alone is any SIGKILL, and the runtime's word alone may speak of a child that nobody missed. Evidence is both together; the
/// kill and a measurement; or the kernel's own count, where the tests did not speak for themselves.
fn out_of_memory(
    container: &SeenContainer,
    attempt: Option<&Attempt>,
    tests: &Merged,
) -> Option<(OutsideReason, Fact)> {
    const KILLED: i32 = 128 + 9;
    let name = &container.name;
    let kubelet = container.end.as_ref();
    let found =
        |observer, statement| Some((OutsideReason::OOMKilled, Fact::new(observer, statement)));
    if kubelet.is_some_and(|end| end.exit_code == KILLED && end.reason == "OOMKilled") {
        let statement =
            format!("The container {name} was killed for memory (OOMKilled, exit code {KILLED}).");
        return found(Observer::Kubelet, statement);
    }
    let attempt = attempt?;
    let end = attempt.end.as_ref()?;
    let killed = matches!(
        end.ending(),
        Some(Ending::Signaled(9) | Ending::Exited(KILLED))
    );
    if let Some(kills @ 1..) = end.oom_kills
        && tests.report.counts().red() == 0
    {
        if killed {
            let statement = format!(
                "The test command of {name} was killed; the kernel ended {kills} process(es) of it for memory."
            );
            return found(Observer::Wrapper, statement);
        }
        // A runner script that outlives its tests ends with an exit code of its own.
        let failed = end.ending().is_some_and(|ending| !ending.is_success());
        if failed && left_no_result(attempt, tests) {
            let statement = format!(
                "The kernel ended {kills} process(es) of {name} for memory, and the tests left no complete result."
            );
            return found(Observer::Wrapper, statement);
        }
    }
    let (peak, limit) = (end.peak_memory_bytes?, container.memory_limit?);
    if !killed || peak < limit / 100 * FULL_PERCENT {
        return None;
    }
    let statement = format!(
        "The test command of {name} was killed when it had taken {peak} of {limit} bytes of memory."
    );
    found(Observer::Wrapper, statement)
}

/// No report file, and a console output that ends before its framework's last word or has none.
fn left_no_result(attempt: &Attempt, tests: &Merged) -> bool {
    tests.report_files == 0
        && attempt.missing_files() == 0
        && (tests.report.is_unreadable() || tests.report.counts().ran() == 0)
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
                    told.sentence()
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
            .map(|failed| format!(" The Job had failed: {}", failed.sentence()))
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
pub(super) fn outside_reason(reason: &str) -> Option<OutsideReason> {
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
