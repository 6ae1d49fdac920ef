//! What an evaluation keeps for the next one: its hosts, by the file that declares them.
//!
//! A host is what its own file says, what is meant for all (`spec`, `param`, `profile`, `each` and
//! `facts` at the top of a file), and what is refined from elsewhere. So where only files changed
//! that hold nothing but hosts, racks, groups and `refine`s, the hosts of all other files are as
//! they were, unless such a `refine` reaches them. All hosts of a file are taken over or none.
//!
//! Everything is declared anew each time, and what is judged over all hosts (names, pools, doubles,
//! idle lines) is judged anew, from what the hosts left behind: their fields, a hash of what
//! identifies their machines, what lines of text did to them ([`Did`]). A host about which
//! something was reported is evaluated again to report it again. Only an evaluation without an
//! error is kept. Whatever is not known to be the same makes the evaluation one of all hosts.
//!
//! Paths keep their numbers: the table of the last evaluation is gone on with. Keys that nobody
//! names any more must not stay in it (a pool that selects by one is told so); with the first of
//! them all is evaluated anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::declare::{Declared, Program};
use super::effect::{Did, Effects};
use super::import::Project;
use super::instance::Evaluated;
use super::rules::Identity;
use crate::diag::FileId;
use crate::fleet::{Fleet, Host, natural};
use crate::schema::{PathId, Paths};
use crate::syntax::{Nodes, Parse};

/// Tables of paths that the hosts of one fleet may hold on to: each evaluation that adds keys makes
/// one more. Then all are evaluated and have one again.
const MOST_TABLES: u32 = 16;

/// What is kept of an evaluation.
#[derive(Debug)]
pub(super) struct Kept {
    project: Arc<Project>,
    fleet: Arc<Fleet>,
    left: Left,
}

/// What the hosts left behind, beside the fleet.
#[derive(Debug)]
pub(super) struct Left {
    /// Of each host of the fleet.
    pub identities: Vec<Identity>,
    /// By the file that declares the hosts.
    pub did: BTreeMap<FileId, Arc<Did>>,
    /// See [`Program::starts`], with the end.
    pub starts: Vec<u32>,
    pub refined: Refined,
    /// How many tables of paths there are.
    pub tables: u32,
}

/// By the file that declares hosts: the other files that refine them.
pub(super) type Refined = BTreeMap<FileId, BTreeSet<FileId>>;

/// An evaluation that goes on from the last one.
pub(super) struct Start<'k> {
    kept: &'k Kept,
    changed: BTreeSet<FileId>,
}

/// Hosts that are taken over.
pub(super) struct Reuse {
    /// By index of the host, for those that are.
    pub known: Vec<Option<Evaluated>>,
    /// What they did.
    pub did: BTreeMap<FileId, Arc<Did>>,
    /// Keys that were met before the hosts are evaluated.
    met: Vec<PathId>,
}

pub(super) fn refined(program: &Program<'_>) -> Refined {
    let mut refined = Refined::new();
    for host in &program.hosts {
        let own = host.node.file();
        let by = host
            .refines
            .iter()
            .map(|index| program.refines[*index].file);
        for file in by.filter(|file| *file != own) {
            refined.entry(own).or_default().insert(file);
        }
    }
    refined
}

impl Kept {
    /// Of an evaluation that is complete and has no error.
    pub(super) fn new(project: Arc<Project>, fleet: Arc<Fleet>, left: Left) -> Self {
        debug_assert_eq!(left.identities.len(), fleet.hosts.len());
        Self {
            project,
            fleet,
            left,
        }
    }

    /// Goes on from here, where that may be worth it.
    pub(super) fn start(&self, project: &Project) -> Option<Start<'_>> {
        let changed = changed(&self.project, project)?;
        (self.left.tables < MOST_TABLES).then_some(Start {
            kept: self,
            changed,
        })
    }

    /// The hosts of these files; a file goes whose hosts are not the very same ones, which would be
    /// a mistake of the rules above.
    fn known(
        &self,
        program: &Program<'_>,
        did: &mut BTreeMap<FileId, Arc<Did>>,
    ) -> Vec<Option<Evaluated>> {
        let mut before = self
            .fleet
            .hosts
            .iter()
            .zip(&self.left.identities)
            .peekable();
        let mut odd: BTreeSet<FileId> = BTreeSet::new();
        let mut known = Vec::with_capacity(program.hosts.len());
        for declared in &program.hosts {
            // Both are in natural order.
            let precedes = |host: &Host| {
                host.name != declared.name && natural(&host.name, &declared.name).is_lt()
            };
            while let Some((gone, _)) = before.next_if(|(host, _)| precedes(host)) {
                odd.insert(gone.origin.file);
            }
            let same = before.next_if(|(host, _)| host.name == declared.name);
            let file = declared.node.file();
            if let Some((host, _)) = same
                && host.origin.file != file
            {
                odd.insert(host.origin.file);
            }
            let same = same.filter(|(host, _)| {
                did.contains_key(&file) && host.origin.place() == declared.place && !declared.broken
            });
            if same.is_none() {
                odd.insert(file);
            }
            known.push(same.map(|(host, identity)| Evaluated::known(host, *identity)));
        }
        odd.extend(before.map(|(gone, _)| gone.origin.file));
        for file in odd {
            did.remove(&file);
        }
        for (known, declared) in known.iter_mut().zip(&program.hosts) {
            if !did.contains_key(&declared.node.file()) {
                *known = None;
            }
        }
        known
    }

    /// Sites by their numbers of now: those of a file that did not change moved together.
    fn moved(&self, did: &Arc<Did>, program: &Program<'_>) -> Option<Arc<Did>> {
        let before = &self.left.starts;
        if *before == program.starts {
            return Some(Arc::clone(did));
        }
        if before.len() != program.starts.len() {
            return None;
        }
        let moved = |site: &u32| {
            let run = before
                .partition_point(|start| start <= site)
                .checked_sub(1)?;
            Some(program.starts[run] + (site - before[run]))
        };
        let sites = did
            .sites
            .iter()
            .map(|(site, effect)| Some((moved(site)?, *effect)));
        Some(Arc::new(Did {
            sites: sites.collect::<Option<_>>()?,
            own: did.own.clone(),
            keys: did.keys.clone(),
            loud: did.loud,
        }))
    }
}

impl Start<'_> {
    /// The table to go on with.
    pub(super) fn table(&self) -> &Arc<Paths> {
        &self.kept.fleet.paths
    }

    /// How many tables of paths there are with this one.
    pub(super) fn tables(&self, table: &Arc<Paths>) -> u32 {
        self.kept.left.tables + u32::from(!Arc::ptr_eq(table, self.table()))
    }

    /// What can be taken over; `met` are the keys that were met so far.
    pub(super) fn reuse(
        &self,
        program: &Program<'_>,
        refined: &Refined,
        met: Vec<PathId>,
    ) -> Option<Reuse> {
        let left = &self.kept.left;
        let nobody = BTreeSet::new();
        let is_calm = |refined: &Refined, file: &FileId| {
            let by = refined.get(file).unwrap_or(&nobody);
            by.is_disjoint(&self.changed)
        };
        let is_same = |file: &FileId, did: &Did| {
            !did.loud
                && !self.changed.contains(file)
                && is_calm(refined, file)
                && is_calm(&left.refined, file)
        };
        if !program.complete || program.partial {
            return None;
        }
        let mut did: BTreeMap<FileId, Arc<Did>> = left
            .did
            .iter()
            .filter(|(file, did)| is_same(file, did))
            .map(|(file, did)| Some((*file, self.kept.moved(did, program)?)))
            .collect::<Option<_>>()?;
        let known = self.kept.known(program, &mut did);
        (!did.is_empty()).then_some(Reuse { known, did, met })
    }
}

impl Reuse {
    /// The hosts that have to be evaluated.
    pub(super) fn others<'d, 't>(&self, declared: &'d [Declared<'t>]) -> Vec<&'d Declared<'t>> {
        let all = declared.iter().zip(&self.known);
        all.filter(|(_, known)| known.is_none())
            .map(|(host, _)| host)
            .collect()
    }

    /// Whether all keys of a table were met: before the hosts, by hosts that are taken over, or by
    /// the others.
    pub(super) fn names_all_keys(&self, table: &Paths, others: &Effects) -> bool {
        let mut met = vec![false; table.len()];
        let hosts = self.did.values().chain(others.files.values());
        for id in self.met.iter().chain(hosts.flat_map(|did| &did.keys)) {
            met[id.0 as usize] = true;
        }
        let mut ids = (0..table.len() as u32).map(PathId);
        ids.all(|id| met[id.0 as usize] || table.get(id).key.is_none())
    }
}

/// The files that changed, `None` where that may concern the hosts of other files.
fn changed(before: &Project, now: &Project) -> Option<BTreeSet<FileId>> {
    // Numbers of files mean something between the two only if they are the same files.
    let same_files = before.files.len() == now.files.len()
        && before
            .files
            .iter()
            .zip(now.files.iter())
            .all(|((_, a), (_, b))| a.real == b.real && a.path == b.path);
    let same_params = match (&before.params, &now.params) {
        (None, None) => true,
        (Some((a, before)), Some((b, now))) => a == b && Arc::ptr_eq(before, now),
        _ => false,
    };
    let all_there = before.sources.len() == now.sources.len() && now.complete && !now.partial;
    let same_bounds = before.limits == now.limits && before.namespace == now.namespace;
    if !(same_files && same_params && all_there && same_bounds) {
        return None;
    }
    let tables = before.tables.values().chain(now.tables.values());
    for table in tables.copied().collect::<BTreeSet<_>>() {
        if **before.files.text(table) != **now.files.text(table) {
            return None;
        }
    }
    let mut changed = BTreeSet::new();
    for ((a, before), (b, now)) in before.sources.iter().zip(&now.sources) {
        if a != b {
            return None;
        }
        if !Arc::ptr_eq(before, now) {
            let is_local = |parse: &Parse| is_local(parse.tree.nodes(), false);
            if !is_local(before) || !is_local(now) {
                return None;
            }
            changed.insert(*a);
        }
    }
    Some(changed)
}

/// Whether nodes concern the hosts that they declare, and those that a `refine` reaches. A table of
/// facts does not, for its columns are names that all expressions know.
fn is_local(nodes: Nodes<'_>, inside: bool) -> bool {
    let mut nodes = nodes;
    nodes.all(|node| match node.name() {
        "host" | "refine" | "let" => true,
        "each" => inside,
        "rack" | "group" => is_local(node.children(), true),
        "when" => is_local(node.children(), inside),
        _ => false,
    })
}
