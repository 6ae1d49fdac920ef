//! Which Secrets changed: a watch of metadata, and a look now and then for those that are missing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt as _};
use k8s_openapi::api::core::v1::Secret as CoreSecret;
use kube::ResourceExt as _;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::warn;

use crate::api::names::label;
use crate::store::Key;
use crate::store::kube::Waits;

use super::{ABSENT, ClusterSecrets, Known};

/// See `store::kube`: how long a dead connection goes unseen.
const WATCH: u32 = 60;

type Told = PartialObjectMeta<CoreSecret>;

/// Keys of Secrets that hosts may name and that changed, came or went. Without an end.
pub(super) fn changes(secrets: &ClusterSecrets) -> BoxStream<'static, Key> {
    let namespaces = secrets.cluster.namespaces();
    let mut all: Vec<BoxStream<'static, Vec<Key>>> = match namespaces {
        [] => vec![watch(secrets, None)],
        some => some
            .iter()
            .map(|namespace| watch(secrets, Some(Arc::clone(namespace))))
            .collect(),
    };
    all.push(missing(secrets));
    stream::select_all(all).flat_map(stream::iter).boxed()
}

fn watch(secrets: &ClusterSecrets, namespace: Option<Arc<str>>) -> BoxStream<'static, Vec<Key>> {
    let client = secrets.cluster.client();
    let api: kube::Api<Told> = match &namespace {
        Some(namespace) => kube::Api::namespaced(client, namespace),
        None => kube::Api::all(client),
    };
    let selector = format!("{}={}", label::ENVIRONMENT, label::ENVIRONMENT_BAREMETAL);
    let config = watcher::Config::default().timeout(WATCH).labels(&selector);
    let server: Arc<str> = secrets.cluster.server().into();
    let secrets = secrets.clone();
    let mut listed = BTreeSet::new();
    let mut ill = false;
    watcher::watcher(api, config)
        .backoff(Waits::new())
        .map(move |event| match event {
            Ok(event) => {
                ill = false;
                secrets.told(&mut listed, namespace.as_deref(), event)
            }
            Err(error) => {
                if !std::mem::replace(&mut ill, true) {
                    warn!(
                        code = "WatchFailed",
                        "cannot watch secrets at {server}: {error}"
                    );
                }
                Vec::new()
            }
        })
        .boxed()
}

/// Every few seconds those that were not there when they were looked for.
pub(super) fn missing(secrets: &ClusterSecrets) -> BoxStream<'static, Vec<Key>> {
    let mut every = tokio::time::interval(ABSENT);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold((secrets.clone(), every), |(secrets, mut every)| async {
        every.tick().await;
        // Nearly: a tick comes at that pace, and not later.
        let is_due = |since: &Instant| since.elapsed() + Duration::from_secs(1) >= ABSENT;
        let absent: Vec<Key> = secrets
            .known()
            .iter()
            .filter(|(_, known)| matches!(known, Known::Absent(since) if is_due(since)))
            .map(|(key, _)| key.clone())
            .collect();
        let mut came = Vec::new();
        for key in absent {
            // What fails is looked for again.
            if let Ok(Known::Is(_)) = secrets.fetch(&key).await {
                // Whoever claims it reads it first: nobody has noted the version of before.
                secrets.known().remove(&key);
                came.push(key);
            }
        }
        came.sort_unstable();
        Some((came, (secrets, every)))
    })
    .boxed()
}

impl ClusterSecrets {
    /// Takes what a watch told; answers what of it is news.
    pub(super) fn told(
        &self,
        listed: &mut BTreeSet<Key>,
        namespace: Option<&str>,
        event: Event<Told>,
    ) -> Vec<Key> {
        let key = |told: &Told| Key::new(told.namespace().unwrap_or_default(), told.name_any());
        match event {
            Event::Init => {
                listed.clear();
                Vec::new()
            }
            Event::InitApply(told) => {
                listed.insert(key(&told));
                self.is_at(&key(&told), told.resource_version().as_deref())
            }
            Event::InitDone => self.lost(listed, namespace),
            Event::Apply(told) => self.is_at(&key(&told), told.resource_version().as_deref()),
            Event::Delete(told) => {
                // Gone, or without the label: reading it tells.
                self.turned_stale(&key(&told));
                vec![key(&told)]
            }
        }
    }

    /// The Secret is at this version.
    fn is_at(&self, key: &Key, version: Option<&str>) -> Vec<Key> {
        let is_news = match self.known().get(key) {
            Some(Known::Is(held)) => held.object.metadata.resource_version.as_deref() != version,
            Some(Known::Absent(_)) => true,
            None => false,
        };
        if !is_news {
            return Vec::new();
        }
        self.turned_stale(key);
        vec![key.clone()]
    }

    /// Secrets that had the label and are not in the list.
    fn lost(&self, listed: &BTreeSet<Key>, namespace: Option<&str>) -> Vec<Key> {
        let mut lost: Vec<Key> = self
            .known()
            .iter()
            .filter(|(key, known)| {
                let is_ours = namespace.is_none_or(|namespace| *namespace == *key.namespace);
                is_ours && matches!(known, Known::Is(_)) && !listed.contains(*key)
            })
            .map(|(key, _)| key.clone())
            .collect();
        lost.sort_unstable();
        lost.iter().for_each(|key| self.turned_stale(key));
        lost
    }
}
