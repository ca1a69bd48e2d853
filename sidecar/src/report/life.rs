//! How long the reporter has to live.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::signals::Signals;

/// The part of the grace period kept for saying what is left behind.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The longest a request may take.
const REQUEST: Duration = Duration::from_secs(10);

/// For ever, until SIGTERM (or SIGINT, for people); then as long as the grace period.
pub(super) struct Life {
    signals: Signals,
    grace: Duration,
    end: Option<Instant>,
}

impl Life {
    pub(super) fn new(signals: Signals, grace: Duration) -> Self {
        Self {
            signals,
            grace,
            end: None,
        }
    }

    /// Whether it was asked to end.
    pub(super) fn is_ending(&mut self) -> bool {
        while let Some(received) = self.signals.next() {
            if self.end.is_none() && (received.is(Signal::SIGTERM) || received.is(Signal::SIGINT)) {
                self.end = Some(Instant::now() + self.grace);
            }
        }
        self.end.is_some()
    }

    /// Whether nothing but the last word is left to say.
    pub(super) fn is_over(&mut self) -> bool {
        self.is_ending() && self.left(LAST_WORD) == Duration::ZERO
    }

    /// For one request.
    pub(super) fn request_timeout(&mut self) -> Duration {
        if self.is_ending() {
            REQUEST.min(self.left(LAST_WORD))
        } else {
            REQUEST
        }
    }

    /// For the last request.
    pub(super) fn last_timeout(&self) -> Duration {
        self.left(Duration::ZERO).max(LAST_WORD)
    }

    /// Waits, but not beyond the end nor a request to end.
    pub(super) fn wait(&mut self, at_most: Duration) {
        let at_most = if self.end.is_some() {
            at_most.min(self.left(LAST_WORD))
        } else {
            at_most
        };
        self.signals.wait(at_most);
    }

    fn left(&self, reserve: Duration) -> Duration {
        let left = self
            .end
            .map(|end| end.saturating_duration_since(Instant::now()));
        left.map_or(Duration::MAX, |left| left.saturating_sub(reserve))
    }
}
