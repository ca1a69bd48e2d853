//! The answer for programs; its shape is a contract.

use std::io::{self, Write};

use proctor_policy::Finding;
use serde::Serialize;

use super::Checked;
use crate::failure::Failure;

#[derive(Serialize)]
struct Answer<'a> {
    objects: Vec<Object<'a>>,
}

#[derive(Serialize)]
struct Object<'a> {
    file: String,
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    skipped: bool,
    findings: Vec<Placed<'a>>,
}

#[derive(Serialize)]
struct Placed<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    line: u64,
    column: u64,
}

pub(super) fn write(all: &[Checked]) -> Result<(), Failure> {
    let objects = all.iter().map(|checked| Object {
        file: checked.subject.file.display().to_string(),
        kind: checked.subject.kind.name(),
        namespace: checked.subject.namespace(),
        name: checked.subject.name(),
        allowed: checked.is_allowed(),
        skipped: checked.skipped,
        findings: checked
            .findings
            .iter()
            .map(|(finding, position)| Placed {
                finding,
                line: position.line,
                column: position.column,
            })
            .collect(),
    });
    let answer = Answer {
        objects: objects.collect(),
    };
    let text =
        serde_json::to_string_pretty(&answer).map_err(|error| Failure::Encode(error.into()))?;
    writeln!(io::stdout(), "{text}").map_err(Failure::Output)
}
