//! Carrying out effects: what is sent for each, and what its answer does to the picture.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Core;
use super::client::{Purpose, Request};
use super::error::{IronicError, Scrub};
use super::inventory;
use super::map::{self, Wanted, clean, configdrive, instance};
use super::mirror::{Mac, Mirror, taken};
use super::patch::{self, Patch};
use super::wire::{Inventory, Node, PORT_FIELDS, Port, PortPage};
use crate::api::{BareMetalHost, HardwareJson};
use crate::provision::{Ack, Effect, Facts, Fault, Job, NodeState, PowerTarget};
use crate::secrets::Sealed;

/// Seconds that a machine has to power itself off before it is done the hard way.
const SOFT_POWER_OFF: u64 = 180;

/// MAC addresses of a host that have no port yet, with whether they boot: the boot NIC, then the
/// inventory's NICs. Those of another node's port are left out, but for the boot NIC, where that is
/// a mistake; machines do share addresses on NICs that nobody boots from.
pub(super) fn missing_ports(host: &BareMetalHost, id: &str, mirror: &Mirror) -> Vec<(Mac, bool)> {
    let mut missing: Vec<(Mac, bool)> = Vec::new();
    let boot = Mac::parse(&host.spec.boot_mac_address);
    if let Some(mac) = boot
        && mirror.owner(mac).is_none_or(|owner| *owner != *id)
    {
        missing.push((mac, true));
    }
    let hardware = host
        .status
        .as_ref()
        .and_then(|status| status.hardware.as_ref());
    if let Some(Ok(hardware)) = hardware.map(HardwareJson::get) {
        for nic in &hardware.nics {
            let Some(mac) = Mac::parse(&nic.mac) else {
                continue;
            };
            if mirror.owner(mac).is_none() && missing.iter().all(|(other, _)| *other != mac) {
                missing.push((mac, nic.pxe));
            }
        }
    }
    missing
}

/// One effect under way.
struct Call<'a> {
    core: &'a Core,
    job: &'a Job,
    scrub: Scrub,
    seed: u64,
}

impl Core {
    pub(super) async fn run(&self, job: &Job) -> Result<Ack, Fault> {
        let mut hasher = DefaultHasher::new();
        map::node_name(&job.host).hash(&mut hasher);
        let secrets = &job.secrets;
        let (user, password) = secrets.bmc.as_ref().map(|(u, p)| (u, p)).unzip();
        let hidden = [
            user,
            password,
            secrets.user_data.as_ref(),
            secrets.network_data.as_ref(),
            secrets.meta_data.as_ref(),
            secrets.preprovisioning_network_data.as_ref(),
            secrets.image_pull.as_ref(),
        ];
        let scrub = Scrub::new(hidden.into_iter().flatten());
        let call = Call {
            core: self,
            job,
            scrub,
            seed: hasher.finish(),
        };
        let result = call.run().await;
        // What became of it is to be seen soon.
        self.hurry();
        result
    }
}

impl Call<'_> {
    async fn run(&self) -> Result<Ack, Fault> {
        match &self.job.effect {
            Effect::Enroll { .. } => self.enroll().await,
            Effect::Amend { credentials } => self.amend(credentials.is_some()).await,
            Effect::Ports => self.ports(&self.facts()?.id).await.map(|()| Ack::Done),
            Effect::Manage => self.provision(json!({ "target": "manage" })).await,
            Effect::Inspect => self.provision(json!({ "target": "inspect" })).await,
            Effect::ReadInventory => self.read_inventory().await,
            Effect::Clean => self.clean().await,
            Effect::Provide => self.provision(json!({ "target": "provide" })).await,
            Effect::Deploy => self.deploy().await,
            Effect::Adopt => self.provision(json!({ "target": "adopt" })).await,
            Effect::Undeploy => self.provision(json!({ "target": "deleted" })).await,
            Effect::Abort => self.provision(json!({ "target": "abort" })).await,
            Effect::Power(target) => self.power(*target).await,
            Effect::Unlock => self.unlock().await,
            Effect::Forget { force } => self.forget(*force).await,
        }
    }

    fn facts(&self) -> Result<&Facts, Fault> {
        self.job.facts.as_deref().ok_or(Fault::Gone)
    }

    fn wanted(&self) -> Result<Wanted, Fault> {
        Wanted::of(&self.job.host, &self.core.ramdisk).map_err(Fault::Refused)
    }

    /// Sends a change below the node, or reads something of it.
    async fn send(
        &self,
        method: Method,
        path: String,
        body: Option<Value>,
    ) -> Result<bytes::Bytes, IronicError> {
        let purpose = if method == Method::GET {
            Purpose::Read
        } else {
            Purpose::Write
        };
        let scrub = Some(&self.scrub);
        self.core
            .client
            .send(Request {
                method,
                path,
                body,
                purpose,
                scrub,
            })
            .await
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Fault> {
        serde_json::from_slice(body).map_err(|error| {
            let url = self.core.client.url().to_owned();
            let reason = format!("an answer cannot be read: {error}");
            IronicError::NotIronic { url, reason }.fault(self.seed)
        })
    }

    /// What an error means. A node that is not there is taken out of the picture, and all are
    /// looked at: the whole database may be gone.
    fn fault(&self, error: IronicError) -> Fault {
        let fault = error.fault(self.seed);
        if fault == Fault::Gone
            && let Some(facts) = &self.job.facts
        {
            let key = self.core.mirror().remove(&facts.id);
            self.core.tell(key);
            self.core.want_sweep();
        }
        fault
    }

    /// Puts a node that an answer showed into the picture.
    fn put(&self, node: &Node, began: Instant) {
        let key = self.core.mirror().put(node, began);
        self.core.tell(key);
    }

    async fn provision(&self, body: Value) -> Result<Ack, Fault> {
        let path = format!("/v1/nodes/{}/states/provision", self.facts()?.id);
        self.send(Method::PUT, path, Some(body))
            .await
            .map_err(|e| self.fault(e))?;
        Ok(Ack::Done)
    }

    async fn enroll(&self) -> Result<Ack, Fault> {
        let wanted = self.wanted()?;
        let body =
            map::enroll(&self.job.host, &wanted, &self.job.secrets).map_err(Fault::Refused)?;
        let began = Instant::now();
        let node: Node = match self
            .send(Method::POST, "/v1/nodes".into(), Some(body))
            .await
        {
            Ok(answer) => self.read(&answer)?,
            // Ours, made by a request whose answer got lost: the name holds our namespace.
            Err(error) if error.is_duplicate() => {
                let path = format!("/v1/nodes/{}", wanted.name);
                let answer = self.send(Method::GET, path, None).await;
                self.read(&answer.map_err(|e| self.fault(e))?)?
            }
            Err(error) => return Err(self.fault(error)),
        };
        self.put(&node, began);
        self.ports(&node.uuid).await?;
        Ok(Ack::Enrolled(node.uuid.into()))
    }

    async fn ports(&self, id: &str) -> Result<(), Fault> {
        let missing = missing_ports(&self.job.host, id, &self.core.mirror());
        let boot = Mac::parse(&self.job.host.spec.boot_mac_address);
        for (mac, pxe) in missing {
            let body = json!({ "address": mac.to_string(), "node_uuid": id, "pxe_enabled": pxe });
            let began = Instant::now();
            match self
                .send(Method::POST, "/v1/ports".into(), Some(body))
                .await
            {
                Ok(answer) => {
                    let mut port: Port = self.read(&answer)?;
                    if port.node_uuid.is_empty() {
                        id.clone_into(&mut port.node_uuid);
                    }
                    let key = self.core.mirror().put_port(&port, began);
                    self.core.tell(key);
                }
                Err(error) if error.is_duplicate() => {
                    let owner = self.owner(mac).await?;
                    if boot == Some(mac)
                        && let Some(owner) = owner.filter(|owner| *owner != id)
                    {
                        let shown = self.core.mirror().shown(&owner);
                        let mac = &self.job.host.spec.boot_mac_address;
                        return Err(Fault::Taken(taken(mac, &shown)));
                    }
                }
                Err(error) => return Err(self.fault(error)),
            }
        }
        Ok(())
    }

    /// Asks whose port a MAC address is.
    async fn owner(&self, mac: Mac) -> Result<Option<String>, Fault> {
        self.read_ports(&format!("address={mac}")).await?;
        Ok(self.core.mirror().port(mac).map(|owner| owner.to_string()))
    }

    async fn read_ports(&self, filter: &str) -> Result<(), Fault> {
        let began = Instant::now();
        let path = format!("/v1/ports?fields={PORT_FIELDS}&{filter}");
        let answer = self
            .send(Method::GET, path, None)
            .await
            .map_err(|e| self.fault(e))?;
        let page: PortPage = self.read(&answer)?;
        let mut mirror = self.core.mirror();
        for port in &page.ports {
            let key = mirror.put_port(port, began);
            self.core.tell(key);
        }
        Ok(())
    }

    async fn patch(&self, id: &str, patch: Patch) -> Result<(), Fault> {
        let reset = if patch.resets_interfaces {
            "?reset_interfaces=True"
        } else {
            ""
        };
        let path = format!("/v1/nodes/{id}{reset}");
        let began = Instant::now();
        let answer = self
            .send(Method::PATCH, path, Some(patch.into_body()))
            .await;
        let node: Node = self.read(&answer.map_err(|e| self.fault(e))?)?;
        self.put(&node, began);
        Ok(())
    }

    async fn amend(&self, credentials: bool) -> Result<Ack, Fault> {
        let wanted = self.wanted()?;
        let id = &self.facts()?.id;
        let began = Instant::now();
        let answer = self
            .send(Method::GET, format!("/v1/nodes/{id}"), None)
            .await;
        let node: Node = self.read(&answer.map_err(|e| self.fault(e))?)?;
        let secrets = &self.job.secrets;
        // Another kind of BMC needs them in any case.
        let moved = node.driver != wanted.driver().name;
        let login = secrets.bmc.as_ref().filter(|_| credentials || moved);
        let network = secrets
            .preprovisioning_network_data
            .as_ref()
            .map(map::network_data);
        let network = network.transpose().map_err(Fault::Refused)?;
        let patch = patch::amend(&node, &wanted, login, network);
        if patch.is_empty() {
            self.put(&node, began);
        } else {
            self.patch(id, patch).await?;
        }
        Ok(Ack::Done)
    }

    async fn read_inventory(&self) -> Result<Ack, Fault> {
        let id = &self.facts()?.id;
        let answer = self
            .send(Method::GET, format!("/v1/nodes/{id}/inventory"), None)
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            // "Node inventory record for node 1 could not be found.": the node is there.
            Err(IronicError::Status { status: 404, text }) if !text.contains(&**id) => {
                return Ok(Ack::Inventory(None));
            }
            Err(error) => return Err(self.fault(error)),
        };
        let found: Inventory = self.read(&answer)?;
        let hardware = HardwareJson::new(&inventory::hardware(&found))
            .map_err(|error| Fault::Refused(format!("the inventory cannot be kept: {error}")))?;
        // Inspection makes ports by itself; know them before more are made.
        self.read_ports(&format!("node_uuid={id}")).await?;
        Ok(Ack::Inventory(Some(hardware)))
    }

    async fn clean(&self) -> Result<Ack, Fault> {
        let wanted = self.wanted()?;
        let id = &self.facts()?.id;
        let plan = clean::plan(&self.job.host, wanted.driver()).map_err(Fault::Refused)?;
        if plan.steps.is_empty() {
            return Ok(Ack::Done);
        }
        let present = self
            .core
            .mirror()
            .settings_of(id)
            .map(|node| node.raid_interface.clone());
        if present.as_deref() != Some(plan.raid_interface) {
            let mut patch = Patch::default();
            patch.add("/raid_interface", plan.raid_interface);
            self.patch(id, patch).await?;
        }
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

    async fn deploy(&self) -> Result<Ack, Fault> {
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
        let patch = instance::patch(host, &wanted, present.as_deref().unwrap_or_default(), pull)
            .map_err(Fault::Refused)?;
        self.patch(id, patch).await?;
        let mut body = json!({ "target": "active", "configdrive": drive });
        if let Some(steps) = instance::steps(host) {
            body["deploy_steps"] = steps;
        }
        self.provision(body).await
    }

    async fn power(&self, target: PowerTarget) -> Result<Ack, Fault> {
        let path = format!("/v1/nodes/{}/states/power", self.facts()?.id);
        let body = match target {
            PowerTarget::On => json!({ "target": "power on" }),
            PowerTarget::HardOff => json!({ "target": "power off" }),
            PowerTarget::Reboot => json!({ "target": "rebooting" }),
            PowerTarget::SoftReboot => json!({ "target": "soft rebooting" }),
            PowerTarget::SoftOff => {
                json!({ "target": "soft power off", "timeout": SOFT_POWER_OFF })
            }
        };
        let hard = match target {
            PowerTarget::SoftOff => Some(json!({ "target": "power off" })),
            PowerTarget::SoftReboot => Some(json!({ "target": "rebooting" })),
            _ => None,
        };
        let answer = match (self.send(Method::PUT, path.clone(), Some(body)).await, hard) {
            // This driver cannot ask the operating system.
            (Err(error), Some(hard)) if error.status() == Some(400) => {
                self.send(Method::PUT, path, Some(hard)).await
            }
            (answer, _) => answer,
        };
        answer.map_err(|e| self.fault(e))?;
        Ok(Ack::Done)
    }

    async fn unlock(&self) -> Result<Ack, Fault> {
        let path = format!("/v1/nodes/{}/maintenance", self.facts()?.id);
        self.send(Method::DELETE, path, None)
            .await
            .map_err(|e| self.fault(e))?;
        Ok(Ack::Done)
    }

    async fn forget(&self, force: bool) -> Result<Ack, Fault> {
        let facts = self.facts()?;
        let id = &facts.id;
        let resting = matches!(facts.state, NodeState::Available | NodeState::Manageable);
        if force && !facts.maintenance && facts.state != NodeState::Enroll {
            let path = format!("/v1/nodes/{id}/maintenance");
            let body = json!({ "reason": "forcing deletion in metalform" });
            match self.send(Method::PUT, path, Some(body)).await {
                Err(error) if error.status() == Some(404) => return Ok(self.forgotten(id)),
                answer => answer.map_err(|e| self.fault(e))?,
            };
        } else if resting && facts.instance.is_some() {
            // Ironic keeps what belongs to an instance.
            let mut patch = Patch::default();
            patch.remove("/instance_uuid");
            match self.patch(id, patch).await {
                Err(Fault::Gone) => return Ok(self.forgotten(id)),
                answer => answer?,
            }
        }
        match self
            .send(Method::DELETE, format!("/v1/nodes/{id}"), None)
            .await
        {
            Err(error) if error.status() != Some(404) => Err(self.fault(error)),
            _ => Ok(self.forgotten(id)),
        }
    }

    fn forgotten(&self, id: &str) -> Ack {
        let key = self.core.mirror().remove(id);
        self.core.tell(key);
        Ack::Done
    }
}
