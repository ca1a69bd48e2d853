//! Requests and limits of the test containers: given where absent, lowered where too large.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::edit::{At, Edit};
use crate::merge::Effective;
use crate::quantity::Amount;
use crate::view::Container;

pub(super) fn supply(
    container: &Container<'_>,
    at: &At,
    effective: &Effective<'_>,
    edit: &mut Edit,
) {
    let policy = &effective.resources;
    let known = container.resources.as_ref();
    let requested = |name: &str| {
        known
            .and_then(|known| known.requests.get(name))
            .map(|one| &**one)
    };
    let limited = |name: &str| {
        known
            .and_then(|known| known.limits.get(name))
            .map(|one| &**one)
    };

    let names: BTreeSet<&String> = [&policy.requests, &policy.limits, &policy.max]
        .into_iter()
        .flat_map(BTreeMap::keys)
        .collect();
    let mut requests = Vec::new();
    let mut limits = Vec::new();
    for name in names {
        let text = |map: &'_ BTreeMap<String, _>| map.get(name).map(quantity);
        let max = text(&policy.max);
        // A limit below the request would be refused.
        let limit = limited(name)
            .map(str::to_owned)
            .or_else(|| Some(larger(text(&policy.limits)?, requested(name))))
            .map(|limit| smaller(limit, max.as_deref()));
        let request = requested(name)
            .map(str::to_owned)
            .or_else(|| text(&policy.requests))
            .map(|request| smaller(request, limit.as_deref().or(max.as_deref())));
        for (kind, is, becomes, list) in [
            ("request", requested(name), request, &mut requests),
            ("limit", limited(name), limit, &mut limits),
        ] {
            let Some(becomes) = becomes.filter(|becomes| is != Some(becomes)) else {
                continue;
            };
            let container = &*container.name;
            edit.changed(match is {
                Some(is) => format!("{container}: {name} {kind} lowered from {is} to {becomes}"),
                None => format!("{container}: {name} {kind} {becomes}"),
            });
            list.push((name.clone(), Value::from(becomes)));
        }
    }
    let at = at.field("resources");
    if let Some(known) = known {
        edit.entries(&at.field("requests"), known.requests.is_present(), requests);
        edit.entries(&at.field("limits"), known.limits.is_present(), limits);
    } else {
        let maps = [("requests", requests), ("limits", limits)];
        let maps = maps.into_iter().filter(|(_, entries)| !entries.is_empty());
        let maps = maps.map(|(field, entries)| {
            (
                field.to_owned(),
                json!(entries.into_iter().collect::<Map<_, _>>()),
            )
        });
        edit.entries(&at, false, maps.collect());
    }
}

fn quantity(value: &k8s_openapi::apimachinery::pkg::api::resource::Quantity) -> String {
    value.0.clone()
}

/// The smaller one. What is no quantity is left for the API server to refuse.
fn smaller(value: String, cap: Option<&str>) -> String {
    match (Amount::parse(&value), cap.and_then(Amount::parse), cap) {
        (Some(is), Some(most), Some(cap)) if most < is => cap.to_owned(),
        _ => value,
    }
}

fn larger(value: String, floor: Option<&str>) -> String {
    match (Amount::parse(&value), floor.and_then(Amount::parse), floor) {
        (Some(is), Some(least), Some(floor)) if least > is => floor.to_owned(),
        _ => value,
    }
}
