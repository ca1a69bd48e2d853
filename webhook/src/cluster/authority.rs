//! The shared Secret with the authority. Replicas agree through the API server's optimistic concurrency, without a leader.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use proctor_certs::{AuthorityError, Rotation, Schedule, SecretError};

use super::FIELD_MANAGER;

const SECRET: &str = "proctor-webhook-ca";

/// How often to begin again where another replica was faster.
const ATTEMPTS: usize = 5;

/// The Secret with the authority.
#[derive(Debug)]
pub(crate) struct AuthorityStore {
    api: Api<Secret>,
    schedule: Schedule,
}

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the Secret {SECRET} cannot be read; the service account needs `get` on it")]
    Read(#[source] kube::Error),
    #[error(
        "the Secret {SECRET} cannot be written; the service account needs `create` on Secrets and `update` on this one"
    )]
    Write(#[source] kube::Error),
    #[error(
        "the Secret {SECRET} does not hold an authority; repair it, or delete it to have a new one made"
    )]
    Damaged(#[source] SecretError),
    #[error("the authority could not be made")]
    Authority(#[from] AuthorityError),
    #[error(
        "the Secret {SECRET} was changed by others {ATTEMPTS} times in a row; trying again later"
    )]
    Contended,
}

impl AuthorityStore {
    pub(crate) fn new(client: Client, namespace: &str, schedule: Schedule) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            schedule,
        }
    }

    /// The authority that all replicas share by now, with all steps taken that are due.
    ///
    /// Where the Secret is gone it is made again of what this replica has `held`, so that a deletion by mistake interrupts nothing.
    pub(crate) async fn current(
        &self,
        held: Option<&Rotation>,
        now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        for _ in 0..ATTEMPTS {
            let stored = self.api.get_opt(SECRET).await.map_err(StoreError::Read)?;
            let written = match stored {
                None => self.create(held, now).await?,
                Some(secret) => self.advance(secret, now).await?,
            };
            if let Some(rotation) = written {
                return Ok(rotation);
            }
        }
        Err(StoreError::Contended)
    }

    async fn create(
        &self,
        held: Option<&Rotation>,
        now: Timestamp,
    ) -> Result<Option<Rotation>, StoreError> {
        let data = match held {
            Some(rotation) => rotation.to_secret_data(),
            None => Rotation::begin(SECRET, now, &self.schedule)?.to_secret_data(),
        };
        let rotation = Rotation::from_secret_data(&data).map_err(StoreError::Damaged)?;
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(SECRET.to_owned()),
                labels: Some(BTreeMap::from([(
                    "app.kubernetes.io/managed-by".to_owned(),
                    FIELD_MANAGER.to_owned(),
                )])),
                ..ObjectMeta::default()
            },
            data: Some(encode(&rotation)),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        };
        let written = self.api.create(&params(), &secret).await;
        settle(written, rotation)
    }

    async fn advance(
        &self,
        mut secret: Secret,
        now: Timestamp,
    ) -> Result<Option<Rotation>, StoreError> {
        let data = secret.data.take().unwrap_or_default();
        let data = data
            .into_iter()
            .map(|(key, value)| (key, value.0))
            .collect();
        let rotation = Rotation::from_secret_data(&data).map_err(StoreError::Damaged)?;
        let (rotation, steps) = rotation.advance(now, &self.schedule)?;
        if steps.is_empty() {
            return Ok(Some(rotation));
        }
        tracing::info!(?steps, "the authority is being rotated");
        // The resource version in it makes the API server refuse this where another replica was faster.
        secret.data = Some(encode(&rotation));
        let written = self.api.replace(SECRET, &params(), &secret).await;
        settle(written, rotation)
    }

    /// When the shared authority has a step to take.
    pub(crate) fn due_at(&self, rotation: &Rotation) -> Timestamp {
        rotation.due_at(&self.schedule)
    }
}

/// What was written, or nothing where another replica was faster.
fn settle(
    written: Result<Secret, kube::Error>,
    rotation: Rotation,
) -> Result<Option<Rotation>, StoreError> {
    match written {
        Ok(_) => Ok(Some(rotation)),
        Err(kube::Error::Api(status))
            if status.is_conflict() || status.is_already_exists() || status.is_not_found() =>
        {
            Ok(None)
        }
        Err(error) => Err(StoreError::Write(error)),
    }
}

fn encode(rotation: &Rotation) -> BTreeMap<String, ByteString> {
    let data = rotation.to_secret_data().into_iter();
    data.map(|(key, value)| (key, ByteString(value))).collect()
}

fn params() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}
