//! Words that a person gives beside a controller which follows files: `apply --allow-destroy`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::controller::{Site, until};
use crate::desk::{Done, IMAGE};

/// Saves a fleet with so many hosts in one pool, whole, below a folder of this name.
fn save(site: &Site, folder: &str, last: u8) {
    let mut text = format!(
        "/- kdl-version 2\nspec lab namespace={} {{ simulated; }}\n\
         image debian {{\n url \"{IMAGE}\"\n checksum \"sha256:{}\"\n}}\n\
         each {{\n bmc address=\"redfish://127.0.0.1:${{8000 + host.slot}}/redfish/v1/Systems/1\" credentials=(secret)bmc\n \
         boot mac=\"${{mac('52:54:00:04:00:00', host.slot)}}\"\n}}\n",
        site.namespace,
        "0f1e2d3c4b5a6978".repeat(4),
    );
    write!(
        text,
        "host \"w[slot=1-{last}]\" {{ labels role=worker; }}\n\
         pool workers {{ select role=worker; deploy debian; rollout max-unavailable=3; }}\n"
    )
    .unwrap();
    std::fs::create_dir_all(site.path(folder)).unwrap();
    let new = site.path(folder).join("new~");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, site.path(folder).join("fleet.kdl")).unwrap();
}

/// `metalform apply --yes` of a folder by a person, with these flags.
fn apply(site: &Site, folder: &str, flags: &[&str]) -> Done {
    std::process::Command::new(env!("CARGO_BIN_EXE_metalform"))
        .env("KUBECONFIG", site.server.kubeconfig())
        .args(["apply", "--yes", "--namespace", &site.namespace])
        .args(flags)
        .arg(site.path(folder))
        .output()
        .unwrap()
        .into()
}

/// The reason of a condition of the Fleet, and its message.
fn told(site: &Site, kind: &str) -> (String, String) {
    let fleet = site.get("fleets/lab");
    let all = fleet["status"]["conditions"].as_array().cloned();
    let mut all = all.unwrap_or_default().into_iter();
    let found = all.find(|condition| condition["type"] == kind);
    let found = found.unwrap_or_default();
    let field = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (field("reason"), field("message"))
}

#[track_caller]
fn is(site: &Site, kind: &str, reason: &str) {
    until(
        || told(site, kind).0 == reason,
        || format!("{kind} is {:?}", told(site, kind)),
    );
}

fn version(site: &Site, what: &str) -> Value {
    site.get(what)["metadata"]["resourceVersion"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_given_beside_a_controller_for_the_text_that_it_follows() {
    let Some(site) = Site::shared("granted").await else {
        return;
    };
    save(&site, "specs", 3);
    site.credentials("bmc", "calvin");
    let specs = site.path("specs");
    let _controller = site.simulate("granted", &["--specs", specs.to_str().unwrap()]);
    is(&site, "Ready", "Settled");
    save(&site, "before", 3);
    save(&site, "specs", 1);
    is(&site, "Synced", "ChangesHeld");
    let (_, message) = told(&site, "Synced");
    let way = format!(
        "metalform apply --namespace {} --allow-destroy w",
        site.namespace
    );
    assert!(message.contains(&way), "{message}");
    let before = version(&site, "bmh/w1");

    // Of another text no word is given, and without one nothing else is said than before.
    apply(&site, "before", &["--allow-destroy", "w2"])
        .code(5)
        .says("follows another text")
        .says("the same files");
    apply(&site, "specs", &[])
        .code(5)
        .says("--force-beside-controller");
    apply(&site, "specs", &["--wait", "--allow-destroy", "w2"])
        .code(2)
        .says("kubectl wait");
    apply(&site, "specs", &["--allow-destroy", "w1"])
        .code(2)
        .says("does not destroy that host");
    apply(
        &site,
        "specs",
        &["--dry-run=server", "--allow-destroy", "w2"],
    )
    .code(0)
    .says("nothing was changed");
    for host in ["w2", "w3"] {
        let host = site.get(&format!("bmh/{host}"));
        let word = &host["metadata"]["annotations"]["metalform.dev/allow-destroy"];
        assert!(word.is_null(), "{host:#}");
    }

    apply(&site, "specs", &["--allow-destroy", "w2"])
        .code(0)
        .says("w2: granted; the controller carries it out");
    until(
        || site.get("bmh/w2").is_null(),
        || site.get("bmh/w2").to_string(),
    );
    // The word was for one host, and nothing else was written.
    is(&site, "Synced", "ChangesHeld");
    until(
        || told(&site, "Synced").1.contains("w3"),
        || told(&site, "Synced").1,
    );
    assert_eq!(version(&site, "bmh/w1"), before);
    apply(&site, "specs", &["--allow-destroy", "w[2-3]"])
        .code(0)
        .says("w3: granted");
    is(&site, "Ready", "Settled");
    assert!(site.get("bmh/w3").is_null());
    apply(&site, "specs", &["--allow-destroy", "w3"])
        .code(0)
        .says("nothing is left to allow");
}
