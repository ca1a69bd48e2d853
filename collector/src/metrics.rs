//! What is counted, for the admin port.

use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// A request's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    code: u16,
}

/// A run's end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    verdict: String,
}

/// The counters. Names begin with `proctor_collector_`.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Bytes taken and acknowledged.
    pub uploaded_bytes: Counter,
    /// Sessions opened.
    pub sessions: Counter,
    /// Requests answered 503 because too many were in flight.
    pub turned_away: Counter,
    /// Runs that go on or wait for their verdict.
    pub open_runs: Gauge,
    /// Attempts to finalise a run that did not succeed and will be repeated.
    pub finalise_failures: Counter,
    /// When clients begin to refuse the certificate that is shown; seconds since 1970.
    pub certificate_expiry: Gauge,
    answers: Family<Answer, Counter>,
    verdicts: Family<End, Counter>,
}

impl Metrics {
    /// Counts an answer.
    pub fn answered(&self, status: StatusCode) {
        self.answers
            .get_or_create(&Answer {
                code: status.as_u16(),
            })
            .inc();
    }

    /// Counts a verdict.
    pub fn judged(&self, verdict: &str) {
        self.verdicts
            .get_or_create(&End {
                verdict: verdict.to_owned(),
            })
            .inc();
    }

    /// The counters in the text format of `OpenMetrics`.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut all = Registry::with_prefix("proctor_collector");
        all.register(
            "uploaded_bytes",
            "Bytes taken and acknowledged",
            self.uploaded_bytes.clone(),
        );
        all.register("sessions", "Sessions opened", self.sessions.clone());
        all.register(
            "turned_away",
            "Requests answered 503: too many in flight",
            self.turned_away.clone(),
        );
        all.register(
            "open_runs",
            "Runs that go on or wait for their verdict",
            self.open_runs.clone(),
        );
        all.register(
            "finalise_failures",
            "Failed attempts to finalise a run",
            self.finalise_failures.clone(),
        );
        all.register(
            "certificate_expiry_seconds",
            "When the certificate ends, since 1970",
            self.certificate_expiry.clone(),
        );
        all.register(
            "requests",
            "Requests by the code of their answer",
            self.answers.clone(),
        );
        all.register("runs", "Runs by their verdict", self.verdicts.clone());
        let mut text = String::new();
        encode(&mut text, &all)?;
        Ok(text)
    }
}
