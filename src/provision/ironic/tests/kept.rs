//! What is not to be lost: which machine a node is, and disks that are to be kept.

use super::*;
use crate::api::{BareMetalHostStatus, CleaningMode};

/// An Ironic with a node of `m/a`, whose id comes along.
async fn enrolled(fake: &Fake) -> (Ironic, BoxStream<'static, Tick>, String) {
    let ironic = ironic(fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    run(&ironic, &host("a"), enroll()).await.unwrap();
    let id = fake.books(|books| books.nodes.keys().next().unwrap().clone());
    (ironic, ticks, id)
}

fn drift(ironic: &Ironic, host: &BareMetalHost) -> Drift {
    match ironic.sight(host) {
        Sight::Present(facts) => ironic.drift(host, &facts),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_machine_is_told_from_another_way_to_the_same() {
    let fake = Fake::start().await;
    let (ironic, _ticks, _) = enrolled(&fake).await;
    for (address, moved) in [
        ("redfish://192.0.2.1:443/redfish/v1/Systems/1/", false),
        (
            "redfish-virtualmedia://192.0.2.1/redfish/v1/Systems/1",
            false,
        ),
        ("idrac-redfish://192.0.2.1/redfish/v1/Systems/1", false),
        ("redfish://192.0.2.1", false),
        ("redfish://192.0.2.2/redfish/v1/Systems/1", true),
        ("redfish://192.0.2.1:8443/redfish/v1/Systems/1", true),
        ("redfish://192.0.2.1/redfish/v1/Systems/2", true),
        ("ipmi://192.0.2.1", true),
        ("nothing that is an address", true),
        ("", false),
    ] {
        let mut host = host("a");
        host.spec.bmc.address = address.into();
        let other = drift(&ironic, &host).other;
        assert_eq!(other, moved.then_some(Other::Bmc), "{address}");
    }
}

#[tokio::test]
async fn a_boot_mac_address_that_no_inventory_shows_is_another_machines() {
    let fake = Fake::start().await;
    let (ironic, mut ticks, _) = enrolled(&fake).await;
    let mut host = host("a");
    let inventory = |mac: &str| BareMetalHostStatus {
        hardware: Some(serde_json::from_value(json!({ "nics": [{ "mac": mac }] })).unwrap()),
        ..Default::default()
    };
    host.spec.boot_mac_address = "52:54:00:00:99:99".into();
    // Nobody knows the machine's NICs.
    assert!(drift(&ironic, &host).ports && drift(&ironic, &host).other.is_none());
    host.status = Some(inventory("52:54:00:00:00:01"));
    assert_eq!(drift(&ironic, &host).other, Some(Other::BootMac));
    // A port that somebody deleted is made again.
    host.status = Some(inventory("52:54:00:00:99:99"));
    assert!(drift(&ironic, &host).ports && drift(&ironic, &host).other.is_none());
    // An inventory without the boot NIC is no reason to do anything.
    host.spec.boot_mac_address = "52:54:00:00:00:01".into();
    run(&ironic, &host, Effect::Ports).await.unwrap();
    ironic.hurry();
    next(&mut ticks).await;
    assert_eq!(drift(&ironic, &host), Drift::default());
}

#[tokio::test]
async fn disks_that_are_to_be_kept_are_not_cleaned_whatever_else_could_not_be_written() {
    let fake = Fake::start().await;
    let (ironic, mut ticks, id) = enrolled(&fake).await;
    let mut host = host("a");
    host.spec.automated_cleaning_mode = Some(CleaningMode::Disabled);
    for (state, effect, target) in [
        ("active", Effect::Undeploy, "deleted"),
        ("manageable", Effect::Provide, "provide"),
    ] {
        let put = |key: &str, value: Value| {
            fake.books(|books| books.set(&id, key, value));
            ironic.hurry();
        };
        put("automated_clean", true.into());
        put("provision_state", state.into());
        news(&mut ticks).await;
        assert!(drift(&ironic, &host).cleaned);
        // Refused, nothing is done.
        fake.before(always("PATCH", Answer::fault(400, "no")));
        fake.take();
        let refused = run(&ironic, &host, effect.clone()).await;
        assert!(matches!(refused, Err(Fault::Refused(_))), "{refused:?}");
        assert!(fake.take_writes().iter().all(|seen| seen.method == "PATCH"));
        fake.before(|_| None);
        run(&ironic, &host, effect).await.unwrap();
        let sent = fake.take_writes();
        let op = &sent[0].body[0];
        assert_eq!(
            (&op["path"], &op["value"]),
            (&"/automated_clean".into(), &false.into())
        );
        assert_eq!(sent[1].body["target"], target);
        assert_eq!(sent.len(), 2);
    }
}

#[tokio::test]
async fn a_deployment_is_aborted_where_ironic_can_and_taken_off_where_not() {
    for (newest, target) in [("1.110", "abort"), ("1.109", "deleted")] {
        let fake = Fake::start().await;
        let root = json!({ "version": { "min_version": "1.1", "version": newest } });
        fake.before(move |seen| {
            (seen.what() == "GET /v1").then(|| Answer::json(200, &root.clone()))
        });
        let (ironic, mut ticks, id) = enrolled(&fake).await;
        fake.books(|books| books.set(&id, "provision_state", "wait call-back".into()));
        ironic.hurry();
        news(&mut ticks).await;
        fake.take();
        run(&ironic, &host("a"), Effect::Abort).await.ok();
        assert_eq!(fake.take_writes()[0].body["target"], target);
    }
}
