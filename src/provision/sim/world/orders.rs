//! What is done to a machine: one effect at a time, on a copy.

use std::sync::Arc;

use super::super::inventory;
use super::super::machine::{Hardware, Machine, Order};
use super::super::script::Task;
use super::{Slot, World, key_of, place_of, rack_of, settings_of};
use crate::api::{BareMetalHost, Timestamp};
use crate::dice::Dice;
use crate::provision::{Ack, Effect, Facts, Fault, Job, NodeState};

/// Where a new host's machine is.
enum Place {
    /// On the books already, with this id.
    Known(Arc<str>),
    /// Here.
    At(u32),
}

impl World {
    /// Carries out one effect: on a copy, which counts once it is written down.
    pub(in super::super) fn run(&mut self, job: &Job, now: Timestamp) -> Result<Ack, Fault> {
        self.check_api(now)?;
        let index = match &job.effect {
            Effect::Enroll { .. } => match self.place(&job.host, now)? {
                Place::Known(id) => return Ok(Ack::Enrolled(id)),
                Place::At(index) => index,
            },
            _ => self.find(&job.host).ok_or(Fault::Gone)?,
        };
        self.catch_up(index, now);
        if job.effect == Effect::ReadInventory {
            let machine = &self.slots[index as usize].machine;
            let name = job.host.metadata.name.as_deref().unwrap_or_default();
            let found = machine.facts().is_some_and(|facts| facts.inspected);
            return Ok(Ack::Inventory(
                found.then(|| inventory::of(&machine.hardware.mac, name)),
            ));
        }
        if let Effect::ReadFirmware(reading) = &job.effect {
            let machine = &self.slots[index as usize].machine;
            let found = machine.read_firmware(reading.parts);
            return Ok(Ack::Firmware(Box::new(found)));
        }
        self.check_busy(index, now)?;
        let mut slot = self.slots[index as usize].clone();
        let ack = self.order(&mut slot, job, now)?;
        self.write(&[Self::entry(&slot)]).map_err(|error| {
            // Not done, because it would be forgotten: the disk is full, say.
            Fault::Unreachable(format!("the simulated machines cannot write: {error}"))
        })?;
        self.commit(index, slot);
        Ok(ack)
    }

    /// Where a host's machine stands, or is to be put.
    fn place(&mut self, host: &BareMetalHost, now: Timestamp) -> Result<Place, Fault> {
        host.spec
            .bmc
            .address
            .parse::<crate::api::bmc::BmcAddress>()
            .map_err(|error| Fault::Refused(error.to_string()))?;
        let key = key_of(host);
        if let Some(index) = self.hosts.get(&key)
            && let Some(facts) = self.slots[*index as usize].machine.facts()
        {
            // Ours, made by an effect whose answer got lost.
            return Ok(Place::Known(Arc::clone(&facts.id)));
        }
        if let Some(text) = self.taken(host) {
            return Err(Fault::Taken(text));
        }
        let rack = rack_of(host);
        if let Some(index) = self.racks.get(&*rack).copied() {
            self.slots[index as usize].host = key;
            self.hold_rules(index, now);
            return Ok(Place::At(index));
        }
        let index = self.slots.len() as u32;
        let rack: Arc<str> = rack.into();
        self.racks.insert(Arc::clone(&rack), index);
        let hardware = Hardware::new(&*rack);
        self.slots.push(Slot {
            machine: Machine::new(hardware, Arc::clone(&self.pace)),
            rack,
            host: key,
            settings: 0,
            place: 0,
            ports: false,
            orders: 0,
            first: None,
            struck: Vec::new(),
            began: [0; 7],
            due: None,
        });
        self.hold_rules(index, now);
        Ok(Place::At(index))
    }

    /// Does it to a copy of a machine.
    fn order(&self, slot: &mut Slot, job: &Job, now: Timestamp) -> Result<Ack, Fault> {
        let host = &*job.host;
        let version = match &job.effect {
            Effect::Enroll { credentials } => Some(Arc::clone(credentials)),
            Effect::Amend { credentials } => credentials.clone(),
            _ => None,
        };
        if let Some(version) = &version {
            slot.first.get_or_insert_with(|| Arc::clone(version));
        }
        if matches!(job.effect, Effect::Ports) {
            self.check_port(slot, host)?;
        }
        let tasks = tasks_of(job, slot.machine.facts());
        let counted = self.trouble(slot, tasks, now);
        slot.machine.hardware.password = self.password(slot, now);
        let mut dice = Dice::of(
            &slot.host.name,
            self.options
                .seed
                .wrapping_add(u64::from(slot.orders).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        );
        let order = Order {
            effect: &job.effect,
            host,
            password: version.as_deref(),
        };
        let ack = slot.machine.apply(&order, now, &mut dice)?;
        // What the machine took has struck.
        let left = std::mem::take(&mut slot.machine.troubles.next);
        for (_, id) in counted.into_iter().filter(|(task, _)| !left.contains(task)) {
            slot.count(id);
        }
        if let Some(task) = tasks.first() {
            slot.began[*task as usize] = slot.began[*task as usize].wrapping_add(1);
        }
        slot.orders = slot.orders.wrapping_add(1);
        match &job.effect {
            Effect::Enroll { .. } | Effect::Amend { .. } => {
                slot.settings = settings_of(host);
                slot.place = place_of(host);
                slot.ports &= !matches!(job.effect, Effect::Enroll { .. });
            }
            Effect::Ports => {
                let inspected = host
                    .status
                    .as_ref()
                    .is_some_and(|status| status.hardware.is_some());
                slot.ports |= inspected;
            }
            _ => {}
        }
        Ok(ack)
    }

    /// Gives the machine the boot MAC address that its host asks for, unless another one has it.
    fn check_port(&self, slot: &mut Slot, host: &BareMetalHost) -> Result<(), Fault> {
        let rack = rack_of(host);
        if *slot.rack == *rack {
            return Ok(());
        }
        if let Some(text) = self.taken(host) {
            return Err(Fault::Taken(text));
        }
        slot.machine.hardware.mac.clone_from(&rack);
        slot.rack = rack.into();
        Ok(())
    }

    /// Puts the changed copy in the place of the machine.
    fn commit(&mut self, index: u32, slot: Slot) {
        self.unbook(index);
        let old = std::mem::replace(&mut self.slots[index as usize], slot);
        let rack = Arc::clone(&self.slots[index as usize].rack);
        if old.rack != rack {
            self.racks.remove(&old.rack);
            self.racks.insert(rack, index);
        }
        self.book(index);
        self.news.push(old.host);
        self.plan(index);
    }
}

/// The tasks that an effect begins: the first at once, others after it.
fn tasks_of(job: &Job, facts: Option<&Arc<Facts>>) -> &'static [Task] {
    match job.effect {
        Effect::Manage if facts.is_some_and(|facts| facts.state == NodeState::Enroll) => {
            &[Task::Verify]
        }
        Effect::Inspect => &[Task::Inspect],
        Effect::Clean { .. } | Effect::Provide => &[Task::Clean],
        Effect::Deploy => &[Task::Deploy],
        Effect::Adopt => &[Task::Adopt],
        Effect::Undeploy => &[Task::Undeploy, Task::Clean],
        Effect::Power(_) => &[Task::Power],
        Effect::Manage
        | Effect::Enroll { .. }
        | Effect::Amend { .. }
        | Effect::Ports
        | Effect::ReadInventory
        | Effect::ReadFirmware(_)
        | Effect::Abort
        | Effect::Unlock
        | Effect::Forget { .. } => &[],
    }
}
