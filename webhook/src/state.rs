//! What decisions are made by: the policy in effect and what is known of the cluster. Read without waiting, replaced as a whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;
use proctor_api::{ClusterTestPolicy, TestPolicy};
use proctor_policy::{Compiled, Platform, PolicyError, ReporterPlatform, Services};

use crate::metrics::Metrics;

/// The policies as written, and what the reporter is to trust.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policies {
    /// The platform's.
    pub cluster: Vec<ClusterTestPolicy>,
    /// The teams'.
    pub team: Vec<TestPolicy>,
    /// The collector's bundle, PEM; without it test pods get no reporter.
    pub collector_ca: Option<String>,
}

/// What is known of the cluster.
#[derive(Debug, Default)]
pub struct World {
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    services: Services,
}

/// The policy in effect and the world, each replaced as a whole.
#[derive(Debug)]
pub struct Current {
    /// With a reporter that trusts nobody yet; what it is to trust is learnt later.
    platform: Platform,
    compiled: ArcSwap<Compiled>,
    world: ArcSwap<World>,
    metrics: Arc<Metrics>,
    /// The policies in effect, so that what has not changed is not compiled again.
    adopted: Mutex<Option<Policies>>,
}

impl World {
    /// What is known of the cluster, of its objects.
    pub fn new(
        namespaces: impl IntoIterator<Item = (String, BTreeMap<String, String>)>,
        services: &[Service],
    ) -> Self {
        let mut known = Services::default();
        for service in services {
            let ports = service
                .spec
                .iter()
                .flat_map(|spec| spec.ports.iter().flatten());
            let ports = ports.filter_map(|port| u16::try_from(port.port).ok());
            let namespace = service.namespace().unwrap_or_default();
            known.insert(&namespace, &service.name_any(), ports.collect());
        }
        Self {
            namespaces: namespaces.into_iter().collect(),
            services: known,
        }
    }

    /// The labels of a namespace; none where it is not known, such as in the moment after it was made.
    pub(crate) fn labels(&self, namespace: &str) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.namespaces.get(namespace).unwrap_or(&NONE)
    }

    pub(crate) fn services(&self) -> &Services {
        &self.services
    }
}

impl Current {
    /// The built-in policy and an unknown cluster.
    pub fn new(platform: Platform, metrics: Arc<Metrics>) -> Result<Self, Vec<PolicyError>> {
        let compiled = Compiled::new(&[], &[], trusting(&platform, None))?;
        Ok(Self {
            platform,
            compiled: ArcSwap::from_pointee(compiled),
            world: ArcSwap::default(),
            metrics,
            adopted: Mutex::new(None),
        })
    }

    /// Puts these policies into effect, or says what is wrong with them; then those before stay in effect.
    pub fn adopt(&self, mut policies: Policies) -> Result<(), Vec<PolicyError>> {
        let mut adopted = self.adopted.lock().unwrap_or_else(PoisonError::into_inner);
        if policies.collector_ca.is_none() {
            // A bundle that went away is still what the collector shows a certificate of.
            policies.collector_ca = adopted.as_ref().and_then(|last| last.collector_ca.clone());
        }
        if adopted.as_ref() == Some(&policies) {
            return Ok(());
        }
        let platform = trusting(&self.platform, policies.collector_ca.as_deref());
        let compiled = Compiled::new(&policies.cluster, &policies.team, platform);
        self.metrics.policies_valid(compiled.is_ok());
        self.compiled.store(Arc::new(compiled?));
        *adopted = Some(policies);
        Ok(())
    }

    /// Puts what is known of the cluster into effect.
    pub fn see(&self, world: World) {
        self.world.store(Arc::new(world));
    }

    pub(crate) fn compiled(&self) -> Guard<Arc<Compiled>> {
        self.compiled.load()
    }

    pub(crate) fn known(&self) -> Guard<Arc<World>> {
        self.world.load()
    }
}

/// The platform with a reporter that trusts this bundle; without a bundle there is no reporter.
fn trusting(platform: &Platform, collector_ca: Option<&str>) -> Platform {
    let reporter = platform.reporter.clone().zip(collector_ca);
    Platform {
        reporter: reporter.map(|(reporter, ca)| ReporterPlatform {
            collector_ca: ca.to_owned(),
            ..reporter
        }),
        ..platform.clone()
    }
}
