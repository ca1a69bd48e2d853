//! Identity without a cluster: a file that lists tokens and the pods they stand for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::{IdentityError, PodIdentity, Secret};
use crate::names::{DnsName, NameError};

/// Why the file of tokens cannot be used.
#[derive(Debug, Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("the file of tokens {path} cannot be read: name an existing file with --tokens")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is not the list it should be.
    #[error(r#"the file of tokens {path} is not a JSON list of {{"token","namespace","pod","uid"}} (line {line})"#)]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
    },
    /// A name in it.
    #[error("the file of tokens {path} names a pod that cannot be")]
    Name {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: NameError,
    },
}

#[derive(Deserialize)]
struct Entry {
    token: String,
    namespace: String,
    pod: String,
    uid: String,
}

/// Tokens, by their hashes, and the pods they stand for. A pod's token also reads its namespace.
#[derive(Debug, Default)]
pub struct Tokens {
    pods: HashMap<[u8; 32], PodIdentity>,
}

impl Tokens {
    /// Reads a JSON list of `{"token","namespace","pod","uid"}`.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        let text = std::fs::read_to_string(path).map_err(|source| TokenFileError::Read {
            path: path.to_owned(),
            source,
        })?;
        // The parser's own message could repeat what it read.
        let entries: Vec<Entry> =
            serde_json::from_str(&text).map_err(|error| TokenFileError::Parse {
                path: path.to_owned(),
                line: error.line(),
            })?;
        let pod = |entry: Entry| {
            let namespace = DnsName::parse(&entry.namespace)?;
            let pod = PodIdentity {
                namespace,
                name: entry.pod,
                uid: entry.uid,
                labelled: true,
            };
            pod.run_name()?;
            Ok((Secret::new(entry.token).hash(), pod))
        };
        let pods = entries.into_iter().map(pod).collect::<Result<_, _>>();
        Ok(Self {
            pods: pods.map_err(|source| TokenFileError::Name {
                path: path.to_owned(),
                source,
            })?,
        })
    }

    pub(super) fn pod(&self, token: &Secret) -> Result<PodIdentity, IdentityError> {
        self.pods
            .get(&token.hash())
            .cloned()
            .ok_or(IdentityError::NotGood("it is not in the list of tokens"))
    }

    pub(super) fn may_read(
        &self,
        token: &Secret,
        namespace: &DnsName,
    ) -> Result<(), IdentityError> {
        if self.pod(token)?.namespace == *namespace {
            Ok(())
        } else {
            Err(IdentityError::NotAllowed(
                "the token is of a pod in another namespace",
            ))
        }
    }
}
