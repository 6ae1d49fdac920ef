//! What is seen at which size.

use std::sync::Arc;

use super::*;
use crate::plan::testing::{Lab, workers};
use crate::reconcile::{Code, Why};

fn overview(lab: &Lab) -> Overview {
    let line = |host: Arc<crate::api::BareMetalHost>| HostLine {
        host,
        why: Some(Arc::new(Why::new(Code::Provisioned, "provisioned"))),
        since: Some(Timestamp::UNIX_EPOCH),
        settled: true,
        needs_person: false,
        current: true,
    };
    Overview {
        hosts: lab.hosts().into_iter().map(line).collect(),
        in_flight: 0,
    }
}

/// The table of a lab whose spec wants fewer workers than there are.
fn shown(left: usize, kept: Option<&str>, (width, height): (usize, usize)) -> String {
    let mut lab = Lab::provisioned(&workers(5, ""));
    let plan = lab.edit(&workers(left, ""));
    let rulings = lab.gate(&plan, &[]);
    let held = rulings.into_iter();
    let held = held.filter_map(|ruling| Some((Arc::new(ruling.action.clone()), ruling.hold?)));
    let standing = Standing {
        held: held.collect(),
        ..Standing::default()
    };
    table(&Picture {
        title: "lab on simulated machines",
        overview: &overview(&lab),
        standing: &standing,
        kept,
        now: Timestamp::UNIX_EPOCH,
        palette: Palette::default(),
        width,
        height,
    })
}

#[test]
fn who_waits_and_what_to_do_is_there_whole() {
    insta::assert_snapshot!(shown(4, None, (80, 20)), @r"
    lab on simulated machines: 5 provisioned
      n05 waits: provisioned, and in the spec no more; to go on: metalform apply
        --allow-destroy n05
    NAME  STATE         POWER POOL    SINCE  REASON
    n01   provisioned   off!  workers    0s  provisioned
    n02   provisioned   off!  workers    0s  provisioned
    n03   provisioned   off!  workers    0s  provisioned
    n04   provisioned   off!  workers    0s  provisioned
    n05   provisioned   off!  workers    0s  provisioned
    ");
}

#[test]
fn every_line_fits_however_narrow_it_is() {
    for width in [40, 57, 80, 120] {
        let text = shown(1, Some("2 errors and 1 warning"), (width, 12));
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn what_does_not_fit_is_counted() {
    insta::assert_snapshot!(shown(1, Some("1 error"), (80, 12)), @r"
    lab on simulated machines: 5 provisioned
      the last good fleet is kept: 1 error
      n02 waits: provisioned, and in the spec no more; to go on: metalform apply
        --allow-destroy n02
      n03 waits: provisioned, and in the spec no more; to go on: metalform apply
        --allow-destroy n03
      and more; see `metalform plan`
    NAME  STATE         POWER POOL    SINCE  REASON
    n01   provisioned   off!  workers    0s  provisioned
    n02   provisioned   off!  workers    0s  provisioned
    n03   provisioned   off!  workers    0s  provisioned
    … and 2 more hosts, 2 of them settled
    ");
}

#[test]
fn it_is_never_higher_than_the_terminal() {
    for height in 4..=24 {
        let text = shown(1, Some("1 error"), (60, height));
        assert!(text.lines().count() <= height, "{height}:\n{text}");
    }
}

#[test]
fn long_lines_are_cut_with_a_mark() {
    assert_eq!(cut("abcdef", 4), "abc…");
    assert_eq!(cut("abcd", 4), "abcd");
}

#[test]
fn texts_are_broken_between_words() {
    assert_eq!(wrap("  a bb ccc dddd", 10), ["  a bb ccc", "    dddd"]);
    assert_eq!(wrap("  aaaa bbbb cccc dddd eeee", 8).len(), LINES);
}
