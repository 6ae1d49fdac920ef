//! What a follower tells: where things stand, and what a person is shown.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::fleet::Digest;
use crate::plan::{Action, Hold, Plan, Ruling};

/// Actions that wait, and why. Shared: thousands of them may wait for hours.
pub type HeldActions = Arc<[(Arc<Action>, Hold)]>;

/// Where the spec and the store stand.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Counts the desired states that were looked at; 0 while there is none.
    pub round: u64,
    /// Which text that was, see [`crate::desired::Desired::digest`].
    pub digest: Digest,
    /// Actions that wait now, and why.
    pub held: HeldActions,
    /// What the store refused, for people; it is tried again.
    pub trouble: Option<String>,
    /// A host changed between looking and writing: it is looked at again within moments.
    pub pending: bool,
}

impl Standing {
    /// True when everything that the spec says is in the store.
    pub fn applied(&self) -> bool {
        self.round > 0 && self.held.is_empty() && self.trouble.is_none() && !self.pending
    }
}

/// The plan as it was when a desired state was first seen: what a person is shown.
#[derive(Debug)]
pub struct FirstPlan {
    /// Of which round.
    pub round: u64,
    /// The plan.
    pub plan: Plan,
    /// How each action was judged; `None` goes at once.
    pub holds: Vec<Option<Hold>>,
}

impl FirstPlan {
    /// The judged plan.
    pub fn rulings(&self) -> Vec<Ruling<'_>> {
        let all = self.plan.actions.iter().zip(&self.holds);
        all.map(|(action, hold)| Ruling {
            action,
            hold: hold.clone(),
        })
        .collect()
    }
}

/// Whom a follower tells.
#[derive(Debug)]
pub struct Telling {
    /// Where things stand, always.
    pub standing: watch::Sender<Standing>,
    /// Each desired state's first plan, before it stands anywhere. A plan of 10,000 new hosts is
    /// large and is looked at once, so it goes to whoever takes it from here and is not kept.
    pub plans: mpsc::UnboundedSender<FirstPlan>,
}

/// The same hosts wait for the same.
pub(super) fn same_held(a: &HeldActions, b: &HeldActions) -> bool {
    let same = |((one, why), (other, because)): (&(Arc<Action>, Hold), &(Arc<Action>, Hold))| {
        why == because && (Arc::ptr_eq(one, other) || one == other)
    };
    a.len() == b.len() && a.iter().zip(b.iter()).all(same)
}
