//! BIOS settings and firmware, as Ironic has them in its database: it reads them off the machine
//! when it verifies it and after it changed them.

use http::Method;
use serde_json::Value;

use super::super::{error::IronicError, firmware};
use super::Call;
use crate::firmware::{Found, Parts};
use crate::provision::{Ack, Fault};

impl Call<'_> {
    /// Reads these parts. A machine of which Ironic keeps no such thing has none.
    pub(super) async fn read_firmware(&self, parts: Parts) -> Result<Ack, Fault> {
        let id = &self.facts()?.id;
        let mut found = Found::default();
        if parts.settings {
            let answer = self.read_kept(format!("/v1/nodes/{id}/bios?detail=true"));
            found.settings = Some(firmware::settings(&answer.await?));
        }
        if parts.components {
            let answer = self.read_kept(format!("/v1/nodes/{id}/firmware"));
            found.components = Some(firmware::components(&answer.await?));
        }
        Ok(Ack::Firmware(Box::new(found)))
    }

    async fn read_kept(&self, path: String) -> Result<Value, Fault> {
        match self.send(Method::GET, path, None).await {
            Ok(answer) => self.read(&answer),
            Err(error) if is_not_kept(&error) => Ok(Value::Null),
            Err(error) => Err(self.fault(error)),
        }
    }
}

/// An old Ironic, or one that does not do this for this machine: no reason not to use the machine.
fn is_not_kept(error: &IronicError) -> bool {
    let refused = matches!(error.status(), Some(400 | 404 | 406));
    refused && !error.is_gone() && !error.to_string().contains("No valid host was found")
}
