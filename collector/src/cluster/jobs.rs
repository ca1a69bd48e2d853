//! Watching test Jobs: for those that never get a pod, and for why a Job deleted its pods.

use std::sync::Arc;

use futures_util::TryStreamExt;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::Event as ClusterEvent;
use kube::api::ListParams;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::Notify;

use super::pods::carried;
use super::{JOB_LABEL, Publisher, RETRY, WatchError};
use crate::chain;
use crate::index::{Index, NewRun, Run, RunState};
use crate::names::DnsName;
use crate::runs::seen::{Seen, SeenJob, Told};

/// Watches test Jobs.
#[derive(Clone)]
pub struct Jobs {
    /// Asks the API server.
    pub client: Client,
    /// The label selector of test Jobs.
    pub selector: String,
    /// Keeps what is seen.
    pub index: Index,
    /// Creates the `TestRun`s.
    pub publisher: Publisher,
    /// Wakes the finaliser.
    pub wake: Arc<Notify>,
}

impl Jobs {
    /// Watches for ever.
    pub async fn watch(self) {
        let config = watcher::Config::default().labels(&self.selector);
        let mut events =
            std::pin::pin!(watcher(Api::<Job>::all(self.client.clone()), config).default_backoff());
        loop {
            match events.try_next().await {
                Ok(Some(Event::Apply(job) | Event::InitApply(job))) => self.take(&job).await,
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the watch of the test Jobs was interrupted");
                }
            }
        }
    }

    /// Takes an event, however often it has to be tried: it comes once.
    pub(super) async fn take(&self, job: &Job) {
        while let Err(error) = self.see(job).await {
            let (namespace, name) = (job.namespace().unwrap_or_default(), job.name_any());
            let error_text = chain(&error);
            if error.is_final() {
                tracing::error!(namespace, name, error = error_text, "a Job is left out");
                return;
            }
            tracing::warn!(
                namespace,
                name,
                error = error_text,
                "a Job without pods could not be written down yet"
            );
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn see(&self, job: &Job) -> Result<(), WatchError> {
        let (Some(uid), Some(namespace)) = (job.uid(), job.namespace()) else {
            return Ok(());
        };
        let Some(failed) = failure(job).filter(|_| never_had_a_pod(job)) else {
            return Ok(());
        };
        let name = DnsName::of_run(&job.name_any(), &uid)?;
        let new = NewRun {
            uid: uid.clone(),
            namespace: DnsName::parse(&namespace)?,
            name,
            pod: None,
        };
        let run = self.index.ensure_run(&new).await?;
        if run.state != RunState::Open || run.seen.is_some() {
            return Ok(());
        }
        let refused = self.refusal(&namespace, &uid).await?;
        let mut labels = carried(job.labels());
        labels.insert(JOB_LABEL.to_owned(), job.name_any());
        let seen = Seen {
            pod: None,
            job: Some(SeenJob {
                name: job.name_any(),
                uid,
                failed: Some(failed),
                refused,
            }),
            labels,
        };
        self.index.set_seen(&run.uid, &seen).await?;
        match self.publisher.announce(&run, &seen).await {
            Ok(true) => self.index.set_announced(&run.uid).await?,
            Ok(false) => {}
            // The verdict tries again; one Job must not hold up the others.
            Err(error) => tracing::warn!(error = %chain(&error), "a run is not announced yet"),
        }
        self.wake.notify_one();
        Ok(())
    }

    /// What the Job's controller said last about a pod that it could not create. Nobody can say it any more an hour later.
    async fn refusal(&self, namespace: &str, uid: &str) -> Result<Option<String>, WatchError> {
        let events = Api::<ClusterEvent>::namespaced(self.client.clone(), namespace);
        let params = ListParams::default()
            .fields(&format!("involvedObject.uid={uid},reason=FailedCreate"))
            .limit(10);
        let found = events.list(&params).await;
        let found = found.map_err(|source| WatchError::Api {
            what: format!("the events of a Job in {namespace}"),
            source: Box::new(source),
        })?;
        let mut messages = found.items.into_iter().filter_map(|event| event.message);
        Ok(messages.next_back())
    }
}

/// Looks once more, before the verdict, why the Job of a pod that was deleted failed.
pub(super) async fn last_look(client: &Client, run: &Run, seen: &mut Seen) {
    let deleted = seen
        .pod
        .as_ref()
        .is_some_and(|pod| pod.deletion.is_some() || pod.gone);
    let Some(job) = seen
        .job
        .as_mut()
        .filter(|job| deleted && job.failed.is_none())
    else {
        return;
    };
    let jobs = Api::<Job>::namespaced(client.clone(), run.namespace.as_str());
    match jobs.get_opt(&job.name).await {
        Ok(found) => {
            let found = found.filter(|found| found.uid().as_deref() == Some(&job.uid));
            job.failed = found.as_ref().and_then(failure);
        }
        Err(error) => {
            tracing::warn!(error = %chain(&error), "a Job could not be looked up; its pod counts as deleted");
        }
    }
}

/// Why a Job failed, or is about to.
fn failure(job: &Job) -> Option<Told> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    let is_failure = |condition: &&JobCondition| {
        condition.status == "True" && matches!(condition.type_.as_str(), "Failed" | "FailureTarget")
    };
    let found = conditions.iter().find(is_failure)?;
    Some(Told::new(
        found.reason.as_deref().unwrap_or("Failed"),
        found.message.as_deref(),
    ))
}

fn never_had_a_pod(job: &Job) -> bool {
    let Some(status) = &job.status else {
        return true;
    };
    let some = |count: Option<i32>| count.unwrap_or(0) > 0;
    let uncounted = status.uncounted_terminated_pods.as_ref();
    let waiting = uncounted.is_some_and(|pods| {
        pods.failed.as_ref().is_some_and(|pods| !pods.is_empty())
            || pods.succeeded.as_ref().is_some_and(|pods| !pods.is_empty())
    });
    !(some(status.active)
        || some(status.succeeded)
        || some(status.failed)
        || some(status.terminating)
        || waiting)
}
