//! One watch: a list as a stream, or in pages where the server has no such lists, then changes.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event};
use tracing::info;

use crate::store::Object;

use super::shard::Shard;
use super::told::Told;
use super::trouble::Report;

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
    report: Report,
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
            match report.next(&mut events).await {
                Some(Ok(event)) => {
                    // The first says only that something will be asked for.
                    if !matches!(event, Event::Init) {
                        report.is_well();
                    }
                    tell(&shard, event);
                    report.unreadable(shard.unreadable());
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
                Some(Err(error)) => report.failed::<K>(&error),
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
        Event::InitApply(told) => told.comes(shard),
        Event::InitDone => shard.is_whole(),
        Event::Apply(told) => told.applies(shard),
        Event::Delete(told) => told.goes(shard),
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

#[cfg(test)]
mod tests;
