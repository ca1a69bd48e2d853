//! A real one-node Kubernetes for tests and for people.

use std::process::ExitCode;

use clap::Parser;
use proctor_tests::cli::Cli;
use proctor_tests::progress::{say, sentences};

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            say(&sentences(&error));
            ExitCode::FAILURE
        }
    }
}
