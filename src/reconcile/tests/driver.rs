//! A tiny engine for one host and one machine: synchronous, on virtual time.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::api::{BareMetalHost, BareMetalHostStatus, ProvisioningState, Timestamp};
use crate::budget::{Grants, SlotKind};
use crate::dice::Dice;
use crate::provision::sim::machine::{Hardware, Machine, Order};
use crate::provision::sim::script::Pace;
use crate::provision::{Ack, Drift, Effect, Fault, Sight};
use crate::reconcile::{Credentials, Note, Outcome, Policy, Step, View, Wake, step};

/// The BMC's secret.
#[derive(Debug, Clone)]
pub struct Login {
    pub version: u32,
    pub password: String,
    pub present: bool,
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
    /// The provisioner does not answer.
    pub down: bool,
    /// The MAC address belongs to another machine.
    pub taken: Option<String>,
    /// Answers to the next effects, instead of the machine's.
    pub answers: Vec<Fault>,
    pub drift: Drift,
    /// Every status that was written.
    pub statuses: Vec<BareMetalHostStatus>,
    pub notes: Vec<Note>,
    /// Every effect that was sent, with the answer.
    pub effects: Vec<(Effect, Result<Ack, Fault>)>,
    pub last: Option<Step>,
    pub outcome: Option<Outcome>,
    pub unconfirmed: Option<Effect>,
    /// The slot that the host holds.
    pub held: Option<SlotKind>,
    /// The last step was told what came of an effect.
    pub had_outcome: bool,
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
            machine: Machine::new(hardware, Pace::default()),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            login: Login {
                version: 1,
                password: "right".into(),
                present: true,
            },
            policy: Policy::default(),
            grants: Grants::ALL,
            missing: Vec::new(),
            down: false,
            taken: None,
            answers: Vec::new(),
            drift: Drift::default(),
            statuses: Vec::new(),
            notes: Vec::new(),
            effects: Vec::new(),
            last: None,
            outcome: None,
            unconfirmed: None,
            held: None,
            had_outcome: false,
            dice: Dice::new(1),
        }
    }

    pub fn sight(&self) -> Sight {
        if self.down {
            return Sight::Down("nobody answers".into());
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
        let outcome = self.outcome.take();
        self.had_outcome = outcome.is_some();
        let view = View {
            host: &host,
            credentials: &credentials,
            missing: &self.missing,
            sight: &sight,
            drift: self.drift,
            grants: self.grants,
            outcome: outcome.as_ref(),
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
        let gone = next.metadata.deletion_timestamp.is_some()
            && next
                .metadata
                .finalizers
                .as_deref()
                .unwrap_or_default()
                .is_empty();
        self.host = (!gone).then_some(next);
        true
    }

    fn act(&mut self, effect: &Effect, host: &BareMetalHost) {
        let result = if self.down {
            Err(Fault::Unreachable("nobody answers".into()))
        } else if let Some(fault) = self.answers.pop() {
            Err(fault)
        } else {
            let order = Order {
                effect,
                host,
                password: Some(&self.login.password),
            };
            self.machine.apply(&order, self.now, &mut self.dice)
        };
        if result.is_ok() && effect.changes() {
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
                .insert(name.into(), value.into());
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
        if host
            .metadata
            .finalizers
            .as_deref()
            .unwrap_or_default()
            .is_empty()
        {
            self.host = None;
            return;
        }
        if host.metadata.deletion_timestamp.is_none() {
            host.metadata.deletion_timestamp = Some(
                k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(self.now),
            );
            *host.metadata.generation.get_or_insert(0) += 1;
        }
    }

    /// The process dies and starts again: nothing is remembered.
    pub fn restart(&mut self) {
        self.outcome = None;
        self.unconfirmed = None;
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
