//! One self-contained HTML page for people: verdict, failures first, facts, log, suites.
//!
//! No script and nothing from elsewhere; everything that comes from tests is escaped, and the page
//! forbids itself to load anything (`Content-Security-Policy`).

use std::borrow::Borrow;
use std::io;

use askama::Template;

use crate::facts::{Fact, Observer};
use crate::model::{Counts, Test};
use crate::report::Report;
use crate::verdict::Judgement;

/// Everything on the page.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// What ran: the name of the `TestRun` or of the files.
    pub title: &'a str,
    /// The verdict and the facts behind it.
    pub judgement: &'a Judgement,
    /// The tests.
    pub report: &'a Report,
    /// Names and values shown below the counts: Job, commit, image, times.
    pub about: &'a [(&'a str, String)],
    /// The end of the log.
    pub log: Option<Log<'a>>,
    /// Files of the run.
    pub artifacts: &'a [Artifact<'a>],
}

/// An excerpt of the log, from its end.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    /// The excerpt.
    pub text: &'a str,
    /// Bytes before it.
    pub left_out: u64,
}

/// A file of the run.
#[derive(Clone, Copy, Debug)]
pub struct Artifact<'a> {
    /// Its path below the run.
    pub name: &'a str,
    /// Where it can be had: relative to the page, or `http(s)`. Anything else gets no link.
    pub href: &'a str,
    /// Its size.
    pub bytes: u64,
}

impl<'a> Artifact<'a> {
    /// Names of files come from tests: one like `javascript:…` must not become a link that acts.
    fn safe_href(&self) -> Option<&'a str> {
        let scheme = self.href.split(['/', '?', '#']).next().unwrap_or_default();
        let safe = !scheme.contains(':') || matches!(scheme, "http:" | "https:");
        (safe && !self.href.is_empty()).then_some(self.href)
    }
}

/// Writes the page.
///
/// ```
/// use proctor_results::write::html::{self, Page};
/// use proctor_results::{Facts, Report, judge};
///
/// let report = Report::new();
/// let judgement = judge(&Facts::offline(&report));
/// let page = Page { title: "shop <7>", judgement: &judgement, report: &report, about: &[], log: None, artifacts: &[] };
/// let mut out = Vec::new();
/// html::write(&page, &mut out)?;
/// assert!(String::from_utf8_lossy(&out).contains("<h1>shop &#60;7&#62;</h1>"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(page: &Page<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let counts = page.report.counts();
    let named = page.report.red_tests().count() as u64;
    Html {
        title: page.title,
        judgement: page.judgement,
        report: page.report,
        about: page.about,
        log: page.log,
        artifacts: page.artifacts,
        counts,
        parts: &[
            ("failed", counts.failed),
            ("error", counts.errors),
            ("passed", counts.passed),
            ("skipped", counts.skipped),
        ],
        unnamed_red: counts.red().saturating_sub(named),
    }
    .write_into(out)
}

#[derive(Template)]
#[template(path = "report.html")]
struct Html<'a> {
    title: &'a str,
    judgement: &'a Judgement,
    report: &'a Report,
    about: &'a [(&'a str, String)],
    log: Option<Log<'a>>,
    artifacts: &'a [Artifact<'a>],
    counts: Counts,
    parts: &'a [(&'static str, u64)],
    unnamed_red: u64,
}

#[allow(clippy::unused_self)] // templates call methods
impl Html<'_> {
    fn outcome(&self, test: &Test) -> &'static str {
        test.outcome.as_str()
    }

    fn observer(&self, fact: &Fact) -> &'static str {
        match fact.observer {
            Observer::Wrapper => "wrapper",
            Observer::Reporter => "reporter",
            Observer::Kubelet => "kubelet",
            Observer::Cluster => "cluster",
            Observer::Collector => "collector",
            Observer::Tests => "tests",
        }
    }

    /// The details, where they say more than the message.
    fn more<'t>(&self, test: &'t Test) -> Option<&'t str> {
        test.details
            .as_deref()
            .filter(|details| Some(*details) != test.message.as_deref())
    }

    fn seconds(&self, seconds: impl Borrow<f64>) -> String {
        let seconds = *seconds.borrow();
        if seconds >= 60.0 {
            format!(
                "{:.0} min {:.0} s",
                (seconds / 60.0).floor(),
                seconds % 60.0
            )
        } else if seconds >= 1.0 {
            format!("{seconds:.2} s")
        } else {
            format!("{:.0} ms", seconds * 1000.0)
        }
    }
}
