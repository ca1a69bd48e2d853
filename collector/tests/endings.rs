//! How pods end: every file of `fixtures/endings` is a case.

#![allow(
    clippy::unwrap_used,
    reason = "what goes wrong in a helper fails the test"
)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proctor_collector::runs::ending;
use proctor_collector::runs::gather;
use proctor_collector::runs::records::{Attempt, EndRecord, Records, StartRecord};
use proctor_collector::runs::seen::{Seen, SeenJob, SeenPod};
use proctor_results::{Aggregate, Console, Counts, Facts, Merged, judge};
use serde::Deserialize;
use serde_json::json;

/// Long after everything that the cases tell.
const NOW: &str = "2026-01-02T12:00:00Z";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    says: String,
    verdict: String,
    reason: String,
    snapshots: Vec<Snapshot>,
    #[serde(default)]
    gone: bool,
    job: Option<SeenJob>,
    end: Option<End>,
    tests: Option<Tests>,
    console: Option<String>,
    memory: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Snapshot {
    deletion_timestamp: Option<Timestamp>,
    deletion_grace_period_seconds: Option<i64>,
    status: PodStatus,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    exit_code: Option<i32>,
    signal: Option<i32>,
    wrapper_exit_code: Option<i32>,
    ended_at: Timestamp,
    peak_memory_bytes: Option<u64>,
    oom_kills: Option<u64>,
    #[serde(default)]
    files: u64,
}

#[derive(Deserialize)]
struct Tests {
    passed: u64,
    failed: u64,
}

impl Case {
    fn seen(&self, now: Timestamp) -> Seen {
        let mut pod = None;
        for snapshot in &self.snapshots {
            pod = Some(SeenPod::fold(pod.as_ref(), &self.pod(snapshot), now));
        }
        if let (true, Some(pod)) = (self.gone, &mut pod) {
            pod.vanish(now);
        }
        Seen {
            pod,
            job: self.job.clone(),
            labels: BTreeMap::new(),
        }
    }

    fn pod(&self, snapshot: &Snapshot) -> Pod {
        let limits = self
            .memory
            .as_ref()
            .map(|memory| json!({ "memory": memory }));
        let spec = json!({
            "initContainers": [{ "name": "proctor-reporter", "restartPolicy": "Always" }, { "name": "clone" }],
            "containers": [
                { "name": "test-runner", "command": ["/proctor/bin/exec", "--", "pytest"], "resources": { "limits": limits } },
                { "name": "database" },
            ],
        });
        let mut pod = Pod {
            spec: serde_json::from_value(spec).unwrap(),
            status: Some(snapshot.status.clone()),
            ..Pod::default()
        };
        pod.metadata.deletion_timestamp = snapshot.deletion_timestamp.map(Time);
        pod.metadata.deletion_grace_period_seconds = snapshot.deletion_grace_period_seconds;
        pod
    }

    fn records(&self) -> Records {
        let Some(end) = &self.end else {
            return Records::default();
        };
        let wrapper_exit_code = end.wrapper_exit_code.or(end.exit_code).unwrap_or(1);
        let record = EndRecord {
            exit_code: end.exit_code,
            signal: end.signal,
            wrapper_exit_code,
            ended_at: end.ended_at,
            peak_memory_bytes: end.peak_memory_bytes,
            oom_kills: end.oom_kills,
            files: end.files,
            ..EndRecord::default()
        };
        let start = StartRecord {
            started_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        let attempt = Attempt {
            start: Some(start),
            end: Some(record),
            ..Attempt::default()
        };
        Records {
            containers: [("test-runner".to_owned(), [(0, attempt)].into())].into(),
        }
    }

    fn report(&self) -> Merged {
        let mut merged = self.console.as_ref().map_or_else(
            || self.counted(),
            |text| {
                let (mut tests, mut console) = (Aggregate::new(), Console::new());
                console.push(text.as_bytes());
                tests.console(console.finish());
                tests.finish()
            },
        );
        merged.report_files = self.end.as_ref().map_or(0, |end| end.files);
        merged
    }

    fn counted(&self) -> Merged {
        let default = Tests {
            passed: if self.end.is_some() { 2 } else { 0 },
            failed: 0,
        };
        let tests = self.tests.as_ref().unwrap_or(&default);
        let mut merged = Merged::default();
        let counts = Counts {
            passed: tests.passed,
            failed: tests.failed,
            ..Counts::default()
        };
        merged.report.push_unnamed("suite", counts);
        merged
    }

    fn judge(&self) -> (String, String, String) {
        let now: Timestamp = NOW.parse().unwrap();
        let (seen, records, mut merged) = (self.seen(now), self.records(), self.report());
        assert!(
            seen.pod.as_ref().is_none_or(|pod| pod.is_over(now)),
            "{}: it is not over",
            self.says
        );
        gather::complete(
            &mut merged,
            &seen,
            &records,
            &ending::names(&seen, &records),
        );
        let observed = ending::observe(&seen, &records, &merged);
        let judgement = judge(&Facts {
            start_failure: observed.start_failure,
            outside: observed.outside,
            ending: observed.ending,
            report: &merged.report,
            disagreement: None,
            gates: &observed.gates,
            record: ending::record(&seen, &records, 0, 0),
        });
        (
            judgement.verdict.to_string(),
            judgement.reason.to_owned(),
            judgement.message,
        )
    }
}

#[test]
fn every_ending_has_its_verdict() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/endings");
    let mut wrong = Vec::new();
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let case: Case =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (verdict, reason, message) = case.judge();
        if (&verdict, &reason) != (&case.verdict, &case.reason) {
            let Case {
                says,
                verdict: wanted,
                reason: why,
                ..
            } = case;
            wrong.push(format!(
                "{name}: {says}\n  wanted {wanted} ({why}), got {verdict} ({reason}): {message}"
            ));
        }
        cases += 1;
    }
    assert!(cases > 0, "there are no cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
