//! Test report formats in, one model, verdicts and gates, report formats out.
//!
//! Report files and console output of many tools become one [`Report`]; with what else is known of a
//! run ([`Facts`]) it is judged by one pure function. Everything streams in constant memory: the
//! bounds are named constants, counts stay exact beyond them, and what cannot be read becomes a
//! warning and never a pass.
//!
//! This crate knows no Kubernetes, no network and no files: it reads `impl Read` and writes
//! `impl Write`. Who saw a pod die, and where bytes are kept, is the business of its users.
//!
//! | module | what |
//! |---|---|
//! | [`model`] | [`Test`], [`Outcome`], [`Counts`], [`Coverage`], [`Warning`] |
//! | [`report`] | [`Report`] and [`Suite`], and their bounds |
//! | [`formats`] | [`read`] any report file; the registry of formats |
//! | [`console`] | [`Console`], the push parser of console output |
//! | [`merge`] | [`Aggregate`], several files and the console output of one run |
//! | [`gates`] | [`Gates`], what is demanded beyond green |
//! | [`facts`] | [`Facts`], what is known of a run and who saw it |
//! | [`verdict`] | [`judge`], the verdict and why |
//! | [`summary`] | [`Summary`], the JSON contract |
//! | [`write`] | report formats out: features `html` and `junit` |
//!
//! ```
//! use proctor_results::{Aggregate, Facts, Summary, Verdict, judge, read};
//!
//! let mut run = Aggregate::new();
//! let xml = r#"<testsuite name="api"><testcase name="login"/></testsuite>"#;
//! run.file("junit.xml", read(xml.as_bytes()));
//! let merged = run.finish();
//! let judgement = judge(&Facts::offline(&merged.report));
//! assert_eq!(judgement.verdict, Verdict::Passed);
//! let json = serde_json::to_string(&Summary::new(judgement.verdict, &merged.report))?;
//! # Ok::<(), serde_json::Error>(())
//! ```

pub mod console;
pub mod facts;
pub mod formats;
pub mod gates;
pub mod merge;
pub mod model;
pub mod report;
pub mod summary;
mod text;
pub mod verdict;
pub mod write;

pub use console::{Console, Framework, Output, Stream};
pub use facts::{Disagreement, Ending, Fact, Facts, Observer, OutsideReason, Record, StartReason};
pub use formats::{Format, Kind, Parsed, ReadError, detect, read};
pub use gates::{Gate, GateFailure, Gates};
pub use merge::{Aggregate, Merged};
pub use model::{Counts, Coverage, Outcome, Test, Unit, Warning, WarningKind};
pub use report::{Report, Suite};
pub use summary::Summary;
pub use verdict::{Judgement, Verdict, judge};
