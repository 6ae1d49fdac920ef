//! One watch: a list as a stream, or in pages where the server has no such lists, then changes.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{NamespaceResourceScope, Resource};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event};
use serde::{Deserialize, Deserializer};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::store::Object;

use super::Trouble;
use super::request::explain;
use super::shard::Shard;

/// A watch is asked for anew after so many seconds. A connection that is dead without saying so is
/// found out five seconds later.
const WATCH: u32 = 60;
/// Objects in a page where lists come in pages.
const PAGE: u32 = 500;
/// The first and the longest wait after an error.
const SOON: Duration = Duration::from_millis(100);
const LATE: Duration = Duration::from_secs(5);
/// Left behind by `kubectl apply`: a copy of the spec that nobody here looks at.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object as it comes from the server, cut down to what is kept in memory.
pub(super) struct Told<K> {
    /// For kube-runtime: the version, by which it finds its place again.
    meta: ObjectMeta,
    object: K,
}

/// Makes an object from a server as small as it can be: who owns which field is asked for when
/// somebody wants to know.
pub(super) fn prune<K: Object>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    meta.self_link = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove(LAST_APPLIED);
    }
    meta.annotations.take_if(|all| all.is_empty());
    object.compact();
}

impl<'de, K: Object> Deserialize<'de> for Told<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = K::deserialize(deserializer)?;
        prune(&mut object);
        let version = object.meta().resource_version.as_deref();
        let meta = ObjectMeta {
            resource_version: version.map(str::to_owned),
            ..ObjectMeta::default()
        };
        Ok(Self { meta, object })
    }
}

impl<K: Object> Clone for Told<K> {
    fn clone(&self) -> Self {
        Self {
            meta: self.meta.clone(),
            object: self.object.clone(),
        }
    }
}

impl<K: Object> fmt::Debug for Told<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", K::KIND, self.object.key())
    }
}

impl<K: Object> Resource for Told<K> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        K::KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        K::GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        K::VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// How a watch that failed is tried again: waits double up to a bound. Without jitter: a process has
/// a handful of watches.
pub(crate) struct Waits(Duration);

impl Waits {
    /// The first one is next.
    pub fn new() -> Self {
        Self(SOON)
    }
}

impl Iterator for Waits {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = self.0;
        self.0 = (now * 2).min(LATE);
        Some(now)
    }
}

impl Backoff for Waits {
    fn reset(&mut self) {
        self.0 = SOON;
    }
}

/// Keeps a shard up to date until the task is dropped.
pub(super) async fn follow<K: Object>(
    client: kube::Client,
    server: Arc<str>,
    shard: Arc<Shard<K>>,
    trouble: watch::Sender<Trouble>,
) {
    let api: kube::Api<Told<K>> = match shard.namespace() {
        Some(namespace) => kube::Api::namespaced(client, namespace),
        None => kube::Api::all(client),
    };
    let config = watcher::Config::default().timeout(WATCH);
    let mut config = config.streaming_lists();
    loop {
        let mut events = watcher::watcher(api.clone(), config.clone())
            .backoff(Waits::new())
            .boxed();
        loop {
            match events.next().await {
                Some(Ok(event)) => {
                    tell(&shard, event);
                    is_well::<K>(&server, &trouble);
                }
                Some(Err(error)) if config_is_refused(&error) && is_streaming(&config) => {
                    info!(
                        code = "NoStreamingLists",
                        "{server} has no streaming lists; {} come in pages",
                        K::PLURAL
                    );
                    config = watcher::Config::default().timeout(WATCH).page_size(PAGE);
                    break;
                }
                Some(Err(error)) => is_in_trouble::<K>(&server, &error, &trouble),
                None => break,
            }
        }
    }
}

fn is_streaming(config: &watcher::Config) -> bool {
    config.initial_list_strategy == watcher::InitialListStrategy::StreamingList
}

fn tell<K: Object>(shard: &Shard<K>, event: Event<Told<K>>) {
    match event {
        Event::Init => shard.begins(),
        Event::InitApply(told) => shard.comes(told.object),
        Event::InitDone => shard.is_whole(),
        Event::Apply(told) => shard.applied(told.object),
        Event::Delete(told) => shard.deleted(told.object),
    }
}

/// The server does not know what a streaming list is (before 1.32 without its feature gate).
fn config_is_refused(error: &watcher::Error) -> bool {
    let code = match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code,
        watcher::Error::WatchError(status) => status.code,
        _ => return false,
    };
    matches!(code, 400 | 405 | 415 | 422)
}

fn is_well<K: Object>(server: &str, trouble: &watch::Sender<Trouble>) {
    let ended = trouble.send_if_modified(|trouble| trouble.remove(K::PLURAL).is_some());
    if ended {
        info!(
            code = "WatchResumed",
            "{server} tells of {} again",
            K::PLURAL
        );
    }
}

fn is_in_trouble<K: Object>(
    server: &str,
    error: &watcher::Error,
    trouble: &watch::Sender<Trouble>,
) {
    // It lost its place, and is told all.
    if let watcher::Error::WatchError(status) = error
        && status.code == 410
    {
        return;
    }
    let text: Arc<str> = describe::<K>(server, error).into();
    let is_new = trouble.send_if_modified(|trouble| {
        trouble.insert(K::PLURAL, Arc::clone(&text)).as_ref() != Some(&text)
    });
    if is_new {
        warn!(code = "WatchFailed", "{text}");
    }
}

fn describe<K: Object>(server: &str, error: &watcher::Error) -> String {
    let what = format!("watch {}", K::PLURAL);
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => explain::<K>(server, &what, error),
        watcher::Error::WatchError(status) => {
            format!(
                "{server} ended the watch of {}: {}",
                K::PLURAL,
                status.message
            )
        }
        watcher::Error::NoResourceVersion => {
            format!("{server} tells of {} without versions", K::PLURAL)
        }
    }
}
