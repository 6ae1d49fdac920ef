//! The recorded lives of hosts under the Bare Metal Operator, lived again.
//!
//! Each recording is played: its edits are made when the host is where the recorded one was, and
//! what it goes through has to be the same sequence of states, conditions and events, each with the
//! same status at its end. Not compared: ids, times, versions, what the hardware is, health (the
//! simulated BMC tells none).
//!
//! Differences that are wanted:
//! - metalform writes less often: the finalizer with the first status, profile and root device
//!   hints with the id; the hints do not go and come back at the end of a deprovisioning.
//! - `poweredOn` is newer: what is seen is written, where BMO looks once a minute.
//! - `spec.architecture` is not written: the spec is the user's. Generations differ by that.

use serde_json::{Value, json};

use super::beside::Beside;
use super::driver::Driver;

/// When the recorded edits were made.
#[derive(Clone, Copy, PartialEq)]
enum Edits {
    /// When the power was as wanted, too.
    Settled,
    /// As soon as the state was reached.
    AtOnce,
}

/// Plays a recording and compares the sequences of statuses.
fn play(name: &str, text: &str, edits: Edits) -> Driver {
    play_with(name, text, edits, None)
}

/// The same, with an edit beside the host once it is available.
fn play_with(name: &str, text: &str, edits: Edits, mut beside: Option<fn(&mut Beside)>) -> Driver {
    let mut lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let first = lines.next().unwrap();
    let mut driver = Driver::new(first["spec"].clone());
    if let Some(host) = &mut driver.host {
        host.metadata.name = Some(name.into());
        host.spec.extra.clear();
    }
    let mut recorded = json!({});
    let mut wanted: Vec<Value> = Vec::new();
    let mut ends: Vec<Value> = Vec::new();
    let mut just_edited = false;
    for line in lines {
        if let Some(fields) = line["status"].as_object() {
            just_edited = false;
            let rotated = !recorded["triedCredentials"]["credentialsVersion"].is_null()
                && fields
                    .get("triedCredentials")
                    .is_some_and(|tried| *tried != recorded["triedCredentials"]);
            if rotated {
                live_until(&mut driver, wanted.last().unwrap());
                driver.settle(500);
                driver.login.version += 1;
            }
            for (key, value) in fields {
                recorded[key] = value.clone();
            }
            let mark = mark(&recorded);
            let available = wanted.last().filter(|last| last["state"] == "available");
            if let (Some(available), true) = (available, mark["state"] == "preparing")
                && let Some(beside) = beside.take()
            {
                live_until(&mut driver, available);
                driver.settle(500);
                beside(&mut driver.firmware);
            }
            if wanted.last() != Some(&mark) {
                wanted.push(mark);
                ends.push(Value::Null);
            }
            *ends.last_mut().unwrap() = plain(&recorded);
        }
        let edited = ["spec", "annotations", "deleting"]
            .iter()
            .any(|key| !line[*key].is_null());
        if !edited {
            continue;
        }
        // Two edits with nothing between them came faster than anybody looked.
        if !std::mem::replace(&mut just_edited, true) {
            if let Some(last) = wanted.last() {
                live_until(&mut driver, last);
            }
            if edits == Edits::Settled {
                driver.settle(500);
            }
        }
        if !line["spec"].is_null() {
            let mut spec = line["spec"].clone();
            // BMO's own write.
            spec.as_object_mut().unwrap().remove("architecture");
            driver.edit(|host| host.spec = serde_json::from_value(spec).unwrap());
        }
        if let Some(all) = line["annotations"].as_object() {
            let mut all = all.clone();
            // What the operator itself removed is not an edit.
            if all.is_empty() {
                all = driver
                    .host
                    .as_ref()
                    .and_then(|host| host.annotation("reboot.metal3.io"))
                    .map(|value| [("reboot.metal3.io".to_owned(), json!(value))])
                    .into_iter()
                    .flatten()
                    .collect();
            }
            driver.edit(|host| {
                host.metadata.annotations = serde_json::from_value(Value::Object(all)).unwrap();
            });
        }
        if line["deleting"] == json!(true) {
            driver.delete();
        }
    }
    driver.settle(500);
    let mut lived: Vec<Value> = Vec::new();
    let mut lived_ends: Vec<Value> = Vec::new();
    for status in &driver.statuses {
        let status = serde_json::to_value(status).unwrap();
        let mark = mark(&status);
        if lived.last() != Some(&mark) {
            lived.push(mark);
            lived_ends.push(Value::Null);
        }
        *lived_ends.last_mut().unwrap() = plain(&status);
    }
    let show = |all: &[Value]| joined(all.iter().map(Value::to_string));
    assert_eq!(show(&lived), show(&wanted), "{name}");
    assert_eq!(show(&lived_ends), show(&ends), "{name}");
    driver
}

/// What is compared of a status.
fn mark(status: &Value) -> Value {
    let conditions: Vec<String> = status["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|condition| condition["type"] != "Healthy")
        .filter(|condition| condition["type"] != "metalform.dev/Firmware")
        .map(|condition| {
            let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
            format!("{}={}/{}", text("type"), text("status"), text("reason"))
        })
        .collect();
    json!({
        "state": status["provisioning"]["state"],
        "operationalStatus": status["operationalStatus"],
        "errorType": status["errorType"],
        "image": status["provisioning"]["image"],
        "lastAttemptedImage": attempted(status),
        "bootMode": status["provisioning"]["bootMode"],
        "conditions": conditions,
    })
}

/// The image that was tried last. metalform writes it when it begins with it, to know later what it
/// asked for; the Bare Metal Operator does, too, but its write comes with the next change only.
fn attempted(status: &Value) -> Value {
    match status["provisioning"]["state"].as_str() {
        Some("provisioning") => Value::Null,
        _ => status["lastAttemptedImage"].clone(),
    }
}

/// A whole status without what differs from run to run.
fn plain(status: &Value) -> Value {
    let mut status = status.clone();
    let attempted = attempted(&status);
    let fields = status.as_object_mut().unwrap();
    fields.remove("lastAttemptedImage");
    fields.insert("attempted".into(), attempted);
    for unlike in ["conditions", "lastUpdated", "hardware", "poweredOn"] {
        fields.remove(unlike);
    }
    for credentials in ["goodCredentials", "triedCredentials"] {
        let is_set = !status[credentials]["credentials"].is_null();
        status[credentials] = json!(is_set);
    }
    status["provisioning"]["ID"] = json!(status["provisioning"]["ID"] != "");
    for phase in ["register", "inspect", "provision", "deprovision"] {
        for end in ["start", "end"] {
            let time = &mut status["operationHistory"][phase][end];
            *time = json!(!time.is_null());
        }
    }
    status
}

fn live_until(driver: &mut Driver, wanted: &Value) {
    for _ in 0..500 {
        let status = driver.host.as_ref().and_then(|host| host.status.as_ref());
        if status.is_some_and(|status| mark(&serde_json::to_value(status).unwrap()) == *wanted) {
            return;
        }
        if !driver.step() && !driver.pass() {
            break;
        }
    }
    panic!("never got to {wanted:#}: {:#?}", driver.last);
}

/// Reasons and texts of the events of a host, as recorded.
fn events(name: &str) -> String {
    let all = include_str!("../../../tests/data/peer-hosts/events.jsonl");
    let all = all
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    joined(all.filter(|event| event["name"] == name).map(|event| {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        format!("{}: {}", text("reason"), text("message"))
    }))
}

fn lived_events(driver: &Driver) -> String {
    joined(
        driver
            .notes
            .iter()
            .map(|note| format!("{}: {}", note.reason, note.message)),
    )
}

fn joined(all: impl Iterator<Item = String>) -> String {
    let mut text = all.collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

macro_rules! recording {
    ($file:literal) => {
        (
            $file,
            include_str!(concat!("../../../tests/data/peer-hosts/", $file, ".jsonl")),
        )
    };
}

#[test]
fn a_plain_life() {
    let (name, text) = recording!("s01-life");
    let driver = play(name, text, Edits::Settled);
    assert_eq!(lived_events(&driver), events(name));
}

/// BMO looked at the power before what it had just asked for showed, and so it did not power off
/// before it deleted these two.
const POWERED_OFF: &str = "PowerOff: Host powered off\n";

#[test]
fn a_live_iso_without_inspection() {
    let (name, text) = recording!("s02-liveiso");
    let driver = play(name, text, Edits::Settled);
    assert_eq!(lived_events(&driver), events(name) + POWERED_OFF);
}

#[test]
fn a_fast_inspection() {
    let (name, text) = recording!("s14-fast-inspect");
    let driver = play(name, text, Edits::Settled);
    assert_eq!(lived_events(&driver), events(name) + POWERED_OFF);
}

#[test]
fn an_externally_provisioned_host() {
    let (name, text) = recording!("s13-external");
    let driver = play(name, text, Edits::AtOnce);
    assert_eq!(lived_events(&driver), events(name));
}

/// What was done to the objects beside the host when it came to be available. Its status says for a
/// while how far that is, in a condition of ours.
fn played_with(name: &str, text: &str, edit: fn(&mut Beside)) -> Driver {
    let mut driver = play_with(name, text, Edits::Settled, Some(edit));
    driver.settle(500);
    driver
}

#[test]
fn a_bios_setting_of_an_available_host() {
    let (name, text) = recording!("s15-bios-settings");
    let driver = played_with(name, text, |beside| {
        beside.want(&[("ProcTurboMode", "Disabled")])
    });
    assert_eq!(
        driver.firmware.setting("ProcTurboMode").as_deref(),
        Some("Disabled")
    );
    assert_same(driver.firmware.settings.as_ref().unwrap(), "hfs", name);
}

#[test]
fn an_update_of_an_available_host() {
    let (name, text) = recording!("s16-firmware-update");
    let driver = played_with(name, text, |beside| {
        beside.update(Some("http://127.0.0.1:16386/img.qcow2"));
    });
    assert_same(driver.firmware.components.as_ref().unwrap(), "hfc", name);
}

/// Conditions, what is wanted and what was installed are as in the last recorded state.
fn assert_same(object: &impl serde::Serialize, file: &str, name: &str) {
    let path = format!(
        "{}/tests/data/peer-hosts/{file}.jsonl",
        env!("CARGO_MANIFEST_DIR")
    );
    let all = std::fs::read_to_string(path).unwrap();
    let mut all = all
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let recorded = all.find(|one| one["metadata"]["name"] == name).unwrap();
    let shown = |object: &Value| {
        let mut conditions = object["status"]["conditions"].clone();
        for condition in conditions.as_array_mut().unwrap() {
            condition
                .as_object_mut()
                .unwrap()
                .remove("lastTransitionTime");
        }
        json!([object["spec"], object["status"]["updates"], conditions])
    };
    assert_eq!(
        shown(&serde_json::to_value(object).unwrap()),
        shown(&recorded)
    );
}

#[test]
fn detached_and_attached_again() {
    let (name, text) = recording!("s17-detach");
    let driver = play(name, text, Edits::AtOnce);
    assert_eq!(lived_events(&driver), events(name));
}
