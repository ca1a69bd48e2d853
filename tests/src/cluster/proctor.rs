//! Installing Proctor with its chart.

use std::path::Path;

use anyhow::{Context, Result};

use super::Cluster;
use crate::node::HelmVersion;
use crate::progress::Step;

/// The name of the Helm release.
pub const RELEASE: &str = "proctor";
/// The namespace it is installed in.
pub const SYSTEM_NAMESPACE: &str = "proctor-system";

/// Installs the chart of this workspace as the README says, and waits until all of it is ready.
pub(super) fn install(cluster: &Cluster) -> Result<()> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("charts")
        .join("proctor");
    let step = Step::begin("installing Proctor with Helm");
    let chart = chart
        .to_str()
        .context("The path of the workspace is not UTF-8.")?;
    cluster.helm(
        HelmVersion::V3,
        &[
            "install",
            RELEASE,
            chart,
            "--namespace",
            SYSTEM_NAMESPACE,
            "--create-namespace",
            "--wait",
            "--timeout=3m",
            "--set=image.server.tag=dev,image.sidecar.tag=dev",
        ],
    )?;
    step.end();
    Ok(())
}
