//! Which hosts are members of which pool.
//!
//! A pool with `replicas all` has every host that it selects. One with `replicas N` keeps the
//! members it has, then takes hosts from the racks with the fewest members (with `spread
//! across=rack`), then by natural order of names. The choice reads nothing but the fleet and the
//! present members, so the same input always gives the same answer, and growing, shrinking or
//! renaming other hosts moves nobody.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;

use super::{Fleet, Pool, natural};

/// Members by pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// Pool of each member, by host name.
    pub pools: BTreeMap<Arc<str>, Arc<str>>,
    /// Pools that want more members than match: name, wanted, found.
    pub short: Vec<(Arc<str>, u32, u32)>,
}

/// A host's place in the fleet's pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot<'a> {
    /// Member of this pool.
    Member(&'a str),
    /// Selected by this pool, which has all the members it wants.
    Spare(&'a str),
    /// In no pool.
    Free,
}

impl Placement {
    /// The pool that a host is a member of.
    pub fn pool_of(&self, host: &str) -> Option<&Arc<str>> {
        self.pools.get(host)
    }

    /// A host's place.
    pub fn spot<'a>(&'a self, fleet: &'a Fleet, host: &str) -> Spot<'a> {
        if let Some(pool) = self.pools.get(host) {
            return Spot::Member(pool);
        }
        match fleet.host(host).and_then(|host| host.pool.as_ref()) {
            Some(candidate) => Spot::Spare(&candidate.pool),
            None => Spot::Free,
        }
    }

    /// Members of a pool, in natural order.
    pub fn members(&self, pool: &str) -> Vec<&Arc<str>> {
        let mut members: Vec<_> = self
            .pools
            .iter()
            .filter(|(_, of)| ***of == *pool)
            .map(|(host, _)| host)
            .collect();
        members.sort_by(|a, b| natural(a, b));
        members
    }
}

/// Chooses the members of all pools. `current` has the pool of each host that is a member now
/// (deployed by it, or on the way); hosts and pools that are gone are ignored.
///
/// Held hosts (declared, with errors) are not candidates, but one that is a member now keeps its
/// seat: it counts against `replicas`, so that nobody takes its place because of a typing error.
pub fn place(fleet: &Fleet, current: &BTreeMap<Arc<str>, Arc<str>>) -> Placement {
    let mut placement = Placement::default();
    for pool in &fleet.pools {
        let (members, found) = members(fleet, pool, current);
        if let Some(wanted) = pool.replicas.filter(|wanted| *wanted > found) {
            placement
                .short
                .push((Arc::clone(&pool.name), wanted, found));
        }
        for host in members {
            placement.pools.insert(host, Arc::clone(&pool.name));
        }
    }
    placement
}

/// Hosts that wait for a seat, by rack, with their place in the natural order.
type Queues<'f> = BTreeMap<Option<Arc<str>>, VecDeque<(usize, &'f Arc<str>)>>;

/// The members of one pool, and how many hosts could be.
fn members(
    fleet: &Fleet,
    pool: &Pool,
    current: &BTreeMap<Arc<str>, Arc<str>>,
) -> (BTreeSet<Arc<str>>, u32) {
    let mut members = BTreeSet::new();
    let seated = |host: &str| current.get(host).is_some_and(|of| *of == pool.name);
    for held in fleet.held.iter().filter(|held| seated(&held.name)) {
        members.insert(Arc::clone(&held.name));
    }
    let found = (members.len() + pool.candidates.len()) as u32;
    let Some(wanted) = pool.replicas else {
        members.extend(pool.candidates.iter().cloned());
        return (members, found);
    };
    let wanted = wanted as usize;

    // Racks only matter where members are spread over them; else all hosts stand in one.
    let rack = |host: &str| {
        if pool.spread_by_rack {
            fleet.host(host).and_then(|host| host.rack.clone())
        } else {
            None
        }
    };
    let mut load: BTreeMap<Option<Arc<str>>, usize> = BTreeMap::new();
    for host in &members {
        *load.entry(rack(host)).or_default() += 1;
    }
    let (sticky, fresh): (Vec<_>, Vec<_>) = pool.candidates.iter().partition(|host| seated(host));
    for waiting in [sticky, fresh] {
        // Candidates are in natural order: the first of the emptiest rack is next.
        let mut queues: Queues<'_> = BTreeMap::new();
        for (index, host) in waiting.into_iter().enumerate() {
            queues
                .entry(rack(host))
                .or_default()
                .push_back((index, host));
        }
        let mut next: BinaryHeap<_> = queues
            .iter()
            .filter_map(|(rack, queue)| {
                let (index, _) = queue.front()?;
                Some(Reverse((
                    load.get(rack).copied().unwrap_or(0),
                    *index,
                    rack.clone(),
                )))
            })
            .collect();
        while members.len() < wanted {
            let Some(Reverse((taken, _, rack))) = next.pop() else {
                break;
            };
            let Some(queue) = queues.get_mut(&rack) else {
                break;
            };
            if let Some((_, host)) = queue.pop_front() {
                members.insert(Arc::clone(host));
                load.insert(rack.clone(), taken + 1);
            }
            if let Some((index, _)) = queue.front() {
                next.push(Reverse((taken + 1, *index, rack)));
            }
        }
    }
    (members, found)
}
