//! Keeps the webhook's certificate good and known: one loop over the shared authority, the own leaf and the configurations.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proctor_certs::{IssueError, Names, Resolver, Rotation};
use tokio::sync::Notify;

use super::authority::StoreError;
use super::configurations::ConfigurationError;
use super::probe::{ProbeError, probe};
use super::{AuthorityStore, Configurations};
use crate::metrics::Metrics;
use crate::ready::{Part, Readiness};

/// How long a leaf is valid. It lives in memory only, and a new one costs nothing.
const LEAF_VALIDITY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The longest time between two looks at the shared authority; far below the propagation time of its rotation.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// How long one look may take where the API server hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first pause after a failure; it doubles up to [`LOOK_AGAIN`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The loop's parts.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) store: AuthorityStore,
    pub(crate) configurations: Configurations,
    pub(crate) service: String,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Arc<Readiness>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    #[error("the authority is not available")]
    Store(#[from] StoreError),
    #[error("a certificate could not be issued")]
    Issue(#[from] IssueError),
    #[error("the API server does not know what to trust")]
    Configuration(#[from] ConfigurationError),
    #[error("the API server did not answer in time")]
    Slow,
    #[error("the API server would not trust this server")]
    Probe(#[from] ProbeError),
}

impl Keeper {
    /// The shared authority and a first leaf of it; tries until there is one.
    pub(crate) async fn begin(&self) -> (Rotation, Arc<Resolver>) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.first().await {
                Ok(first) => return first,
                Err(error) => self.report(&error),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_AGAIN);
        }
    }

    async fn first(&self) -> Result<(Rotation, Arc<Resolver>), KeepError> {
        let now = Timestamp::now();
        let rotation = self.store.current(None, now).await?;
        let leaf = rotation
            .current()
            .issue(&self.names(), LEAF_VALIDITY, now)?;
        Ok((rotation, Resolver::new(leaf)))
    }

    /// Looks after everything for ever: at the latest every minute, and whenever `changed` says that a configuration was.
    pub(crate) async fn run(
        self,
        mut rotation: Rotation,
        resolver: Arc<Resolver>,
        address: SocketAddr,
        changed: Arc<Notify>,
    ) {
        let mut pause = FIRST_PAUSE;
        loop {
            let turn = self.turn(&mut rotation, &resolver, address);
            let turn = tokio::time::timeout(PATIENCE, turn).await;
            let wait = match turn.unwrap_or(Err(KeepError::Slow)) {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    self.until_due(&rotation)
                }
                Err(error) => {
                    self.report(&error);
                    pause = (pause * 2).min(LOOK_AGAIN);
                    pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = changed.notified() => {}
            }
        }
    }

    async fn turn(
        &self,
        rotation: &mut Rotation,
        resolver: &Resolver,
        address: SocketAddr,
    ) -> Result<(), KeepError> {
        let now = Timestamp::now();
        // First of the authority at hand: an API server that is away keeps nobody from a new leaf.
        self.renew(rotation, resolver, now)?;
        *rotation = self.store.current(Some(rotation), now).await?;
        self.renew(rotation, resolver, now)?;
        for trusted in self.configurations.publish(&rotation.bundle()).await? {
            probe(address, &self.service, &trusted).await?;
        }
        self.readiness.done(Part::Certificate);
        Ok(())
    }

    /// A new leaf, where the one shown is of another authority or two thirds through.
    fn renew(
        &self,
        rotation: &Rotation,
        resolver: &Resolver,
        now: Timestamp,
    ) -> Result<(), KeepError> {
        let (authority, leaf) = (rotation.current(), resolver.leaf());
        if !leaf.is_issued_by(authority) || leaf.renew_at() <= now {
            resolver.replace(authority.issue(&self.names(), LEAF_VALIDITY, now)?);
        }
        self.metrics
            .certificates_end(resolver.not_after(), authority.not_after());
        Ok(())
    }

    fn until_due(&self, rotation: &Rotation) -> Duration {
        let due = self.store.due_at(rotation).duration_since(Timestamp::now());
        Duration::try_from(due)
            .unwrap_or_default()
            .clamp(FIRST_PAUSE, LOOK_AGAIN)
    }

    fn names(&self) -> Names {
        Names::new([self.service.clone()])
    }

    fn report(&self, error: &KeepError) {
        let cause = crate::causes(error);
        tracing::warn!(%cause, "the certificate is not in order");
        self.readiness.waits(Part::Certificate, cause);
    }
}
