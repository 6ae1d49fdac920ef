//! HardwareData: the inventory as an object of its own, beside `status.hardware`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{BareMetalHost, HardwareData, HardwareJson};
use crate::store::{Key, Object as _, Store, StoreError};

use super::{Shared, Stores};

/// Who owns the fields of HardwareData.
const OWNER: &str = "metalform-host";

impl<S: Stores> Shared<S> {
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
                }],
            },
            "spec": { "hardware": hardware },
        });
        Store::<HardwareData>::apply(self.store.as_ref(), &key, wanted, OWNER, true).await?;
        Ok(())
    }

    /// Removes the HardwareData of a host that is gone; a cluster's garbage collector would.
    pub(super) async fn drop_hardware_data(&self, key: &Key) {
        match Store::<HardwareData>::delete(self.store.as_ref(), key, None).await {
            Ok(_) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => tracing::warn!(
                host = %key,
                code = error.code(),
                "HardwareData of the deleted host is left: {error}"
            ),
        }
    }
}
