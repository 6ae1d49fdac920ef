//! Round trips: what Go wrote comes back the same, and what we do not know is kept.

use serde_json::{Value, json};

use crate::api::BareMetalHost;

/// The recorded lives of hosts, one change a line.
pub(crate) const RECORDED: [(&str, &str); 7] = [
    ("s01", include_str!("../../../tests/data/peer-hosts/s01-life.jsonl")),
    ("s02", include_str!("../../../tests/data/peer-hosts/s02-liveiso.jsonl")),
    ("s13", include_str!("../../../tests/data/peer-hosts/s13-external.jsonl")),
    ("s14", include_str!("../../../tests/data/peer-hosts/s14-fast-inspect.jsonl")),
    ("s15", include_str!("../../../tests/data/peer-hosts/s15-bios-settings.jsonl")),
    ("s16", include_str!("../../../tests/data/peer-hosts/s16-firmware-update.jsonl")),
    ("s17", include_str!("../../../tests/data/peer-hosts/s17-detach.jsonl")),
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
            let mut out: serde_json::Map<_, _> =
                entries.iter().map(|(key, value)| (key.clone(), timed(value))).collect();
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
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value, "{place}");
        assert_eq!(serde_json::from_str::<BareMetalHost>(&text).unwrap(), host, "{place}");
    }
}
