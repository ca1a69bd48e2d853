//! Pauses after failures: longer each time up to a bound, and never in step with other reporters.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(200);

/// The longest pause of our own choice.
const LONGEST: Duration = Duration::from_secs(5);

/// The longest pause a collector may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(30);

/// The pause before something that failed is tried again.
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// It failed. The collector may have said after how long to come back.
    pub(super) fn failed(&mut self, asked: Option<Duration>) {
        let longest = FIRST
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let pause = longest.mul_f64(0.5 + 0.5 * random());
        self.until = Some(Instant::now() + pause.max(asked.unwrap_or_default().min(LONGEST_ASKED)));
    }

    /// It went well.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Tries again at once, but counts the failures.
    pub(super) fn hurry(&mut self) {
        self.until = None;
    }

    /// It has failed more often than a short interruption explains.
    pub(super) fn is_persistent(&self) -> bool {
        self.failures >= 3
    }

    /// The time left of the pause.
    pub(super) fn left(&self) -> Duration {
        self.until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }
}

/// 0 to 1. The standard library seeds its hashers from the system's random numbers.
fn random() -> f64 {
    let number = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(number >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_end_with_a_success() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            backoff.failed(None);
            assert!(backoff.left() > Duration::ZERO && backoff.left() <= LONGEST);
        }
        assert!(backoff.left() > LONGEST / 3);
        backoff.succeeded();
        assert_eq!(backoff.left(), Duration::ZERO);
    }

    #[test]
    fn a_collector_can_ask_for_time_within_reason() {
        let mut backoff = Backoff::default();
        backoff.failed(Some(Duration::from_secs(20)));
        assert!(backoff.left() > Duration::from_secs(15));
        backoff.failed(Some(Duration::from_secs(1_000_000)));
        assert!(backoff.left() <= LONGEST_ASKED);
    }
}
