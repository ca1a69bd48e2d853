//! A run that is over becomes a verdict, a report and a `TestRun`.
//!
//! Every step can be done again with the same outcome: what it is made of does not change once a run is closing, the parts are
//! deleted last, and the index tells how far it has come.

use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proctor_results::write::html;
use proctor_results::{Facts, Judgement, Summary, judge};
use serde_json::json;
use thiserror::Error;

use super::ending::{self, Observed};
use super::gather::{Gathered, gather};
use super::layout::{self, REPORT_HTML, REPORT_JSON};
use super::records::Records;
use super::seen::Seen;
use crate::cluster::{PublishError, Publisher};
use crate::index::{Index, IndexError, Run, RunState};
use crate::store::{Store, StoreError};
use crate::uploads::Uploads;

/// Characters of a path that stand as they are in a link.
const LINK: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');

/// Why a run could not be finalised yet; it is tried again.
#[derive(Debug, Error)]
pub enum FinaliseError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The `TestRun`.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The page or the summary.
    #[error("the report of the run could not be written")]
    Write(#[source] std::io::Error),
}

/// Everything that is told about a finished run.
#[derive(Debug)]
pub struct Finished {
    /// The verdict and why.
    pub judgement: Judgement,
    /// Tests, log and files.
    pub gathered: Gathered,
    /// How the command ended.
    pub observed: Observed,
    /// When the tests started.
    pub started_at: Option<Timestamp>,
    /// When the run ended.
    pub ended_at: Timestamp,
}

/// Finalises runs.
#[derive(Clone, Debug)]
pub struct Finaliser {
    /// Holds the parts.
    pub store: Store,
    /// Tells how far a run is.
    pub index: Index,
    /// Takes nothing more for a closing run.
    pub uploads: Uploads,
    /// Tells the cluster.
    pub publisher: Publisher,
}

impl Finaliser {
    /// Takes a run that is over through the steps that remain. The verdict, where this made one.
    pub async fn finalise(&self, run: &Run) -> Result<Option<Judgement>, FinaliseError> {
        let mut verdict = None;
        if run.state == RunState::Open {
            let mut seen = run.seen()?;
            self.publisher.last_look(run, &mut seen).await;
            self.index.set_seen(&run.uid, &seen).await?;
            self.uploads.close(run).await?;
        }
        if run.state <= RunState::Closing {
            let finished = self.finish(&run.uid).await?;
            self.index.set_state(&run.uid, RunState::Final).await?;
            verdict = finished.map(|finished| finished.judgement);
        }
        self.store.delete_parts(&run.folder()).await?;
        self.index.set_state(&run.uid, RunState::Swept).await?;
        Ok(verdict)
    }

    async fn finish(&self, uid: &str) -> Result<Option<Finished>, FinaliseError> {
        // Read again: since the run is closing, nothing of it changes any more.
        let Some(run) = self.index.run(uid).await? else {
            return Ok(None);
        };
        let seen = run.seen()?;
        let streams = self.index.streams(uid).await?;
        let records = Records::load(&self.store, &run.folder(), streams).await?;
        let containers = ending::names(&seen, &records);
        let gathered = gather(&self.store, &run.folder(), &seen, &records, &containers).await?;
        let finished = conclude(&run, &seen, &records, gathered);
        self.write(&run, &finished).await?;
        self.publisher.publish(&run, &seen, &finished).await?;
        Ok(Some(finished))
    }

    async fn write(&self, run: &Run, finished: &Finished) -> Result<(), FinaliseError> {
        let folder = run.folder();
        let report = &finished.gathered.merged.report;
        let summary = serde_json::to_vec_pretty(&Summary::new(finished.judgement.verdict, report));
        let summary = summary.map_err(|error| FinaliseError::Write(error.into()))?;
        self.store
            .put(&folder, REPORT_HTML, page(run, finished)?)
            .await?;
        self.store.put(&folder, REPORT_JSON, summary.into()).await?;
        let about = json!({ "namespace": run.namespace.as_str(), "pod": run.pod, "uid": run.uid });
        let started = layout::started(finished.started_at.unwrap_or(run.created_at), &about);
        self.store
            .put(&folder, "started.json", started.to_string().into())
            .await?;
        // Last: with it the run is complete for every viewer.
        let finished = layout::finished(finished.ended_at, &finished.judgement);
        Ok(self
            .store
            .put(&folder, "finished.json", finished.to_string().into())
            .await?)
    }
}

/// The verdict.
fn conclude(run: &Run, seen: &Seen, records: &Records, gathered: Gathered) -> Finished {
    let mut observed = ending::observe(seen, records, &gathered.merged);
    if let (Some((_, fact)), Some(test)) = (&mut observed.outside, &gathered.running) {
        fact.statement = format!("{} The test {test} was running.", fact.statement);
    }
    let judgement = judge(&Facts {
        start_failure: observed.start_failure.clone(),
        outside: observed.outside.clone(),
        ending: observed.ending,
        report: &gathered.merged.report,
        disagreement: gathered.merged.disagreement,
        gates: &observed.gates,
        record: ending::record(seen, records, run.left_behind_bytes, gathered.lost_bytes),
    });
    let attempts = || {
        records
            .containers
            .values()
            .flat_map(|attempts| attempts.values())
    };
    let started_at = attempts()
        .filter_map(|attempt| attempt.start.as_ref())
        .map(|start| start.started_at)
        .min();
    let recorded = attempts()
        .filter_map(|attempt| attempt.end.as_ref())
        .map(|end| end.ended_at)
        .max();
    let ended_at = recorded
        .or(seen.pod.as_ref().and_then(|pod| pod.ended_at))
        .unwrap_or(run.created_at);
    Finished {
        judgement,
        gathered,
        observed,
        started_at,
        ended_at,
    }
}

fn page(run: &Run, finished: &Finished) -> Result<Bytes, FinaliseError> {
    let gathered = &finished.gathered;
    let links: Vec<(&str, String, u64)> = gathered
        .log
        .iter()
        .map(|log| (log.name.as_str(), log.bytes))
        .chain(
            gathered
                .files
                .iter()
                .map(|(name, bytes)| (name.as_str(), *bytes)),
        )
        // The page is two folders down.
        .map(|(name, bytes)| {
            (
                name,
                format!("../../{}", utf8_percent_encode(name, LINK)),
                bytes,
            )
        })
        .collect();
    let artifacts: Vec<html::Artifact<'_>> = links
        .iter()
        .map(|(name, href, bytes)| html::Artifact {
            name,
            href,
            bytes: *bytes,
        })
        .collect();
    let excerpt = gathered
        .log
        .as_ref()
        .map(|log| (String::from_utf8_lossy(&log.excerpt), log));
    let log = excerpt.as_ref().map(|(text, log)| html::Log {
        text,
        left_out: log.bytes - log.excerpt.len() as u64,
    });
    let mut about = vec![
        ("Namespace", run.namespace.to_string()),
        ("Ended", finished.ended_at.to_string()),
    ];
    about.extend(run.pod.clone().map(|pod| ("Pod", pod)));
    about.extend(
        finished
            .started_at
            .map(|time| ("Started", time.to_string())),
    );
    let mut out = Vec::new();
    let page = html::Page {
        title: run.name.as_str(),
        judgement: &finished.judgement,
        report: &gathered.merged.report,
        about: &about,
        log,
        artifacts: &artifacts,
    };
    html::write(&page, &mut out).map_err(FinaliseError::Write)?;
    Ok(out.into())
}
