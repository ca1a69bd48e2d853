//! The collector's own authority: kept in a Secret, its bundle published in a ConfigMap, its leaves issued here and nowhere else.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use proctor_certs::{
    AuthorityError, IssueError, Names, Resolver, Rotation, Schedule, ScheduleError, SecretError,
};
use serde_json::json;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::FIELD_MANAGER;
use crate::admin::Ready;
use crate::metrics::Metrics;
use crate::runs::due::chain;

/// The Secret that holds the authority.
const SECRET: &str = "proctor-collector-ca";

/// The ConfigMap that holds what test pods trust.
const BUNDLE: &str = "proctor-collector-bundle";

/// The key of the bundle.
const BUNDLE_KEY: &str = "ca.crt";

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How long a leaf is valid; it lives in memory only.
const LEAF_VALIDITY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How often Secret, ConfigMap and leaf are looked at.
const PERIOD: Duration = Duration::from_mins(1);

/// The pause after an attempt that failed.
const RETRY: Duration = Duration::from_secs(2);

/// Attempts to change a Secret that others change too.
const CONFLICTS: u32 = 5;

/// Why there is no authority.
#[derive(Debug, Error)]
pub enum SharedError {
    /// The API server did not answer as hoped.
    #[error(
        "the {kind} {name} could not be {action}: it must exist, and the collector must be allowed to get and update it"
    )]
    Api {
        /// Secret or ConfigMap.
        kind: &'static str,
        /// Its name.
        name: &'static str,
        /// What was tried.
        action: &'static str,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
    /// Others change it all the time.
    #[error("the Secret {SECRET} changed at every attempt to update it: look who else writes it")]
    Contended,
    /// The Secret holds something else.
    #[error("the Secret {SECRET} does not hold an authority")]
    Secret(#[from] SecretError),
    /// No authority could be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// No leaf could be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The times do not fit.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

impl SharedError {
    fn api(
        kind: &'static str,
        name: &'static str,
        action: &'static str,
    ) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Api {
            kind,
            name,
            action,
            source: Box::new(source),
        }
    }
}

/// A bundle goes into a pod once, at its creation: it propagates as long as the longest run takes, for which a week is ample.
fn schedule() -> Result<Schedule, ScheduleError> {
    Schedule::new(DAY * 730, DAY * 90, DAY * 7, DAY * 14)
}

/// The authority in its Secret.
pub struct SharedAuthority {
    secrets: Api<Secret>,
    bundles: Api<ConfigMap>,
    schedule: Schedule,
    names: Names,
}

impl SharedAuthority {
    /// The authority of the collector in `namespace`; its leaves are for the DNS names of `service`.
    pub fn new(client: Client, namespace: &str, service: &str) -> Result<Self, SharedError> {
        let names = [
            service.to_owned(),
            format!("{service}.{namespace}"),
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}.svc.cluster.local"),
        ];
        Ok(Self {
            secrets: Api::namespaced(client.clone(), namespace),
            bundles: Api::namespaced(client, namespace),
            schedule: schedule()?,
            names: Names::new(names.iter().map(String::as_str)),
        })
    }

    /// A resolver with a first leaf.
    pub async fn first(&self) -> Result<Arc<Resolver>, SharedError> {
        let rotation = self.sync().await?;
        Ok(Resolver::new(rotation.current().issue(
            &self.names,
            LEAF_VALIDITY,
            Timestamp::now(),
        )?))
    }

    /// Keeps Secret, ConfigMap and leaf as they should be.
    pub async fn keep(
        self,
        resolver: Arc<Resolver>,
        ready: Arc<Ready>,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
    ) {
        loop {
            let pause = match self.round(&resolver).await {
                Ok(()) => {
                    ready.published.store(true, Ordering::Relaxed);
                    PERIOD
                }
                Err(error) => {
                    tracing::error!(error = %chain(&error), "the collector's authority could not be looked after");
                    RETRY
                }
            };
            metrics
                .certificate_expiry
                .set(resolver.not_after().as_second());
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn round(&self, resolver: &Resolver) -> Result<(), SharedError> {
        let rotation = self.sync().await?;
        self.publish(&rotation).await?;
        let (leaf, now) = (resolver.leaf(), Timestamp::now());
        if leaf.renew_at() <= now || !leaf.is_issued_by(rotation.current()) {
            resolver.replace(rotation.current().issue(&self.names, LEAF_VALIDITY, now)?);
            tracing::info!("a new certificate is shown from now on");
        }
        Ok(())
    }

    /// Reads the authority, makes it where there is none, and takes the steps that are due.
    async fn sync(&self) -> Result<Rotation, SharedError> {
        for _ in 0..CONFLICTS {
            let found = self
                .secrets
                .get_opt(SECRET)
                .await
                .map_err(SharedError::api("Secret", SECRET, "read"))?;
            let data = found
                .as_ref()
                .and_then(|secret| secret.data.clone())
                .filter(|data| !data.is_empty());
            let now = Timestamp::now();
            let (rotation, changed) = if let Some(data) = data {
                let data = data
                    .into_iter()
                    .map(|(key, value)| (key, value.0))
                    .collect();
                let (rotation, steps) =
                    Rotation::from_secret_data(&data)?.advance(now, &self.schedule)?;
                for step in &steps {
                    tracing::info!(?step, "the authority's rotation takes a step");
                }
                (rotation, !steps.is_empty())
            } else {
                (Rotation::begin(SECRET, now, &self.schedule)?, true)
            };
            if !changed || self.write(found, &rotation).await? {
                return Ok(rotation);
            }
        }
        Err(SharedError::Contended)
    }

    /// Writes what nobody else has changed since it was read; false where somebody has.
    async fn write(&self, found: Option<Secret>, rotation: &Rotation) -> Result<bool, SharedError> {
        let data = rotation
            .to_secret_data()
            .into_iter()
            .map(|(key, value)| (key, ByteString(value)))
            .collect();
        let written = if let Some(mut secret) = found {
            secret.data = Some(data);
            self.secrets
                .replace(SECRET, &PostParams::default(), &secret)
                .await
        } else {
            let metadata = ObjectMeta {
                name: Some(SECRET.to_owned()),
                ..ObjectMeta::default()
            };
            let secret = Secret {
                metadata,
                data: Some(data),
                ..Secret::default()
            };
            self.secrets.create(&PostParams::default(), &secret).await
        };
        match written {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(SharedError::api("Secret", SECRET, "written")(error)),
        }
    }

    async fn publish(&self, rotation: &Rotation) -> Result<(), SharedError> {
        let pem = rotation.bundle().to_pem();
        let found = self
            .bundles
            .get_opt(BUNDLE)
            .await
            .map_err(SharedError::api("ConfigMap", BUNDLE, "read"))?;
        if found
            .and_then(|bundle| bundle.data?.remove(BUNDLE_KEY))
            .as_ref()
            == Some(&pem)
        {
            return Ok(());
        }
        let bundle = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": BUNDLE },
            "data": { BUNDLE_KEY: pem },
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patched = self
            .bundles
            .patch(BUNDLE, &params, &Patch::Apply(&bundle))
            .await;
        patched.map_err(SharedError::api("ConfigMap", BUNDLE, "written"))?;
        tracing::info!("the bundle of the collector's authority is published");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_times_of_a_rotation_fit_each_other() {
        super::schedule().unwrap();
    }
}
