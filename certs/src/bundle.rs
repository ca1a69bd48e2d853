//! The authorities that a client trusts.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The authorities that a client trusts: the one that signs now, and during a rotation the one before and the one after it.
///
/// A bundle is never empty, so that nobody can publish one that trusts nobody.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bundle {
    current: CertificateDer<'static>,
    others: Vec<CertificateDer<'static>>,
}

/// Why a text is not a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There is nothing to trust in it.
    #[error(
        "the bundle holds no certificate: it must be PEM text with at least one `CERTIFICATE` block"
    )]
    Empty,
    /// It is not PEM.
    #[error(
        "certificate {position} of the bundle is not well-formed PEM text; publish the bundle again"
    )]
    Pem {
        /// Which, counted from 1.
        position: usize,
        /// What the reader says.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// It is not a certificate.
    #[error(
        "certificate {position} of the bundle is not an X.509 certificate; publish the bundle again"
    )]
    Certificate {
        /// Which, counted from 1.
        position: usize,
        /// What the reader says.
        #[source]
        source: rustls::Error,
    },
}

impl Bundle {
    /// The bundle of one authority's certificate and those trusted besides it.
    pub fn new(
        current: CertificateDer<'static>,
        others: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Self {
        Self {
            current,
            others: others.into_iter().collect(),
        }
    }

    /// Reads PEM text with one or more certificates.
    pub fn from_pem(text: &str) -> Result<Self, BundleError> {
        let mut certificates = Vec::new();
        for (index, parsed) in CertificateDer::pem_slice_iter(text.as_bytes()).enumerate() {
            let position = index + 1;
            let der = parsed.map_err(|source| BundleError::Pem { position, source })?;
            RootCertStore::empty()
                .add(der.clone())
                .map_err(|source| BundleError::Certificate { position, source })?;
            certificates.push(der);
        }
        let mut certificates = certificates.into_iter();
        let current = certificates.next().ok_or(BundleError::Empty)?;
        Ok(Self::new(current, certificates))
    }

    /// The certificates, the current one first.
    pub fn certificates(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        std::iter::once(&self.current).chain(&self.others)
    }

    /// The bundle as PEM text.
    pub fn to_pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        self.certificates()
            .map(|der| pem::encode_config(&pem::Pem::new("CERTIFICATE", der.to_vec()), config))
            .collect()
    }

    /// The bundle as what a rustls client verifies against.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.certificates().cloned());
        roots
    }
}
