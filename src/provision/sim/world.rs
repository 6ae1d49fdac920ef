//! All simulated machines: who is who, what goes wrong, what happens when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::fault::{Active, Rule, Times, What};
use super::inventory;
use super::journal::{self, Entry, Journal, JournalError, Line, Lines};
use super::machine::{Hardware, Machine, Order};
use super::options::Options;
use super::script::{Pace, Task};
use crate::api::{BareMetalHost, CleaningMode, Timestamp};
use crate::dice::Dice;
use crate::eval::unit::Mac;
use crate::provision::{Ack, Drift, Effect, Facts, Fault, Job, NodeState, Outage, Sight};
use crate::store::Key;

/// When to ask again after busy.
const BUSY: Duration = Duration::from_secs(1);
/// A credentials version that no secret has.
const REFUSED: &str = "refused by the simulation";

/// A machine and what the simulation knows of it.
#[derive(Debug, Clone)]
struct Slot {
    machine: Machine,
    /// The name by which the hardware is known: MAC address or BMC address.
    rack: Arc<str>,
    /// The host that it belongs, or belonged to.
    host: Key,
    settings: u64,
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

    /// Takes over what a journal says.
    fn remember(&mut self, lines: &mut Lines, now: Timestamp) -> Result<(), JournalError> {
        while let Some(line) = lines.next() {
            let line = line?;
            match line {
                Line::Machines { began, .. } => self.began = began,
                Line::Machine(entry) => {
                    let known = self
                        .slot(entry)
                        .ok_or_else(|| lines.corrupt("a word that is not known"))?;
                    let at = self.racks.get(&known.rack).copied();
                    match at.and_then(|at| self.slots.get_mut(at as usize)) {
                        Some(slot) => *slot = known,
                        None => {
                            self.racks
                                .insert(Arc::clone(&known.rack), self.slots.len() as u32);
                            self.slots.push(known);
                        }
                    }
                }
                Line::Fault { .. } => self.given.push(line),
                Line::Happened { rule } => self.happened.push(rule),
            }
        }
        // A wall clock that was set back: time stood still meanwhile.
        let seen = |slot: &Slot| slot.machine.facts().and_then(|facts| facts.updated_at);
        let latest = self.slots.iter().filter_map(seen).chain([self.began]).max();
        let ahead = latest.map_or(SignedDuration::ZERO, |latest| latest.duration_since(now));
        if ahead > SignedDuration::ZERO {
            self.began = self.began.checked_sub(ahead).unwrap_or(now);
            self.slots
                .iter_mut()
                .for_each(|slot| slot.machine.set_back(ahead));
        }
        for index in 0..self.slots.len() {
            self.book(index as u32);
        }
        Ok(())
    }

    fn slot(&self, mut entry: Entry) -> Option<Slot> {
        // Nearly all machines have these in common.
        if let Some(last) = self.slots.last() {
            if last.host.namespace == entry.namespace {
                entry.namespace = Arc::clone(&last.host.namespace);
            }
            if last.first == entry.first {
                entry.first.clone_from(&last.first);
            }
        }
        Some(Slot {
            machine: Machine::from_record(entry.machine, Arc::clone(&self.pace))?,
            rack: entry.rack,
            host: Key::new(entry.namespace, entry.host),
            settings: entry.settings,
            ports: entry.ports,
            orders: entry.orders,
            first: entry.first,
            struck: entry.struck,
            began: entry.began,
            due: None,
        })
    }

    /// Puts all rules in force: those of the script, then those that were given.
    fn rule_all(&mut self) {
        let (rules, began) = (std::mem::take(&mut self.options.rules), self.began);
        for rule in rules {
            self.rule(rule, began);
        }
        for line in self.given.clone() {
            if let Line::Fault { rule, at } = line
                && let Ok(rules) = super::fault::script("fault", &rule)
            {
                rules.into_iter().for_each(|rule| self.rule(rule, at));
            }
        }
    }

    fn rule(&mut self, rule: Rule, base: Timestamp) {
        // Equal lines are told apart by how many there are before.
        let before = self
            .rules
            .iter()
            .filter(|known| known.rule.text == rule.text)
            .count();
        let id = Dice::of(&rule.text, before as u64).roll();
        let active = Active::new(rule, id, base, self.options.pace);
        let event = Event::Rule(self.rules.len() as u32);
        if !self.happened.contains(&id) {
            self.agenda.push(Reverse((active.from, event)));
            self.agenda
                .extend(active.until.map(|until| Reverse((until, event))));
        }
        self.rules.push(active);
    }

    /// Gives a rule now. It is remembered as machines are.
    pub fn give(&mut self, rule: Rule, now: Timestamp) -> Result<(), JournalError> {
        let line = Line::Fault {
            rule: rule.text.clone(),
            at: now,
        };
        self.write(std::slice::from_ref(&line))?;
        self.given.push(line);
        self.rule(rule, now);
        Ok(())
    }

    // ---- what is written down

    fn entry(slot: &Slot) -> Line {
        Line::Machine(Entry {
            rack: Arc::clone(&slot.rack),
            namespace: Arc::clone(&slot.host.namespace),
            host: Arc::clone(&slot.host.name),
            settings: slot.settings,
            ports: slot.ports,
            orders: slot.orders,
            first: slot.first.clone(),
            struck: slot.struck.clone(),
            began: slot.began,
            machine: slot.machine.record(),
        })
    }

    fn write(&mut self, lines: &[Line]) -> Result<(), JournalError> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        journal.append(lines)?;
        if journal.is_long() {
            self.compact()?;
        }
        Ok(())
    }

    fn compact(&mut self) -> Result<(), JournalError> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        let happened = |rule: &u64| Line::Happened { rule: *rule };
        let lines = std::iter::once(journal::first(self.began))
            .chain(self.given.iter().cloned())
            .chain(self.happened.iter().map(happened))
            .chain(self.slots.iter().map(Self::entry));
        journal.rewrite(lines)
    }

    // ---- who is who

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

    // ---- what is seen

    /// What is known of the host's machine.
    pub fn sight(&mut self, host: &BareMetalHost, now: Timestamp) -> Sight {
        if let Some(text) = self.outage(now) {
            return Sight::Down(Outage {
                text: text.into(),
                unauthorized: self.is_unauthorized(now),
            });
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
        Drift {
            settings: slot.settings != settings_of(host),
            ports: !is_rack_of(&slot.rack, host) || (inspected && !slot.ports),
        }
    }

    /// Why nobody answers, if so.
    fn outage(&self, now: Timestamp) -> Option<String> {
        let down = |rule: &&Active| {
            matches!(rule.rule.what, What::ApiDown | What::ApiUnauthorized) && rule.holds(now)
        };
        let rule = self.rules.iter().find(down)?;
        let since = crate::api::whole_seconds(rule.from);
        let what = match rule.rule.what {
            What::ApiUnauthorized => "refuse metalform's credentials",
            _ => "do not answer",
        };
        Some(format!(
            "the simulated machines {what} since {since} (`{}`)",
            rule.rule.text
        ))
    }

    /// How long an effect takes to be accepted.
    pub fn latency(&self, now: Timestamp) -> Duration {
        let slow = self
            .rules
            .iter()
            .filter(|rule| rule.holds(now))
            .map(|rule| match rule.rule.what {
                What::ApiSlow(time) => time / self.options.pace.max(1),
                _ => Duration::ZERO,
            });
        slow.max().unwrap_or_default()
    }

    /// How many may be at it at once.
    /// How many machines are on the books.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    pub fn limits(&self) -> crate::budget::Limits {
        self.options.limits
    }

    // ---- what happens by itself

    /// When something happens next.
    pub fn next_event(&self) -> Option<Timestamp> {
        self.agenda.peek().map(|Reverse((at, _))| *at)
    }

    /// Lets happen what happens until `now`, and tells what changed.
    pub fn advance(&mut self, now: Timestamp) -> News {
        while let Some(Reverse((at, event))) = self.agenda.peek().copied()
            && at <= now
        {
            self.agenda.pop();
            match event {
                // What was planned anew is in the agenda twice.
                Event::Machine(index) if self.slots[index as usize].due == Some(at) => {
                    self.catch_up(index, now);
                }
                Event::Machine(_) => {}
                Event::Rule(index) => self.edge(index as usize, at, now),
            }
        }
        let mut changed = std::mem::take(&mut self.news);
        changed.sort_unstable();
        changed.dedup();
        let up = self.outage(now).is_none();
        News {
            changed,
            all: std::mem::take(&mut self.all),
            up,
        }
    }

    /// Lets a machine go on until `now`.
    fn catch_up(&mut self, index: u32, now: Timestamp) {
        let slot = &mut self.slots[index as usize];
        if slot.due.is_some_and(|due| due <= now) {
            slot.machine.advance(now);
            self.news.push(slot.host.clone());
            self.plan(index);
        }
    }

    /// Puts the next event of a machine into the agenda.
    fn plan(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let due = slot.machine.next_event();
        if slot.due != due {
            slot.due = due;
            self.agenda
                .extend(due.map(|due| Reverse((due, Event::Machine(index)))));
        }
    }

    /// A rule begins or ends.
    fn edge(&mut self, index: usize, at: Timestamp, now: Timestamp) {
        let Some(rule) = self.rules.get(index).cloned() else {
            return;
        };
        match &rule.rule.what {
            What::ApiDown | What::ApiUnauthorized => self.all = true,
            What::LoseBmc(hosts) => {
                for index in 0..self.slots.len() {
                    if hosts.has(&self.slots[index].host.name) {
                        self.catch_up(index as u32, now);
                        self.hold_rules(index as u32, now);
                    }
                }
            }
            What::LoseNode(hosts) if at == rule.from => {
                self.happened.push(rule.id);
                let mut lines = vec![Line::Happened { rule: rule.id }];
                for index in 0..self.slots.len() {
                    let slot = &self.slots[index];
                    if !hosts.has(&slot.host.name) || slot.machine.facts().is_none() {
                        continue;
                    }
                    self.unbook(index as u32);
                    let slot = &mut self.slots[index];
                    slot.machine.advance(now);
                    slot.machine.lose();
                    self.news.push(slot.host.clone());
                    lines.push(Self::entry(slot));
                    self.plan(index as u32);
                }
                if let Err(error) = self.write(&lines) {
                    tracing::warn!(code = error.code(), "not written down: {error}");
                }
            }
            What::LoseNode(_)
            | What::Fail { .. }
            | What::Slow { .. }
            | What::WrongCredentials(_)
            | What::Busy { .. }
            | What::ApiSlow(_)
            | What::Limit { .. }
            | What::Take { .. } => {}
        }
    }

    /// Makes a machine's BMC answer or not, as the rules say now.
    fn hold_rules(&mut self, index: u32, now: Timestamp) {
        let slot = &mut self.slots[index as usize];
        let lost = |rule: &Active| match &rule.rule.what {
            What::LoseBmc(hosts) => rule.holds(now) && hosts.has(&slot.host.name),
            _ => false,
        };
        let reachable = !self.rules.iter().any(lost);
        if slot.machine.hardware.reachable != reachable {
            slot.machine.set_reachable(reachable, now);
            self.news.push(slot.host.clone());
            self.plan(index);
        }
    }

    // ---- what is done

    /// Carries out one effect: on a copy, which counts once it is written down.
    pub fn run(&mut self, job: &Job, now: Timestamp) -> Result<Ack, Fault> {
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

    fn check_api(&self, now: Timestamp) -> Result<(), Fault> {
        let Some(text) = self.outage(now) else {
            return Ok(());
        };
        if self.is_unauthorized(now) {
            return Err(Fault::Unauthorized(text));
        }
        Err(Fault::Unreachable(text))
    }

    fn is_unauthorized(&self, now: Timestamp) -> bool {
        let refuses =
            |rule: &Active| matches!(rule.rule.what, What::ApiUnauthorized) && rule.holds(now);
        self.rules.iter().any(refuses)
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

    fn check_busy(&mut self, index: u32, now: Timestamp) -> Result<(), Fault> {
        let seed = self.options.seed;
        let slot = &mut self.slots[index as usize];
        for rule in self.rules.iter().filter(|rule| rule.holds(now)) {
            let What::Busy { hosts, times } = &rule.rule.what else {
                continue;
            };
            if hosts.has(&slot.host.name) && slot.strikes(rule.id, *times, seed) {
                let what = format!("the node is locked (`{}`)", rule.rule.text);
                return Err(Fault::Busy { what, retry: BUSY });
            }
        }
        Ok(())
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
            Effect::Enroll { .. } => (slot.settings, slot.ports) = (settings_of(host), false),
            Effect::Amend { .. } => slot.settings = settings_of(host),
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

    /// Sets up what goes wrong with the tasks that are about to begin. Answers with the rules whose
    /// strikes are counted, should their task begin.
    fn trouble(&self, slot: &mut Slot, tasks: &[Task], now: Timestamp) -> Vec<(Task, u64)> {
        let troubles = &mut slot.machine.troubles;
        troubles.next.clear();
        (troubles.permille, troubles.slow) = (self.options.fault_permille, 1);
        let mut counted = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.holds(now)) {
            match &rule.rule.what {
                What::Slow {
                    tasks: slow,
                    hosts,
                    factor,
                } if tasks.first().is_some_and(|task| slow.has(*task))
                    && hosts.has(&slot.host.name) =>
                {
                    troubles.slow = troubles.slow.saturating_mul(*factor);
                }
                What::Fail { task, hosts, times }
                    if tasks.contains(task) && hosts.has(&slot.host.name) =>
                {
                    let struck = slot.struck.iter().find(|(id, _)| *id == rule.id);
                    match times {
                        Times::Permille(share) => troubles.permille = troubles.permille.max(*share),
                        Times::First(most) if struck.is_some_and(|(_, n)| n >= most) => {}
                        Times::First(_) | Times::Always if troubles.next.contains(task) => {}
                        Times::First(_) => {
                            troubles.next.push_back(*task);
                            counted.push((*task, rule.id));
                        }
                        Times::Always => troubles.next.push_back(*task),
                    }
                }
                _ => {}
            }
        }
        counted
    }

    /// What the BMC accepts: anything, or nothing while a rule refuses what is on the books.
    fn password(&self, slot: &Slot, now: Timestamp) -> Option<String> {
        let written = slot.machine.credentials();
        let wrong = |rule: &Active| match &rule.rule.what {
            What::WrongCredentials(hosts) => rule.holds(now) && hosts.has(&slot.host.name),
            _ => false,
        };
        let refused = written.is_some() && written == slot.first.as_deref();
        (refused && self.rules.iter().any(wrong)).then(|| REFUSED.to_owned())
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

/// Where a new host's machine is.
enum Place {
    /// On the books already, with this id.
    Known(Arc<str>),
    /// Here.
    At(u32),
}

impl Slot {
    /// True when a rule strikes now; counts it.
    fn strikes(&mut self, id: u64, times: Times, seed: u64) -> bool {
        match times {
            Times::Always => true,
            Times::First(most) => {
                let struck = self.struck.iter().find(|(known, _)| *known == id);
                let strikes = struck.is_none_or(|(_, count)| *count < most);
                if strikes {
                    self.count(id);
                }
                strikes
            }
            Times::Permille(share) => {
                let count = self.count(id);
                Dice::of(&self.host.name, seed ^ id ^ u64::from(count)).permille(share)
            }
        }
    }

    /// Counts a strike; answers with the count.
    fn count(&mut self, id: u64) -> u32 {
        if let Some((_, count)) = self.struck.iter_mut().find(|(known, _)| *known == id) {
            *count += 1;
            return *count;
        }
        self.struck.push((id, 1));
        1
    }
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

/// The tasks that an effect begins: the first at once, others after it.
fn tasks_of(job: &Job, facts: Option<&Arc<Facts>>) -> &'static [Task] {
    match job.effect {
        Effect::Manage if facts.is_some_and(|facts| facts.state == NodeState::Enroll) => {
            &[Task::Verify]
        }
        Effect::Inspect => &[Task::Inspect],
        Effect::Clean | Effect::Provide => &[Task::Clean],
        Effect::Deploy => &[Task::Deploy],
        Effect::Adopt => &[Task::Adopt],
        Effect::Undeploy => &[Task::Undeploy, Task::Clean],
        Effect::Power(_) => &[Task::Power],
        Effect::Manage
        | Effect::Enroll { .. }
        | Effect::Amend { .. }
        | Effect::Ports
        | Effect::ReadInventory
        | Effect::Abort
        | Effect::Unlock
        | Effect::Forget { .. } => &[],
    }
}
