//! Name resolution of the pod.

use proctor_api::DnsPolicy;
use serde_json::{Value, json};

use super::edit::{At, Edit};
use crate::merge::Effective;
use crate::view::PodSpec;

const DEFAULT_POLICY: &str = "ClusterFirst";
const NDOTS: &str = "ndots";

pub(super) fn supply(spec: &PodSpec<'_>, at: &At, effective: &Effective<'_>, edit: &mut Edit) {
    let dns = &effective.dns;
    let is = &*spec.dns_policy;
    if let Some(policy) = dns.policy.map(name)
        && (is.is_empty() || is == DEFAULT_POLICY)
        && policy != is
    {
        edit.add(at.field("dnsPolicy"), policy);
        edit.changed(format!("dnsPolicy: {policy}"));
    }
    let config = spec.dns_config.as_ref();
    let has_search = |name: &String| {
        config.is_some_and(|config| config.searches.iter().any(|one| **one == **name))
    };
    let searches: Vec<&String> = dns
        .searches
        .iter()
        .filter(|name| !has_search(name))
        .collect();
    let has_ndots =
        config.is_some_and(|config| config.options.iter().any(|one| &*one.name == NDOTS));
    let ndots = dns.ndots.filter(|_| !has_ndots);
    for search in &searches {
        edit.changed(format!("DNS search {search}"));
    }
    if let Some(ndots) = ndots {
        edit.changed(format!("DNS ndots {ndots}"));
    }
    let searches: Vec<Value> = searches.into_iter().map(|name| json!(name)).collect();
    let options: Vec<Value> = ndots
        .map(|ndots| json!({ "name": NDOTS, "value": ndots.to_string() }))
        .into_iter()
        .collect();
    let at = at.field("dnsConfig");
    if let Some(config) = config {
        let (known, list) = (&config.searches, at.field("searches"));
        edit.insert(&list, known.is_present(), known.len(), searches);
        let (known, list) = (&config.options, at.field("options"));
        edit.insert(&list, known.is_present(), known.len(), options);
    } else {
        let lists = [("searches", searches), ("options", options)];
        let lists = lists.into_iter().filter(|(_, items)| !items.is_empty());
        let lists = lists.map(|(field, items)| (field.to_owned(), Value::from(items)));
        edit.entries(&at, false, lists.collect());
    }
}

fn name(policy: DnsPolicy) -> &'static str {
    match policy {
        DnsPolicy::ClusterFirst => "ClusterFirst",
        DnsPolicy::ClusterFirstWithHostNet => "ClusterFirstWithHostNet",
        DnsPolicy::Default => "Default",
        DnsPolicy::None => "None",
    }
}
