//! Why what is read may be old, or not all: for those who show it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{Stream, StreamExt as _};
use kube::runtime::watcher;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::store::Object;

use super::request::explain;

/// What is wrong, by what it is wrong with; empty when all is well. Each text says what was tried
/// and what to do.
pub type Trouble = BTreeMap<Part, Arc<str>>;

/// What may be in trouble.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The kind, as in paths.
    pub plural: &'static str,
    /// One namespace of those that are watched one by one.
    pub namespace: Option<Arc<str>>,
    /// What of it.
    pub of: Of,
}

/// See [`Part::of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// The watch does not come through.
    Watch,
    /// There are objects that cannot be read.
    Objects,
}

/// A watch that fails says so again within this: an attempt is given up after 30 s, and the wait
/// before the next one is 5 s at most.
const QUIET: Duration = Duration::from_secs(45);

/// Tells of one watch.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    server: Arc<str>,
    plural: &'static str,
    namespace: Option<Arc<str>>,
    trouble: watch::Sender<Trouble>,
}

impl Report {
    /// The report on a kind, in one namespace or in all.
    pub fn new<K: Object>(
        server: Arc<str>,
        namespace: Option<Arc<str>>,
        trouble: watch::Sender<Trouble>,
    ) -> Self {
        Self {
            server,
            plural: K::PLURAL,
            namespace,
            trouble,
        }
    }

    /// What a watch tells next. One that came back tells nothing as long as nothing changes: it is
    /// well once it did not fail again.
    pub async fn next<T>(&self, events: &mut (impl Stream<Item = T> + Unpin)) -> Option<T> {
        let part = self.part(Of::Watch);
        while self.trouble.borrow().contains_key(&part) {
            match tokio::time::timeout(QUIET, events.next()).await {
                Ok(next) => return next,
                Err(_) => self.is_well(),
            }
        }
        events.next().await
    }

    /// Something came over the watch.
    pub fn is_well(&self) {
        let part = self.part(Of::Watch);
        let ended = self
            .trouble
            .send_if_modified(|trouble| trouble.remove(&part).is_some());
        if ended {
            let Self { server, plural, .. } = self;
            let place = self.place();
            info!(
                code = "WatchResumed",
                "{server} tells of {plural} again{place}"
            );
        }
    }

    /// The watch failed, and is tried again.
    pub fn failed<K: Object>(&self, error: &watcher::Error) {
        // It lost its place, and is told all.
        if let watcher::Error::WatchError(status) = error
            && status.code == 410
        {
            return;
        }
        let text = self.describe::<K>(error);
        self.tell(Of::Watch, "WatchFailed", text);
    }

    /// What cannot be read; `None`: nothing is left of that.
    pub fn unreadable(&self, text: Option<String>) {
        match text {
            Some(text) => self.tell(Of::Objects, "Unreadable", text),
            None => {
                let part = self.part(Of::Objects);
                self.trouble
                    .send_if_modified(|trouble| trouble.remove(&part).is_some());
            }
        }
    }

    fn tell(&self, of: Of, code: &'static str, text: String) {
        let text: Arc<str> = text.into();
        let is_new = self.trouble.send_if_modified(|trouble| {
            trouble.insert(self.part(of), Arc::clone(&text)).as_ref() != Some(&text)
        });
        if is_new {
            warn!(code, "{text}");
        }
    }

    fn part(&self, of: Of) -> Part {
        Part {
            plural: self.plural,
            namespace: self.namespace.clone(),
            of,
        }
    }

    fn place(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!(" in {namespace}"),
            None => String::new(),
        }
    }

    fn describe<K: Object>(&self, error: &watcher::Error) -> String {
        let (server, plural, place) = (&self.server, self.plural, self.place());
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => {
                explain::<K>(server, &format!("watch {plural}{place}"), error)
            }
            watcher::Error::WatchError(status) => {
                format!(
                    "{server} ended the watch of {plural}{place}: {}",
                    status.message
                )
            }
            watcher::Error::NoResourceVersion => {
                format!("{server} tells of {plural}{place} without versions")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::Widget;

    #[test]
    fn each_namespace_has_its_own_trouble() {
        let trouble = watch::Sender::<Trouble>::default();
        let report = |namespace: &str| {
            let namespace = Some(namespace.into());
            Report::new::<Widget>("https://test".into(), namespace, trouble.clone())
        };
        let (a, b) = (report("a"), report("b"));
        a.failed::<Widget>(&watcher::Error::NoResourceVersion);
        b.unreadable(Some("no".to_owned()));
        b.is_well();
        let texts = |trouble: &watch::Sender<Trouble>| {
            let all = trouble.borrow();
            let texts = all.values().map(|text| text.to_string());
            texts.collect::<Vec<_>>()
        };
        assert_eq!(
            texts(&trouble),
            ["https://test tells of widgets in a without versions", "no"]
        );
        a.is_well();
        b.unreadable(None);
        assert_eq!(texts(&trouble), Vec::<String>::new());
    }
    #[tokio::test(start_paused = true)]
    async fn a_watch_that_came_back_and_has_nothing_to_tell_is_well() {
        let trouble = watch::Sender::<Trouble>::default();
        let report = Report::new::<Widget>("https://test".into(), None, trouble.clone());
        report.failed::<Widget>(&watcher::Error::NoResourceVersion);
        let mut nothing = futures::stream::pending::<()>();
        for (time, left) in [(QUIET / 2, 1), (QUIET * 2, 0)] {
            let next = tokio::time::timeout(time, report.next(&mut nothing));
            assert!(next.await.is_err());
            assert_eq!(trouble.borrow().len(), left);
        }
    }
}
