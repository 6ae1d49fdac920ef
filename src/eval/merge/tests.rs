//! Merging, rule by rule; each for every order of the definitions.

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
            site: 0,
        });
    }

    fn problems(&self) -> usize {
        let mut merged = Merged::default();
        merge(
            &mut self.defs.clone(),
            &self.paths,
            &|a, b| a.cmp(&b),
            &mut merged,
        );
        merged.problems.len()
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

/// Two profiles clash in what is removed; whoever is nearer decides (T4).
#[test]
fn a_clash_below_a_removal_counts_only_where_it_decides() {
    let mut bench = Bench::new();
    bench.def("root-device", Plain, 2, 1, "#null");
    bench.def("root-device.serial", Plain, 2, 1, "x");
    bench.def("root-device.vendor", Plain, 2, 1, "v");
    assert!(bench.result().ends_with("MF2401"), "{}", bench.result());
    assert_eq!(bench.problems(), 1, "one clash, one finding");
    bench.def("root-device.serial", Force, 2, 0, "y");
    assert!(bench.result().ends_with("MF2401"), "vendor is still open");
    bench.def("root-device.vendor", Plain, 2, 0, "w");
    assert_eq!(bench.result(), "root-device.serial=y root-device.vendor=w");
    bench.def("root-device", Force, 4, 0, "#null");
    assert_eq!(bench.result(), "");
}

#[test]
fn a_sealed_removal_seals_what_stands_below() {
    for strength in [Plain, Force, Final] {
        let mut bench = Bench::new();
        bench.def("root-device", Final, 0, 0, "#null");
        bench.def("root-device.serial", strength, 2, 0, "x");
        assert!(bench.result().ends_with("MF2402"), "{}", bench.result());
    }
    let mut bench = Bench::new();
    bench.def("root-device", Final, 0, 0, "#null");
    bench.def("root-device.serial", Default, 2, 0, "x");
    bench.def("root-device", Force, 2, 0, "#null");
    assert_eq!(bench.result(), "");
}

#[test]
fn what_a_variant_says_that_lost_is_not_wrong() {
    let mut bench = Bench::new();
    bench.def("raid", Default, 1, 1, "hardware");
    bench.def("raid.hardware.volume.a.level", Default, 1, 1, "1");
    bench.def("raid.hardware.volume.a.level", Default, 1, 1, "5");
    assert!(bench.result().ends_with("MF2400"), "{}", bench.result());
    bench.def("raid", Default, 2, 1, "software");
    bench.def("raid.software.volume.a.level", Default, 2, 1, "1");
    assert_eq!(
        bench.result(),
        "raid.software.volume.a.level=1 raid=software"
    );
    // Nor what it says against a removal.
    bench.def("raid", Default, 1, 1, "#null");
    assert_eq!(
        bench.result(),
        "raid.software.volume.a.level=1 raid=software"
    );
}

#[test]
fn variants_at_odds_are_one_mistake_wherever_they_are_written() {
    for order in [["hardware", "software"], ["software", "hardware"]] {
        let mut bench = Bench::new();
        for variant in order {
            bench.def("raid", Default, 1, 1, variant);
        }
        bench.def("raid.hardware.volume.a.level", Default, 1, 1, "1");
        bench.def("raid.hardware.volume.a.level", Default, 1, 1, "5");
        assert_eq!(bench.problems(), 1, "{order:?}");
    }
}

#[test]
fn many_removals_over_many_fields_are_one_walk() {
    let mut bench = Bench::new();
    for key in 0..4000 {
        bench.def(&format!("labels.k{key}"), Plain, 1, 0, "x");
        bench.def(&format!("labels.k{key}"), Plain, 2, 0, "#null");
    }
    bench.def("labels", Plain, 1, 0, "#null");
    let mut merged = Merged::default();
    merge(
        &mut bench.defs,
        &bench.paths,
        &|a, b| a.cmp(&b),
        &mut merged,
    );
    assert!(merged.winners.is_empty() && merged.problems.is_empty());
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
