//! A machine and what Ironic makes of it: the node state machine of Ironic, with durations and
//! faults, as a pure value.
//!
//! The hardware (its power, its BMC's password, what is on its disk) and the node (Ironic's record
//! of it) are apart: a node can be lost and made again while the hardware runs on.
//!
//! What is as in Ironic, because the reconciler has to cope with it:
//! - a verb that the state does not allow is refused (400), one that meets a lock is answered with
//!   busy (409); an action holds the lock while it is in a state of its own (`inspecting`), not
//!   while it waits for the ramdisk (`inspect wait`);
//! - a failed verification falls back to `enroll` with a text and no target;
//! - a failed cleaning sets maintenance, in which no verb is taken;
//! - the last error stays until the next action starts;
//! - an undeployment goes on into cleaning and ends in `available`.

mod node;
mod record;

use std::sync::Arc;

use super::firmware::Firmware;
use super::script::{Pace, Troubles};
use crate::api::{BareMetalHost, Timestamp};
use crate::dice::Dice;
use crate::firmware::{Found, Parts};
use crate::provision::{Ack, Effect, Facts, Fault, NodeState};

use self::node::{Node, World, cleans};
pub use self::record::Record;

/// One effect and what of the host it needs.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// What to do.
    pub effect: &'a Effect,
    /// For which host.
    pub host: &'a BareMetalHost,
    /// The BMC password that is written with it, if it writes one.
    pub password: Option<&'a str>,
}

/// What stands in the rack.
#[derive(Debug, Clone, PartialEq)]
pub struct Hardware {
    /// The password that the BMC accepts; `None` accepts any.
    pub password: Option<String>,
    /// The BMC answers.
    pub reachable: bool,
    /// The BMC can power off softly.
    pub soft_off: bool,
    /// Power.
    pub power: bool,
    /// URL of the image on the disk.
    pub disk: Option<Arc<str>>,
    /// MAC address of the boot NIC.
    pub mac: String,
    /// Times that an image was written, for tests.
    pub writes: u32,
    /// BIOS settings and firmware, where they are not as they left the factory.
    pub firmware: Option<Box<Firmware>>,
}

impl Hardware {
    /// A machine that is off and empty.
    pub fn new(mac: impl Into<String>) -> Self {
        Self {
            password: None,
            reachable: true,
            soft_off: true,
            power: false,
            disk: None,
            mac: mac.into(),
            writes: 0,
            firmware: None,
        }
    }
}

/// A machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// What stands in the rack.
    pub hardware: Hardware,
    /// How long things take.
    pub pace: Arc<Pace>,
    /// What goes wrong.
    pub troubles: Troubles,
    node: Option<Box<Node>>,
}

impl Machine {
    /// A machine that nobody knows yet.
    pub fn new(hardware: Hardware, pace: Arc<Pace>) -> Self {
        Self {
            hardware,
            pace,
            troubles: Troubles::default(),
            node: None,
        }
    }

    /// What the provisioner knows of it; `None` when it is not enrolled.
    pub fn facts(&self) -> Option<&Arc<Facts>> {
        self.node.as_ref().map(|node| &node.facts)
    }

    /// The credentials on the books.
    pub fn credentials(&self) -> Option<&str> {
        self.node.as_ref()?.password.as_deref()
    }

    /// Loses the record, as when Ironic's database is wiped. The hardware runs on.
    pub fn lose(&mut self) {
        self.node = None;
    }

    /// Changes its record out of the blue, as a person at the provisioner does; what it was at ends.
    #[cfg(test)]
    pub fn tamper(&mut self, now: Timestamp, change: impl FnOnce(&mut Facts)) {
        if let Some(node) = &mut self.node {
            (node.work, node.switch) = (None, None);
            node.change(now, |facts| {
                (facts.target, facts.power_changing) = (None, false);
                change(facts);
            });
        }
    }

    /// Reads BIOS settings and firmware.
    pub fn read_firmware(&self, parts: Parts) -> Found {
        let firmware = self.hardware.firmware.as_deref();
        firmware.map_or_else(|| Firmware::default().read(parts), |it| it.read(parts))
    }

    /// When something will happen by itself.
    pub fn next_event(&self) -> Option<Timestamp> {
        let node = self.node.as_ref()?;
        let work = node.work.as_ref().map(|work| work.until);
        let switch = node.switch.as_ref().map(|switch| switch.until);
        work.into_iter().chain(switch).min()
    }

    /// Lets happen what happens until `now`. True when something did.
    pub fn advance(&mut self, now: Timestamp) -> bool {
        let mut happened = false;
        while let Some(due) = self.next_event().filter(|due| *due <= now) {
            happened = true;
            let Self {
                hardware,
                node: Some(node),
                ..
            } = self
            else {
                return happened;
            };
            if node
                .switch
                .as_ref()
                .is_some_and(|switch| switch.until <= due)
            {
                node.end_switch(hardware, due);
            } else {
                node.end_stage(hardware, due);
            }
        }
        happened
    }

    /// The BMC goes away or comes back. Ironic's power sync notices it of a machine that rests.
    pub fn set_reachable(&mut self, reachable: bool, now: Timestamp) {
        self.hardware.reachable = reachable;
        let power = self.hardware.power;
        if let Some(node) = &mut self.node {
            let rests = node.facts.state.is_at_rest() && node.facts.state != NodeState::Enroll;
            node.change(now, |facts| {
                if reachable && facts.fault.as_deref() == Some("power failure") {
                    facts.maintenance = false;
                    facts.fault = None;
                    facts.power = Some(power);
                } else if !reachable && rests && !facts.maintenance {
                    facts.maintenance = true;
                    facts.fault = Some("power failure".into());
                    facts.power = None;
                }
            });
        }
    }

    /// Carries out one effect.
    pub fn apply(
        &mut self,
        order: &Order<'_>,
        now: Timestamp,
        dice: &mut Dice,
    ) -> Result<Ack, Fault> {
        self.advance(now);
        if let Effect::ReadFirmware(reading) = order.effect {
            self.node.as_ref().ok_or(Fault::Gone)?;
            let found = self.read_firmware(reading.parts);
            return Ok(Ack::Firmware(Box::new(found)));
        }
        if let Effect::Enroll { .. } = order.effect {
            return self.enroll(order, now, dice);
        }
        let Self {
            hardware,
            pace,
            troubles,
            node,
        } = self;
        let Some(record) = node else {
            return Err(Fault::Gone);
        };
        if let Effect::Forget { force } = order.effect {
            record.check_lock()?;
            let state = record.facts.state;
            if !force && !state.is_removable() && !record.facts.maintenance {
                return Err(Fault::Refused(format!(
                    "cannot delete a node in state \"{state}\""
                )));
            }
            *node = None;
            return Ok(Ack::Done);
        }
        record.apply(
            order,
            now,
            &mut World {
                hardware,
                pace,
                troubles,
                dice,
            },
        )
    }

    fn enroll(&mut self, order: &Order<'_>, now: Timestamp, dice: &mut Dice) -> Result<Ack, Fault> {
        if self.node.is_some() {
            return Err(Fault::Refused(
                "a node with this name already exists".into(),
            ));
        }
        let id: Arc<str> = uuid::Uuid::new_v5(
            &uuid::Uuid::NAMESPACE_OID,
            format!("{}{}", self.hardware.mac, dice.roll()).as_bytes(),
        )
        .to_string()
        .into();
        let meta = &order.host.metadata;
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let name = meta.name.as_deref().unwrap_or_default();
        let facts = Facts {
            id: Arc::clone(&id),
            name: Some(format!("{namespace}~{name}").into()),
            state: NodeState::Enroll,
            target: None,
            power: None,
            power_changing: false,
            maintenance: false,
            fault: None,
            last_error: None,
            health: None,
            inspected: false,
            image: None,
            instance: None,
            updated_at: Some(now),
        };
        self.node = Some(Box::new(Node {
            facts: Arc::new(facts),
            password: order.password.map(str::to_owned),
            work: None,
            switch: None,
            clean: cleans(order.host),
            changes: None,
        }));
        Ok(Ack::Enrolled(id))
    }
}

#[cfg(test)]
mod tests;
