//! Two controllers and one lease.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::controller::{Site, until};

/// Short, so that the test is.
const TIMES: [&str; 4] = [
    "--leader-elect",
    "--lease-duration=4",
    "--renew-deadline=3",
    "--retry-period=1",
];

#[tokio::test(flavor = "multi_thread")]
async fn one_works_and_the_other_takes_over() {
    let Some(site) = Site::shared("lease").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    let mut first = site.simulate("first", &TIMES);
    first.says("holds the lease");
    let second = site.simulate("second", &TIMES);
    second.says("hosts read");
    site.create(&Site::host("a", 1));
    site.comes_to("a", "provisioned");
    assert!(!second.log().contains("engine starts"), "{}", second.log());
    // Frozen in the middle of work.
    let hosts: Vec<Value> = (2..=9)
        .map(|slot| Site::host(&format!("b{slot}"), slot))
        .collect();
    site.create(&json!({ "apiVersion": "v1", "kind": "List", "items": hosts }));
    let of_theirs = |(host, _): &(String, String)| host.contains("/b");
    until(
        || first.effects().keys().any(of_theirs),
        || format!("it does not begin:\n{}", first.log()),
    );
    first.signal("STOP");
    let frozen = Instant::now();
    second.says("holds the lease");
    let took = frozen.elapsed();
    let did = first.effects();
    let deployed = did.keys().filter(|(_, effect)| effect == "deploy");
    assert!(deployed.count() < 9, "all was done before: {did:?}");
    assert!(
        took >= Duration::from_secs(2),
        "taken after {took:?}: it was held still"
    );
    for slot in 2..=9 {
        site.comes_to(&format!("b{slot}"), "provisioned");
    }
    // All is done, so whatever the first one still wrote would show.
    let versions = || {
        let columns = "-o=custom-columns=:.metadata.name,:.metadata.resourceVersion";
        site.kubectl(&["get", "bmh,hardwaredata", "--no-headers", columns])
    };
    let before = versions();
    let thawed = jiff::Timestamp::now();
    first.signal("CONT");
    let ended = first.ends();
    assert_eq!(ended.code(), Some(5), "{}", first.log());
    assert_eq!(versions(), before);
    // What was on its way when it was frozen is answered; nothing follows it. (`one_ironic` looks at the
    // requests that a real Ironic gets.)
    let late = first.did_after(thawed);
    let host = |line: &String| line.split(['=', '}']).nth(1).map(str::to_owned);
    let hosts: BTreeSet<_> = late.iter().map(host).collect();
    assert_eq!(hosts.len(), late.len(), "{late:?}");
    // Given back at its end, it is taken at once.
    let third = site.simulate("third", &TIMES);
    third.says("hosts read");
    let stopped = Instant::now();
    second.stop();
    third.says("holds the lease");
    assert!(
        stopped.elapsed() < Duration::from_secs(3),
        "{:?}",
        stopped.elapsed()
    );
    let holder = || site.get("lease/metalform")["spec"]["holderIdentity"].clone();
    until(
        || {
            holder()
                .as_str()
                .is_some_and(|holder| holder.starts_with("third"))
        },
        || format!("{}", holder()),
    );
}
