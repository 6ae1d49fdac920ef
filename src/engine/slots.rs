//! Slots, as the engine books them: who holds what in which provisioner, under one lock.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::api::BareMetalHost;
use crate::api::names::annotation;
use crate::api::word;
use crate::budget::{Budget, Limits, SlotKind};
use crate::provision::Sight;
use crate::reconcile::{Grants, Step, Wake};
use crate::store::{Key, Object as _};

use super::{Shared, Stores};

/// The slots of one provisioner.
pub(super) struct Slots {
    budget: Budget,
    /// Machines that are at work already hold theirs. Before that nobody may take one, so the
    /// provisioner counts as not having seen its machines.
    booked: bool,
}

impl Slots {
    /// Slots of which none is booked.
    pub fn new(limits: Limits) -> Self {
        Self {
            budget: Budget::new(limits),
            booked: false,
        }
    }
}

impl<S: Stores> Shared<S> {
    fn budgets(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Slots>> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn grants(&self, key: &Key, host: &BareMetalHost) -> Grants {
        let budgets = self.budgets();
        budgets
            .get(self.machines_name(host))
            .map(|slots| slots.budget.grants(key))
            .unwrap_or_default()
    }

    /// Books what the step holds or waits for and wakes those whose turn for a slot it is.
    pub(super) fn settle_slots(&self, key: &Key, host: &BareMetalHost, step: &Step) {
        if step.blind {
            return;
        }
        let waits_for = match step.wake {
            Wake::OnSlot(kind) => Some(kind),
            Wake::OnChange | Wake::After(_) => None,
        };
        let mut budgets = self.budgets();
        let Some(slots) = budgets.get_mut(self.machines_name(host)) else {
            return;
        };
        let woken = slots
            .budget
            .settle(key, rack_of(host), step.slot, waits_for);
        drop(budgets);
        for key in woken {
            self.trigger(key);
        }
    }

    /// Gives back what a host has of the slots of provisioners that are not (any more) its own.
    pub(super) fn leave_others(&self, key: &Key, host: &BareMetalHost) {
        let name = self.machines_name(host);
        let mut woken = Vec::new();
        for (other, slots) in self.budgets().iter_mut() {
            if **other != *name {
                woken.extend(slots.budget.release(key));
            }
        }
        for key in woken {
            self.trigger(key);
        }
    }

    /// How much of a provisioner is in use, and how many hosts wait.
    pub(super) fn slots_of(&self, name: &str) -> BTreeMap<String, word::Slots> {
        let budgets = self.budgets();
        let Some(Slots { budget, .. }) = budgets.get(name) else {
            return BTreeMap::new();
        };
        let slots = |kind: SlotKind| word::Slots {
            used: budget.used(kind),
            of: budget.limits().of(kind),
            waiting: budget.waiting(kind),
        };
        let kinds = SlotKind::ALL.into_iter();
        kinds
            .map(|kind| (kind.as_str().to_owned(), slots(kind)))
            .collect()
    }

    /// True once the machines that were at work at the start hold their slots.
    pub(super) fn is_booked(&self, name: &str) -> bool {
        self.budgets().get(name).is_some_and(|slots| slots.booked)
    }

    /// Books the slots of machines that are seen at work, before anybody is granted one: after a
    /// start, and after an outage.
    pub(super) fn rebook(&self, name: &str, hosts: &[Arc<BareMetalHost>]) {
        let Some(machines) = self.machines.get(name) else {
            return;
        };
        let mut budgets = self.budgets();
        let Some(slots) = budgets.get_mut(name) else {
            return;
        };
        slots.booked = true;
        let mut woken = Vec::new();
        for host in hosts.iter().filter(|host| self.machines_name(host) == name) {
            if let Sight::Present(facts) = machines.sight(host)
                && let Some(kind) = SlotKind::of(facts.state)
            {
                woken.extend(slots.budget.hold(&host.key(), rack_of(host), kind));
            }
        }
        drop(budgets);
        for key in woken {
            self.trigger(key);
        }
    }

    /// Gives back all that a host has, wherever: it is gone.
    pub(super) fn leave_all(&self, key: &Key) {
        let woken: Vec<Key> = self
            .budgets()
            .values_mut()
            .flat_map(|slots| slots.budget.release(key))
            .collect();
        for key in woken {
            self.trigger(key);
        }
    }
}

/// The rack that the host stands in, for fairness; empty when it names none.
fn rack_of(host: &BareMetalHost) -> &str {
    let annotations = host.metadata.annotations.as_ref();
    annotations
        .and_then(|all| all.get(annotation::RACK))
        .unwrap_or_default()
}
