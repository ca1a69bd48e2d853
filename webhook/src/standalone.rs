//! Without a cluster: policies and context from files, an authority in memory, and its certificate in a file.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::ResourceExt as _;
use proctor_certs::{Authority, AuthorityError, IssueError, Leaf, Names};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::Builder;

use crate::state::{Policies, World};

/// How long the authority and its leaf are valid: longer than anybody leaves such a server running.
const VALIDITY: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Why there is nothing to serve by.
#[derive(Debug, thiserror::Error)]
pub enum StandaloneError {
    /// A file cannot be read.
    #[error("{} cannot be read; check the path", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not YAML.
    #[error("{} is not YAML", .path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// An object is not what its kind says.
    #[error("{}, document {document}: this is not a {kind}", .path.display())]
    Object {
        /// The file.
        path: PathBuf,
        /// Which document that is not empty, counted from 1.
        document: usize,
        /// The kind it claims.
        kind: &'static str,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// An object is of another kind.
    #[error(
        "{}, document {document}: {kind:?} is not a kind that says anything here; give ClusterTestPolicy, TestPolicy, Namespace or Service", .path.display()
    )]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// Which document that is not empty, counted from 1.
        document: usize,
        /// The kind.
        kind: String,
    },
    /// No certificate.
    #[error("the authority could not be made")]
    Authority(#[from] AuthorityError),
    /// No certificate.
    #[error("the certificate could not be issued")]
    Issue(#[from] IssueError),
    /// What others wait for cannot be handed over.
    #[error("{} could not be written; check the folder", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Reads policies, and what is known of a cluster, from YAML files with one or more objects each.
pub fn read(
    files: &[PathBuf],
    collector_ca: Option<&Path>,
) -> Result<(Policies, World), StandaloneError> {
    let mut policies = Policies {
        collector_ca: collector_ca.map(text).transpose()?,
        ..Policies::default()
    };
    let mut namespaces = BTreeMap::new();
    let mut services = Vec::new();
    for path in files {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text(path)?).map_err(|source| StandaloneError::Yaml {
                path: path.clone(),
                source: Box::new(source),
            })?;
        for (index, value) in documents.into_iter().enumerate() {
            let document = Document {
                path,
                number: index + 1,
                value,
            };
            match document.kind() {
                "ClusterTestPolicy" => policies.cluster.push(document.read("ClusterTestPolicy")?),
                "TestPolicy" => policies.team.push(document.read("TestPolicy")?),
                "Service" => services.push(document.read::<Service>("Service")?),
                "Namespace" => {
                    let namespace: Namespace = document.read("Namespace")?;
                    namespaces.insert(namespace.name_any(), namespace.labels().clone());
                }
                _ => return Err(document.other_kind()),
            }
        }
    }
    Ok((policies, World::new(namespaces, &services)))
}

struct Document<'a> {
    path: &'a Path,
    number: usize,
    value: Value,
}

impl Document<'_> {
    fn kind(&self) -> &str {
        let kind = self.value.get("kind").and_then(Value::as_str);
        kind.unwrap_or_default()
    }

    fn read<T: DeserializeOwned>(self, kind: &'static str) -> Result<T, StandaloneError> {
        serde_json::from_value(self.value).map_err(|source| StandaloneError::Object {
            path: self.path.to_owned(),
            document: self.number,
            kind,
            source,
        })
    }

    fn other_kind(&self) -> StandaloneError {
        StandaloneError::OtherKind {
            path: self.path.to_owned(),
            document: self.number,
            kind: self.kind().to_owned(),
        }
    }
}

fn text(path: impl AsRef<Path>) -> Result<String, StandaloneError> {
    let path = path.as_ref();
    fs::read_to_string(path).map_err(|source| StandaloneError::Read {
        path: path.to_owned(),
        source,
    })
}

/// An authority in memory, and a leaf for these names.
pub(crate) fn authority(names: &Names) -> Result<(Authority, Leaf), StandaloneError> {
    let now = Timestamp::now();
    let authority = Authority::create("proctor-webhook standalone", VALIDITY, now)?;
    let leaf = authority.issue(names, VALIDITY, now)?;
    Ok((authority, leaf))
}

/// Writes a file whole or not at all: whoever waits for it can read it at once.
pub(crate) fn publish(text: &str, path: &Path) -> Result<(), StandaloneError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let write = || {
        let mode = fs::Permissions::from_mode(0o644);
        let mut file = Builder::new().permissions(mode).tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(|source| StandaloneError::Write {
        path: path.to_owned(),
        source,
    })
}
