//! Where things are in the store.

use object_store::path::{Path, PathPart};

use super::StoreError;
use crate::names::{DnsName, StreamId};

const PARTS: &str = ".parts";

/// The folder of a run: `<namespace>/<run>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    namespace: DnsName,
    run: DnsName,
}

impl Folder {
    /// Puts the two together.
    pub fn new(namespace: DnsName, run: DnsName) -> Self {
        Self { namespace, run }
    }

    /// `<namespace>/<run>`, as a TestRun tells it.
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.run)
    }

    pub(super) fn prefix(&self) -> Result<Path, StoreError> {
        parse(&self.path())
    }

    pub(super) fn object(&self, name: &str) -> Result<Path, StoreError> {
        parse(&format!("{}/{}", self.path(), escape(name)))
    }

    pub(super) fn parts(&self) -> Result<Path, StoreError> {
        parse(&format!("{}/{PARTS}", self.path()))
    }

    pub(super) fn parts_of(&self, stream: &StreamId) -> Result<Path, StoreError> {
        parse(&format!("{}/{PARTS}/{stream}", self.path()))
    }

    pub(super) fn part(&self, stream: &StreamId, offset: u64) -> Result<Path, StoreError> {
        parse(&format!("{}/{PARTS}/{stream}/{offset:020}", self.path()))
    }

    /// The name below this folder; none for parts.
    pub(super) fn name_of(&self, key: &Path) -> Option<String> {
        let prefix = self.prefix().ok()?;
        let mut parts = key.prefix_match(&prefix)?.peekable();
        if parts.peek().is_some_and(|first| first.as_ref() == PARTS) {
            return None;
        }
        let name: Vec<PathPart<'_>> = parts.collect();
        Some(unescape(
            &name
                .iter()
                .map(AsRef::as_ref)
                .collect::<Vec<&str>>()
                .join("/"),
        ))
    }
}

/// The offset that a part's key ends with.
pub(super) fn offset_of(key: &Path) -> Option<u64> {
    key.filename()?.parse().ok()
}

fn parse(text: &str) -> Result<Path, StoreError> {
    Path::parse(text).map_err(StoreError::object("name", text))
}

/// Folders keep names that end in `#` and digits for files that are being written, so `#` is never used as it stands.
fn escape(name: &str) -> String {
    name.replace('%', "%25").replace('#', "%23")
}

fn unescape(name: &str) -> String {
    name.replace("%23", "#").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_name_is_found_again(name in "[a-z#%0-9.~\\[\\]ü ]{1,20}(/[a-z#%235 ]{1,5})?") {
            let folder = Folder::new(DnsName::parse("team").unwrap(), DnsName::parse("run").unwrap());
            prop_assume!(!name.split('/').any(|part| matches!(part, "" | "." | "..")));
            let key = folder.object(&name).unwrap();
            prop_assert_eq!(folder.name_of(&key), Some(name));
        }
    }
}
