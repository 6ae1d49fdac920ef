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

mod record;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::inventory;
use super::script::{Pace, Task, Troubles};
use crate::api::{BareMetalHost, CleaningMode, Timestamp};
use crate::dice::Dice;
use crate::provision::{Ack, Effect, Facts, Fault, Footing, NodeState, PowerTarget};

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
        }
    }
}

/// Something that goes on.
#[derive(Debug, Clone, PartialEq)]
struct Work {
    task: Task,
    /// When the next stage is reached.
    until: Timestamp,
    /// Stages that are left: a long task begins under the lock, waits for the ramdisk, and ends
    /// under the lock.
    stages: u8,
    /// How long a stage takes.
    stage: Duration,
    fails: bool,
    /// The cleaning that comes after an undeployment: how long a stage of it takes, and whether
    /// it fails.
    cleaning: Option<(Duration, bool)>,
}

/// A change of power that goes on.
#[derive(Debug, Clone, PartialEq)]
struct Switch {
    target: PowerTarget,
    until: Timestamp,
    fails: bool,
}

/// Ironic's record.
#[derive(Debug, Clone, PartialEq)]
struct Node {
    facts: Arc<Facts>,
    password: Option<String>,
    work: Option<Work>,
    switch: Option<Switch>,
    clean: bool,
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
        }));
        Ok(Ack::Enrolled(id))
    }
}

fn cleans(host: &BareMetalHost) -> bool {
    host.spec.automated_cleaning_mode != Some(CleaningMode::Disabled)
}

/// What an effect meets.
struct World<'a> {
    hardware: &'a mut Hardware,
    pace: &'a Pace,
    troubles: &'a mut Troubles,
    dice: &'a mut Dice,
}

impl World<'_> {
    fn duration(&mut self, task: Task) -> Duration {
        self.pace.of(task).pick(self.dice) * self.troubles.slow.max(1)
    }
}

/// `time` later.
fn after(now: Timestamp, time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    now.checked_add(time).unwrap_or(Timestamp::MAX)
}

impl Node {
    fn change(&mut self, now: Timestamp, change: impl FnOnce(&mut Facts)) {
        let facts = Arc::make_mut(&mut self.facts);
        change(facts);
        facts.updated_at = Some(now);
    }

    fn check_lock(&self) -> Result<(), Fault> {
        if self.switch.is_some() || self.facts.state.footing() == Footing::Busy {
            return Err(Fault::Busy {
                what: format!("the node is locked ({})", self.facts.state),
                retry: Duration::from_secs(1),
            });
        }
        Ok(())
    }

    /// Refuses a verb that the state does not allow.
    fn check_verb(&self, verb: &str, states: &[NodeState]) -> Result<(), Fault> {
        let state = self.facts.state;
        if self.facts.maintenance {
            return Err(Fault::Refused(format!(
                "cannot {verb} a node in maintenance"
            )));
        }
        if !states.contains(&state) {
            return Err(Fault::Refused(format!(
                "the requested action \"{verb}\" can not be performed in the state \"{state}\""
            )));
        }
        Ok(())
    }

    fn apply(
        &mut self,
        order: &Order<'_>,
        now: Timestamp,
        world: &mut World<'_>,
    ) -> Result<Ack, Fault> {
        use NodeState as S;
        if order.effect.changes() {
            self.check_lock()?;
        }
        match order.effect {
            Effect::Amend { credentials } => {
                if credentials.is_some() {
                    self.password = order.password.map(str::to_owned);
                }
                self.clean = cleans(order.host);
                self.change(now, |_| {});
            }
            Effect::Ports => self.change(now, |_| {}),
            Effect::Manage => {
                let failed = [S::InspectFailed, S::CleanFailed, S::AdoptFailed];
                if self.facts.state == S::Enroll {
                    self.check_verb("manage", &[S::Enroll])?;
                    self.start(Task::Verify, S::Verifying, S::Manageable, 1, now, world);
                } else {
                    self.check_verb("manage", &[&[S::Available][..], &failed].concat())?;
                    self.change(now, |facts| {
                        (facts.state, facts.target) = (S::Manageable, None);
                    });
                }
            }
            Effect::Inspect => {
                self.check_verb("inspect", &[S::Manageable, S::InspectFailed])?;
                self.start(Task::Inspect, S::Inspecting, S::Manageable, 3, now, world);
            }
            Effect::ReadInventory => {
                let name = order.host.metadata.name.as_deref().unwrap_or_default();
                let found = self.facts.inspected;
                let found = found.then(|| inventory::of(&world.hardware.mac, name));
                return Ok(Ack::Inventory(found));
            }
            Effect::Clean => {
                self.check_verb("clean", &[S::Manageable])?;
                self.start(Task::Clean, S::Cleaning, S::Manageable, 3, now, world);
            }
            Effect::Provide => {
                self.check_verb("provide", &[S::Manageable])?;
                if self.clean {
                    self.start(Task::Clean, S::Cleaning, S::Available, 3, now, world);
                } else {
                    self.change(now, |facts| facts.state = S::Available);
                }
            }
            Effect::Deploy => {
                self.check_verb("active", &[S::Available, S::DeployFailed])?;
                let image = order
                    .host
                    .spec
                    .image
                    .as_ref()
                    .map(|image| Arc::from(&*image.url));
                let instance = order.host.metadata.uid.as_deref().map(Arc::from);
                self.change(now, |facts| {
                    (facts.image, facts.instance) = (image, instance);
                });
                self.start(Task::Deploy, S::Deploying, S::Active, 3, now, world);
            }
            Effect::Adopt => {
                self.check_verb("adopt", &[S::Manageable, S::AdoptFailed])?;
                let instance = order.host.metadata.uid.as_deref().map(Arc::from);
                self.change(now, |facts| facts.instance = instance);
                self.start(Task::Adopt, S::Adopting, S::Active, 1, now, world);
            }
            Effect::Undeploy => {
                let states = [
                    S::Active,
                    S::DeployFailed,
                    S::DeployWait,
                    S::Error,
                    S::Rescue,
                    S::RescueFailed,
                    S::UnrescueFailed,
                    S::ServiceWait,
                    S::ServiceFailed,
                ];
                self.check_verb("deleted", &states)?;
                self.start(Task::Undeploy, S::Deleting, S::Available, 1, now, world);
            }
            Effect::Abort => {
                let failed = match self.facts.state {
                    S::InspectWait => S::InspectFailed,
                    S::CleanWait | S::CleanHold => S::CleanFailed,
                    S::DeployHold => S::DeployFailed,
                    S::ServiceWait | S::ServiceHold => S::ServiceFailed,
                    S::RescueWait => S::RescueFailed,
                    other => other,
                };
                if failed == self.facts.state {
                    self.check_verb("abort", &[])?;
                }
                self.work = None;
                self.change(now, |facts| {
                    let cleaning = failed == S::CleanFailed;
                    facts.state = failed;
                    facts.maintenance = cleaning;
                    facts.fault = cleaning.then(|| "clean failure".into());
                    facts.last_error = Some("the action was aborted by request".into());
                });
            }
            Effect::Power(target) => self.switch(*target, now, world)?,
            Effect::Unlock => self.change(now, |facts| {
                facts.maintenance = false;
                facts.fault = None;
            }),
            Effect::Enroll { .. } | Effect::Forget { .. } => {}
        }
        Ok(Ack::Done)
    }

    /// Starts a task, which goes through `stages`.
    fn start(
        &mut self,
        task: Task,
        state: NodeState,
        target: NodeState,
        stages: u8,
        now: Timestamp,
        world: &mut World<'_>,
    ) {
        let bmc = world.hardware.reachable
            && (world.hardware.password.is_none() || world.hardware.password == self.password);
        let fails = world.troubles.strikes(task, world.dice) || !bmc;
        let stage = world.duration(task) / u32::from(stages);
        let cleaning = (task == Task::Undeploy && self.clean).then(|| {
            let fails = world.troubles.strikes(Task::Clean, world.dice) || !bmc;
            (world.duration(Task::Clean) / 3, fails)
        });
        let until = after(now, stage);
        self.work = Some(Work {
            task,
            until,
            stages: stages - 1,
            stage,
            fails,
            cleaning,
        });
        self.change(now, |facts| {
            facts.state = state;
            facts.target = Some(target);
            facts.last_error = None;
        });
    }

    fn switch(
        &mut self,
        target: PowerTarget,
        now: Timestamp,
        world: &mut World<'_>,
    ) -> Result<(), Fault> {
        if self.facts.maintenance && self.facts.fault.is_some() {
            return Err(Fault::Refused(
                "cannot change power: the BMC is lost".into(),
            ));
        }
        let soft = matches!(target, PowerTarget::SoftOff | PowerTarget::SoftReboot);
        if soft && !world.hardware.soft_off {
            return Err(Fault::Refused(
                "the driver does not support soft power off".into(),
            ));
        }
        let fails = world.troubles.strikes(Task::Power, world.dice) || !world.hardware.reachable;
        let until = after(now, world.duration(Task::Power));
        self.switch = Some(Switch {
            target,
            until,
            fails,
        });
        self.change(now, |facts| {
            facts.power_changing = true;
            facts.last_error = None;
        });
        Ok(())
    }

    fn end_switch(&mut self, hardware: &mut Hardware, now: Timestamp) {
        let Some(switch) = self.switch.take() else {
            return;
        };
        if !switch.fails {
            hardware.power = match switch.target {
                PowerTarget::On | PowerTarget::Reboot | PowerTarget::SoftReboot => true,
                PowerTarget::SoftOff | PowerTarget::HardOff => false,
            };
        }
        let power = hardware.power;
        self.change(now, |facts| {
            facts.power_changing = false;
            facts.power = Some(power);
            if switch.fails {
                facts.last_error =
                    Some("failed to change power state: the BMC did not obey".into());
            }
        });
    }

    /// Reaches the next stage of what goes on.
    fn end_stage(&mut self, hardware: &mut Hardware, now: Timestamp) {
        use NodeState as S;
        let Some(work) = self.work.as_mut() else {
            return;
        };
        let task = work.task;
        if work.stages > 0 {
            work.stages -= 1;
            work.until = after(now, work.stage);
            let waits = work.stages == 1;
            // A ramdisk at work: the machine is on.
            hardware.power |= waits;
            self.change(now, |facts| {
                facts.power = Some(true);
                facts.state = match (task, waits) {
                    (Task::Inspect, true) => S::InspectWait,
                    (Task::Inspect, false) => S::Inspecting,
                    (Task::Clean, true) => S::CleanWait,
                    (Task::Clean, false) => S::Cleaning,
                    (Task::Deploy, true) => S::DeployWait,
                    (Task::Deploy, false) => S::Deploying,
                    (Task::Verify | Task::Undeploy | Task::Adopt | Task::Power, _) => facts.state,
                };
            });
            return;
        }
        let (fails, cleaning) = (work.fails, work.cleaning);
        let target = self.facts.target.unwrap_or(S::Manageable);
        self.work = None;
        if fails {
            self.fail(task, now);
            return;
        }
        match task {
            Task::Inspect | Task::Clean => hardware.power = false,
            Task::Deploy => {
                hardware.power = true;
                hardware.disk.clone_from(&self.facts.image);
                hardware.writes += 1;
            }
            Task::Undeploy => {
                hardware.power = false;
                hardware.disk = None;
            }
            Task::Verify | Task::Adopt | Task::Power => {}
        }
        let power = hardware.power;
        self.change(now, |facts| {
            facts.power = Some(power);
            facts.state = target;
            facts.target = None;
            facts.inspected |= task == Task::Inspect;
            if task == Task::Undeploy {
                (facts.image, facts.instance) = (None, None);
            }
        });
        if let Some((stage, fails)) = cleaning {
            let until = after(now, stage);
            let task = Task::Clean;
            self.work = Some(Work {
                task,
                until,
                stages: 2,
                stage,
                fails,
                cleaning: None,
            });
            self.change(now, |facts| {
                facts.state = S::Cleaning;
                facts.target = Some(S::Available);
            });
        }
    }

    fn fail(&mut self, task: Task, now: Timestamp) {
        use NodeState as S;
        self.change(now, |facts| {
            facts.last_error = Some(format!("{task:?} failed in the simulation").into());
            // Ironic leaves the target in a failed state, but for `enroll` and `error`.
            (facts.state, facts.target) = match task {
                Task::Verify => (S::Enroll, None),
                Task::Inspect => (S::InspectFailed, Some(S::Manageable)),
                Task::Clean => (S::CleanFailed, facts.target),
                Task::Deploy => (S::DeployFailed, Some(S::Active)),
                Task::Undeploy => (S::Error, None),
                Task::Adopt => (S::AdoptFailed, Some(S::Active)),
                Task::Power => (facts.state, facts.target),
            };
            if task == Task::Clean {
                facts.maintenance = true;
                facts.fault = Some("clean failure".into());
            }
        });
    }
}

#[cfg(test)]
mod tests;
