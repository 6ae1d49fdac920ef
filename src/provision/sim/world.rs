//! All simulated machines: who is who, and what is seen of them. What becomes of them is in the parts.

mod agenda;
mod kept;
mod orders;
mod rules;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;

use super::fault::Active;
use super::journal::{Journal, JournalError, Line, Lines};
use super::machine::Machine;
use super::options::Options;
use super::script::{Pace, Task};
use crate::api::bmc::BmcAddress;
use crate::api::{BareMetalHost, CleaningMode, Timestamp};
use crate::dice::Dice;
use crate::eval::unit::Mac;
use crate::provision::{Drift, NodeState, Other, Outage, Sight};
use crate::store::Key;

/// A machine and what the simulation knows of it.
#[derive(Debug, Clone)]
struct Slot {
    machine: Machine,
    /// The name by which the hardware is known: MAC address or BMC address.
    rack: Arc<str>,
    /// The host that it belongs, or belonged to.
    host: Key,
    settings: u64,
    /// Digest of where its BMC is; 0 where that was not kept.
    place: u64,
    ports: bool,
    orders: u32,
    first: Option<Arc<str>>,
    struck: Vec<(u64, u32)>,
    /// How often each task began, in the order of [`Task::ALL`].
    began: [u16; 7],
    /// What is in the agenda.
    due: Option<Timestamp>,
}

/// What happens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A rule begins or ends to hold.
    Rule(u32),
    /// A machine goes on.
    Machine(u32),
}

/// All machines.
#[derive(Debug)]
pub(super) struct World {
    options: Options,
    pace: Arc<Pace>,
    journal: Option<Journal>,
    began: Timestamp,
    slots: Vec<Slot>,
    /// Hardware by its name.
    racks: HashMap<Arc<str>, u32>,
    /// Machines on the books, by host and by id.
    hosts: HashMap<Key, u32>,
    ids: HashMap<Arc<str>, u32>,
    rules: Vec<Active>,
    /// Rules that were given while the machines ran.
    given: Vec<Line>,
    /// Rules that happen once and have.
    happened: Vec<u64>,
    agenda: BinaryHeap<Reverse<(Timestamp, Event)>>,
    /// Hosts whose machine changed since somebody asked.
    news: Vec<Key>,
    /// Everything has to be looked at.
    all: bool,
}

/// What happened since somebody asked.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Hosts whose machine changed, each once, in order.
    pub changed: Vec<Key>,
    /// Everybody's sight changed.
    pub all: bool,
    /// The interface answers.
    pub up: bool,
}

impl World {
    /// The machines of a journal; new ones without.
    pub fn new(
        options: Options,
        journal: Option<(Journal, Lines)>,
        now: Timestamp,
    ) -> Result<Self, JournalError> {
        let pace = Arc::new(options.durations.clone().faster(options.pace));
        let mut world = Self {
            options,
            pace,
            journal: None,
            began: now,
            slots: Vec::new(),
            racks: HashMap::new(),
            hosts: HashMap::new(),
            ids: HashMap::new(),
            rules: Vec::new(),
            given: Vec::new(),
            happened: Vec::new(),
            agenda: BinaryHeap::new(),
            news: Vec::new(),
            all: true,
        };
        if let Some((mut journal, mut lines)) = journal {
            world.remember(&mut lines, now)?;
            journal.keep(&lines)?;
            world.journal = Some(journal);
        }
        world.slots.shrink_to_fit();
        world.rule_all();
        world.compact()?;
        for index in 0..world.slots.len() {
            world.hold_rules(index as u32, now);
            world.plan(index as u32);
        }
        Ok(world)
    }

    /// Puts a machine on the books by host and id.
    fn book(&mut self, index: u32) {
        let slot = &self.slots[index as usize];
        if let Some(facts) = slot.machine.facts() {
            self.hosts.insert(slot.host.clone(), index);
            self.ids.insert(Arc::clone(&facts.id), index);
        }
    }

    /// Takes it off the books.
    fn unbook(&mut self, index: u32) {
        let slot = &self.slots[index as usize];
        if self.hosts.get(&slot.host) == Some(&index) {
            self.hosts.remove(&slot.host);
        }
        if let Some(facts) = slot.machine.facts() {
            self.ids.remove(&facts.id);
        }
    }

    /// The machine on the books for a host: by the id in its status, or by its name.
    fn find(&self, host: &BareMetalHost) -> Option<u32> {
        let id = host
            .status
            .as_ref()
            .map(|status| status.provisioning.id.as_str());
        let by_id = id
            .filter(|id| !id.is_empty())
            .and_then(|id| self.ids.get(id));
        by_id.or_else(|| self.hosts.get(&key_of(host))).copied()
    }

    /// Another host's machine that has this host's boot MAC address, as a text.
    fn taken(&self, host: &BareMetalHost) -> Option<String> {
        let index = *self.racks.get(&*rack_of(host))?;
        let slot = &self.slots[index as usize];
        let facts = slot.machine.facts()?;
        let node = facts.name.as_deref().unwrap_or(&facts.id);
        let mac = &host.spec.boot_mac_address;
        Some(format!(
            "MAC address {mac} conflicts with existing node {node}"
        ))
    }

    /// Why nothing is seen of any machine now.
    pub fn down(&self, now: Timestamp) -> Option<Outage> {
        Some(Outage {
            text: self.outage(now)?.into(),
            unauthorized: self.is_unauthorized(now),
        })
    }

    /// What is known of the host's machine.
    pub fn sight(&mut self, host: &BareMetalHost, now: Timestamp) -> Sight {
        if let Some(outage) = self.down(now) {
            return Sight::Down(outage);
        }
        let Some(index) = self.find(host) else {
            return self
                .taken(host)
                .map_or(Sight::Absent, |text| Sight::Taken(text.into()));
        };
        self.catch_up(index, now);
        match self.slots[index as usize].machine.facts() {
            Some(facts) => Sight::Present(Arc::clone(facts)),
            None => Sight::Absent,
        }
    }

    /// How the machine's settings differ from what the host asks for.
    pub fn drift(&self, host: &BareMetalHost) -> Drift {
        let Some(index) = self.find(host) else {
            return Drift::default();
        };
        let slot = &self.slots[index as usize];
        let inspected = host
            .status
            .as_ref()
            .is_some_and(|status| status.hardware.is_some());
        let settings = slot.settings != settings_of(host);
        let rewired = !is_rack_of(&slot.rack, host);
        let disabled = host.spec.automated_cleaning_mode == Some(CleaningMode::Disabled);
        Drift {
            settings,
            ports: rewired || (inspected && !slot.ports),
            other: if settings && slot.place != 0 && slot.place != place_of(host) {
                Some(Other::Bmc)
            } else {
                (rewired && inspected).then_some(Other::BootMac)
            },
            cleaned: settings && disabled,
        }
    }

    /// How many machines are on the books.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// How many may be at it at once.
    pub fn limits(&self) -> crate::budget::Limits {
        self.options.limits
    }

    /// How many machines are in each state.
    pub fn states(&mut self, now: Timestamp) -> BTreeMap<NodeState, usize> {
        let mut states = BTreeMap::new();
        for index in 0..self.slots.len() {
            self.catch_up(index as u32, now);
            if let Some(facts) = self.slots[index].machine.facts() {
                *states.entry(facts.state).or_default() += 1;
            }
        }
        states
    }

    /// A look at the hardware of a host, and at what was done to it.
    pub fn glance(&self, host: &str) -> Option<Glance> {
        let slot = self.slots.iter().find(|slot| *slot.host.name == *host)?;
        let hardware = &slot.machine.hardware;
        Some(Glance {
            power: hardware.power,
            disk: hardware.disk.clone(),
            writes: hardware.writes,
            began: Task::ALL.map(|task| (task, slot.began[task as usize])),
        })
    }
}

/// A look at the hardware itself, past the provisioner's books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// Power.
    pub power: bool,
    /// URL of the image on the disk.
    pub disk: Option<Arc<str>>,
    /// Times that an image was written.
    pub writes: u32,
    /// Times that each task began, because an effect said so.
    pub began: [(Task, u16); 7],
}

fn key_of(host: &BareMetalHost) -> Key {
    let meta = &host.metadata;
    Key::new(
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default(),
    )
}

/// The name by which the host's hardware is known: its boot MAC address in lower case, or its
/// BMC's address.
fn rack_of(host: &BareMetalHost) -> String {
    let mac = &host.spec.boot_mac_address;
    if mac.is_empty() {
        return host.spec.bmc.address.clone();
    }
    mac.parse::<Mac>()
        .map_or_else(|_| mac.clone(), |mac| mac.to_string())
}

/// True when the host's hardware is known by this name.
fn is_rack_of(rack: &str, host: &BareMetalHost) -> bool {
    // As it is written, it is most often the name already.
    let mac = &host.spec.boot_mac_address;
    (!mac.is_empty() && *rack == **mac) || *rack == *rack_of(host)
}

/// A digest of where the BMC is.
fn place_of(host: &BareMetalHost) -> u64 {
    let address = &host.spec.bmc.address;
    let parsed = address.parse::<BmcAddress>();
    let text = parsed.map_or_else(|_| address.clone(), |address| address.identity());
    Dice::of(&text, 1).roll().max(1)
}

/// A digest of what enrolling and amending write.
fn settings_of(host: &BareMetalHost) -> u64 {
    let spec = &host.spec;
    let disabled = spec.automated_cleaning_mode == Some(CleaningMode::Disabled);
    let text = format!(
        "{}|{}|{:?}|{}|{disabled}|{}",
        spec.bmc.address,
        spec.bmc.disable_certificate_verification,
        host.boot_mode_in_force(),
        spec.architecture,
        spec.disable_power_off,
    );
    Dice::of(&text, 0).roll()
}
