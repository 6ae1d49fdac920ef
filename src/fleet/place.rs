//! Which hosts are members of which pool.
//!
//! A pool with `replicas all` has every host that it selects. One with `replicas N` keeps the
//! members it has (one that is to leave and still runs keeps its seat until it has left, for its
//! leaving may be a mistake that is undone), then takes hosts from the racks with the fewest members (with `spread
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
    /// Hosts that keep a seat although their pool does not select them any more, with the pool.
    pub leaving: BTreeMap<Arc<str>, Arc<str>>,
}

/// A seat that a host has in a pool now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seat {
    /// The host's rack.
    pub rack: Option<Arc<str>>,
    /// A system runs on the host: it does not leave without a person's word.
    pub running: bool,
}

/// Who has a seat now: by pool, then by host.
pub type Seats = BTreeMap<Arc<str>, BTreeMap<Arc<str>, Seat>>;

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

/// Chooses the members of all pools. `seats` has the hosts that are members now (deployed by their
/// pool, or on the way); hosts and pools that are gone are ignored.
///
/// Held hosts (declared, with errors) are not candidates, but one that is a member now keeps its
/// seat: it counts against `replicas`, so that nobody takes its place because of a typing error.
/// So does one that the pool selects no more and that still runs.
pub fn place(fleet: &Fleet, seats: &Seats) -> Placement {
    let mut placement = Placement::default();
    let nobody = BTreeMap::new();
    for pool in &fleet.pools {
        let seats = seats.get(&pool.name).unwrap_or(&nobody);
        let chosen = members(fleet, pool, seats);
        if let Some(wanted) = pool.replicas.filter(|wanted| *wanted > chosen.found) {
            placement
                .short
                .push((Arc::clone(&pool.name), wanted, chosen.found));
        }
        for host in chosen.members {
            placement.pools.insert(host, Arc::clone(&pool.name));
        }
        for host in chosen.leaving {
            placement.leaving.insert(host, Arc::clone(&pool.name));
        }
    }
    placement
}

/// Hosts that wait for a seat, by rack, with their place in the natural order.
type Queues<'f> = BTreeMap<Option<Arc<str>>, VecDeque<(usize, &'f Arc<str>)>>;

/// What was chosen for one pool.
struct Chosen {
    members: BTreeSet<Arc<str>>,
    /// How many hosts could be members.
    found: u32,
    /// Who keeps a seat without being a member.
    leaving: Vec<Arc<str>>,
}

fn members(fleet: &Fleet, pool: &Pool, seats: &BTreeMap<Arc<str>, Seat>) -> Chosen {
    let mut members = BTreeSet::new();
    for held in &fleet.held {
        if seats.contains_key(&held.name) {
            members.insert(Arc::clone(&held.name));
        }
    }
    let found = (members.len() + pool.candidates.len()) as u32;
    let Some(wanted) = pool.replicas else {
        members.extend(pool.candidates.iter().cloned());
        return Chosen {
            members,
            found,
            leaving: Vec::new(),
        };
    };
    let wanted = wanted as usize;

    let selected = |host: &str| {
        let candidate = fleet.host(host).and_then(|host| host.pool.as_ref());
        candidate.is_some_and(|candidate| candidate.pool == pool.name)
    };
    let leaving: Vec<&Arc<str>> = seats
        .iter()
        .filter(|(host, seat)| seat.running && !selected(host) && !members.contains(*host))
        .map(|(host, _)| host)
        .collect();
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
    for host in &leaving {
        let stands = seats.get(*host).and_then(|seat| seat.rack.clone());
        let stands = stands.filter(|_| pool.spread_by_rack);
        *load.entry(stands).or_default() += 1;
    }
    let (sticky, fresh): (Vec<_>, Vec<_>) = pool
        .candidates
        .iter()
        .partition(|host| seats.contains_key(*host));
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
        while members.len() + leaving.len() < wanted {
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
    Chosen {
        members,
        found,
        leaving: leaving.into_iter().cloned().collect(),
    }
}
