//! The rules of the budget, under any order of asking and giving back.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

fn host(number: usize) -> Key {
    Key::new("m", format!("h{number:04}").as_str())
}

fn limits(each: usize) -> Limits {
    Limits {
        inspect: each,
        clean: each,
        deploy: each,
    }
}

/// What an engine does with a budget: a host takes what it is granted, or waits.
fn ask(budget: &mut Budget, number: usize, rack: &str, kind: SlotKind) -> Vec<Key> {
    let host = host(number);
    if budget.grants(&host).of(kind) {
        budget.settle(&host, rack, Some(kind), None)
    } else {
        budget.settle(&host, rack, None, Some(kind))
    }
}

#[test]
fn a_freed_slot_is_promised_to_the_next_and_to_nobody_else() {
    let kind = SlotKind::Deploy;
    let mut budget = Budget::new(limits(1));
    assert!(ask(&mut budget, 1, "a", kind).is_empty());
    ask(&mut budget, 2, "a", kind);
    ask(&mut budget, 3, "a", kind);
    assert_eq!(budget.waiting(kind), 2);
    assert_eq!(budget.release(&host(1)), [host(2)]);
    // Promised: a newcomer does not get it, the promised one does.
    assert!(!budget.grants(&host(9)).deploy);
    assert!(!budget.grants(&host(3)).deploy);
    assert!(budget.grants(&host(2)).deploy);
    assert_eq!(budget.used(kind), 1);
    // It does not want it any more: the next one's turn.
    assert_eq!(budget.release(&host(2)), [host(3)]);
}

#[test]
fn a_host_has_one_slot_and_going_on_frees_the_other() {
    let mut budget = Budget::new(limits(1));
    budget.hold(&host(1), "a", SlotKind::Clean);
    budget.enqueue(&host(2), "a", SlotKind::Clean);
    assert_eq!(budget.hold(&host(1), "a", SlotKind::Deploy), [host(2)]);
    assert_eq!(
        (budget.used(SlotKind::Clean), budget.used(SlotKind::Deploy)),
        (1, 1)
    );
}

#[test]
fn a_host_that_waits_for_another_slot_keeps_the_one_that_its_machine_uses() {
    let (deploy, clean) = (SlotKind::Deploy, SlotKind::Clean);
    let mut budget = Budget::new(limits(1));
    budget.hold(&host(1), "a", clean);
    budget.hold(&host(2), "a", deploy);
    budget.settle(&host(2), "a", Some(deploy), Some(clean));
    assert!(ask(&mut budget, 3, "a", deploy).is_empty());
    assert!(
        !budget.grants(&host(3)).deploy,
        "its machine goes on deploying"
    );
    // Seen at work once more, after an outage say, it waits on.
    budget.hold(&host(2), "a", deploy);
    assert_eq!(budget.release(&host(1)), [host(2)]);
    assert!(budget.grants(&host(2)).clean && budget.grants(&host(2)).deploy);
    // It goes over to cleaning: now the next one may deploy.
    assert_eq!(budget.settle(&host(2), "a", Some(clean), None), [host(3)]);
    assert_eq!((budget.used(clean), budget.used(deploy)), (1, 1));
    assert_eq!((budget.waiting(clean), budget.waiting(deploy)), (0, 0));
}

#[test]
fn what_is_seen_at_work_holds_a_slot_above_the_limit() {
    let kind = SlotKind::Inspect;
    let mut budget = Budget::new(limits(2));
    for number in 0..5 {
        budget.hold(&host(number), "a", kind);
    }
    assert_eq!(budget.used(kind), 5);
    budget.enqueue(&host(9), "b", kind);
    // Nobody is let in before it is below the limit again.
    let woken: Vec<usize> = (0..5)
        .map(|number| budget.release(&host(number)).len())
        .collect();
    assert_eq!(woken, [0, 0, 0, 1, 0]);
}

#[test]
fn racks_take_turns() {
    let kind = SlotKind::Clean;
    let mut budget = Budget::new(limits(1));
    budget.hold(&host(0), "z", kind);
    for number in 1..=4 {
        budget.enqueue(&host(number), "a", kind);
    }
    budget.enqueue(&host(5), "b", kind);
    budget.enqueue(&host(6), "b", kind);
    let mut order = Vec::new();
    let mut last = host(0);
    while let Some(next) = budget.release(&last).pop() {
        order.push(next.name.to_string());
        last = next;
    }
    assert_eq!(
        order,
        ["h0001", "h0005", "h0002", "h0006", "h0003", "h0004"]
    );
}

#[test]
fn more_slots_wake_more_hosts() {
    let mut budget = Budget::new(limits(0));
    for number in 0..3 {
        budget.enqueue(&host(number), "a", SlotKind::Deploy);
    }
    assert_eq!(budget.set_limits(limits(2)), [host(0), host(1)]);
}

#[derive(Debug, Clone)]
enum Op {
    Ask(usize, SlotKind),
    Release(usize),
    /// Waits no more, or is gone.
    Leave(usize),
    Limits(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let kind = prop::sample::select(SlotKind::ALL.to_vec());
    prop_oneof![
        6 => (0usize..40, kind).prop_map(|(number, kind)| Op::Ask(number, kind)),
        4 => (0usize..40).prop_map(Op::Release),
        1 => (0usize..40).prop_map(Op::Leave),
        1 => (1usize..6).prop_map(Op::Limits),
    ]
}

proptest! {
    #[test]
    fn never_above_the_limit_and_nobody_is_lost(ops in prop::collection::vec(op(), 1..300)) {
        let mut budget = Budget::new(limits(3));
        let mut most = 3;
        // Hosts that were promised a slot and did not come yet.
        let mut promised: BTreeSet<Key> = BTreeSet::new();
        for op in ops {
            let before: Vec<usize> = SlotKind::ALL.iter().map(|kind| budget.used(*kind)).collect();
            let woken = match op {
                Op::Ask(number, kind) => {
                    promised.remove(&host(number));
                    ask(&mut budget, number, &format!("r{}", number % 4), kind)
                }
                Op::Release(number) | Op::Leave(number) => {
                    promised.remove(&host(number));
                    budget.release(&host(number))
                }
                Op::Limits(each) => {
                    most = each;
                    budget.set_limits(limits(each))
                }
            };
            promised.extend(woken);
            for (kind, before) in SlotKind::ALL.into_iter().zip(before) {
                let used = budget.used(kind);
                prop_assert!(used <= most || used <= before, "{} of {} for {:?}", used, most, kind);
                // Free slots and hosts that wait for them are never there at the same time.
                prop_assert!(budget.waiting(kind) == 0 || used >= most);
            }
        }
    }

    /// Hosts of a few racks of very different size all come once, each works for a while. Every
    /// host gets its turn, and within a rack in the order of coming; no rack waits for more than
    /// one round of the others.
    #[test]
    fn everybody_gets_a_turn_in_a_fair_order(
        sizes in prop::collection::vec(1usize..60, 1..6),
        slots in 1usize..8,
    ) {
        let kind = SlotKind::Deploy;
        let mut budget = Budget::new(limits(slots));
        let mut racks = BTreeMap::new();
        let mut number = 0;
        for (rack, size) in sizes.iter().enumerate() {
            for _ in 0..*size {
                racks.insert(host(number), format!("r{rack}"));
                number += 1;
            }
        }
        let mut working = VecDeque::new();
        let mut order: Vec<Key> = Vec::new();
        for key in racks.keys() {
            if budget.grants(key).deploy {
                budget.settle(key, &racks[key], Some(kind), None);
                working.push_back(key.clone());
                order.push(key.clone());
            } else {
                budget.settle(key, &racks[key], None, Some(kind));
            }
        }
        while let Some(done) = working.pop_front() {
            for next in budget.release(&done) {
                prop_assert!(budget.grants(&next).deploy);
                budget.hold(&next, &racks[&next], kind);
                working.push_back(next.clone());
                order.push(next);
            }
        }
        prop_assert_eq!(order.len(), number, "everybody had a turn");
        let waited = &order[slots.min(number)..];
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        for key in waited {
            *left.entry(racks[key].as_str()).or_default() += 1;
        }
        // The gap between two turns of a rack is at most one round.
        let mut gap: BTreeMap<&str, usize> = left.keys().map(|rack| (*rack, 0)).collect();
        for key in waited {
            let rack = racks[key].as_str();
            for (other, gap) in &mut gap {
                if left[other] > 0 && *other != rack {
                    *gap += 1;
                    prop_assert!(*gap <= sizes.len(), "{} waits {} turns", other, gap);
                }
            }
            gap.insert(rack, 0);
            *left.entry(rack).or_default() -= 1;
        }
        for rack in left.keys() {
            let line: Vec<&Key> = waited.iter().filter(|key| racks[*key] == **rack).collect();
            prop_assert!(line.is_sorted(), "first come, first served in {}", rack);
        }
    }
}
