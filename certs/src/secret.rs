//! A rotation as the data of a Kubernetes Secret.
//!
//! | key | what |
//! |---|---|
//! | `ca.crt`, `ca.key` | the authority that signs |
//! | `next-ca.crt`, `next-ca.key`, `next-ca.since` | the published one, and since when |
//! | `previous-ca.crt`, `previous-ca.since` | the retiring one, and since when |

use std::collections::BTreeMap;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::rotation::{Phase, Rotation};
use crate::{Authority, AuthorityError, Bundle};

/// The data of a Secret, decoded: keys to bytes.
pub type SecretData = BTreeMap<String, Vec<u8>>;

const CURRENT: &str = "ca";
const NEXT: &str = "next-ca";
const PREVIOUS: &str = "previous-ca";

/// Why a Secret's data is not a rotation. The values are never in the message.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A key is not there.
    #[error(
        "the key {0} is missing; restore it, or delete the Secret to have a new authority made"
    )]
    Missing(String),
    /// A value is not text.
    #[error(
        "the value of {0} is not UTF-8 text; restore it, or delete the Secret to have a new authority made"
    )]
    NotText(String),
    /// A pair of certificate and key is not an authority.
    #[error("the pair {name}.crt and {name}.key is not usable")]
    Authority {
        /// What the keys begin with.
        name: &'static str,
        /// What is wrong with it.
        #[source]
        source: AuthorityError,
    },
    /// The previous certificate cannot be read.
    #[error(
        "the value of previous-ca.crt is not a PEM certificate; delete the previous-ca keys if nobody needs it any more"
    )]
    Previous(#[source] rustls::pki_types::pem::Error),
    /// A time is not one.
    #[error("the value of {key} is not a time such as 2026-01-31T12:00:00Z")]
    Time {
        /// The key.
        key: String,
        /// What the reader says.
        #[source]
        source: jiff::Error,
    },
    /// Two phases at once.
    #[error(
        "there are both next-ca and previous-ca keys, which no rotation has; delete those of next-ca"
    )]
    TwoPhases,
}

impl Rotation {
    /// The rotation as a Secret's data. It holds private keys.
    pub fn to_secret_data(&self) -> SecretData {
        let mut data = SecretData::new();
        let mut put = |name: &str, suffix: &str, value: String| {
            data.insert(format!("{name}.{suffix}"), value.into_bytes());
        };
        put(CURRENT, "crt", self.current.certificate_pem().to_owned());
        put(CURRENT, "key", self.current.key_pem());
        match &self.phase {
            Phase::Settled => {}
            Phase::Published { next, since } => {
                put(NEXT, "crt", next.certificate_pem().to_owned());
                put(NEXT, "key", next.key_pem());
                put(NEXT, "since", since.to_string());
            }
            Phase::Retiring { previous, since } => {
                put(
                    PREVIOUS,
                    "crt",
                    Bundle::new(previous.clone(), None).to_pem(),
                );
                put(PREVIOUS, "since", since.to_string());
            }
        }
        data
    }

    /// Reads what [`Rotation::to_secret_data`] made. Keys of others are ignored.
    pub fn from_secret_data(data: &SecretData) -> Result<Self, SecretError> {
        let has = |name: &str| data.contains_key(&format!("{name}.crt"));
        let phase = match (has(NEXT), has(PREVIOUS)) {
            (false, false) => Phase::Settled,
            (true, false) => Phase::Published {
                next: Box::new(authority(data, NEXT)?),
                since: since(data, NEXT)?,
            },
            (false, true) => Phase::Retiring {
                previous: CertificateDer::from_pem_slice(
                    text(data, &format!("{PREVIOUS}.crt"))?.as_bytes(),
                )
                .map_err(SecretError::Previous)?,
                since: since(data, PREVIOUS)?,
            },
            (true, true) => return Err(SecretError::TwoPhases),
        };
        Ok(Self {
            current: authority(data, CURRENT)?,
            phase,
        })
    }
}

fn text<'a>(data: &'a SecretData, key: &str) -> Result<&'a str, SecretError> {
    let value = data
        .get(key)
        .ok_or_else(|| SecretError::Missing(key.to_owned()))?;
    std::str::from_utf8(value).map_err(|_| SecretError::NotText(key.to_owned()))
}

fn authority(data: &SecretData, name: &'static str) -> Result<Authority, SecretError> {
    let certificate = text(data, &format!("{name}.crt"))?;
    let key = text(data, &format!("{name}.key"))?;
    Authority::from_pem(certificate, key).map_err(|source| SecretError::Authority { name, source })
}

fn since(data: &SecretData, name: &str) -> Result<Timestamp, SecretError> {
    let key = format!("{name}.since");
    text(data, &key)?
        .parse()
        .map_err(|source| SecretError::Time { key, source })
}
