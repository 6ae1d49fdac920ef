//! Merge: a set of definitions of one instance becomes one value a path.
//!
//! A definition says: at this path, this value (or nothing, for `#null`), with this rank. The
//! result is a function of the *set*: ranks have no part that depends on the order of files,
//! imports or nodes, and equal ranks have to agree. The steps are those of language.md section 7:
//! tombstones, seals, winners, unions; a keyed record is there if a definition of its key is.

use std::cmp::Ordering;

use crate::diag::Place;
use crate::fleet::Value;
use crate::schema::{PathId, Paths};

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

    fn is_default(self) -> bool {
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
}

/// What is wrong with the definitions of an instance; indices are into the definitions as
/// [`merge`] leaves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// MF2400: these have equal rank and differ.
    Conflict(Vec<usize>),
    /// MF2401: set and removed at equal rank: the removal, and what it meets.
    SetAndRemoved(usize, usize),
    /// MF2402: sealed, and defined otherwise.
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
    let dropped = if defs.iter().any(|def| def.value.is_none()) {
        bury(defs, paths, &mut merged.problems)
    } else {
        Vec::new()
    };
    let is_dropped = |index: usize| dropped.get(index).copied().unwrap_or(false);

    let mut start = 0;
    let mut in_unions = false;
    while start < defs.len() {
        let path = defs[start].path;
        let mut end = start + 1;
        while end < defs.len() && defs[end].path == path {
            end += 1;
        }
        let winner = if end == start + 1 && dropped.is_empty() {
            Some(start)
        } else {
            pick(defs, start..end, &is_dropped, &mut merged.problems)
        };
        if let Some(winner) = winner {
            merged.bad |= defs[winner].bad;
            if defs[winner].value.is_some() || defs[winner].bad {
                in_unions |= paths.get(path).variant.is_some();
                merged.winners.push(winner);
            }
        }
        start = end;
    }
    if in_unions {
        drop_other_variants(defs, paths, &mut merged.winners);
    }
}

/// Step 1: which definitions removals take away, removals themselves included where something
/// below them survives.
fn bury(defs: &[Def], paths: &Paths, problems: &mut Vec<Problem>) -> Vec<bool> {
    let mut dropped = vec![false; defs.len()];
    let stones: Vec<usize> = (0..defs.len())
        .filter(|index| defs[*index].value.is_none() && !defs[*index].bad)
        .collect();
    let mut overrun = Vec::new();
    for &stone in &stones {
        for (index, def) in defs.iter().enumerate() {
            if !paths.is_below(def.path, defs[stone].path) {
                continue;
            }
            match def.rank.cmp(&defs[stone].rank) {
                Ordering::Less => {
                    // What is sealed cannot be swept away by removing what it stands in.
                    if def.sealed && def.value.is_some() {
                        problems.push(Problem::Sealed(index, stone));
                    }
                    dropped[index] = true;
                }
                Ordering::Equal if def.value.is_some() => {
                    problems.push(Problem::SetAndRemoved(stone, index));
                }
                Ordering::Greater if def.value.is_some() => overrun.push((stone, index)),
                Ordering::Equal | Ordering::Greater => {}
            }
        }
    }
    // A removal gives way where something below it survives all removals.
    for (stone, index) in overrun {
        if !dropped[index] {
            dropped[stone] = true;
        }
    }
    dropped
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
            let set = tied.iter().find(|index| defs[**index].value.is_some());
            problems.push(match (stone, set) {
                (Some(stone), Some(set)) => Problem::SetAndRemoved(*stone, *set),
                _ => Problem::Conflict(tied),
            });
        }
    }
    Some(first)
}

/// Step 4: what stands under a variant that did not win.
fn drop_other_variants(defs: &[Def], paths: &Paths, winners: &mut Vec<usize>) {
    let chosen: Vec<(PathId, Option<Value>)> = winners
        .iter()
        .filter(|index| is_union(paths, defs[**index].path))
        .map(|index| (defs[*index].path, defs[*index].value.clone()))
        .collect();
    winners.retain(|index| match paths.get(defs[*index].path).variant {
        None => true,
        Some((union, variant)) => chosen.iter().any(|(path, value)| {
            *path == union && matches!(value, Some(Value::Text(name)) if **name == *variant)
        }),
    });
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
mod tests {
    use super::*;
    use crate::diag::{FileId, Span};
    use crate::schema::Entity;
    use Strength::{Default, Final, Force, Plain};

    struct Bench {
        paths: Paths,
        defs: Vec<Def>,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                paths: Paths::new(),
                defs: Vec::new(),
            }
        }

        fn def(&mut self, path: &str, strength: Strength, depth: u16, chain: u8, value: &str) {
            let mut at = Paths::root(Entity::Host);
            for part in path.split('.') {
                at = match self.paths.child(at, part) {
                    Some(child) => child,
                    None => self.paths.key_or_add(at, part),
                };
            }
            let line = self.defs.len() as u32;
            self.defs.push(Def {
                path: at,
                rank: Rank::new(strength, depth, chain),
                sealed: strength == Final,
                value: match value {
                    "#null" => None,
                    "#present" => Some(Value::Present),
                    text => Some(Value::Text(text.into())),
                },
                bad: false,
                place: Span::new(line, line + 1).in_file(FileId(0)),
                layer: 0,
                chain: 0,
            });
        }

        /// The result, the same for every order of the definitions.
        fn result(&self) -> String {
            let mut shown: Option<String> = None;
            for turn in 0..self.defs.len().max(1) {
                let mut defs = self.defs.clone();
                defs.rotate_left(turn);
                if turn % 2 == 1 {
                    defs.reverse();
                }
                defs.extend(self.defs.clone());
                let mut merged = Merged::default();
                merge(&mut defs, &self.paths, &|a, b| a.cmp(&b), &mut merged);
                let mut lines: Vec<String> = merged
                    .winners
                    .iter()
                    .map(|index| {
                        let value = match &defs[*index].value {
                            Some(Value::Text(text)) => text.to_string(),
                            Some(other) => other.to_string(),
                            None => "#null".to_owned(),
                        };
                        format!("{}={value}", self.paths.get(defs[*index].path).text)
                    })
                    .collect();
                lines.sort();
                let mut problems: Vec<&str> = merged
                    .problems
                    .iter()
                    .map(|problem| match problem {
                        Problem::Conflict(_) => "MF2400",
                        Problem::SetAndRemoved(..) => "MF2401",
                        Problem::Sealed(..) => "MF2402",
                    })
                    .collect();
                problems.dedup();
                let text = [lines.join(" "), problems.join(" ")]
                    .join(" ")
                    .trim()
                    .to_owned();
                if let Some(before) = &shown {
                    assert_eq!(*before, text, "depends on order");
                }
                shown = Some(text);
            }
            shown.unwrap_or_default()
        }
    }

    #[test]
    fn strength_then_depth_then_nearness() {
        let mut bench = Bench::new();
        bench.def("boot.mode", Default, 9, 0, "a");
        bench.def("boot.mode", Plain, 0, 3, "b");
        assert_eq!(bench.result(), "boot.mode=b");
        bench.def("boot.mode", Plain, 1, 5, "c");
        assert_eq!(bench.result(), "boot.mode=c");
        bench.def("boot.mode", Plain, 1, 4, "d");
        assert_eq!(bench.result(), "boot.mode=d");
        bench.def("boot.mode", Force, 0, 9, "e");
        assert_eq!(bench.result(), "boot.mode=e");
    }

    #[test]
    fn equal_ranks_have_to_agree() {
        let mut bench = Bench::new();
        bench.def("boot.mode", Plain, 1, 0, "a");
        bench.def("boot.mode", Plain, 1, 0, "a");
        assert_eq!(bench.result(), "boot.mode=a");
        bench.def("boot.mode", Plain, 1, 0, "b");
        assert!(bench.result().ends_with("MF2400"), "{}", bench.result());
        bench.def("boot.mode", Plain, 2, 0, "c");
        assert_eq!(bench.result(), "boot.mode=c");
    }

    #[test]
    fn a_removal_takes_what_is_weaker_and_gives_way_to_what_is_not() {
        let mut bench = Bench::new();
        bench.def("root-device.vendor", Plain, 1, 1, "x");
        bench.def("root-device.model", Plain, 1, 1, "y");
        bench.def("root-device", Plain, 2, 0, "#null");
        assert_eq!(bench.result(), "");
        bench.def("root-device.serial", Plain, 3, 0, "z");
        assert_eq!(bench.result(), "root-device.serial=z");
    }

    #[test]
    fn set_and_removed_at_one_rank() {
        let mut bench = Bench::new();
        bench.def("root-device.vendor", Plain, 2, 0, "x");
        bench.def("root-device", Plain, 2, 0, "#null");
        assert!(bench.result().ends_with("MF2401"));
        let mut bench = Bench::new();
        bench.def("description", Plain, 2, 0, "x");
        bench.def("description", Plain, 2, 0, "#null");
        assert!(bench.result().ends_with("MF2401"));
    }

    #[test]
    fn the_workers_of_the_example_lose_their_raid_and_the_others_keep_it() {
        let mut bench = Bench::new();
        bench.def("raid", Default, 1, 1, "hardware");
        bench.def("raid.hardware.volume.root", Default, 1, 1, "#present");
        bench.def("raid.hardware.volume.root.level", Default, 1, 1, "1");
        assert_eq!(
            bench.result(),
            "raid.hardware.volume.root.level=1 raid.hardware.volume.root=there raid=hardware"
        );
        bench.def("raid", Default, 2, 1, "#null");
        assert_eq!(bench.result(), "");
    }

    #[test]
    fn a_union_keeps_the_variant_that_wins() {
        let mut bench = Bench::new();
        bench.def("raid", Default, 1, 1, "hardware");
        bench.def("raid.hardware.volume.root", Default, 1, 1, "#present");
        bench.def("raid.hardware.volume.root.level", Default, 1, 1, "1");
        bench.def("raid", Default, 2, 1, "software");
        bench.def("raid.software.volume.root", Default, 2, 1, "#present");
        assert_eq!(
            bench.result(),
            "raid.software.volume.root=there raid=software"
        );
    }

    #[test]
    fn a_seal_holds_even_against_force() {
        let mut bench = Bench::new();
        bench.def("bmc.verify-ca", Final, 0, 1, "yes");
        bench.def("bmc.verify-ca", Default, 3, 0, "no");
        assert_eq!(bench.result(), "bmc.verify-ca=yes");
        bench.def("bmc.verify-ca", Plain, 3, 0, "yes");
        assert_eq!(bench.result(), "bmc.verify-ca=yes");
        bench.def("bmc.verify-ca", Force, 3, 0, "no");
        assert_eq!(bench.result(), "bmc.verify-ca=yes MF2402");
        let mut bench = Bench::new();
        bench.def("bmc.verify-ca", Final, 0, 1, "yes");
        bench.def("bmc", Force, 3, 0, "#null");
        assert!(bench.result().ends_with("MF2402"), "{}", bench.result());
    }

    #[test]
    fn a_key_is_there_if_it_is_mentioned() {
        let mut bench = Bench::new();
        bench.def("taint.a", Plain, 1, 0, "#present");
        bench.def("taint.b", Plain, 1, 0, "#present");
        bench.def("taint.b", Plain, 2, 0, "#null");
        assert_eq!(bench.result(), "taint.a=there");
    }
}
