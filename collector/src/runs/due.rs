//! When a run is over, and the loop that finalises what is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proctor_results::Judgement;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::finalise::{FinaliseError, Finaliser};
use super::seen::Seen;
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

impl Loop {
    /// Runs.
    pub async fn run(self, stop: CancellationToken) {
        let mut failures = HashMap::new();
        loop {
            let last = stop.is_cancelled();
            if let Err(error) = self.round(&mut failures).await {
                tracing::error!(error = %chain(&error), "the runs could not be listed");
            }
            if last {
                return;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    async fn round(&self, failures: &mut HashMap<String, Failure>) -> Result<(), IndexError> {
        let runs = self.finaliser.index.runs_to_do().await?;
        self.metrics
            .open_runs
            .set(i64::try_from(runs.len()).unwrap_or(i64::MAX));
        failures.retain(|uid, _| runs.iter().any(|run| run.uid == *uid));
        let now = Timestamp::now();
        let mut due = Vec::new();
        for run in runs {
            let waits = failures
                .get(&run.uid)
                .is_some_and(|failure| failure.next > Instant::now());
            match run.seen() {
                Ok(seen) if !waits && is_due(&run, &seen, self.in_cluster, self.grace, now) => {
                    due.push(run);
                }
                Ok(_) => {}
                Err(error) => tracing::error!(error = %chain(&error), "a run cannot be finalised"),
            }
        }
        let mut due = due.into_iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < MAX_FINALISING
                && let Some(run) = due.next()
            {
                let finaliser = self.finaliser.clone();
                running.spawn(async move { (finaliser.finalise(&run).await, run) });
            }
            match running.join_next().await {
                Some(Ok((result, run))) => self.note(&run, result, failures),
                Some(Err(error)) => tracing::error!(%error, "a run could not be finalised yet"),
                None => return Ok(()),
            }
        }
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

/// An error with its causes, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::DnsName;
    use crate::runs::seen::SeenPod;

    const GRACE: SignedDuration = SignedDuration::from_secs(30);

    fn run() -> Run {
        Run {
            uid: "u".to_owned(),
            namespace: DnsName::parse("team").unwrap(),
            name: DnsName::parse("run").unwrap(),
            pod: Some("pod".to_owned()),
            state: RunState::Open,
            announced: true,
            has_session: true,
            seen: None,
            done: false,
            left_behind_bytes: 0,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn pod(change: impl FnOnce(&mut SeenPod)) -> Seen {
        let ended_at = Some(Timestamp::UNIX_EPOCH);
        let mut pod = SeenPod {
            phase: "Succeeded".to_owned(),
            ended_at,
            ..SeenPod::default()
        };
        change(&mut pod);
        Seen {
            pod: Some(pod),
            ..Seen::default()
        }
    }

    /// Whether it is due this many seconds after the pod's end.
    fn due(run: &Run, seen: &Seen, seconds: i64) -> bool {
        is_due(
            run,
            seen,
            true,
            GRACE,
            Timestamp::from_second(seconds).unwrap(),
        )
    }

    #[test]
    fn a_pod_that_goes_on_is_waited_for_whatever_its_reporter_says() {
        let running = pod(|pod| (pod.phase, pod.ended_at) = ("Running".to_owned(), None));
        assert!(!due(
            &Run {
                done: true,
                ..run()
            },
            &running,
            1_000_000
        ));
    }

    #[test]
    fn the_last_bytes_of_an_ended_pod_are_waited_for_and_not_for_ever() {
        assert!(!due(&run(), &pod(|_| ()), 29));
        assert!(due(&run(), &pod(|_| ()), 30));
    }

    #[test]
    fn nothing_is_waited_for_when_nothing_can_come() {
        assert!(due(
            &Run {
                done: true,
                ..run()
            },
            &pod(|_| ()),
            0
        ));
        assert!(due(
            &Run {
                has_session: false,
                ..run()
            },
            &pod(|_| ()),
            0
        ));
        assert!(due(&run(), &pod(|pod| pod.reporter_ended = true), 0));
        assert!(due(&run(), &pod(|pod| pod.gone = true), 0));
    }

    #[test]
    fn the_reporters_word_decides_only_where_there_is_no_cluster() {
        let done = Run {
            done: true,
            ..run()
        };
        let alone = |run: &Run| is_due(run, &Seen::default(), false, GRACE, Timestamp::UNIX_EPOCH);
        assert!(alone(&done) && !alone(&run()));
        assert!(!due(&done, &Seen::default(), 1_000_000));
    }

    #[test]
    fn a_closing_run_is_taken_up_again() {
        assert!(due(
            &Run {
                state: RunState::Closing,
                ..run()
            },
            &Seen::default(),
            0
        ));
    }
}
