//! What a follower writes: actions on the hosts as they were judged, and grants taken away.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tracing::info;

use crate::api::BareMetalHost;
use crate::api::names::annotation;
use crate::desired::Desired;
use crate::plan::{self, Action, OWNER, Plan, Verb};
use crate::store::{Key, Object as _, Patch, Store, StoreError, Version};

/// Hosts of the fleet with a grant that is not for what the plan would do to them.
pub(super) fn stale_grants(
    wanted: &Desired,
    observed: &[Arc<BareMetalHost>],
    plan: &Plan,
) -> Vec<(Key, Version)> {
    let asked: BTreeMap<&Key, &str> = plan
        .actions
        .iter()
        .filter_map(|action| Some((&action.host, plan::grant_of(action)?)))
        .collect();
    observed
        .iter()
        .filter(|host| wanted.owns(host))
        .filter_map(|host| {
            let grant = host.annotation(annotation::ALLOW_DESTROY)?;
            let key = host.key();
            (asked.get(&key) != Some(&grant)).then(|| (key, host.version()))
        })
        .collect()
}

/// Takes a grant away, used up or stale, from the host as it was seen: a word that came since stays.
pub(super) async fn forget_grant<S: Store<BareMetalHost>>(
    store: &S,
    key: Key,
    seen: Version,
) -> Result<(), StoreError> {
    let gone = json!({"metadata": {"annotations": {annotation::ALLOW_DESTROY: null}}});
    match store.patch(&key, Patch::Merge(gone), Some(seen)).await {
        Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Carries out one action on the host as it was judged: at that version. A host that was not there
/// and came since is taken over, as `apply` has no way to say "only a new one".
pub(super) async fn write<S: Store<BareMetalHost>>(
    store: &S,
    wanted: &Desired,
    action: &Action,
    seen: Option<Version>,
) -> Result<(), StoreError> {
    let key = &action.host;
    match (action.verb, wanted.hosts.get(key)) {
        (Verb::Create | Verb::Update, Some(host)) => {
            let mut object = wanted.object(key, host);
            if let Some(Version(seen)) = seen {
                object["metadata"]["resourceVersion"] = Value::from(seen.to_string());
            }
            let applied = store.apply(key, object, OWNER, true).await?;
            if action.guard.is_some() {
                forget_grant(store, key.clone(), applied.version()).await?;
            }
        }
        (Verb::Delete, _) => match store.delete(key, seen).await {
            Ok(_) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        },
        (Verb::Create | Verb::Update, None) => {}
    }
    info!(host = %key, verb = ?action.verb, disruption = action.disruption.word(), "applied");
    Ok(())
}
