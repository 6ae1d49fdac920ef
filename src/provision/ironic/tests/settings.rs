//! Settings, ports and inventories of machines.

use super::*;

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

/// With `[inventory]data_backend` other than `database` the text names the node's UUID.
#[tokio::test]
async fn a_node_without_an_inventory_is_not_lost() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    let host = host("a");
    let Ack::Enrolled(id) = run(&ironic, &host, enroll()).await.unwrap() else {
        panic!()
    };
    fake.before(move |seen| {
        let text = format!("Node inventory record for node {id} could not be found.");
        let asked = seen.path.ends_with("/inventory");
        asked.then(|| Answer::fault(404, &text))
    });
    assert_eq!(
        run(&ironic, &host, Effect::ReadInventory).await,
        Ok(Ack::Inventory(None))
    );
    assert!(matches!(ironic.sight(&host), Sight::Present(_)));
    assert!(!ironic.core.take_sweep_wanted());
}

/// Ironic takes no other interface of an active or failed node: that waits until it does, and holds
/// up nothing else.
#[tokio::test]
async fn interfaces_are_changed_where_ironic_takes_them() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    let mut host = host("a");
    let Ack::Enrolled(id) = run(&ironic, &host, enroll()).await.unwrap() else {
        panic!()
    };
    host.spec.inspection_mode = Some(crate::api::InspectionMode::Fast);
    let amend = Effect::Amend { credentials: None };
    let interface = || fake.books(|books| books.nodes[&*id]["inspect_interface"].clone());
    for (state, maintenance, takes) in [
        ("active", false, false),
        ("inspect failed", false, false),
        ("deploy failed", false, false),
        ("active", true, true),
        ("manageable", false, true),
        ("available", false, true),
        ("enroll", false, true),
    ] {
        fake.books(|books| {
            books.set(&id, "provision_state", state.into());
            books.set(&id, "maintenance", maintenance.into());
            books.set(&id, "inspect_interface", "agent".into());
        });
        ironic.hurry();
        news(&mut ticks).await;
        let drift = |host: &BareMetalHost| match ironic.sight(host) {
            Sight::Present(facts) => ironic.drift(host, &facts).settings,
            other => panic!("{other:?}"),
        };
        assert_eq!(drift(&host), takes, "{state}");
        // Credentials, and a capability, reach it all the same.
        let rotated = Effect::Amend {
            credentials: Some("2".into()),
        };
        run(&ironic, &host, rotated).await.unwrap();
        let mut legacy = host.clone();
        legacy.spec.boot_mode = Some(crate::api::BootMode::Legacy);
        assert!(drift(&legacy), "{state}");
        run(&ironic, &legacy, amend.clone()).await.unwrap();
        assert!(!drift(&legacy), "{state}");
        let expected = if takes { "redfish" } else { "agent" };
        assert_eq!(interface(), expected, "{state}");
        run(&ironic, &host, amend.clone()).await.unwrap();
    }
}

/// Another driver goes with its own defaults until the node takes the host's interfaces.
#[tokio::test]
async fn an_active_machine_can_get_another_driver() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    let mut host = host("a");
    let Ack::Enrolled(id) = run(&ironic, &host, enroll()).await.unwrap() else {
        panic!()
    };
    fake.books(|books| books.set(&id, "provision_state", "active".into()));
    ironic.hurry();
    news(&mut ticks).await;
    host.spec.bmc.address = "ipmi://192.0.2.9".into();
    fake.take();
    run(&ironic, &host, Effect::Amend { credentials: None })
        .await
        .unwrap();
    let patch = fake.take_writes().remove(0);
    assert!(patch.path.ends_with("?reset_interfaces=True"));
    let text = patch.body.to_string();
    assert!(
        text.contains("/driver\"") && !text.contains("_interface"),
        "{text}"
    );
    let Sight::Present(facts) = ironic.sight(&host) else {
        panic!()
    };
    assert_eq!(ironic.drift(&host, &facts), Drift::default());
}

/// The ramdisk's network follows its secret whenever the ramdisk is booted, and goes with its name.
#[tokio::test]
async fn the_network_of_the_ramdisk_is_brought_up_to_date_before_it_boots() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    let mut host = host("a");
    let Ack::Enrolled(id) = run(&ironic, &host, enroll()).await.unwrap() else {
        panic!()
    };
    let send = async |host: &BareMetalHost, effect: Effect, text: Option<&str>| {
        let Sight::Present(facts) = ironic.sight(host) else {
            panic!("not there")
        };
        let secrets = JobSecrets {
            preprovisioning_network_data: text.map(Sealed::new),
            ..JobSecrets::default()
        };
        let job = Job {
            host: Arc::new(host.clone()),
            effect,
            secrets,
            facts: Some(facts),
            fence: crate::fence::Fence::none(),
        };
        fake.take();
        ironic.run(job).await.unwrap();
        let sent: Vec<_> = fake.take_writes().iter().map(Seen::what).collect();
        sent.len()
    };
    let network = || fake.books(|books| books.nodes[&*id].get("network_data").cloned());
    host.spec.preprovisioning_network_data_name = "net".into();
    let one = "links: []\nnetworks: []\nservices: []\n";
    assert_eq!(send(&host, Effect::Inspect, Some(one)).await, 2);
    assert_eq!(network().unwrap()["links"], json!([]));
    // The same in another order, and what cannot be read, change nothing.
    let same = "{services: [], links: [], networks: []}";
    assert_eq!(send(&host, Effect::Provide, Some(same)).await, 1);
    assert_eq!(send(&host, Effect::Inspect, None).await, 1);
    let other = "links: [{id: e0}]\nnetworks: []\nservices: []\n";
    assert_eq!(send(&host, Effect::Provide, Some(other)).await, 2);
    assert_eq!(network().unwrap()["links"], json!([{ "id": "e0" }]));
    // What is at work boots no ramdisk, and takes no patch.
    fake.books(|books| books.set(&id, "provision_state", "wait call-back".into()));
    ironic.hurry();
    news(&mut ticks).await;
    assert_eq!(send(&host, Effect::Undeploy, Some(one)).await, 1);
    ironic.hurry();
    news(&mut ticks).await;
    host.spec.preprovisioning_network_data_name = String::new();
    assert_eq!(send(&host, Effect::Inspect, None).await, 2);
    assert_eq!(network(), None);
}
