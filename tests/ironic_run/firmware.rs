//! BIOS settings and firmware of a Redfish machine, wanted through the socket as `kubectl` would.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::lab::{self, Lab, wait_for};

/// One request to the run's socket; null when there is no such object.
fn ask(fleet: &Fleet<'_>, method: &str, plural: &str, name: &str, body: &str) -> Value {
    let socket = fleet.project.path(".metalform/api.sock");
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(
        stream,
        "{method} /apis/metal3.io/v1alpha1/namespaces/metal3/{plural}/{name} HTTP/1.1\r\n\
         Host: metalform\r\nConnection: close\r\nContent-Type: application/merge-patch+json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    match head.split_whitespace().nth(1) {
        Some("200") => serde_json::from_str(body).unwrap(),
        Some("404") => Value::Null,
        _ => panic!("{answer}"),
    }
}

fn want(fleet: &Fleet<'_>, plural: &str, name: &str, spec: &Value) {
    let patch = json!({ "spec": spec }).to_string();
    let changed = ask(fleet, "PATCH", plural, name, &patch);
    assert_eq!(changed["spec"], *spec, "{changed}");
}

/// Whether a condition of the object's generation says so.
fn says(object: &Value, kind: &str, status: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| {
        condition["type"] == kind
            && condition["status"] == status
            && condition["observedGeneration"] == object["metadata"]["generation"]
    })
}

/// How often settings and firmware were read since a mark.
fn reads(lab: &Lab, from: usize) -> (usize, usize) {
    let asked = lab.asked(from);
    let count = |what: &str| asked.iter().filter(|one| one.path.contains(what)).count();
    (count("/bios"), count("/firmware"))
}

#[test]
fn what_is_wanted_of_settings_and_firmware_reaches_the_machine() {
    let Some(lab) = lab::shared() else { return };
    let mut fleet = Fleet::new(&lab, "none", 13, 0);
    fleet.add_redfish("board", 0);
    fleet.save();
    let from = lab.mark();
    let running = fleet.run();
    fleet.all("available");
    let (settings, components) = ("hostfirmwaresettings", "hostfirmwarecomponents");
    let get = |plural: &str| ask(&fleet, "GET", plural, "board", "");
    wait_for("both were read", || {
        says(&get(settings), "Valid", "True") && says(&get(components), "Valid", "True")
    });
    let read = get(settings);
    assert_eq!(read["status"]["settings"]["ProcTurboMode"], "Enabled");
    let schema = read["status"]["schema"]["name"].as_str().unwrap();
    let schema = ask(&fleet, "GET", "firmwareschemas", schema, "");
    assert!(
        schema["spec"]["schema"]["ProcTurboMode"].is_object(),
        "{schema}"
    );
    assert_eq!(reads(&lab, from), (1, 1));

    // What cannot be touches nothing.
    let from = lab.mark();
    want(
        &fleet,
        settings,
        "board",
        &json!({ "settings": { "ProcTurbo": "Disabled" } }),
    );
    wait_for("the mistake is told", || {
        says(&get(settings), "Valid", "False")
    });
    fleet.all("available");
    assert!(lab.done("board", from).is_empty());

    let change = json!({ "settings": { "ProcTurbo": null, "ProcTurboMode": "Disabled" } });
    let patch = json!({ "spec": change }).to_string();
    ask(&fleet, "PATCH", settings, "board", &patch);
    wait_for("the setting is as wanted", || {
        let object = get(settings);
        object["status"]["settings"]["ProcTurboMode"] == "Disabled"
            && says(&object, "ChangeDetected", "False")
    });
    fleet.all("available");
    assert_eq!(
        lab.bios(0)["ProcTurboMode"],
        "Disabled",
        "on the machine itself"
    );
    assert_eq!(lab.done("board", from).get("board clean"), Some(&1));
    assert_eq!(reads(&lab, from), (2, 0), "before and after");

    let from = lab.mark();
    let url = fleet.image_url(0);
    let updates = json!({ "updates": [{ "component": "bios", "url": url }] });
    want(&fleet, components, "board", &updates);
    wait_for("the update is installed", || {
        let object = get(components);
        object["status"]["updates"] == updates["updates"]
            && says(&object, "ChangeDetected", "False")
    });
    fleet.all("available");
    let object = get(components);
    let bios = object["status"]["components"].as_array().unwrap();
    let bios = bios
        .iter()
        .find(|part| part["component"] == "bios")
        .unwrap();
    assert_ne!(bios["currentVersion"], bios["initialVersion"], "{bios}");
    assert_eq!(lab.done("board", from).get("board clean"), Some(&1));
    assert_eq!(reads(&lab, from), (0, 2), "before and after");
    running.interrupt().code(0);
    fleet.remove();
}
