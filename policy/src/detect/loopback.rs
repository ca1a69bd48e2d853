//! Whether a host is the pod itself, in every spelling of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const NAMES: &[&str] = &[
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost6",
    "ip6-localhost",
    "ip6-loopback",
    "loopback",
    "lvh.me",
    "localtest.me",
    "vcap.me",
    "lacolhost.com",
];
const SUFFIXES: &[&str] = &[".localhost", ".lvh.me", ".localtest.me", ".vcap.me"];
/// Services that resolve `127.0.0.1.nip.io` to the address in the name.
const WILDCARD_DNS: &[&str] = &[".nip.io", ".sslip.io", ".xip.io"];

/// The machine a container runs on, under the names that developers' tools give it.
pub(crate) const HOST_MACHINES: &[&str] = &[
    "host.docker.internal",
    "gateway.docker.internal",
    "kubernetes.docker.internal",
    "docker.for.mac.localhost",
    "docker.for.win.localhost",
    "docker.for.mac.host.internal",
    "host.minikube.internal",
    "host.k3d.internal",
    "host.containers.internal",
    "host.lima.internal",
    "host.rancher-desktop.internal",
    "host.orb.internal",
    "host.k3s.internal",
];

/// Whether the host is a loopback name or address.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = tidy(host);
    if HOST_MACHINES.contains(&host.as_str()) {
        return false;
    }
    if NAMES.contains(&host.as_str()) || SUFFIXES.iter().any(|suffix| host.ends_with(suffix)) {
        return true;
    }
    for suffix in WILDCARD_DNS {
        if let Some(rest) = host.strip_suffix(suffix) {
            let dotted = rest.replace('-', ".");
            let tail = dotted.rsplitn(5, '.').take(4).collect::<Vec<_>>();
            let address = tail.into_iter().rev().collect::<Vec<_>>().join(".");
            return address
                .parse::<Ipv4Addr>()
                .is_ok_and(|address| address.is_loopback());
        }
    }
    address(&host).is_some_and(|address| match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => is_loopback_v6(address),
    })
}

/// Whether the host is the unspecified address, which a client takes for itself.
pub(crate) fn is_unspecified(host: &str) -> bool {
    address(&tidy(host)).is_some_and(|address| address.is_unspecified())
}

fn tidy(host: &str) -> String {
    let host = host.trim().trim_start_matches('[').trim_end_matches(']');
    let host = host.split_once('%').map_or(host, |(host, _)| host);
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn is_loopback_v6(address: Ipv6Addr) -> bool {
    let v4 = address
        .to_ipv4_mapped()
        .or_else(|| match address.segments() {
            // The deprecated IPv4-compatible form; ::1 itself is not one.
            [0, 0, 0, 0, 0, 0, high, _] if high != 0 => address.to_ipv4(),
            _ => None,
        });
    address.is_loopback() || v4.is_some_and(|address| address.is_loopback())
}

fn address(host: &str) -> Option<IpAddr> {
    let v6 = || host.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    legacy_v4(host).map(IpAddr::V4).or_else(v6)
}

/// An IPv4 address as `inet_aton` reads it: one to four parts, each decimal, octal or hexadecimal.
fn legacy_v4(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = host.split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    let numbers = parts
        .iter()
        .map(|part| number(part))
        .collect::<Option<Vec<u32>>>()?;
    let (last, leading) = numbers.split_last()?;
    let mut bits: u32 = 0;
    for (index, byte) in leading.iter().enumerate() {
        let byte = u8::try_from(*byte).ok()?;
        bits |= u32::from(byte) << (24 - 8 * u32::try_from(index).ok()?);
    }
    let room = 32 - 8 * u32::try_from(leading.len()).ok()?;
    let fits = room == 32 || *last < (1_u32 << room);
    fits.then(|| Ipv4Addr::from_bits(bits | last))
}

fn number(part: &str) -> Option<u32> {
    let (digits, radix) = match part.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None if part.len() > 1 && part.starts_with('0') => (part, 8),
        None => (part, 10),
    };
    // `from_str_radix` takes a sign, an address has none.
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| u32::from_str_radix(digits, radix).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_itself_is_known_in_every_spelling() {
        for host in [
            "localhost",
            "LocalHost",
            "localhost.",
            "app.localhost",
            "127.0.0.1",
            "127.1",
            "127.8.9.10",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "::1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "::ffff:7f00:1",
            "0:0:0:0:0:0:0:1",
            "127.0.0.1.nip.io",
            "app.127-0-0-1.sslip.io",
            "ip6-localhost",
            "::1%lo",
        ] {
            assert!(is_loopback(host), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_not_the_pod_itself() {
        for host in [
            "",
            "localhost-proxy",
            "mylocalhost",
            "postgres",
            "10.0.0.1",
            "128.0.0.1",
            "127",
            "1",
            "127.0.0.0.1",
            "fe80::1",
            "10.0.0.1.nip.io",
            "localhost.example.com",
            "0.0.0.0",
            "::",
            "host.docker.internal",
            "127.0.0.256",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
        assert!(is_unspecified("0.0.0.0") && is_unspecified("[::]"));
    }
}
