//! What `#null` takes away.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::{Def, Problem, Rank};
use crate::schema::{PathId, Paths};

/// Which definitions removals take away.
#[derive(Debug, Default)]
pub(super) struct Buried {
    /// By definition; empty where there is no removal.
    pub dropped: Vec<bool>,
    /// Definitions that stand below a removal of equal rank, in order, each with the removal.
    pub clashes: Vec<(usize, usize)>,
}

/// The removals at one path.
#[derive(Debug, Clone, Copy)]
struct Stones {
    /// The strongest.
    first: usize,
    /// A sealed one.
    sealed: Option<usize>,
    /// The strongest of what survives below.
    above: Option<Rank>,
}

/// Step 1: which definitions removals take away, removals themselves included where something
/// below them survives.
pub(super) fn bury(defs: &[Def], paths: &Paths, problems: &mut Vec<Problem>) -> Buried {
    let mut dropped = vec![false; defs.len()];
    let mut clashes = Vec::new();
    let mut stones: HashMap<PathId, Stones> = HashMap::new();
    let is_stone = |def: &Def| def.value.is_none() && !def.bad;
    for (index, def) in defs.iter().enumerate().filter(|(_, def)| is_stone(def)) {
        let here = stones.entry(def.path).or_insert(Stones {
            first: index,
            sealed: None,
            above: None,
        });
        if def.sealed {
            here.sealed = here.sealed.or(Some(index));
        }
    }
    for (index, def) in defs.iter().enumerate() {
        let around =
            || std::iter::successors(paths.get(def.path).parent, |at| paths.get(*at).parent);
        for stone in around().filter_map(|path| stones.get(&path)) {
            let says = def.value.is_some() && !def.rank.is_default();
            match (def.rank.cmp(&defs[stone.first].rank), stone.sealed) {
                // Nothing else may be said below a removal that is sealed.
                (_, Some(seal)) if says => problems.push(Problem::Sealed(seal, index)),
                // What is sealed cannot be swept away by removing what it stands in.
                (Ordering::Less, _) if def.sealed && def.value.is_some() => {
                    problems.push(Problem::Sealed(index, stone.first));
                }
                (Ordering::Equal, _) if def.value.is_some() => clashes.push((index, stone.first)),
                _ => {}
            }
            dropped[index] |= def.rank < defs[stone.first].rank;
        }
        if dropped[index] || def.value.is_none() {
            continue;
        }
        for path in around() {
            if let Some(stone) = stones.get_mut(&path) {
                stone.above = stone.above.max(Some(def.rank));
            }
        }
    }
    clashes.retain(|(index, _)| !dropped[*index]);
    // A removal gives way where something below it survives all removals.
    for (index, def) in defs.iter().enumerate().filter(|(_, def)| is_stone(def)) {
        let above = stones.get(&def.path).and_then(|here| here.above);
        dropped[index] |= above.is_some_and(|above| above > def.rank);
    }
    Buried { dropped, clashes }
}
