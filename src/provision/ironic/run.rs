//! Carrying out effects: what is sent for each, and what its answer does to the picture.

mod deployment;
mod firmware;
mod ports;
mod removal;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

pub(super) use self::ports::{is_rewired, missing_ports};

use super::Core;
use super::client::{Purpose, Request};
use super::error::{self, IronicError, Scrub};
use super::gate::{self, Shut};
use super::inventory;
use super::map::{self, Wanted};
use super::patch::{self, Patch};
use super::spell;
use super::verdict::Verdict;
use super::wire::{Inventory, Node};
use crate::api::HardwareJson;
use crate::provision::{Ack, Effect, Facts, Fault, Job, PowerTarget};
use crate::secrets::Sealed;

/// Seconds that a machine has to power itself off before it is done the hard way.
const SOFT_POWER_OFF: u64 = 180;

/// One effect under way.
struct Call<'a> {
    core: &'a Core,
    job: &'a Job,
    scrub: Scrub,
    seed: u64,
    /// The last request was a change.
    wrote: AtomicBool,
}

impl Core {
    pub(super) async fn run(&self, job: &Job) -> Result<Ack, Fault> {
        let mut hasher = DefaultHasher::new();
        map::node_name(&job.host).hash(&mut hasher);
        let seed = hasher.finish();
        if let Some(spell) = self.spells.pausing(seed) {
            return Err(Fault::Busy {
                what: spell.text,
                retry: spell.pause,
            });
        }
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
            seed,
            wrote: AtomicBool::new(false),
        };
        let result = call.run().await;
        if result.is_ok() {
            self.spells.end(seed);
        }
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
            Effect::Inspect => self.boot("inspect").await,
            Effect::ReadInventory => self.read_inventory().await,
            Effect::ReadFirmware(reading) => self.read_firmware(reading.parts).await,
            Effect::Clean { firmware } => self.clean(firmware.as_deref()).await,
            Effect::Provide => self.boot("provide").await,
            Effect::Deploy => self.deploy().await,
            Effect::Adopt => self.provision(json!({ "target": "adopt" })).await,
            Effect::Undeploy => self.undeploy().await,
            Effect::Abort => self.abort().await,
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

    /// Sends a change, or reads something of one machine, when there is a connection for it.
    async fn send(
        &self,
        method: Method,
        path: String,
        body: Option<Value>,
    ) -> Result<bytes::Bytes, IronicError> {
        let client = &self.core.client;
        let _slot = self
            .core
            .gate
            .enter(gate::PATIENCE)
            .await
            .map_err(|shut| match shut {
                Shut::Down(outage) => IronicError::Down(outage),
                Shut::Crowded => IronicError::Crowded {
                    ironic: client.endpoint().to_string(),
                    waited: gate::PATIENCE,
                },
            })?;
        let purpose = if method == Method::GET {
            Purpose::Read
        } else {
            Purpose::Write
        };
        if purpose == Purpose::Write && !self.job.fence.is_open() {
            return Err(IronicError::Fenced);
        }
        self.wrote
            .store(purpose == Purpose::Write, Ordering::Relaxed);
        let request = Request {
            method,
            path,
            body,
            purpose,
            scrub: Some(&self.scrub),
            fence: (purpose == Purpose::Write).then_some(&self.job.fence),
        };
        client.send(request).await
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Fault> {
        serde_json::from_slice(body).map_err(|error| {
            self.fault(IronicError::NotIronic {
                ironic: self.core.client.endpoint().to_string(),
                reason: format!("an answer cannot be read: {error}"),
            })
        })
    }

    /// What an error means. A node that is not there is taken out of the picture, and all are
    /// looked at: the whole database may be gone.
    fn fault(&self, error: IronicError) -> Fault {
        let verdict = error.verdict(self.job.facts.as_deref());
        if !matches!(
            verdict,
            Verdict::Failed { .. } | Verdict::Unserved(_) | Verdict::Silent(_)
        ) {
            self.core.spells.end(self.seed);
        }
        match verdict {
            Verdict::Gone => {
                if let Some(facts) = &self.job.facts {
                    let key = self.core.mirror().remove(&facts.id);
                    self.core.tell(key);
                    self.core.want_sweep();
                }
                Fault::Gone
            }
            // Spread, so that hosts that were refused together do not ask together.
            Verdict::Busy(what) => Fault::Busy {
                what,
                retry: Duration::from_millis(1000 + self.seed % 2000),
            },
            Verdict::Failed { text, maybe_done } => self.failed(&text, maybe_done),
            Verdict::Unserved(text) => self.unserved(&text),
            Verdict::Unauthorized { status, text } => {
                let endpoint = self.core.client.endpoint();
                Fault::Unauthorized(error::unauthorized(&endpoint, status, &text))
            }
            Verdict::Refused(text) => Fault::Refused(text),
            Verdict::Silent(outage) if outage.unauthorized => {
                Fault::Unauthorized(outage.text.to_string())
            }
            Verdict::Silent(outage) => Fault::Unreachable(outage.text.to_string()),
        }
    }

    /// Ironic failed. When it does so again and again at this host, something about the host makes
    /// it: a power interface that cannot be set up is a plain 500.
    fn failed(&self, text: &str, maybe_done: bool) -> Fault {
        let text = format!("Ironic failed: {text}");
        let spell = self.core.spells.failed(self.seed, text.clone());
        if spell.times >= spell::ENOUGH {
            return Fault::Refused(format!("{text} ({} times in a row)", spell.times));
        }
        let (what, retry) = (text, spell.pause);
        if maybe_done && self.wrote.load(Ordering::Relaxed) {
            Fault::Unclear { what, retry }
        } else {
            Fault::Busy { what, retry }
        }
    }

    /// No conductor serves the machine: an outage of this machine's, however long it lasts, as its
    /// deployment did not fail. Only what is not enrolled yet may have a driver that Ironic lacks, and
    /// a host that is being deleted does not wait for a conductor that may be gone for good.
    fn unserved(&self, text: &str) -> Fault {
        let spell = self.core.spells.failed(self.seed, text.to_owned());
        let gives_up =
            self.job.facts.is_none() || self.job.host.metadata.deletion_timestamp.is_some();
        if gives_up && spell.times >= spell::ENOUGH {
            return Fault::Refused(text.to_owned());
        }
        Fault::Busy {
            what: spell.text,
            retry: spell.pause,
        }
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
        let (host, secrets) = (&self.job.host, &self.job.secrets);
        let usual = &self.core.architecture;
        let body = map::enroll(host, &wanted, secrets, usual).map_err(Fault::Refused)?;
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
                let node: Node = self.read(&answer.map_err(|e| self.fault(e))?)?;
                self.put(&node, began);
                // Nobody knows with which credentials and settings.
                let login = self.job.secrets.bmc.as_ref();
                let patch = self.amendment(&node, &wanted, login)?;
                if !patch.is_empty() {
                    self.patch(&node.uuid, patch).await?;
                }
                self.ports(&node.uuid).await?;
                return Ok(Ack::Enrolled(node.uuid.into()));
            }
            Err(error) => return Err(self.fault(error)),
        };
        self.put(&node, began);
        self.ports(&node.uuid).await?;
        Ok(Ack::Enrolled(node.uuid.into()))
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

    /// The same with what there may be nothing of, for the machine as it was seen.
    async fn patch_any(&self, patch: Patch) -> Result<(), Fault> {
        if patch.is_empty() {
            return Ok(());
        }
        self.patch(&self.facts()?.id, patch).await
    }

    /// What a node lacks of what is wanted.
    fn amendment(
        &self,
        node: &Node,
        wanted: &Wanted,
        login: Option<&(Sealed, Sealed)>,
    ) -> Result<Patch, Fault> {
        let usual = &self.core.architecture;
        Ok(patch::amend(node, wanted, login, &self.network()?, usual))
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
        let patch = self.amendment(&node, &wanted, login)?;
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
            Err(error) if error.is_no_inventory() => return Ok(Ack::Inventory(None)),
            Err(error) => return Err(self.fault(error)),
        };
        let found: Inventory = self.read(&answer)?;
        let hardware = HardwareJson::new(&inventory::hardware(&found))
            .map_err(|error| Fault::Refused(format!("the inventory cannot be kept: {error}")))?;
        // Inspection makes ports by itself; know them before more are made.
        self.read_ports(&format!("node_uuid={id}")).await?;
        Ok(Ack::Inventory(Some(hardware)))
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
}
