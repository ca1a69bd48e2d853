//! What is known around an object when it is decided on.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// What is done to the object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the names are the API server's own")]
pub enum Operation {
    Create,
    Update,
}

/// What is known around an object when it is decided on.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The time by which exceptions expire.
    pub now: Timestamp,
    /// What is done to the object.
    pub operation: Operation,
    /// The namespace of the request; an object's own may be empty.
    pub namespace: &'a str,
    /// The labels of that namespace, `kubernetes.io/metadata.name` among them.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// The Services of the cluster, for ways out.
    pub services: &'a Services,
}

/// Services and their ports, by namespace and name.
///
/// ```
/// use proctor_policy::Services;
///
/// let mut services = Services::default();
/// services.insert("shop", "db-rw", vec![5432]);
/// services.remove("shop", "db-rw");
/// assert_eq!(services, Services::default());
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Services(BTreeMap<String, BTreeMap<String, Vec<u16>>>);

impl Services {
    /// Adds a Service, or replaces what was known of it.
    pub fn insert(&mut self, namespace: &str, name: &str, ports: Vec<u16>) {
        let of_namespace = self.0.entry(namespace.to_owned()).or_default();
        of_namespace.insert(name.to_owned(), ports);
    }

    /// Forgets a Service.
    pub fn remove(&mut self, namespace: &str, name: &str) {
        if let Some(of_namespace) = self.0.get_mut(namespace) {
            of_namespace.remove(name);
            if of_namespace.is_empty() {
                self.0.remove(namespace);
            }
        }
    }

    pub(crate) fn of(&self, namespace: &str) -> impl Iterator<Item = (&str, &[u16])> {
        let services = self.0.get(namespace).into_iter().flatten();
        services.map(|(name, ports)| (name.as_str(), ports.as_slice()))
    }
}
