//! The JSON contract of `proctor results`.

use serde::Serialize;

use crate::model::{Coverage, Warning};
use crate::report::{Report, Suite};
use crate::verdict::Verdict;

/// Verdict and report as `proctor results --output json` prints them.
///
/// ```
/// use proctor_results::{Report, Summary, Verdict};
///
/// let json = serde_json::to_value(Summary::new(Verdict::NoTests, &Report::new()))?;
/// assert_eq!(json["verdict"], "NoTests");
/// assert_eq!(json["tests"], 0);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Summary<'a> {
    /// The verdict's name.
    pub verdict: Verdict,
    /// The sum of the four counts below.
    pub tests: u64,
    /// Tests that held.
    pub passed: u64,
    /// Tests whose assertion did not hold.
    pub failed: u64,
    /// Tests that could not be run to their end.
    pub errors: u64,
    /// Tests left out.
    pub skipped: u64,
    /// The sum over the suites.
    pub duration_seconds: f64,
    /// The suites with the tests kept by name.
    pub suites: &'a [Suite],
    /// `null` where nothing told it.
    pub coverage: Option<Coverage>,
    /// Sentences.
    pub warnings: &'a [Warning],
}

impl<'a> Summary<'a> {
    /// Puts the two together.
    pub fn new(verdict: Verdict, report: &'a Report) -> Self {
        let counts = report.counts();
        Self {
            verdict,
            tests: counts.tests(),
            passed: counts.passed,
            failed: counts.failed,
            errors: counts.errors,
            skipped: counts.skipped,
            duration_seconds: report.duration_seconds(),
            suites: report.suites(),
            coverage: report.coverage(),
            warnings: report.warnings(),
        }
    }
}
