//! Slots per provisioner: how many machines may inspect, clean and deploy at once.
//!
//! A [`Budget`] is pure: it knows who holds what, who waits, and whose turn it is. Hosts that wait
//! cost nothing; when a slot becomes free it is promised to the host whose turn it is, and the
//! caller wakes that host. Order: round robin over the racks that wait, first come first served
//! within a rack.
//!
//! Nothing here is kept across a restart. It is rebuilt from what is seen: a machine that already
//! inspects, cleans or deploys holds its slot even above the limit.
//!
//! How the engine uses it. Between the two calls no other host decides (the engine holds a lock, and
//! nothing is awaited here), so that no two are granted the last slot:
//!
//! ```text
//! let grants = budget.grants(host);            // into the View
//! let step = step(&view);
//! if !step.blind {
//!     let waits_for = match step.wake { OnSlot(kind) => Some(kind), _ => None };
//!     let wake = budget.settle(host, rack, step.slot, waits_for);
//! }
//! ```

mod queue;

use std::collections::{BTreeSet, HashMap};

use crate::provision::NodeState;
use crate::store::Key;

use self::queue::Queue;

/// What a slot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SlotKind {
    /// Inspecting.
    Inspect,
    /// Cleaning: preparing, becoming available, deprovisioning.
    Clean,
    /// Deploying.
    Deploy,
}

impl SlotKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Inspect, Self::Clean, Self::Deploy];

    /// A lower-case name for texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::Clean => "clean",
            Self::Deploy => "deploy",
        }
    }

    /// The slot that a machine in this state occupies, whatever brought it there.
    pub const fn of(state: NodeState) -> Option<Self> {
        match state {
            NodeState::Inspecting | NodeState::InspectWait => Some(Self::Inspect),
            NodeState::Cleaning
            | NodeState::CleanWait
            | NodeState::CleanHold
            | NodeState::Deleting => Some(Self::Clean),
            NodeState::Deploying | NodeState::DeployWait | NodeState::DeployHold => {
                Some(Self::Deploy)
            }
            NodeState::Enroll
            | NodeState::Verifying
            | NodeState::Manageable
            | NodeState::InspectFailed
            | NodeState::CleanFailed
            | NodeState::Available
            | NodeState::DeployFailed
            | NodeState::Active
            | NodeState::Error
            | NodeState::Adopting
            | NodeState::AdoptFailed
            | NodeState::Rebuild
            | NodeState::Rescue
            | NodeState::Rescuing
            | NodeState::RescueWait
            | NodeState::RescueFailed
            | NodeState::Unrescuing
            | NodeState::UnrescueFailed
            | NodeState::Servicing
            | NodeState::ServiceWait
            | NodeState::ServiceFailed
            | NodeState::ServiceHold
            | NodeState::Unknown => None,
        }
    }
}

/// How much may be under way at once in one provisioner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Machines that inspect.
    pub inspect: usize,
    /// Machines that clean.
    pub clean: usize,
    /// Machines that deploy.
    pub deploy: usize,
}

impl Limits {
    /// The limit of a kind.
    pub const fn of(&self, kind: SlotKind) -> usize {
        match kind {
            SlotKind::Inspect => self.inspect,
            SlotKind::Clean => self.clean,
            SlotKind::Deploy => self.deploy,
        }
    }
}

/// Slots that a host holds or would be granted if it asked now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Grants {
    /// May be inspecting.
    pub inspect: bool,
    /// May be cleaning (preparing, deprovisioning, becoming available).
    pub clean: bool,
    /// May be deploying.
    pub deploy: bool,
}

impl Grants {
    /// Everything.
    pub const ALL: Self = Self {
        inspect: true,
        clean: true,
        deploy: true,
    };

    /// The grant of a kind.
    pub const fn of(&self, kind: SlotKind) -> bool {
        match kind {
            SlotKind::Inspect => self.inspect,
            SlotKind::Clean => self.clean,
            SlotKind::Deploy => self.deploy,
        }
    }
}

/// What one host has of a budget. It works in at most one slot; while it does, it may wait for
/// another: its machine goes on until it gets that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Share {
    /// It works in this slot.
    held: Option<SlotKind>,
    /// What it asked for.
    asked: Option<Asked>,
}

/// What a host gets of what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// It waits for this slot.
    Queued(SlotKind),
    /// It was woken to take this slot, which nobody else gets meanwhile.
    Promised(SlotKind),
}

/// The slots of one provisioner.
#[derive(Debug, Clone)]
pub struct Budget {
    limits: Limits,
    shares: HashMap<Key, Share>,
    used: [usize; 3],
    queues: [Queue; 3],
}

impl Budget {
    /// A budget of which nothing is used.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            shares: HashMap::new(),
            used: [0; 3],
            queues: [Queue::default(), Queue::default(), Queue::default()],
        }
    }

    /// What the host holds, was promised, or would get at once because a slot is free and nobody
    /// waits for it.
    pub fn grants(&self, host: &Key) -> Grants {
        let share = self.share(host);
        let of = |kind| {
            share.held == Some(kind)
                || share.asked == Some(Asked::Promised(kind))
                || self.is_free(kind)
        };
        Grants {
            inspect: of(SlotKind::Inspect),
            clean: of(SlotKind::Clean),
            deploy: of(SlotKind::Deploy),
        }
    }

    fn is_free(&self, kind: SlotKind) -> bool {
        self.queues[kind as usize].is_empty() && self.used(kind) < self.limits.of(kind)
    }

    fn share(&self, host: &Key) -> Share {
        self.shares.get(host).copied().unwrap_or_default()
    }

    /// Carries out what a step said: the host occupies `slot` (none: gives back what it had), and
    /// waits for one or not. Returns the hosts to wake, each of which was promised a slot.
    ///
    /// A slot that is not free is taken all the same: the step says so only for a machine that is
    /// already at it (after a restart), or that [`Budget::grants`] allowed in the same turn.
    pub fn settle(
        &mut self,
        host: &Key,
        rack: &str,
        slot: Option<SlotKind>,
        waits_for: Option<SlotKind>,
    ) -> Vec<Key> {
        let has = self.share(host);
        let wanted = Share {
            held: slot,
            asked: waits_for.map(Asked::Queued),
        };
        if has == wanted {
            return Vec::new();
        }
        // A host that waits anew can be promised at once: its view may have been older.
        let mut free: BTreeSet<SlotKind> = waits_for.into_iter().collect();
        if let Some(kind) = wanted.held {
            self.used[kind as usize] += 1;
        }
        if let Some(kind) = has.held {
            self.used[kind as usize] -= 1;
            free.insert(kind);
        }
        // A host that keeps waiting keeps its place; a promise it does not use is given on.
        if has.asked != wanted.asked {
            match has.asked {
                Some(Asked::Queued(kind)) => self.queues[kind as usize].remove(host),
                Some(Asked::Promised(kind)) => {
                    self.used[kind as usize] -= 1;
                    free.insert(kind);
                }
                None => {}
            }
            if let Some(kind) = waits_for {
                self.queues[kind as usize].push(host.clone(), rack);
            }
        }
        if wanted == Share::default() {
            self.shares.remove(host);
        } else {
            self.shares.insert(host.clone(), wanted);
        }
        let mut woken = Vec::new();
        for kind in free {
            self.promise(kind, &mut woken);
        }
        woken
    }

    /// Takes a slot for a host whose machine was seen at it. For the rebuilding after a restart or
    /// an outage; who waited for another slot waits on.
    pub fn hold(&mut self, host: &Key, rack: &str, kind: SlotKind) -> Vec<Key> {
        let waits_for = match self.share(host).asked {
            Some(Asked::Queued(other)) if other != kind => Some(other),
            Some(Asked::Queued(_) | Asked::Promised(_)) | None => None,
        };
        self.settle(host, rack, Some(kind), waits_for)
    }

    /// Gives back all that a host has: it needs nothing, or it is gone.
    pub fn release(&mut self, host: &Key) -> Vec<Key> {
        self.settle(host, "", None, None)
    }

    /// Lets a host wait for a slot.
    pub fn enqueue(&mut self, host: &Key, rack: &str, kind: SlotKind) -> Vec<Key> {
        self.settle(host, rack, None, Some(kind))
    }

    /// Changes the limits. A lower limit takes nothing away; a higher one wakes hosts.
    pub fn set_limits(&mut self, limits: Limits) -> Vec<Key> {
        self.limits = limits;
        let mut woken = Vec::new();
        for kind in SlotKind::ALL {
            self.promise(kind, &mut woken);
        }
        woken
    }

    /// Slots of a kind that are held or promised.
    pub fn used(&self, kind: SlotKind) -> usize {
        self.used[kind as usize]
    }

    /// Hosts that wait for a kind.
    pub fn waiting(&self, kind: SlotKind) -> usize {
        self.queues[kind as usize].len()
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Promises free slots to those whose turn it is.
    fn promise(&mut self, kind: SlotKind, woken: &mut Vec<Key>) {
        while self.used(kind) < self.limits.of(kind) {
            let Some(next) = self.queues[kind as usize].pop() else {
                break;
            };
            self.used[kind as usize] += 1;
            self.shares.entry(next.clone()).or_default().asked = Some(Asked::Promised(kind));
            woken.push(next);
        }
    }
}

#[cfg(test)]
mod tests;
