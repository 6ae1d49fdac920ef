//! Removing a node from Ironic's books, whatever it is at.

use http::Method;
use serde_json::{Value, json};

use super::super::patch::Patch;
use super::Call;
use crate::provision::{Ack, Fault};

impl Call<'_> {
    /// Ironic keeps a node that has an instance (NodeAssociated) or that is in a state in which it
    /// shall not be removed (InvalidState), both 409, unless it is in maintenance mode. So either
    /// is seen to before, by what is known; and when Ironic knows better, by maintenance mode.
    pub(super) async fn forget(&self, force: bool) -> Result<Ack, Fault> {
        let facts = self.facts()?;
        let locked = facts.maintenance;
        let result = async {
            let open = if locked {
                Ok(())
            } else if force && !facts.state.is_removable() {
                return self.delete_locked().await;
            } else if facts.instance.is_some() {
                let mut patch = Patch::default();
                patch.remove("/instance_uuid");
                self.patch(&facts.id, patch).await
            } else {
                Ok(())
            };
            let result = match open {
                Ok(()) => self.delete().await,
                Err(fault) => Err(fault),
            };
            match result {
                Err(Fault::Refused(_)) if !locked => self.delete_locked().await,
                result => result,
            }
        };
        match result.await {
            // That is what was asked for.
            Ok(()) | Err(Fault::Gone) => {
                let key = self.core.mirror().remove(&facts.id);
                self.core.tell(key);
                Ok(Ack::Done)
            }
            Err(fault) => Err(fault),
        }
    }

    async fn delete(&self) -> Result<(), Fault> {
        let path = format!("/v1/nodes/{}", self.facts()?.id);
        self.remove(Method::DELETE, path, None).await
    }

    /// In maintenance mode Ironic removes any node.
    async fn delete_locked(&self) -> Result<(), Fault> {
        let path = format!("/v1/nodes/{}/maintenance", self.facts()?.id);
        let body = json!({ "reason": "forcing deletion in metalform" });
        self.remove(Method::PUT, path, Some(body)).await?;
        self.delete().await
    }

    /// Sends a request for which a node that is gone already is no surprise.
    async fn remove(&self, method: Method, path: String, body: Option<Value>) -> Result<(), Fault> {
        match self.send(method, path, body).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_gone() => Err(Fault::Gone),
            Err(error) => Err(self.fault(error)),
        }
    }
}
