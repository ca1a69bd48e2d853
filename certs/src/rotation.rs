//! The two-phase rotation of an authority, as a state machine over the shared secret and the time.
//!
//! ```text
//! current --(renewal is near)--> current + next published --(propagation)--> next signs, old one trusted --(retention)--> current
//! ```

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;

use crate::authority::{earlier, later};
use crate::{Authority, AuthorityError, Bundle, Schedule};

/// The authority that signs, and during a rotation the one that will and the one that did: what all replicas share in one secret.
#[derive(Debug)]
pub struct Rotation {
    pub(crate) current: Authority,
    pub(crate) phase: Phase,
}

/// One rotation at a time: there is never a next and a previous authority together.
#[derive(Debug)]
pub(crate) enum Phase {
    Settled,
    /// The next authority is trusted, and signs nothing yet.
    Published {
        next: Box<Authority>,
        since: Timestamp,
    },
    /// The previous authority signs nothing any more, and is still trusted. Its key is gone.
    Retiring {
        previous: CertificateDer<'static>,
        since: Timestamp,
    },
}

/// A step of a rotation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// The next authority was made: publish the bundle.
    Published,
    /// The next authority signs from now on: issue new leaves.
    Switched,
    /// The previous authority is trusted no more: publish the bundle.
    Dropped,
}

impl Rotation {
    /// A first authority, with this common name.
    pub fn begin(name: &str, now: Timestamp, schedule: &Schedule) -> Result<Self, AuthorityError> {
        Ok(Self {
            current: Authority::create(name, schedule.validity(), now)?,
            phase: Phase::Settled,
        })
    }

    /// Takes the steps that are due by `now` and tells which. Where none is due nothing changes.
    ///
    /// The caller stores the result where all replicas read it, and only where nobody else has stored one in the meantime. An
    /// authority that has ended is replaced at once: no client accepts its leaves, whatever the bundles say.
    pub fn advance(
        mut self,
        now: Timestamp,
        schedule: &Schedule,
    ) -> Result<(Self, Vec<Step>), AuthorityError> {
        let mut steps = Vec::new();
        while self.due_at(schedule) <= now {
            let step;
            (self, step) = self.step(now, schedule)?;
            steps.push(step);
        }
        Ok((self, steps))
    }

    /// When [`Rotation::advance`] has something to do.
    pub fn due_at(&self, schedule: &Schedule) -> Timestamp {
        let due = match &self.phase {
            Phase::Settled => earlier(self.current.not_after(), schedule.renew_before()),
            Phase::Published { since, .. } => later(*since, schedule.propagation()),
            Phase::Retiring { since, .. } => later(*since, schedule.retention()),
        };
        due.min(self.current.not_after())
    }

    fn step(self, now: Timestamp, schedule: &Schedule) -> Result<(Self, Step), AuthorityError> {
        let current = self.current;
        Ok(match self.phase {
            Phase::Settled => {
                let next = Box::new(Authority::create(current.name(), schedule.validity(), now)?);
                let phase = Phase::Published { next, since: now };
                (Self { current, phase }, Step::Published)
            }
            Phase::Published { next, .. } => {
                let previous = current.certificate().clone();
                let phase = Phase::Retiring {
                    previous,
                    since: now,
                };
                let current = *next;
                (Self { current, phase }, Step::Switched)
            }
            Phase::Retiring { .. } => {
                let phase = Phase::Settled;
                (Self { current, phase }, Step::Dropped)
            }
        })
    }

    /// The authority that signs.
    pub fn current(&self) -> &Authority {
        &self.current
    }

    /// What clients trust by now.
    pub fn bundle(&self) -> Bundle {
        let other = match &self.phase {
            Phase::Settled => None,
            Phase::Published { next, .. } => Some(next.certificate().clone()),
            Phase::Retiring { previous, .. } => Some(previous.clone()),
        };
        Bundle::new(self.current.certificate().clone(), other)
    }
}
