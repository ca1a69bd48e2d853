//! A finding before policies have said what becomes of it.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::finding::Code;

/// A finding before policies have said what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) code: &'static Code,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) suggestion: String,
    /// The name an exception may be for: of the environment variable.
    pub(crate) name: Option<String>,
    /// Of what was found, so that an update that changes it brings it in.
    pub(crate) fingerprint: u64,
}

impl Hit {
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.code.code == other.code.code
            && self.path == other.path
            && self.fingerprint == other.fingerprint
    }
}

pub(crate) fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
