//! Writes the `Fleet` that tells of the spec, and makes it the parent of the fleet's set.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch as channel;
use tracing::warn;

use crate::api::fleet::{Fleet, applyset};
use crate::engine::{Engine, Standing};
use crate::plan::OWNER;
use crate::store::{Key, Kube, Object as _, Store, StoreError};

use super::leave::Leave;
use super::report::{self, Read, Scene};

/// How often a status is written at most.
const PACE: Duration = Duration::from_secs(1);
/// When to try again what the server refused.
const AGAIN: Duration = Duration::from_secs(5);

/// Writes the status of the Fleet.
pub(super) struct Reporter {
    pub engine: Arc<Engine<Kube>>,
    pub standing: channel::Receiver<Standing>,
    pub reading: channel::Receiver<Read>,
    pub names: channel::Receiver<Option<Key>>,
    pub leaves: channel::Receiver<Leave>,
}

impl Reporter {
    /// Without an end.
    pub async fn run(mut self) {
        let mut activity = self.engine.activity();
        loop {
            if let Err(error) = self.write().await {
                warn!(code = error.code(), "Fleet not written: {error}");
                // No host is written before it is.
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            tokio::time::sleep(PACE).await;
            tokio::select! {
                _ = self.standing.changed() => {}
                _ = self.reading.changed() => {}
                _ = self.names.changed() => {}
                _ = self.leaves.changed() => {}
                _ = activity.changed() => {}
            }
        }
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        let Some(key) = self.names.borrow_and_update().clone() else {
            return Ok(());
        };
        let read = self.reading.borrow_and_update().clone();
        let standing = self.standing.borrow_and_update().clone();
        let store = self.engine.store().as_ref();
        self.leaves.mark_unchanged();
        let (fleet, hindrance) = self.parent(&key).await?;
        let before = fleet.status.clone().unwrap_or_default();
        let overview = self.engine.overview();
        let status = report::status(
            &before,
            &Scene {
                fleet: &key,
                read: &read,
                standing: &standing,
                overview: &overview,
                paused: fleet.spec.paused,
                hindrance: hindrance.as_deref(),
                generation: fleet.metadata.generation.unwrap_or_default(),
                now: self.engine.clock().now(),
            },
        );
        if fleet.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let version = fleet.version();
        let mut next = Fleet::clone(&fleet);
        next.status = Some(status);
        match store.update_status(next, version).await {
            // Decided again with the next change, or now.
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The object, made the parent of the fleet's set where it is not; and why it cannot be.
    async fn parent(&self, key: &Key) -> Result<(Arc<Fleet>, Option<String>), StoreError> {
        let store = self.engine.store().as_ref();
        Store::<Fleet>::snapshot(store).await?;
        let known = Store::<Fleet>::get(store, key);
        if let Some(fleet) = &known {
            if let Some(tool) = applyset::foreign(fleet) {
                let text = format!(
                    "the set of objects of this Fleet is kept by {tool}, not by metalform; no host \
                     is written"
                );
                return Ok((Arc::clone(fleet), Some(text)));
            }
            if applyset::is_parent(fleet, &key.name, &key.namespace) {
                return Ok((Arc::clone(fleet), None));
            }
        }
        let wanted = applyset::parent(&key.name, &key.namespace);
        match (
            Store::<Fleet>::apply(store, key, wanted, OWNER, false).await,
            known,
        ) {
            (Err(StoreError::Owned { fields, owner, .. }), Some(fleet)) => {
                let text = format!("{fields} of this Fleet held by {owner}; no host is written");
                Ok((fleet, Some(text)))
            }
            (written, _) => Ok((written?, None)),
        }
    }
}
