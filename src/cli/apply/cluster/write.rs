//! The writes: one a host, each at the version that the host was judged at.

use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::api::BareMetalHost;
use crate::api::names::annotation;
use crate::cli::cluster::AT_ONCE;
use crate::cli::plan::Made;
use crate::plan::{Action, Live, OWNER, Verb};
use crate::store::{Deleted, Key, Kube, Object as _, Patch, Store as _, StoreError, Version};

/// How often a write is tried again that a server has no time for.
const BUSY: usize = 8;

/// What comes of a write that is tried again while the server has no time for it: it was not done, and
/// the server says when to come again.
pub(super) async fn patiently<T>(
    mut write: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    for _ in 0..BUSY {
        match write().await {
            Err(StoreError::Busy(time)) => tokio::time::sleep(time).await,
            came => return came,
        }
    }
    write().await
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Came {
    Created,
    Changed,
    Deleted,
    Unchanged,
}

impl Came {
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Unchanged => "unchanged",
        }
    }
}

/// A host and what came of its write.
pub(super) type Outcome = (Key, Result<Came, StoreError>);

/// Carries these actions out, several at once. Answers in their order.
pub(super) async fn write(
    store: &Kube,
    made: &Made,
    actions: &[&Action],
    force: bool,
) -> Vec<Outcome> {
    let live = Live::of(&made.observed);
    let one = |action: &&Action| {
        let (key, seen) = (action.host.clone(), live.get(&action.host));
        let (verb, wanted) = (action.verb, made.desired.hosts.get(&key));
        let wanted = wanted.map(|wanted| made.desired.object(&key, wanted));
        async move {
            let came = patiently(async || match (verb, &wanted) {
                (Verb::Delete, _) => delete(store, &key, seen).await,
                (Verb::Create | Verb::Update, Some(object)) => {
                    put(store, &key, object.clone(), seen, force).await
                }
                (Verb::Create | Verb::Update, None) => Ok(Came::Unchanged),
            });
            let came = came.await;
            (key, came)
        }
    };
    let writes: Vec<_> = actions.iter().map(one).collect();
    futures::stream::iter(writes)
        .buffered(AT_ONCE)
        .collect()
        .await
}

/// The outcome for a host that is not the one that a saved plan was made for.
pub(super) fn moved(action: &Action) -> Outcome {
    let key = action.host.clone();
    let conflict = StoreError::Conflict {
        kind: "BareMetalHost",
        key: key.clone(),
        expected: Version::default(),
        found: Version::default(),
    };
    (key, Err(conflict))
}

async fn put(
    store: &Kube,
    key: &Key,
    mut object: Value,
    seen: Option<&BareMetalHost>,
    force: bool,
) -> Result<Came, StoreError> {
    // One that is being deleted is not the one that comes.
    let seen = seen.filter(|host| host.metadata.deletion_timestamp.is_none());
    if let Some(seen) = seen {
        let Version(version) = seen.version();
        object["metadata"]["resourceVersion"] = version.to_string().into();
    }
    let applied: std::sync::Arc<BareMetalHost> = store.apply(key, object, OWNER, force).await?;
    let Some(seen) = seen else {
        return Ok(Came::Created);
    };
    if seen.annotation(annotation::ALLOW_DESTROY).is_some() {
        // The word is used up.
        let gone = json!({"metadata": {"annotations": {annotation::ALLOW_DESTROY: null}}});
        let patch = Patch::Merge(gone);
        let forgotten: Result<std::sync::Arc<BareMetalHost>, _> =
            store.patch(key, patch, Some(applied.version())).await;
        match forgotten {
            Ok(_) | Err(StoreError::Conflict { .. } | StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let (before, after) = (&seen.metadata, &applied.metadata);
    let same = before.labels == after.labels
        && before.annotations == after.annotations
        && seen.same_spec(&applied);
    Ok(if same { Came::Unchanged } else { Came::Changed })
}

async fn delete(store: &Kube, key: &Key, seen: Option<&BareMetalHost>) -> Result<Came, StoreError> {
    let version = seen.map(|host| host.version());
    let deleted = crate::store::Store::<BareMetalHost>::delete(store, key, version).await;
    match deleted {
        Ok(Deleted::Gone | Deleted::Marked) | Err(StoreError::NotFound { .. }) => Ok(Came::Deleted),
        Err(error) => Err(error),
    }
}
