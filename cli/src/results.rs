//! `proctor results`: reports, read and judged as the collector would, but without knowing how the command ended.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use proctor_results::{Aggregate, Facts, ReadError, Summary, Verdict, judge, read};

use crate::failure::{Failure, NO};
use crate::input;

/// Prints one JSON object. Exit code 0: Passed; 1: any other verdict; 2: an input cannot be opened, or holds no report.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Report files (JUnit XML, or the console output of pytest, go test, cargo test and TAP producers), folders of them, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let mut run = Aggregate::new();
    for path in &options.paths {
        let mut known = false;
        for file in input::files(path, |_| true)? {
            let name = file.display().to_string();
            let parsed = if file == Path::new("-") {
                read(io::stdin().lock())
            } else {
                read(File::open(&file).map_err(|source| Failure::Open {
                    path: file.clone(),
                    source,
                })?)
            };
            // In a folder there may be anything; what is named must be a report.
            if matches!(parsed, Err(ReadError::Unrecognised)) {
                continue;
            }
            known = true;
            run.file(&name, parsed);
        }
        if !known {
            return Err(Failure::NoReport { path: path.clone() });
        }
    }
    let merged = run.finish();
    let mut facts = Facts::offline(&merged.report);
    facts.disagreement = merged.disagreement;
    let judgement = judge(&facts);
    let mut report = merged.report;
    for disagreement in &judgement.disagreements {
        report.notice(disagreement.to_string());
    }
    let summary = Summary::new(judgement.verdict, &report);
    let text =
        serde_json::to_string_pretty(&summary).map_err(|error| Failure::Encode(error.into()))?;
    writeln!(io::stdout(), "{text}").map_err(Failure::Output)?;
    Ok(if judgement.verdict == Verdict::Passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NO)
    })
}
