//! Who drives which hosts: provisioners by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::provision::Provisioner;

/// The provisioners of a fleet by name; a host names its own in the annotation
/// `metalform.dev/ironic`, or belongs to the one named `default`. One may stand under several names:
/// it is driven once and has one budget.
pub type Machines = BTreeMap<Arc<str>, Arc<dyn Provisioner>>;

/// The name of the provisioner of hosts that name none.
pub const DEFAULT_MACHINES: &str = "default";

/// Each provisioner once, and which name stands for each name: a name of its own before `default`.
pub(super) fn distinct(machines: Machines) -> (Machines, BTreeMap<Arc<str>, Arc<str>>) {
    let mut once = Machines::new();
    let mut names = BTreeMap::new();
    let (plain, own): (Vec<_>, Vec<_>) = machines
        .into_iter()
        .partition(|(name, _)| &**name == DEFAULT_MACHINES);
    for (name, machines) in own.into_iter().chain(plain) {
        let known = once
            .iter()
            .find(|(_, known)| Arc::ptr_eq(known, &machines))
            .map(|(name, _)| Arc::clone(name));
        let stands = known.unwrap_or_else(|| Arc::clone(&name));
        names.insert(name, Arc::clone(&stands));
        once.entry(stands).or_insert(machines);
    }
    (once, names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Clock;
    use crate::provision::sim::{self, Simulation};

    #[test]
    fn one_provisioner_under_two_names_is_driven_once() {
        let clock = Clock::starting_at(jiff::Timestamp::UNIX_EPOCH);
        let machines = || -> Arc<dyn Provisioner> {
            Arc::new(Simulation::memory(sim::Options::default(), clock))
        };
        let (a, b) = (machines(), machines());
        let all: Machines = [
            ("a", Arc::clone(&a)),
            (DEFAULT_MACHINES, Arc::clone(&a)),
            ("b", b),
        ]
        .map(|(name, machines)| (Arc::from(name), machines))
        .into();
        let (once, names) = distinct(all);
        assert!(once.keys().map(|name| &**name).eq(["a", "b"]));
        assert_eq!(&*names[DEFAULT_MACHINES], "a");
        assert_eq!(&*names["b"], "b");
    }
}
