//! How much is worked on at once. What is beyond is turned away at once, never admitted.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest body: the API server's own limit for objects is about 3 MiB, and an update carries two.
const MAX_BODY_BYTES: usize = 7 * 1024 * 1024;

/// How many requests may be in flight.
const MAX_IN_FLIGHT: usize = 128;

/// How many bytes of bodies may be in memory.
const MAX_BUFFERED_BYTES: usize = 64 * 1024 * 1024;

/// How many connections may be open; each API server keeps a few.
const MAX_CONNECTIONS: usize = 512;

/// How long a request may take where the API server does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The limits of the port that the API server calls.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one body.
    pub body_bytes: usize,
    /// Requests in flight.
    pub in_flight: usize,
    /// Bytes of all bodies in flight.
    pub buffered_bytes: usize,
    /// Open connections.
    pub connections: usize,
    /// How long a request may take where the API server does not say.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: MAX_BODY_BYTES,
            in_flight: MAX_IN_FLIGHT,
            buffered_bytes: MAX_BUFFERED_BYTES,
            connections: MAX_CONNECTIONS,
            timeout: DEFAULT_TIMEOUT,
        }
    }
}

/// Lets requests in while there is room for them and their bodies.
#[derive(Debug)]
pub(super) struct Gate {
    slots: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    size: usize,
}

/// The room of one request, given back when dropped.
#[derive(Debug)]
pub(super) struct Room {
    _slot: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Gate {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(limits.in_flight)),
            bytes: Arc::new(Semaphore::new(limits.buffered_bytes)),
            size: limits.in_flight,
        }
    }

    /// Room for a request with a body of at most so many bytes, if there is some.
    pub(super) fn enter(&self, bytes: usize) -> Option<Room> {
        let bytes = u32::try_from(bytes).ok()?;
        Some(Room {
            _slot: Arc::clone(&self.slots).try_acquire_owned().ok()?,
            _bytes: Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok()?,
        })
    }

    /// How many requests are inside.
    pub(super) fn in_flight(&self) -> usize {
        self.size.saturating_sub(self.slots.available_permits())
    }
}
