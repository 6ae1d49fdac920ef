//! HardwareData: the inventory as an object of its own, beside `status.hardware`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::names::finalizer;
use crate::api::{BareMetalHost, HardwareData, HardwareJson};
use crate::reconcile::seeks_inventory;
use crate::store::{Key, Object as _, Patch, Store, StoreError};

use super::{Shared, Stores};

/// Who owns the fields of HardwareData.
const OWNER: &str = "metalform-host";

impl<S: Stores> Shared<S> {
    /// Looks once for a HardwareData that was there before its host had an inventory.
    pub(super) async fn seek_hardware_data(
        &self,
        key: &Key,
        host: &BareMetalHost,
    ) -> Result<(), StoreError> {
        if !seeks_inventory(host) || self.memos.with(key, |memo| memo.sought) {
            return Ok(());
        }
        let store: &dyn Store<HardwareData> = self.store.as_ref();
        let found = match store.read(key).await {
            Ok(data) => data.spec.hardware.clone(),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        self.memos.with(key, |memo| {
            memo.sought = true;
            memo.inventory = found.map(Box::new);
        });
        Ok(())
    }

    /// Brings the host's HardwareData in line with what its inspection found. The object has the
    /// host's name, belongs to it, and goes with it.
    pub(super) async fn write_hardware_data(
        &self,
        host: &Arc<BareMetalHost>,
        hardware: &HardwareJson,
    ) -> Result<(), StoreError> {
        let key: Key = host.key();
        let hardware: Value = serde_json::from_str(&hardware.text())
            .map_err(|error| StoreError::Backend(format!("inventory of {key}: {error}")))?;
        let wanted = json!({
            "apiVersion": "metal3.io/v1alpha1",
            "kind": "HardwareData",
            "metadata": {
                "name": *key.name,
                "namespace": *key.namespace,
                "ownerReferences": [{
                    "apiVersion": "metal3.io/v1alpha1",
                    "kind": "BareMetalHost",
                    "name": *key.name,
                    "uid": host.metadata.uid,
                    "controller": true,
                    "blockOwnerDeletion": true,
                }],
            },
            "spec": { "hardware": hardware },
        });
        Store::<HardwareData>::apply(self.store.as_ref(), &key, wanted, OWNER, true).await?;
        Ok(())
    }

    /// Removes the HardwareData of a host that is gone, where nobody else does.
    pub(super) async fn drop_hardware_data(&self, key: &Key) {
        if Store::<HardwareData>::collects_garbage(self.store.as_ref()) {
            return;
        }
        match Store::<HardwareData>::delete(self.store.as_ref(), key, None).await {
            Ok(_) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => tracing::warn!(
                host = %key,
                code = error.code(),
                "HardwareData of the deleted host is left: {error}"
            ),
        }
    }

    /// Lets the HardwareData of a host go with it: the Bare Metal Operator puts a finalizer on it,
    /// which would keep it for ever once that operator is not there any more.
    pub(super) async fn release_hardware_data(&self, key: &Key) -> Result<(), StoreError> {
        let store: &dyn Store<HardwareData> = self.store.as_ref();
        let data = match store.read(key).await {
            Err(StoreError::NotFound { .. }) => return Ok(()),
            other => other?,
        };
        let meta = &data.metadata;
        if !meta.has_finalizer(finalizer::HARDWARE_DATA) {
            return Ok(());
        }
        let others = meta.finalizers().iter();
        let others: Vec<&str> = others
            .map(|name| &**name)
            .filter(|name| *name != finalizer::HARDWARE_DATA)
            .collect();
        let patch = json!({ "metadata": {
            "finalizers": others, "resourceVersion": meta.resource_version,
        } });
        match store.patch(key, Patch::Merge(patch), None).await {
            Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
