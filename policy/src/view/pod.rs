//! What is judged of a pod's specification, in every kind of container.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::lenient::Amount;
use super::{List, Map, Text};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodSpec<'a> {
    #[serde(borrow)]
    pub(crate) containers: List<Container<'a>>,
    #[serde(borrow)]
    pub(crate) init_containers: List<Container<'a>>,
    #[serde(borrow)]
    pub(crate) ephemeral_containers: List<Container<'a>>,
    #[serde(borrow)]
    pub(crate) volumes: List<Named<'a>>,
    #[serde(borrow)]
    pub(crate) host_aliases: List<HostAlias<'a>>,
    #[serde(borrow)]
    pub(crate) image_pull_secrets: List<Named<'a>>,
    #[serde(borrow)]
    pub(crate) dns_policy: Text<'a>,
    #[serde(borrow)]
    pub(crate) dns_config: Option<DnsConfig<'a>>,
    #[serde(borrow)]
    pub(crate) restart_policy: Text<'a>,
    pub(crate) active_deadline_seconds: Option<i64>,
    pub(crate) security_context: Option<SecurityContext>,
}

/// The three lists of containers in a pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ContainerList {
    Init,
    Main,
    Ephemeral,
}

impl ContainerList {
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Init => "initContainers",
            Self::Main => "containers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

impl<'a> PodSpec<'a> {
    /// Every container of every kind, with its index in its list.
    pub(crate) fn indexed_containers(
        &self,
    ) -> impl Iterator<Item = (ContainerList, usize, &Container<'a>)> {
        let lists = [
            (ContainerList::Init, &self.init_containers),
            (ContainerList::Main, &self.containers),
            (ContainerList::Ephemeral, &self.ephemeral_containers),
        ];
        lists.into_iter().flat_map(|(list, containers)| {
            let containers = containers.iter().enumerate();
            containers.map(move |(index, container)| (list, index, container))
        })
    }

    /// Every container of every kind.
    pub(crate) fn all_containers(&self) -> impl Iterator<Item = &Container<'a>> {
        self.indexed_containers().map(|(_, _, container)| container)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Container<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) image: Text<'a>,
    #[serde(borrow)]
    pub(crate) command: List<Text<'a>>,
    #[serde(borrow)]
    pub(crate) args: List<Text<'a>>,
    #[serde(borrow)]
    pub(crate) env: List<EnvVar<'a>>,
    #[serde(borrow)]
    pub(crate) env_from: List<EnvFrom<'a>>,
    pub(crate) ports: List<Port>,
    #[serde(borrow)]
    pub(crate) resources: Option<Resources<'a>>,
    #[serde(borrow)]
    pub(crate) volume_mounts: List<Mount<'a>>,
    #[serde(borrow)]
    pub(crate) restart_policy: Text<'a>,
    pub(crate) security_context: Option<SecurityContext>,
    #[serde(borrow)]
    pub(crate) lifecycle: Option<Lifecycle<'a>>,
    #[serde(borrow)]
    pub(crate) liveness_probe: Option<Handler<'a>>,
    #[serde(borrow)]
    pub(crate) readiness_probe: Option<Handler<'a>>,
    #[serde(borrow)]
    pub(crate) startup_probe: Option<Handler<'a>>,
}

impl Container<'_> {
    /// Whether it runs beside the containers that come after it (KEP-753).
    pub(crate) fn is_native_sidecar(&self) -> bool {
        &*self.restart_policy == "Always"
    }

    pub(crate) fn env_var(&self, name: &str) -> Option<&EnvVar<'_>> {
        self.env.iter().find(|var| &*var.name == name)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EnvVar<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) value: Text<'a>,
    pub(crate) value_from: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EnvFrom<'a> {
    #[serde(borrow)]
    pub(crate) prefix: Text<'a>,
    #[serde(borrow)]
    pub(crate) secret_ref: Option<Named<'a>>,
    #[serde(borrow)]
    pub(crate) config_map_ref: Option<Named<'a>>,
}

/// Anything of which only the name matters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Port {
    pub(crate) container_port: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Resources<'a> {
    #[serde(borrow)]
    pub(crate) requests: Map<'a, Amount<'a>>,
    #[serde(borrow)]
    pub(crate) limits: Map<'a, Amount<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Mount<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) mount_path: Text<'a>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SecurityContext {
    pub(crate) run_as_user: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Lifecycle<'a> {
    #[serde(borrow)]
    pub(crate) post_start: Option<Handler<'a>>,
    #[serde(borrow)]
    pub(crate) pre_stop: Option<Handler<'a>>,
}

/// A probe, or what a hook does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Handler<'a> {
    #[serde(borrow)]
    pub(crate) exec: Option<Exec<'a>>,
    #[serde(borrow)]
    pub(crate) http_get: Option<HttpGet<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Exec<'a> {
    #[serde(borrow)]
    pub(crate) command: List<Text<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct HttpGet<'a> {
    #[serde(borrow)]
    pub(crate) path: Text<'a>,
    #[serde(borrow)]
    pub(crate) http_headers: List<Header<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Header<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) value: Text<'a>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HostAlias<'a> {
    #[serde(borrow)]
    pub(crate) ip: Text<'a>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DnsConfig<'a> {
    #[serde(borrow)]
    pub(crate) searches: List<Text<'a>>,
    #[serde(borrow)]
    pub(crate) options: List<Named<'a>>,
}
