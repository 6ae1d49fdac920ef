//! One watch: a list as a stream, or in pages where the server has no such lists, then changes.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::store::Object;

use super::Trouble;
use super::request::explain;
use super::shard::Shard;
use super::told::Told;

/// A watch is asked for anew after so many seconds. A connection that is dead without saying so is
/// found out five seconds later.
const WATCH: u32 = 60;
/// Objects in a page where lists come in pages.
const PAGE: u32 = 500;
/// The first and the longest wait after an error.
const SOON: Duration = Duration::from_millis(100);
const LATE: Duration = Duration::from_secs(5);

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
        Event::InitApply(told) => told
            .or_as_known(shard)
            .into_iter()
            .for_each(|one| shard.comes(one)),
        Event::InitDone => shard.is_whole(),
        Event::Apply(told) => match told.read(shard) {
            Ok(object) => shard.applied(object),
            Err(error) => told.is_unreadable(&error),
        },
        Event::Delete(told) => told
            .or_as_known(shard)
            .into_iter()
            .for_each(|one| shard.deleted(one)),
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
