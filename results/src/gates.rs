//! Gates: what a team or platform demands beyond green.
//!
//! Evaluated by the wrapper right after the test command ended, which then exits with the reserved
//! code of the first failure instead of the command's own, and again by the collector.

use serde::{Deserialize, Serialize};

use crate::facts::{Disagreement, Ending};
use crate::report::Report;

/// The thresholds. The default demands nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Gates {
    /// A run in which no test ran fails.
    pub no_tests: bool,
    /// Most tests that may be skipped.
    pub max_skipped: Option<u64>,
    /// Fewest tests that must have run.
    pub min_tests: Option<u64>,
    /// Lowest coverage in percent; unknown coverage fails.
    pub min_coverage: Option<f64>,
    /// An exit code that contradicts the report fails.
    pub disagreement: bool,
}

/// Which gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Gate {
    /// No test ran.
    NoTests,
    /// Too many skipped.
    Skips,
    /// Fewer ran than must.
    TooFew,
    /// Coverage below the bar, or unknown.
    Coverage,
    /// Exit code and report contradict each other.
    Disagreement,
}

impl Gate {
    /// The exit code reserved for it.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::NoTests => 90,
            Self::Skips => 91,
            Self::TooFew => 92,
            Self::Coverage => 93,
            Self::Disagreement => 94,
        }
    }

    /// The gate whose reserved exit code this is.
    pub fn of_exit_code(code: i32) -> Option<Self> {
        [
            Self::NoTests,
            Self::Skips,
            Self::TooFew,
            Self::Coverage,
            Self::Disagreement,
        ]
        .into_iter()
        .find(|gate| i32::from(gate.exit_code()) == code)
    }
}

/// A gate that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateFailure {
    /// Which.
    pub gate: Gate,
    /// 90 to 94.
    pub exit_code: u8,
    /// What was demanded and what was found, as a sentence.
    pub message: String,
}

impl Gates {
    /// The gates that fail, in the order of their exit codes. `ending` is the test command's own.
    ///
    /// ```
    /// use proctor_results::{Ending, Gates, Report};
    ///
    /// let gates = Gates { min_tests: Some(3), ..Gates::default() };
    /// let failures = gates.evaluate(&Report::new(), Some(Ending::Exited(0)));
    /// assert_eq!(failures[0].exit_code, 92);
    /// ```
    pub fn evaluate(&self, report: &Report, ending: Option<Ending>) -> Vec<GateFailure> {
        let counts = report.counts();
        let mut failures = Vec::new();
        let mut fail = |gate: Gate, message: String| {
            failures.push(GateFailure {
                gate,
                exit_code: gate.exit_code(),
                message,
            });
        };
        if self.no_tests && counts.ran() == 0 {
            fail(
                Gate::NoTests,
                "No test ran, and the gate demands that some do.".to_owned(),
            );
        }
        if let Some(most) = self.max_skipped
            && counts.skipped > most
        {
            let skipped = counts.skipped;
            fail(
                Gate::Skips,
                format!("{skipped} tests were skipped; the gate allows {most}."),
            );
        }
        if let Some(least) = self.min_tests
            && counts.ran() < least
        {
            let ran = counts.ran();
            fail(
                Gate::TooFew,
                format!("{ran} tests ran; the gate demands at least {least}."),
            );
        }
        if let Some(bar) = self.min_coverage {
            match report.coverage() {
                None => fail(
                    Gate::Coverage,
                    format!("No coverage was reported; the gate demands at least {bar} %."),
                ),
                // Not `<`: a bar that is not a number must not let everything through.
                Some(found) if !matches!(found.percent.partial_cmp(&bar), Some(order) if order.is_ge()) =>
                {
                    let percent = found.percent;
                    fail(
                        Gate::Coverage,
                        format!("Coverage is {percent} %; the gate demands at least {bar} %."),
                    );
                }
                Some(_) => {}
            }
        }
        if self.disagreement
            && let Some(found) = ending.and_then(|ending| Disagreement::of_ending(ending, counts))
        {
            fail(Gate::Disagreement, found.to_string());
        }
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Coverage, Outcome, Test, Unit};

    fn report(outcomes: &[Outcome]) -> Report {
        let mut report = Report::new();
        for outcome in outcomes {
            report.push("suite", Test::new("test", *outcome));
        }
        report
    }

    fn codes(gates: &Gates, report: &Report, exit: i32) -> Vec<u8> {
        gates
            .evaluate(report, Some(Ending::Exited(exit)))
            .iter()
            .map(|f| f.exit_code)
            .collect()
    }

    #[test]
    fn without_a_demand_nothing_fails() {
        assert_eq!(codes(&Gates::default(), &Report::new(), 1), [0; 0]);
    }

    #[test]
    fn each_gate_has_its_exit_code() {
        let all = Gates {
            no_tests: true,
            max_skipped: Some(0),
            min_tests: Some(2),
            min_coverage: Some(80.0),
            disagreement: true,
        };
        assert_eq!(
            codes(&all, &report(&[Outcome::Skipped]), 0),
            [90, 91, 92, 93]
        );
        assert_eq!(
            codes(&all, &report(&[Outcome::Passed, Outcome::Failed]), 0),
            [93, 94]
        );
        assert_eq!(Gate::of_exit_code(94), Some(Gate::Disagreement));
        assert_eq!(Gate::of_exit_code(1), None);
    }

    #[test]
    fn coverage_exactly_at_the_bar_is_enough_and_a_broken_bar_is_not() {
        let mut report = report(&[Outcome::Passed]);
        report.cover(Coverage::percentage(80.0, Unit::Lines).unwrap());
        let at = |bar| Gates {
            min_coverage: Some(bar),
            ..Gates::default()
        };
        assert_eq!(codes(&at(80.0), &report, 0), [0; 0]);
        assert_eq!(codes(&at(80.1), &report, 0), [93]);
        assert_eq!(codes(&at(f64::NAN), &report, 0), [93]);
    }
}
