//! What makes a host's turn come: changes of the store, news of the machines.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::task::JoinSet;
use tracing::debug;

use crate::api::{
    BareMetalHost, FirmwareSchema, HostFirmwareComponents, HostFirmwareSettings, HostUpdatePolicy,
};
use crate::provision::Tick;
use crate::store::{Change, Key, Object, Snapshot, Store, StoreError, Version};

use super::{Shared, Stores, firmware};

/// Follows the store: a host that came or changed gets its turn.
pub(super) async fn store<S: Stores>(shared: Arc<Shared<S>>, from: Version) {
    let mut changes: BoxStream<'static, Change<BareMetalHost>> = shared.store.watch(from);
    // What was there at the start.
    if let Ok(hosts) = Store::<BareMetalHost>::snapshot(shared.store.as_ref()).await {
        hosts
            .objects
            .iter()
            .for_each(|host| shared.trigger(host.key()));
    }
    while let Some(change) = changes.next().await {
        match change {
            Change::Applied(host) => {
                shared.holders.note(&host);
                let key = host.key();
                // A turn's own writes come back here too.
                if shared.memos.is_news(&key, host.version()) {
                    shared.trigger(key);
                }
            }
            Change::Deleted(host) => {
                let key = host.key();
                // One of this name that came meanwhile has the memory now.
                if shared.host(&key).is_none() {
                    shared.forget(&key).await;
                }
                shared.activity.send_modify(|count| *count += 1);
            }
            Change::Reset(hosts) => {
                shared.holders.note_all(&hosts.objects);
                // Who is not among them went unseen: its turn forgets it.
                let known = shared.memos.reasons().into_iter();
                known.for_each(|(key, ..)| shared.trigger(key));
                hosts
                    .objects
                    .iter()
                    .for_each(|host| shared.trigger(host.key()));
            }
        }
    }
    debug!("the store's changes ended");
}

/// Follows the firmware objects beside hosts: one that is to be judged, or that is gone, brings its
/// host's turn. They are all known once this returns.
pub(super) async fn firmware<S: Stores>(
    shared: &Arc<Shared<S>>,
    tasks: &mut JoinSet<()>,
) -> Result<(), StoreError> {
    let schemas = Store::<FirmwareSchema>::snapshot(shared.store.as_ref()).await?;
    drop(schemas);
    let settled: fn(&HostFirmwareSettings) -> bool = firmware::settings_are_settled;
    tasks.spawn(beside(Arc::clone(shared), known(shared).await?, settled));
    let settled: fn(&HostFirmwareComponents) -> bool = firmware::components_are_settled;
    tasks.spawn(beside(Arc::clone(shared), known(shared).await?, settled));
    let settled: fn(&HostUpdatePolicy) -> bool = firmware::policy_is_settled;
    tasks.spawn(beside(Arc::clone(shared), known(shared).await?, settled));
    Ok(())
}

async fn known<K: Object, S: Stores + Store<K>>(
    shared: &Arc<Shared<S>>,
) -> Result<Snapshot<K>, StoreError> {
    Store::<K>::snapshot(shared.store.as_ref()).await
}

async fn beside<K: Object + Beside<S>, S: Stores + Store<K>>(
    shared: Arc<Shared<S>>,
    known: Snapshot<K>,
    is_settled: fn(&K) -> bool,
) {
    // Nothing is to be done for one whose host is not there.
    let wake = |object: &K| {
        let key = object.key();
        if shared.host(&key).is_some() {
            shared.trigger(key);
        }
    };
    let mut changes: BoxStream<'static, Change<K>> = shared.store.watch(known.version);
    known.objects.iter().for_each(|object| object.is(&shared));
    drop(known);
    while let Some(change) = changes.next().await {
        if let Change::Applied(object) = &change {
            object.is(&shared);
        }
        match change {
            Change::Applied(object) if is_settled(&object) => {}
            Change::Applied(object) => wake(&object),
            Change::Deleted(object) => {
                wake(&object);
                object.gone(&shared).await;
            }
            Change::Reset(all) => all.objects.iter().for_each(|object| {
                object.is(&shared);
                wake(object);
            }),
        }
    }
    debug!("the changes of {} ended", K::PLURAL);
}

/// What is to be done for an object beside a host.
trait Beside<S> {
    /// It is there, as it is now.
    fn is(&self, _: &Shared<S>) {}

    /// It is gone.
    fn gone(&self, _: &Shared<S>) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

impl<S: Stores> Beside<S> for HostFirmwareSettings {
    fn is(&self, shared: &Shared<S>) {
        shared.note_schema(self);
    }

    async fn gone(&self, shared: &Shared<S>) {
        shared.drop_schema(self).await;
    }
}

impl<S: Stores> Beside<S> for HostFirmwareComponents {}

impl<S: Stores> Beside<S> for HostUpdatePolicy {}

/// Follows the secrets: hosts that name one that changed.
pub(super) async fn secrets<S: Stores>(shared: Arc<Shared<S>>) {
    let own = Arc::clone(&shared);
    let is_held = move |secret: &Key| own.holders.count(secret, 1, |_| false) > 0;
    let mut changes = shared.secrets.changes(Arc::new(is_held));
    while let Some(secret) = changes.next().await {
        shared.secret_changed(&secret);
    }
}

/// Follows one provisioner: hosts whose machine changed, and those whose effect is now confirmed.
pub(super) async fn machines<S: Stores>(
    shared: Arc<Shared<S>>,
    name: Arc<str>,
    mut ticks: BoxStream<'static, Tick>,
) {
    while let Some(tick) = ticks.next().await {
        if tick.all {
            // Everybody gets a turn, so who was confirmed does not matter.
            tick.as_of.map(|as_of| shared.memos.confirm(&name, as_of));
            let hosts = Store::<BareMetalHost>::list(shared.store.as_ref());
            // A tick that saw nothing says nothing of who is at work.
            if tick.as_of.is_some() {
                shared.rebook(&name, &hosts);
            }
            hosts.iter().for_each(|host| shared.trigger(host.key()));
            continue;
        }
        if let Some(as_of) = tick.as_of {
            shared
                .memos
                .confirm(&name, as_of)
                .into_iter()
                .for_each(|key| shared.trigger(key));
        }
        // Nodes that look like ours may be somebody else's.
        let ours = |key: &Key| shared.host(key).is_some();
        let changed = tick.changed.into_iter().filter(ours);
        changed.for_each(|key| shared.trigger(key));
    }
    debug!(provisioner = %name, "ticks ended");
}
