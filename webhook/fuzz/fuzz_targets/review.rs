//! Any body is a review that is decided in both phases, or an error; and what is decided can be written.

#![no_main]

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use proctor_policy::Platform;
use proctor_webhook::admission::{Phase, Request, decide};
use proctor_webhook::state::Current;

static CURRENT: LazyLock<Current> = LazyLock::new(|| {
    Current::new(Platform::default(), Arc::default()).expect("the built-in policy holds")
});

fuzz_target!(|body: &[u8]| {
    let Ok(request) = Request::decode(body) else {
        return;
    };
    for phase in [Phase::Mutate, Phase::Validate] {
        let decided = decide(phase, &request, &CURRENT, Timestamp::UNIX_EPOCH);
        decided
            .answer
            .encode(&request.uid)
            .expect("an answer is JSON");
    }
});
