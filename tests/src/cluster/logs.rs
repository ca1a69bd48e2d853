//! What is kept and shown when a test failed.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::Cluster;
use crate::run::tail;

/// How many lines of each log are shown; the whole logs are kept.
const SHOWN: usize = 8;

/// How many of the last events are shown.
const EVENTS: usize = 40;

/// What of the cluster is written down besides the logs.
const VIEWS: &[(&str, &[&str])] = &[
    (
        "events",
        &[
            "get",
            "events",
            "-A",
            "--sort-by=.metadata.creationTimestamp",
        ],
    ),
    ("pods", &["get", "pods", "-A", "-o", "wide"]),
    (
        "objects",
        &["get", "jobs,deployments,services,pvc", "-A", "-o", "wide"],
    ),
    ("descriptions", &["describe", "pods", "-A"]),
];

/// Copies every log below `target/testbed-logs/` and yields a digest of them for the test's message.
///
/// Nothing here fails: a log that cannot be had is said to be missing, as the failure of the test is what matters.
pub(crate) fn collect(cluster: &Cluster, name: &Path) -> String {
    let folder = folder().join(name);
    let _ = fs::remove_dir_all(&folder);
    let mut digest = format!("The logs of all components are in {}.\n", folder.display());
    if let Err(error) = fs::create_dir_all(&folder) {
        return format!("{digest}(They could not be copied: {error}.)\n");
    }
    for (view, arguments) in VIEWS {
        let text = cluster
            .kubectl(arguments)
            .unwrap_or_else(|error| format!("{error:#}"));
        let _ = fs::write(folder.join(format!("{view}.txt")), &text);
        if matches!(*view, "events" | "pods") {
            let _ = write!(digest, "\n== {view}\n{}\n", tail(&text, EVENTS));
        }
    }
    for entry in fs::read_dir(cluster.node().logs())
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name();
        let _ = fs::copy(entry.path(), folder.join(&name));
        if name == "audit.log" {
            continue;
        }
        let text = fs::read(entry.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let _ = write!(digest, "\n== {}\n{}\n", name.display(), tail(&text, SHOWN));
    }
    copy_pod_logs(&cluster.node().folder().join("pods"), &folder.join("pods"));
    digest
}

/// The kubelet's folder of container logs: POD/CONTAINER/ATTEMPT.log.
fn copy_pod_logs(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_pod_logs(&entry.path(), &target);
        } else if fs::create_dir_all(to).is_ok() {
            let _ = fs::copy(entry.path(), target);
        }
    }
}

/// `target/testbed-logs` of this workspace.
fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."));
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), PathBuf::from)
        .join("testbed-logs")
}
