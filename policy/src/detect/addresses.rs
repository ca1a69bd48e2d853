//! Addresses of the pod itself in any text: in URLs, connection strings and `host=` pairs.

use super::loopback::{is_loopback, is_unspecified};
use super::served::default_port;
use super::url::{Url, host_port};

/// A target that is the pod itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    pub(crate) port: Option<u16>,
    /// The scheme, the flag or the program: what kind of service is meant.
    pub(crate) hint: String,
}

const SCHEMES_WITHOUT_HOST: &[&str] = &["file", "unix", "data", "http+unix", "sqlite"];

/// URLs, `…@host` and `host=` pairs anywhere in a text.
pub(crate) fn in_text(text: &str) -> Vec<Target> {
    let mut targets = Vec::new();
    for url in Url::all(text) {
        if SCHEMES_WITHOUT_HOST.contains(&url.scheme) {
            continue;
        }
        for (host, port) in url.hosts() {
            if is_loopback(host) || is_unspecified(host) {
                targets.push(Target {
                    port: port.or_else(|| default_port(url.scheme)),
                    hint: url.scheme.to_owned(),
                });
            }
        }
    }
    for (at, opening) in ["@tcp(", "@"]
        .iter()
        .filter_map(|opening| Some((text.find(opening)?, opening)))
    {
        let rest = text.get(at + opening.len()..).unwrap_or_default();
        let host = rest
            .split(['/', ')', '?', ' ', ',', '"', '\''])
            .next()
            .unwrap_or_default();
        let (host, port) = host_port(host);
        // A mail address has neither a password nor a port.
        let before = text.get(..at).unwrap_or_default();
        let connects = port.is_some() || before.contains(':');
        if connects && targets.is_empty() && !text.contains("://") && is_loopback(host) {
            targets.push(Target {
                port,
                hint: String::new(),
            });
        }
    }
    for pair in text.split([';', ' ', '&', '?']) {
        let Some((key, value)) = pair.split_once('=') else {
            continue;
        };
        let key = key.trim().to_ascii_lowercase();
        let (host, port) = host_port(value.trim_start_matches("tcp:"));
        let (host, port) = match host.split_once(',') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (host, port),
        };
        if matches!(key.as_str(), "host" | "server" | "source" | "hostaddr") && is_loopback(host) {
            let sibling = text
                .split([';', ' '])
                .find_map(|pair| pair.trim().strip_prefix("port=")?.parse().ok());
            targets.push(Target {
                port: port.or(sibling),
                hint: String::new(),
            });
        }
    }
    targets
}
