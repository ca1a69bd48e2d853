//! The configuration files of a node's components, rendered into its state folder.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::layout::{
    API_SERVER, DNS_SERVICE, INSIDE, KUBERNETES_SERVICE, NODE_ADDRESS, NODE_NAME, PAUSE_IMAGE,
    PODS, State, VOLUMES,
};
use super::pki::{Authority, token_keys};
use crate::toolchain::Toolchain;

/// Kubernetes' own group of those who may do everything.
const MASTERS: Option<&str> = Some("system:masters");

/// Writes everything that the components read.
pub(super) fn write(state: &State, programs: &Toolchain, cgroup: &str) -> Result<()> {
    write_identities(state)?;
    let cni_folder = programs.program("ptp")?.parent().unwrap_or(Path::new("/"));
    put(
        state,
        "etc/containerd.toml",
        &containerd(programs.program("runc")?, cni_folder),
    )?;
    put(state, "etc/registries/_default/hosts.toml", REGISTRIES)?;
    put(state, "etc/cni/10-pods.conflist", &cni())?;
    put(state, "etc/kubelet.json", &kubelet(cgroup))?;
    put(state, "etc/audit.json", AUDIT)?;
    put(state, "etc/Corefile", &corefile())?;
    put(state, "etc/objects.json", &objects())
}

fn put(state: &State, name: &str, content: &str) -> Result<()> {
    let path = state.path(name);
    let folder = path.parent().unwrap_or(state.folder());
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, content))
        .with_context(|| format!("{} cannot be written.", path.display()))
}

fn write_identities(state: &State) -> Result<()> {
    let authority = Authority::new()?;
    put(state, "pki/ca.crt", &authority.certificate())?;
    let serving = [
        NODE_ADDRESS,
        KUBERNETES_SERVICE,
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    for (file, leaf) in [
        (
            "apiserver",
            authority.leaf("kube-apiserver", None, &serving)?,
        ),
        (
            "apiserver-to-kubelet",
            authority.leaf("kube-apiserver-kubelet-client", MASTERS, &[])?,
        ),
        (
            "front-proxy",
            authority.leaf("front-proxy-client", None, &[])?,
        ),
        (
            "kubelet",
            authority.leaf(
                &format!("system:node:{NODE_NAME}"),
                None,
                &[NODE_NAME, NODE_ADDRESS],
            )?,
        ),
    ] {
        put(state, &format!("pki/{file}.crt"), &leaf.certificate)?;
        put(state, &format!("pki/{file}.key"), &leaf.key)?;
    }
    let (private, public) = token_keys()?;
    put(state, "pki/tokens.key", &private)?;
    put(state, "pki/tokens.pub", &public)?;
    for (file, user, group) in [
        ("kubeconfig", "admin", MASTERS),
        (
            "etc/controller-manager.kubeconfig",
            "system:kube-controller-manager",
            None,
        ),
        ("etc/scheduler.kubeconfig", "system:kube-scheduler", None),
        ("etc/proxy.kubeconfig", "system:kube-proxy", None),
        (
            "etc/kubelet.kubeconfig",
            &format!("system:node:{NODE_NAME}"),
            Some("system:nodes"),
        ),
    ] {
        put(state, file, &authority.kubeconfig(API_SERVER, user, group)?)?;
    }
    Ok(())
}

/// `restrict_oom_score_adj`: containers of guaranteed pods ask for a score that a machine without `CAP_SYS_RESOURCE` refuses.
fn containerd(runc: &Path, cni_folder: &Path) -> String {
    format!(
        r#"version = 3
root = "{INSIDE}/containerd"
state = "/run/containerd"

[grpc]
address = "/run/containerd/containerd.sock"

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE_IMAGE}"

[plugins."io.containerd.cri.v1.images".registry]
config_path = "{INSIDE}/etc/registries"

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{cni_folder}"]
conf_dir = "{INSIDE}/etc/cni"
"#,
        runc = runc.display(),
        cni_folder = cni_folder.display(),
    )
}

/// Nothing is ever pulled: a port where nobody listens refuses at once, while a host that does not answer would block the pulls
/// behind it.
const REGISTRIES: &str = r#"server = "http://127.0.0.1:1"
"#;

/// Routed pairs instead of a bridge: what a Service sends back must pass the node's own connection tracking, which between two
/// pods on one bridge needs a kernel module that is not everywhere.
fn cni() -> String {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "ptp",
            "ipMasq": false,
            "ipam": {
                "type": "host-local",
                "dataDir": format!("{INSIDE}/addresses"),
                "ranges": [[{ "subnet": PODS }]],
                "routes": [{ "dst": "0.0.0.0/0" }],
            },
        }],
    })
    .to_string()
}

fn kubelet(cgroup: &str) -> String {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": format!("{INSIDE}/pki/ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{cgroup}"),
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "enforceNodeAllocatable": [],
        // The machine is shared: its fullness must evict nothing, and a preloaded image that was removed could not come back.
        "evictionHard": { "memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%" },
        "imageGCHighThresholdPercent": 100,
        "imageMinimumGCAge": "24h",
        "failCgroupV1": false,
        "failSwapOn": false,
        "localStorageCapacityIsolation": false,
        "nodeStatusUpdateFrequency": "5s",
        "podLogsDir": format!("{INSIDE}/pods"),
        "resolvConf": "/dev/null",
        "serializeImagePulls": false,
        "tlsCertFile": format!("{INSIDE}/pki/kubelet.crt"),
        "tlsPrivateKeyFile": format!("{INSIDE}/pki/kubelet.key"),
        "volumePluginDir": format!("{INSIDE}/volume-plugins"),
    })
    .to_string()
}

/// Who did what, without bodies, and without the steady noise of leases and health checks.
const AUDIT: &str = r#"{
  "apiVersion": "audit.k8s.io/v1",
  "kind": "Policy",
  "omitStages": ["RequestReceived"],
  "rules": [
    { "level": "None", "verbs": ["get", "list", "watch"] },
    { "level": "None", "resources": [{ "group": "coordination.k8s.io", "resources": ["leases"] }] },
    { "level": "Metadata" }
  ]
}
"#;

/// Names outside the cluster do not exist; said at once, where a refusal would make resolvers try again. In a block of its own,
/// because within one block `template` is asked before `kubernetes`.
fn corefile() -> String {
    format!(
        "cluster.local:53 in-addr.arpa:53 {{
    bind {NODE_ADDRESS}
    errors
    kubernetes {{
        kubeconfig {INSIDE}/kubeconfig
        ttl 1
    }}
}}

.:53 {{
    bind {NODE_ADDRESS}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"
    )
}

/// What a cluster has from its first minute: DNS, and a default `StorageClass` with volumes to claim.
fn objects() -> String {
    let label = json!({ "kubernetes.io/service-name": "kube-dns" });
    let ports =
        |name: &str, protocol: &str| json!({ "name": name, "port": 53, "protocol": protocol });
    let dns = [ports("dns", "UDP"), ports("dns-tcp", "TCP")];
    let mut items = vec![
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": "kube-dns", "namespace": "kube-system" },
            "spec": { "clusterIP": DNS_SERVICE, "ports": dns },
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": { "name": "kube-dns", "namespace": "kube-system", "labels": label },
            "addressType": "IPv4",
            "endpoints": [{ "addresses": [NODE_ADDRESS], "conditions": { "ready": true } }],
            "ports": dns,
        }),
        json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": { "name": "local", "annotations": { "storageclass.kubernetes.io/is-default-class": "true" } },
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
        }),
    ];
    items.extend((0..VOLUMES).map(volume));
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

/// A local volume, because the kubelet gives those to a pod's fsGroup, which it does not for a hostPath.
fn volume(number: usize) -> serde_json::Value {
    let here = json!({ "key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME] });
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": volume_name(number) },
        "spec": {
            "capacity": { "storage": "20Gi" },
            "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "local",
            "local": { "path": format!("{INSIDE}/volumes/{}", volume_name(number)) },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [here] }] } },
        },
    })
}

/// The name of a volume, and of its folder.
pub(super) fn volume_name(number: usize) -> String {
    format!("volume-{number:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_structured_file_is_well_formed() {
        for text in [cni(), kubelet("proctor-x"), objects(), AUDIT.to_owned()] {
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        }
    }

    #[test]
    fn the_kubelet_makes_its_cgroups_below_the_nodes_own() {
        assert!(kubelet("proctor-x").contains(r#""cgroupRoot":"/proctor-x""#));
    }
}
