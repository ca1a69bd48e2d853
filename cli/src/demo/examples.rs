//! The Jobs of `deploy/examples`, as they are in the repository.

use serde_json::Value;

use super::DemoError;

/// An example's Job.
pub(super) struct Example {
    /// Where it is, in the repository.
    pub(super) path: &'static str,
    manifest: &'static str,
}

/// The example that is run. Its password comes from a Secret, which on this machine is a made-up variable.
pub(super) const RUN: Example = Example {
    path: "deploy/examples/demo/job.yaml",
    manifest: include_str!("../../../deploy/examples/demo/job.yaml"),
};

/// The others.
pub(super) const OTHERS: &[Example] = &[
    Example {
        path: "deploy/examples/swe-ai-fleet/job.yaml",
        manifest: include_str!("../../../deploy/examples/swe-ai-fleet/job.yaml"),
    },
    Example {
        path: "deploy/examples/ide-orchestrator/job.yaml",
        manifest: include_str!("../../../deploy/examples/ide-orchestrator/job.yaml"),
    },
    Example {
        path: "deploy/examples/kodosumi/job.yaml",
        manifest: include_str!("../../../deploy/examples/kodosumi/job.yaml"),
    },
];

/// The policies of the examples.
pub(super) const POLICIES: &str = concat!(
    include_str!("../../../deploy/examples/demo/policy.yaml"),
    "\n---\n",
    include_str!("../../../deploy/examples/kodosumi/policy.yaml"),
    "\n---\n",
    include_str!("../../../deploy/examples/swe-ai-fleet/policy.yaml"),
);

/// What is in the Secrets of the example that is run.
pub(super) const SECRETS: &[(&str, &[(&str, &str)])] = &[(
    "demo-db-conn",
    &[
        ("POSTGRES_USER", "demo"),
        ("POSTGRES_PASSWORD", "made-up-for-the-demo"),
    ],
)];

impl Example {
    /// The Job.
    pub(super) fn job(&self) -> Result<Value, DemoError> {
        serde_saphyr::from_str(self.manifest).map_err(|_| DemoError::Example(self.path))
    }
}
