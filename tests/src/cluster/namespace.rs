//! A namespace of a test's own.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::Cluster;
use crate::run;
use crate::wait::until;

/// How long a new namespace may take until a pod is admitted to it.
const READY_DEADLINE: Duration = Duration::from_mins(1);

/// How long a pod may take to end, or a condition to come true; many times what it takes, as the machine may be busy.
const POD_DEADLINE: Duration = Duration::from_mins(2);

/// The PodSecurity level that a namespace enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodSecurity {
    /// What most teams have.
    Restricted,
    /// Root is allowed, host access is not.
    Baseline,
    /// Anything is allowed.
    Privileged,
}

impl PodSecurity {
    fn level(self) -> &'static str {
        match self {
            Self::Restricted => "restricted",
            Self::Baseline => "baseline",
            Self::Privileged => "privileged",
        }
    }
}

/// A namespace on a cluster.
#[derive(Debug)]
pub struct Namespace<'a> {
    cluster: &'a Cluster,
    name: String,
}

impl<'a> Namespace<'a> {
    /// Makes the namespace and returns when pods can be created in it.
    pub(crate) fn create(
        cluster: &'a Cluster,
        name: String,
        security: PodSecurity,
    ) -> Result<Self> {
        let manifest = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": name, "labels": { "pod-security.kubernetes.io/enforce": security.level() } },
        });
        run::output_with_input(
            cluster.node().kubectl()?.args(["create", "-f", "-"]),
            &manifest.to_string(),
        )?;
        let namespace = Self { cluster, name };
        until("the namespace's service account", READY_DEADLINE, || {
            namespace
                .kubectl(&["get", "serviceaccount", "default"])
                .map(Some)
        })?;
        Ok(namespace)
    }

    /// Begins the namespace's end, without waiting for it.
    pub(crate) fn delete(cluster: &Cluster, name: &str) -> Result<()> {
        cluster
            .kubectl(&["delete", "namespace", name, "--wait=false"])
            .map(drop)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster.
    pub fn cluster(&self) -> &'a Cluster {
        self.cluster
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.cluster.node().kubectl()?;
        command.arg("--namespace").arg(&self.name).args(arguments);
        Ok(command)
    }

    /// Runs kubectl in this namespace; yields what it prints. An error has what it said.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        run::output(&mut self.command(arguments)?)
    }

    /// Applies manifests (YAML or JSON), which must be accepted. Yields what kubectl said on both streams, warnings too.
    pub fn accepts(&self, what: &str, manifests: &str) -> Result<String> {
        let (accepted, words) = self.apply(manifests)?;
        if !accepted {
            bail!("{what} was refused:\n{words}");
        }
        Ok(words)
    }

    /// Applies manifests, which must be refused. Yields what kubectl said.
    pub fn rejects(&self, what: &str, manifests: &str) -> Result<String> {
        let (accepted, words) = self.apply(manifests)?;
        if accepted {
            bail!("{what} was accepted:\n{words}");
        }
        Ok(words)
    }

    fn apply(&self, manifests: &str) -> Result<(bool, String)> {
        let output = run::finish_with_input(&mut self.command(&["apply", "-f", "-"])?, manifests)?;
        Ok((output.status.success(), run::said(&output)))
    }

    /// An object (`get(&["pod", "web"])`) or a list (`get(&["pods", "-l", "app=web"])`).
    pub fn get(&self, arguments: &[&str]) -> Result<Value> {
        self.cluster
            .get(&[&["--namespace", &self.name], arguments].concat())
    }

    /// Waits until an object is as `condition` wants it, and yields it.
    pub fn wait_for(
        &self,
        what: &str,
        object: &[&str],
        condition: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        until(what, POD_DEADLINE, || {
            let seen = self.get(object)?;
            if condition(&seen) {
                return Ok(Some(seen));
            }
            bail!(
                "{} is {}",
                object.join("/"),
                seen.get("status").unwrap_or(&seen)
            )
        })
    }

    /// Creates a pod that runs a shell script in the busybox image and meets `restricted`; it is never restarted.
    pub fn run_script(&self, pod: &str, script: &str) -> Result<()> {
        let manifest = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": pod, "labels": { "app": pod } },
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 1,
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": 1000,
                    "fsGroup": 1000,
                    "seccompProfile": { "type": "RuntimeDefault" },
                },
                "containers": [{
                    "name": "main",
                    "image": crate::image::Image::Busybox.name(),
                    "command": ["sh", "-c", script],
                    "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
                }],
            },
        });
        self.accepts("the pod", &manifest.to_string()).map(drop)
    }

    /// Waits until a pod has ended; yields its phase (`Succeeded` or `Failed`) and its log.
    pub fn ended(&self, pod: &str) -> Result<(String, String)> {
        let phase = |pod: &Value| {
            pod.pointer("/status/phase")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let ended = self.wait_for(&format!("the end of the pod {pod}"), &["pod", pod], |pod| {
            matches!(phase(pod).as_str(), "Succeeded" | "Failed")
        })?;
        let log = self.logs(pod).context("The log of an ended pod is gone.")?;
        Ok((phase(&ended), log))
    }

    /// The log of all containers of a pod.
    pub fn logs(&self, pod: &str) -> Result<String> {
        self.kubectl(&["logs", pod, "--all-containers"])
    }
}
