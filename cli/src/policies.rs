//! The policies that files are judged by, and what the files say of the cluster around them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use proctor_api::{ClusterTestPolicy, PullPolicy, TestPolicy};
use proctor_policy::{Compiled, Context, Operation, Platform, ReporterPlatform, Services};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::Failure;
use crate::input;

/// `--policy`
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyFiles {
    /// YAML with ClusterTestPolicy and TestPolicy objects, and Namespaces and Services for what is known of the cluster; a file or a folder; may be repeated [default: the built-in policy]
    #[arg(long = "policy", value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What objects are judged by.
#[derive(Debug)]
pub(crate) struct Judge {
    compiled: Compiled,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    services: Services,
    now: Timestamp,
}

impl PolicyFiles {
    /// Reads the files.
    pub(crate) fn judge(&self) -> Result<Judge, Failure> {
        let mut cluster: Vec<ClusterTestPolicy> = Vec::new();
        let mut teams: Vec<TestPolicy> = Vec::new();
        let mut namespaces = BTreeMap::new();
        let mut services = Services::default();
        for file in &self.files {
            let mut known = false;
            for document in input::read(file)? {
                let object = document.node.value();
                let text = |pointer: &str| {
                    object
                        .pointer(pointer)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                };
                match text("/kind") {
                    "ClusterTestPolicy" => cluster.push(typed(&document.file, &object)?),
                    "TestPolicy" => teams.push(typed(&document.file, &object)?),
                    "Namespace" => {
                        namespaces.insert(text("/metadata/name").to_owned(), labels(&object));
                    }
                    "Service" => {
                        let namespace =
                            Some(text("/metadata/namespace")).filter(|name| !name.is_empty());
                        services.insert(
                            namespace.unwrap_or("default"),
                            text("/metadata/name"),
                            ports(&object),
                        );
                    }
                    _ => continue,
                }
                known = true;
            }
            if !known {
                return Err(Failure::NoPolicy { path: file.clone() });
            }
        }
        let compiled = Compiled::new(&cluster, &teams, platform()).map_err(Failure::Compile)?;
        Ok(Judge {
            compiled,
            namespaces,
            services,
            now: Timestamp::now(),
        })
    }
}

impl Judge {
    /// What decides.
    pub(crate) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// Calls `decide` with what is known around an object of this namespace that is created.
    pub(crate) fn in_namespace<T>(
        &self,
        namespace: &str,
        decide: impl FnOnce(&Compiled, &Context<'_>) -> T,
    ) -> T {
        let mut labels = self.namespaces.get(namespace).cloned().unwrap_or_default();
        // The API server gives every namespace this label.
        labels.insert(
            "kubernetes.io/metadata.name".to_owned(),
            namespace.to_owned(),
        );
        let context = Context {
            now: self.now,
            operation: Operation::Create,
            namespace,
            namespace_labels: &labels,
            services: &self.services,
        };
        decide(&self.compiled, &context)
    }
}

/// What the chart installs by default, seen from outside a cluster.
fn platform() -> Platform {
    Platform {
        reporter: Some(ReporterPlatform {
            image: concat!("proctor.dev/sidecar:", env!("CARGO_PKG_VERSION")).to_owned(),
            pull_policy: PullPolicy::IfNotPresent,
            pull_secrets: Vec::new(),
            collector_url: "https://proctor-collector.proctor-system.svc:8443".to_owned(),
            collector_ca: "(the collector's authority, known in the cluster)".to_owned(),
        }),
        ..Platform::default()
    }
}

fn typed<T: DeserializeOwned>(file: &Path, object: &Value) -> Result<T, Failure> {
    serde_json::from_value(object.clone()).map_err(|error| Failure::Policy {
        path: file.to_owned(),
        kind: object
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        name: object
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        reason: error.to_string(),
    })
}

fn labels(object: &Value) -> BTreeMap<String, String> {
    let labels = object
        .pointer("/metadata/labels")
        .and_then(Value::as_object);
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    labels.into_iter().flatten().filter_map(text).collect()
}

fn ports(object: &Value) -> Vec<u16> {
    let ports = object.pointer("/spec/ports").and_then(Value::as_array);
    let number = |port: &Value| {
        port.get("port")
            .and_then(Value::as_u64)
            .and_then(|port| u16::try_from(port).ok())
    };
    ports.into_iter().flatten().filter_map(number).collect()
}
