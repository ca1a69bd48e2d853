//! The collector as seen from a pod: the upload protocol of `docs/data-flow.md`.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::crypto::{CryptoProvider, ring};
use serde::Deserialize;
use thiserror::Error;
use ureq::http::{HeaderMap, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body, RequestBuilder};

use super::ReportOptions;
use super::stream::StreamId;

/// A connection that is not there by then is as good as none.
const CONNECT: Duration = Duration::from_secs(5);

/// Of a session's answer: its id and the run's name.
const MAX_ANSWER_BYTES: u64 = 16 * 1024;

/// A projected token is about 1 KiB.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

const UPLOAD_OFFSET: &str = "Upload-Offset";
const UPLOAD_COMPLETE: &str = "Upload-Complete";
const PROCTOR_PATH: &str = "Proctor-Path";

/// Left as they are in `Proctor-Path`.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');

/// Why there is no collector to talk to.
#[derive(Debug, Error)]
pub(super) enum ConfigError {
    #[error("No collector is configured: set PROCTOR_COLLECTOR_URL or --collector-url.")]
    NoUrl,
    #[error("The collector's URL {0:?} is not https.")]
    NotHttps(String),
    #[error(
        "No authority for the collector is configured: set PROCTOR_COLLECTOR_CA or --collector-ca-file."
    )]
    NoAuthority,
    #[error("The file {path} with the collector's authority could not be read.")]
    Authority { path: PathBuf, source: io::Error },
    #[error("The collector's authority holds no certificate in PEM form.")]
    NoCertificate,
}

/// Why a request did not do what it should.
#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error("The token in {path} could not be read.")]
    Token { path: PathBuf, source: io::Error },
    #[error(
        "The collector does not take the pod's token: it is expired, of another audience, or of another cluster."
    )]
    TokenRefused,
    #[error("The collector knows no session of this reporter.")]
    Unauthorized,
    #[error("The collector already has {0} bytes of it.")]
    Moved(u64),
    /// For good: 413 where a limit is reached.
    #[error("The collector refuses it (status {0}).")]
    Refused(u16),
    #[error("The collector cannot take it at the moment (status {status}).")]
    Away {
        status: u16,
        retry_after: Option<Duration>,
    },
    #[error("The collector's answer makes no sense: {0}.")]
    Nonsense(&'static str),
    #[error("The collector was not reached.")]
    NotReached(#[source] Box<ureq::Error>),
}

impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Self {
        Self::NotReached(Box::new(error))
    }
}

/// A right to upload. Never shown.
pub(super) struct Session(String);

/// What the collector has of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) offset: u64,
    pub(super) is_complete: bool,
}

/// A piece of a stream.
pub(super) struct Piece<'a> {
    pub(super) offset: u64,
    pub(super) is_last: bool,
    /// Of a gathered file.
    pub(super) path: Option<&'a str>,
    pub(super) bytes: &'a [u8],
}

#[derive(Deserialize)]
struct SessionAnswer {
    session: String,
}

/// The one the pod was told of.
pub(super) struct Collector {
    agent: Agent,
    url: String,
    token_file: PathBuf,
}

impl Collector {
    pub(super) fn new(options: &ReportOptions) -> Result<Self, ConfigError> {
        let url = options
            .collector_url
            .as_deref()
            .filter(|url| !url.is_empty())
            .ok_or(ConfigError::NoUrl)?;
        if !url.starts_with("https://") {
            return Err(ConfigError::NotHttps(url.to_owned()));
        }
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(tls13()))
            .root_certs(RootCerts::new_with_certs(&authority(options)?))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            // The pod's proxy is for the tests; the collector is inside the cluster.
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("proctor-sidecar/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self {
            agent,
            url: url.trim_end_matches('/').to_owned(),
            token_file: options.token_file.clone(),
        })
    }

    /// Shows the token, which is read anew because the kubelet replaces it.
    pub(super) fn session(&self, timeout: Duration) -> Result<Session, Failure> {
        let token = self.token().map_err(|source| Failure::Token {
            path: self.token_file.clone(),
            source,
        })?;
        let request = self.agent.post(format!("{}/v1/session", self.url));
        let mut answer = authorized(request, token.trim(), timeout).send_empty()?;
        check(&answer).map_err(|failure| match failure {
            Failure::Unauthorized => Failure::TokenRefused,
            other => other,
        })?;
        let answer: SessionAnswer = answer
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER_BYTES)
            .read_json()?;
        Ok(Session(answer.session))
    }

    fn token(&self) -> io::Result<String> {
        use std::io::Read as _;
        let mut token = String::new();
        fs::File::open(&self.token_file)?
            .take(MAX_TOKEN_BYTES)
            .read_to_string(&mut token)?;
        Ok(token)
    }

    /// Asks what it has.
    pub(super) fn progress(
        &self,
        session: &Session,
        stream: &StreamId,
        timeout: Duration,
    ) -> Result<Progress, Failure> {
        let request = self.agent.head(self.stream_url(stream));
        let answer = authorized(request, &session.0, timeout).call()?;
        check(&answer)?;
        let headers = answer.headers();
        let offset = offset(headers).ok_or(Failure::Nonsense("no Upload-Offset"))?;
        let is_complete = headers
            .get(UPLOAD_COMPLETE)
            .is_some_and(|value| value == "?1");
        Ok(Progress {
            offset,
            is_complete,
        })
    }

    /// Sends a piece and returns the new offset.
    pub(super) fn append(
        &self,
        session: &Session,
        stream: &StreamId,
        piece: &Piece<'_>,
        timeout: Duration,
    ) -> Result<u64, Failure> {
        let mut request = self
            .agent
            .patch(self.stream_url(stream))
            .header(UPLOAD_OFFSET, piece.offset.to_string())
            .header(UPLOAD_COMPLETE, if piece.is_last { "?1" } else { "?0" })
            .content_type("application/partial-upload");
        if let (Some(path), 0) = (piece.path, piece.offset) {
            request = request.header(PROCTOR_PATH, utf8_percent_encode(path, PATH).to_string());
        }
        let answer = authorized(request, &session.0, timeout).send(piece.bytes)?;
        check(&answer)?;
        offset(answer.headers()).ok_or(Failure::Nonsense("no Upload-Offset"))
    }

    /// Says that nothing more comes.
    pub(super) fn done(
        &self,
        session: &Session,
        left_behind_bytes: u64,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let request = self.agent.post(format!("{}/v1/done", self.url));
        let answer = authorized(request, &session.0, timeout)
            .send_json(serde_json::json!({ "left_behind_bytes": left_behind_bytes }))?;
        check(&answer)
    }

    fn stream_url(&self, stream: &StreamId) -> String {
        format!("{}/v1/streams/{stream}", self.url)
    }
}

fn authorized<B>(request: RequestBuilder<B>, secret: &str, timeout: Duration) -> RequestBuilder<B> {
    request
        .header("Authorization", format!("Bearer {secret}"))
        .config()
        .timeout_global(Some(timeout))
        .build()
}

fn check(answer: &Response<Body>) -> Result<(), Failure> {
    match answer.status().as_u16() {
        200..=299 => Ok(()),
        401 => Err(Failure::Unauthorized),
        409 => Err(offset(answer.headers()).map_or(
            Failure::Nonsense("409 without Upload-Offset"),
            Failure::Moved,
        )),
        // Other than these, what the reporter sends is at fault, and it would send the same again.
        status @ 400..=499 if ![403, 408, 425, 429].contains(&status) => {
            Err(Failure::Refused(status))
        }
        status => {
            let seconds = answer
                .headers()
                .get("Retry-After")
                .and_then(|value| value.to_str().ok()?.parse().ok());
            Err(Failure::Away {
                status,
                retry_after: seconds.map(Duration::from_secs),
            })
        }
    }
}

fn offset(headers: &HeaderMap) -> Option<u64> {
    headers.get(UPLOAD_OFFSET)?.to_str().ok()?.parse().ok()
}

/// Without the suites of TLS 1.2, which leaves 1.3.
fn tls13() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.tls13().is_some());
    provider
}

fn authority(options: &ReportOptions) -> Result<Vec<Certificate<'static>>, ConfigError> {
    let pem = match (&options.collector_ca_file, &options.collector_ca) {
        (Some(path), _) => fs::read(path).map_err(|source| ConfigError::Authority {
            path: path.clone(),
            source,
        })?,
        (None, Some(pem)) => pem.clone().into_bytes(),
        (None, None) => return Err(ConfigError::NoAuthority),
    };
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        Err(ConfigError::NoCertificate)
    } else {
        Ok(certificates)
    }
}
