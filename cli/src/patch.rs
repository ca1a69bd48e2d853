//! `proctor patch`: an object as it would be stored, or the pod it would create as it would be admitted.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::Value;
use similar::TextDiff;

use crate::failure::Failure;
use crate::input;
use crate::policies::PolicyFiles;
use crate::subject::Subject;

/// What the API server fills in by itself is shown as well, in the fields that are judged.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    policies: PolicyFiles,

    /// Show the pod that the object would create, as it would be admitted
    #[arg(long)]
    pod: bool,

    /// Show what changes, line by line
    #[arg(long, conflicts_with = "output")]
    diff: bool,

    /// How the answer is written
    #[arg(long, value_enum, default_value = "yaml")]
    output: Output,

    /// A manifest with one object (YAML or JSON), or - for standard input
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// The whole object
    Yaml,
    /// The operations (RFC 6902) that turn the object in the file into it
    Jsonpatch,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let judge = options.policies.judge()?;
    let mut subjects: Vec<Subject> = input::read(&options.path)?
        .into_iter()
        .filter_map(Subject::of)
        .collect();
    let subject = match (subjects.len(), subjects.pop()) {
        (1, Some(subject)) => subject,
        (0, _) | (_, None) => {
            return Err(Failure::NothingKnown {
                path: options.path.clone(),
            });
        }
        (count, _) => {
            return Err(Failure::NotOne {
                path: options.path.clone(),
                count,
            });
        }
    };
    let subject = if options.pod {
        subject.pod(&judge)?
    } else {
        subject
    };
    let text = if options.diff {
        let (before, after) = (yaml(&subject.object)?, yaml(&subject.stored(&judge)?)?);
        let diff = TextDiff::from_lines(&before, &after);
        diff.unified_diff()
            .header("as submitted", "as stored")
            .to_string()
    } else if options.output == Output::Jsonpatch {
        let patch = subject.operations(&judge)?;
        serde_json::to_string_pretty(&patch).map_err(|error| Failure::Encode(error.into()))? + "\n"
    } else {
        yaml(&subject.stored(&judge)?)?
    };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(Failure::Output)?;
    Ok(ExitCode::SUCCESS)
}

fn yaml(object: &Value) -> Result<String, Failure> {
    serde_saphyr::to_string(object).map_err(|error| Failure::Encode(error.into()))
}
