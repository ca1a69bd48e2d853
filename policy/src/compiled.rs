//! Policies made ready to decide by: checked, sorted, with the detectors built. Once per change.

use std::collections::BTreeMap;

use jiff::civil::Date;
use proctor_api::{ClusterTestPolicy, Match, PolicySpec, TestPolicy};

use crate::context::Context;
use crate::detect::{Detector, is_loopback};
use crate::finding::Finding;
use crate::inject::{self, Mutation};
use crate::merge::Effective;
use crate::platform::Platform;
use crate::quantity::Amount;
use crate::selector;
use crate::view::Object;

const DEFAULT_POLICY: &str = include_str!("default-policy.yaml");

/// Policies made ready to decide by.
#[derive(Debug)]
pub struct Compiled {
    platform: Platform,
    built_in: Layer,
    cluster: Vec<Layer>,
    teams: BTreeMap<String, Vec<Layer>>,
    detector: Detector,
}

/// One policy.
#[derive(Debug)]
pub(crate) struct Layer {
    name: String,
    /// `name@generation`, as it is written into `proctor.dev/applied`.
    pub(crate) title: String,
    pub(crate) selects: Match,
    pub(crate) spec: PolicySpec,
}

/// Why policies cannot be put into effect.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A label selector has an operator that does not exist.
    #[error(
        "{policy} selects by the operator {operator:?}; there are In, NotIn, Exists and DoesNotExist"
    )]
    Operator {
        /// Kind and name.
        policy: String,
        /// What it says.
        operator: String,
    },
    /// A resource has no quantity.
    #[error("{policy} gives {resource} the quantity {value:?}; write one such as 500m or 2Gi")]
    Quantity {
        /// Kind and name.
        policy: String,
        /// `cpu`, `memory`, …
        resource: String,
        /// What it says.
        value: String,
    },
    /// A service that no test pod could reach.
    #[error(
        "{policy} gives the service {service} the address {value:?}; write the DNS name of a Service, with a port where there is one, such as db-rw.shop.svc:5432"
    )]
    Service {
        /// Kind and name.
        policy: String,
        /// Its name.
        service: String,
        /// What it says.
        value: String,
    },
    /// A rule is about no code.
    #[error(
        "{policy} has a rule for {code:?}; name a code such as PRC101 or a family such as PRC1"
    )]
    Code {
        /// Kind and name.
        policy: String,
        /// What it says.
        code: String,
    },
    /// An exception has no date.
    #[error(
        "{policy} has an exception from {code} that expires {date:?}; write the last day as YYYY-MM-DD"
    )]
    Date {
        /// Kind and name.
        policy: String,
        /// The rule.
        code: String,
        /// What it says.
        date: String,
        /// What is wrong with it.
        source: jiff::Error,
    },
    /// An exception without a reason.
    #[error("{policy} has an exception from {code} without a reason; say why, people will ask")]
    Reason {
        /// Kind and name.
        policy: String,
        /// The rule.
        code: String,
    },
    /// A team lets itself off.
    #[error("{policy} makes an exception from {code}; exceptions are made in a ClusterTestPolicy")]
    TeamException {
        /// Kind and name.
        policy: String,
        /// The rule.
        code: String,
    },
    /// A policy of a team without a namespace.
    #[error("{policy} has no namespace; it is for the test pods of one")]
    NoNamespace {
        /// Kind and name.
        policy: String,
    },
    /// The policy in this program is broken.
    #[error("the built-in policy cannot be read; this program is broken, use another build")]
    BuiltIn(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Compiled {
    /// Checks and sorts policies. All that is wrong with all of them is told at once.
    ///
    /// ```
    /// use proctor_policy::{Compiled, Kind, Object, Platform};
    ///
    /// let compiled = Compiled::new(&[], &[], Platform::default()).expect("the built-in policy holds");
    /// let job = br#"{"metadata": {"labels": {"component": "e2e-test"}}}"#;
    /// assert!(compiled.selects(&Object::parse(Kind::Job, job)?));
    /// # Ok::<(), proctor_policy::ObjectError>(())
    /// ```
    pub fn new(
        cluster: &[ClusterTestPolicy],
        teams: &[TestPolicy],
        platform: Platform,
    ) -> Result<Self, Vec<PolicyError>> {
        let built_in = Self::default_policy().map_err(|error| vec![error])?;
        let detector = Detector::new().map_err(|error| vec![PolicyError::BuiltIn(error.into())])?;
        let mut errors = Vec::new();
        let mut compiled = Self {
            platform,
            built_in: Layer::of_cluster(&built_in),
            cluster: cluster.iter().map(Layer::of_cluster).collect(),
            teams: BTreeMap::new(),
            detector,
        };
        for (policy, layer) in cluster.iter().zip(&compiled.cluster) {
            let name = policy.metadata.name.as_deref().unwrap_or_default();
            layer.check(&format!("the ClusterTestPolicy {name}"), &mut errors);
        }
        for policy in teams {
            let layer = Layer::of_team(policy);
            let namespace = policy.metadata.namespace.clone().unwrap_or_default();
            let name = policy.metadata.name.as_deref().unwrap_or_default();
            let title = format!("the TestPolicy {namespace}/{name}");
            layer.check(&title, &mut errors);
            let mut rules = layer.spec.rules.iter();
            if let Some(rule) = rules.find(|rule| !rule.exceptions.is_empty()) {
                errors.push(PolicyError::TeamException {
                    policy: title.clone(),
                    code: rule.code.clone(),
                });
            }
            if namespace.is_empty() {
                errors.push(PolicyError::NoNamespace { policy: title });
            }
            compiled.teams.entry(namespace).or_default().push(layer);
        }
        // Not by title: `-` sorts before the `@` in it.
        compiled
            .cluster
            .sort_by(|one, other| one.name.cmp(&other.name));
        for layers in compiled.teams.values_mut() {
            layers.sort_by(|one, other| one.name.cmp(&other.name));
        }
        if errors.is_empty() {
            Ok(compiled)
        } else {
            Err(errors)
        }
    }

    /// What holds where no policy says otherwise. It lies under every other policy, also where there are some.
    pub fn default_policy() -> Result<ClusterTestPolicy, PolicyError> {
        serde_saphyr::from_str(DEFAULT_POLICY).map_err(|error| PolicyError::BuiltIn(error.into()))
    }

    /// What the install says.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Whether the object is a test: it, or its pod template, carries the label.
    pub fn selects(&self, object: &Object<'_>) -> bool {
        self.platform.label.selects(object)
    }

    /// What the object is given. Applied to the object, it leaves nothing to be given.
    pub fn mutate(&self, object: &Object<'_>, context: &Context<'_>) -> Mutation {
        if !self.selects(object) {
            return Mutation::default();
        }
        let effective = self.effective(object, context);
        inject::mutate(object, context, &self.platform, &effective)
    }

    /// What is wrong with the object, whether it is a test or not: [`Compiled::selects`] says whether that matters.
    ///
    /// On an update, with the object as it was, only what the update brings in.
    pub fn review(
        &self,
        object: &Object<'_>,
        old: Option<&Object<'_>>,
        context: &Context<'_>,
    ) -> Vec<Finding> {
        let effective = self.effective(object, context);
        self.detector
            .review(object, old, context, &self.platform, &effective)
    }

    fn effective(&self, object: &Object<'_>, context: &Context<'_>) -> Effective<'_> {
        let pod = object.pod();
        let label = |key: &str| {
            let ours = &self.platform.label;
            // The template is judged as if it had the label already.
            let added = || (key == ours.key).then_some(ours.value.as_str());
            pod.label(key).or_else(added)
        };
        let namespace = |key: &str| context.namespace_labels.get(key).map(String::as_str);
        let mut effective = Effective::new(&self.built_in);
        for layer in &self.cluster {
            if selector::fits(layer.selects.namespace_selector.as_ref(), namespace)
                && selector::fits(layer.selects.object_selector.as_ref(), label)
            {
                effective.add_cluster(layer);
            }
        }
        for layer in self.teams.get(context.namespace).into_iter().flatten() {
            if selector::fits(layer.selects.object_selector.as_ref(), label) {
                effective.add_team(layer);
            }
        }
        effective
    }
}

impl Layer {
    fn of_cluster(policy: &ClusterTestPolicy) -> Self {
        Self {
            name: policy.metadata.name.clone().unwrap_or_default(),
            title: title(&policy.metadata),
            selects: policy.spec.selects.clone().unwrap_or_default(),
            spec: policy.spec.policy.clone(),
        }
    }

    fn of_team(policy: &TestPolicy) -> Self {
        Self {
            name: policy.metadata.name.clone().unwrap_or_default(),
            title: title(&policy.metadata),
            selects: policy.spec.selects.clone().unwrap_or_default(),
            spec: policy.spec.policy.clone(),
        }
    }

    fn check(&self, policy: &str, errors: &mut Vec<PolicyError>) {
        let policy = || policy.to_owned();
        let selectors = [
            &self.selects.namespace_selector,
            &self.selects.object_selector,
        ];
        for selector in selectors.into_iter().flatten() {
            if let Some(operator) = selector::illegal_operator(selector) {
                errors.push(PolicyError::Operator {
                    policy: policy(),
                    operator: operator.to_owned(),
                });
            }
        }
        let inject = self.spec.inject.as_ref();
        let reporter = self.spec.reporter.as_ref();
        let resources = [
            inject.and_then(|inject| inject.resources.as_ref()),
            reporter.and_then(|reporter| reporter.resources.as_ref()),
        ];
        for resources in resources.into_iter().flatten() {
            let lists = [&resources.requests, &resources.limits, &resources.max];
            for (resource, value) in lists.into_iter().flatten() {
                if Amount::parse(&value.0).is_none() {
                    errors.push(PolicyError::Quantity {
                        policy: policy(),
                        resource: resource.clone(),
                        value: value.0.clone(),
                    });
                }
            }
        }
        for (service, value) in inject.iter().flat_map(|inject| &inject.services) {
            if !is_service_address(value) {
                errors.push(PolicyError::Service {
                    policy: policy(),
                    service: service.clone(),
                    value: value.clone(),
                });
            }
        }
        for rule in &self.spec.rules {
            let code = rule.code.clone();
            if !crate::merge::is_code(&code) {
                errors.push(PolicyError::Code {
                    policy: policy(),
                    code: code.clone(),
                });
            }
            for exception in &rule.exceptions {
                if exception.reason.trim().is_empty() {
                    errors.push(PolicyError::Reason {
                        policy: policy(),
                        code: code.clone(),
                    });
                }
                if let Err(source) = exception.expires.parse::<Date>() {
                    errors.push(PolicyError::Date {
                        policy: policy(),
                        code: code.clone(),
                        date: exception.expires.clone(),
                        source,
                    });
                }
            }
        }
    }
}

fn title(metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> String {
    let name = metadata.name.as_deref().unwrap_or_default();
    match metadata.generation {
        Some(generation) => format!("{name}@{generation}"),
        None => name.to_owned(),
    }
}

/// `host` or `host:port`, of another host than the pod itself.
fn is_service_address(address: &str) -> bool {
    let (host, port) = match address.split_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok()),
        None => (address, Some(1)),
    };
    let is_name = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let mut labels = host.strip_suffix('.').unwrap_or(host).split('.');
    labels.all(is_name) && port.is_some_and(|port| port > 0) && !is_loopback(host)
}
