//! `docs/host-states.md` is written from the tables of the code.
//!
//! `METALFORM_WRITE_DOCS=1 cargo test --lib host_states` writes it anew.

use std::fmt::Write as _;

use crate::reconcile::phase::{self, Phase, WAYS};
use crate::reconcile::why::{Code, Kind};

fn document() -> String {
    let mut out = String::from(
        "# The states of a host\n\n\
         <!-- Written by a test from src/reconcile/phase.rs and src/reconcile/why.rs. -->\n\n\
         A host goes through the states of the BareMetalHost API. Its machine goes through Ironic's \
         own (`enroll`, `manageable`, `available`, `active` and what lies between); what the host \
         does in a state is decided anew at each look at both, never from memory.\n\n```mermaid\n",
    );
    out.push_str(&phase::diagram());
    out.push_str(
        "```\n\nNot drawn: a host that is deleted while it is detached goes to `deleting` from \
         every state. A failure leaves the host where it is, with `operationalStatus: error`; it is \
         tried again after a pause that doubles (one to two minutes after the first failure, half a \
         day at most), or at once after an edit.\n\n\
         ## Ways\n\n| from | to | when |\n|---|---|---|\n",
    );
    let name = |phase: Phase| match phase {
        Phase::New => "(new)".to_owned(),
        other => other.state().to_string(),
    };
    for way in WAYS {
        writeln!(
            out,
            "| {} | {} | {} |",
            name(way.from),
            name(way.to),
            way.when
        )
        .unwrap();
    }
    out.push_str(
        "\n## Reasons\n\nWhy a host is where it is. Codes are stable. Those that are *held up* are \
         also the condition `metalform.dev/Waiting` of the host, for as long as they last.\n\n\
         | code | | meaning and what to do |\n|---|---|---|\n",
    );
    for code in Code::ALL {
        let kind = match code.kind() {
            Kind::Progress => "on its way",
            Kind::Settled => "settled",
            Kind::Shared => "waits",
            Kind::SharedBlocked => "all held up",
            Kind::Blocked => "held up",
        };
        let doc = code.doc().split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(out, "| {} | {kind} | {doc} |", code.as_str()).unwrap();
    }
    out
}

#[test]
fn host_states_are_documented_as_they_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/host-states.md");
    let wanted = document();
    if std::env::var_os("METALFORM_WRITE_DOCS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == wanted,
        "docs/host-states.md is not what the code says; METALFORM_WRITE_DOCS=1 writes it"
    );
}

#[test]
fn every_phase_can_be_reached_and_left() {
    for phase in Phase::ALL {
        assert!(
            phase == Phase::New || WAYS.iter().any(|way| way.to == phase),
            "{phase:?}"
        );
        assert!(
            phase == Phase::Deleting || WAYS.iter().any(|way| way.from == phase),
            "{phase:?}"
        );
        assert_eq!(Phase::of(&phase.state()), Some(phase));
    }
    let mut pairs: Vec<_> = WAYS.iter().map(|way| (way.from, way.to)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(pairs.len(), WAYS.len(), "a way is in the table once");
}
