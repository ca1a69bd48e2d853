//! `report`
use std::path::PathBuf;
/// Options.
#[derive(Debug, clap::Args)]
pub struct ReportOptions {
    /// Root.
    #[arg(long, default_value = "/proctor", value_name = "DIR")]
    pub root: PathBuf,
}
/// Runs.
pub fn run(_options: &ReportOptions) {}
