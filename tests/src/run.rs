//! Running other programs, with errors that say which and what it said.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use crate::progress::Step;
use crate::wait;

/// What of a failed program's words is shown.
const TAIL_LINES: usize = 30;

/// The command as a person would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..)
        .unwrap_or_default()
        .join("\n")
}

/// Runs a command to its end, whatever that is.
pub(crate) fn finish(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| {
        format!(
            "`{}` could not be started; is the program installed and in PATH?",
            line(command)
        )
    })
}

/// Runs a command to its end, with text on its standard input.
pub(crate) fn finish_with_input(command: &mut Command, input: &str) -> Result<Output> {
    let mut file = tempfile::tempfile()
        .context("A temporary file for a command's input could not be made.")?;
    file.write_all(input.as_bytes())?;
    file.rewind()?;
    finish(command.stdin(Stdio::from(file)))
}

/// Runs a command that must succeed; yields its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = finish(command)?;
    successful(command, &output)
}

/// Runs a command that must succeed, with text on its standard input; yields its standard output.
pub(crate) fn output_with_input(command: &mut Command, input: &str) -> Result<String> {
    let output = finish_with_input(command, input)?;
    successful(command, &output)
}

fn successful(command: &Command, output: &Output) -> Result<String> {
    if !output.status.success() {
        bail!(
            "`{}` failed ({}):\n{}",
            line(command),
            output.status,
            tail(&said(output), TAIL_LINES)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a long command that must succeed; its words go to the file `log`, a heartbeat to the person.
pub(crate) fn logged(what: &str, command: &mut Command, log: &Path) -> Result<()> {
    let file = File::create(log)
        .with_context(|| format!("The log {} cannot be written.", log.display()))?;
    let mut step = Step::begin(what);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::from(file.try_clone()?))
        .stderr(Stdio::from(file))
        .spawn()
        .with_context(|| {
            format!(
                "`{}` could not be started; is the program installed and in PATH?",
                line(command)
            )
        })?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        step.beat();
        wait::tick();
    };
    if !status.success() {
        let words = std::fs::read_to_string(log).unwrap_or_default();
        bail!(
            "{what}: `{}` failed ({status}):\n{}",
            line(command),
            tail(&words, TAIL_LINES)
        );
    }
    step.end();
    Ok(())
}

/// What a finished program said, on both streams.
pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_program_is_named_with_its_words() {
        let error = output(Command::new("sh").args(["-c", "echo no such pod >&2; exit 3"]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("sh -c")
                && error.contains("exit status: 3")
                && error.contains("no such pod"),
            "{error}"
        );
    }

    #[test]
    fn input_reaches_the_program() {
        assert_eq!(
            output_with_input(&mut Command::new("cat"), "kind: Pod").unwrap(),
            "kind: Pod"
        );
    }
}
