//! The three servers, as processes of this same binary.

use std::io;
use std::process::ExitCode;

use clap::Subcommand;

use super::DemoError;

/// Which of the three this process is to be.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// The admission server.
    Webhook(proctor_webhook::Args),
    /// The collector.
    Collector(proctor_collector::Args),
    /// The reporter or the wrapper.
    Sidecar(proctor_sidecar::Args),
}

impl Role {
    /// Serves until it is told to stop, or until the demo is gone.
    pub(crate) fn run(self) -> Result<ExitCode, DemoError> {
        match self {
            Self::Webhook(args) => {
                end_with_the_demo();
                proctor_webhook::run(args).map_err(|source| DemoError::Server(source.into()))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Collector(args) => {
                end_with_the_demo();
                proctor_collector::run(args).map_err(|source| DemoError::Server(source.into()))?;
                Ok(ExitCode::SUCCESS)
            }
            // The wrapper's standard input is the test's own; the reporter ends on SIGTERM.
            Self::Sidecar(args) => Ok(proctor_sidecar::run(args)),
        }
    }
}

/// The demo holds the other end of standard input; however it ends, that end closes and the server stops with it.
fn end_with_the_demo() {
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(0);
    });
}
