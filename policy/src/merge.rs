//! Policies put together for one object: what is built in, then the cluster's by name, then the namespace's by name.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use proctor_api::{Dns, Inject, Instrument, JobDefaults, Mode, ReporterSpec, Resources, Rule};

use crate::compiled::Layer;
use crate::finding::Code;
use crate::quantity::Amount;

/// What holds for one object. Later policies win where only one can; lists grow.
#[derive(Debug)]
pub(crate) struct Effective<'p> {
    pub(crate) applied: Vec<&'p str>,
    pub(crate) env: Vec<&'p EnvVar>,
    pub(crate) env_from: Vec<&'p EnvFromSource>,
    pub(crate) services: BTreeMap<&'p str, &'p str>,
    pub(crate) dns: Dns,
    pub(crate) resources: Resources,
    pub(crate) job: JobDefaults,
    pub(crate) instrument: &'p [Instrument],
    pub(crate) reporter: ReporterSpec,
    cluster_rules: Vec<&'p Rule>,
    team_rules: Vec<&'p Rule>,
}

/// Whether it is a code or a family of codes.
pub(crate) fn is_code(text: &str) -> bool {
    let digits = text.strip_prefix("PRC").unwrap_or_default();
    matches!(digits.len(), 1 | 3)
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && digits.starts_with(['1', '2', '3', '4'])
}

impl<'p> Effective<'p> {
    pub(crate) fn new(built_in: &'p Layer) -> Self {
        let mut effective = Self {
            applied: Vec::new(),
            env: Vec::new(),
            env_from: Vec::new(),
            services: BTreeMap::new(),
            dns: Dns::default(),
            resources: Resources::default(),
            job: JobDefaults::default(),
            instrument: &[],
            reporter: ReporterSpec::default(),
            cluster_rules: Vec::new(),
            team_rules: Vec::new(),
        };
        effective.add_cluster(built_in);
        effective
    }

    pub(crate) fn add_cluster(&mut self, layer: &'p Layer) {
        self.cluster_rules.extend(&layer.spec.rules);
        if let Some(resources) = resources(layer) {
            self.resources.max.extend(resources.max.clone());
        }
        self.supply(layer);
    }

    /// A team's caps and modes can only be stricter.
    pub(crate) fn add_team(&mut self, layer: &'p Layer) {
        self.team_rules.extend(&layer.spec.rules);
        if let Some(resources) = resources(layer) {
            for (name, cap) in &resources.max {
                let platform = self.resources.max.get(name);
                if platform.is_none_or(|platform| lower(cap, platform)) {
                    self.resources.max.insert(name.clone(), cap.clone());
                }
            }
        }
        self.supply(layer);
    }

    fn supply(&mut self, layer: &'p Layer) {
        self.applied.push(&layer.title);
        if let Some(inject) = &layer.spec.inject {
            self.inject(inject);
        }
        if let Some(reporter) = &layer.spec.reporter {
            let ours = &mut self.reporter;
            ours.enabled = reporter.enabled.or(ours.enabled);
            for glob in &reporter.globs {
                if !ours.globs.contains(glob) {
                    ours.globs.push(glob.clone());
                }
            }
            ours.image = reporter.image.clone().or(ours.image.take());
            ours.image_pull_policy = reporter.image_pull_policy.or(ours.image_pull_policy);
            let secrets = reporter.image_pull_secrets.iter().cloned();
            ours.image_pull_secrets.extend(secrets);
            ours.resources = reporter.resources.clone().or(ours.resources.take());
        }
    }

    fn inject(&mut self, inject: &'p Inject) {
        for var in &inject.env {
            self.env.retain(|earlier| earlier.name != var.name);
            self.env.push(var);
        }
        for source in &inject.env_from {
            if !self.env_from.contains(&source) {
                self.env_from.push(source);
            }
        }
        let services = inject.services.iter();
        self.services
            .extend(services.map(|(name, at)| (name.as_str(), at.as_str())));
        if let Some(dns) = &inject.dns {
            self.dns.policy = dns.policy.or(self.dns.policy);
            for search in &dns.searches {
                if !self.dns.searches.contains(search) {
                    self.dns.searches.push(search.clone());
                }
            }
            self.dns.ndots = dns.ndots.or(self.dns.ndots);
        }
        if let Some(resources) = &inject.resources {
            self.resources.requests.extend(resources.requests.clone());
            self.resources.limits.extend(resources.limits.clone());
        }
        if let Some(job) = &inject.job {
            let ours = &mut self.job;
            ours.backoff_limit = job.backoff_limit.or(ours.backoff_limit);
            ours.ttl_seconds_after_finished = job
                .ttl_seconds_after_finished
                .or(ours.ttl_seconds_after_finished);
            ours.active_deadline_seconds =
                job.active_deadline_seconds.or(ours.active_deadline_seconds);
            ours.restart_policy = job.restart_policy.or(ours.restart_policy);
        }
        if let Some(instrument) = &inject.instrument {
            self.instrument = instrument;
        }
    }

    /// How a finding is treated, before the install's cap. `names` are those an exception can be for.
    pub(crate) fn mode(
        &self,
        code: &Code,
        namespace: &str,
        names: &[&str],
        now: Timestamp,
    ) -> Mode {
        let platform = strictness(&self.cluster_rules, code).unwrap_or(code.default_mode);
        let team = strictness(&self.team_rules, code).unwrap_or(Mode::Off);
        let mode = platform.max(team);
        let today = now.to_zoned(TimeZone::UTC).date();
        let rules = self.cluster_rules.iter();
        let excepted = rules
            .filter(|rule| code.code.starts_with(&rule.code))
            .flat_map(|rule| &rule.exceptions)
            .any(|exception| {
                let holds = exception
                    .expires
                    .parse::<Date>()
                    .is_ok_and(|last| today <= last);
                let fits = |list: &[String], is: &dyn Fn(&str) -> bool| {
                    list.is_empty() || list.iter().any(|one| is(one))
                };
                holds
                    && fits(&exception.namespaces, &|one| one == namespace)
                    && fits(&exception.names, &|one| names.contains(&one))
            });
        if excepted {
            mode.min(Mode::Audit)
        } else {
            mode
        }
    }
}

fn resources(layer: &Layer) -> Option<&Resources> {
    layer.spec.inject.as_ref()?.resources.as_ref()
}

fn lower(one: &Quantity, other: &Quantity) -> bool {
    Amount::parse(&one.0) < Amount::parse(&other.0)
}

/// The mode of the longest match; among equals the last one.
fn strictness(rules: &[&Rule], code: &Code) -> Option<Mode> {
    let fitting = rules
        .iter()
        .filter(|rule| code.code.starts_with(&rule.code));
    fitting
        .max_by_key(|rule| rule.code.len())
        .map(|rule| rule.mode)
}
