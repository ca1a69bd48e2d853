//! Pods and Jobs on an API server that now and then does not answer.

use std::sync::atomic::AtomicUsize;

use serde_json::{Value, json};

use super::*;
use crate::cluster::Jobs;
use crate::cluster::fake::{Asked, client, refusal};

/// A collector's index, and the folder it is in.
async fn index() -> (tempfile::TempDir, Index) {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::open(&dir.path().join("index.sqlite")).await;
    (dir, index.unwrap())
}

/// An API server that cannot say anything the first time it is asked about `what`.
fn hesitant<F>(what: &'static str, answer: F) -> Client
where
    F: Fn(Asked) -> Value + Clone + Send + Sync + 'static,
{
    let times = Arc::new(AtomicUsize::new(0));
    client(move |asked| {
        let is_first = asked.path.contains(what) && times.fetch_add(1, Ordering::Relaxed) == 0;
        std::future::ready(if is_first {
            refusal(500, "InternalError", &Value::Null)
        } else {
            (200, answer(asked))
        })
    })
}

fn pods(client: Client, index: Index) -> Pods {
    Pods {
        client,
        selector: "component=e2e-test".to_owned(),
        index,
        publisher: Publisher::Nobody,
        wake: Arc::default(),
        followed: Arc::default(),
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
    }
}

fn pod() -> Pod {
    let owner = json!({ "apiVersion": "batch/v1", "kind": "Job", "name": "api-tests", "uid": "j" });
    let metadata = json!({ "namespace": "team", "name": "api-tests-x", "uid": "12345678", "ownerReferences": [owner] });
    serde_json::from_value(json!({ "metadata": metadata })).unwrap()
}

#[tokio::test]
async fn the_labels_of_a_job_are_read_though_the_api_server_was_away_at_first() {
    let (_dir, index) = index().await;
    let client = hesitant("/jobs/", |_| {
        json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": { "name": "api-tests", "labels": { "proctor.dev/commit": "abc" } } })
    });
    pods(client, index.clone()).take(Step::Seen(&pod())).await;
    let run = index.run("12345678").await.unwrap().unwrap();
    let labels = run.seen().unwrap().labels;
    assert_eq!(labels.get("proctor.dev/commit").unwrap(), "abc");
}

#[tokio::test]
async fn a_job_without_pods_is_written_down_though_the_api_server_was_away_at_first() {
    let (_dir, index) = index().await;
    let client = hesitant("/events", |_| {
        let event = json!({ "metadata": { "name": "e", "namespace": "team" }, "involvedObject": {}, "message": "exceeded quota" });
        json!({ "apiVersion": "v1", "kind": "EventList", "metadata": {}, "items": [event] })
    });
    let jobs = Jobs {
        client,
        selector: "component=e2e-test".to_owned(),
        index: index.clone(),
        publisher: Publisher::Nobody,
        wake: Arc::default(),
    };
    let job = json!({
        "metadata": { "namespace": "team", "name": "api-tests", "uid": "12345678" },
        "status": { "conditions": [{ "type": "Failed", "status": "True", "reason": "DeadlineExceeded" }] },
    });
    jobs.take(&serde_json::from_value(job).unwrap()).await;
    let run = index.run("12345678").await.unwrap().unwrap();
    let job = run.seen().unwrap().job.unwrap();
    assert_eq!(job.refused.as_deref(), Some("exceeded quota"));
}

#[tokio::test]
async fn a_pod_without_its_label_is_followed_once_however_often_the_pods_are_listed() {
    let (_dir, index) = index().await;
    let metadata = json!({ "name": "api-tests-x", "uid": "12345678" });
    let client = client(move |asked| {
        let metadata = metadata.clone();
        async move {
            if asked.path.contains("fieldSelector") {
                std::future::pending::<()>().await;
            }
            (
                200,
                json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata }),
            )
        }
    });
    let new = NewRun {
        uid: "12345678".to_owned(),
        namespace: DnsName::parse("team").unwrap(),
        name: DnsName::parse("api-tests-x-12345678").unwrap(),
        pod: Some("api-tests-x".to_owned()),
    };
    index.ensure_run(&new).await.unwrap();
    let pods = pods(client, index);
    for _ in 0..3 {
        pods.take(Step::Listed(&HashSet::new())).await;
    }
    assert_eq!(pods.tasks.len(), 1);
    pods.stop.cancel();
    pods.tasks.close();
    pods.tasks.wait().await;
}
