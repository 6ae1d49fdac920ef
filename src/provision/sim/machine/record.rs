//! A machine as it is written down: everything but its pace and its troubles, which are the
//! simulation's.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::node::{Node, Switch, Work};
use super::{Hardware, Machine};
use crate::api::Timestamp;
use crate::firmware::Changes;
use crate::provision::sim::firmware::Firmware;
use crate::provision::sim::script::{Pace, Task, Troubles};
use crate::provision::{Facts, NodeState, PowerTarget};

/// A machine, written down. Times are absolute: what goes on does so while nobody looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    mac: String,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    reachable: bool,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    soft_off: bool,
    #[serde(default, skip_serializing_if = "is_no")]
    power: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disk: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    writes: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    firmware: Option<Box<Firmware>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<Books>,
}

/// The provisioner's record of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Books {
    id: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Arc<str>>,
    state: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    power: Option<bool>,
    #[serde(default, skip_serializing_if = "is_no")]
    power_changing: bool,
    #[serde(default, skip_serializing_if = "is_no")]
    maintenance: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_error: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    health: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "is_no")]
    inspected: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credentials: Option<String>,
    #[serde(default, skip_serializing_if = "is_no")]
    clean: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changes: Option<Arc<Changes>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    work: Option<Going>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    switch: Option<Going>,
}

/// Something that goes on: a task with its stages, or a change of power.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Going {
    what: Arc<str>,
    until: Timestamp,
    #[serde(default, skip_serializing_if = "is_no")]
    fails: bool,
    #[serde(default, skip_serializing_if = "is_none")]
    stages: u8,
    /// Nanoseconds.
    #[serde(default, skip_serializing_if = "is_nothing")]
    stage: u64,
    /// The cleaning that comes after it: how long a stage takes, and whether it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cleaning: Option<(u64, bool)>,
}

const fn yes() -> bool {
    true
}

// serde passes references.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_yes(it: &bool) -> bool {
    *it
}

#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_no(it: &bool) -> bool {
    !*it
}

#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(it: &u32) -> bool {
    *it == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_none(it: &u8) -> bool {
    *it == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_nothing(it: &u64) -> bool {
    *it == 0
}

const POWER: [(PowerTarget, &str); 5] = [
    (PowerTarget::On, "on"),
    (PowerTarget::SoftOff, "soft-off"),
    (PowerTarget::HardOff, "hard-off"),
    (PowerTarget::Reboot, "reboot"),
    (PowerTarget::SoftReboot, "soft-reboot"),
];

fn power_word(target: PowerTarget) -> &'static str {
    POWER
        .iter()
        .find(|(one, _)| *one == target)
        .map_or("on", |(_, word)| word)
}

impl Machine {
    /// The machine, to be written down. The credentials in it are a version, not the content.
    pub fn record(&self) -> Record {
        let hardware = &self.hardware;
        Record {
            mac: hardware.mac.clone(),
            reachable: hardware.reachable,
            soft_off: hardware.soft_off,
            power: hardware.power,
            disk: hardware.disk.clone(),
            writes: hardware.writes,
            firmware: hardware.firmware.clone(),
            node: self.node.as_deref().map(Node::books),
        }
    }

    /// The machine that was written down. `None` when a word in it is not known.
    pub fn from_record(record: Record, pace: Arc<Pace>) -> Option<Self> {
        let node = match record.node {
            Some(books) => Some(Box::new(books.node()?)),
            None => None,
        };
        let hardware = Hardware {
            password: None,
            reachable: record.reachable,
            soft_off: record.soft_off,
            power: record.power,
            disk: record.disk,
            mac: record.mac,
            writes: record.writes,
            firmware: record.firmware,
        };
        Some(Self {
            hardware,
            pace,
            troubles: Troubles::default(),
            node,
        })
    }

    /// Sets back everything that is to happen, after the wall clock was set back.
    pub fn set_back(&mut self, by: SignedDuration) {
        let Some(node) = &mut self.node else { return };
        let until = node.work.as_mut().map(|work| &mut work.until);
        let until = until
            .into_iter()
            .chain(node.switch.as_mut().map(|switch| &mut switch.until));
        for time in until {
            *time = time.checked_sub(by).unwrap_or(*time);
        }
    }
}

impl Node {
    fn books(&self) -> Books {
        let facts = &self.facts;
        Books {
            id: Arc::clone(&facts.id),
            name: facts.name.clone(),
            state: facts.state.as_str().into(),
            target: facts.target.map(|state| state.as_str().into()),
            power: facts.power,
            power_changing: facts.power_changing,
            maintenance: facts.maintenance,
            fault: facts.fault.clone(),
            last_error: facts.last_error.clone(),
            health: facts.health.clone(),
            inspected: facts.inspected,
            image: facts.image.clone(),
            instance: facts.instance.clone(),
            updated_at: facts.updated_at,
            credentials: self.password.clone(),
            clean: self.clean,
            changes: self.changes.clone(),
            work: self.work.as_ref().map(|work| Going {
                what: work.task.as_str().into(),
                until: work.until,
                fails: work.fails,
                stages: work.stages,
                stage: work.stage.as_nanos() as u64,
                cleaning: work
                    .cleaning
                    .map(|(stage, fails)| (stage.as_nanos() as u64, fails)),
            }),
            switch: self.switch.as_ref().map(|switch| Going {
                what: power_word(switch.target).into(),
                until: switch.until,
                fails: switch.fails,
                stages: 0,
                stage: 0,
                cleaning: None,
            }),
        }
    }
}

impl Books {
    fn node(self) -> Option<Node> {
        let state = |word: &str| Some(NodeState::from(word)).filter(|it| *it != NodeState::Unknown);
        let target = match &self.target {
            Some(word) => Some(state(word)?),
            None => None,
        };
        let facts = Facts {
            id: self.id,
            name: self.name,
            state: state(&self.state)?,
            target,
            power: self.power,
            power_changing: self.power_changing,
            maintenance: self.maintenance,
            fault: self.fault,
            last_error: self.last_error,
            health: self.health,
            inspected: self.inspected,
            image: self.image,
            instance: self.instance,
            updated_at: self.updated_at,
        };
        let work = match self.work {
            Some(going) => Some(Work {
                task: Task::named(&going.what)?,
                until: going.until,
                stages: going.stages,
                stage: Duration::from_nanos(going.stage),
                fails: going.fails,
                cleaning: going
                    .cleaning
                    .map(|(stage, fails)| (Duration::from_nanos(stage), fails)),
            }),
            None => None,
        };
        let switch = match self.switch {
            Some(going) => Some(Switch {
                target: POWER.iter().find(|(_, word)| **word == *going.what)?.0,
                until: going.until,
                fails: going.fails,
            }),
            None => None,
        };
        let password = self.credentials;
        Some(Node {
            facts: Arc::new(facts),
            password,
            work,
            switch,
            clean: self.clean,
            changes: self.changes,
        })
    }
}
