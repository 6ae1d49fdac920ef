//! The engine's word: what holds up all hosts.

use super::*;
use crate::api::word::{Cause, Slots};

fn cause(cause: Option<&Cause>) -> String {
    let Some(cause) = cause else {
        return "nothing".to_owned();
    };
    let since = cause.since.map(|since| since.to_string());
    let since = since.unwrap_or_default();
    format!("{} {since} {}: {}", cause.hosts, cause.code, cause.text)
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_of_its_own_provisioner_and_ends() {
    let clock = clock();
    let all = machines([
        (
            "a",
            Arc::new(simulation("api down from 1s to 10m", clock)) as _,
        ),
        ("b", Arc::new(simulation("", clock)) as _),
    ]);
    let bench = Bench::start(all, clock);
    tokio::time::sleep(Duration::from_secs(5)).await;
    for number in 0..3 {
        let ironic = if number == 2 { "b" } else { "a" };
        bench.host(number, Some(ironic)).await;
    }
    bench.host(4, Some("gone")).await;
    bench
        .until("held up", |all| {
            let whys = all.hosts.iter().filter_map(|line| line.why.as_ref());
            whys.filter(|why| why.code == "ProvisionerDown").count() == 2
        })
        .await;
    let word = bench.engine.word();
    let [a, b] = word.ironics.as_slice() else {
        panic!("{word:?}");
    };
    let text = cause(a.held.as_ref());
    assert!(text.starts_with("2 2026-01-01T00:00:0"), "{text}");
    assert!(text.contains("Z ProvisionerDown: "), "{text}");
    assert_eq!(
        (cause(b.held.as_ref()), b.url.as_str()),
        ("nothing".into(), "")
    );
    assert_eq!(a.names, ["a"]);
    bench
        .until("back", |all| {
            let settled = all.hosts.iter().filter(|line| line.settled);
            settled.count() == 3
        })
        .await;
    let word = bench.engine.word();
    assert_eq!(cause(word.ironics[0].held.as_ref()), "nothing");
    assert_eq!(
        (word.left_alone, cause(word.store.as_ref())),
        (1, "nothing".into())
    );
}

#[tokio::test(start_paused = true)]
async fn slots_and_those_who_wait_for_one_are_counted() {
    let clock = clock();
    let bench = Bench::with(simulation("limit inspect 1", clock), clock);
    for number in 0..3 {
        bench.host(number, None).await;
    }
    let waits = |all: &Overview| {
        let whys = all.hosts.iter().filter_map(|line| line.why.as_ref());
        whys.filter(|why| why.code == "WaitingForInspectSlot")
            .count()
    };
    bench.until("two wait", |all| waits(all) == 2).await;
    let slots = Slots {
        used: 1,
        of: 1,
        waiting: 2,
    };
    assert_eq!(bench.engine.word().ironics[0].slots["inspect"], slots);
    // The same state has the same word.
    assert_eq!(bench.engine.word().text(), bench.engine.word().text());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_is_part_of_it() {
    let clock = clock();
    let bench = Bench::with(simulation("", clock), clock);
    bench.store.refuse(true);
    bench.host(1, None).await;
    bench
        .until("refused", |all| {
            let mut whys = all.hosts.iter().filter_map(|line| line.why.as_ref());
            whys.any(|why| why.code == "StoreFailed")
        })
        .await;
    let text = cause(bench.engine.word().store.as_ref());
    assert!(text.starts_with("1 2026-01-01T"), "{text}");
    assert!(text.contains("StoreFailed: "), "{text}");
}
