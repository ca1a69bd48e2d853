//! Who uploads and who reads: by the API server's word in a cluster, by a list of tokens without one.

mod cluster;
mod secret;
mod tokens;

use thiserror::Error;

pub use cluster::{ClusterIdentity, READ_AUDIENCE};
pub use secret::{Secret, SessionSecret};
pub use tokens::{TokenFileError, Tokens};

use crate::names::{DnsName, NameError};

/// A pod that may upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodIdentity {
    /// Its namespace.
    pub namespace: DnsName,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// It carries the label of tests.
    pub labelled: bool,
}

impl PodIdentity {
    /// The name of its run.
    pub fn run_name(&self) -> Result<DnsName, NameError> {
        DnsName::of_run(&self.name, &self.uid)
    }
}

/// Why somebody is not served.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The token proves nothing.
    #[error("the token is not good: {0}")]
    NotGood(&'static str),
    /// The token is good, and its holder may not.
    #[error("not allowed: {0}")]
    NotAllowed(&'static str),
    /// Nobody could be asked.
    #[error("the API server could not be asked who this is: try again in a moment")]
    Away {
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Who decides.
#[derive(Debug)]
pub enum Identity {
    /// The API server of the cluster.
    Cluster(ClusterIdentity),
    /// A list of tokens.
    Tokens(Tokens),
}

impl Identity {
    /// The living pod whose token this is.
    pub async fn pod(&self, token: &Secret) -> Result<PodIdentity, IdentityError> {
        match self {
            Self::Cluster(cluster) => cluster.pod(token).await,
            Self::Tokens(tokens) => tokens.pod(token),
        }
    }

    /// Whether the token's holder may read the runs of this namespace.
    pub async fn may_read(&self, token: &Secret, namespace: &DnsName) -> Result<(), IdentityError> {
        match self {
            Self::Cluster(cluster) => cluster.may_read(token, namespace).await,
            Self::Tokens(tokens) => tokens.may_read(token, namespace),
        }
    }
}
