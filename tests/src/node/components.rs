//! The components of a node: programs with their arguments.

use super::layout::{INSIDE, NODE_ADDRESS, NODE_NAME, SERVICES};

/// A program that runs as long as the node.
#[derive(Debug, Clone)]
pub(super) struct Component {
    pub(super) name: &'static str,
    pub(super) arguments: Vec<String>,
}

fn component(name: &'static str, arguments: &[&str]) -> Component {
    Component {
        name,
        arguments: arguments
            .iter()
            .map(|argument| argument.replace('@', INSIDE))
            .collect(),
    }
}

/// What runs before the API server answers.
pub(super) fn foundation() -> Vec<Component> {
    vec![
        component(
            "etcd",
            &[
                "--data-dir=@/etcd",
                "--listen-client-urls=http://127.0.0.1:2379",
                "--advertise-client-urls=http://127.0.0.1:2379",
                "--listen-peer-urls=http://127.0.0.1:2380",
                // The data dies with the node, so nothing is gained by waiting for the disk.
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
        ),
        component(
            "containerd",
            &["--config=@/etc/containerd.toml", "--log-level=info"],
        ),
        component(
            "kube-apiserver",
            &[
                &format!("--advertise-address={NODE_ADDRESS}"),
                "--allow-privileged=true",
                "--audit-log-path=@/logs/audit.log",
                "--audit-policy-file=@/etc/audit.json",
                "--authorization-mode=Node,RBAC",
                "--client-ca-file=@/pki/ca.crt",
                "--enable-admission-plugins=NodeRestriction",
                "--etcd-servers=http://127.0.0.1:2379",
                "--kubelet-certificate-authority=@/pki/ca.crt",
                "--kubelet-client-certificate=@/pki/apiserver-to-kubelet.crt",
                "--kubelet-client-key=@/pki/apiserver-to-kubelet.key",
                "--kubelet-preferred-address-types=InternalIP",
                "--proxy-client-cert-file=@/pki/front-proxy.crt",
                "--proxy-client-key-file=@/pki/front-proxy.key",
                "--requestheader-allowed-names=front-proxy-client",
                "--requestheader-client-ca-file=@/pki/ca.crt",
                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                "--requestheader-group-headers=X-Remote-Group",
                "--requestheader-username-headers=X-Remote-User",
                "--secure-port=6443",
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                "--service-account-key-file=@/pki/tokens.pub",
                "--service-account-signing-key-file=@/pki/tokens.key",
                &format!("--service-cluster-ip-range={SERVICES}"),
                "--tls-cert-file=@/pki/apiserver.crt",
                "--tls-private-key-file=@/pki/apiserver.key",
            ],
        ),
    ]
}

/// What runs when the API server answers.
pub(super) fn cluster() -> Vec<Component> {
    vec![
        component(
            "kubelet",
            &[
                "--config=@/etc/kubelet.json",
                "--kubeconfig=@/etc/kubelet.kubeconfig",
                "--root-dir=@/kubelet",
                &format!("--hostname-override={NODE_NAME}"),
                &format!("--node-ip={NODE_ADDRESS}"),
            ],
        ),
        component(
            "kube-controller-manager",
            &[
                "--kubeconfig=@/etc/controller-manager.kubeconfig",
                "--authentication-kubeconfig=@/etc/controller-manager.kubeconfig",
                "--authorization-kubeconfig=@/etc/controller-manager.kubeconfig",
                "--bind-address=127.0.0.1",
                // The default rate makes the start of its many controllers take seconds.
                "--kube-api-qps=500",
                "--kube-api-burst=1000",
                "--leader-elect=false",
                "--root-ca-file=@/pki/ca.crt",
                "--service-account-private-key-file=@/pki/tokens.key",
                "--use-service-account-credentials=true",
                "--flex-volume-plugin-dir=@/volume-plugins",
                // New volumes and claims are looked at this often.
                "--pvclaimbinder-sync-period=1s",
            ],
        ),
        component(
            "kube-scheduler",
            &[
                "--kubeconfig=@/etc/scheduler.kubeconfig",
                "--authentication-kubeconfig=@/etc/scheduler.kubeconfig",
                "--authorization-kubeconfig=@/etc/scheduler.kubeconfig",
                "--bind-address=127.0.0.1",
                "--leader-elect=false",
            ],
        ),
        component(
            "kube-proxy",
            &[
                "--kubeconfig=@/etc/proxy.kubeconfig",
                "--proxy-mode=nftables",
                &format!("--hostname-override={NODE_NAME}"),
                // Limits of the whole machine's connection tracking are not a node's to set.
                "--conntrack-max-per-core=0",
                "--conntrack-min=0",
                "--conntrack-tcp-timeout-established=0s",
                "--conntrack-tcp-timeout-close-wait=0s",
            ],
        ),
        component("coredns", &["-conf", "@/etc/Corefile"]),
    ]
}
