//! What definitions do: a byte a line of text that reaches a file's hosts, nothing a host.
//!
//! A line of a shared block is known by its site, a number; lines of a host's own block reach that
//! host only and are kept where there is something to say about them. What follows from it is
//! said by [`super::idle`], once everything is evaluated. It is kept by the file that declares the
//! hosts, so that the next evaluation can take it over with them ([`super::kept`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::merge::{Def, Merged};
use crate::diag::{FileId, Place};
use crate::fleet::Value;
use crate::schema::{Field, Kind, PathId, Paths};

/// Of a definition that stands in a host's own block, or in what is no host.
pub(super) const NO_SITE: u32 = u32::MAX;

/// What a definition did on some host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Effect(u8);

impl Effect {
    /// A host has it.
    pub(super) const REACHED: Self = Self(1);
    /// What it says is what the host has, by this definition or another; or it is a default, whose
    /// part it is to give way.
    pub(super) const HOLDS: Self = Self(1 << 1);
    /// It is the one that gives the value.
    pub(super) const LEADS: Self = Self(1 << 2);
    /// It gives the value, and without it there would be another or none.
    pub(super) const MATTERS: Self = Self(1 << 3);
    /// Something else is said about the same field.
    pub(super) const OPPOSED: Self = Self(1 << 4);
    /// A removal that had something to remove.
    pub(super) const REMOVED: Self = Self(1 << 5);

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn with(self, other: Self, when: bool) -> Self {
        Self(self.0 | if when { other.0 } else { 0 })
    }
}

/// A definition of a host's own block that may be idle.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub place: Place,
    pub path: Arc<str>,
    pub host: Arc<str>,
    pub effect: Effect,
    pub removes: bool,
    /// `(force)`.
    pub forced: bool,
    /// `(force)` or `(final)`.
    pub strong: bool,
    pub structure: bool,
}

/// What the definitions of the hosts of one file did.
#[derive(Debug, Clone, Default)]
pub(super) struct Did {
    pub sites: BTreeMap<u32, Effect>,
    pub own: Vec<Own>,
    /// Keys that their blocks name, whatever became of them.
    pub keys: BTreeSet<PathId>,
    /// Something was reported about one of them.
    pub loud: bool,
}

/// What all definitions did.
#[derive(Debug, Clone, Default)]
pub(super) struct Effects {
    /// The file whose hosts are evaluated now, and what they did since it was turned to.
    now: Option<FileId>,
    by_site: Vec<Effect>,
    touched: Vec<u32>,
    own: Vec<Own>,
    pub files: BTreeMap<FileId, Arc<Did>>,
}

/// The same for all hosts together.
pub(super) struct Sum<'e> {
    by_site: Vec<Effect>,
    pub own: Vec<&'e Own>,
}

impl Sum<'_> {
    pub(super) fn of(&self, site: u32) -> Effect {
        self.by_site.get(site as usize).copied().unwrap_or_default()
    }
}

impl Did {
    fn site(&mut self, site: u32, effect: Effect) {
        self.sites.entry(site).or_default().0 |= effect.0;
    }
}

impl Effects {
    /// Whether what is noted is put to this file.
    pub(super) fn is_at(&self, file: FileId) -> bool {
        self.now == Some(file)
    }

    /// Puts what was noted to its file, with the keys that were met, and turns to the next file.
    pub(super) fn turn(&mut self, keys: Vec<PathId>, next: Option<FileId>) {
        if let Some(now) = std::mem::replace(&mut self.now, next) {
            let did = Arc::make_mut(self.files.entry(now).or_default());
            for site in self.touched.drain(..) {
                let effect = std::mem::take(&mut self.by_site[site as usize]);
                did.site(site, effect);
            }
            did.own.append(&mut self.own);
            did.keys.extend(keys);
        }
    }

    /// Something was reported about a host of this file.
    pub(super) fn loud(&mut self, file: FileId) {
        Arc::make_mut(self.files.entry(file).or_default()).loud = true;
    }

    /// Takes in what another thread saw of later hosts; both are turned to no file.
    pub(super) fn absorb(&mut self, other: Self) {
        for (file, more) in other.files {
            let Some(known) = self.files.get_mut(&file) else {
                self.files.insert(file, more);
                continue;
            };
            let known = Arc::make_mut(known);
            let more = Arc::unwrap_or_clone(more);
            for (site, effect) in more.sites {
                known.site(site, effect);
            }
            known.own.extend(more.own);
            known.keys.extend(more.keys);
            known.loud |= more.loud;
        }
    }

    /// All together.
    pub(super) fn sum(&self) -> Sum<'_> {
        let last = self
            .files
            .values()
            .filter_map(|did| did.sites.keys().last());
        let sites = last.max().map_or(0, |last| *last as usize + 1);
        let mut by_site = vec![Effect::default(); sites];
        for (site, effect) in self.files.values().flat_map(|did| &did.sites) {
            by_site[*site as usize].0 |= effect.0;
        }
        Sum {
            by_site,
            own: self.files.values().flat_map(|did| &did.own).collect(),
        }
    }

    /// Notes what the definitions of a host did there; they are sorted as [`super::merge::merge`]
    /// leaves them, and nothing is wrong with them.
    pub(super) fn note(&mut self, defs: &[Def], merged: &Merged, paths: &Paths, host: &Arc<str>) {
        let stones = Stones::of(defs, paths);
        let mut winners = merged.winners.iter().copied().peekable();
        let mut start = 0;
        while start < defs.len() {
            let path = defs[start].path;
            let mut end = start + 1;
            while end < defs.len() && defs[end].path == path {
                end += 1;
            }
            let winner = winners.next_if(|winner| *winner < end);
            let group = &defs[start..end];
            let alone =
                Effect(Effect::REACHED.0 | Effect::HOLDS.0 | Effect::LEADS.0 | Effect::MATTERS.0);
            match (group, winner) {
                ([only], Some(_)) if !stones.above(path, paths) => {
                    self.add(only, alone, paths, host);
                }
                _ => self.group(group, winner.map(|at| &defs[at]), &stones, paths, host),
            }
            start = end;
        }
    }

    /// Definitions of one path.
    fn group(
        &mut self,
        group: &[Def],
        winner: Option<&Def>,
        stones: &Stones,
        paths: &Paths,
        host: &Arc<str>,
    ) {
        let path = group[0].path;
        let agreed = group.iter().all(|def| def.value == group[0].value);
        // Below a removal a line may be what holds against it: it is no repeat, and its force is not
        // idle.
        let removed = stones.above(path, paths);
        // What would lead without the winner, if that is one value.
        let next = winner.and_then(|winner| {
            let mut weaker = group.iter().filter(|def| def.rank < winner.rank).peekable();
            let rank = weaker.peek()?.rank;
            let mut tied = weaker.take_while(|def| def.rank == rank);
            let first = tied.next()?;
            (!first.bad && tied.all(|def| def.value == first.value)).then_some(first)
        });
        let repeats = |def: &Def| !removed && next.is_some_and(|next| next.value == def.value);
        for def in group {
            let holds = match winner {
                Some(winner) => winner.value == def.value,
                // Below a variant that was not chosen nothing is judged.
                None => def.value.is_none() || paths.get(path).variant.is_some(),
            };
            let leads = holds && winner.is_some_and(|winner| winner.rank == def.rank);
            let effect = Effect::REACHED
                .with(Effect::HOLDS, holds || def.rank.is_default())
                .with(Effect::LEADS, leads)
                .with(Effect::MATTERS, leads && !repeats(def))
                .with(Effect::OPPOSED, !agreed || removed)
                .with(Effect::REMOVED, def.value.is_none() && stones.met(path));
            self.add(def, effect, paths, host);
        }
    }

    fn add(&mut self, def: &Def, effect: Effect, paths: &Paths, host: &Arc<str>) {
        if def.site != NO_SITE {
            let site = def.site as usize;
            if site >= self.by_site.len() {
                self.by_site.resize(site + 1, Effect::default());
            }
            if self.by_site[site] == Effect::default() {
                self.touched.push(def.site);
            }
            self.by_site[site].0 |= effect.0;
            return;
        }
        let strong = def.rank.is_strong();
        let telling = !effect.has(Effect::HOLDS)
            || (effect.has(Effect::LEADS) && !effect.has(Effect::MATTERS))
            || (def.value.is_none() && !effect.has(Effect::REMOVED))
            || strong;
        if telling {
            let path = paths.get(def.path);
            self.own.push(Own {
                place: def.place,
                path: Arc::clone(&path.text),
                host: Arc::clone(host),
                effect,
                removes: def.value.is_none(),
                forced: strong && !def.sealed,
                strong,
                structure: is_structure(path.field, path.key.is_some(), def.value.as_ref()),
            });
        }
    }
}

/// What has to be written to say something inside it, and so says nothing by itself: that a record
/// is there, and which variant of a union it is about.
pub(super) fn is_structure(field: Option<&Field>, is_key: bool, value: Option<&Value>) -> bool {
    let is_union = matches!(field.map(|field| &field.kind), Some(Kind::Union(_))) && !is_key;
    value.is_some() && (is_union || value == Some(&Value::Present))
}

/// The paths that a host's definitions remove, sorted, and whether there was anything.
struct Stones(Vec<(PathId, bool)>);

impl Stones {
    fn of(defs: &[Def], paths: &Paths) -> Self {
        let mut stones: Vec<(PathId, bool)> = defs
            .iter()
            .filter(|def| def.value.is_none())
            .map(|def| (def.path, false))
            .collect();
        stones.dedup();
        let mut stones = Self(stones);
        if stones.0.is_empty() {
            return stones;
        }
        for def in defs.iter().filter(|def| def.value.is_some()) {
            let mut at = Some(def.path);
            while let Some(path) = at {
                if let Some(stone) = stones.find(path) {
                    stones.0[stone].1 = true;
                }
                at = paths.get(path).parent;
            }
        }
        stones
    }

    /// Whether something around a path is removed.
    fn above(&self, path: PathId, paths: &Paths) -> bool {
        let mut at = Some(path).filter(|_| !self.0.is_empty());
        while let Some(parent) = at.and_then(|path| paths.get(path).parent) {
            if self.find(parent).is_some() {
                return true;
            }
            at = Some(parent);
        }
        false
    }

    fn find(&self, path: PathId) -> Option<usize> {
        self.0.binary_search_by_key(&path, |(path, _)| *path).ok()
    }

    fn met(&self, path: PathId) -> bool {
        self.find(path).is_some_and(|at| self.0[at].1)
    }
}
