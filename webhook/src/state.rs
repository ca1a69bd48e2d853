//! What decisions are made by: the policy in effect and what is known of the cluster. Read without waiting, replaced as a whole.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
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
    /// The collector's bundle, PEM; until it is known test pods get no reporter, and say so.
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
    /// The policies in effect, for when one of them gets a generation that is not valid.
    adopted: Mutex<Option<Policies>>,
}

impl Policies {
    /// Puts the last good generation in the place of each policy that is not valid, or takes it out.
    fn repair(&mut self, last: &Self) {
        let platform = Platform::default;
        replace(&mut self.cluster, &last.cluster, |policy| {
            Compiled::new(std::slice::from_ref(policy), &[], platform()).is_ok()
        });
        replace(&mut self.team, &last.team, |policy| {
            Compiled::new(&[], std::slice::from_ref(policy), platform()).is_ok()
        });
    }
}

fn replace<P: ResourceExt + Clone>(policies: &mut Vec<P>, last: &[P], valid: impl Fn(&P) -> bool) {
    let same = |one: &P, other: &P| {
        (one.namespace(), one.name_any()) == (other.namespace(), other.name_any())
    };
    let kept = policies.iter().filter_map(|policy| {
        let mut earlier = last.iter().filter(|earlier| same(policy, earlier));
        Some(policy)
            .filter(|policy| valid(policy))
            .or_else(|| earlier.next())
    });
    *policies = kept.cloned().collect();
}

/// A namespace with the label that the API server gives every one, which its file may lack.
fn named(
    (name, mut labels): (String, BTreeMap<String, String>),
) -> (String, BTreeMap<String, String>) {
    labels
        .entry("kubernetes.io/metadata.name".to_owned())
        .or_insert_with(|| name.clone());
    (name, labels)
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
            namespaces: namespaces.into_iter().map(named).collect(),
            services: known,
        }
    }

    /// The labels of a namespace; its name alone where it is not known, such as in the moment after it was made.
    pub(crate) fn labels(&self, namespace: &str) -> Cow<'_, BTreeMap<String, String>> {
        self.namespaces.get(namespace).map_or_else(
            || Cow::Owned(named((namespace.to_owned(), BTreeMap::new())).1),
            Cow::Borrowed,
        )
    }

    pub(crate) fn services(&self) -> &Services {
        &self.services
    }
}

impl Current {
    /// The built-in policy and an unknown cluster.
    pub fn new(platform: Platform, metrics: Arc<Metrics>) -> Result<Self, Vec<PolicyError>> {
        let compiled = Compiled::new(&[], &[], platform.clone())?;
        let current = Self {
            platform,
            compiled: ArcSwap::from_pointee(compiled),
            world: ArcSwap::default(),
            metrics,
            adopted: Mutex::new(None),
        };
        current.tell_whether_the_reporter_waits();
        Ok(current)
    }

    /// Puts these policies into effect. Says what is wrong with those that are not valid: of each of them the last good generation
    /// stays in effect, or nothing where there was none.
    pub fn adopt(&self, mut policies: Policies) -> Result<(), Vec<PolicyError>> {
        let mut adopted = self.adopted.lock().unwrap_or_else(PoisonError::into_inner);
        let last = adopted.clone().unwrap_or_default();
        if policies.collector_ca.is_none() {
            // A bundle that went away is still what the collector shows a certificate of.
            policies.collector_ca.clone_from(&last.collector_ca);
        }
        let result = self.compile(&policies);
        self.metrics.policies_valid(result.is_ok());
        if result.is_err() {
            policies.repair(&last);
            // What is valid one by one is valid together; if not, everything before stays in effect.
            self.compile(&policies)?;
        }
        *adopted = Some(policies);
        result
    }

    fn compile(&self, policies: &Policies) -> Result<(), Vec<PolicyError>> {
        let platform = trusting(&self.platform, policies.collector_ca.as_deref());
        let compiled = Compiled::new(&policies.cluster, &policies.team, platform)?;
        self.compiled.store(Arc::new(compiled));
        self.tell_whether_the_reporter_waits();
        Ok(())
    }

    fn tell_whether_the_reporter_waits(&self) {
        let compiled = self.compiled();
        let reporter = compiled.platform().reporter.as_ref();
        let waits = reporter.is_some_and(|reporter| reporter.collector_ca.is_empty());
        self.metrics.reporter_waits(waits);
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

/// The platform with a reporter that trusts this bundle.
fn trusting(platform: &Platform, collector_ca: Option<&str>) -> Platform {
    let reporter = platform.reporter.clone();
    Platform {
        reporter: reporter.map(|reporter| ReporterPlatform {
            collector_ca: collector_ca.unwrap_or_default().to_owned(),
            ..reporter
        }),
        ..platform.clone()
    }
}

#[cfg(test)]
mod tests {
    use proctor_policy::{Context, Kind, Object, Operation};

    use super::*;

    const JOB: &[u8] = br#"{"metadata": {"labels": {"component": "e2e-test"}},
        "spec": {"template": {"spec": {"containers": [{"name": "t", "env": [{"name": "JWT_SECRET", "value": "s3cr3t"}]}]}}}}"#;

    fn policy(name: &str, spec: &str) -> ClusterTestPolicy {
        ClusterTestPolicy::new(name, serde_saphyr::from_str(spec).unwrap())
    }

    fn current() -> Current {
        Current::new(Platform::default(), Arc::default()).unwrap()
    }

    fn adopt(current: &Current, cluster: &[ClusterTestPolicy]) -> Result<(), Vec<PolicyError>> {
        current.adopt(Policies {
            cluster: cluster.to_vec(),
            ..Policies::default()
        })
    }

    fn admits(current: &Current) -> bool {
        let context = Context {
            now: jiff::Timestamp::now(),
            operation: Operation::Create,
            namespace: "shop",
            namespace_labels: &BTreeMap::new(),
            services: &Services::default(),
        };
        let job = Object::parse(Kind::Job, JOB).unwrap();
        proctor_policy::allowed(&current.compiled().review(&job, None, &context))
    }

    #[test]
    fn test_pods_get_no_reporter_until_the_collector_is_known_and_the_metrics_say_so() {
        let pod = br#"{"metadata": {"labels": {"component": "e2e-test"}}, "spec": {"containers": [{"name": "t", "command": ["t"]}]}}"#;
        let reporter = ReporterPlatform {
            image: "sidecar".to_owned(),
            pull_policy: proctor_api::PullPolicy::IfNotPresent,
            pull_secrets: Vec::new(),
            collector_url: "https://collector:8443".to_owned(),
            collector_ca: String::new(),
        };
        let platform = Platform {
            reporter: Some(reporter),
            ..Platform::default()
        };
        let metrics = Arc::new(Metrics::default());
        let current = Current::new(platform, Arc::clone(&metrics)).unwrap();
        let expect = |collector_ca: Option<&str>, reporting: bool| {
            let policies = Policies {
                collector_ca: collector_ca.map(str::to_owned),
                ..Policies::default()
            };
            current.adopt(policies).unwrap();
            let context = Context {
                now: jiff::Timestamp::now(),
                operation: Operation::Create,
                namespace: "shop",
                namespace_labels: &BTreeMap::new(),
                services: &Services::default(),
            };
            let pod = Object::parse(Kind::Pod, pod).unwrap();
            let mutation = current.compiled().mutate(&pod, &context);
            let reports = mutation
                .changes
                .iter()
                .any(|line| line == "reporter proctor-reporter");
            assert_eq!(reports, reporting, "{collector_ca:?}");
            assert_eq!(mutation.warnings.is_empty(), reporting, "{collector_ca:?}");
            let gauge = format!(
                "\nproctor_webhook_reporter_waiting {}\n",
                u8::from(!reporting)
            );
            let text = metrics.encode().unwrap();
            assert!(text.contains(&gauge), "{text}");
        };
        expect(None, false);
        expect(Some("a bundle"), true);
        // One that went away is still what the collector shows a certificate of.
        expect(None, true);
    }

    const LENIENT: &str = "{rules: [{code: PRC101, mode: Warn}]}";
    const INVALID: &str = "{inject: {resources: {requests: {cpu: lots}}}}";

    #[test]
    fn a_policy_that_is_not_valid_does_not_take_the_others_out_of_effect() {
        let current = current();
        assert!(!admits(&current));
        let policies = [policy("a", INVALID), policy("b", LENIENT)];
        assert!(adopt(&current, &policies).is_err());
        assert!(admits(&current));
    }

    #[test]
    fn of_a_policy_that_is_no_longer_valid_the_last_good_generation_stays_in_effect() {
        let current = current();
        adopt(&current, &[policy("a", LENIENT)]).unwrap();
        assert!(admits(&current));
        assert!(adopt(&current, &[policy("a", INVALID)]).is_err());
        assert!(admits(&current));
        assert!(adopt(&current, &[policy("a", INVALID), policy("b", LENIENT)]).is_err());
        assert!(admits(&current));
        adopt(&current, &[]).unwrap();
        assert!(!admits(&current));
    }
}
