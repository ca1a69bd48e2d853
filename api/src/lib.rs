//! The custom resources of Proctor, API group `proctor.dev/v1alpha1`, as types with schemas.
//!
//! A platform team writes [`ClusterTestPolicy`] objects, a test team [`TestPolicy`] objects; the collector writes a [`TestRun`] for
//! every test pod. This crate holds their shapes and nothing that acts on them: merging and deciding is the policy crate's, keeping
//! runs is the collector's. The manifests in `deploy/crds` and in the chart are generated from here (`tests/crds.rs`).

pub mod injected;
mod policy;
mod test_run;

pub use policy::{
    ClusterTestPolicy, ClusterTestPolicySpec, Dns, DnsPolicy, Exception, Inject, Instrument,
    JobDefaults, Match, Mode, PolicySpec, PolicyStatus, PullPolicy, ReporterSpec, Resources,
    RestartPolicy, Rule, TestPolicy, TestPolicySpec,
};
pub use test_run::{
    Artifacts, Counts, FailingTest, PodReference, TestRun, TestRunSpec, TestRunStatus, Verdict,
};

/// The API group of every resource of Proctor.
pub const GROUP: &str = "proctor.dev";

/// The version of the API group.
pub const VERSION: &str = "v1alpha1";
