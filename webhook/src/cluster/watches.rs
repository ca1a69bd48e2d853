//! What is watched: policies, namespaces, Services, and the collector's bundle. A change of any is in effect a moment later.

use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service};
use kube::api::PartialObjectMeta;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Api, Client, Resource, ResourceExt as _};
use proctor_api::{ClusterTestPolicy, TestPolicy};
use proctor_certs::Bundle;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::ready::{Part, Readiness};
use crate::state::{Current, Policies, World};

const BUNDLE: &str = "proctor-collector-bundle";
const BUNDLE_KEY: &str = "ca.crt";

/// Changes come in bursts, such as a Helm upgrade's; they are taken up together.
const GATHER: Duration = Duration::from_millis(200);

/// What is watched, and what it makes of it.
pub(crate) struct Watches {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) wants_bundle: bool,
    pub(crate) current: Arc<Current>,
    pub(crate) readiness: Arc<Readiness>,
}

impl Watches {
    /// Watches for ever.
    pub(crate) async fn run(self) {
        tokio::join!(self.policies(), self.world());
    }

    async fn policies(&self) {
        let changed = Arc::new(Notify::new());
        let cluster = self.follow::<ClusterTestPolicy>(Part::Policies, &changed);
        let team = self.follow::<TestPolicy>(Part::Policies, &changed);
        let bundle = self.follow_bundle(&changed);
        let update = async {
            // The bundle may be missing, but a replica that has not looked for it would leave the reporter out of pods.
            let _ = tokio::join!(
                cluster.store.wait_until_ready(),
                team.store.wait_until_ready(),
                bundle.store.wait_until_ready()
            );
            loop {
                let collector_ca = bundle.store.state().first().and_then(|map| ca(map));
                let adopted = self.current.adopt(Policies {
                    cluster: copies(&cluster.store),
                    team: copies(&team.store),
                    collector_ca,
                });
                for error in adopted.err().into_iter().flatten() {
                    let cause = crate::causes(&error);
                    tracing::error!(%cause, "a policy is not valid; its last good generation stays in effect");
                }
                self.readiness.done(Part::Policies);
                settled(&changed).await;
            }
        };
        tokio::join!(cluster.task, team.task, bundle.task, update);
    }

    async fn world(&self) {
        let changed = Arc::new(Notify::new());
        let namespaces = self.follow::<PartialObjectMeta<Namespace>>(Part::Namespaces, &changed);
        let services = self.follow::<Service>(Part::Services, &changed);
        let update = async {
            let _ = tokio::join!(
                namespaces.store.wait_until_ready(),
                services.store.wait_until_ready()
            );
            loop {
                let namespaces = namespaces.store.state();
                let namespaces = namespaces
                    .iter()
                    .map(|namespace| (namespace.name_any(), namespace.labels().clone()));
                self.current
                    .see(World::new(namespaces, &copies(&services.store)));
                self.readiness.done(Part::Namespaces);
                self.readiness.done(Part::Services);
                settled(&changed).await;
            }
        };
        tokio::join!(namespaces.task, services.task, update);
    }

    fn follow<K>(&self, part: Part, changed: &Arc<Notify>) -> Followed<K, impl Future<Output = ()>>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let stream = watch(
            Api::<K>::all(self.client.clone()),
            watcher::Config::default(),
        );
        self.reflect(stream, part, changed)
    }

    fn follow_bundle(
        &self,
        changed: &Arc<Notify>,
    ) -> Followed<ConfigMap, impl Future<Output = ()>> {
        let api = Api::<ConfigMap>::namespaced(self.client.clone(), &self.namespace);
        let named = watcher::Config::default().fields(&format!("metadata.name={BUNDLE}"));
        let stream = watch(api, named);
        let wanted = self.wants_bundle;
        let stream = stream.take_while(move |_| std::future::ready(wanted));
        self.reflect(stream, Part::Policies, changed)
    }

    fn reflect<K>(
        &self,
        stream: impl Stream<Item = watcher::Result<Event<K>>> + Send,
        part: Part,
        changed: &Arc<Notify>,
    ) -> Followed<K, impl Future<Output = ()>>
    where
        K: Resource + Clone + Debug + Send + Sync + 'static,
        K::DynamicType: Clone + Default + Debug + Eq + Hash,
    {
        let (store, writer) = reflector::store();
        let stream = stream
            .default_backoff()
            // Half of an object's size, and nothing that is asked for.
            .modify(|object| object.managed_fields_mut().clear());
        let stream = reflector::reflector(writer, stream);
        let (changed, readiness) = (Arc::clone(changed), Arc::clone(&self.readiness));
        let task = async move {
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                match event {
                    Ok(Event::Apply(_) | Event::Delete(_) | Event::InitDone) => {
                        changed.notify_one();
                    }
                    Ok(Event::Init | Event::InitApply(_)) => {}
                    Err(error) => {
                        let kind = std::any::type_name::<K>();
                        let cause = crate::causes(&error);
                        tracing::warn!(kind, %cause, "a watch failed; trying again");
                        readiness.waits(part, format!("{part:?} cannot be read: {cause}"));
                    }
                }
            }
        };
        Followed { store, task }
    }
}

/// The collector's bundle. One that is not readable is reported, and the last good one stays in effect.
fn ca(map: &ConfigMap) -> Option<String> {
    let text = map.data.as_ref()?.get(BUNDLE_KEY)?;
    match Bundle::from_pem(text) {
        Ok(_) => Some(text.clone()),
        Err(error) => {
            let cause = crate::causes(&error);
            tracing::warn!(%cause, "the ConfigMap {BUNDLE} is not usable");
            None
        }
    }
}

struct Followed<K, F>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Eq + Hash,
{
    store: Store<K>,
    task: F,
}

fn copies<K>(store: &Store<K>) -> Vec<K>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Clone + Eq + Hash,
{
    store
        .state()
        .iter()
        .map(|object| (**object).clone())
        .collect()
}

/// The end of the next burst of changes.
async fn settled(changed: &Notify) {
    changed.notified().await;
    tokio::time::sleep(GATHER).await;
}

/// Tells of every change of the two webhook configurations of this name, for ever.
pub(crate) async fn wake_on_change(client: Client, name: String, changed: Arc<Notify>) {
    let named = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mutating = Api::<PartialObjectMeta<MutatingWebhookConfiguration>>::all(client.clone());
    let validating = Api::<PartialObjectMeta<ValidatingWebhookConfiguration>>::all(client);
    tokio::join!(
        wake(watch(mutating, named.clone()), &changed),
        wake(watch(validating, named), &changed),
    );
}

async fn wake<K>(stream: impl Stream<Item = watcher::Result<Event<K>>> + Send, changed: &Notify) {
    let mut stream = std::pin::pin!(stream.default_backoff());
    while let Some(event) = stream.next().await {
        match event {
            Ok(_) => changed.notify_one(),
            Err(error) => {
                let cause = crate::causes(&error);
                tracing::warn!(%cause, "the webhook configurations cannot be watched; trying again");
            }
        }
    }
}
