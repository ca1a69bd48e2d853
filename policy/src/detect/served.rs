//! Whether localhost is right after all: the pod serves that port itself.

use crate::context::Context;
use crate::merge::Effective;
use crate::view::{Container, Pod};

/// Ports the pod serves beside its containers' declared ones, separated by commas.
const SERVES: &str = "proctor.dev/serves";

const DEFAULT_PORTS: &[(&str, u16)] = &[
    ("http", 80),
    ("ws", 80),
    ("https", 443),
    ("wss", 443),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("pg", 5432),
    ("mysql", 3306),
    ("mariadb", 3306),
    ("redis", 6379),
    ("rediss", 6379),
    ("mongodb", 27017),
    ("mongo", 27017),
    ("nats", 4222),
    ("kafka", 9092),
    ("amqp", 5672),
    ("rabbitmq", 5672),
    ("elasticsearch", 9200),
    ("opensearch", 9200),
    ("memcached", 11211),
    ("vault", 8200),
    ("etcd", 2379),
    ("temporal", 7233),
    ("grpc", 50051),
];

/// Sidecars that others inject: what switches them on, and the ports they answer tests on.
const INJECTED: &[(&str, &str, &[u16])] = &[
    ("dapr.io/enabled", "true", &[3500, 50001]),
    ("sidecar.istio.io/inject", "true", &[15000, 15020, 15021]),
    ("istio-injection", "enabled", &[15000, 15020, 15021]),
    ("linkerd.io/inject", "enabled", &[4191]),
    ("vault.hashicorp.com/agent-inject", "true", &[8200]),
    (
        "consul.hashicorp.com/connect-inject",
        "true",
        &[8500, 20000],
    ),
];

/// The port a scheme, or a word in a name, stands for.
pub(crate) fn default_port(word: &str) -> Option<u16> {
    // `postgresql+asyncpg`, `jdbc:mysql`
    let word = word.split('+').next().unwrap_or(word);
    let known = DEFAULT_PORTS.iter().find(|(name, _)| *name == word);
    known.map(|(_, port)| *port)
}

/// Whether somebody else in the pod serves the port; of a host without a port, any port.
pub(crate) fn by_pod(
    pod: Pod<'_, '_>,
    container: Option<&Container<'_>>,
    port: Option<u16>,
    context: &Context<'_>,
    effective: &Effective<'_>,
) -> bool {
    let Some(spec) = pod.spec else {
        return false;
    };
    let others = spec
        .all_containers()
        .filter(|one| container.is_none_or(|container| one.name != container.name));
    let declared = others
        .flat_map(|one| one.ports.iter())
        .filter_map(|port| port.container_port);
    let mut declared = declared.filter_map(|port| u16::try_from(port).ok());
    let Some(port) = port else {
        return declared.next().is_some();
    };
    declared.any(|one| one == port)
        || injected(pod, context).any(|one| one == port)
        || (annotated(pod, port) && !of_policy(port, effective))
}

fn injected(pod: Pod<'_, '_>, context: &Context<'_>) -> impl Iterator<Item = u16> {
    let on = INJECTED.iter().filter(move |(key, value, _)| {
        pod.label(key) == Some(value)
            || pod.annotation(key) == Some(value)
            || context
                .namespace_labels
                .get(*key)
                .is_some_and(|is| is == value)
    });
    on.flat_map(|(_, _, ports)| ports.iter().copied())
}

fn annotated(pod: Pod<'_, '_>, port: u16) -> bool {
    let ports = pod.annotation(SERVES).unwrap_or_default();
    ports.split(',').any(|one| one.trim().parse() == Ok(port))
}

/// The port of a Service the policy names is never the pod's own.
fn of_policy(port: u16, effective: &Effective<'_>) -> bool {
    let port = format!(":{port}");
    effective
        .services
        .values()
        .any(|address| address.ends_with(&port))
}
