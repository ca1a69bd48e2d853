//! The collector's own authority: kept in a Secret, its bundle published in a ConfigMap, its leaves issued here and nowhere else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use proctor_certs::{
    AuthorityError, IssueError, Names, Resolver, Rotation, Schedule, ScheduleError, SecretError,
};
use serde_json::json;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::FIELD_MANAGER;
use crate::admin::Ready;
use crate::chain;
use crate::metrics::Metrics;

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

/// How long one look may take where the API server hangs.
const PATIENCE: Duration = Duration::from_secs(30);

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
    /// The chart's Secret was deleted.
    #[error(
        "the Secret {SECRET} is not there: `helm upgrade` makes it again, empty, and the collector fills it"
    )]
    Absent,
    /// The API server hangs.
    #[error("the API server did not answer within {} seconds", PATIENCE.as_secs())]
    Slow,
    /// The Secret holds something else.
    #[error(
        "the Secret {SECRET} does not hold an authority: repair it, or empty it to have one written"
    )]
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

    /// The authority, and a resolver with a first leaf of it.
    pub async fn first(&self) -> Result<(Rotation, Arc<Resolver>), SharedError> {
        let rotation = in_time(self.sync(None)).await?;
        let now = Timestamp::now();
        let leaf = rotation.current().issue(&self.names, LEAF_VALIDITY, now)?;
        Ok((rotation, Resolver::new(leaf)))
    }

    /// Keeps Secret, ConfigMap and leaf as they should be.
    pub async fn keep(
        self,
        mut rotation: Rotation,
        resolver: Arc<Resolver>,
        ready: Arc<Ready>,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
    ) {
        loop {
            let pause = match in_time(self.round(&mut rotation, &resolver)).await {
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

    async fn round(&self, rotation: &mut Rotation, resolver: &Resolver) -> Result<(), SharedError> {
        // First of the authority at hand: an API server that is away keeps nobody from a new leaf.
        self.renew(rotation, resolver)?;
        *rotation = self.sync(Some(rotation)).await?;
        self.publish(rotation).await?;
        self.renew(rotation, resolver)
    }

    /// A new leaf, where the one shown is of another authority or two thirds through.
    fn renew(&self, rotation: &Rotation, resolver: &Resolver) -> Result<(), SharedError> {
        let (leaf, now) = (resolver.leaf(), Timestamp::now());
        if leaf.renew_at() <= now || !leaf.is_issued_by(rotation.current()) {
            resolver.replace(rotation.current().issue(&self.names, LEAF_VALIDITY, now)?);
            tracing::info!("a new certificate is shown from now on");
        }
        Ok(())
    }

    /// The authority with all steps taken that are due. An empty Secret, as the chart makes it, is filled: with what is `held`, so that
    /// one that was emptied or made again interrupts nothing, else with a new authority.
    async fn sync(&self, held: Option<&Rotation>) -> Result<Rotation, SharedError> {
        for _ in 0..CONFLICTS {
            let secret = self
                .secrets
                .get_opt(SECRET)
                .await
                .map_err(SharedError::api("Secret", SECRET, "read"))?
                .ok_or(SharedError::Absent)?;
            let now = Timestamp::now();
            let stored = secret.data.as_ref().filter(|data| !data.is_empty());
            let rotation = match (stored, held) {
                (Some(data), _) => {
                    let (rotation, steps) = decode(data)?.advance(now, &self.schedule)?;
                    if steps.is_empty() {
                        return Ok(rotation);
                    }
                    tracing::info!(?steps, "the authority's rotation takes its steps");
                    rotation
                }
                (None, Some(held)) => decode(&encode(held))?,
                (None, None) => Rotation::begin(SECRET, now, &self.schedule)?,
            };
            if self.write(secret, &rotation).await? {
                return Ok(rotation);
            }
        }
        Err(SharedError::Contended)
    }

    /// Writes what nobody else has changed since it was read; false where somebody has.
    async fn write(&self, secret: Secret, rotation: &Rotation) -> Result<bool, SharedError> {
        let data = Some(encode(rotation));
        let secret = Secret { data, ..secret };
        let params = PostParams::default();
        match self.secrets.replace(SECRET, &params, &secret).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {
                Ok(false)
            }
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

async fn in_time<T>(look: impl Future<Output = Result<T, SharedError>>) -> Result<T, SharedError> {
    let look = tokio::time::timeout(PATIENCE, look).await;
    look.unwrap_or(Err(SharedError::Slow))
}

fn decode(data: &BTreeMap<String, ByteString>) -> Result<Rotation, SharedError> {
    let data = data
        .iter()
        .map(|(key, value)| (key.clone(), value.0.clone()));
    Ok(Rotation::from_secret_data(&data.collect())?)
}

fn encode(rotation: &Rotation) -> BTreeMap<String, ByteString> {
    let data = rotation.to_secret_data().into_iter();
    data.map(|(key, value)| (key, ByteString(value))).collect()
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
