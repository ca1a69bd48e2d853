//! The DNS name to use instead of localhost, where a Service fits.

use super::names::Words;
use crate::context::Context;
use crate::merge::Effective;

/// One line: what to write instead. `hint` is the name of a variable or flag, or the scheme of a URL.
pub(crate) fn service(
    hints: &[&str],
    port: Option<u16>,
    context: &Context<'_>,
    effective: &Effective<'_>,
) -> String {
    if let Some(address) = find(hints, port, context, effective) {
        return format!("use {address}");
    }
    let namespace = match context.namespace {
        "" => "NAMESPACE",
        namespace => namespace,
    };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("use the DNS name of the Service: NAME.{namespace}.svc.cluster.local{port}")
}

fn find(
    hints: &[&str],
    port: Option<u16>,
    context: &Context<'_>,
    effective: &Effective<'_>,
) -> Option<String> {
    let words: Vec<Words> = hints.iter().map(|hint| Words::of(hint)).collect();
    let speaks_of = |name: &str| {
        let name = Words::of(name);
        words.iter().any(|hint| {
            hint.iter()
                .any(|word| name.iter().any(|part| alike(part, word)))
        })
    };
    let named = effective.services.iter();
    let by_policy = named.clone().find(|(name, _)| speaks_of(name)).or_else(|| {
        let port = format!(":{}", port?);
        only(named.filter(|(_, address)| address.ends_with(&port)))
    });
    if let Some((_, address)) = by_policy {
        return Some((*address).to_owned());
    }
    let known: Vec<(&str, &[u16])> = context.services.of(context.namespace).collect();
    let serves = |ports: &[u16]| port.is_none_or(|port| ports.contains(&port));
    let both = known
        .iter()
        .find(|(name, ports)| speaks_of(name) && serves(ports));
    let by_name = || only(known.iter().filter(|(name, _)| speaks_of(name)));
    let by_port = || {
        only(
            known
                .iter()
                .filter(|(_, ports)| port.is_some() && serves(ports)),
        )
    };
    let (name, ports) = both.or_else(by_name).or_else(by_port)?;
    let port = port
        .filter(|port| ports.contains(port))
        .or(ports.first().copied());
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!(
        "{name}.{}.svc.cluster.local{port}",
        context.namespace
    ))
}

/// `postgres` and `postgresql`, `db` and `db`; short words only whole.
fn alike(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() {
        (one, other)
    } else {
        (other, one)
    };
    short == long || (short.len() >= 5 && long.starts_with(short))
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}
