//! How a run ended: from what the cluster told and what was recorded, one pure function.
//!
//! The order of the facts is the verdict table's (design, "Verdicts"): that it never started comes before that it was ended from
//! outside, and that before what the tests said.

use proctor_results::{
    Ending, Fact, Gate, GateFailure, Merged, Observer, OutsideReason, Record, StartReason,
};

use super::container::SeenContainer;
use super::never_started::never_started;
use super::outside::ended_from_outside;
use super::records::{Attempt, EndRecord, Records};
use super::seen::Seen;

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

/// Judges what is known about a run that is over, and whose tests said this.
pub fn observe(seen: &Seen, records: &Records, tests: &Merged) -> Observed {
    let containers = names(seen, records);
    let start_failure = never_started(seen, records);
    let outside = if start_failure.is_some() {
        None
    } else {
        ended_from_outside(seen, records, tests)
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

/// What is there of the record of a run, of which the reporter left `left_behind` bytes in the pod and the store has lost `lost`.
pub fn record(seen: &Seen, records: &Records, left_behind: u64, lost: u64) -> Record {
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
    match missing.max(left_behind).saturating_add(lost) {
        0 => Record::Complete,
        bytes => Record::BytesMissing(bytes),
    }
}

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

pub(super) fn ending_of(
    container: &SeenContainer,
    end: Option<&EndRecord>,
) -> Option<(Ending, Observer)> {
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
