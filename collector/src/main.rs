//! The binary `proctor-collector`.

use clap::Parser;

fn main() -> anyhow::Result<()> {
    Ok(proctor_collector::run(proctor_collector::Args::parse())?)
}
