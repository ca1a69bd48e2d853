//! A client of one server that is verified by its own authority and nothing else.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use super::DemoError;

/// How long a server on this machine may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client of one server.
pub(super) struct Client {
    agent: Agent,
    origin: String,
}

impl Client {
    /// `address` is `host:port`, `authority` the PEM of the server's authority.
    pub(super) fn new(address: &str, authority: &str) -> Result<Self, DemoError> {
        let certificate = Certificate::from_pem(authority.as_bytes())
            .map_err(|source| DemoError::answer("the authority", source))?;
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::Specific(Arc::new(vec![certificate])))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(TIMEOUT))
            .build()
            .new_agent();
        Ok(Self {
            agent,
            origin: format!("https://{address}"),
        })
    }

    /// Sends JSON and reads JSON.
    pub(super) fn post(&self, path: &'static str, body: &Value) -> Result<Value, DemoError> {
        let mut response = self
            .agent
            .post(format!("{}{path}", self.origin))
            .send_json(body)
            .map_err(|source| DemoError::answer(path, source))?;
        response
            .body_mut()
            .read_json()
            .map_err(|source| DemoError::answer(path, source))
    }
}
