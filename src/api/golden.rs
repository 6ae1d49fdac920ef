//! Round trips of what stands beside a host, and of a fleet: what was written comes back the same,
//! with the fields and words that we do not know.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::host::tests::timed;
use super::*;

/// One object a kind, each with what a newer API may add at each place where it may.
pub(crate) fn golden() -> Vec<Value> {
    let time = "2026-08-20T10:00:00Z";
    let condition = |kind: &str, reason: &str| {
        json!({ "lastTransitionTime": time, "message": "m", "observedGeneration": 3,
            "reason": reason, "status": "Unknown", "type": kind })
    };
    vec![
        json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "HostFirmwareSettings",
            "metadata": { "name": "a" },
            "spec": { "newer": [1, 2.5, null], "settings": { "Cores": 4, "Turbo": "Off", "Z": "4" } },
            "status": {
                "conditions": [condition("ChangeDetected", "Success"), condition("New", "NewToo")],
                "lastUpdated": time,
                "newer": {},
                "schema": { "name": "schema-1", "namespace": "m", "uid": "u" },
                "settings": { "Cores": "8", "Turbo": "On" },
            },
        }),
        json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "FirmwareSchema",
            "metadata": { "name": "a" },
            "spec": {
                "hardwareModel": "M", "hardwareVendor": "V", "newer": true,
                "schema": {
                    "Cores": { "attribute_type": "Integer", "lower_bound": 0, "reset_required": true,
                        "upper_bound": -1 },
                    "Name": { "attribute_type": "Colour", "max_length": 0, "min_length": 9,
                        "read_only": false, "unique": true },
                    "Turbo": { "allowable_values": ["On", ""], "attribute_type": "Enumeration" },
                    "Z": {},
                },
            },
        }),
        json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "HostFirmwareComponents",
            "metadata": { "name": "a" },
            "spec": { "newer": 1, "updates": [{ "component": "bios", "sha": "1", "url": "u" }] },
            "status": {
                "components": [
                    { "component": "bios", "currentVersion": "2", "initialVersion": "1",
                        "lastVersionFlashed": "2", "slot": 1, "updatedAt": time },
                    { "component": "nic:1", "initialVersion": "" },
                ],
                "conditions": [condition("Valid", "InvalidComponent")],
                "lastUpdated": time,
                "newer": "x",
                "updates": [{ "component": "bios", "sha": "1", "url": "u" }],
            },
        }),
        json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "HostUpdatePolicy",
            "metadata": { "name": "a" },
            "spec": { "firmwareSettings": "onReboot", "firmwareUpdates": "onSunday", "newer": 1 },
            "status": {},
        }),
        json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "PreprovisioningImage",
            "metadata": { "name": "a" },
            "spec": { "acceptFormats": ["iso", "uki"], "architecture": "x86_64",
                "networkDataName": "n", "newer": {} },
            "status": {
                "architecture": "x86_64",
                "conditions": [condition("Ready", "ImageSuccess"), condition("Error", "Rare")],
                "extraKernelParams": "p", "format": "uki", "imageUrl": "u", "kernelUrl": "k",
                "networkData": { "digest": "d", "name": "n", "version": "7" },
                "newer": [],
            },
        }),
        json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "DataImage",
            "metadata": { "name": "a" },
            "spec": { "newer": 1, "url": "u" },
            "status": {
                "attachedImage": { "newer": 1, "url": "u" },
                "error": { "count": 2, "kind": "k", "message": "m" },
                "lastReconciled": time,
                "newer": null,
            },
        }),
        json!({
            "apiVersion": "metalform.dev/v1alpha1", "kind": "Fleet",
            "metadata": { "name": "a" },
            "spec": { "newer": 1, "paused": true },
            "status": {
                "conditions": [condition("Valid", "SpecErrors"), condition("Ready", "Moonlight")],
                "digest": "d",
                "errors": 101,
                "findings": [
                    { "code": "MF2400", "column": 5, "file": "racks/r01.kdl", "fix": {}, "line": 3,
                        "message": "m", "severity": "error" },
                    { "code": "MF9999", "message": "m", "severity": "hint" },
                ],
                "hosts": { "failed": 1, "held": 2, "lost": 9, "progressing": 3, "ready": 4,
                    "total": 10 },
                "lastGood": { "commit": "c", "digest": "d", "time": time },
                "newer": 1,
                "observedGeneration": 3,
                "source": { "digest": "e", "path": "specs/lab/fleet.kdl", "revision": "r" },
                "warnings": 0,
            },
        }),
    ]
}

/// Reads an object of a kind and writes it again.
fn again<K: Serialize + DeserializeOwned>(value: &Value) -> String {
    // As text, too: what is kept as text goes another way there.
    let text = serde_json::to_string(value).unwrap();
    let of_text: K = serde_json::from_str(&text).unwrap();
    let of_value: K = serde_json::from_value(value.clone()).unwrap();
    let written = serde_json::to_string(&of_text).unwrap();
    assert_eq!(serde_json::to_string(&of_value).unwrap(), written);
    // In order of key, as the values here have them.
    serde_json::from_str::<Value>(&written).unwrap().to_string()
}

fn written_again(value: &Value) -> String {
    match value["kind"].as_str().unwrap() {
        "HostFirmwareSettings" => again::<HostFirmwareSettings>(value),
        "FirmwareSchema" => again::<FirmwareSchema>(value),
        "HostFirmwareComponents" => again::<HostFirmwareComponents>(value),
        "HostUpdatePolicy" => again::<HostUpdatePolicy>(value),
        "PreprovisioningImage" => again::<PreprovisioningImage>(value),
        "DataImage" => again::<DataImage>(value),
        "Fleet" => again::<Fleet>(value),
        other => panic!("what is {other}?"),
    }
}

#[test]
fn unknown_fields_and_words_are_kept() {
    for value in golden() {
        assert_eq!(written_again(&value), value.to_string());
    }
}

#[test]
fn what_was_recorded_is_written_back_the_same() {
    let recorded = [
        include_str!("../../tests/data/peer-hosts/hfs.jsonl"),
        include_str!("../../tests/data/peer-hosts/hfc.jsonl"),
    ];
    let mut seen = 0;
    for line in recorded.iter().flat_map(|text| text.lines()) {
        let mut value = timed(&serde_json::from_str(line).unwrap());
        value["apiVersion"] = json!(API_VERSION);
        // The recording wrote null for what is not there.
        let metadata = value["metadata"].as_object_mut().unwrap();
        metadata.retain(|_, value| !value.is_null());
        value["metadata"]["ownerReferences"][0]["uid"] = json!("scrubbed");
        assert_eq!(written_again(&value), value.to_string());
        // Nothing of a recorded condition is new to us.
        for condition in value["status"]["conditions"].as_array().unwrap() {
            let known = |words: &[&str], of: &str| words.contains(&condition[of].as_str().unwrap());
            assert!(known(&["Valid", "ChangeDetected"], "type"), "{condition}");
            assert!(known(&["Success", "OK"], "reason"), "{condition}");
        }
        seen += 1;
    }
    assert_eq!(seen, 14);
}

#[test]
fn what_is_empty_is_written_as_go_writes_it() {
    fn empty<T: Default + Serialize>(name: &str) -> String {
        format!("{name} {}\n", serde_json::to_string(&T::default()).unwrap())
    }
    let all = [
        empty::<HostFirmwareSettingsSpec>("settings"),
        empty::<HostFirmwareSettingsStatus>("settings status"),
        empty::<FirmwareSchemaSpec>("schema"),
        empty::<SettingSchema>("setting"),
        empty::<HostFirmwareComponentsSpec>("components"),
        empty::<HostFirmwareComponentsStatus>("components status"),
        empty::<FirmwareComponentStatus>("component"),
        empty::<HostUpdatePolicySpec>("policy"),
        empty::<HostUpdatePolicyStatus>("policy status"),
        empty::<PreprovisioningImageSpec>("ramdisk"),
        empty::<PreprovisioningImageStatus>("ramdisk status"),
        empty::<DataImageSpec>("medium"),
        empty::<DataImageStatus>("medium status"),
        empty::<FleetSpec>("fleet"),
        empty::<FleetStatus>("fleet status"),
    ];
    insta::assert_snapshot!(all.concat(), @r#"
    settings {"settings":{}}
    settings status {"settings":{}}
    schema {"schema":{}}
    setting {}
    components {"updates":[]}
    components status {}
    component {"component":"","initialVersion":""}
    policy {}
    policy status {}
    ramdisk {}
    ramdisk status {"networkData":{}}
    medium {"url":""}
    medium status {"attachedImage":{"url":""},"error":{"count":0,"message":""}}
    fleet {}
    fleet status {"hosts":{"total":0,"ready":0,"progressing":0,"failed":0,"held":0},"errors":0,"warnings":0}
    "#);
}

#[test]
fn a_fleet_is_of_a_group_of_its_own() {
    let fleet = Fleet::new("lab", FleetSpec::default());
    let text = serde_json::to_string(&fleet).unwrap();
    insta::assert_snapshot!(text, @r#"{"apiVersion":"metalform.dev/v1alpha1","kind":"Fleet","metadata":{"name":"lab"},"spec":{}}"#);
}
