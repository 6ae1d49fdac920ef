use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn uuid(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012x}")
}

fn node(n: u32, name: &str, more: &Value) -> Node {
    let mut node = json!({
        "uuid": uuid(n), "name": name, "provision_state": "manageable", "power_state": "power off",
    });
    node.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    serde_json::from_value(node).unwrap()
}

fn port(mac: &str, n: u32) -> Port {
    Port {
        uuid: String::new(),
        address: mac.into(),
        node_uuid: uuid(n),
    }
}

fn host(name: &str, spec: &Value, id: &str) -> BareMetalHost {
    let mut host: BareMetalHost = serde_json::from_value(json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "namespace": "m", "name": name },
        "spec": { "online": true },
    }))
    .unwrap();
    if let Some(mac) = spec["mac"].as_str() {
        host.spec.boot_mac_address = mac.into();
    }
    if !id.is_empty() {
        let mut status = crate::api::BareMetalHostStatus::default();
        status.provisioning.id = id.into();
        host.status = Some(status);
    }
    host
}

fn found(mirror: &mut Mirror, host: &BareMetalHost) -> String {
    match mirror.find(host) {
        Found::Node(facts) => facts.id.to_string(),
        Found::Nothing => "nothing".into(),
        Found::Taken(text) => text.to_string(),
    }
}

#[test]
fn macs_are_read_in_any_writing() {
    let mac = Mac::parse("52:54:00:AA:bb:01").unwrap();
    assert_eq!(mac.to_string(), "52:54:00:aa:bb:01");
    assert_eq!(Mac::parse("52-54-00-aa-bb-01"), Some(mac));
    for odd in [
        "",
        "52:54:00:aa:bb",
        "52:54:00:aa:bb:01:02",
        "5:254:00:aa:bb:01",
        "+2:54:00:aa:bb:zz",
    ] {
        assert_eq!(Mac::parse(odd), None, "{odd}");
    }
}

#[test]
fn a_host_is_found_by_id_name_bare_name_and_mac() {
    let (mut mirror, now) = (Mirror::default(), Instant::now());
    for (n, name) in [(1, "m~a"), (2, "b"), (3, ""), (4, "other~c")] {
        mirror.put(&node(n, name, &json!({})), now);
        mirror.put_port(&port(&format!("52:54:00:00:00:0{n}"), n), now);
    }
    assert_eq!(found(&mut mirror, &host("a", &json!({}), "")), uuid(1));
    assert_eq!(
        found(&mut mirror, &host("x", &json!({}), &uuid(1))),
        uuid(1)
    );
    assert_eq!(
        found(&mut mirror, &host("a", &json!({}), &uuid(9))),
        uuid(1),
        "the id is gone"
    );
    assert_eq!(found(&mut mirror, &host("b", &json!({}), "")), uuid(2));
    let mac = |n: u32| json!({ "mac": format!("52:54:00:00:00:0{n}") });
    assert_eq!(found(&mut mirror, &host("y", &mac(3), "")), uuid(3));
    assert_eq!(
        found(&mut mirror, &host("y", &mac(4), "")),
        "MAC address 52:54:00:00:00:04 conflicts with existing node other~c"
    );
    assert_eq!(found(&mut mirror, &host("y", &mac(7), "")), "nothing");
    // Who was found under another name hears of changes.
    let key = mirror.put(
        &node(3, "", &json!({ "maintenance": true })),
        Instant::now(),
    );
    assert_eq!(key.unwrap().to_string(), "m/y");
}

#[test]
fn an_answer_that_was_overtaken_changes_nothing() {
    let (mut mirror, early) = (Mirror::default(), Instant::now());
    let late = early + Duration::from_millis(5);
    mirror.put(
        &node(1, "m~a", &json!({ "provision_state": "available" })),
        late,
    );
    assert_eq!(mirror.put(&node(1, "m~a", &json!({})), early), None);
    let Found::Node(facts) = mirror.find(&host("a", &json!({}), "")) else {
        panic!()
    };
    assert_eq!(facts.state, NodeState::Available);
}

#[test]
fn only_what_matters_is_a_change() {
    let (mut mirror, mut now) = (Mirror::default(), Instant::now());
    let mut put = |more: Value| {
        now += Duration::from_millis(1);
        mirror.put(&node(1, "m~a", &more), now).is_some()
    };
    assert!(put(json!({})), "new");
    assert!(!put(json!({ "updated_at": "2026-11-23T09:02:20+00:00" })));
    assert!(!put(
        json!({ "extra": { "x": 1 }, "driver_info": { "redfish_password": "******" } })
    ));
    assert!(put(
        json!({ "driver_info": { "redfish_address": "https://192.0.2.1" } })
    ));
    assert!(put(json!({ "last_error": "x" })));
    assert!(
        put(json!({ "reservation": "conductor" })),
        "a power change may begin"
    );
}

#[test]
fn the_lock_alone_tells_of_a_power_change() {
    let mut mirror = Mirror::default();
    let mut changing = |more: Value| {
        let now = Instant::now();
        mirror.put(&node(1, "m~a", &more), now);
        let Found::Node(facts) = mirror.find(&host("a", &json!({}), "")) else {
            panic!()
        };
        facts.power_changing
    };
    assert!(!changing(json!({})));
    assert!(changing(json!({ "reservation": "conductor" })));
    assert!(changing(json!({ "target_power_state": "power on" })));
    assert!(!changing(json!({
        "reservation": "conductor", "provision_state": "cleaning",
        "target_provision_state": "available",
    })));
}

#[test]
fn only_what_should_be_in_a_page_is_missing_from_it() {
    let (mut mirror, early) = (Mirror::default(), Instant::now());
    let at = |n: u32, second: u32| {
        let time = format!("2026-11-23T09:02:{second:02}+00:00");
        node(n, "", &json!({ "updated_at": time }))
    };
    for n in 1..=4 {
        mirror.put(&at(n, n * 10), early);
    }
    let late = early + Duration::from_millis(5);
    let missing = |page: &[Node], whole: bool| {
        let missing = mirror.missing(page, whole, late);
        missing.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(missing(&[at(4, 40), at(2, 20)], false), [uuid(3)]);
    assert_eq!(
        missing(&[at(4, 40), at(3, 40)], false),
        Vec::<String>::new()
    );
    assert_eq!(missing(&[at(4, 40)], true), [uuid(1), uuid(2), uuid(3)]);
    assert_eq!(missing(&[], false), Vec::<String>::new());
}

#[test]
fn ten_thousand_nodes_are_small() {
    let resident = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: usize = text
            .split(' ')
            .nth(1)
            .and_then(|n| n.parse().ok())
            .unwrap_or_default();
        pages * 4096
    };
    let before = resident();
    let (mut mirror, now) = (Mirror::default(), Instant::now());
    for n in 0..10_000 {
        let more = json!({
            "driver": "redfish", "boot_interface": "redfish-virtual-media",
            "properties": { "capabilities": "boot_mode:uefi", "cpu_arch": "x86_64" },
            "driver_info": { "redfish_address": format!("https://192.0.2.{n}") },
            "instance_info": { "image_source": "http://images/one.qcow2" },
            "instance_uuid": uuid(n + 100_000), "updated_at": "2026-11-23T09:02:20+00:00",
        });
        mirror.put(&node(n, &format!("metal3~rack-{n:05}"), &more), now);
        for k in 0..4 {
            mirror.put_port(
                &port(
                    &format!("52:54:{k:02x}:00:{:02x}:{:02x}", n / 256, n % 256),
                    n,
                ),
                now,
            );
        }
    }
    let grown = resident().saturating_sub(before);
    println!("{} bytes a node", grown / 10_000);
    // Other tests run beside this one, so this is no more than a rough bound.
    assert!(grown < 40_000_000, "{grown}");
    assert_eq!(mirror.len(), 10_000);
}

/// What may happen to a mirror.
#[derive(Debug, Clone)]
enum Op {
    Put {
        n: u32,
        name: u8,
        second: Option<u8>,
        stale: bool,
    },
    Port {
        n: u32,
        mac: u8,
    },
    Remove {
        n: u32,
    },
    Look {
        kept: Vec<u32>,
        whole: bool,
    },
    EndOfNodes,
    EndOfPorts,
    Find {
        name: u8,
        mac: u8,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let n = 0..6_u32;
    prop_oneof![
        4 => (n.clone(), 0..6_u8, prop::option::of(0..9_u8), any::<bool>())
            .prop_map(|(n, name, second, stale)| Op::Put { n, name, second, stale }),
        2 => (n.clone(), 0..4_u8).prop_map(|(n, mac)| Op::Port { n, mac }),
        1 => n.clone().prop_map(|n| Op::Remove { n }),
        2 => (prop::collection::vec(n, 0..5), any::<bool>())
            .prop_map(|(kept, whole)| Op::Look { kept, whole }),
        1 => Just(Op::EndOfNodes),
        1 => Just(Op::EndOfPorts),
        2 => (0..6_u8, 0..4_u8).prop_map(|(name, mac)| Op::Find { name, mac }),
    ]
}

fn verify(mirror: &Mirror) {
    for (name, id) in &mirror.names {
        assert_eq!(mirror.nodes[id].facts.name.as_ref(), Some(name));
    }
    let named = mirror
        .nodes
        .values()
        .filter(|entry| entry.facts.name.is_some())
        .count();
    assert_eq!(named, mirror.names.len(), "each name is found");
    let timed: BTreeSet<_> = mirror
        .nodes
        .iter()
        .filter_map(|(id, entry)| Some((entry.updated_at?, *id)))
        .collect();
    assert_eq!(timed, mirror.recent);
    assert!(mirror.claims.keys().all(|id| mirror.nodes.contains_key(id)));
}

proptest! {
    #[test]
    fn its_indexes_agree_whatever_happens(ops in prop::collection::vec(op(), 0..60)) {
        let mut mirror = Mirror::default();
        let start = Instant::now();
        for (at, op) in ops.into_iter().enumerate() {
            let now = start + Duration::from_millis(at as u64 + 1);
            let time = |second: u8| format!("2026-11-23T09:02:{second:02}+00:00");
            match op {
                Op::Put { n, name, second, stale } => {
                    let name = if name == 0 { String::new() } else { format!("m~n{name}") };
                    let more = json!({ "updated_at": second.map(time) });
                    mirror.put(&node(n, &name, &more), if stale { start } else { now });
                }
                Op::Port { n, mac } => {
                    mirror.put_port(&port(&format!("52:54:00:00:00:0{mac}"), n), now);
                }
                Op::Remove { n } => {
                    mirror.remove(&uuid(n));
                }
                Op::Look { kept, whole } => {
                    let page: Vec<_> = kept
                        .iter()
                        .map(|n| node(*n, "", &json!({ "updated_at": time(5) })))
                        .collect();
                    for id in mirror.missing(&page, whole, now) {
                        mirror.drop_node(id);
                    }
                    if whole {
                        let known = kept.iter().map(|n| uuid(*n)).collect::<BTreeSet<_>>();
                        prop_assert!(mirror.nodes.keys().all(|id| known.contains(&id.to_string())));
                    }
                }
                Op::EndOfNodes => {
                    mirror.end_of_nodes(now);
                    prop_assert!(mirror.is_empty());
                }
                Op::EndOfPorts => {
                    mirror.end_of_ports(now);
                    prop_assert!(mirror.macs.is_empty());
                }
                Op::Find { name, mac } => {
                    let spec = json!({ "mac": format!("52:54:00:00:00:0{mac}") });
                    mirror.find(&host(&format!("n{name}"), &spec, ""));
                }
            }
            verify(&mirror);
        }
    }
}
