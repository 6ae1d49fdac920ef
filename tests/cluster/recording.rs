//! What the Bare Metal Operator did, from its recordings (`tests/data/peer-ironic` and
//! `tests/data/peer-hosts`), said for a machine of a lab.

use std::path::Path;

use serde_json::{Value, json};

use crate::lab::Lab;

/// When everything happened that was scrubbed from the recordings.
pub const TIME: &str = "2026-08-20T10:00:00Z";
/// The recorded image's checksum.
const SHA256: &str = "92c53ae581d2618a192daeb6c5a60852b93019da54d0d2f541765d50a7bec575";

/// A moment at which a recorded host was settled.
#[derive(Clone, Copy)]
pub struct Moment {
    pub scenario: &'static str,
    /// The last write to Ironic by then: its target, or its method where it has none, and how many
    /// of these there were.
    pub sent: (&'static str, usize),
    /// How many lines of the host's own recording were over.
    pub seen: usize,
}

/// A machine of the lab, and the host that has it.
pub struct Machine {
    pub namespace: String,
    pub name: String,
    pub mac: String,
    system: String,
    bmc: String,
    files: String,
    image: Value,
}

/// A recording up to a moment, in the words of one machine. `{node}` is still the node's UUID.
pub struct Recording {
    /// Writes that Ironic took.
    pub writes: Vec<Value>,
    /// Changes of the host.
    pub host: Vec<Value>,
    /// What stood beside it in the end: HardwareData, HostFirmwareSettings, HostFirmwareComponents.
    pub beside: Vec<Value>,
    /// The recorded host's UID, by which Ironic knows the instance.
    pub uid: Option<String>,
}

impl Machine {
    /// The lab's Redfish machine of this number.
    pub fn of(lab: &Lab, slot: usize, namespace: &str, name: &str) -> Self {
        let machine = &lab.about["redfish"][slot];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            mac: text(&machine["mac"]),
            system: text(&machine["system_id"]),
            bmc: lab.text("bmc", "url").to_owned(),
            files: text(&lab.about["files_url"]),
            image: lab.about["images"][0].clone(),
        }
    }

    /// A recorded text, said for this machine.
    fn say(&self, scenario: &str, text: &str) -> String {
        let number: u8 = scenario[1..3].parse().unwrap();
        let image = |key: &str| self.image[key].as_str().unwrap();
        let (namespace, node) = (&self.namespace, format!("\"{}~", self.namespace));
        [
            (
                format!("/redfish/v1/Systems/11110000-0000-0000-0000-0000000000{number:02x}"),
                self.system.as_str(),
            ),
            ("http://127.0.0.1:18000".into(), &self.bmc),
            (format!("52:54:00:aa:00:{number:02x}"), &self.mac),
            ("http://127.0.0.1:16386/img.qcow2".into(), image("url")),
            (SHA256.into(), image("sha256")),
            ("http://127.0.0.1:16386".into(), &self.files),
            ("\"m~".into(), &node),
            ("\"m\"".into(), &format!("\"{namespace}\"")),
            (scenario.into(), &self.name),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (recorded, here)| {
            text.replace(&recorded, here)
        })
    }

    /// The recording up to this moment.
    pub fn recording(&self, moment: &Moment) -> Recording {
        let scenario = moment.scenario;
        let read = |file: String| -> Vec<Value> {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
            let text = std::fs::read_to_string(path.join(file)).unwrap();
            let line = |line| serde_json::from_str(&self.say(scenario, line)).unwrap();
            text.lines().map(line).collect()
        };
        let mut writes = read(format!("peer-ironic/{scenario}.jsonl"));
        writes.retain(|line| line["status"].as_u64().is_some_and(|status| status < 300));
        let (what, times) = moment.sent;
        let fits = |write: &Value| write["body"]["target"] == what || write["method"] == what;
        let last = writes.iter().enumerate().filter(|(_, write)| fits(write));
        let (last, _) = last.take(times).last().unwrap();
        writes.truncate(last + 1);
        let operations = writes.iter().filter_map(|write| write["body"].as_array());
        let uid = operations
            .flatten()
            .find(|operation| operation["path"] == "/instance_uuid")
            .map(|operation| operation["value"].as_str().unwrap().to_owned());
        let mut host = read(format!("peer-hosts/{scenario}.jsonl"));
        host.truncate(moment.seen);
        let mut beside = Vec::new();
        for kind in ["hd", "hfs", "hfc"] {
            beside.extend(read(format!("peer-hosts/{kind}.jsonl")));
        }
        beside.retain(|object| object["metadata"]["name"] == *self.name);
        Recording {
            writes,
            host,
            beside,
            uid,
        }
    }
}

impl Recording {
    /// The host's status in the end: each line has the fields that changed.
    pub fn status(&self) -> Value {
        let mut status = json!({});
        for fields in self
            .host
            .iter()
            .filter_map(|line| line["status"].as_object())
        {
            for (field, value) in fields {
                status[field] = value.clone();
            }
        }
        status
    }
}

/// Fills in the times that were scrubbed.
pub fn timed(value: &mut Value) {
    match value {
        Value::String(text) if text == "<time>" => TIME.clone_into(text),
        Value::Array(all) => all.iter_mut().for_each(timed),
        Value::Object(fields) => {
            fields.values_mut().for_each(timed);
            if fields.contains_key("observedGeneration") {
                fields.insert("lastTransitionTime".into(), TIME.into());
            }
        }
        _ => {}
    }
}
