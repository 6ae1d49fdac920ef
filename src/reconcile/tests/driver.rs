//! A tiny engine for one host and one machine: synchronous, on virtual time.

use std::sync::Arc;

use jiff::SignedDuration;

use super::beside::Beside;
use crate::api::{
    BareMetalHost, BareMetalHostStatus, BootMode, HardwareJson, ProvisioningState, RaidConfig,
    Timestamp,
};
use crate::budget::{Grants, SlotKind};
use crate::dice::Dice;
use crate::provision::sim::machine::{Hardware, Machine, Order};
use crate::provision::{Ack, Drift, Effect, Fault, NodeState, Outage, Sight};
use crate::reconcile::{Credentials, Hold, Note, Outcome, Policy, Step, View, Wake, step};

/// The BMC's secret.
#[derive(Debug, Clone)]
pub struct Login {
    pub version: u32,
    pub password: String,
    pub present: bool,
}

/// What is on the machine, whatever the status says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    pub url: String,
    pub method: Option<String>,
    pub boot_mode: Option<BootMode>,
}

/// One host, its machine and the world around them.
#[derive(Debug)]
pub struct Driver {
    /// `None` once the object is gone.
    pub host: Option<BareMetalHost>,
    pub machine: Machine,
    pub now: Timestamp,
    pub login: Login,
    pub policy: Policy,
    pub grants: Grants,
    pub missing: Vec<String>,
    /// A secret that is needed for enrolling cannot be read.
    pub unregistrable: Option<String>,
    /// The provisioner does not answer.
    pub down: bool,
    /// While it is down, it is because it refuses our credentials.
    pub unauthorized: bool,
    /// The MAC address belongs to another machine.
    pub taken: Option<String>,
    /// Answers to the next effects, instead of the machine's.
    pub answers: Vec<Fault>,
    /// Effects of this name are refused.
    pub refuses: Option<&'static str>,
    /// So many of the next effects are done, and nobody hears of it.
    pub lost: usize,
    /// The boot mode on the machine's books.
    pub boot_mode: Option<BootMode>,
    /// The volumes that the last cleaning by hand made.
    pub made: Option<Box<RaidConfig>>,
    pub deployed: Option<Deployed>,
    /// Every status that was written.
    pub statuses: Vec<BareMetalHostStatus>,
    pub notes: Vec<Note>,
    /// Every effect that was sent, with the answer.
    pub effects: Vec<(Effect, Result<Ack, Fault>)>,
    /// Every effect that was done, whatever the answer.
    pub did: Vec<Effect>,
    pub last: Option<Step>,
    pub outcome: Option<Outcome>,
    pub hold: Option<Hold>,
    /// The inventory of a HardwareData that is there.
    pub inventory: Option<HardwareJson>,
    /// How else the settings of the machine differ.
    pub differs: Drift,
    /// An annotation changed.
    pub asked: bool,
    pub unconfirmed: Option<Effect>,
    /// The slot that the host holds.
    pub held: Option<SlotKind>,
    /// The last step was told what came of an effect.
    pub had_outcome: bool,
    /// The objects beside the host, as the engine keeps them.
    pub firmware: Beside,
    dice: Dice,
}

impl Driver {
    #[expect(clippy::needless_pass_by_value, reason = "made for the call")]
    pub fn new(spec: serde_json::Value) -> Self {
        let host: BareMetalHost = serde_json::from_value(serde_json::json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": { "name": "h", "namespace": "m", "uid": "u-1", "generation": 1 },
            "spec": spec,
        }))
        .unwrap();
        let mut hardware = Hardware::new("52:54:00:00:00:01");
        hardware.password = Some("right".into());
        Self {
            host: Some(host),
            machine: Machine::new(hardware, Arc::default()),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            login: Login {
                version: 1,
                password: "right".into(),
                present: true,
            },
            policy: Policy::default(),
            grants: Grants::ALL,
            missing: Vec::new(),
            unregistrable: None,
            down: false,
            unauthorized: false,
            taken: None,
            answers: Vec::new(),
            refuses: None,
            lost: 0,
            boot_mode: None,
            made: None,
            deployed: None,
            statuses: Vec::new(),
            notes: Vec::new(),
            effects: Vec::new(),
            did: Vec::new(),
            last: None,
            outcome: None,
            hold: None,
            inventory: None,
            differs: Drift::default(),
            asked: false,
            unconfirmed: None,
            held: None,
            had_outcome: false,
            firmware: Beside::default(),
            dice: Dice::new(1),
        }
    }

    /// One that has come to rest, with what was done until then forgotten.
    pub fn settled(spec: serde_json::Value) -> Self {
        let mut driver = Self::new(spec);
        driver.settle(400);
        driver.effects.clear();
        driver.statuses.clear();
        driver.notes.clear();
        driver.did.clear();
        driver
    }

    /// Runs until it waits for this, and has sent nothing.
    pub fn is_idle(&mut self, code: &str) {
        self.waits_for(code);
        assert_eq!(self.sent(), [""; 0], "{code}");
    }

    /// Runs until the machine is in this state.
    pub fn reach_machine(&mut self, state: NodeState) {
        while self.machine.facts().map(|facts| facts.state) != Some(state) {
            assert!(self.step() || self.pass(), "{:?}", self.last);
        }
    }

    pub fn sight(&self) -> Sight {
        if self.down {
            return Sight::Down(Outage {
                text: "nobody answers".into(),
                unauthorized: self.unauthorized,
            });
        }
        if let Some(effect) = &self.unconfirmed {
            return Sight::Unconfirmed(effect.clone());
        }
        if let Some(text) = &self.taken {
            return Sight::Taken(text.as_str().into());
        }
        self.machine
            .facts()
            .map_or(Sight::Absent, |facts| Sight::Present(Arc::clone(facts)))
    }

    fn drift(&self, host: &BareMetalHost) -> Drift {
        let is_there = self.machine.facts().is_some();
        let differs = self.boot_mode != Some(host.boot_mode_in_force());
        Drift {
            settings: is_there && differs,
            ports: false,
            ..self.differs
        }
    }

    /// One step: decide, write, act. False when nothing was done.
    pub fn step(&mut self) -> bool {
        let Some(host) = self.host.clone() else {
            return false;
        };
        let sight = self.sight();
        let credentials = if self.login.present {
            Credentials::Present {
                version: format!("v{}", self.login.version),
            }
        } else {
            Credentials::Missing("secret `bmc` not found".into())
        };
        self.firmware.judge(self.now);
        let firmware = self.firmware.standing();
        let outcome = self.outcome.take();
        self.had_outcome = outcome.is_some();
        let view = View {
            host: &host,
            credentials: &credentials,
            missing: &self.missing,
            sight: &sight,
            unregistrable: self.unregistrable.as_deref(),
            inventory: self.inventory.as_ref(),
            drift: self.drift(&host),
            firmware: &firmware,
            grants: self.grants,
            outcome: outcome.as_ref(),
            hold: self.hold.as_ref(),
            asked: std::mem::take(&mut self.asked),
            now: self.now,
            seed: 7,
            policy: &self.policy,
        };
        let step = step(&view);
        if !step.blind {
            self.held = step.slot;
        }
        // What is unconfirmed is seen by the next look.
        let confirmed = self.unconfirmed.take().is_some();
        self.hold.clone_from(&step.hold);
        let mut done = self.write(&host, &step) || confirmed;
        self.notes.extend(step.notes.iter().cloned());
        if let (Some(effect), Some(host)) = (&step.effect, &self.host.clone()) {
            done = true;
            self.act(effect, host);
        }
        self.last = Some(step);
        done
    }

    fn write(&mut self, host: &BareMetalHost, step: &Step) -> bool {
        if step.status.is_none() && step.meta.is_empty() {
            return false;
        }
        let mut next = host.clone();
        if let Some(status) = &step.status {
            assert_ne!(
                host.status.as_ref(),
                Some(&**status),
                "a status that is no change"
            );
            next.status = Some((**status).clone());
            self.statuses.push((**status).clone());
        }
        step.meta.apply(&mut next.metadata);
        let meta = &next.metadata;
        let gone = meta.deletion_timestamp.is_some() && meta.finalizers().is_empty();
        self.host = (!gone).then_some(next);
        true
    }

    fn act(&mut self, effect: &Effect, host: &BareMetalHost) {
        let result = if self.down {
            Err(Fault::Unreachable("nobody answers".into()))
        } else if let Some(fault) = self.answers.pop() {
            Err(fault)
        } else if self.refuses == Some(effect.name()) {
            Err(Fault::Refused("400 no such thing".into()))
        } else {
            let order = Order {
                effect,
                host,
                password: Some(&self.login.password),
            };
            let result = self.machine.apply(&order, self.now, &mut self.dice);
            if result.is_ok() {
                self.done(effect, host);
            }
            if self.lost > 0 {
                self.lost -= 1;
                Err(Fault::Unreachable("no answer".into()))
            } else {
                result
            }
        };
        let result = self.firmware.keep(effect, result, self.now);
        let maybe_done = matches!(result, Ok(_) | Err(Fault::Unreachable(_)));
        if maybe_done && effect.changes() {
            self.unconfirmed = Some(effect.clone());
        }
        self.effects.push((effect.clone(), result.clone()));
        let generation = host.metadata.generation.unwrap_or_default();
        self.outcome = Some(Outcome {
            effect: effect.clone(),
            generation,
            result,
        });
    }

    /// Notes what an effect did to the machine.
    fn done(&mut self, effect: &Effect, host: &BareMetalHost) {
        self.did.push(effect.clone());
        let spec = &host.spec;
        match effect {
            Effect::Enroll { .. } | Effect::Amend { .. } => {
                self.boot_mode = Some(host.boot_mode_in_force());
            }
            // No wish keeps what is there.
            Effect::Clean { .. } if spec.raid.is_some() => self.made.clone_from(&spec.raid),
            Effect::Deploy => {
                let url = spec.image.as_ref().map(|image| image.url.clone());
                self.deployed = Some(Deployed {
                    url: url.unwrap_or_default(),
                    method: spec
                        .custom_deploy
                        .as_ref()
                        .map(|deploy| deploy.method.clone()),
                    boot_mode: self.boot_mode.clone(),
                });
            }
            _ => {}
        }
    }

    /// Lets time pass until something happens by itself. False when nothing will.
    pub fn pass(&mut self) -> bool {
        let timer = match self.last.as_ref().map(|step| step.wake) {
            Some(Wake::After(pause)) => self
                .now
                .checked_add(SignedDuration::try_from(pause).unwrap())
                .ok(),
            Some(Wake::OnChange | Wake::OnSlot(_)) | None => None,
        };
        let Some(next) = timer.into_iter().chain(self.machine.next_event()).min() else {
            return false;
        };
        self.now = self.now.max(next);
        self.machine.advance(self.now);
        true
    }

    /// Runs until nothing happens any more, at most `most` steps. Returns how many it took.
    pub fn settle(&mut self, most: usize) -> usize {
        for count in 0..most {
            if !self.step() && !self.pass() {
                return count;
            }
        }
        panic!(
            "not settled after {most} steps: {:?}\n{:#?}\n{:#?}",
            self.last,
            self.machine.facts(),
            self.effects.iter().rev().take(12).collect::<Vec<_>>()
        );
    }

    /// Runs until it waits for this, and would look again by itself for ever.
    pub fn waits_for(&mut self, code: &str) {
        for _ in 0..20 {
            if !self.step() && self.code() == code {
                return;
            }
            self.pass();
        }
        panic!("does not wait for {code}: {:?}", self.last);
    }

    /// Runs until the host is in this state.
    pub fn reach(&mut self, state: &ProvisioningState) {
        for _ in 0..1000 {
            if self.host.as_ref().map(BareMetalHost::state) == Some(state) {
                return;
            }
            if !self.step() && !self.pass() {
                break;
            }
        }
        panic!(
            "{state} not reached: {:?}\n{:#?}",
            self.last,
            self.machine.facts()
        );
    }

    /// Changes the spec.
    pub fn edit(&mut self, change: impl FnOnce(&mut BareMetalHost)) {
        if let Some(host) = &mut self.host {
            let before = host.spec.clone();
            change(host);
            if host.spec != before {
                *host.metadata.generation.get_or_insert(0) += 1;
            }
        }
    }

    pub fn annotate(&mut self, name: &str, value: &str) {
        self.edit(|host| {
            host.metadata
                .annotations
                .get_or_insert_default()
                .insert(name, value);
        });
    }

    pub fn remove_annotation(&mut self, name: &str) {
        self.edit(|host| {
            host.metadata
                .annotations
                .as_mut()
                .map(|all| all.remove(name));
        });
    }

    pub fn delete(&mut self) {
        let Some(host) = &mut self.host else { return };
        if host.metadata.finalizers().is_empty() {
            self.host = None;
            return;
        }
        if host.metadata.deletion_timestamp.is_none() {
            host.metadata.deletion_timestamp = Some(self.now);
            *host.metadata.generation.get_or_insert(0) += 1;
        }
    }

    /// The process dies and starts again: nothing is remembered.
    pub fn restart(&mut self) {
        self.outcome = None;
        self.unconfirmed = None;
        self.hold = None;
        self.last = None;
    }

    pub fn status(&self) -> &BareMetalHostStatus {
        self.host.as_ref().unwrap().status.as_ref().unwrap()
    }

    pub fn state(&self) -> &ProvisioningState {
        self.host.as_ref().unwrap().state()
    }

    pub fn code(&self) -> &'static str {
        self.last.as_ref().unwrap().why.code
    }

    /// Names of the effects that were sent.
    pub fn sent(&self) -> Vec<&'static str> {
        self.effects
            .iter()
            .map(|(effect, _)| effect.name())
            .collect()
    }

    /// How often an effect of this name was done.
    pub fn count(&self, name: &str) -> usize {
        self.did
            .iter()
            .filter(|effect| effect.name() == name)
            .count()
    }

    /// States in the order in which they were written.
    pub fn states(&self) -> Vec<String> {
        let mut states: Vec<String> = self
            .statuses
            .iter()
            .map(|status| status.provisioning.state.to_string())
            .collect();
        states.dedup();
        states
    }
}

/// A spec with an image.
pub fn with_image(url: &str) -> serde_json::Value {
    let mut spec = plain();
    spec["image"] = serde_json::json!({ "url": url, "checksum": "aa", "checksumType": "md5" });
    spec
}

/// A spec without an image.
pub fn plain() -> serde_json::Value {
    serde_json::json!({
        "online": true,
        "bmc": { "address": "redfish+http://127.0.0.1/s/1", "credentialsName": "bmc" },
        "bootMACAddress": "52:54:00:00:00:01",
    })
}
