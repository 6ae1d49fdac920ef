//! Merge: a set of definitions of one instance becomes one value a path.
//!
//! A definition says: at this path, this value (or nothing, for `#null`), with this rank. The
//! result is a function of the *set*: ranks have no part that depends on the order of files,
//! imports or nodes, and equal ranks have to agree. The steps are those of language.md section 7:
//! tombstones, seals, winners, unions; a keyed record is there if a definition of its key is.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use smallvec::SmallVec;

use self::removal::{Buried, bury};
use crate::diag::Place;
use crate::fleet::Value;
use crate::schema::{PathId, Paths};

mod removal;

/// How strongly a definition is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// `(default)`.
    Default = 1,
    /// Without an annotation.
    Plain = 2,
    /// `(force)`.
    Force = 3,
    /// `(final)`: as strong as force, and nothing else may be said.
    Final = 4,
}

/// Which definition wins: strength, then depth of the scope, then nearness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(u32);

impl Rank {
    /// `depth`: enclosing entity scopes (fleet 0, rack 1, host n, refine by pattern n+1, refine by
    /// exact name n+2). `chain`: length of the chain of `use` (written text 0).
    pub fn new(strength: Strength, depth: u16, chain: u8) -> Self {
        let strength = match strength {
            Strength::Default => 1,
            Strength::Plain => 2,
            Strength::Force | Strength::Final => 3,
        };
        Self(strength << 24 | u32::from(depth) << 8 | u32::from(u8::MAX - chain))
    }

    /// The strength by its word.
    pub fn word(self) -> &'static str {
        match self.0 >> 24 {
            1 => "default",
            2 => "plain",
            _ => "force",
        }
    }

    /// `(force)` or `(final)`.
    pub(super) fn is_strong(self) -> bool {
        self.0 >> 24 > 2
    }

    /// `(default)`.
    pub(super) fn is_default(self) -> bool {
        self.0 >> 24 < 2
    }
}

/// One definition.
#[derive(Debug, Clone)]
pub struct Def {
    /// Where in the instance.
    pub path: PathId,
    /// Which wins.
    pub rank: Rank,
    /// `(final)`.
    pub sealed: bool,
    /// What; `None` removes.
    pub value: Option<Value>,
    /// The value could not be read; the instance has an error if this wins.
    pub bad: bool,
    /// Where the value is written.
    pub place: Place,
    /// Which block brought it, and by which chain of `use`: indices of the collector.
    pub layer: u16,
    /// See `layer`.
    pub chain: u16,
    /// The number of the line that it comes from; see [`super::effect`].
    pub site: u32,
}

/// What is wrong with the definitions of an instance; indices are into the definitions as
/// [`merge`] leaves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// MF2400: these have equal rank and differ.
    Conflict(Vec<usize>),
    /// MF2401: set and removed at equal rank: the removal, and all that it meets.
    SetAndRemoved(usize, Vec<usize>),
    /// MF2402: sealed, and defined otherwise: the seal, and what is said otherwise.
    Sealed(usize, usize),
}

/// What a merge gave.
#[derive(Debug, Default)]
pub struct Merged {
    /// Indices of the winning definitions, by path number.
    pub winners: Vec<usize>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// A winner could not be read.
    pub bad: bool,
}

/// Merges the definitions of one instance. Sorts `defs` by path, rank (highest first) and site;
/// `site` orders places in a way that does not depend on the order of loading.
pub fn merge(
    defs: &mut [Def],
    paths: &Paths,
    site: &impl Fn(Place, Place) -> Ordering,
    merged: &mut Merged,
) {
    merged.winners.clear();
    merged.problems.clear();
    merged.bad = false;
    defs.sort_unstable_by(|a, b| {
        a.path
            .cmp(&b.path)
            .then_with(|| b.rank.cmp(&a.rank))
            .then_with(|| {
                if a.place == b.place {
                    Ordering::Equal
                } else {
                    site(a.place, b.place)
                }
            })
    });
    // Almost no instance removes anything; those that do take the slow road.
    let buried = if defs.iter().any(|def| def.value.is_none() && !def.bad) {
        bury(defs, paths, &mut merged.problems)
    } else {
        Buried::default()
    };
    let is_dropped = |index: usize| buried.dropped.get(index).copied().unwrap_or(false);
    let mut clashes = buried.clashes.iter().copied().peekable();
    let mut met: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    // Which definition of a union won. A path has a greater number than the paths it is below, so
    // that a union is met before what stands in its variants.
    let mut unions: SmallVec<[(PathId, Option<usize>); 2]> = SmallVec::new();

    let mut start = 0;
    while start < defs.len() {
        let path = defs[start].path;
        let mut end = start + 1;
        while end < defs.len() && defs[end].path == path {
            end += 1;
        }
        let group = start..end;
        start = end;
        let known = merged.problems.len();
        // Step 4 before 2 and 3: what another variant says is neither here nor wrong.
        let winner = if !is_chosen(defs, paths, path, &unions) {
            None
        } else if group.len() == 1 && buried.dropped.is_empty() {
            Some(group.start)
        } else {
            pick(defs, group.clone(), &is_dropped, &mut merged.problems)
        };
        if is_union(paths, path) {
            // Where variants are at odds, which one comes first hangs on where they are written:
            // then what stands in them is not judged.
            let agreed = merged.problems.len() == known;
            unions.push((path, winner.filter(|_| agreed)));
        }
        // A clash with a removal decides nothing where something stronger stands anyway.
        let strongest = group.clone().find(|index| !is_dropped(*index));
        while let Some((index, stone)) = clashes.next_if(|(index, _)| group.contains(index)) {
            let decides = strongest.is_some_and(|top| defs[top].rank == defs[index].rank);
            if decides && winner.is_some() {
                met.entry(stone).or_default().push(index);
            }
        }
        if let Some(winner) = winner {
            merged.bad |= defs[winner].bad;
            if defs[winner].value.is_some() || defs[winner].bad {
                merged.winners.push(winner);
            }
        }
    }
    merged.problems.extend(
        met.into_iter()
            .map(|(stone, set)| Problem::SetAndRemoved(stone, set)),
    );
}

/// Steps 2 and 3 at one path.
fn pick(
    defs: &[Def],
    group: std::ops::Range<usize>,
    is_dropped: &impl Fn(usize) -> bool,
    problems: &mut Vec<Problem>,
) -> Option<usize> {
    let mut live = group.filter(|index| !is_dropped(*index));
    let first = live.next()?;
    let rest = live;
    let same = |a: usize, b: usize| defs[a].bad || defs[b].bad || defs[a].value == defs[b].value;
    let sealed = std::iter::once(first)
        .chain(rest.clone())
        .find(|index| defs[*index].sealed);
    if let Some(seal) = sealed {
        let other = std::iter::once(first)
            .chain(rest.clone())
            .find(|index| !defs[*index].rank.is_default() && !same(seal, *index));
        if let Some(other) = other {
            problems.push(Problem::Sealed(seal, other));
            return Some(seal);
        }
    }
    // Sorted by rank: the first is a winner, and those that tie follow it.
    let mut tied = rest
        .take_while(|index| defs[*index].rank == defs[first].rank)
        .peekable();
    if tied.peek().is_some() {
        let tied: Vec<usize> = std::iter::once(first).chain(tied).collect();
        if tied.iter().any(|index| !same(first, *index)) {
            let stone = tied.iter().find(|index| defs[**index].value.is_none());
            let set = tied.iter().filter(|index| defs[**index].value.is_some());
            let set: Vec<usize> = set.copied().collect();
            problems.push(match stone {
                Some(stone) if !set.is_empty() => Problem::SetAndRemoved(*stone, set),
                _ => Problem::Conflict(tied),
            });
        }
    }
    Some(first)
}

/// Step 4: whether a path stands under no variant that did not win.
fn is_chosen(
    defs: &[Def],
    paths: &Paths,
    path: PathId,
    unions: &[(PathId, Option<usize>)],
) -> bool {
    let Some((union, variant)) = &paths.get(path).variant else {
        return true;
    };
    let winner = unions
        .iter()
        .find(|(path, _)| path == union)
        .and_then(|(_, winner)| *winner);
    winner.is_some_and(
        |winner| matches!(&defs[winner].value, Some(Value::Text(name)) if **name == **variant),
    )
}

fn is_union(paths: &Paths, path: PathId) -> bool {
    use crate::schema::{Field, Kind};
    matches!(
        paths.get(path).field,
        Some(Field {
            kind: Kind::Union(_),
            ..
        })
    )
}

#[cfg(test)]
mod tests;
