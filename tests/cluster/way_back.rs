//! The way back: what metalform leaves of a host, in Ironic and in the API server, beside what the
//! Bare Metal Operator leaves of a host with the same spec in the same state. That operator cannot be
//! run here, so every difference has to be in a list, with what that operator makes of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::stage::{GIVEN, Stage};

/// What is left otherwise, and what that operator makes of it.
const DIFFERENCES: [(&str, &str); 7] = [
    (
        "/hardwareData/metadata/finalizers",
        "kept by its owner alone, so that it goes with its host whoever runs then; that operator only \
         ever takes the finalizer off",
    ),
    (
        "/host/spec/architecture",
        "the spec is the user's; that operator writes it from the inventory, once a host, and does \
         nothing else for it",
    ),
    ("/settings/metadata/ownerReferences/0/controller", OWNED),
    (
        "/settings/metadata/ownerReferences/0/blockOwnerDeletion",
        OWNED,
    ),
    ("/components/metadata/ownerReferences/0/controller", OWNED),
    (
        "/components/metadata/ownerReferences/0/blockOwnerDeletion",
        OWNED,
    ),
    (
        "/settings/status/schema/name",
        "each names it by a hash of its own; that operator makes its schema, once a model, and names \
         it in each status, once a host",
    ),
];
const OWNED: &str = "that operator looks for its host's UID among the owners, and finds it";

/// What is another one for every host: ids, versions and times, the generation (the recorded hosts
/// were edited more often), and what tells a machine from its equals.
const OWN: [&str; 31] = [
    "uuid",
    "uid",
    "resourceVersion",
    "generation",
    "observedGeneration",
    "managedFields",
    "creationTimestamp",
    "links",
    "href",
    "created_at",
    "updated_at",
    "provision_updated_at",
    "inspection_started_at",
    "inspection_finished_at",
    "agent_cached_clean_steps_refreshed",
    "agent_cached_deploy_steps_refreshed",
    "agent_last_heartbeat",
    "last_power_state_change",
    "lastTransitionTime",
    "lastUpdated",
    "credentialsVersion",
    "start",
    "end",
    "redfish_system_id",
    "address",
    "mac",
    "bootMACAddress",
    "hostname",
    "ip",
    "wwn",
    "serialNumber",
];

#[test]
fn what_is_left_is_what_the_other_operator_leaves() {
    let Some(stage) = Stage::shared() else {
        return;
    };
    let mut found = Found::new();
    for name in GIVEN {
        let left = &stage.left["given"][name];
        differ(&stage.left["taken"][name], left, &mut found);
        is_consistent(left);
    }
    println!("left otherwise: {found:#?}");
    let paths: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    let known = DIFFERENCES.map(|(path, _)| path);
    assert_eq!(paths, BTreeSet::from(known), "{found:#?}");
}

/// Hosts of that operator's that metalform then brought to where others of it were: given back, they
/// are as if it had never been.
pub fn of_changed_hosts(stage: &Stage) {
    let now = stage.look(&stage.taken);
    let mut found = Found::new();
    for (changed, equal) in [("live", "used"), ("provisioned", "provisioned-off")] {
        differ(&stage.left["taken"][equal], &now[changed], &mut found);
    }
    println!("changed otherwise: {found:#?}");
    assert_eq!(found, Found::new());
}

/// Places at which hosts differ, each with what is there.
type Found = BTreeMap<String, Vec<String>>;

/// Adds the places at which ours is not as theirs.
fn differ(theirs: &Value, ours: &Value, found: &mut Found) {
    let name = &ours["host"]["metadata"]["name"];
    compare(
        "",
        &plain(theirs),
        &plain(ours),
        &mut |path, theirs, ours| {
            let text = format!("{name}: {theirs} -> {ours}");
            found.entry(path.to_owned()).or_default().push(text);
        },
    );
}

/// The ids and versions by which that operator sees that nothing changed.
#[track_caller]
fn is_consistent(left: &Value) {
    let (host, node) = (&left["host"], &left["node"]);
    let status = &host["status"];
    assert_eq!(status["provisioning"]["ID"], node["uuid"]);
    // Others would have it write the BMC's address and credentials anew.
    for which in ["goodCredentials", "triedCredentials"] {
        let version = &left["secret"]["metadata"]["resourceVersion"];
        assert_eq!(&status[which]["credentialsVersion"], version, "{which}");
    }
    let uid = &host["metadata"]["uid"];
    if !node["instance_uuid"].is_null() {
        assert_eq!(&node["instance_uuid"], uid);
    }
    for owned in ["secret", "hardwareData", "settings", "components"] {
        let object = &left[owned];
        if !object.is_null() {
            assert_eq!(
                &object["metadata"]["ownerReferences"][0]["uid"], uid,
                "{owned}"
            );
        }
    }
    assert_eq!(left["ports"]["ports"][0]["node_uuid"], node["uuid"]);
    let mac = &host["spec"]["bootMACAddress"];
    let ports = left["ports"]["ports"].as_array().unwrap();
    assert!(
        ports.iter().any(|port| &port["address"] == mac),
        "{ports:?}"
    );
    let address = host["spec"]["bmc"]["address"].as_str().unwrap();
    let system = node["driver_info"]["redfish_system_id"].as_str().unwrap();
    assert!(address.ends_with(system), "{address} {system}");
    let conditions = status["conditions"].as_array().unwrap();
    for condition in conditions.iter().filter(|one| one["type"] != "Healthy") {
        assert_eq!(
            condition["observedGeneration"],
            host["metadata"]["generation"]
        );
    }
}

/// The same for hosts whose names and ids differ.
fn plain(left: &Value) -> Value {
    let id = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
    let meta = &left["host"]["metadata"];
    let (namespace, name) = (id(&meta["namespace"]), id(&meta["name"]));
    let mut text = left.to_string();
    for (own, plain) in [
        (id(&left["node"]["uuid"]), "(node)"),
        (id(&meta["uid"]), "(host)"),
        (format!("\"{namespace}~{name}\""), "\"(node)\""),
        (namespace, "(namespace)"),
        (format!("\"name\":\"{name}\""), "\"name\":\"(name)\""),
    ] {
        text = text.replace(&own, plain);
    }
    for secret in ["bmc", "ud", "nd", "md"] {
        text = text.replace(
            &format!("\"{name}-{secret}\""),
            &format!("\"(name)-{secret}\""),
        );
    }
    serde_json::from_str(&text).unwrap()
}

/// Tells of each place at which two values differ, but for what is a host's own. Places in lists
/// are numbers.
fn compare(path: &str, a: &Value, b: &Value, tell: &mut impl FnMut(&str, &Value, &Value)) {
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: BTreeSet<&str> = left
                .keys()
                .chain(right.keys())
                .map(String::as_str)
                .collect();
            for key in keys.into_iter().filter(|key| !OWN.contains(key)) {
                compare(&format!("{path}/{key}"), &a[key], &b[key], tell);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (a, b)) in left.iter().zip(right).enumerate() {
                compare(&format!("{path}/{index}"), a, b, tell);
            }
        }
        _ if a != b => tell(path, a, b),
        _ => {}
    }
}
