//! What a rotation promises: nobody is ever locked out, whoever is late and whoever takes the steps.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proctor_certs::{Authority, Bundle, Names, Rotation, Schedule, SecretData, SecretError, Step};
use proptest::prelude::*;

mod client {
    use super::{Arc, Bundle, Timestamp};
    use proctor_certs::{Leaf, provider};
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::{ServerName, UnixTime};
    use std::time::Duration;

    pub(crate) const HOST: &str = "proctor-webhook.proctor-system.svc";

    /// Whether a client that trusts the bundle accepts the leaf at that time.
    pub(crate) fn verifies(leaf: &Leaf, bundle: &Bundle, now: Timestamp) -> bool {
        let roots = Arc::new(bundle.roots());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
            .build()
            .unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.as_second().unsigned_abs()));
        verifier
            .verify_server_cert(&leaf.certified_key().cert[0], &[], &name, &[], now)
            .is_ok()
    }
}

const NAME: &str = "proctor-webhook-ca";

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn names() -> Names {
    Names::new([client::HOST])
}

/// Validity 1000 minutes, renewal 300 before the end, propagation 60, retention 120.
fn schedule() -> Schedule {
    Schedule::new(minutes(1000), minutes(300), minutes(60), minutes(120)).unwrap()
}

/// A copy by way of the Secret, as another replica reads it.
fn copy(rotation: &Rotation) -> Rotation {
    Rotation::from_secret_data(&rotation.to_secret_data()).unwrap()
}

#[test]
fn a_rotation_publishes_waits_switches_waits_and_drops() {
    let mut rotation = Rotation::begin(NAME, start(), &schedule()).unwrap();
    let first = rotation.current().certificate().clone();
    for (minute, expected, trusted) in [
        (699, vec![], 1),
        (700, vec![Step::Published], 2),
        (759, vec![], 2),
        (760, vec![Step::Switched], 2),
        (879, vec![], 2),
        (880, vec![Step::Dropped], 1),
        (1400, vec![Step::Published], 2),
    ] {
        let now = start() + minutes(minute);
        let (next, steps) = copy(&rotation).advance(now, &schedule()).unwrap();
        assert_eq!(steps, expected, "at minute {minute}");
        assert_eq!(
            next.bundle().certificates().count(),
            trusted,
            "at minute {minute}"
        );
        let is_first = *next.current().certificate() == first;
        assert_eq!(is_first, minute < 760, "at minute {minute}");
        rotation = next;
    }
}

#[test]
fn an_authority_that_ended_while_nobody_looked_is_replaced_at_once() {
    let rotation = Rotation::begin(NAME, start(), &schedule()).unwrap();
    let late = start() + minutes(100_000);
    let (rotation, steps) = rotation.advance(late, &schedule()).unwrap();
    assert_eq!(steps, [Step::Published, Step::Switched]);
    let leaf = rotation
        .current()
        .issue(&names(), minutes(60), late)
        .unwrap();
    assert!(client::verifies(&leaf, &rotation.bundle(), late));
}

#[test]
fn a_published_authority_that_ended_as_well_is_replaced_at_once() {
    let rotation = Rotation::begin(NAME, start(), &schedule()).unwrap();
    let (rotation, _) = rotation
        .advance(start() + minutes(700), &schedule())
        .unwrap();
    let late = start() + minutes(100_000);
    let (rotation, _) = rotation.advance(late, &schedule()).unwrap();
    assert!(rotation.current().not_after() > late);
}

#[test]
fn the_key_of_a_retired_authority_is_not_kept() {
    let rotation = Rotation::begin(NAME, start(), &schedule()).unwrap();
    let key = rotation.current().key_pem();
    let (rotation, _) = rotation
        .advance(start() + minutes(700), &schedule())
        .unwrap();
    let (rotation, _) = rotation
        .advance(start() + minutes(760), &schedule())
        .unwrap();
    let data = rotation.to_secret_data();
    assert!(data.contains_key("previous-ca.crt"));
    assert!(data.values().all(|value| value != key.as_bytes()));
}

fn refused(change: impl FnOnce(&mut SecretData)) -> SecretError {
    let rotation = Rotation::begin(NAME, start(), &schedule()).unwrap();
    let (rotation, _) = rotation
        .advance(start() + minutes(700), &schedule())
        .unwrap();
    let mut data = rotation.to_secret_data();
    change(&mut data);
    Rotation::from_secret_data(&data).unwrap_err()
}

#[test]
fn a_damaged_secret_is_refused_with_the_key_that_is_wrong() {
    let missing = refused(|data| drop(data.remove("ca.key")));
    assert!(
        missing.to_string().contains("ca.key is missing"),
        "{missing}"
    );

    let not_text = refused(|data| drop(data.insert("ca.crt".into(), vec![0xff])));
    assert!(
        not_text.to_string().contains("ca.crt is not UTF-8"),
        "{not_text}"
    );

    let time = refused(|data| drop(data.insert("next-ca.since".into(), b"today".to_vec())));
    assert!(
        time.to_string().contains("next-ca.since is not a time"),
        "{time}"
    );

    let swapped = refused(|data| {
        let key = data["next-ca.key"].clone();
        data.insert("ca.key".into(), key);
    });
    let source = std::error::Error::source(&swapped).unwrap().to_string();
    assert!(
        source.contains("does not belong to its certificate"),
        "{source}"
    );

    let two = refused(|data| drop(data.insert("previous-ca.crt".into(), vec![])));
    assert!(matches!(two, SecretError::TwoPhases));

    let not_pem = refused(|data| drop(data.insert("next-ca.crt".into(), b"x".to_vec())));
    assert!(
        not_pem.to_string().contains("next-ca.crt and next-ca.key"),
        "{not_pem}"
    );
}

#[test]
fn a_leaf_never_outlives_its_authority() {
    let authority = Authority::create(NAME, minutes(100), start()).unwrap();
    let leaf = authority.issue(&names(), minutes(1000), start()).unwrap();
    assert_eq!(leaf.not_after(), authority.not_after());
    assert!(leaf.renew_at() < leaf.not_after());
    assert!(
        authority
            .issue(&names(), minutes(10), start() + minutes(100))
            .is_err()
    );
}

#[test]
fn a_bundle_survives_its_text_and_is_never_empty() {
    let rotation = Rotation::begin(NAME, start(), &schedule()).unwrap();
    let (rotation, _) = rotation
        .advance(start() + minutes(700), &schedule())
        .unwrap();
    let text = rotation.bundle().to_pem();
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2);
    assert_eq!(Bundle::from_pem(&text).unwrap(), rotation.bundle());
    assert!(Bundle::from_pem("").is_err());
    assert!(Bundle::from_pem(&rotation.current().key_pem()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Replicas look at irregular times; each serves a leaf of the authority that it saw less than the propagation time ago, and each
    /// client verifies against a bundle published less than that long ago.
    #[test]
    fn every_leaf_in_use_verifies_against_every_bundle_in_use(
        gaps in prop::collection::vec(1_i64..45, 60..120),
        settled in 1000_i64..1500,
        retention in 60_i64..200,
    ) {
        let propagation = minutes(60);
        let schedule =
            Schedule::new(minutes(settled), minutes(300), propagation, minutes(retention)).unwrap();
        let mut now = start();
        let mut history = vec![(now, Rotation::begin(NAME, now, &schedule).unwrap())];
        for gap in gaps {
            now += minutes(gap);
            let (_, last) = history.last().unwrap();
            let (rotation, steps) = copy(last).advance(now, &schedule).unwrap();
            if !steps.is_empty() {
                history.push((now, rotation));
            }
            // What was replaced less than the propagation time ago may still be in use.
            let in_use = history.iter().enumerate().filter(|(index, _)| {
                history.get(index + 1).is_none_or(|(replaced, _)| *replaced + propagation > now)
            });
            let in_use: Vec<_> = in_use.map(|(_, (_, rotation))| rotation).collect();
            for server in &in_use {
                let leaf = server.current().issue(&names(), minutes(500), now).unwrap();
                for client in &in_use {
                    prop_assert!(client::verifies(&leaf, &client.bundle(), now), "at {now}");
                }
            }
        }
    }

    #[test]
    fn any_data_is_a_rotation_or_an_error(data in prop::collection::btree_map(
        prop::sample::select(vec![
            "ca.crt", "ca.key", "next-ca.crt", "next-ca.key", "next-ca.since", "previous-ca.crt",
        ]),
        prop::collection::vec(any::<u8>(), 0..64), 0..6,
    )) {
        let data = data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        prop_assert!(Rotation::from_secret_data(&data).is_err());
    }

    #[test]
    fn any_text_is_a_bundle_or_an_error(text in ".{0,200}") {
        prop_assert!(Bundle::from_pem(&text).is_err());
    }
}
