//! What the API server trusts: `caBundle` in the webhook configurations that the chart owns.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use proctor_certs::{Bundle, BundleError};
use serde::Deserialize;
use serde_json::json;

use super::FIELD_MANAGER;

/// The mutating and the validating webhook configuration of one name.
#[derive(Debug)]
pub(crate) struct Configurations {
    name: String,
    kinds: [(ApiResource, Api<DynamicObject>); 2],
}

/// Why the API server does not trust the webhook.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigurationError {
    #[error(
        "the {kind} {name} does not exist; install the chart, or give its name by --webhook-configuration"
    )]
    Missing { kind: String, name: String },
    #[error("the {kind} {name} cannot be read; the service account needs `get` on it")]
    Read {
        kind: String,
        name: String,
        #[source]
        source: kube::Error,
    },
    #[error(
        "the {kind} {name} could not be told what to trust; the service account needs `patch` on it"
    )]
    Write {
        kind: String,
        name: String,
        #[source]
        source: kube::Error,
    },
    #[error("the {kind} {name} has no webhooks in the form that Kubernetes gives them")]
    Shape {
        kind: String,
        name: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("what the {kind} {name} trusts is not readable though it was just written")]
    Trusted {
        kind: String,
        name: String,
        #[source]
        source: BundleError,
    },
}

#[derive(Deserialize)]
struct Hooks {
    #[serde(default)]
    webhooks: Vec<Hook>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hook {
    name: String,
    client_config: ClientConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientConfig {
    #[serde(default)]
    ca_bundle: Option<String>,
}

impl Configurations {
    pub(crate) fn new(client: &Client, name: &str) -> Self {
        let of = |resource: ApiResource| {
            let api = Api::all_with(client.clone(), &resource);
            (resource, api)
        };
        Self {
            name: name.to_owned(),
            kinds: [
                of(ApiResource::erase::<MutatingWebhookConfiguration>(&())),
                of(ApiResource::erase::<ValidatingWebhookConfiguration>(&())),
            ],
        }
    }

    /// Makes every webhook of both configurations trust the bundle, and gives back what they trust now.
    pub(crate) async fn publish(&self, bundle: &Bundle) -> Result<Vec<Bundle>, ConfigurationError> {
        let mut trusted = Vec::new();
        for (resource, api) in &self.kinds {
            let configuration = Configuration {
                kind: &resource.kind,
                name: &self.name,
                api,
            };
            trusted.extend(configuration.publish(bundle).await?);
        }
        Ok(trusted)
    }
}

struct Configuration<'a> {
    kind: &'a str,
    name: &'a str,
    api: &'a Api<DynamicObject>,
}

impl Configuration<'_> {
    async fn publish(&self, bundle: &Bundle) -> Result<Vec<Bundle>, ConfigurationError> {
        let (kind, name) = (self.kind.to_owned(), self.name.to_owned());
        let live = match self.api.get_opt(self.name).await {
            Ok(Some(live)) => live,
            Ok(None) => return Err(ConfigurationError::Missing { kind, name }),
            Err(source) => return Err(ConfigurationError::Read { kind, name, source }),
        };
        let wanted = STANDARD.encode(bundle.to_pem());
        let uid = live.metadata.uid.as_deref();
        let mut hooks = self.hooks(&live)?;
        if hooks.iter().any(|hook| hook.trusts() != wanted) {
            let patch = Self::patch(&hooks, &wanted, uid);
            let params = PatchParams {
                field_manager: Some(FIELD_MANAGER.to_owned()),
                ..PatchParams::default()
            };
            let written = self
                .api
                .patch(self.name, &params, &Patch::Strategic(patch))
                .await;
            let written =
                written.map_err(|source| ConfigurationError::Write { kind, name, source })?;
            tracing::info!(
                kind = self.kind,
                name = self.name,
                "told the API server what to trust"
            );
            hooks = self.hooks(&written)?;
        }
        let mut texts: Vec<String> = hooks.iter().map(Hook::decoded).collect();
        texts.sort();
        texts.dedup();
        let bundles = texts.iter().map(|text| Bundle::from_pem(text));
        bundles
            .collect::<Result<_, _>>()
            .map_err(|source| ConfigurationError::Trusted {
                kind: self.kind.to_owned(),
                name: self.name.to_owned(),
                source,
            })
    }

    /// The API server merges the list by name, so naming each webhook and its bundle is enough, and all that the webhook owns in the
    /// end is the bundle. Server-side apply would own the list's entry as well, and keep Helm 4 from removing it
    /// (docs/decisions/0006-ca-bundle.md). The uid keeps the patch off a configuration that was made anew in the meantime.
    fn patch(hooks: &[Hook], bundle: &str, uid: Option<&str>) -> serde_json::Value {
        let webhooks: Vec<_> = hooks
            .iter()
            .map(|hook| json!({"name": hook.name, "clientConfig": {"caBundle": bundle}}))
            .collect();
        json!({
            "metadata": {"uid": uid},
            "webhooks": webhooks,
        })
    }

    fn hooks(&self, object: &DynamicObject) -> Result<Vec<Hook>, ConfigurationError> {
        Hooks::deserialize(&object.data)
            .map(|hooks| hooks.webhooks)
            .map_err(|source| ConfigurationError::Shape {
                kind: self.kind.to_owned(),
                name: self.name.to_owned(),
                source,
            })
    }
}

impl Hook {
    fn trusts(&self) -> &str {
        self.client_config.ca_bundle.as_deref().unwrap_or_default()
    }

    fn decoded(&self) -> String {
        let bytes = STANDARD.decode(self.trusts()).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }
}
