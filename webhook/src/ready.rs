//! Whether the server can do its work, and what it waits for where it cannot.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Something that must be there before the server is ready. Once there it stays: an API server that is away later takes nothing away.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// The policies have been read, and whether there is a bundle of the collector.
    Policies,
    /// The namespaces have been read.
    Namespaces,
    /// The Services have been read.
    Services,
    /// A call to the server's own port verifies against what the API server trusts.
    Certificate,
}

/// What is missing still.
#[derive(Debug)]
pub struct Readiness {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: BTreeMap<Part, String>,
    draining: bool,
}

impl Readiness {
    /// Ready when all these parts are there.
    pub fn of(parts: impl IntoIterator<Item = (Part, String)>) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: parts.into_iter().collect(),
                draining: false,
            }),
        }
    }

    /// This part is there.
    pub fn done(&self, part: Part) {
        self.lock().waiting.remove(&part);
    }

    /// This part is not there for this reason; ignored once it was there.
    pub fn waits(&self, part: Part, why: String) {
        if let Some(reason) = self.lock().waiting.get_mut(&part) {
            *reason = why;
        }
    }

    /// The server is about to stop, and wants no new clients.
    pub fn drain(&self) {
        self.lock().draining = true;
    }

    /// A sentence for everything that is missing; none when the server is ready.
    pub fn missing(&self) -> Vec<String> {
        let state = self.lock();
        let draining = state.draining.then(|| "the server is stopping".to_owned());
        draining
            .into_iter()
            .chain(state.waiting.values().cloned())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_when_nothing_is_missing_and_until_it_stops() {
        let readiness = Readiness::of([(Part::Policies, "no policies yet".to_owned())]);
        assert_eq!(readiness.missing(), ["no policies yet"]);
        readiness.waits(Part::Policies, "the policies cannot be read".to_owned());
        assert_eq!(readiness.missing(), ["the policies cannot be read"]);
        readiness.done(Part::Policies);
        readiness.waits(Part::Policies, "the API server is away".to_owned());
        assert!(readiness.missing().is_empty());
        readiness.drain();
        assert_eq!(readiness.missing(), ["the server is stopping"]);
    }
}
