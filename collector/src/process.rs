//! The collector as a process: its threads, its log, and its end by a signal.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::{Args, LogFormat};
use crate::collector::{Collector, StartError};

/// Threads that serve; finalising runs on them too.
const WORKER_THREADS: usize = 2;

/// Threads for work that blocks: files of the store, and reading reports.
const BLOCKING_THREADS: usize = 8;

/// Runs the collector until SIGTERM or SIGINT, and drains.
pub fn run(args: Args) -> Result<(), StartError> {
    // A process has one provider and one log; where the caller has set them up already, those are it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    log_to_stderr(args.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    runtime.block_on(async {
        let collector = tokio::select! {
            collector = Collector::start(args) => collector?,
            () = ended() => return Ok(()),
        };
        ended().await;
        tracing::info!("draining");
        collector.stop().await;
        Ok(())
    })
}

/// SIGTERM or SIGINT.
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::warn!("signals cannot be handled here: the collector ends only when it is killed");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

fn log_to_stderr(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}
