//! Round trips: what Go wrote comes back the same, and what we do not know is kept.

use serde_json::{Value, json};

use crate::api::{BareMetalHost, BareMetalHostStatus, HardwareData, ProvisioningState};

/// The recorded lives of hosts, one change a line.
pub(crate) const RECORDED: [(&str, &str); 7] = [
    (
        "s01",
        include_str!("../../../tests/data/peer-hosts/s01-life.jsonl"),
    ),
    (
        "s02",
        include_str!("../../../tests/data/peer-hosts/s02-liveiso.jsonl"),
    ),
    (
        "s13",
        include_str!("../../../tests/data/peer-hosts/s13-external.jsonl"),
    ),
    (
        "s14",
        include_str!("../../../tests/data/peer-hosts/s14-fast-inspect.jsonl"),
    ),
    (
        "s15",
        include_str!("../../../tests/data/peer-hosts/s15-bios-settings.jsonl"),
    ),
    (
        "s16",
        include_str!("../../../tests/data/peer-hosts/s16-firmware-update.jsonl"),
    ),
    (
        "s17",
        include_str!("../../../tests/data/peer-hosts/s17-detach.jsonl"),
    ),
];

/// One object per recorded line: the host as it was after each change.
fn recorded() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (name, text) in RECORDED {
        let mut host = json!({
            "apiVersion": "metal3.io/v1alpha1",
            "kind": "BareMetalHost",
            "metadata": { "name": name, "namespace": "m" },
        });
        for (number, line) in text.lines().enumerate() {
            let change: Value = serde_json::from_str(line).unwrap();
            for (key, value) in change.as_object().unwrap() {
                match key.as_str() {
                    "spec" => host["spec"] = timed(value),
                    "status" => {
                        if host["status"].is_null() {
                            host["status"] = json!({});
                        }
                        for (field, value) in value.as_object().unwrap() {
                            host["status"][field] = timed(value);
                        }
                    }
                    "finalizers" | "annotations" => host["metadata"][key] = value.clone(),
                    "deleting" => {}
                    other => panic!("{name}:{number}: what is {other}?"),
                }
            }
            all.push((format!("{name}:{}", number + 1), host.clone()));
        }
    }
    all
}

/// The recordings scrub times; conditions lost theirs altogether.
pub(crate) fn timed(value: &Value) -> Value {
    match value {
        Value::String(text) if text == "<time>" => json!("2026-08-20T10:00:00Z"),
        Value::Array(items) => items.iter().map(timed).collect(),
        Value::Object(entries) => {
            let mut out: serde_json::Map<_, _> = entries
                .iter()
                .map(|(key, value)| (key.clone(), timed(value)))
                .collect();
            if out.contains_key("reason") && out.contains_key("type") {
                out.insert("lastTransitionTime".into(), json!("2026-08-20T10:00:00Z"));
            }
            Value::Object(out)
        }
        scalar => scalar.clone(),
    }
}

#[test]
fn what_go_wrote_is_written_back_the_same() {
    let all = recorded();
    assert!(all.len() > 80, "{} recorded states", all.len());
    for (place, value) in all {
        let host: BareMetalHost =
            serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{place}: {e}"));
        assert_eq!(serde_json::to_value(&host).unwrap(), value, "{place}");
        // The text, too: the way of the inventory differs there.
        let text = serde_json::to_string(&host).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            value,
            "{place}"
        );
        assert_eq!(
            serde_json::from_str::<BareMetalHost>(&text).unwrap(),
            host,
            "{place}"
        );
    }
}

#[test]
fn inventories_too_and_their_parts_are_known() {
    for line in include_str!("../../../tests/data/peer-hosts/hd.jsonl").lines() {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value["apiVersion"] = json!("metal3.io/v1alpha1");
        // The recording wrote null for what is not there.
        value["metadata"]
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        value.as_object_mut().unwrap().remove("status");
        value["metadata"]["ownerReferences"][0]["uid"] = json!("scrubbed");
        let data: HardwareData = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(&data).unwrap(), value);
        let details = data.spec.hardware.as_ref().unwrap().get().unwrap();
        assert_eq!(
            serde_json::to_value(&details).unwrap(),
            value["spec"]["hardware"]
        );
        let text = serde_json::to_string(&details).unwrap();
        assert!(
            !text.contains(".0,"),
            "a float that Go writes as an integer: {text}"
        );
    }
}

/// What a newer operator may add, at each place where it may.
#[test]
fn unknown_fields_and_words_are_kept() {
    let value = json!({
        "apiVersion": "metal3.io/v1alpha1",
        "kind": "BareMetalHost",
        "metadata": { "name": "a" },
        "spec": {
            "bmc": { "address": "", "credentialsName": "", "channel": 3 },
            "bootMode": "quantum",
            "image": { "url": "u", "signature": { "key": "k" } },
            "networkInterfaces": [{ "hostNetworkAttachment": {}, "name": "eth0", "mtu": 9000,
                "switchPort": { "portID": "1", "switchID": "s", "switchSystemName": "n" } }],
            "online": true,
            "orbit": [1, 2.5, null],
        },
        "status": {
            "appliedNetworkAttachmentConfigs": [],
            "conditions": [{ "lastTransitionTime": "2026-08-20T10:00:00Z", "message": "",
                "reason": "AllFine", "status": "True", "type": "NetworkInterfacesValid" }],
            "errorCount": 0,
            "errorMessage": "",
            "errorType": "detach error",
            "goodCredentials": {},
            "hardware": { "cpu": {}, "firmware": { "bios": {} }, "systemVendor": {}, "tpm": "2.0" },
            "lastAttemptedImage": { "url": "u", "signature": 1 },
            "operationHistory": {
                "deprovision": { "end": null, "start": null },
                "inspect": { "end": null, "start": null },
                "provision": { "end": null, "start": null },
                "register": { "end": null, "start": null },
            },
            "operationalStatus": "levitating",
            "poweredOn": false,
            "provisioning": { "ID": "", "image": { "url": "", "x": 1 }, "progress": "3/7",
                "state": "somewhere" },
            "provisioningFailCount": 0,
            "triedCredentials": {},
        },
    });
    let host: BareMetalHost = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&host).unwrap(), value);
    assert_eq!(host.state(), &ProvisioningState::Other("somewhere".into()));
}

#[test]
fn an_empty_status_is_written_as_go_writes_it() {
    let text = serde_json::to_string(&BareMetalHostStatus::default()).unwrap();
    let sorted: Value = serde_json::from_str(&text).unwrap();
    insta::assert_snapshot!(sorted.to_string(), @r#"{"errorCount":0,"errorMessage":"","goodCredentials":{},"operationHistory":{"deprovision":{"end":null,"start":null},"inspect":{"end":null,"start":null},"provision":{"end":null,"start":null},"register":{"end":null,"start":null}},"operationalStatus":"","poweredOn":false,"provisioning":{"ID":"","image":{"url":""},"state":""},"provisioningFailCount":0,"triedCredentials":{}}"#);
}

#[test]
fn a_spec_that_is_not_there_or_partly_there_is_read_as_go_reads_it() {
    let bare = json!({ "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "name": "discovered" } });
    let host: BareMetalHost = serde_json::from_value(bare.clone()).unwrap();
    assert_eq!(host.spec, crate::api::BareMetalHostSpec::default());
    assert!(!host.has_bmc_details());
    assert_eq!(
        serde_json::to_value(&host).unwrap()["spec"],
        json!({ "bmc": { "address": "", "credentialsName": "" }, "online": false })
    );
    let yaml =
        "apiVersion: metal3.io/v1alpha1\nkind: BareMetalHost\nmetadata: {name: discovered}\n";
    assert_eq!(
        serde_yaml_ng::from_str::<BareMetalHost>(yaml).unwrap(),
        host
    );
    let status: BareMetalHostStatus = serde_json::from_str(r#"{"poweredOn": true}"#).unwrap();
    assert_eq!(
        status,
        BareMetalHostStatus {
            powered_on: true,
            ..Default::default()
        }
    );
}

/// Ten thousand hosts stay in memory: these are the sizes at the time of writing, on a 64-bit
/// machine. A host with its six conditions comes to 1.4 kB, the spec that others share and its texts. Raise only with a reason.
#[test]
fn the_sizes_are_what_ten_thousand_hosts_can_bear() {
    use std::mem::size_of;

    use crate::api::{Condition, HardwareJson, HostSpec, Image, Metadata};
    let sizes = [
        ("BareMetalHost", size_of::<BareMetalHost>(), 808),
        ("Metadata", size_of::<Metadata>(), 232),
        ("HostSpec", size_of::<HostSpec>(), 552),
        ("BareMetalHostStatus", size_of::<BareMetalHostStatus>(), 568),
        ("Condition", size_of::<Condition>(), 104),
        ("Image", size_of::<Image>(), 144),
        ("Option<HardwareJson>", size_of::<Option<HardwareJson>>(), 8),
    ];
    for (name, size, most) in sizes {
        assert!(
            size <= most,
            "{name} has {size} bytes, at most {most} are allowed"
        );
    }
}
