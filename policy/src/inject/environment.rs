//! Environment of the test containers. What a container sets itself is left alone.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::EnvFromSource;
use serde_json::{Value, json};

use super::edit::{At, Edit};
use crate::merge::Effective;
use crate::view::{Container, Named};

/// Ours go before the container's own: of two sources the later one wins, and the container's own may refer to ours by `$(NAME)`.
pub(super) fn supply(
    container: &Container<'_>,
    instruments: Vec<(String, String)>,
    at: &At,
    effective: &Effective<'_>,
    edit: &mut Edit,
) {
    let mut names: BTreeSet<String> = container
        .env
        .iter()
        .map(|var| var.name.to_string())
        .collect();
    let mut vars = Vec::new();
    for var in &effective.env {
        if names.insert(var.name.clone()) {
            vars.push((var.name.clone(), json!(var)));
        }
    }
    let services = effective.services.iter();
    let services = services.flat_map(|(name, address)| service_env(name, address));
    for (name, value) in services.chain(instruments) {
        if names.insert(name.clone()) {
            vars.push((name.clone(), json!({ "name": name, "value": value })));
        }
    }
    let sources: Vec<(&str, Value)> = effective
        .env_from
        .iter()
        .filter(|source| !has_source(container, source))
        .map(|source| (source_name(source), json!(source)))
        .collect();

    let container_name = &*container.name;
    if !vars.is_empty() {
        let list: Vec<&str> = vars.iter().map(|(name, _)| name.as_str()).collect();
        edit.changed(format!("{container_name}: environment {}", list.join(", ")));
    }
    if !sources.is_empty() {
        let list: Vec<&str> = sources.iter().map(|(name, _)| *name).collect();
        edit.changed(format!(
            "{container_name}: environment from {}",
            list.join(", ")
        ));
    }
    let (vars, sources) = (values(vars), values(sources));
    edit.insert(&at.field("env"), container.env.is_present(), 0, vars);
    edit.insert(
        &at.field("envFrom"),
        container.env_from.is_present(),
        0,
        sources,
    );
}

fn values<N>(named: Vec<(N, Value)>) -> Vec<Value> {
    named.into_iter().map(|(_, value)| value).collect()
}

/// `postgres: db-rw.shop.svc:5432` gives `POSTGRES_HOST` and `POSTGRES_PORT`.
fn service_env(name: &str, address: &str) -> Vec<(String, String)> {
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (address, None),
    };
    let mut vars = vec![(format!("{name}_HOST"), host.to_owned())];
    vars.extend(port.map(|port| (format!("{name}_PORT"), port.to_owned())));
    vars
}

fn has_source(container: &Container<'_>, source: &EnvFromSource) -> bool {
    let name = |known: &Option<Named<'_>>| known.as_ref().map(|known| known.name.to_string());
    container.env_from.iter().any(|known| {
        *known.prefix == *source.prefix.as_deref().unwrap_or_default()
            && name(&known.secret_ref) == source.secret_ref.as_ref().map(|one| one.name.clone())
            && name(&known.config_map_ref)
                == source.config_map_ref.as_ref().map(|one| one.name.clone())
    })
}

fn source_name(source: &EnvFromSource) -> &str {
    let secret = source.secret_ref.as_ref().map(|one| one.name.as_str());
    let config_map = || source.config_map_ref.as_ref().map(|one| one.name.as_str());
    secret.or_else(config_map).unwrap_or_default()
}
