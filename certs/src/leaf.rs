//! A server's certificate, issued at run time and kept in memory only.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::Authority;
use crate::authority::{CLOCK_SKEW, earlier, later, set_validity};

/// The names a server answers to. A client verifies the name it called against them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Names {
    dns: Vec<String>,
    ips: Vec<IpAddr>,
}

impl Names {
    /// Names in DNS, such as `proctor-webhook.proctor-system.svc`.
    pub fn new<I>(dns: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            dns: dns.into_iter().map(Into::into).collect(),
            ips: Vec::new(),
        }
    }

    /// The same names and these addresses.
    #[must_use]
    pub fn with_ips(mut self, ips: impl IntoIterator<Item = IpAddr>) -> Self {
        self.ips.extend(ips);
        self
    }
}

/// A server's certificate with its key, ready for rustls.
#[derive(Clone, Debug)]
pub struct Leaf {
    key: Arc<CertifiedKey>,
    issuer: CertificateDer<'static>,
    not_after: Timestamp,
    renew_at: Timestamp,
}

/// Why a leaf could not be issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// A name is not one that a certificate can carry.
    #[error(
        "a certificate cannot be issued for the name {name:?}: give a DNS name in ASCII (RFC 1123)"
    )]
    Name {
        /// The name.
        name: String,
        /// What rcgen says.
        #[source]
        source: rcgen::Error,
    },
    /// The authority's own certificate has ended.
    #[error(
        "a certificate cannot be issued by an authority that expired at {not_after}: rotate the authority first"
    )]
    Expired {
        /// When it ended.
        not_after: Timestamp,
    },
    /// The key could not be made or the certificate not be signed.
    #[error(
        "a certificate could not be signed; check that the system has a source of random bytes"
    )]
    Sign(#[source] rcgen::Error),
    /// rustls does not take the new key.
    #[error("a newly made key was not accepted by the TLS library; please report this")]
    Key(#[source] rustls::Error),
}

impl Authority {
    /// Issues a certificate for a server, valid from a little before `now` for `validity`, though never longer than the
    /// authority itself: clients written in Go refuse a chain whose root has ended.
    pub fn issue(
        &self,
        names: &Names,
        validity: SignedDuration,
        now: Timestamp,
    ) -> Result<Leaf, IssueError> {
        let not_after = later(now, validity).min(self.not_after());
        if not_after <= now {
            return Err(IssueError::Expired { not_after });
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(IssueError::Sign)?;
        let mut params = params(names)?;
        set_validity(&mut params, earlier(now, CLOCK_SKEW), not_after);
        let certificate = params
            .signed_by(&key, self.issuer())
            .map_err(IssueError::Sign)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signer = any_ecdsa_type(&key).map_err(IssueError::Key)?;
        Ok(Leaf {
            key: Arc::new(CertifiedKey::new(vec![certificate.into()], signer)),
            issuer: self.certificate().clone(),
            not_after,
            renew_at: later(now, not_after.duration_since(now) * 2 / 3),
        })
    }
}

fn params(names: &Names) -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if let Some(first) = names.dns.first() {
        params.distinguished_name.push(DnType::CommonName, first);
    }
    for name in &names.dns {
        let san = name
            .as_str()
            .try_into()
            .map_err(|source| IssueError::Name {
                name: name.clone(),
                source,
            })?;
        params.subject_alt_names.push(SanType::DnsName(san));
    }
    let ips = names.ips.iter().copied().map(SanType::IpAddress);
    params.subject_alt_names.extend(ips);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

impl Leaf {
    /// The certificate and its key, as rustls wants them.
    pub fn certified_key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// When clients begin to refuse it.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// When a new one is due: with a third of its validity left.
    pub fn renew_at(&self) -> Timestamp {
        self.renew_at
    }

    /// Whether this authority issued it. After a rotation it did not, and a new leaf is due at once.
    pub fn is_issued_by(&self, authority: &Authority) -> bool {
        self.issuer == *authority.certificate()
    }
}
