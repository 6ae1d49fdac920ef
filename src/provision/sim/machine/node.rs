//! The provisioner's record of a machine: its states, what goes on, and what an effect starts.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::super::inventory;
use super::super::script::{Pace, Task, Troubles};
use super::{Hardware, Order};
use crate::api::{BareMetalHost, CleaningMode, Timestamp};
use crate::dice::Dice;
use crate::firmware::Changes;
use crate::provision::{Ack, Effect, Facts, Fault, Footing, NodeState, PowerTarget};

/// Something that goes on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Work {
    pub(super) task: Task,
    /// When the next stage is reached.
    pub(super) until: Timestamp,
    /// Stages that are left: a long task begins under the lock, waits for the ramdisk, and ends
    /// under the lock.
    pub(super) stages: u8,
    /// How long a stage takes.
    pub(super) stage: Duration,
    pub(super) fails: bool,
    /// The cleaning that comes after an undeployment: how long a stage of it takes, and whether
    /// it fails.
    pub(super) cleaning: Option<(Duration, bool)>,
}

/// A change of power that goes on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Switch {
    pub(super) target: PowerTarget,
    pub(super) until: Timestamp,
    pub(super) fails: bool,
}

/// Ironic's record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) facts: Arc<Facts>,
    pub(super) password: Option<String>,
    pub(super) work: Option<Work>,
    pub(super) switch: Option<Switch>,
    pub(super) clean: bool,
    /// What the cleaning that goes on will have changed at its end.
    pub(super) changes: Option<Arc<Changes>>,
}

pub(super) fn cleans(host: &BareMetalHost) -> bool {
    host.spec.automated_cleaning_mode != Some(CleaningMode::Disabled)
}

/// What an effect meets.
pub(super) struct World<'a> {
    pub(super) hardware: &'a mut Hardware,
    pub(super) pace: &'a Pace,
    pub(super) troubles: &'a mut Troubles,
    pub(super) dice: &'a mut Dice,
}

impl World<'_> {
    fn duration(&mut self, task: Task) -> Duration {
        self.pace.of(task).pick(self.dice) * self.troubles.slow.max(1)
    }
}

/// `time` later.
pub(super) fn after(now: Timestamp, time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    now.checked_add(time).unwrap_or(Timestamp::MAX)
}

impl Node {
    pub(super) fn change(&mut self, now: Timestamp, change: impl FnOnce(&mut Facts)) {
        let facts = Arc::make_mut(&mut self.facts);
        change(facts);
        facts.updated_at = Some(now);
    }

    pub(super) fn check_lock(&self) -> Result<(), Fault> {
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

    pub(super) fn apply(
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
            Effect::Clean { firmware } => {
                self.check_verb("clean", &[S::Manageable])?;
                self.changes.clone_from(firmware);
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
                let instance = order.host.metadata.uid.clone();
                self.change(now, |facts| {
                    (facts.image, facts.instance) = (image, instance);
                });
                self.start(Task::Deploy, S::Deploying, S::Active, 3, now, world);
            }
            Effect::Adopt => {
                self.check_verb("adopt", &[S::Manageable, S::AdoptFailed])?;
                let instance = order.host.metadata.uid.clone();
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
            Effect::Abort if self.facts.state == S::ServiceFailed => {
                self.change(now, |facts| facts.state = S::Active);
            }
            Effect::Abort => {
                let failed = match self.facts.state {
                    S::InspectWait => S::InspectFailed,
                    S::CleanWait | S::CleanHold => S::CleanFailed,
                    S::DeployWait | S::DeployHold => S::DeployFailed,
                    S::ServiceWait | S::ServiceHold => S::ServiceFailed,
                    S::RescueWait => S::RescueFailed,
                    other => other,
                };
                if failed == self.facts.state {
                    self.check_verb("abort", &[])?;
                }
                (self.work, self.changes) = (None, None);
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
            // The machine answers these itself.
            Effect::Enroll { .. } | Effect::Forget { .. } | Effect::ReadFirmware(_) => {}
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

    pub(super) fn end_switch(&mut self, hardware: &mut Hardware, now: Timestamp) {
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
    pub(super) fn end_stage(&mut self, hardware: &mut Hardware, now: Timestamp) {
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
        let changes = self.changes.take();
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
        if let Some(changes) = changes {
            let firmware = hardware.firmware.get_or_insert_default();
            firmware.change(&changes, now);
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
