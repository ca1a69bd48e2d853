//! The binary `proctor-webhook`.

use clap::Parser as _;
use proctor_webhook::{Args, run};

fn main() -> anyhow::Result<()> {
    Ok(run(Args::parse())?)
}
