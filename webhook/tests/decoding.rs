//! Whatever is posted, the answer is a decision or an error, never the end of the server.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod support;

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use proctor_policy::Platform;
use proctor_webhook::admission::{Phase, Request, decide};
use proctor_webhook::state::Current;
use proptest::prelude::*;
use support::{JOB_WITH_A_SECRET, review};

static CURRENT: LazyLock<Current> =
    LazyLock::new(|| Current::new(Platform::default(), Arc::default()).unwrap());

/// Whether the body is a review; if so, both phases have been decided and written.
fn survives(body: &[u8]) -> bool {
    let Ok(request) = Request::decode(body) else {
        return false;
    };
    for phase in [Phase::Mutate, Phase::Validate] {
        let decided = decide(phase, &request, &CURRENT, Timestamp::UNIX_EPOCH);
        decided.answer.encode(&request.uid).unwrap();
    }
    true
}

fn body() -> Vec<u8> {
    let job = serde_json::from_str(JOB_WITH_A_SECRET).unwrap();
    review("CREATE", &job).to_string().into_bytes()
}

proptest! {
    #[test]
    fn any_bytes_are_decided_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&body);
    }

    #[test]
    fn a_damaged_review_is_decided_or_refused(
        place in any::<prop::sample::Index>(),
        length in 0_usize..40,
        replacement in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..8),
            prop::sample::select(vec!["null", "[]", "{}", "1e999", "\"\\ud800\"", "true,"])
                .prop_map(|text| text.as_bytes().to_vec()),
        ],
    ) {
        let mut body = body();
        let start = place.index(body.len());
        let end = (start + length).min(body.len());
        body.splice(start..end, replacement);
        survives(&body);
    }

    /// The API server may send fields that did not exist when this was written.
    #[test]
    fn unknown_fields_are_skipped(name in "[a-z]{8}X", depth in 0_usize..100) {
        let mut review: serde_json::Value = serde_json::from_slice(&body()).unwrap();
        let nested = "[".repeat(depth) + &"]".repeat(depth);
        let value: serde_json::Value = serde_json::from_str(&nested).unwrap_or_default();
        for place in ["", "/request", "/request/kind", "/request/object/spec"] {
            review.pointer_mut(place).unwrap()[&name] = value.clone();
        }
        prop_assert!(survives(review.to_string().as_bytes()));
    }
}
