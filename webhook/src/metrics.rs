//! What monitoring sees. Every label has a small, fixed set of values: what users write is never one.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::admission::{Decided, Operation, Phase, Request};

/// Seconds. A review takes a fraction of a millisecond, and the API server's own buckets begin at five.
const BUCKETS: [f64; 12] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0,
];

type Latency = Family<PhaseLabel, Histogram, fn() -> Histogram>;

/// The metrics of the webhook, in the `OpenMetrics` format.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: Family<ReviewLabels, Counter>,
    findings: Family<FindingLabels, Counter>,
    latency: Latency,
    refused: Family<RefusedLabels, Counter>,
    in_flight: Gauge,
    certificate: Gauge,
    authority: Gauge,
    policies: Gauge,
    reporter_waiting: Gauge,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct PhaseLabel {
    phase: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ReviewLabels {
    phase: &'static str,
    kind: &'static str,
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct FindingLabels {
    code: &'static str,
    mode: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RefusedLabels {
    reason: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("proctor_webhook");
        let metrics = Self {
            reviews: Family::default(),
            findings: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            refused: Family::default(),
            in_flight: Gauge::default(),
            certificate: Gauge::default(),
            authority: Gauge::default(),
            policies: Gauge::default(),
            reporter_waiting: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("reviews", "Reviews answered", metrics.reviews.clone());
        registry.register(
            "findings",
            "Findings in reviewed objects, by what was done about them",
            metrics.findings.clone(),
        );
        registry.register_with_unit(
            "review_duration",
            "Time from the head of a request to its answer",
            Unit::Seconds,
            metrics.latency.clone(),
        );
        registry.register(
            "requests_refused",
            "Requests that got no answer to a review",
            metrics.refused.clone(),
        );
        registry.register(
            "requests_in_flight",
            "Requests that are being answered",
            metrics.in_flight.clone(),
        );
        registry.register_with_unit(
            "certificate_expiry_timestamp",
            "When the certificate that is shown ends",
            Unit::Seconds,
            metrics.certificate.clone(),
        );
        registry.register_with_unit(
            "authority_expiry_timestamp",
            "When the authority that signs ends",
            Unit::Seconds,
            metrics.authority.clone(),
        );
        registry.register(
            "policies_valid",
            "1 while the policies as written are in effect, 0 while an earlier generation is",
            metrics.policies.clone(),
        );
        registry.register(
            "reporter_waiting",
            "1 while test pods get no reporter because the collector's bundle is not known yet",
            metrics.reporter_waiting.clone(),
        );
        Self {
            registry,
            ..metrics
        }
    }
}

impl Metrics {
    /// The content type of [`Metrics::encode`].
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// The metrics as `OpenMetrics` text.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    pub(crate) fn decided(&self, phase: Phase, request: &Request<'_>, decided: &Decided) {
        self.reviews
            .get_or_create(&ReviewLabels {
                phase: phase.name(),
                kind: kind(&request.kind.kind),
                operation: operation(request.operation),
                outcome: decided.outcome.name(),
            })
            .inc();
        // Both phases see the same object; it counts once.
        if phase == Phase::Validate {
            for finding in &decided.findings {
                self.findings
                    .get_or_create(&FindingLabels {
                        code: finding.code,
                        mode: mode(finding.mode),
                    })
                    .inc();
            }
        }
    }

    pub(crate) fn took(&self, phase: Phase, time: Duration) {
        let phase = phase.name();
        self.latency
            .get_or_create(&PhaseLabel { phase })
            .observe(time.as_secs_f64());
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&RefusedLabels { reason }).inc();
    }

    pub(crate) fn in_flight(&self, requests: usize) {
        self.in_flight
            .set(i64::try_from(requests).unwrap_or(i64::MAX));
    }

    pub(crate) fn certificates_end(&self, leaf: Timestamp, authority: Timestamp) {
        self.certificate.set(leaf.as_second());
        self.authority.set(authority.as_second());
    }

    pub(crate) fn policies_valid(&self, valid: bool) {
        self.policies.set(i64::from(valid));
    }

    pub(crate) fn reporter_waits(&self, waits: bool) {
        self.reporter_waiting.set(i64::from(waits));
    }
}

fn kind(kind: &str) -> &'static str {
    match kind {
        "Pod" => "Pod",
        "Job" => "Job",
        "CronJob" => "CronJob",
        _ => "other",
    }
}

fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Connect => "CONNECT",
    }
}

fn mode(mode: proctor_api::Mode) -> &'static str {
    match mode {
        proctor_api::Mode::Off => "Off",
        proctor_api::Mode::Audit => "Audit",
        proctor_api::Mode::Warn => "Warn",
        proctor_api::Mode::Enforce => "Enforce",
    }
}
