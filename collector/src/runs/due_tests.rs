//! When a run is over, and that a long one holds up nobody.

use serde_json::json;

use super::*;
use crate::cluster::{Publisher, fake};
use crate::index::{Index, NewRun};
use crate::names::DnsName;
use crate::runs::seen::SeenPod;
use crate::store::Store;
use crate::uploads::Uploads;

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

/// Writes a closing run into the index.
async fn closing(index: &Index, name: &str) {
    let new = NewRun {
        uid: name.to_owned(),
        namespace: DnsName::parse("team").unwrap(),
        name: DnsName::parse(name).unwrap(),
        pod: Some("pod".to_owned()),
    };
    index.ensure_run(&new).await.unwrap();
    index.set_state(name, RunState::Closing).await.unwrap();
}

#[tokio::test]
async fn a_run_that_takes_long_delays_no_verdict_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::folder(dir.path()).unwrap();
    let index = Index::open(&dir.path().join("index.sqlite")).await.unwrap();
    let (large, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (free, seen) = (large.clone(), begun.clone());
    let client = fake::client(move |asked| {
        let (free, seen) = (free.clone(), seen.clone());
        async move {
            if asked.path.contains("/large") {
                seen.notify_one();
                free.notified().await;
            }
            let details = json!({ "kind": "namespaces" });
            fake::refusal(404, "NotFound", &details)
        }
    });
    let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let finaliser = Finaliser {
        uploads: Uploads::new(store.clone(), index.clone()),
        store,
        index: index.clone(),
        publisher: Publisher::Cluster(client),
    };
    let going = Loop {
        finaliser,
        in_cluster: true,
        grace: GRACE,
        wake: wake.clone(),
        metrics: Arc::default(),
    };
    closing(&index, "large").await;
    let going = tokio::spawn(going.run(stop.clone()));
    begun.notified().await;

    closing(&index, "small").await;
    wake.notify_one();
    let deadline = Instant::now() + Duration::from_secs(20);
    let state = async |uid| index.run(uid).await.unwrap().unwrap().state;
    while state("small").await != RunState::Swept {
        assert!(Instant::now() < deadline, "the small run waits");
        tokio::task::yield_now().await;
    }
    assert_eq!(state("large").await, RunState::Closing);

    stop.cancel();
    large.notify_one();
    going.await.unwrap();
    assert_eq!(state("large").await, RunState::Swept);
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
