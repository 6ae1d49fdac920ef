//! Lives of machines that nothing happens to.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_life() {
    let mut lab = Lab::new("");
    let tick = lab.ticks.next().await.unwrap();
    assert!(tick.all && tick.as_of.is_some());
    let one = host("n1", 1);
    assert!(matches!(lab.simulation.sight(&one), Sight::Absent));
    let Ok(Ack::Enrolled(id)) = lab.enroll(&one).await else {
        panic!("not enrolled")
    };
    // The answer that got lost: the same machine.
    assert_eq!(lab.enroll(&one).await, Ok(Ack::Enrolled(id)));
    assert_eq!(
        lab.run(&one, Effect::ReadInventory).await,
        Ok(Ack::Inventory(None))
    );
    assert_eq!(lab.done(&one, Effect::Manage).await, NodeState::Manageable);
    assert_eq!(lab.done(&one, Effect::Inspect).await, NodeState::Manageable);
    let found = lab.run(&one, Effect::ReadInventory).await;
    assert!(matches!(found, Ok(Ack::Inventory(Some(_)))));
    assert_eq!(lab.done(&one, Effect::Provide).await, NodeState::Available);
    assert_eq!(lab.done(&one, Effect::Deploy).await, NodeState::Active);
    let glance = lab.simulation.hardware("n1").unwrap();
    assert_eq!(glance.disk.as_deref(), Some("http://images/a.qcow2"));
    assert!(glance.power);
    lab.done(&one, Effect::Power(PowerTarget::HardOff)).await;
    assert!(!lab.simulation.hardware("n1").unwrap().power);
    assert_eq!(lab.done(&one, Effect::Undeploy).await, NodeState::Available);
    lab.run(&one, Effect::Forget { force: false })
        .await
        .unwrap();
    assert!(matches!(lab.simulation.sight(&one), Sight::Absent));
    assert_eq!(lab.run(&one, Effect::Manage).await, Err(Fault::Gone));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_lives() {
    async fn lived(seed: u64) -> (Arc<str>, Timestamp) {
        let options = Options {
            seed,
            ..Options::default()
        };
        let mut lab = Lab::of(Simulation::memory(options, clock()));
        let one = host("n1", 1);
        lab.provision(&one).await;
        let facts = lab.facts(&one).unwrap();
        (Arc::clone(&facts.id), facts.updated_at.unwrap())
    }
    assert_eq!(lived(1).await, lived(1).await);
    assert_ne!(lived(1).await, lived(2).await);
}

#[tokio::test(start_paused = true)]
async fn one_mac_address_is_one_machine() {
    let lab = Lab::new("");
    let one = host("n1", 1);
    lab.enroll(&one).await.unwrap();
    let mut other = host("n2", 2);
    other.spec.boot_mac_address = "52-54-00-00-00-01".into();
    let Sight::Taken(text) = lab.simulation.sight(&other) else {
        panic!("not taken")
    };
    assert_snapshot!(text, @"MAC address 52-54-00-00-00-01 conflicts with existing node m~n1");
    assert!(matches!(lab.enroll(&other).await, Err(Fault::Taken(_))));
    // Freed, it is the other's.
    lab.run(&one, Effect::Forget { force: false })
        .await
        .unwrap();
    lab.enroll(&other).await.unwrap();
    assert!(matches!(lab.simulation.sight(&one), Sight::Taken(_)));
    // An address that cannot be read is this host's own mistake.
    let mut bad = host("n3", 3);
    bad.spec.bmc.address = "telnet://x".into();
    assert!(matches!(lab.enroll(&bad).await, Err(Fault::Refused(_))));
}

#[tokio::test(start_paused = true)]
async fn settings_and_ports_drift() {
    let mut lab = Lab::new("");
    let mut one = host("n1", 1);
    lab.enroll(&one).await.unwrap();
    let facts = lab.facts(&one).unwrap();
    let drift = |lab: &Lab, host: &BareMetalHost| lab.simulation.drift(host, &facts);
    assert_eq!(drift(&lab, &one), crate::provision::Drift::default());
    one.spec.bmc.address = "redfish://192.0.2.77/s/1".into();
    assert!(drift(&lab, &one).settings);
    lab.run(&one, Effect::Amend { credentials: None })
        .await
        .unwrap();
    assert!(!drift(&lab, &one).settings);
    one.spec.boot_mac_address = "52:54:00:00:00:99".into();
    assert!(drift(&lab, &one).ports);
    lab.run(&one, Effect::Ports).await.unwrap();
    assert!(!drift(&lab, &one).ports);
    lab.done(&one, Effect::Manage).await;
    lab.done(&one, Effect::Inspect).await;
    let Ok(Ack::Inventory(Some(found))) = lab.run(&one, Effect::ReadInventory).await else {
        panic!("no inventory")
    };
    one.status.get_or_insert_default().hardware = Some(found);
    assert!(drift(&lab, &one).ports);
    lab.run(&one, Effect::Ports).await.unwrap();
    assert!(!drift(&lab, &one).ports);
}

#[test]
fn inventories_are_plausible_small_and_always_the_same() {
    for number in 0..200_u8 {
        let mac = format!("52:54:00:00:00:{number:02x}");
        let found = inventory::of(&mac, "n1");
        assert_eq!(found, inventory::of(&mac, "n1"));
        let details = found.get().unwrap();
        assert_eq!(details.nics.len(), 2);
        assert_eq!(details.nics[0].mac, mac);
        assert!(details.nics[0].pxe && !details.nics[1].pxe);
        assert!((2..=4).contains(&details.storage.len()));
        assert!(details.ram_mebibytes >= 128 * 1024 && details.cpu.count >= 32);
        let size = serde_json::to_string(&found).unwrap().len();
        assert!(size < 2000, "{size}");
    }
}
