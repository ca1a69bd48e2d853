//! `proctor explain`: what a finding code means.

use std::io::{self, Write};
use std::process::ExitCode;

use proctor_policy::{CODES, Code};

use crate::failure::Failure;

/// The same text as the code's page in docs/findings, offline.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A code, such as PRC101
    #[arg(value_name = "CODE")]
    code: String,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let code = Code::find(&options.code).ok_or_else(|| Failure::NoCode {
        code: options.code.clone(),
        known: CODES
            .iter()
            .map(|code| code.code)
            .collect::<Vec<_>>()
            .join(", "),
    })?;
    writeln!(
        io::stdout(),
        "{} ({}): {}\n\n{}\n\nWay out: {}\n\nWithout a policy its mode is {:?}. {}",
        code.code,
        code.rule,
        code.title,
        code.explanation,
        code.way_out,
        code.default_mode,
        code.docs()
    )
    .map_err(Failure::Output)?;
    Ok(ExitCode::SUCCESS)
}
