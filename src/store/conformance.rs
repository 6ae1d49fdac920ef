//! The suite that every store passes, written against [`Store`].
//!
//! A backend implements [`Backend`] and calls [`run`]; what fails is listed by name. Cases work in
//! a namespace of their own and look at nothing else, so they can share a server. What a backend
//! cannot do (restart, forget old changes at will) is left out by its answer.
//!
//! ```no_run
//! # use metalform::store::conformance::{self, Backend};
//! # async fn test(backend: impl Backend) {
//! let report = conformance::run(&backend).await;
//! assert!(report.failed.is_empty(), "{report}");
//! # }
//! ```

mod applies;
mod deletes;
mod patches;
mod reads;
mod restarts;
mod statuses;
mod watches;
mod widget;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};
use serde_json::{Map, Value, json};

pub use widget::{Widget, widget_crd};

use super::{Change, Key, Object as _, Snapshot, Store, StoreError, Version};

/// What the suite needs of a backend.
pub trait Backend: Send + Sync + 'static {
    /// Its store.
    type Store: Store<Widget>;

    /// A store, and a namespace in it that holds nothing yet.
    fn fresh(&self) -> BoxFuture<'_, (Self::Store, String)>;

    /// The same store for another field manager: what it creates and patches is its own.
    fn by(&self, store: &Self::Store, manager: &str) -> Self::Store;

    /// Ends the store without shutting it down and starts it again. `None`: cannot.
    fn restart(&self, store: Self::Store) -> BoxFuture<'_, Option<Self::Store>> {
        drop(store);
        Box::pin(std::future::ready(None))
    }

    /// After how many changes a watcher who did not look loses its place. `None`: cannot be told.
    fn window(&self) -> Option<usize> {
        None
    }
}

/// What came of the suite.
#[derive(Debug, Default)]
pub struct Report {
    /// Names of the cases that passed.
    pub passed: Vec<&'static str>,
    /// Names of the cases that failed, with the reason.
    pub failed: Vec<(&'static str, String)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} passed, {} failed",
            self.passed.len(),
            self.failed.len()
        )?;
        for (name, reason) in &self.failed {
            let start: String = reason.chars().take(2000).collect();
            writeln!(f, "  {name}: {start}")?;
        }
        Ok(())
    }
}

/// Runs all cases.
pub async fn run<B: Backend>(backend: &B) -> Report {
    let mut report = Report::default();
    for (name, case) in cases::<B>() {
        match case(backend).await {
            Ok(()) => report.passed.push(name),
            Err(Failure(reason)) => report.failed.push((name, reason)),
        }
    }
    report
}

/// A case by its name.
pub type Case<B> = (&'static str, for<'a> fn(&'a B) -> BoxFuture<'a, Outcome>);

/// All cases.
pub fn cases<B: Backend>() -> Vec<Case<B>> {
    let mut all = Vec::new();
    all.extend(reads::cases());
    all.extend(statuses::cases());
    all.extend(patches::cases());
    all.extend(applies::cases());
    all.extend(deletes::cases());
    all.extend(watches::cases());
    all.extend(restarts::cases());
    all
}

/// Why a case failed.
#[derive(Debug)]
pub struct Failure(String);

/// What came of a case.
pub type Outcome = Result<(), Failure>;

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(format!("unexpected {}: {error}", error.code()))
    }
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self(reason)
    }
}

/// Fails the case unless the condition holds.
macro_rules! check {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+).into());
        }
    };
}

/// Fails the case unless both are equal.
macro_rules! same {
    ($left:expr, $right:expr) => {
        match (&$left, &$right) {
            (left, right) if left != right => {
                return Err(format!(
                    "line {}: {} is {left:?}, expected {right:?}",
                    line!(),
                    stringify!($left)
                )
                .into());
            }
            _ => {}
        }
    };
}

/// Fails the case unless the result is an error of this sort.
macro_rules! refused {
    ($result:expr, $pattern:pat) => {
        match $result {
            Err($pattern) => {}
            Err(other) => {
                return Err(format!("line {}: another error: {other}", line!()).into());
            }
            Ok(_) => return Err(format!("line {}: it was not refused", line!()).into()),
        }
    };
}

/// Lists the cases of a file.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        pub(super) fn cases<B: super::Backend>() -> Vec<super::Case<B>> {
            vec![$((stringify!($name), |backend| Box::pin(async move {
                $name(super::Place::new(backend).await).await
            }))),*]
        }
    };
}

use {check, refused, same, suite};

/// Where a case plays: a store and a namespace of its own.
struct Place<'a, B: Backend> {
    backend: &'a B,
    store: B::Store,
    namespace: String,
}

impl<'a, B: Backend> Place<'a, B> {
    async fn new(backend: &'a B) -> Self {
        let (store, namespace) = backend.fresh().await;
        Self {
            backend,
            store,
            namespace,
        }
    }

    fn key(&self, name: &str) -> Key {
        Key::new(self.namespace.as_str(), name)
    }

    /// A widget as a client would send it.
    fn widget(&self, name: &str, spec: &Value) -> Result<Widget, Failure> {
        read(json!({
            "apiVersion": "conformance.metalform.dev/v1",
            "kind": "Widget",
            "metadata": { "name": name, "namespace": self.namespace },
            "spec": spec,
        }))
    }

    async fn create(&self, name: &str, spec: Value) -> Result<Arc<Widget>, Failure> {
        Ok(self.store.create(self.widget(name, &spec)?).await?)
    }

    fn get(&self, name: &str) -> Result<Arc<Widget>, Failure> {
        self.store
            .get(&self.key(name))
            .ok_or_else(|| Failure(format!("{name} is not there")))
    }

    /// Changes metadata and status of what is there now.
    async fn change(
        &self,
        name: &str,
        change: impl FnOnce(&mut Widget),
    ) -> Result<Arc<Widget>, Failure> {
        let now = self.get(name)?;
        let mut widget = now.as_ref().clone();
        change(&mut widget);
        Ok(self.store.update_status(widget, now.version()).await?)
    }

    async fn phase(&self, name: &str, phase: &str) -> Result<Arc<Widget>, Failure> {
        self.change(name, |widget| {
            set(&mut widget.status, "phase", phase.into());
        })
        .await
    }

    async fn merge(&self, name: &str, patch: Value) -> super::Result<Arc<Widget>> {
        self.store
            .patch(&self.key(name), super::Patch::Merge(patch), None)
            .await
    }

    async fn apply(&self, name: &str, owner: &str, wanted: Value) -> super::Result<Arc<Widget>> {
        self.store
            .apply(&self.key(name), wanted, owner, false)
            .await
    }

    async fn force(&self, name: &str, owner: &str, wanted: Value) -> super::Result<Arc<Widget>> {
        self.store.apply(&self.key(name), wanted, owner, true).await
    }

    async fn delete(&self, name: &str) -> super::Result<super::Deleted> {
        self.store.delete(&self.key(name), None).await
    }

    /// The names that are there, in the store's order.
    fn names(&self) -> Vec<String> {
        self.store
            .list()
            .iter()
            .filter_map(|widget| self.name(widget))
            .collect()
    }

    fn name(&self, widget: &Widget) -> Option<String> {
        let meta = &widget.metadata;
        (meta.namespace.as_deref() == Some(&self.namespace))
            .then(|| meta.name.as_deref().unwrap_or_default().to_owned())
    }

    async fn snapshot(&self) -> Result<Snapshot<Widget>, Failure> {
        Ok(self.store.snapshot().await?)
    }

    fn watch(&self, from: Version) -> Watching {
        Watching {
            namespace: self.namespace.clone(),
            changes: self.store.watch(from),
        }
    }
}

/// The changes of one namespace.
struct Watching {
    namespace: String,
    changes: BoxStream<'static, Change<Widget>>,
}

impl Watching {
    /// The next change; a failure when none comes.
    async fn next(&mut self) -> Result<Change<Widget>, Failure> {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(20), self.changes.next()).await;
            let change = next
                .map_err(|_| Failure("no change came in 20 s".into()))?
                .ok_or_else(|| Failure("the watch ended".into()))?;
            let (Change::Applied(widget) | Change::Deleted(widget)) = &change else {
                return Ok(change);
            };
            if widget.metadata.namespace.as_deref() == Some(&self.namespace) {
                return Ok(change);
            }
        }
    }

    /// The next change as text: `+name phase`, `-name`, `reset`.
    async fn text(&mut self) -> Result<String, Failure> {
        Ok(match self.next().await? {
            Change::Applied(widget) => {
                let name = widget.metadata.name.as_deref().unwrap_or_default();
                match status(&widget, "phase").as_str() {
                    Some(phase) => format!("+{name} {phase}"),
                    None => format!("+{name}"),
                }
            }
            Change::Deleted(widget) => {
                format!("-{}", widget.metadata.name.as_deref().unwrap_or_default())
            }
            Change::Reset(_) => "reset".into(),
        })
    }
}

fn read(value: Value) -> Result<Widget, Failure> {
    serde_json::from_value(value).map_err(|error| Failure(error.to_string()))
}

fn set(map: &mut Option<Map<String, Value>>, name: &str, value: Value) {
    map.get_or_insert_default().insert(name.into(), value);
}

/// A field of the status; null when absent.
fn status(widget: &Widget, name: &str) -> Value {
    widget
        .status
        .as_ref()
        .and_then(|status| status.get(name))
        .cloned()
        .unwrap_or_default()
}

/// The spec as a value.
fn spec(widget: &Widget) -> Value {
    Value::Object(widget.spec.clone())
}

fn annotation<'a>(widget: &'a Widget, name: &str) -> Option<&'a str> {
    widget.metadata.annotations.as_ref()?.get(name)
}

fn finalizers(widget: &Widget) -> Vec<&str> {
    let all = widget.metadata.finalizers().iter();
    all.map(|name| &**name).collect()
}
