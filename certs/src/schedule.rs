//! How long authorities live, and how long each step of a rotation waits.

use jiff::SignedDuration;

/// How long authorities live, and how long each step of a rotation waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Schedule {
    validity: SignedDuration,
    renew_before: SignedDuration,
    propagation: SignedDuration,
    retention: SignedDuration,
}

/// Why durations do not make a schedule under which every client can verify every server at all times.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// Nothing would be waited for.
    #[error(
        "the propagation time must be longer than nothing: it is how long an old bundle may still be in use"
    )]
    NoPropagation,
    /// The old authority would be forgotten while its leaves are shown.
    #[error(
        "the retention time must be at least the propagation time: servers show leaves of the old authority that long"
    )]
    RetentionTooShort,
    /// The old authority would end while its leaves are shown.
    #[error(
        "the renewal must begin at least twice the propagation time before an authority ends, or its leaves end during the rotation"
    )]
    RenewalTooLate,
    /// Rotations would overlap.
    #[error(
        "the validity must be longer than renewal, propagation and retention together, or rotations would overlap"
    )]
    ValidityTooShort,
}

impl Schedule {
    /// A schedule under which, at every instant, every leaf that is shown verifies against every bundle in use.
    ///
    /// - `validity`: how long an authority is valid.
    /// - `renew_before`: how long before its end the next one is made and published.
    /// - `propagation`: the longest time for which a bundle, or a view of the shared secret, stays in use after a newer one was
    ///   published, differences between clocks included. Minutes where clients read the bundle again; as long as the longest
    ///   permitted run where the bundle is given to a pod once and for all.
    /// - `retention`: how long an authority stays trusted after the next one took over.
    pub fn new(
        validity: SignedDuration,
        renew_before: SignedDuration,
        propagation: SignedDuration,
        retention: SignedDuration,
    ) -> Result<Self, ScheduleError> {
        if propagation <= SignedDuration::ZERO {
            return Err(ScheduleError::NoPropagation);
        }
        if retention < propagation {
            return Err(ScheduleError::RetentionTooShort);
        }
        if renew_before < propagation.saturating_mul(2) {
            return Err(ScheduleError::RenewalTooLate);
        }
        let rotation = propagation.saturating_add(retention);
        if validity <= renew_before.saturating_add(rotation) {
            return Err(ScheduleError::ValidityTooShort);
        }
        Ok(Self {
            validity,
            renew_before,
            propagation,
            retention,
        })
    }

    /// How long an authority is valid.
    pub fn validity(&self) -> SignedDuration {
        self.validity
    }

    /// How long before an authority's end the next one is published.
    pub fn renew_before(&self) -> SignedDuration {
        self.renew_before
    }

    /// How long an old bundle may still be in use.
    pub fn propagation(&self) -> SignedDuration {
        self.propagation
    }

    /// How long an authority stays trusted after the next one took over.
    pub fn retention(&self) -> SignedDuration {
        self.retention
    }
}

/// A year, renewed thirty days before its end; an hour for everybody to learn of a step; a day of retention.
impl Default for Schedule {
    fn default() -> Self {
        let days = |days: i64| SignedDuration::from_hours(days * 24);
        Self {
            validity: days(365),
            renew_before: days(30),
            propagation: SignedDuration::from_hours(1),
            retention: days(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(hours: [i64; 4]) -> Result<Schedule, ScheduleError> {
        let [validity, renew_before, propagation, retention] =
            hours.map(SignedDuration::from_hours);
        Schedule::new(validity, renew_before, propagation, retention)
    }

    #[test]
    fn a_schedule_that_could_lock_clients_out_is_refused() {
        assert_eq!(hours([100, 10, 0, 5]), Err(ScheduleError::NoPropagation));
        assert_eq!(
            hours([100, 10, 5, 4]),
            Err(ScheduleError::RetentionTooShort)
        );
        assert_eq!(hours([100, 9, 5, 5]), Err(ScheduleError::RenewalTooLate));
        assert_eq!(hours([20, 10, 5, 5]), Err(ScheduleError::ValidityTooShort));
        assert!(hours([21, 10, 5, 5]).is_ok());
    }

    #[test]
    fn the_default_is_one_that_would_be_accepted() {
        let Schedule {
            validity,
            renew_before,
            propagation,
            retention,
        } = Schedule::default();
        assert!(Schedule::new(validity, renew_before, propagation, retention).is_ok());
    }
}
