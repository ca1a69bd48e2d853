//! Telling the cluster about runs: the `TestRun` objects.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Patch, PatchParams};
use kube::core::Status;
use kube::{Api, Client};
use proctor_api::{
    Artifacts, Counts, FailingTest, PodReference, TestRun, TestRunSpec, TestRunStatus, Verdict,
};
use proctor_results::{Ending, Judgement};
use serde_json::json;
use thiserror::Error;

use super::FIELD_MANAGER;
use crate::index::Run;
use crate::limits::{MAX_STATUS_FILES, MAX_STATUS_MESSAGE_BYTES, MAX_STATUS_TESTS};
use crate::runs::finalise::Finished;
use crate::runs::layout::REPORT_HTML;
use crate::runs::seen::Seen;

/// Why a `TestRun` could not be written.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The API server did not take it.
    #[error(
        "the TestRun {run} could not be {action}: the collector must be allowed to get and patch testruns and their status"
    )]
    Write {
        /// Its name.
        run: String,
        /// What was tried.
        action: &'static str,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
}

/// Where runs are told.
#[derive(Clone)]
pub enum Publisher {
    /// Nowhere: there is no cluster.
    Nobody,
    /// The `TestRun` objects of this cluster.
    Cluster(Client),
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Cluster(_) => "Cluster",
        })
    }
}

impl Publisher {
    /// Creates the `TestRun` of a run. False where its namespace takes nothing any more.
    pub async fn announce(&self, run: &Run, seen: &Seen) -> Result<bool, PublishError> {
        let Self::Cluster(client) = self else {
            return Ok(true);
        };
        let runs: Api<TestRun> = Api::namespaced(client.clone(), run.namespace.as_str());
        let mut object = TestRun::new(run.name.as_str(), spec(run, seen));
        object.metadata.labels = Some(seen.labels.clone());
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match runs
            .patch(run.name.as_str(), &params, &Patch::Apply(&object))
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if namespace_is_gone(&error) => Ok(false),
            Err(error) => Err(failed(run, "created")(error)),
        }
    }

    /// Tells how a run ended, once.
    pub async fn publish(
        &self,
        run: &Run,
        seen: &Seen,
        finished: &Finished,
    ) -> Result<(), PublishError> {
        let Self::Cluster(client) = self else {
            return Ok(());
        };
        let there = run.announced || self.announce(run, seen).await?;
        let runs: Api<TestRun> = Api::namespaced(client.clone(), run.namespace.as_str());
        let found = if there {
            match runs.get(run.name.as_str()).await {
                Ok(found) => Some(found),
                Err(error) if is_gone(&error) => None,
                Err(error) => return Err(failed(run, "read")(error)),
            }
        } else {
            None
        };
        let Some(found) = found else {
            tracing::warn!(namespace = %run.namespace, run = %run.name, "the TestRun is not there any more; the report is in the store");
            return Ok(());
        };
        let conditions = found
            .status
            .map(|status| status.conditions)
            .unwrap_or_default();
        if conditions
            .iter()
            .any(|condition| condition.type_ == "Completed")
        {
            return Ok(());
        }
        let object = json!({
            "apiVersion": format!("{}/{}", proctor_api::GROUP, proctor_api::VERSION),
            "kind": "TestRun",
            "metadata": { "name": run.name.as_str() },
            "status": status(run, finished),
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match runs
            .patch_status(run.name.as_str(), &params, &Patch::Apply(&object))
            .await
        {
            Err(error) if !is_gone(&error) => Err(failed(run, "completed")(error)),
            _ => Ok(()),
        }
    }
}

fn failed(run: &Run, action: &'static str) -> impl FnOnce(kube::Error) -> PublishError {
    let run = format!("{}/{}", run.namespace, run.name);
    move |source| PublishError::Write {
        run,
        action,
        source: Box::new(source),
    }
}

/// The namespace was deleted, or is being deleted and takes no new object.
fn namespace_is_gone(error: &kube::Error) -> bool {
    let being_terminated = |status: &Status| status.message.contains("being terminated");
    not_found(error).is_some_and(|kind| kind == "namespaces")
        || matches!(error, kube::Error::Api(status) if status.code == 403 && being_terminated(status))
}

/// The object was deleted, or its namespace.
fn is_gone(error: &kube::Error) -> bool {
    namespace_is_gone(error) || not_found(error).is_some_and(|kind| kind == "testruns")
}

/// The resource of which there is no object of that name. Where the resource itself is not known, because its definition is missing,
/// the API server answers 404 too, and names none.
fn not_found(error: &kube::Error) -> Option<&str> {
    let kube::Error::Api(status) = error else {
        return None;
    };
    let details = status.details.as_ref().filter(|_| status.code == 404)?;
    Some(&details.kind)
}

fn spec(run: &Run, seen: &Seen) -> TestRunSpec {
    TestRunSpec {
        pod: run.pod.clone().map(|name| PodReference {
            name,
            uid: run.uid.clone(),
        }),
        job_name: seen.job.as_ref().map(|job| job.name.clone()),
    }
}

/// The status of a run that has ended.
pub(crate) fn status(run: &Run, finished: &Finished) -> TestRunStatus {
    let (judgement, gathered) = (&finished.judgement, &finished.gathered);
    let report = &gathered.merged.report;
    let counts = report.counts();
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let failing = report
        .red_tests()
        .take(MAX_STATUS_TESTS)
        .map(|(suite, test)| FailingTest {
            suite: suite.name().to_owned(),
            name: test.name.clone(),
            message: test
                .message
                .as_deref()
                .map(|message| cut(message).to_owned()),
        });
    let files = gathered
        .files
        .iter()
        .map(|(name, _)| name.clone())
        .take(MAX_STATUS_FILES);
    TestRunStatus {
        verdict: Some(verdict(judgement.verdict)),
        reason: Some(judgement.reason.to_owned()),
        message: Some(judgement.message.clone()),
        counts: Some(Counts {
            tests: number(counts.tests()),
            passed: number(counts.passed),
            failed: number(counts.failed),
            errors: number(counts.errors),
            skipped: number(counts.skipped),
        }),
        failing_tests: failing.collect(),
        exit_code: finished.observed.ending.map(|(ending, _)| match ending {
            Ending::Exited(code) => code,
            // As a shell shows it.
            Ending::Signaled(signal) => 128 + signal,
        }),
        start_time: finished.started_at.map(Time),
        completion_time: Some(Time(finished.ended_at)),
        artifacts: Some(Artifacts {
            path: run.folder().path(),
            log: gathered.log.as_ref().map(|log| log.name.clone()),
            report: Some(REPORT_HTML.to_owned()),
            files: files.collect(),
        }),
        left_behind_bytes: (run.left_behind_bytes > 0).then(|| number(run.left_behind_bytes)),
        conditions: vec![
            condition("Completed", true, judgement, finished.ended_at),
            condition(
                "Passed",
                judgement.verdict == proctor_results::Verdict::Passed,
                judgement,
                finished.ended_at,
            ),
        ],
    }
}

fn condition(type_: &str, holds: bool, judgement: &Judgement, at: Timestamp) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: if holds { "True" } else { "False" }.to_owned(),
        reason: judgement.reason.to_owned(),
        message: cut(&judgement.message).to_owned(),
        last_transition_time: Time(at),
        observed_generation: None,
    }
}

fn verdict(verdict: proctor_results::Verdict) -> Verdict {
    match verdict {
        proctor_results::Verdict::Passed => Verdict::Passed,
        proctor_results::Verdict::Failed => Verdict::Failed,
        proctor_results::Verdict::Error => Verdict::Error,
        proctor_results::Verdict::Killed => Verdict::Killed,
        proctor_results::Verdict::NoTests => Verdict::NoTests,
        proctor_results::Verdict::Incomplete => Verdict::Incomplete,
    }
}

/// The beginning of a text, cut between two characters.
fn cut(text: &str) -> &str {
    let end = (0..=MAX_STATUS_MESSAGE_BYTES.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use proctor_results::{Facts, Merged, judge};
    use serde_json::Value;

    use super::*;
    use crate::cluster::fake::{client, refusal};
    use crate::index::RunState;
    use crate::names::DnsName;
    use crate::runs::ending::Observed;
    use crate::runs::gather::Gathered;

    fn run(announced: bool) -> Run {
        Run {
            uid: "u".to_owned(),
            namespace: DnsName::parse("team").unwrap(),
            name: DnsName::parse("run").unwrap(),
            pod: Some("pod".to_owned()),
            state: RunState::Closing,
            announced,
            has_session: true,
            seen: None,
            done: true,
            left_behind_bytes: 0,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn finished() -> Finished {
        let merged = Merged::default();
        Finished {
            judgement: judge(&Facts::offline(&merged.report)),
            gathered: Gathered {
                merged,
                log: None,
                files: Vec::new(),
                running: None,
                lost_bytes: 0,
            },
            observed: Observed::default(),
            started_at: None,
            ended_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// Publishes to an API server that answers everything with 404 and these details.
    async fn publish(announced: bool, details: Value) -> Result<(), PublishError> {
        let client = client(move |_| ready(refusal(404, "NotFound", &details)));
        let publisher = Publisher::Cluster(client);
        let (run, seen) = (run(announced), Seen::default());
        publisher.publish(&run, &seen, &finished()).await
    }

    #[tokio::test]
    async fn a_run_is_not_given_up_where_the_definition_of_test_runs_is_missing() {
        for announced in [false, true] {
            publish(announced, Value::Null).await.unwrap_err();
            publish(announced, json!({})).await.unwrap_err();
        }
    }

    #[tokio::test]
    async fn a_run_is_given_up_with_its_namespace_or_its_test_run() {
        let namespace = json!({ "name": "team", "kind": "namespaces" });
        publish(false, namespace).await.unwrap();
        let test_run = json!({ "name": "run", "group": "proctor.dev", "kind": "testruns" });
        publish(true, test_run).await.unwrap();
    }
}
