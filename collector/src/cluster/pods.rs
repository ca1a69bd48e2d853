//! Watching test pods to their end.
//!
//! A pod is found by its label and followed by its UID: when it drops out of the labelled watch it is looked up, and one that is
//! still there is followed on its own. After every listing the runs that are not in it are looked up as well, so that nothing
//! depends on an event that was missed.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use thiserror::Error;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{CARRIED_LABELS, JOB_LABEL, PublishError, Publisher, RETRY};
use crate::admin::Ready;
use crate::chain;
use crate::index::{Index, IndexError, NewRun, Run, RunState};
use crate::names::{DnsName, NameError};
use crate::runs::seen::{Seen, SeenJob, SeenPod};

/// Why an event was not handled.
#[derive(Debug, Error)]
pub enum WatchError {
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The `TestRun`.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A name that Kubernetes does not give.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The API server.
    #[error("the API server could not be asked about {what}")]
    Api {
        /// About what.
        what: String,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
}

impl WatchError {
    /// Trying again will not help.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Index(IndexError::Row(_)))
    }
}

/// Watches test pods.
#[derive(Clone)]
pub struct Pods {
    /// Asks the API server.
    pub client: Client,
    /// The label selector of test pods.
    pub selector: String,
    /// Keeps what is seen.
    pub index: Index,
    /// Creates the `TestRun`s.
    pub publisher: Publisher,
    /// Wakes the finaliser.
    pub wake: Arc<Notify>,
    /// The UIDs of pods that are followed on their own.
    pub followed: Arc<Mutex<HashSet<String>>>,
    /// Waited for at the end.
    pub tasks: TaskTracker,
    /// Ends the watches of pods that are followed.
    pub stop: CancellationToken,
}

/// Something to be written down.
enum Step<'a> {
    /// A snapshot of a pod.
    Seen(&'a Pod),
    /// The last snapshot of a pod that is gone.
    SeenLast(&'a Pod),
    /// A pod has dropped out of the labelled watch: it is gone, or only its label is.
    Dropped(&'a Pod),
    /// A pod is gone without a snapshot.
    Gone(&'a str),
    /// The UIDs of all labelled pods.
    Listed(&'a HashSet<String>),
}

impl Pods {
    /// Watches for ever.
    pub async fn watch(self, ready: Arc<Ready>) {
        let config = watcher::Config::default().labels(&self.selector);
        let events = watcher(Api::<Pod>::all(self.client.clone()), config).default_backoff();
        let mut events = std::pin::pin!(events);
        let mut listed = HashSet::new();
        loop {
            match events.try_next().await {
                Ok(Some(Event::Init)) => listed.clear(),
                Ok(Some(Event::InitDone)) => {
                    self.take(Step::Listed(&listed)).await;
                    ready.listed.store(true, Ordering::Relaxed);
                }
                Ok(Some(Event::Apply(pod))) => self.take(Step::Seen(&pod)).await,
                Ok(Some(Event::InitApply(pod))) => {
                    listed.extend(pod.uid());
                    self.take(Step::Seen(&pod)).await;
                }
                Ok(Some(Event::Delete(pod))) => self.take(Step::Dropped(&pod)).await,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the watch of the test pods was interrupted");
                }
            }
        }
    }

    /// Follows a pod in a task of its own, unless one does so already: every listing finds it again.
    fn follow_once(&self, namespace: &str, name: &str, uid: &str) {
        let followed = || self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if !followed().insert(uid.to_owned()) {
            return;
        }
        let (pods, uid) = (self.clone(), uid.to_owned());
        let following = self.clone().follow(namespace, name, uid.clone());
        let task = async move {
            following.await;
            let mut followed = pods.followed.lock().unwrap_or_else(PoisonError::into_inner);
            followed.remove(&uid);
        };
        let stop = self.stop.clone();
        self.tasks.spawn(stop.run_until_cancelled_owned(task));
    }

    /// Follows one pod, whatever its labels are.
    fn follow(self, namespace: &str, name: &str, uid: String) -> BoxFuture<'static, ()> {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        Box::pin(async move {
            let mut events = std::pin::pin!(watcher(api, config).default_backoff());
            let mut listed = false;
            loop {
                match events.try_next().await {
                    Ok(Some(Event::Init)) => listed = false,
                    Ok(Some(Event::Apply(pod) | Event::InitApply(pod)))
                        if pod.uid().as_ref() == Some(&uid) =>
                    {
                        listed = true;
                        self.take(Step::Seen(&pod)).await;
                    }
                    Ok(Some(Event::Delete(pod))) if pod.uid().as_ref() == Some(&uid) => {
                        return self.take(Step::SeenLast(&pod)).await;
                    }
                    Ok(Some(Event::InitDone)) if !listed => {
                        return self.take(Step::Gone(&uid)).await;
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "the watch of a test pod was interrupted");
                    }
                }
            }
        })
    }

    /// Takes a step, however often it has to be tried: an event comes once.
    async fn take(&self, step: Step<'_>) {
        while let Err(error) = self.try_to_take(&step).await {
            if error.is_final() {
                tracing::error!(error = %chain(&error), "a pod is left out");
                return;
            }
            tracing::warn!(error = %chain(&error), "what became of a pod could not be written down yet");
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn try_to_take(&self, step: &Step<'_>) -> Result<(), WatchError> {
        match step {
            Step::Seen(pod) => self.fold(pod, false).await,
            Step::SeenLast(pod) => self.fold(pod, true).await,
            Step::Dropped(pod) => {
                let (namespace, name, uid) = (
                    pod.namespace().unwrap_or_default(),
                    pod.name_any(),
                    pod.uid(),
                );
                let is_there = self.is_there(&namespace, &name, uid.as_deref()).await?;
                self.fold(pod, !is_there).await?;
                if is_there {
                    self.follow_once(&namespace, &name, &uid.unwrap_or_default());
                }
                Ok(())
            }
            Step::Gone(uid) => self.vanish(uid).await,
            Step::Listed(listed) => self.look_up_unlisted(listed).await,
        }
    }

    /// Runs that go on by the index, and whose pods are not among the labelled ones.
    async fn look_up_unlisted(&self, listed: &HashSet<String>) -> Result<(), WatchError> {
        for run in self.index.runs_to_do().await? {
            let Some(pod) = run
                .pod
                .as_deref()
                .filter(|_| run.state == RunState::Open && !listed.contains(&run.uid))
            else {
                continue;
            };
            if self
                .is_there(run.namespace.as_str(), pod, Some(&run.uid))
                .await?
            {
                self.follow_once(run.namespace.as_str(), pod, &run.uid);
            } else {
                self.vanish(&run.uid).await?;
            }
        }
        Ok(())
    }

    async fn is_there(
        &self,
        namespace: &str,
        name: &str,
        uid: Option<&str>,
    ) -> Result<bool, WatchError> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let found = pods.get_metadata_opt(name).await;
        let found = found.map_err(|source| WatchError::Api {
            what: format!("the pod {namespace}/{name}"),
            source: Box::new(source),
        })?;
        Ok(found.is_some_and(|pod| pod.metadata.uid.as_deref() == uid))
    }

    /// Folds a snapshot into what is known, and announces the run where it is new.
    async fn fold(&self, pod: &Pod, gone: bool) -> Result<(), WatchError> {
        let (Some(uid), Some(namespace)) = (pod.uid(), pod.namespace()) else {
            return Ok(());
        };
        let name = DnsName::of_run(&pod.name_any(), &uid)?;
        let new = NewRun {
            uid,
            namespace: DnsName::parse(&namespace)?,
            name,
            pod: Some(pod.name_any()),
        };
        let run = self.index.ensure_run(&new).await?;
        if run.state != RunState::Open {
            return Ok(());
        }
        let before = run.seen()?;
        let mut seen = before.clone();
        let now = Timestamp::now();
        let mut folded = SeenPod::fold(before.pod.as_ref(), pod, now);
        if gone {
            folded.vanish(now);
        }
        seen.pod = Some(folded);
        if before.pod.is_none() {
            seen.job = job_of(pod);
            // The only time they are read.
            seen.labels = self.labels(pod, &namespace).await?;
        }
        self.keep(&run, &before, &seen).await
    }

    async fn vanish(&self, uid: &str) -> Result<(), WatchError> {
        let Some(run) = self
            .index
            .run(uid)
            .await?
            .filter(|run| run.state == RunState::Open)
        else {
            return Ok(());
        };
        let before = run.seen()?;
        let mut seen = before.clone();
        seen.pod.get_or_insert_default().vanish(Timestamp::now());
        self.keep(&run, &before, &seen).await
    }

    async fn keep(&self, run: &Run, before: &Seen, seen: &Seen) -> Result<(), WatchError> {
        if before != seen {
            self.index.set_seen(&run.uid, seen).await?;
            self.wake.notify_one();
        }
        if run.announced {
            return Ok(());
        }
        match self.publisher.announce(run, seen).await {
            Ok(true) => self.index.set_announced(&run.uid).await?,
            Ok(false) => {}
            // The next event tries again, at the latest the verdict; one pod must not hold up the others.
            Err(error) => tracing::warn!(error = %chain(&error), "a run is not announced yet"),
        }
        Ok(())
    }

    /// The labels that a `TestRun` carries: the pod's, else its Job's.
    async fn labels(
        &self,
        pod: &Pod,
        namespace: &str,
    ) -> Result<BTreeMap<String, String>, WatchError> {
        let mut labels = carried(pod.labels());
        if let Some(job) = job_of(pod).filter(|_| labels.len() < CARRIED_LABELS.len()) {
            let jobs = Api::<Job>::namespaced(self.client.clone(), namespace);
            let found = jobs.get_metadata_opt(&job.name).await;
            let found = found.map_err(|source| WatchError::Api {
                what: format!("the Job {namespace}/{}", job.name),
                source: Box::new(source),
            })?;
            if let Some(found) = found {
                let of_pod = std::mem::replace(&mut labels, carried(found.labels()));
                labels.extend(of_pod);
            }
            labels.entry(JOB_LABEL.to_owned()).or_insert(job.name);
        }
        Ok(labels)
    }
}

/// The Job that owns a pod.
fn job_of(pod: &Pod) -> Option<SeenJob> {
    let owner = pod
        .owner_references()
        .iter()
        .find(|owner| owner.kind == "Job")?;
    Some(SeenJob {
        name: owner.name.clone(),
        uid: owner.uid.clone(),
        ..SeenJob::default()
    })
}

pub(super) fn carried(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let of = |key: &&str| Some(((*key).to_owned(), labels.get(*key)?.clone()));
    CARRIED_LABELS.iter().filter_map(of).collect()
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
