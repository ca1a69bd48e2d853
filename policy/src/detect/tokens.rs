//! Formats that are credentials whatever the name says.

use crate::finding::{self, Code};

/// A token: what it begins with, how much follows at least, and of what.
struct Format {
    prefix: &'static str,
    service: &'static str,
    least: usize,
    also: &'static [u8],
}

const fn format(
    prefix: &'static str,
    service: &'static str,
    least: usize,
    also: &'static [u8],
) -> Format {
    Format {
        prefix,
        service,
        least,
        also,
    }
}

const FORMATS: &[Format] = &[
    format("AKIA", "AWS", 16, b""),
    format("ASIA", "AWS", 16, b""),
    format("ghp_", "GitHub", 36, b""),
    format("gho_", "GitHub", 36, b""),
    format("ghu_", "GitHub", 36, b""),
    format("ghs_", "GitHub", 36, b""),
    format("ghr_", "GitHub", 36, b""),
    format("github_pat_", "GitHub", 50, b"_"),
    format("glpat-", "GitLab", 20, b"-_"),
    format("xoxb-", "Slack", 20, b"-"),
    format("xoxp-", "Slack", 20, b"-"),
    format("xoxa-", "Slack", 20, b"-"),
    format("xapp-", "Slack", 20, b"-"),
    format("sk_live_", "Stripe", 16, b""),
    format("rk_live_", "Stripe", 16, b""),
    format("sk-ant-", "Anthropic", 30, b"-_"),
    format("sk-proj-", "OpenAI", 30, b"-_"),
    format("AIza", "Google", 35, b"-_"),
    format("npm_", "npm", 36, b""),
    format("hvs.", "Vault", 24, b"-_"),
    format("dop_v1_", "DigitalOcean", 60, b""),
];

const PEM: &str = "-----BEGIN ";
const PRIVATE: &str = "PRIVATE KEY";
const JWT_START: &str = "eyJ";
const JWT_PART: usize = 10;
/// `ghp_xxxxxxxx…` is how documentation writes a token.
const DISTINCT: usize = 5;

/// What every format begins with, for the search that comes before the closer look.
pub(crate) fn prefixes() -> impl Iterator<Item = &'static str> {
    FORMATS
        .iter()
        .map(|format| format.prefix)
        .chain([PEM, JWT_START])
}

/// The token that begins at the place where a prefix was found.
pub(crate) fn at(text: &str, start: usize, prefix: &str) -> Option<(&'static Code, &'static str)> {
    let rest = text.get(start..)?;
    let inside = text.as_bytes().get(..start)?.last();
    if inside.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return None;
    }
    match prefix {
        PEM => {
            let line = rest.split(['\n', '\\']).next().unwrap_or_default();
            line.contains(PRIVATE)
                .then_some((&finding::PRIVATE_KEY, "PEM"))
        }
        JWT_START => is_jwt(rest).then_some((&finding::JWT, "JWT")),
        _ => {
            let format = FORMATS.iter().find(|format| format.prefix == prefix)?;
            let body = run(rest.get(prefix.len()..)?, format.also);
            let exact = format.service != "AWS"
                || body.len() == format.least
                    && !body.bytes().any(|byte| byte.is_ascii_lowercase());
            (body.len() >= format.least && exact && is_varied(body))
                .then_some((&finding::KNOWN_TOKEN, format.service))
        }
    }
}

fn run<'t>(text: &'t str, also: &[u8]) -> &'t str {
    let mut bytes = text.bytes();
    let end = bytes.position(|byte| !byte.is_ascii_alphanumeric() && !also.contains(&byte));
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

fn is_varied(body: &str) -> bool {
    let mut bytes = body.as_bytes().to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len() >= DISTINCT
}

fn is_jwt(text: &str) -> bool {
    let token = run(text, b"-_.");
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature, ..] = parts.as_slice() else {
        return false;
    };
    claims.starts_with(JWT_START)
        && [header, claims, signature]
            .iter()
            .all(|part| part.len() >= JWT_PART)
}
