//! When a run is over, and the loop that finalises what is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proctor_results::Judgement;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::finalise::{FinaliseError, Finaliser};
use super::seen::Seen;
use crate::chain;
use crate::index::{IndexError, Run, RunState};
use crate::limits::MAX_FINALISING;
use crate::metrics::Metrics;

/// How often the runs are looked at where nothing wakes the loop.
const PERIOD: Duration = Duration::from_secs(1);

/// Longest pause before a run that could not be finalised is tried again.
const MAX_BACKOFF: Duration = Duration::from_mins(1);

/// Whether a run is to be finalised now.
///
/// In a cluster the pod's end decides; then the last bytes are waited for, at most `grace`, unless nothing can come any more: the
/// reporter is done, has stopped, never came, or is gone with its pod. Without a cluster the reporter's word decides.
pub fn is_due(
    run: &Run,
    seen: &Seen,
    in_cluster: bool,
    grace: SignedDuration,
    now: Timestamp,
) -> bool {
    match (&seen.pod, &seen.job) {
        _ if run.state != RunState::Open => true,
        (Some(pod), _) if pod.is_over(now) => {
            let silent = run.done || pod.gone || pod.reporter_ended || !run.has_session;
            silent
                || pod
                    .ended_at
                    .is_none_or(|ended| now.duration_since(ended) >= grace)
        }
        (Some(_), _) => false,
        (None, Some(_)) => run.pod.is_none(),
        (None, None) => run.done && !in_cluster,
    }
}

impl Run {
    /// What the cluster told.
    pub fn seen(&self) -> Result<Seen, IndexError> {
        let Some(text) = &self.seen else {
            return Ok(Seen::default());
        };
        serde_json::from_str(text)
            .map_err(|error| IndexError::Row(format!("what was seen of {}: {error}", self.uid)))
    }
}

/// Finalises every run that is over, until `stop`, and once more then.
#[derive(Debug)]
pub struct Loop {
    /// Does it.
    pub finaliser: Finaliser,
    /// A cluster tells how pods end.
    pub in_cluster: bool,
    /// For the last bytes of an ended pod.
    pub grace: SignedDuration,
    /// Something has changed.
    pub wake: Arc<Notify>,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// What is under way, and what has to wait.
#[derive(Debug, Default)]
struct Work {
    running: JoinSet<(Result<Option<Judgement>, FinaliseError>, Run)>,
    /// The UIDs of the runs that the tasks are about.
    uids: HashMap<Id, String>,
    failures: HashMap<String, Failure>,
}

impl Work {
    fn is_free(&self, uid: &str) -> bool {
        let waits = |failure: &Failure| failure.next > Instant::now();
        !self.uids.values().any(|running| running == uid)
            && !self.failures.get(uid).is_some_and(waits)
    }
}

impl Loop {
    /// Runs.
    pub async fn run(self, stop: CancellationToken) {
        let mut work = Work::default();
        loop {
            let last = stop.is_cancelled();
            if let Err(error) = self.begin(&mut work).await {
                tracing::error!(error = %chain(&error), "the runs could not be listed");
            }
            if last && work.running.is_empty() {
                return;
            }
            tokio::select! {
                Some(ended) = work.running.join_next_with_id() => {
                    let task = match &ended {
                        Ok((task, _)) => *task,
                        Err(error) => error.id(),
                    };
                    work.uids.remove(&task);
                    match ended {
                        Ok((_, (result, run))) => self.note(&run, result, &mut work.failures),
                        Err(error) => tracing::error!(%error, "a run could not be finalised yet"),
                    }
                }
                () = stop.cancelled(), if !last => {}
                () = self.wake.notified(), if !last => {}
                () = tokio::time::sleep(PERIOD), if !last => {}
            }
        }
    }

    /// Begins with what is due, as far as there is room. A large run takes its place and no more: the others go on beside it.
    async fn begin(&self, work: &mut Work) -> Result<(), IndexError> {
        let runs = self.finaliser.index.runs_to_do().await?;
        self.metrics
            .open_runs
            .set(i64::try_from(runs.len()).unwrap_or(i64::MAX));
        work.failures
            .retain(|uid, _| runs.iter().any(|run| run.uid == *uid));
        let now = Timestamp::now();
        for run in runs {
            if work.running.len() >= MAX_FINALISING {
                break;
            }
            match run.seen() {
                Ok(seen)
                    if work.is_free(&run.uid)
                        && is_due(&run, &seen, self.in_cluster, self.grace, now) =>
                {
                    let (finaliser, uid) = (self.finaliser.clone(), run.uid.clone());
                    let task = work
                        .running
                        .spawn(async move { (finaliser.finalise(&run).await, run) });
                    work.uids.insert(task.id(), uid);
                }
                Ok(_) => {}
                Err(error) => tracing::error!(error = %chain(&error), "a run cannot be finalised"),
            }
        }
        Ok(())
    }

    fn note(
        &self,
        run: &Run,
        result: Result<Option<Judgement>, FinaliseError>,
        failures: &mut HashMap<String, Failure>,
    ) {
        let (namespace, name) = (run.namespace.as_str(), run.name.as_str());
        match result {
            Ok(verdict) => {
                if let Some(judgement) = verdict {
                    self.metrics.judged(judgement.verdict.as_str());
                    let (verdict, reason) = (judgement.verdict.as_str(), judgement.reason);
                    tracing::info!(
                        namespace,
                        run = name,
                        verdict,
                        reason,
                        "a run has its verdict"
                    );
                }
                failures.remove(&run.uid);
            }
            Err(error) => {
                self.metrics.finalise_failures.inc();
                tracing::error!(namespace, run = name, error = %chain(&error), "a run could not be finalised yet");
                failures.entry(run.uid.clone()).or_default().again();
            }
        }
    }
}

/// When a run is tried again.
#[derive(Debug)]
struct Failure {
    pause: Duration,
    next: Instant,
}

impl Default for Failure {
    fn default() -> Self {
        Self {
            pause: PERIOD,
            next: Instant::now(),
        }
    }
}

impl Failure {
    fn again(&mut self) {
        self.next = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(MAX_BACKOFF);
    }
}

#[cfg(test)]
#[path = "due_tests.rs"]
mod tests;
