//! `proctor patch`: an object as it would be stored, or the pod it would create as it would be admitted.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use proctor_api::Mode;
use serde_json::Value;
use similar::TextDiff;

use crate::failure::Failure;
use crate::input;
use crate::policies::{Judge, PolicyFiles};
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

    /// A manifest (YAML or JSON), or - for standard input; what has no pod in it is left out
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
    let documents = input::read(&options.path)?.into_iter();
    let subjects: Vec<Subject> = documents.filter_map(Subject::of).collect();
    if subjects.is_empty() {
        let path = options.path.clone();
        return Err(Failure::NothingKnown { path });
    }
    if options.output == Output::Jsonpatch && subjects.len() > 1 {
        let (path, count) = (options.path.clone(), subjects.len());
        return Err(Failure::NotOne { path, count });
    }
    for subject in &subjects {
        options.warn(subject, &judge)?;
    }
    let shown = subjects
        .iter()
        .map(|subject| options.show(subject, &judge))
        .collect::<Result<Vec<_>, _>>()?;
    io::stdout()
        .write_all(shown.join("---\n").as_bytes())
        .map_err(Failure::Output)?;
    Ok(ExitCode::SUCCESS)
}

impl Options {
    /// What is shown is never stored where the object is refused; whoever pipes the output still has to learn it.
    fn warn(&self, subject: &Subject, judge: &Judge) -> Result<(), Failure> {
        if !subject.is_test(judge)? {
            return Ok(());
        }
        let findings = subject.findings(judge)?;
        for finding in findings
            .iter()
            .filter(|finding| finding.mode == Mode::Enforce)
        {
            let (code, path, message) = (finding.code, &finding.path, &finding.message);
            let file = self.path.display();
            let _ = writeln!(
                io::stderr(),
                "{file}: would be refused: {code} at {path}: {message}"
            );
        }
        Ok(())
    }

    fn show(&self, subject: &Subject, judge: &Judge) -> Result<String, Failure> {
        let pod = self.pod.then(|| subject.pod(judge)).transpose()?;
        let subject = pod.as_ref().unwrap_or(subject);
        if self.diff {
            let (before, after) = (yaml(&subject.object)?, yaml(&subject.stored(judge)?)?);
            let diff = TextDiff::from_lines(&before, &after);
            let mut diff = diff.unified_diff();
            return Ok(diff.header("as submitted", "as stored").to_string());
        }
        match self.output {
            Output::Yaml => yaml(&subject.stored(judge)?),
            Output::Jsonpatch => serde_json::to_string_pretty(&subject.operations(judge)?)
                .map(|text| text + "\n")
                .map_err(|error| Failure::Encode(error.into())),
        }
    }
}

fn yaml(object: &Value) -> Result<String, Failure> {
    serde_saphyr::to_string(object).map_err(|error| Failure::Encode(error.into()))
}
