//! `proctor check`: what the webhook would say.

mod json;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use proctor_policy::{Finding, allowed};

use crate::failure::{Failure, NO};
use crate::input;
use crate::policies::PolicyFiles;
use crate::position::Position;
use crate::subject::Subject;

/// Objects without the test label are listed, not judged.
///
/// Exit code 0: all would be admitted; 1: at least one would be refused; 2: an input cannot be read, or has no object with a pod in it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    policies: PolicyFiles,

    /// Judge objects without the test label as well
    #[arg(long)]
    all: bool,

    /// How the answer is written
    #[arg(long, value_enum, default_value = "text")]
    output: Output,

    /// Manifests (YAML or JSON, several documents), folders of them, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// The contract for programs
    Json,
}

/// What was said of an object.
#[derive(Debug)]
struct Checked {
    subject: Subject,
    skipped: bool,
    findings: Vec<(Finding, Position)>,
}

impl Checked {
    fn is_allowed(&self) -> bool {
        self.findings
            .iter()
            .all(|(finding, _)| allowed(std::slice::from_ref(finding)))
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let judge = options.policies.judge()?;
    let mut all = Vec::new();
    for path in &options.paths {
        let subjects: Vec<Subject> = input::read(path)?
            .into_iter()
            .filter_map(Subject::of)
            .collect();
        if subjects.is_empty() {
            return Err(Failure::NothingKnown { path: path.clone() });
        }
        for subject in subjects {
            let skipped = !options.all && !subject.is_test(&judge)?;
            let findings = if skipped {
                Vec::new()
            } else {
                subject.findings(&judge)?
            };
            let placed = findings.into_iter().map(|finding| {
                let position = subject.node.find(&finding.path);
                (finding, position)
            });
            all.push(Checked {
                findings: placed.collect(),
                skipped,
                subject,
            });
        }
    }
    match options.output {
        Output::Text => text::write(&all).map_err(Failure::Output)?,
        Output::Json => json::write(&all)?,
    }
    Ok(if all.iter().all(Checked::is_allowed) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NO)
    })
}
