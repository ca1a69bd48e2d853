//! Texts that are never printed.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use super::IdentityError;

/// A token that somebody showed. It prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Shows it, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// SHA-256, so that what is kept is of no use to a thief, and comparing it tells nothing by its time.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, self.0.as_bytes()).as_ref());
        hash
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The secret of a session: 256 random bits. Only its hash is kept.
#[derive(Clone, Debug)]
pub struct SessionSecret {
    secret: Secret,
    hash: [u8; 32],
}

impl SessionSecret {
    /// A new one.
    pub fn generate() -> Result<Self, IdentityError> {
        let mut bits = [0; 32];
        SystemRandom::new()
            .fill(&mut bits)
            .map_err(|error| IdentityError::Away {
                source: error.to_string().into(),
            })?;
        Ok(Self::received(&Secret::new(
            BASE64_URL_SAFE_NO_PAD.encode(bits),
        )))
    }

    /// One that a request carries.
    pub fn received(secret: &Secret) -> Self {
        Self {
            secret: secret.clone(),
            hash: secret.hash(),
        }
    }

    /// Its hash.
    pub fn hash(&self) -> &[u8] {
        &self.hash
    }

    /// Shows it, for the answer to the reporter.
    pub fn reveal(&self) -> &str {
        self.secret.reveal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let session = SessionSecret::generate().unwrap();
        assert!(!format!("{session:?} {:?}", Secret::new("hunter2")).contains("hunter2"));
        assert!(!format!("{session:?}").contains(session.reveal()));
        assert_eq!(session.reveal().len(), 43);
        assert_ne!(session.hash(), SessionSecret::generate().unwrap().hash());
    }
}
