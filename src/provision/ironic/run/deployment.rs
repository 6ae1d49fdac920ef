//! What boots the machine's ramdisk: inspecting, cleaning, deploying, undeploying. Its network is
//! brought up to date first: it matters only then.

use http::Method;
use serde_json::json;

use super::super::map::{self, RamdiskNetwork, clean, configdrive, instance};
use super::super::patch::Patch;
use super::Call;
use crate::firmware::Changes;
use crate::provision::{Ack, Fault, NodeState};
use crate::secrets::Sealed;

impl Call<'_> {
    /// The ramdisk's network as the host wants it.
    pub(super) fn network(&self) -> Result<RamdiskNetwork, Fault> {
        RamdiskNetwork::of(&self.job.host, &self.job.secrets).map_err(Fault::Refused)
    }

    /// Sends a verb that boots the ramdisk.
    pub(super) async fn boot(&self, target: &str) -> Result<Ack, Fault> {
        let mut patch = Patch::default();
        self.put_network(&mut patch)?;
        self.put_cleaning(&mut patch)?;
        self.patch_any(patch).await?;
        self.provision(json!({ "target": target })).await
    }

    /// Ends what the ramdisk is at.
    pub(super) async fn abort(&self) -> Result<Ack, Fault> {
        let deploys = self.facts()?.state == NodeState::DeployWait;
        let target = if deploys && !self.core.client.aborts_deployments() {
            "deleted"
        } else {
            "abort"
        };
        self.provision(json!({ "target": target })).await
    }

    /// Takes the deployment off. The ramdisk's network is no reason not to; that disks would be cleaned
    /// that are to be kept is one.
    pub(super) async fn undeploy(&self) -> Result<Ack, Fault> {
        let mut patch = Patch::default();
        self.put_cleaning(&mut patch)?;
        self.patch_any(patch).await?;
        let mut patch = Patch::default();
        if self.put_network(&mut patch).is_ok() {
            match self.patch_any(patch).await {
                Ok(()) | Err(Fault::Refused(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        self.provision(json!({ "target": "deleted" })).await
    }

    /// Adds to a patch what the network of the ramdisk lacks. Nothing while the machine is at
    /// something: Ironic takes no patch then, and the ramdisk is running already.
    fn put_network(&self, patch: &mut Patch) -> Result<(), Fault> {
        let facts = self.facts()?;
        let mirror = self.core.mirror();
        if let Some(node) = mirror.settings_of(&facts.id)
            && facts.state.is_at_rest()
        {
            patch.network(node.network, &self.network()?);
        }
        Ok(())
    }

    /// Adds to a patch that disks are to be kept, where the node does not say so yet: also when other
    /// settings could not be written (a deletion without credentials). A host in wait call-back is not
    /// sent here with such a node: Ironic takes no patch then.
    fn put_cleaning(&self, patch: &mut Patch) -> Result<(), Fault> {
        let facts = self.facts()?;
        let mirror = self.core.mirror();
        if let Some(node) = mirror.settings_of(&facts.id)
            && map::is_cleaned(&self.job.host, node)
        {
            patch.add("/automated_clean", false);
        }
        Ok(())
    }

    pub(super) async fn clean(&self, firmware: Option<&Changes>) -> Result<Ack, Fault> {
        let wanted = self.wanted()?;
        let id = &self.facts()?.id;
        let plan =
            clean::plan(&self.job.host, wanted.driver(), firmware).map_err(Fault::Refused)?;
        if plan.steps.is_empty() {
            return Ok(Ack::Done);
        }
        let present = self
            .core
            .mirror()
            .settings_of(id)
            .map(|node| node.raid_interface.clone());
        let mut patch = Patch::default();
        if present.as_deref() != Some(plan.raid_interface) {
            patch.add("/raid_interface", plan.raid_interface);
        }
        self.put_network(&mut patch)?;
        self.patch_any(patch).await?;
        if !plan.logical_disks.is_empty() {
            let path = format!("/v1/nodes/{id}/states/raid");
            let body = json!({ "logical_disks": plan.logical_disks });
            self.send(Method::PUT, path, Some(body))
                .await
                .map_err(|e| self.fault(e))?;
        }
        self.provision(json!({ "target": "clean", "clean_steps": plan.steps }))
            .await
    }

    pub(super) async fn deploy(&self) -> Result<Ack, Fault> {
        let (host, secrets) = (&self.job.host, &self.job.secrets);
        let wanted = self.wanted()?;
        let id = &self.facts()?.id;
        let present = self
            .core
            .mirror()
            .settings_of(id)
            .map(|node| node.deploy_interface.clone());
        let drive = configdrive::build(host, secrets).map_err(Fault::Refused)?;
        let pull: Option<&Sealed> = secrets.image_pull.as_ref();
        let mut patch =
            instance::patch(host, &wanted, present.as_deref().unwrap_or_default(), pull)
                .map_err(Fault::Refused)?;
        self.put_network(&mut patch)?;
        self.patch(id, patch).await?;
        let mut body = json!({ "target": "active", "configdrive": drive });
        if let Some(steps) = instance::steps(host) {
            body["deploy_steps"] = steps;
        }
        self.provision(body).await
    }
}
