//! More than one controller on one real Ironic and one set of hosts, one after the other:
//! whatever becomes of the controllers, each thing is done to a machine once.
//!
//! Counted is what Ironic took, in the log of the front that all of them ask through. Settings of a
//! node may be written twice, as they are (`PATCH`); nodes are made, verbs are sent and nodes are
//! removed once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::controller::{Controller, Site, until};
use crate::dice::Dice;
use crate::ironic_away;
use crate::lab::{self, Asked};

/// The verbs of a life from nothing to provisioned.
const LIFE: [&str; 4] = ["manage", "inspect", "provide", "active"];
/// Those of a new image.
const ROLL: [&str; 2] = ["deleted", "active"];
/// So long that a busy machine does not lose the lease, and short enough to wait for.
const TIMES: [&str; 4] = [
    "--leader-elect",
    "--lease-duration=8",
    "--renew-deadline=6",
    "--retry-period=1",
];

/// A site whose hosts have fake machines of the shared lab.
struct Scene {
    site: Site,
    lab: lab::Shared,
    /// Part of their MAC addresses, this test's alone.
    number: u8,
}

impl Scene {
    async fn set(about: &str, number: u8) -> Option<Self> {
        if !lab::is_wanted() {
            return None;
        }
        let site = Site::shared(about).await?;
        let lab = lab::shared()?;
        site.credentials("bmc", lab.text("bmc", "password"));
        Some(Self { site, lab, number })
    }

    /// Makes these hosts with the first image, and more of their specs.
    fn create(&self, hosts: &[(&str, u8, Value)]) {
        let host = |(name, slot, more): &(&str, u8, Value)| {
            let mut host = ironic_away::host(&self.lab, name, *slot, more);
            let mac = format!("52:54:00:f9:{:02x}:{slot:02x}", self.number);
            host["spec"]["bootMACAddress"] = mac.into();
            host
        };
        let hosts: Vec<Value> = hosts.iter().map(host).collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": hosts });
        self.site.create(&list);
    }

    fn start(&self, name: &str, flags: &[&str]) -> Controller {
        self.site
            .start(name, &[&self.lab.flags()[..], flags].concat())
    }

    /// From now on the hosts are to have this image.
    fn give(&self, hosts: &[&str], image: usize) {
        let image = json!({ "spec": { "image": self.lab.image(image) } });
        for name in hosts {
            self.site.patch(&format!("bmh/{name}"), &image);
        }
    }

    /// Waits until the hosts have this image and are on: one after the other, so that each has its
    /// time on a busy machine.
    #[track_caller]
    fn have(&self, hosts: &[&str], image: usize) {
        let wanted = &self.lab.image(image)["url"];
        for name in hosts {
            let status = || self.site.get(&format!("bmh/{name}"))["status"].clone();
            let is_so = |status: &Value| {
                status["provisioning"]["state"] == "provisioned"
                    && status["provisioning"]["image"]["url"] == *wanted
                    && status["poweredOn"] == true
            };
            until(|| is_so(&status()), || format!("{name}: {}", status()));
        }
    }

    /// The nodes of the hosts by their names.
    fn nodes(&self) -> BTreeMap<String, lab::Node> {
        let own = format!("{}~", self.site.namespace);
        let nodes = self.lab.nodes().into_iter();
        nodes
            .filter_map(|(name, node)| Some((name.strip_prefix(&own)?.to_owned(), node)))
            .collect()
    }

    /// What Ironic did since a mark is each of these verbs for each of these hosts once, and nothing
    /// else: it switches machines on by itself when it deploys.
    #[track_caller]
    fn did_once(&self, from: usize, hosts: &[&str], verbs: &[&str]) {
        let wanted: BTreeMap<String, usize> = hosts
            .iter()
            .flat_map(|host| verbs.iter().map(move |verb| (format!("{host} {verb}"), 1)))
            .collect();
        assert_eq!(self.done(from), wanted);
    }

    /// How often Ironic did what since a mark: `h1 active` to 1.
    fn done(&self, from: usize) -> BTreeMap<String, usize> {
        let own = format!("{}~", self.site.namespace);
        let done = self.lab.done(&own, from).into_iter();
        done.map(|(what, times)| (what.trim_start_matches(&own).to_owned(), times))
            .collect()
    }

    /// How many nodes were made since a mark, or with `DELETE` removed.
    fn nodes_that(&self, method: &str, from: usize) -> usize {
        let is_it = |asked: &&Asked| {
            let node = asked.path.strip_prefix("/v1/nodes");
            let whole = node.is_some_and(|rest| !rest.trim_start_matches('/').contains('/'));
            asked.method == method && asked.is_done() && whole
        };
        self.lab.asked(from).iter().filter(is_it).count()
    }

    /// Waits until Ironic is only looked at, some times in a row since this mark.
    #[track_caller]
    fn rests(&self, from: usize) {
        let is_look = |asked: &&Asked| {
            asked.path.starts_with("/v1/nodes?") || asked.path.starts_with("/v1/nodes/detail?")
        };
        let looks = || {
            let asked = self.lab.asked(from);
            let last = asked.iter().rev().take_while(|asked| asked.method == "GET");
            last.filter(is_look).count()
        };
        until(|| looks() >= 3, || format!("{} looks in a row", looks()));
    }

    /// The next request of this kind is held at the front.
    fn hold(&self, method: &str, path: &str) {
        let rule = json!({ "what": "hold", "method": method, "path": path });
        self.lab.fault(&rule);
    }

    #[track_caller]
    fn holds(&self, count: u64) {
        let held = || self.lab.held();
        until(|| held() == count, || format!("{} are held", held()));
    }
}

/// Changes that were asked for, done or not.
fn changes(asked: Vec<Asked>) -> Vec<Asked> {
    let mut all = asked;
    all.retain(|asked| asked.method != "GET");
    all
}

/// One machine waits for its agent; one is between the two requests of its deployment; one is being
/// made known, and its port would be next.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_frozen_in_the_middle_of_effects_does_nothing_more() {
    let Some(scene) = Scene::set("thawed", 1).await else {
        return;
    };
    let (site, lab) = (&scene.site, &scene.lab);
    let from = lab.mark();
    // Their agents are needed for the deployment only.
    let quick = json!({ "inspectionMode": "disabled", "automatedCleaningMode": "disabled" });
    let mut bare = quick.clone();
    bare["image"] = Value::Null;
    let waits = format!("{}~waits", site.namespace);
    lab.agent(&waits, "silent", -1);
    scene.create(&[("waits", 1, quick), ("deploys", 2, bare)]);
    let mut first = scene.start("first", &TIMES);
    first.says("holds the lease");
    let second = scene.start("second", &TIMES);
    second.says("hosts read");
    site.comes_to("deploys", "available");
    let state = |host: &str| scene.nodes().get(host).map(|node| node.state.clone());
    until(
        || state("waits").as_deref() == Some("wait call-back"),
        || format!("{:?}", scene.nodes()),
    );
    let deploys = scene.nodes()["deploys"].uuid.clone();
    scene.hold("PATCH", &deploys);
    scene.hold("POST", "/v1/nodes");
    scene.create(&[("enrols", 3, json!({}))]);
    scene.give(&["deploys"], 0);
    scene.holds(2);
    first.signal("STOP");
    assert_eq!(state("deploys").as_deref(), Some("available"));
    assert_eq!(state("enrols"), None);
    assert!(!second.log().contains("engine starts"), "{}", second.log());
    // Ironic does what it was asked for, and nobody hears of it.
    let frozen = lab.mark();
    lab.let_go();
    let done = || changes(lab.asked(frozen));
    until(|| done().len() >= 2, || format!("{:?}", done()));
    let asked = done();
    assert!(asked.iter().all(Asked::is_done), "{asked:?}");
    let methods: Vec<&str> = asked.iter().map(|asked| asked.method.as_str()).collect();
    assert!(
        methods == ["PATCH", "POST"] || methods == ["POST", "PATCH"],
        "{asked:?}"
    );
    assert_eq!(state("enrols").as_deref(), Some("enroll"));

    second.says("holds the lease");
    lab.agent(&waits, "silent", 0);
    scene.have(&["waits", "deploys", "enrols"], 0);
    scene.rests(lab.mark());
    let mark = lab.mark();
    let thawed = jiff::Timestamp::now();
    first.signal("CONT");
    let ended = first.ends();
    assert_eq!(ended.code(), Some(5), "{}", first.log());
    scene.rests(lab.mark());
    let more = changes(lab.asked(mark));
    assert!(more.is_empty(), "{more:?}\n{}", first.log());
    assert_eq!(first.did_after(thawed), Vec::<String>::new());
    // While it was available it was switched on.
    let mut wanted = BTreeMap::from([("deploys power on".to_owned(), 1)]);
    for host in ["waits", "deploys", "enrols"] {
        let verbs = LIFE.iter().filter(|v| host == "enrols" || **v != "inspect");
        wanted.extend(verbs.map(|verb| (format!("{host} {verb}"), 1)));
    }
    assert_eq!(scene.done(from), wanted);
    assert_eq!(scene.nodes_that("POST", from), 3);
    for host in site.hosts() {
        Site::is_well(&host);
    }
    second.stop();
}

impl Scene {
    /// Starts controllers and kills each: in the middle of one of each of these requests, then at
    /// random moments, until all is deployed or so many died.
    #[track_caller]
    fn outlives(
        &self,
        requests: &[(&str, &str)],
        (dice, most): (&mut Dice, usize),
        (hosts, image): (&[&str], usize),
    ) {
        for (method, path) in requests {
            self.hold(method, path);
            let controller = self.start(&format!("{image}-{method}"), &[]);
            self.holds(1);
            controller.dies();
            self.lab.let_go();
        }
        let url = &self.lab.image(image)["url"];
        let is_done = |node: &lab::Node| node.state == "active" && node.image == *url;
        let mut deaths = 0;
        while deaths < most {
            let nodes = self.nodes();
            let done = nodes.values().filter(|node| is_done(node)).count();
            println!("{deaths} died at random, {done} are deployed");
            if done == hosts.len() {
                break;
            }
            let controller = self.start(&format!("{image}-{deaths}"), &[]);
            std::thread::sleep(dice.pause(200..4000));
            controller.dies();
            deaths += 1;
        }
        let last = self.start(&format!("{image}-last"), &[]);
        self.have(hosts, image);
        self.rests(self.lab.mark());
        self.site.is_whole(hosts.len());
        last.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn controllers_that_are_killed_at_any_moment_do_nothing_twice() {
    let Some(scene) = Scene::set("killed", 3).await else {
        return;
    };
    let lab = &scene.lab;
    let names: Vec<String> = (1..=12).map(|slot| format!("h{slot}")).collect();
    let hosts: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut dice = Dice::new();
    let from = lab.mark();
    let all = (1..)
        .zip(&hosts)
        .map(|(slot, name)| (*name, slot, json!({})));
    scene.create(&all.collect::<Vec<_>>());
    let requests = [
        ("POST", "/v1/nodes"),
        ("POST", "/v1/ports"),
        ("PUT", "/states/provision"),
        ("PATCH", "/v1/nodes/"),
    ];
    scene.outlives(&requests, (&mut dice, 14), (&hosts, 0));
    scene.did_once(from, &hosts, &LIFE);
    assert_eq!(scene.nodes_that("POST", from), hosts.len());

    let before = scene.nodes();
    let from = lab.mark();
    scene.give(&hosts, 1);
    let requests = [("PUT", "/states/provision"), ("PATCH", "/v1/nodes/")];
    scene.outlives(&requests, (&mut dice, 14), (&hosts, 1));
    scene.did_once(from, &hosts, &ROLL);
    for (name, node) in scene.nodes() {
        assert_eq!(node.uuid, before[&name].uuid, "{name} is another node now");
    }
}
