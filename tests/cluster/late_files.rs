//! Files that a controller is to follow and that are not there: at its first start (git-sync is not done),
//! or at a later one.

use serde_json::Value;

use crate::controller::{Site, until};

fn save(site: &Site, text: &str) {
    std::fs::create_dir_all(site.path("specs")).unwrap();
    std::fs::write(site.path("specs/new~"), text).unwrap();
    std::fs::rename(site.path("specs/new~"), site.path("specs/fleet.kdl")).unwrap();
}

fn text(site: &Site) -> String {
    format!(
        "/- kdl-version 2\nspec lab namespace={} {{ simulated; }}\n\
         each {{\n bmc address=\"redfish://127.0.0.1:${{8000 + host.slot}}/redfish/v1/Systems/1\" credentials=(secret)bmc\n \
         boot mac=\"${{mac('52:54:00:05:00:00', host.slot)}}\"\n}}\nhost \"w[slot=1-2]\"\n",
        site.namespace
    )
}

fn condition(site: &Site, kind: &str) -> Value {
    let fleet = site.get("fleets/lab");
    let all = fleet["status"]["conditions"].as_array().cloned();
    let mut all = all.unwrap_or_default().into_iter();
    all.find(|condition| condition["type"] == kind)
        .unwrap_or_default()
}

#[track_caller]
fn is(site: &Site, kind: &str, reason: &str) -> Value {
    until(
        || condition(site, kind)["reason"] == reason,
        || format!("{kind} is {}", condition(site, kind)),
    );
    condition(site, kind)["message"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_there_are_waited_for_and_no_object_is_made_for_them() {
    let Some(site) = Site::shared("late").await else {
        return;
    };
    site.credentials("bmc", "calvin");
    let specs = site.path("specs");
    let arguments = ["--specs", specs.to_str().unwrap()];
    let controller = site.simulate("first", &arguments);
    controller.says("the spec cannot be read: no file at");
    controller.says("the hosts stay as they are");
    // A folder with nothing in it, and a file that is not whole yet, say no name either.
    std::fs::create_dir(&specs).unwrap();
    controller.says("specs/fleet.kdl`");
    save(&site, "");
    controller.says("`fleet.kdl` is empty");
    save(&site, &text(&site));
    is(&site, "Ready", "Settled");
    // Whatever was made by a name that nobody wrote would still be there.
    let all = || site.kubectl(&["get", "fleets", "-o", "name"]);
    assert_eq!(all(), "fleet.metalform.dev/lab\n");

    // A start without them: the Fleet that told of them says so, and all the rest stays.
    controller.stop();
    let good = site.get("fleets/lab")["status"]["lastGood"].clone();
    let hosts = || {
        let uids = "jsonpath={.items[*].metadata.uid}";
        site.kubectl(&["get", "bmh", "-o", uids])
    };
    let before = hosts();
    let away = site.path("away");
    std::fs::rename(&specs, &away).unwrap();
    let controller = site.simulate("second", &arguments);
    let message = is(&site, "Valid", "SourceUnreadable");
    assert!(
        message.as_str().unwrap().contains("no file at"),
        "{message}"
    );
    is(&site, "Ready", "SourceUnreadable");
    let status = site.get("fleets/lab")["status"].clone();
    assert_eq!(status["lastGood"], good);
    assert_eq!(status["hosts"]["total"], 2);
    assert!(status["source"]["digest"].is_null(), "{status:#}");
    // An empty folder costs nothing either.
    std::fs::create_dir(&specs).unwrap();
    let says = || condition(&site, "Valid")["message"].to_string();
    until(|| says().contains("specs/fleet.kdl"), says);
    assert_eq!(condition(&site, "Valid")["reason"], "SourceUnreadable");
    std::fs::remove_dir(&specs).unwrap();
    std::fs::rename(&away, &specs).unwrap();
    is(&site, "Ready", "Settled");
    controller.says("the spec is there");
    assert_eq!(hosts(), before);
    assert_eq!(all(), "fleet.metalform.dev/lab\n");
    controller.stop();
}
