//! What the collector shares with the cluster: pods and Jobs that it watches, TestRuns that it keeps, and its authority's Secret.

mod authority;
#[cfg(test)]
pub(crate) mod fake;
mod jobs;
mod pods;
mod publish;

pub use authority::{SharedAuthority, SharedError};
pub use jobs::Jobs;
pub use pods::{Pods, WatchError};
pub use publish::{PublishError, Publisher};

use std::time::Duration;

use crate::index::Run;
use crate::runs::seen::Seen;

/// Who writes, for server-side apply.
const FIELD_MANAGER: &str = "proctor-collector";

/// The pause before an event is handled again that could not be.
const RETRY: Duration = Duration::from_secs(1);

/// The label by which a Job's pods are found.
const JOB_LABEL: &str = "batch.kubernetes.io/job-name";

/// The labels that a `TestRun` carries over from its pod, else from its Job.
const CARRIED_LABELS: [&str; 3] = [JOB_LABEL, "proctor.dev/commit", "proctor.dev/suite"];

impl Publisher {
    /// Looks once more for what is told late, before a run closes.
    pub async fn last_look(&self, run: &Run, seen: &mut Seen) {
        if let Self::Cluster(client) = self {
            jobs::last_look(client, run, seen).await;
        }
    }
}
