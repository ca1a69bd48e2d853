//! Which certificate a TLS server shows, replaceable while it serves.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::Leaf;

/// Shows the leaf it holds now to every new connection; connections that stand are not touched by a replacement.
///
/// An expired leaf is still shown: the client then says "certificate expired", which tells people more than a handshake that fails
/// without a reason. [`Resolver::not_after`] is there for a metric and for a server's readiness.
#[derive(Debug)]
pub struct Resolver {
    leaf: ArcSwap<Leaf>,
}

impl Resolver {
    /// A resolver that shows this leaf.
    pub fn new(leaf: Leaf) -> Arc<Self> {
        Arc::new(Self {
            leaf: ArcSwap::from_pointee(leaf),
        })
    }

    /// Shows this leaf from the next connection on.
    pub fn replace(&self, leaf: Leaf) {
        self.leaf.store(Arc::new(leaf));
    }

    /// The leaf that is shown.
    pub fn leaf(&self) -> Arc<Leaf> {
        self.leaf.load_full()
    }

    /// When clients begin to refuse the leaf that is shown.
    pub fn not_after(&self) -> Timestamp {
        self.leaf.load().not_after()
    }

    /// Whether clients refuse the leaf by the clock on the wall. Timers do not tell: they stand still while a machine sleeps.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.not_after() <= now
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.leaf.load().certified_key()))
    }
}

/// The crypto provider of the house, ring, to be passed to [`server_config`] and installed by every main.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// How a server of ours speaks TLS: version 1.3 only, the resolver's leaf, the given protocols (ALPN, the preferred first).
///
/// Sessions are not resumed: a resumed session skips the verification of the certificate, and the clients of these servers keep
/// their connections open anyway.
///
/// The error is the provider's, where it cannot do TLS 1.3.
pub fn server_config(
    resolver: Arc<Resolver>,
    provider: Arc<CryptoProvider>,
    protocols: &[&str],
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
