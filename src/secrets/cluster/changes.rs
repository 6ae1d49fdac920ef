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
use tokio::time::MissedTickBehavior;

use crate::api::names::label;
use crate::secrets::IsHeld;
use crate::store::kube::Waits;
use crate::store::{Key, Version};

use super::object::Stored;
use super::{ABSENT, ClusterSecrets, Known};

/// See `store::kube`: how long a dead connection goes unseen.
const WATCH: u32 = 60;
/// Missing Secrets that are looked for at once.
const LOOKS: usize = 8;

/// Newer than whatever an answer tells.
const ANY: Version = Version(u64::MAX);

type Told = PartialObjectMeta<CoreSecret>;

/// Keys of Secrets that hosts may name and that changed, came or went. Without an end.
pub(super) fn changes(secrets: &ClusterSecrets, is_held: IsHeld) -> BoxStream<'static, Key> {
    let namespaces = secrets.cluster.namespaces();
    let mut all: Vec<BoxStream<'static, Vec<Key>>> = match namespaces {
        [] => vec![watch(secrets, None)],
        some => some
            .iter()
            .map(|namespace| watch(secrets, Some(Arc::clone(namespace))))
            .collect(),
    };
    all.push(missing(secrets, is_held));
    stream::select_all(all).flat_map(stream::iter).boxed()
}

fn watch(secrets: &ClusterSecrets, namespace: Option<Arc<str>>) -> BoxStream<'static, Vec<Key>> {
    let client = secrets.cluster.watches();
    let api: kube::Api<Told> = match &namespace {
        Some(namespace) => kube::Api::namespaced(client, namespace),
        None => kube::Api::all(client),
    };
    let selector = format!("{}={}", label::ENVIRONMENT, label::ENVIRONMENT_BAREMETAL);
    let config = watcher::Config::default().timeout(WATCH).labels(&selector);
    let report = secrets.store.report::<Stored>(namespace.clone());
    let secrets = secrets.clone();
    let mut listed = BTreeSet::new();
    let events = watcher::watcher(api, config).backoff(Waits::new()).boxed();
    let told = stream::unfold((events, report), |(mut events, report)| async move {
        let event = report.next(&mut events).await?;
        match &event {
            // It says only that something will be asked for.
            Ok(Event::Init) => {}
            Ok(_) => report.is_well(),
            Err(error) => report.failed::<Stored>(error),
        }
        Some((event, (events, report)))
    });
    told.map(move |event| match event {
        Ok(event) => secrets.told(&mut listed, namespace.as_deref(), event),
        Err(_) => Vec::new(),
    })
    .boxed()
}

/// Every few seconds those that were not there when they were looked for. What nobody holds is
/// forgotten instead.
pub(super) fn missing(secrets: &ClusterSecrets, is_held: IsHeld) -> BoxStream<'static, Vec<Key>> {
    let mut every = tokio::time::interval(ABSENT);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let start = (secrets.clone(), every, BTreeSet::new());
    stream::unfold(start, move |(secrets, mut every, mut unheld)| {
        let is_held = Arc::clone(&is_held);
        async move {
            every.tick().await;
            secrets.forget(&is_held, &mut unheld);
            stream::iter(secrets.due())
                .for_each_concurrent(LOOKS, |key| secrets.look(key))
                .await;
            let found = std::mem::take(&mut *secrets.found());
            let found = found.into_iter().collect();
            Some((found, (secrets, every, unheld)))
        }
    })
    .boxed()
}

impl ClusterSecrets {
    /// Forgets what nobody holds and nobody held at the last look: a host may just have come.
    fn forget(&self, is_held: &IsHeld, unheld: &mut BTreeSet<Key>) {
        let all: Vec<Key> = self.known().keys().cloned().collect();
        let now: BTreeSet<Key> = all.into_iter().filter(|key| !is_held(key)).collect();
        self.known()
            .retain(|key, _| !(now.contains(key) && unheld.contains(key)));
        *unheld = now;
    }

    /// Secrets to look for: those that were missing, and those that changed and that no turn read
    /// since (their hosts are paused): they may be gone, and their contents are to go too.
    fn due(&self) -> Vec<Key> {
        // Nearly: a tick comes at that pace, and not later.
        let soon = Duration::from_secs(1);
        let is_due = |known: &Known| match known {
            Known::Absent(since) => since.elapsed() + soon >= ABSENT,
            Known::Is(held) => held.stale,
        };
        let known = self.known();
        let due = known.iter().filter(|(_, known)| is_due(known));
        due.map(|(key, _)| key.clone()).collect()
    }

    async fn look(&self, key: Key) {
        let turn = self.flights.turn(&key).await;
        let was_there = match self.known().get(&key) {
            Some(Known::Is(held)) if !held.stale => return,
            Some(Known::Is(_)) => true,
            Some(Known::Absent(_)) => false,
            None => return,
        };
        // What fails is looked for again.
        if let Ok(Known::Is(_)) = self.fetch(&turn).await
            && !was_there
        {
            // Whoever claims it reads it first: nobody has noted the version of before.
            self.known().remove(&key);
        }
    }
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
                self.flights.tells(&key(&told), ANY);
                self.turned_stale(&key(&told));
                vec![key(&told)]
            }
        }
    }

    /// The Secret is at this version.
    fn is_at(&self, key: &Key, version: Option<&str>) -> Vec<Key> {
        let number = version.and_then(|version| version.parse().ok());
        let in_flight = self.flights.tells(key, number.map_or(ANY, Version));
        let is_news = match self.known().get(key) {
            Some(Known::Is(held)) => held.object.metadata.resource_version.as_deref() != version,
            Some(Known::Absent(_)) => true,
            None => in_flight,
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
        for key in &lost {
            self.flights.tells(key, ANY);
            self.turned_stale(key);
        }
        lost
    }
}
