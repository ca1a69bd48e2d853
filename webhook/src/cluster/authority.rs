//! The shared Secret with the authority. Replicas agree through the API server's optimistic concurrency, without a leader.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::core::Status;
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
    #[error("the Secret {SECRET} is not there; run `helm upgrade`, which makes it again, empty")]
    Absent,
    #[error("the Secret {SECRET} cannot be written; the service account needs `update` on it")]
    Write(#[source] kube::Error),
    #[error(
        "the Secret {SECRET} does not hold an authority; repair it, or empty its data to have it filled again"
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
    /// Where the Secret is empty, as the chart makes it, it is filled: with what this replica has `held`, so that emptying it, or
    /// deleting it and upgrading, interrupts nothing, else with a new authority.
    pub(crate) async fn current(
        &self,
        held: Option<&Rotation>,
        now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        for _ in 0..ATTEMPTS {
            if let Some(rotation) = self.attempt(held, now).await? {
                return Ok(rotation);
            }
        }
        Err(StoreError::Contended)
    }

    /// One attempt: nothing where another replica was faster.
    async fn attempt(
        &self,
        held: Option<&Rotation>,
        now: Timestamp,
    ) -> Result<Option<Rotation>, StoreError> {
        let stored = self.api.get_opt(SECRET).await.map_err(StoreError::Read)?;
        let secret = stored.ok_or(StoreError::Absent)?;
        let data = secret.data.as_ref().filter(|data| !data.is_empty());
        let rotation = match (data, held) {
            (Some(data), _) => {
                let (rotation, steps) = decode(data)?.advance(now, &self.schedule)?;
                if steps.is_empty() {
                    return Ok(Some(rotation));
                }
                rotation
            }
            (None, Some(held)) => decode(&encode(held))?,
            (None, None) => Rotation::begin(SECRET, now, &self.schedule)?,
        };
        // The resource version in it makes the API server refuse this where another replica was faster.
        let secret = Secret {
            data: Some(encode(&rotation)),
            ..secret
        };
        match self.api.replace(SECRET, &params(), &secret).await {
            Ok(_) => {
                tracing::info!("wrote the authority to the Secret {SECRET}");
                Ok(Some(rotation))
            }
            Err(kube::Error::Api(status)) if lost_a_race(&status) => Ok(None),
            Err(error) => Err(StoreError::Write(error)),
        }
    }

    /// When the shared authority has a step to take.
    pub(crate) fn due_at(&self, rotation: &Rotation) -> Timestamp {
        rotation.due_at(&self.schedule)
    }
}

fn lost_a_race(status: &Status) -> bool {
    status.is_conflict() || status.is_not_found()
}

fn decode(data: &BTreeMap<String, ByteString>) -> Result<Rotation, StoreError> {
    let data = data
        .iter()
        .map(|(key, value)| (key.clone(), value.0.clone()));
    Rotation::from_secret_data(&data.collect()).map_err(StoreError::Damaged)
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
