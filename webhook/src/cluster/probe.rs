//! The server's call to itself, as the API server calls it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use proctor_certs::{Bundle, provider};
use rustls::ClientConfig;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("{name} is not a DNS name; check --service-name and --namespace")]
    Name {
        name: String,
        #[source]
        source: InvalidDnsNameError,
    },
    #[error("TLS 1.3 is not available in this build")]
    Tls(#[source] rustls::Error),
    #[error(
        "a call to the own port {address} under the name {name} does not verify against the configuration's caBundle"
    )]
    Call {
        address: SocketAddr,
        name: String,
        #[source]
        source: io::Error,
    },
}

/// Calls the port that listens on `address` by the Service's name, and verifies it against the bundle.
pub(crate) async fn probe(
    address: SocketAddr,
    name: &str,
    bundle: &Bundle,
) -> Result<(), ProbeError> {
    let server = ServerName::try_from(name.to_owned()).map_err(|source| ProbeError::Name {
        name: name.to_owned(),
        source,
    })?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(ProbeError::Tls)?
        .with_root_certificates(bundle.roots())
        .with_no_client_auth();
    let address = reachable(address);
    let call = async {
        let stream = TcpStream::connect(address).await?;
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(server, stream).await
    };
    let called = tokio::time::timeout(PATIENCE, call)
        .await
        .unwrap_or_else(|late| Err(late.into()));
    called.map(drop).map_err(|source| ProbeError::Call {
        address,
        name: name.to_owned(),
        source,
    })
}

/// An unspecified address is one to listen on, not one to call.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
