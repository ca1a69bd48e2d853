//! URLs and connection strings in any text.

use super::literal::is_reference;
use super::names::Words;

/// A URL in a text: `scheme://user:password@host:port`, with several hosts where it names several.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Url<'t> {
    pub(crate) scheme: &'t str,
    pub(crate) user_info: Option<&'t str>,
    hosts: &'t str,
}

/// What ends the part of a URL that names hosts.
const ENDS: &[char] = &[
    '/', '?', '#', '"', '\'', '`', '<', '>', ' ', '\t', '\n', '\r', '\\', '|', ';',
];

impl<'t> Url<'t> {
    /// All the URLs in a text.
    pub(crate) fn all(text: &'t str) -> impl Iterator<Item = Self> {
        text.match_indices("://")
            .filter_map(move |(at, separator)| {
                let scheme = text.get(..at)?;
                let start = scheme
                    .rfind(|c: char| !(c.is_ascii_alphanumeric() || "+.-".contains(c)))
                    .map_or(0, |before| before + 1);
                let scheme = scheme.get(start..).filter(|scheme| !scheme.is_empty())?;
                let rest = text.get(at + separator.len()..)?;
                let authority = authority(rest);
                let (user_info, hosts) = match authority.rsplit_once('@') {
                    Some((user_info, hosts)) => (Some(user_info), hosts),
                    None => (None, authority),
                };
                Some(Self {
                    scheme,
                    user_info,
                    hosts,
                })
            })
    }

    /// Hosts with their ports, as they are written.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (&'t str, Option<u16>)> {
        let hosts = self.hosts.trim_end_matches([')', '}', ']', '.', ',']);
        // A bracket at the end may belong to an IPv6 address.
        let hosts = if self.hosts.starts_with('[') {
            self.hosts
        } else {
            hosts
        };
        hosts.split(',').map(host_port)
    }

    /// Whether it holds a password itself.
    pub(crate) fn has_password(&self) -> bool {
        let Some((_, password)) = self.user_info.and_then(|info| info.split_once(':')) else {
            return false;
        };
        let hidden = password
            .bytes()
            .all(|byte| byte == b'*' || byte == b'x' && password.len() > 2);
        !password.is_empty() && !hidden && !is_filled_in(password)
    }
}

/// A password may hold what ends an authority; then the `@` that follows tells.
fn authority(rest: &str) -> &str {
    let end = rest.find(ENDS).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(end);
    if !head.contains('@') && head.contains(':') && tail.starts_with(['/', '#', '?']) {
        let port = head
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let word_end = tail
            .find([' ', '\t', '\n', '"', '\'', '`', ','])
            .unwrap_or(tail.len());
        let word = tail.get(..word_end).unwrap_or_default();
        // Behind a port comes a path, and a path may hold an `@`.
        if let (false, Some(at)) = (port, word.rfind('@')) {
            let after = word.get(at..).unwrap_or_default();
            let host_end = after.find(ENDS).unwrap_or(after.len());
            return rest.get(..end + at + host_end).unwrap_or(head);
        }
    }
    head
}

/// `host`, `host:port`, `[::1]:port`.
pub(crate) fn host_port(text: &str) -> (&str, Option<u16>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (
            host,
            rest.strip_prefix(':').and_then(|port| port.parse().ok()),
        );
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port.parse().ok()),
        _ => (text, None),
    }
}

fn is_filled_in(password: &str) -> bool {
    is_reference(password) || (password.starts_with('<') && password.ends_with('>'))
}

/// Whether a connection string without a scheme holds a password: `host=db password=x`, `Server=db;Pwd=x;`, `…?password=x`,
/// `user:x@tcp(db:3306)/shop`.
pub(crate) fn has_password_pair(text: &str) -> bool {
    let pairs = text.split([';', '&', '?', ' ', '\t', '\n', ',']);
    let mut known = 0;
    let mut password = false;
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            continue;
        };
        known += 1;
        let key = key.trim().trim_matches(['"', '\'']);
        let value = value.trim_matches(['"', '\'']);
        let named = Words::of(key).credential().is_some() && key.len() < 32;
        password |=
            named && super::literal::is_credential(&Words::of(key), value) && !is_filled_in(value);
    }
    // One pair alone is an assignment, which is judged by its name elsewhere.
    let driver = ["@tcp(", "@unix("]
        .iter()
        .find_map(|driver| text.split_once(driver));
    let by_driver = driver.is_some_and(|(user_info, _)| {
        let pair = user_info.split_once(':');
        pair.is_some_and(|(_, password)| !password.is_empty() && !is_filled_in(password))
    });
    (password && (known > 1 || text.contains("://") || text.contains('?'))) || by_driver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read_from_urls() {
        let hosts = |text| {
            Url::all(text)
                .flat_map(|url| url.hosts().collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            hosts("http://localhost:8080/x"),
            [("localhost", Some(8080))]
        );
        assert_eq!(
            hosts("jdbc:postgresql://u:p@[::1]:5432/db"),
            [("::1", Some(5432))]
        );
        assert_eq!(
            hosts("see http://a/ and ws://b"),
            [("a", None), ("b", None)]
        );
        assert_eq!(
            hosts("mongodb://u:p@a:1,b:2/db"),
            [("a", Some(1)), ("b", Some(2))]
        );
        assert_eq!(hosts("f('http://localhost')"), [("localhost", None)]);
    }

    #[test]
    fn passwords_are_found_in_urls_and_connection_strings() {
        for text in [
            "postgresql://app:x@db:5432/shop",
            "redis://:x@cache",
            "amqp://guest:guest@mq//vhost",
            "postgres://app:pa/ss@db/shop",
            "postgres://app:p@ss@db/shop",
        ] {
            assert!(Url::all(text).any(|url| url.has_password()), "{text}");
        }
        for text in [
            "host=db user=app password=x",
            "Server=db;Database=shop;Pwd=x;",
            "jdbc:postgresql://db/shop?user=app&password=x",
            "app:x@tcp(db:3306)/shop",
        ] {
            assert!(has_password_pair(text), "{text}");
        }
    }

    #[test]
    fn references_and_plain_urls_hold_none() {
        for text in [
            "postgresql://app:$(DB_PASSWORD)@db/shop",
            "postgresql://app:${DB_PASSWORD}@db/shop",
            "postgresql://app@db/shop",
            "https://git@github.com/shop/shop.git",
            "http://db:5432/users/me@example.com",
            "host=db user=app password=$(DB_PASSWORD)",
            "postgresql://app:{{DB_PASSWORD}}@db/shop",
        ] {
            assert!(!Url::all(text).any(|url| url.has_password()), "{text}");
            assert!(!has_password_pair(text), "{text}");
        }
    }
}
