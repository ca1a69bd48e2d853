//! What is built, from which Go module, in which version: the one place of pinned versions.

/// The version of Kubernetes; of its staging modules it is `0.` followed by what comes after the first dot.
pub const KUBERNETES: &str = "v1.36.3";

/// Counted up when the way of building changes, so that no entry of the old way is used.
pub(super) const RECIPE_REVISION: &str = "1";

/// A file of a module of ours, embedded so that the binary `testbed` works from anywhere.
pub(super) type ModuleFile = (&'static str, &'static str);

/// Where a recipe's source comes from. Go verifies both against checksums: of our `go.sum`, or of the public checksum database.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// A module of ours which requires the real one, for those that need replacements or a main of their own.
    Module(&'static [ModuleFile]),
    /// A published module that `go install` builds as it is.
    Published,
}

/// One program: its file name in the cache, and its Go package.
pub(super) type Build = (&'static str, &'static str);

/// Programs that are built together and kept as one cache entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipe {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) source: Source,
    pub(super) builds: &'static [Build],
    pub(super) cgo: bool,
    pub(super) tags: &'static str,
    /// Whether the programs get Kubernetes' version stamped in; without it the API server says v0.0.0 and clients complain.
    pub(super) stamp: bool,
}

const PLAIN: Recipe = Recipe {
    name: "",
    version: "",
    source: Source::Module(&[]),
    builds: &[],
    cgo: false,
    tags: "",
    stamp: false,
};

const KUBERNETES_MODULE: Source = Source::Module(&[
    ("go.mod", include_str!("../../toolchain/kubernetes/go.mod")),
    ("go.sum", include_str!("../../toolchain/kubernetes/go.sum")),
    (
        "tools.go",
        include_str!("../../toolchain/kubernetes/tools.go"),
    ),
]);

const ETCD_MODULE: Source = Source::Module(&[
    ("go.mod", include_str!("../../toolchain/etcd/go.mod")),
    ("go.sum", include_str!("../../toolchain/etcd/go.sum")),
    ("main.go", include_str!("../../toolchain/etcd/main.go")),
]);

/// Everything the testbed runs.
pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "kube-apiserver",
        version: KUBERNETES,
        source: KUBERNETES_MODULE,
        builds: &[("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver")],
        stamp: true,
        ..PLAIN
    },
    Recipe {
        name: "kube-controller-manager",
        version: KUBERNETES,
        source: KUBERNETES_MODULE,
        builds: &[(
            "kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
        )],
        stamp: true,
        ..PLAIN
    },
    Recipe {
        name: "kubernetes",
        version: KUBERNETES,
        source: KUBERNETES_MODULE,
        builds: &[
            ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
            ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        ],
        stamp: true,
        ..PLAIN
    },
    Recipe {
        name: "etcd",
        version: "v3.6.5",
        source: ETCD_MODULE,
        builds: &[("etcd", "proctor.dev/testbed/etcd")],
        ..PLAIN
    },
    Recipe {
        name: "containerd",
        version: "v2.4.2",
        source: Source::Published,
        builds: &[
            (
                "containerd",
                "github.com/containerd/containerd/v2/cmd/containerd",
            ),
            ("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
            (
                "containerd-shim-runc-v2",
                "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
            ),
        ],
        tags: "no_btrfs",
        ..PLAIN
    },
    Recipe {
        name: "runc",
        version: "v1.5.2",
        source: Source::Published,
        builds: &[("runc", "github.com/opencontainers/runc")],
        cgo: true,
        tags: "seccomp netgo osusergo",
        ..PLAIN
    },
    Recipe {
        name: "cni",
        version: "v1.9.1",
        source: Source::Published,
        builds: &[
            (
                "ptp",
                "github.com/containernetworking/plugins/plugins/main/ptp",
            ),
            (
                "host-local",
                "github.com/containernetworking/plugins/plugins/ipam/host-local",
            ),
            (
                "loopback",
                "github.com/containernetworking/plugins/plugins/main/loopback",
            ),
        ],
        ..PLAIN
    },
    Recipe {
        name: "coredns",
        version: "v1.15.0",
        source: Source::Published,
        builds: &[("coredns", "github.com/coredns/coredns")],
        ..PLAIN
    },
    Recipe {
        name: "helm3",
        version: "v3.22.0",
        source: Source::Published,
        builds: &[("helm3", "helm.sh/helm/v3/cmd/helm")],
        ..PLAIN
    },
    Recipe {
        name: "helm4",
        version: "v4.3.1",
        source: Source::Published,
        builds: &[("helm4", "helm.sh/helm/v4/cmd/helm")],
        ..PLAIN
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_pins_the_version_that_is_stamped() {
        let Source::Module(files) = KUBERNETES_MODULE else {
            panic!("Kubernetes needs a module of ours")
        };
        let go_mod = files.iter().find(|(name, _)| *name == "go.mod").unwrap().1;
        assert!(go_mod.contains(&format!("k8s.io/kubernetes {KUBERNETES}\n")));
        let staging = KUBERNETES.replacen("v1.", "v0.", 1);
        let replaced = go_mod
            .lines()
            .filter(|line| line.contains(" => "))
            .collect::<Vec<_>>();
        assert!(
            replaced.len() > 20 && replaced.iter().all(|line| line.ends_with(&staging)),
            "{replaced:?}"
        );
    }

    #[test]
    fn no_program_is_built_twice() {
        let mut programs: Vec<_> = RECIPES
            .iter()
            .flat_map(|recipe| recipe.builds)
            .map(|(program, _)| program)
            .collect();
        let all = programs.len();
        programs.sort_unstable();
        programs.dedup();
        assert_eq!(programs.len(), all);
    }
}
