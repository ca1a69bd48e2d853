//! `report`: brings what `exec` records to the collector while the tests run.
//!
//! One thread that looks at the volume, uploads what is new at most one second later, and deletes
//! what is acknowledged. What it knows is on the volume and with the collector: killed at any point
//! it goes on where the collector says. Without a collector it keeps the spool. After SIGTERM, when
//! the test containers have ended already, it uploads what is left within the grace period.

mod backoff;
mod collector;
mod life;
mod source;
mod stream;
mod upload;
mod uploader;

use std::path::PathBuf;
use std::time::Duration;

use crate::signals::Signals;
use crate::spool::{ContainerName, Root};
use crate::{describe, install, say};
use collector::Collector;
use life::Life;
use uploader::Uploader;

/// Between two looks at the clock when there is nothing to do but to wait for the end.
const IDLE: Duration = Duration::from_hours(1);

/// Where the record is and where it goes.
#[derive(Debug, clap::Args)]
pub struct ReportOptions {
    /// Where the volume is mounted.
    #[arg(long, default_value = "/proctor", value_name = "DIR")]
    pub root: PathBuf,
    /// The collector; without one the record stays on the volume.
    #[arg(long, env = "PROCTOR_COLLECTOR_URL", value_name = "HTTPS-URL")]
    pub collector_url: Option<String>,
    /// The authorities the collector's certificate may come from; the system's own do not count.
    #[arg(
        long,
        env = "PROCTOR_COLLECTOR_CA",
        value_name = "PEM",
        hide_env_values = true
    )]
    pub collector_ca: Option<String>,
    /// The same, in a file.
    #[arg(long, conflicts_with = "collector_ca", value_name = "FILE")]
    pub collector_ca_file: Option<PathBuf>,
    /// The projected service account token. Read anew for each session.
    #[arg(
        long,
        env = "PROCTOR_TOKEN_FILE",
        default_value = "/var/run/secrets/proctor.dev/collector/token",
        value_name = "FILE"
    )]
    pub token_file: PathBuf,
    /// The wrapped containers; one without a record is named at the end.
    #[arg(
        long,
        env = "PROCTOR_CONTAINERS",
        value_delimiter = ',',
        value_name = "NAME,…"
    )]
    pub containers: Vec<ContainerName>,
    /// Time for what is left after SIGTERM.
    #[arg(
        long,
        env = "PROCTOR_GRACE_SECONDS",
        default_value_t = 25,
        value_name = "SECONDS"
    )]
    pub grace_seconds: u64,
}

/// Reports until SIGTERM and what is left then. Fails at nothing: the tests would suffer for it.
pub fn run(options: &ReportOptions) {
    // First of all: the kernel drops a SIGTERM to the first process of a container that is not ready.
    let signals = match Signals::take() {
        Ok(signals) => signals,
        Err(error) => {
            return say(&format!(
                "Signals cannot be read on this system ({error}); nothing is uploaded."
            ));
        }
    };
    if let Err(error) = install::run(&options.root) {
        say(&describe(&error));
    }
    let mut life = Life::new(signals, Duration::from_secs(options.grace_seconds));
    match Collector::new(options) {
        Ok(collector) => upload(
            &mut life,
            Uploader::new(Root::new(&options.root), collector),
        ),
        Err(error) => {
            say(&format!("Nothing is uploaded. {}", describe(&error)));
            while !life.is_ending() {
                life.wait(IDLE);
            }
        }
    }
    name_missing(options);
}

fn upload(life: &mut Life, mut uploader: Uploader) {
    let mut hurried = false;
    loop {
        if life.is_ending() && !hurried {
            hurried = true;
            say("Asked to end; what is left is uploaded.");
            uploader.hurry();
        }
        let pass = uploader.pass(life);
        // The test containers have ended by then: where a whole look finds nothing new, nothing comes.
        if hurried && (pass.settled || life.is_over()) {
            break;
        }
        life.wait(pass.pause);
    }
    uploader.done(life);
}

fn name_missing(options: &ReportOptions) {
    let Ok(spools) = Root::new(&options.root).spools() else {
        return;
    };
    for container in &options.containers {
        if !spools.iter().any(|spool| spool.container == *container) {
            say(&format!(
                "The container {container} left no record: it was never started by the wrapper."
            ));
        }
    }
}
