//! A certificate authority: a self-signed certificate and its key.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// How far back a certificate's validity begins, so that a peer whose clock is slow accepts it.
pub(crate) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A certificate authority: a self-signed certificate and its key.
///
/// ```
/// use jiff::{SignedDuration, Timestamp};
/// use proctor_certs::Authority;
///
/// let authority = Authority::create("proctor-webhook-ca", SignedDuration::from_hours(24 * 365), Timestamp::now())?;
/// let kept = Authority::from_pem(authority.certificate_pem(), &authority.key_pem())?;
/// assert_eq!(kept.certificate(), authority.certificate());
/// # Ok::<(), proctor_certs::AuthorityError>(())
/// ```
pub struct Authority {
    name: String,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
    not_after: Timestamp,
}

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The certificate or its key could not be made.
    #[error(
        "the authority {name} could not be created; check that its name is plain text and that the system has a source of random bytes"
    )]
    Create {
        /// The common name.
        name: String,
        /// What rcgen says.
        #[source]
        source: rcgen::Error,
    },
    /// The PEM text holds no certificate.
    #[error(
        "the authority's certificate is not PEM text with a `CERTIFICATE` block; restore it, or delete it to have a new one made"
    )]
    CertificatePem(#[source] rustls::pki_types::pem::Error),
    /// The block is not an X.509 certificate that can issue others.
    #[error(
        "the authority's certificate cannot be used: {0}; restore it, or delete it to have a new one made"
    )]
    Certificate(String),
    /// The PEM text holds no usable private key.
    #[error(
        "the authority's key is not PEM text with a PKCS#8 ECDSA P-256 key; restore it, or delete the authority to have a new one made"
    )]
    Key(#[source] rcgen::Error),
    /// Certificate and key are from two authorities.
    #[error(
        "the authority's key does not belong to its certificate; restore the pair, or delete both to have new ones made"
    )]
    Mismatch,
}

impl Authority {
    /// Creates an authority whose certificate is valid from a little before `now` for `validity`.
    pub fn create(
        name: &str,
        validity: SignedDuration,
        now: Timestamp,
    ) -> Result<Self, AuthorityError> {
        let failed = |source| AuthorityError::Create {
            name: name.to_owned(),
            source,
        };
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, earlier(now, CLOCK_SKEW), later(now, validity));
        let certificate = params.self_signed(&key).map_err(failed)?;
        Self::from_parts(certificate.der().clone(), certificate.pem(), key)
    }

    /// Reads an authority that was kept as two PEM texts.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, AuthorityError> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(AuthorityError::CertificatePem)?;
        let key = KeyPair::from_pem_and_sign_algo(key, &PKCS_ECDSA_P256_SHA256)
            .map_err(AuthorityError::Key)?;
        Self::from_parts(der, certificate.to_owned(), key)
    }

    fn from_parts(
        certificate: CertificateDer<'static>,
        certificate_pem: String,
        key: KeyPair,
    ) -> Result<Self, AuthorityError> {
        let unusable = |why: &str| AuthorityError::Certificate(why.to_owned());
        let (_, x509) = x509_parser::parse_x509_certificate(&certificate)
            .map_err(|error| unusable(&error.to_string()))?;
        if !x509.is_ca() {
            return Err(unusable("it is not that of an authority (CA:TRUE)"));
        }
        if x509.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(AuthorityError::Mismatch);
        }
        let name = x509.subject().iter_common_name().next();
        let name = name
            .and_then(|name| name.as_str().ok())
            .ok_or_else(|| unusable("its subject has no common name"))?
            .to_owned();
        let not_after = Timestamp::from_second(x509.validity().not_after.timestamp())
            .map_err(|error| unusable(&error.to_string()))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|error| unusable(&error.to_string()))?;
        Ok(Self {
            name,
            certificate,
            certificate_pem,
            issuer,
            not_after,
        })
    }

    /// The common name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The certificate, which clients trust.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate as PEM text.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The private key as PEM text (PKCS#8), to be kept as a secret.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// When the certificate, and with it every leaf, stops being valid.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Authority")
            .field("name", &self.name)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// Sets the validity, in whole seconds as certificates have it.
pub(crate) fn set_validity(params: &mut CertificateParams, from: Timestamp, until: Timestamp) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since_epoch =
        |instant: Timestamp| Duration::from_secs(instant.as_second().try_into().unwrap_or(0));
    params.not_before = epoch + since_epoch(from);
    params.not_after = epoch + since_epoch(until);
}

/// `instant + duration`, or the last instant there is.
pub(crate) fn later(instant: Timestamp, duration: SignedDuration) -> Timestamp {
    instant.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// `instant - duration`, or the first instant there is.
pub(crate) fn earlier(instant: Timestamp, duration: SignedDuration) -> Timestamp {
    instant.checked_sub(duration).unwrap_or(Timestamp::MIN)
}
