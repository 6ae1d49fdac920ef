//! The provisioner against an Ironic in this process.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};

use super::fake::{Answer, Fake, Seen};
use super::*;
use crate::provision::{Effect, PowerTarget};
use crate::secrets::{JobSecrets, Sealed};

const CANARY: &str = "c4n4ry-in-the-mine";

fn host(name: &str) -> BareMetalHost {
    serde_json::from_value(json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "namespace": "m", "name": name },
        "spec": {
            "online": true, "bootMACAddress": format!("52:54:00:00:00:{:02x}", name.len()),
            "bmc": { "address": "redfish://192.0.2.1/redfish/v1/Systems/1", "credentialsName": "bmc" },
        },
    }))
    .unwrap()
}

fn options(fake: &Fake) -> Options {
    let endpoint = Endpoint::parse(&fake.url)
        .unwrap()
        .timeout(Duration::from_secs(5));
    Options {
        clock: || Timestamp::UNIX_EPOCH,
        ..Options::new(endpoint)
    }
}

fn ironic(fake: &Fake) -> Ironic {
    Ironic::new(options(fake)).unwrap()
}

/// Ticks that come within a short time, which they do here.
async fn next(ticks: &mut BoxStream<'static, Tick>) -> Tick {
    tokio::time::timeout(Duration::from_secs(10), ticks.next())
        .await
        .expect("a tick")
        .unwrap()
}

/// Ticks until one has changes or is for all.
async fn news(ticks: &mut BoxStream<'static, Tick>) -> Tick {
    for _ in 0..20 {
        let tick = next(ticks).await;
        if tick.all || !tick.changed.is_empty() {
            return tick;
        }
    }
    panic!("nothing new in twenty ticks");
}

fn names(tick: &Tick) -> Vec<String> {
    tick.changed.iter().map(ToString::to_string).collect()
}

async fn run(ironic: &Ironic, host: &BareMetalHost, effect: Effect) -> Result<Ack, Fault> {
    let facts = match ironic.sight(host) {
        Sight::Present(facts) => Some(facts),
        _ => None,
    };
    let secrets = JobSecrets {
        bmc: Some((Sealed::new("admin"), Sealed::new(CANARY))),
        user_data: Some(Sealed::new(format!("#cloud-config\npassword: {CANARY}2\n"))),
        ..JobSecrets::default()
    };
    ironic
        .run(Job {
            host: Arc::new(host.clone()),
            effect,
            secrets,
            facts,
        })
        .await
}

fn enroll() -> Effect {
    Effect::Enroll {
        credentials: "1".into(),
    }
}

/// Answers one kind of request so, and all others from the books.
fn always(what: &'static str, answer: Answer) -> impl FnMut(&Seen) -> Option<Answer> + Send {
    move |seen| seen.what().starts_with(what).then(|| answer.clone())
}

fn down(ironic: &Ironic) -> String {
    match ironic.sight(&host("a")) {
        Sight::Down(text) => text.replace(ironic.core.client.url(), "URL"),
        other => panic!("not down: {other:?}"),
    }
}

#[tokio::test]
async fn an_old_ironic_is_refused() {
    let fake = Fake::start().await;
    let root = json!({ "version": { "min_version": "1.1", "version": "1.89" } });
    fake.before(always("GET /v1", Answer::json(200, &root)));
    let ironic = ironic(&fake);
    let tick = next(&mut ironic.ticks()).await;
    assert!(tick.all && tick.as_of.is_none());
    assert_eq!(
        down(&ironic),
        "Ironic at URL speaks API versions 1.1 to 1.89; metalform needs 1.95 or newer, which Ironic \
         has since 2024.2; since 1970-01-01T00:00:00Z, asked again every few seconds"
    );
}

#[tokio::test]
async fn what_cannot_be_talked_to_is_down_with_a_reason() {
    let fake = Fake::start().await;
    let moved = Answer {
        headers: vec![("location".into(), "https://new.example.net/v1".into())],
        ..Answer::json(301, &Value::Null)
    };
    for (answer, text) in [
        (
            moved,
            "URL redirects to https://new.example.net/v1: give that address as Ironic's",
        ),
        (
            Answer::json(200, &json!("hello")),
            "URL does not answer as Ironic's API does: GET /v1 names no API versions",
        ),
        (
            Answer::fault(500, "the database is gone"),
            "the database is gone",
        ),
        (
            Answer::json(503, &Value::Null).after(Duration::from_millis(20)),
            "HTTP 503 Service Unavailable",
        ),
    ] {
        fake.before(always("GET /v1", answer));
        let ironic = ironic(&fake);
        next(&mut ironic.ticks()).await;
        let found = down(&ironic);
        assert!(found.starts_with(text), "{found}");
    }
    fake.before(always(
        "GET /v1/drivers",
        Answer::json(200, &json!({ "drivers": [] })),
    ));
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    assert!(down(&ironic).starts_with("Ironic has no conductor yet"));
}

#[tokio::test]
async fn credentials_are_sent_and_not_shown() {
    let fake = Fake::start().await;
    let refused = json!({ "error": { "message": "Incorrect username or password", "code": 401 } });
    let answer = Answer::json(401, &refused);
    fake.before(move |seen| {
        // "user:c4n4ry-in-the-mine"
        let good = Some("Basic dXNlcjpjNG40cnktaW4tdGhlLW1pbmU=");
        let public = seen.path == "/v1";
        let sent = seen.headers.get("authorization").map(String::as_str);
        (!public && sent != good).then(|| answer.clone())
    });
    let at = |address: &str| {
        let endpoint = Endpoint::parse(&fake.url.replace("http://", address)).unwrap();
        Ironic::new(Options::new(endpoint)).unwrap()
    };
    let good = at(&format!("http://user:{CANARY}@"));
    assert!(next(&mut good.ticks()).await.as_of.is_some());
    assert!(!format!("{good:?} {:?}", good.core.client).contains(CANARY));
    let bad = at("http://user:wrong-canary@");
    next(&mut bad.ticks()).await;
    let text = down(&bad);
    assert!(
        text.contains("Incorrect username") && !text.contains("wrong-canary"),
        "{text}"
    );
    assert_eq!(
        run(&bad, &host("a"), enroll()).await.unwrap_err().code(),
        "unauthorized"
    );
}

#[tokio::test]
async fn refusals_become_faults() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    let host = host("a");
    run(&ironic, &host, enroll()).await.unwrap();
    let provision = "PUT /v1/nodes";
    let ask = async |answer: Answer| {
        fake.before(always(provision, answer));
        run(&ironic, &host, Effect::Manage).await.unwrap_err()
    };
    let locked =
        "Node x is locked by host y, please retry after the current operation is completed.";
    let Fault::Busy { what, retry } = ask(Answer::fault(409, locked)).await else {
        panic!()
    };
    assert!(what == locked && retry >= Duration::from_secs(1) && retry <= Duration::from_secs(3));
    assert_eq!(
        ask(Answer::fault(503, "no free conductor workers"))
            .await
            .code(),
        "busy"
    );
    assert_eq!(ask(Answer::fault(500, "oops")).await.code(), "busy");
    assert_eq!(
        ask(Answer::fault(400, "no way")).await,
        Fault::Refused("no way".into())
    );
    assert_eq!(ask(Answer::json(406, &Value::Null)).await.code(), "refused");
    // After a refused version it is agreed on anew.
    assert_eq!(ask(Answer::fault(400, "again")).await.code(), "refused");
    assert!(matches!(ironic.sight(&host), Sight::Present(_)));
    assert_eq!(
        ask(Answer::fault(404, "Node could not be found.")).await,
        Fault::Gone
    );
    assert!(matches!(ironic.sight(&host), Sight::Absent));
}

#[tokio::test]
async fn a_slow_answer_is_no_answer() {
    let fake = Fake::start().await;
    let mut options = options(&fake);
    options.endpoint = options.endpoint.timeout(Duration::from_millis(200));
    let ironic = Ironic::new(options).unwrap();
    next(&mut ironic.ticks()).await;
    fake.before(|seen| {
        let answer = Answer::json(200, &Value::Null).after(Duration::from_secs(2));
        (seen.method == "POST").then_some(answer)
    });
    let Err(Fault::Unreachable(text)) = run(&ironic, &host("a"), enroll()).await else {
        panic!()
    };
    assert!(
        text.ends_with("does not answer: no answer within 0.2 s"),
        "{text}"
    );
}

#[tokio::test]
async fn errors_quote_no_secrets() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    // An Ironic that repeats all that it was sent.
    fake.before(|seen| {
        (seen.method != "GET").then(|| Answer::fault(400, &format!("bad request: {}", seen.body)))
    });
    let fault = run(&ironic, &host("a"), enroll()).await.unwrap_err();
    assert!(
        fault.to_string().contains("bad request") && !fault.to_string().contains(CANARY),
        "{fault}"
    );
}

#[tokio::test]
async fn an_answer_that_got_lost_makes_no_second_node() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    let host = host("a");
    let there = fake.books(|books| books.add(&json!({ "name": "m~a" })));
    assert_eq!(
        run(&ironic, &host, enroll()).await,
        Ok(Ack::Enrolled(there.as_str().into()))
    );
    assert_eq!(fake.books(|books| books.nodes.len()), 1);
    assert_eq!(ironic.requests().reads, 1);
}

#[tokio::test]
async fn a_mac_address_of_another_node_is_refused() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    fake.books(|books| {
        let other = books.add(&json!({ "name": "other" }));
        books.ports.insert("52:54:00:00:00:01".into(), other);
        let nameless = books.add(&json!({ "name": null }));
        books.ports.insert("52:54:00:00:00:03".into(), nameless);
    });
    next(&mut ticks).await;
    let text = "MAC address 52:54:00:00:00:01 conflicts with existing node other";
    assert!(matches!(ironic.sight(&host("a")), Sight::Taken(found) if &*found == text));
    // Without a name it is ours to take, and its changes are ours to know.
    let host3 = host("abc");
    let Sight::Present(facts) = ironic.sight(&host3) else {
        panic!("not found")
    };
    assert!(
        ironic.drift(&host3, &facts).settings,
        "it is to get our name"
    );
    fake.books(|books| books.set(&facts.id, "power_state", "power on".into()));
    ironic.hurry();
    assert_eq!(names(&news(&mut ticks).await), ["m/abc"]);
    // One that appeared since the last look.
    let late = host("ab");
    fake.books(|books| {
        let other = books.add(&json!({ "name": "late" }));
        books.ports.insert("52:54:00:00:00:02".into(), other);
    });
    let Err(Fault::Taken(text)) = run(&ironic, &late, enroll()).await else {
        panic!()
    };
    assert!(
        text.starts_with("MAC address 52:54:00:00:00:02 conflicts with existing node"),
        "{text}"
    );
}

#[tokio::test]
async fn soft_power_off_falls_back_to_hard() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    let host = host("a");
    run(&ironic, &host, enroll()).await.unwrap();
    fake.before(|seen| {
        (seen.body["target"] == "soft power off").then(|| Answer::fault(400, "not supported"))
    });
    fake.take();
    run(&ironic, &host, Effect::Power(PowerTarget::SoftOff))
        .await
        .unwrap();
    let sent: Vec<_> = fake
        .take_writes()
        .into_iter()
        .map(|seen| seen.body)
        .collect();
    let soft = json!({ "target": "soft power off", "timeout": 180 });
    assert_eq!(sent, [soft, json!({ "target": "power off" })]);
}

#[tokio::test]
async fn all_pages_are_read() {
    let fake = Fake::start().await;
    fake.books(|books| {
        for n in 0..1203 {
            let node = books.add(&json!({ "name": format!("m~n{n}") }));
            books
                .ports
                .insert(format!("52:54:00:01:{:02x}:{:02x}", n / 256, n % 256), node);
        }
    });
    let ironic = ironic(&fake);
    let tick = next(&mut ironic.ticks()).await;
    assert!(tick.all && tick.as_of.is_some());
    assert_eq!(ironic.nodes(), 1203);
    // One look, two pages of nodes, one of ports (the fake has no pages of those).
    assert_eq!(
        ironic.requests(),
        Requests {
            greeting: 2,
            looks: 4,
            reads: 0,
            writes: 0
        }
    );
}

#[tokio::test]
async fn changes_are_told_once_and_only_they() {
    let fake = Fake::start().await;
    let ids = fake.books(|books| {
        (0..60)
            .map(|n| books.add(&json!({ "name": format!("m~n{n:02}") })))
            .collect::<Vec<_>>()
    });
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    fake.books(|books| books.set(&ids[3], "provision_state", "manageable".into()));
    ironic.hurry();
    assert_eq!(names(&news(&mut ticks).await), ["m/n03"]);
    // A lock that came and went changes nothing that anybody decides by.
    fake.books(|books| books.set(&ids[4], "reservation", Value::Null));
    ironic.hurry();
    assert!(next(&mut ticks).await.changed.is_empty());
    // More than a page of changes: all of them at once.
    fake.take();
    fake.books(|books| {
        for id in &ids {
            books.set(id, "maintenance", true.into());
        }
    });
    ironic.hurry();
    assert_eq!(news(&mut ticks).await.changed.len(), 60);
    let looks = fake
        .take()
        .into_iter()
        .filter(|seen| seen.path.contains("detail"));
    let rows: Vec<_> = looks.map(|seen| seen.param("limit").unwrap()).collect();
    assert_eq!(rows, ["8", "16", "32", "64"]);
}

#[tokio::test]
async fn deletions_by_others_are_noticed() {
    let fake = Fake::start().await;
    let ids = fake.books(|books| {
        let ids: Vec<_> = (0..40)
            .map(|n| books.add(&json!({ "name": format!("m~n{n:02}") })))
            .collect();
        for id in &ids {
            books.set(id, "power_state", "power off".into());
        }
        ids
    });
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    // The newest one is missed at once, and the sweep that follows finds what else is gone.
    fake.books(|books| {
        books.nodes.remove(&ids[39]);
        books.nodes.remove(&ids[0]);
    });
    ironic.hurry();
    assert_eq!(names(&news(&mut ticks).await), ["m/n39"]);
    assert_eq!(names(&news(&mut ticks).await), ["m/n00"]);
    // Everything gone, another node in its place under the same name.
    let again = fake.books(|books| {
        books.nodes.clear();
        books.add(&json!({ "name": "m~n05", "uuid": "00000000-0000-4000-9000-000000000001" }))
    });
    ironic.hurry();
    let tick = news(&mut ticks).await;
    assert_eq!(tick.changed.len(), 38);
    assert!(matches!(ironic.sight(&host("n06")), Sight::Absent));
    assert!(matches!(ironic.sight(&host("n05")), Sight::Present(facts) if *facts.id == *again));
    assert_eq!(ironic.nodes(), 1);
}

#[tokio::test]
async fn an_outage_is_told_and_so_is_its_end() {
    let fake = Fake::start().await;
    fake.books(|books| books.add(&json!({ "name": "m~a" })));
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    assert!(matches!(ironic.sight(&host("a")), Sight::Present(_)));
    fake.before(|_| Some(Answer::json(502, &Value::Null)));
    ironic.hurry();
    let tick = news(&mut ticks).await;
    assert!(tick.all && tick.as_of.is_none());
    assert_eq!(
        down(&ironic),
        "HTTP 502 Bad Gateway; since 1970-01-01T00:00:00Z, asked again every few seconds"
    );
    fake.before(|_| None);
    let tick = news(&mut ticks).await;
    assert!(tick.all && tick.as_of.is_some());
    assert!(matches!(ironic.sight(&host("a")), Sight::Present(_)));
}

#[tokio::test]
async fn one_failed_look_is_no_outage() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    let mut failed = false;
    fake.before(move |_| {
        (!std::mem::replace(&mut failed, true)).then(|| Answer::json(502, &Value::Null))
    });
    ironic.hurry();
    let tick = next(&mut ticks).await;
    assert!(!tick.all && tick.as_of.is_some());
}

#[tokio::test]
async fn settings_drift_only_where_they_differ() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    let mut host = host("a");
    run(&ironic, &host, enroll()).await.unwrap();
    let drift = |host: &BareMetalHost| {
        let Sight::Present(facts) = ironic.sight(host) else {
            panic!("not there")
        };
        ironic.drift(host, &facts)
    };
    assert_eq!(drift(&host), Drift::default());
    // What inspection adds to the node is not ours to undo.
    fake.books(|books| {
        let id = books.nodes.keys().next().unwrap().clone();
        let properties =
            json!({ "capabilities": "cpu_vt:true,boot_mode:uefi,x:y", "cpu_arch": "aarch64" });
        books.set(&id, "properties", properties);
    });
    ironic.hurry();
    news(&mut ticks).await;
    assert_eq!(drift(&host), Drift::default());
    for change in [
        json!({ "bmc": { "address": "redfish://192.0.2.2/redfish/v1/Systems/1" } }),
        json!({ "bmc": { "address": "redfish-virtualmedia://192.0.2.1/redfish/v1/Systems/1" } }),
        json!({ "bmc": { "address": "ipmi://192.0.2.1" } }),
        json!({ "bmc": { "disableCertificateVerification": true } }),
        json!({ "automatedCleaningMode": "disabled" }),
        json!({ "disablePowerOff": true }),
        json!({ "inspectionMode": "fast" }),
        json!({ "architecture": "x86_64" }),
        json!({ "bootMode": "legacy" }),
    ] {
        let mut changed = serde_json::to_value(&host).unwrap();
        json_patch::merge(&mut changed["spec"], &change);
        let changed: BareMetalHost = serde_json::from_value(changed).unwrap();
        assert!(drift(&changed).settings, "{change}");
        let amend = Effect::Amend { credentials: None };
        fake.take();
        run(&ironic, &changed, amend.clone()).await.unwrap();
        assert_eq!(fake.take().len(), 2, "one read and one write for {change}");
        assert_eq!(drift(&changed), Drift::default(), "{change}");
        // And back, then once more with nothing to do.
        run(&ironic, &host, amend.clone()).await.unwrap();
        fake.take();
        run(&ironic, &host, amend).await.unwrap();
        assert_eq!(fake.take().len(), 1, "{change}");
    }
    // Ports: of the inventory's NICs, but for those of others.
    let hardware = json!({ "nics": [
        { "mac": "52:54:00:00:00:01", "pxe": true }, { "mac": "52:54:00:00:99:01" },
        { "mac": "52:54:00:00:99:02" }, { "mac": "not a mac" }, { "mac": "52:54:00:00:99:01" },
    ] });
    let status = crate::api::BareMetalHostStatus {
        hardware: Some(serde_json::from_value(hardware).unwrap()),
        ..Default::default()
    };
    host.status = Some(status);
    let other = fake.books(|books| {
        let other = books.add(&json!({ "name": "m~other" }));
        books
            .ports
            .insert("52:54:00:00:99:02".into(), other.clone());
        other
    });
    assert!(drift(&host).ports && !drift(&host).settings);
    fake.take();
    run(&ironic, &host, Effect::Ports).await.unwrap();
    let made: Vec<_> = fake
        .take_writes()
        .into_iter()
        .map(|seen| seen.body["address"].clone())
        .collect();
    assert_eq!(made, ["52:54:00:00:99:01", "52:54:00:00:99:02"]);
    assert_eq!(
        fake.books(|books| books.ports["52:54:00:00:99:02"].clone()),
        other
    );
    // The other's node itself is known with the next look at the latest.
    ironic.hurry();
    news(&mut ticks).await;
    assert_eq!(drift(&host), Drift::default());
}

#[tokio::test]
async fn a_changed_driver_takes_its_interfaces_and_credentials_along() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    let mut host = host("a");
    run(&ironic, &host, enroll()).await.unwrap();
    host.spec.bmc.address = "ipmi://192.0.2.9".into();
    fake.take();
    run(&ironic, &host, Effect::Amend { credentials: None })
        .await
        .unwrap();
    let patch = fake.take_writes().remove(0);
    assert!(
        patch.path.ends_with("?reset_interfaces=True"),
        "{}",
        patch.path
    );
    let ops = patch.body.as_array().unwrap().iter();
    let ops: Vec<_> = ops
        .map(|op| {
            let (op_, path) = (op["op"].as_str().unwrap(), op["path"].as_str().unwrap());
            let value = op["value"].as_str().unwrap_or_default();
            let value = if value == CANARY { "(password)" } else { value };
            format!("{op_} {path} {value}").trim_end().to_owned()
        })
        .collect();
    insta::assert_snapshot!(ops.join("\n"), @r"
    add /driver ipmi
    add /boot_interface ipxe
    add /inspect_interface agent
    add /raid_interface no-raid
    add /driver_info/ipmi_address 192.0.2.9
    add /driver_info/ipmi_port 623
    add /driver_info/ipmi_priv_level ADMINISTRATOR
    remove /driver_info/redfish_address
    remove /driver_info/redfish_system_id
    remove /driver_info/redfish_username
    remove /driver_info/redfish_password
    add /driver_info/ipmi_username admin
    add /driver_info/ipmi_password (password)
    ");
}

#[tokio::test]
async fn inspection_brings_inventory_and_ports() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    let host = host("a");
    run(&ironic, &host, enroll()).await.unwrap();
    assert_eq!(
        run(&ironic, &host, Effect::ReadInventory).await,
        Ok(Ack::Inventory(None))
    );
    fake.books(|books| {
        let id = books.nodes.keys().next().unwrap().clone();
        books
            .inventories
            .insert(id.clone(), json!({ "inventory": { "hostname": "h" } }));
        books.ports.insert("52:54:00:00:99:01".into(), id);
    });
    let Ok(Ack::Inventory(Some(found))) = run(&ironic, &host, Effect::ReadInventory).await else {
        panic!("no inventory")
    };
    assert_eq!(found.get().unwrap().hostname, "h");
    let owner = ironic
        .core
        .mirror()
        .owner(mirror::Mac::parse("52:54:00:00:99:01").unwrap());
    assert!(owner.is_some(), "the port that inspection made is known");
}

#[tokio::test]
async fn forgetting_does_what_the_state_asks_for() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    for (state, instance, force, calls) in [
        ("enroll", None, true, vec!["DELETE"]),
        ("available", None, false, vec!["DELETE"]),
        (
            "available",
            Some("5b0f4f0a-0000-4000-8000-000000000000"),
            false,
            vec!["PATCH", "DELETE"],
        ),
        ("active", None, true, vec!["PUT", "DELETE"]),
    ] {
        let host = host("a");
        run(&ironic, &host, enroll()).await.unwrap();
        fake.books(|books| {
            let id = books.nodes.keys().next().unwrap().clone();
            books.set(&id, "instance_uuid", instance.into());
            books.set(&id, "provision_state", state.into());
        });
        ironic.hurry();
        next(&mut ticks).await;
        fake.take();
        assert_eq!(
            run(&ironic, &host, Effect::Forget { force }).await,
            Ok(Ack::Done)
        );
        let sent: Vec<_> = fake
            .take_writes()
            .into_iter()
            .map(|seen| seen.method)
            .collect();
        assert_eq!(sent, calls, "{state}");
        assert!(matches!(ironic.sight(&host), Sight::Absent));
    }
}

/// A TLS server that answers everything with 503, on a thread of its own.
fn tls_server() -> String {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let certificate = CertificateDer::from_pem_file(data.join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(data.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok() {
                let answer =
                    b"HTTP/1.1 503 No\r\ncontent-length: 9\r\nconnection: close\r\n\r\nover TLS!";
                stream.write_all(answer).ok();
                stream.conn.send_close_notify();
                stream.flush().ok();
            }
        }
    });
    url
}

#[tokio::test]
async fn certificates_are_checked_against_the_given_ca() {
    let url = tls_server();
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let at = |ca: &str| {
        let endpoint = Endpoint::parse(&url)
            .unwrap()
            .ca(std::fs::read(data.join(ca)).unwrap());
        Ironic::new(Options::new(endpoint))
    };
    let good = at("ca.pem").unwrap();
    next(&mut good.ticks()).await;
    assert!(down(&good).starts_with("over TLS!"), "{}", down(&good));
    let bad = at("other-ca.pem").unwrap();
    next(&mut bad.ticks()).await;
    let text = down(&bad);
    assert!(text.contains("certificate that is not trusted"), "{text}");
    assert_eq!(at("README").unwrap_err().code(), "IronicCa");
}
