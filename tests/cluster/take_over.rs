//! In place of the Bare Metal Operator: with nothing to do nothing is done, whatever state the hosts
//! rest in; and what is then asked for is done, and no more.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::controller::{Site, until};
use crate::foresight;
use crate::settled::{TOLD, taken};
use crate::stage::Stage;
use crate::way_back;

/// How long nothing has to happen: some looks at all nodes, and a few turns of every host.
const QUIET: Duration = Duration::from_secs(15);
/// Questions about all nodes at once, and about the API.
const IN_BULK: [&str; 5] = [
    "/v1",
    "/v1/drivers",
    "/v1/nodes/detail?",
    "/v1/nodes?fields=",
    "/v1/ports?fields=",
];

#[test]
fn hosts_of_the_other_operator_are_left_as_they_are() {
    let Some(stage) = Stage::shared() else {
        return;
    };
    let site = &stage.taken;
    let before = versions(site);
    assert_eq!(before.lines().filter(is_host).count(), taken().len() + 1);
    foresight::of_taken_hosts(stage);
    assert_eq!(versions(site), before);
    let mark = stage.lab.mark();
    let controller = stage.control(site, "quiet");
    controller.says("engine starts");
    std::thread::sleep(QUIET);
    let asked = stage.lab.asked(mark);
    let mut what: BTreeMap<String, usize> = BTreeMap::new();
    for asked in &asked {
        let is_it = |path: &&&str| match path.ends_with(['?', '=']) {
            true => asked.path.starts_with(**path),
            false => asked.path == **path,
        };
        let short = IN_BULK.iter().find(is_it);
        let short = short.map_or(asked.path.as_str(), |path| path);
        *what.entry(format!("{} {short}", asked.method)).or_default() += 1;
    }
    println!("asked of Ironic in {QUIET:?}: {what:#?}");
    assert!(
        !asked.is_empty(),
        "it looked at nothing:\n{}",
        controller.log()
    );
    for what in what.keys() {
        let path = what.strip_prefix("GET ").unwrap_or_default();
        assert!(IN_BULK.contains(&path), "{what}\n{}", changed(stage));
    }
    let others = |versions: &str| {
        let is_told = |line: &&str| TOLD.iter().any(|name| line.contains(&format!(" {name} ")));
        let all = versions
            .lines()
            .filter(|line| !(is_host(line) && is_told(line)));
        all.map(str::to_owned).collect::<Vec<_>>()
    };
    let now = versions(site);
    assert_eq!(others(&now), others(&before), "{}", changed(stage));
    conditions_are_told(stage);
    changes_are_carried_out(stage);
    controller.stop();
    way_back::of_changed_hosts(stage);
}

/// Nothing else about these hosts is new.
fn conditions_are_told(stage: &Stage) {
    for name in TOLD {
        let left = &stage.left["taken"][name]["host"];
        let now = stage.operator(&stage.taken).find("baremetalhosts", name);
        assert_eq!(now["spec"], left["spec"]);
        let (mut was, mut is) = (left["status"].clone(), now["status"].clone());
        let conditions = is["conditions"].take();
        let conditions = conditions.as_array().unwrap();
        for status in [&mut was, &mut is] {
            status.as_object_mut().unwrap().remove("conditions");
        }
        if name == "serviced" {
            assert_eq!(is["operationalStatus"].take(), "OK");
            was["operationalStatus"].take();
            is["lastUpdated"] = was["lastUpdated"].clone();
            let ready = &conditions[0];
            assert_eq!(
                (&ready["type"], &ready["status"]),
                (&json!("Ready"), &json!("True"))
            );
        } else if name == "older" {
            assert_eq!(conditions.len(), 6, "{conditions:?}");
            is["lastUpdated"] = was["lastUpdated"].clone();
        } else {
            assert_eq!(conditions[6]["type"], "metalform.dev/Waiting");
            assert_eq!(conditions[6]["reason"], "BackingOff");
            let before = left["status"]["conditions"].as_array().unwrap();
            assert_eq!(&conditions[..6], before);
        }
        assert_eq!(is, was, "{name}");
    }
}

fn is_host(line: &&str) -> bool {
    line.starts_with("BareMetalHost ")
}

/// Kind, name and version of all that hosts have.
fn versions(site: &Site) -> String {
    let columns = "-o=custom-columns=:.kind,:.metadata.name,:.metadata.resourceVersion";
    let kinds = "bmh,hardwaredata,hostfirmwaresettings,hostfirmwarecomponents,secrets,events";
    site.kubectl(&["get", kinds, "--no-headers", columns])
}

/// What is other than it was left, for a test that fails.
fn changed(stage: &Stage) -> String {
    let mut lines = String::new();
    for (name, left) in stage.left["taken"].as_object().unwrap() {
        let now = stage.operator(&stage.taken).find("baremetalhosts", name);
        for part in ["metadata", "spec", "status"] {
            let (was, is) = (&left["host"][part], &now[part]);
            if was != is {
                lines += &format!("{name}: {}\n", json_patch::diff(was, is));
            }
        }
    }
    lines
}

/// One change a host, all at once; each brings its own requests and no others.
fn changes_are_carried_out(stage: &Stage) {
    let site = &stage.taken;
    let mark = stage.lab.mark();
    let spec = |name: &str, spec: Value| {
        site.patch(&format!("bmh/{name}"), &json!({ "spec": spec }));
    };
    let unmark = |name: &str, annotation: &str| {
        let annotations = json!({ format!("baremetalhost.metal3.io/{annotation}"): null });
        let patch = json!({ "metadata": { "annotations": annotations } });
        site.patch(&format!("bmh/{name}"), &patch);
    };
    spec("live", json!({ "image": null }));
    spec("provisioned", json!({ "online": false }));
    spec("provisioned-off", json!({ "online": true }));
    spec("external", json!({ "online": false }));
    spec("available-off", json!({ "online": true }));
    unmark("paused", "paused");
    unmark("detached", "detached");
    let settings = json!({ "spec": { "settings": { "ProcTurboMode": "Disabled" } } });
    site.patch("hostfirmwaresettings/available", &settings);
    let password = json!({ "stringData": { "password": stage.lab.text("bmc", "password") } });
    site.patch("secret/refused-bmc", &password);
    for (name, on) in [
        ("provisioned", false),
        ("provisioned-off", true),
        ("external", false),
        ("available-off", true),
        ("paused", true),
    ] {
        site.is_powered(name, on);
    }
    site.comes_to("refused", "available");
    site.comes_to("live", "available");
    let turbo = || {
        let settings = site.get("hostfirmwaresettings/available");
        settings["status"]["settings"]["ProcTurboMode"].clone()
    };
    until(|| turbo() == "Disabled", || format!("turbo: {}", turbo()));
    let detached = || site.get("bmh/detached")["status"].clone();
    let left = &stage.left["taken"]["detached"]["host"]["status"]["provisioning"];
    until(
        || {
            detached()["operationalStatus"] == "OK"
                && detached()["provisioning"]["ID"] != left["ID"]
        },
        || format!("not attached again: {}", detached()),
    );
    // Each request once, however it is looked at from here on.
    let own = format!("{}~", site.namespace);
    let done = || {
        let done = stage.lab.done(&own, mark);
        let all = done.iter().map(|(what, times)| {
            let what = what.trim_start_matches(&own);
            if *times == 1 {
                what.to_owned()
            } else {
                format!("{what}, {times} times")
            }
        });
        all.collect::<Vec<_>>()
    };
    let wanted = [
        "available clean",
        "available-off power on",
        "detached adopt",
        "detached manage",
        "external soft power off",
        "live deleted",
        "live power on",
        "paused power on",
        "provisioned soft power off",
        "provisioned-off power on",
        "refused manage",
        "refused power on",
    ];
    until(|| done() == wanted, || format!("{:#?}", done()));
    site.is_powered("live", true);
}
