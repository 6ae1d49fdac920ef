//! A real Ironic that is away for a minute while hosts are at work in every phase: each says why it
//! waits, no error is counted, and all of them come to their ends with every machine told each thing once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::controller::{Site, until};
use crate::ironic_away::{host, own, refused, start, states};
use crate::lab::Lab;
use crate::word::run;

/// How long Ironic is away.
const AWAY: Duration = Duration::from_mins(1);
/// Goes while Ironic is away.
const GOING: &str = "powering-off";
/// Comes while Ironic is away.
const NEW: &str = "new";
/// Those whose power is looked at: that of others changes by the way.
const POWERED: [&str; 2] = ["external", "provisioned"];

/// A host by what it is at when its Ironic goes away.
struct Case {
    name: &'static str,
    /// What its spec has besides.
    more: Value,
    /// Its state then, and its node's.
    at: [&'static str; 2],
    /// Its state in the end.
    end: &'static str,
    /// What Ironic is told from then on.
    told: &'static [&'static str],
}

fn cases(site: &Site, lab: &Lab) -> Vec<Case> {
    let case = |name, more, at, end, told| Case {
        name,
        more,
        at,
        end,
        told,
    };
    let bare = || json!({ "image": null });
    let unseen = || json!({ "inspectionMode": "disabled" });
    // Nothing comes between its registration and its deployment.
    let skip = json!({ "inspectionMode": "disabled", "automatedCleaningMode": "disabled" });
    let raid = json!({
        "image": null, "inspectionMode": "disabled",
        "raid": { "softwareRAIDVolumes": [{ "level": "1" }] },
    });
    let mut locked_out = refused(site, lab);
    locked_out["image"] = Value::Null;
    locked_out["inspectionMode"] = "disabled".into();
    let external = json!({ "externallyProvisioned": true });
    let off = "powering off before delete";
    let (free, done, theirs) = ("available", "provisioned", "externally provisioned");
    vec![
        case(
            "registering",
            locked_out,
            ["registering", "enroll"],
            free,
            &["manage"],
        ),
        case(
            "inspecting",
            bare(),
            ["inspecting", "inspect wait"],
            free,
            &[],
        ),
        case("preparing", raid, ["preparing", "clean wait"], free, &[]),
        case(
            "available",
            bare(),
            [free, "manageable"],
            done,
            &["provide", "active"],
        ),
        case(
            "cleaning",
            unseen(),
            ["provisioning", "clean wait"],
            done,
            &["active"],
        ),
        case(
            "provisioning",
            skip,
            ["provisioning", "wait call-back"],
            done,
            &[],
        ),
        case(
            "provisioned",
            json!({}),
            [done, "active"],
            done,
            &["soft power off"],
        ),
        case(
            "external",
            external,
            [theirs, "active"],
            theirs,
            &["soft power off", "power on"],
        ),
        case(
            "deprovisioning",
            json!({}),
            ["deprovisioning", "clean wait"],
            free,
            &[],
        ),
        case(GOING, bare(), [off, "manageable"], "", &[]),
    ]
}

/// The names of its nodes begin like this.
fn prefix(site: &Site) -> String {
    format!("{}~", site.namespace)
}

/// The hosts' statuses, by host.
fn statuses(site: &Site) -> BTreeMap<String, Value> {
    let name = |host: &Value| host["metadata"]["name"].as_str().unwrap().to_owned();
    let hosts = site.hosts().into_iter();
    hosts
        .map(|mut host| (name(&host), host["status"].take()))
        .collect()
}

/// Brings all to where Ironic leaves them.
fn place(site: &Site, lab: &Lab, cases: &[Case]) {
    for name in ["deprovisioning", "provisioned"] {
        site.comes_to(name, "provisioned");
    }
    // From here on its machine calls no more.
    silent(site, lab, "deprovisioning");
    site.patch("bmh/deprovisioning", &json!({ "spec": { "image": null } }));
    // The power of these two is asked for and not changed, as if it were locked.
    site.comes_to(GOING, "available");
    for name in [GOING, "provisioned", "external"] {
        site.is_powered(name, true);
    }
    let nodes = lab.nodes();
    for name in [GOING, "provisioned"] {
        let uuid = &nodes[&(prefix(site) + name)].uuid;
        let path = format!("{uuid}/states/power");
        lab.fault(&json!({ "what": "status", "method": "PUT", "path": path, "times": -1 }));
    }
    site.patch("bmh/provisioned", &json!({ "spec": { "online": false } }));
    site.kubectl(&["delete", &format!("bmh/{GOING}"), "--wait=false"]);
    let wanted: BTreeMap<&str, [&str; 2]> = cases.iter().map(|case| (case.name, case.at)).collect();
    let seen = || {
        let (hosts, nodes) = (statuses(site), states(lab));
        let both = |(name, status): (String, Value)| {
            let state = status["provisioning"]["state"].as_str();
            let node = nodes.get(&name).cloned().unwrap_or_default();
            (name, [state.unwrap_or_default().to_owned(), node])
        };
        hosts.into_iter().map(both).collect::<BTreeMap<_, _>>()
    };
    let is_there = || {
        let seen = seen();
        // Not before the BMC has refused the first try.
        if failures(site)["registering"] == 0 {
            return false;
        }
        let at = |(name, at): (&&str, &[&str; 2])| seen.get(*name).is_some_and(|seen| seen == at);
        wanted.iter().all(at)
    };
    until(is_there, || format!("{:#?}", seen()));
}

fn silent(site: &Site, lab: &Lab, name: &str) {
    lab.agent(&(prefix(site) + name), "silent", -1);
}

/// `get` says it of all hosts in one line, and `explain` of each.
fn all_say_why(site: &Site, hosts: usize) {
    let wait = format!(", {hosts} hosts wait: Ironic at");
    let told = || run(site, &["get"]).err;
    until(|| told().contains(&wait), told);
    for name in statuses(site).keys() {
        let explained = run(site, &["explain", &format!("host/{name}")]);
        println!("{}", explained.out);
        explained
            .says("ProvisionerDown for ")
            .says("does not answer");
    }
}

/// How often what failed, by host.
fn failures(site: &Site) -> BTreeMap<String, i64> {
    let count = |status: &Value| status["errorCount"].as_i64().unwrap_or_default();
    let statuses = statuses(site).into_iter();
    statuses
        .map(|(name, status)| (name, count(&status)))
        .collect()
}

/// Ironic is gone, and while it is, people go on.
fn is_away(site: &Site, lab: &Lab, cases: &[Case]) {
    let before = failures(site);
    let gone = Instant::now();
    // Machines call again, and no more power is refused.
    lab.forget_faults();
    let image = host(lab, "available", 0, &json!({}))["spec"]["image"].take();
    site.patch("bmh/available", &json!({ "spec": { "image": image } }));
    site.patch(
        "bmh/external",
        &json!({ "metadata": { "annotations": { "reboot.metal3.io": "" } } }),
    );
    let login = json!({
        "username": lab.text("bmc", "username"), "password": lab.text("bmc", "password"),
    });
    site.patch("secret/wrong", &json!({ "stringData": login }));
    site.create(&host(lab, NEW, 99, &json!({ "image": null })));
    site.comes_to(NEW, "registering");
    all_say_why(site, cases.len() + 1);
    std::thread::sleep(AWAY.saturating_sub(gone.elapsed()));
    all_say_why(site, cases.len() + 1);
    for (name, count) in failures(site) {
        // Only one had failed before.
        let least = before.get(&name).copied().unwrap_or_default();
        assert!(count <= least, "{name}: {count}, it was {least}");
        assert!(count == 0 || name == "registering", "{name}: {count}");
    }
}

/// All hosts are where they were to come to, and nothing went wrong on the way.
fn all_end(site: &Site, lab: &Lab, cases: &[Case]) {
    let mut wanted: BTreeMap<&str, &str> = cases.iter().map(|case| (case.name, case.end)).collect();
    wanted.remove(GOING);
    wanted.insert(NEW, "available");
    let is_done = |name: &str, status: &Value| {
        let on = name != "provisioned";
        wanted
            .get(name)
            .is_some_and(|end| status["provisioning"]["state"] == *end)
            && status["operationalStatus"] == "OK"
            && status["poweredOn"] == on
    };
    until(
        || {
            let seen = statuses(site);
            seen.len() == wanted.len() && seen.iter().all(|(name, status)| is_done(name, status))
        },
        || format!("{:#?} {:#?}", states(lab), statuses(site)),
    );
    assert!(failures(site).values().all(|count| *count == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ironic_is_down_for_a_minute_in_every_phase() {
    let Some((site, lab)) = own("down-ironic").await else {
        return;
    };
    let cases = cases(&site, &lab);
    for name in ["inspecting", "preparing", "cleaning", "provisioning"] {
        silent(&site, &lab, name);
    }
    for (slot, case) in (1..).zip(&cases) {
        site.create(&host(&lab, case.name, slot, &case.more));
    }
    let controller = start(&site, &lab, "down-ironic", &["--leader-elect"]);
    place(&site, &lab, &cases);
    let going = lab.nodes()[&(prefix(&site) + GOING)].uuid.clone();

    lab.tell("pause", &[]);
    let mark = lab.mark();
    is_away(&site, &lab, &cases);
    lab.tell("resume", &[]);
    all_end(&site, &lab, &cases);

    let own = prefix(&site);
    let told_from = |mark| {
        let mut told = lab.done(&own, mark);
        let counts = |what: &str| {
            let (name, verb) = what[own.len()..].split_once(' ').unwrap();
            POWERED.contains(&name) || !verb.contains("power")
        };
        told.retain(|what, _| counts(what));
        told
    };
    let verbs = |name: &str, verbs: &[&str]| -> Vec<(String, usize)> {
        let what = |verb: &&str| (format!("{own}{name} {verb}"), 1);
        verbs.iter().map(what).collect()
    };
    let wanted = cases.iter().map(|case| verbs(case.name, case.told));
    let wanted: BTreeMap<String, usize> = wanted
        .chain([verbs(NEW, &["manage", "inspect"])])
        .flatten()
        .collect();
    assert_eq!(told_from(mark), wanted);
    let told_going = |method: &str, end: &str| {
        let path = format!("/v1/nodes/{going}{end}");
        let asked = lab.asked(mark).into_iter();
        asked
            .filter(|asked| asked.method == method && asked.path == path && asked.is_done())
            .count()
    };
    assert_eq!(told_going("PUT", "/states/power"), 1);
    assert_eq!(told_going("DELETE", ""), 1);
    // Nor was anything done twice that had begun before.
    let mut all = told_from(0);
    all.retain(|what, _| !what.contains("power"));
    // The first try was refused.
    assert!(all.remove(&format!("{own}registering manage")) >= Some(2));
    assert!(all.values().all(|times| *times == 1), "{all:?}");
    controller.stop();
}
