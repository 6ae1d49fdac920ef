//! The Bare Metal Operator, played from its recordings: what it has an Ironic do, and what it leaves
//! in the API server.
//!
//! Its requests go to Ironic itself and to the API server under its own field manager. None of
//! metalform's code is used.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::controller::{PATIENCE, until};
use crate::lab::Lab;
use crate::recording::{Machine, Moment, Recording};

/// That operator, at one Ironic and in one namespace.
pub struct OtherOperator<'a> {
    pub lab: &'a Lab,
    pub namespace: &'a str,
    pub runtime: tokio::runtime::Handle,
    pub client: kube::Client,
}

/// How a host is other than the recorded one.
#[derive(Clone, Copy, Default)]
pub struct Change {
    /// Merged into every recorded spec.
    pub spec: Option<fn() -> Value>,
    /// Merged into the status in the end.
    pub status: Option<fn() -> Value>,
    /// An annotation that it has in the end.
    pub annotation: Option<&'static str>,
    /// The BMC's password in the Secret.
    pub password: Option<&'static str>,
    /// It has this Secret of another host's, which is there by then.
    pub shares: Option<&'static str>,
    /// Its power is not brought in line with the spec.
    pub powerless: bool,
    /// A person put its node into maintenance mode.
    pub upkeep: bool,
}

impl OtherOperator<'_> {
    /// Brings the machine of this number, and a host of this name, to a moment of a recording.
    pub fn bring(&self, slot: usize, name: &str, moment: &Moment, change: &Change) {
        let machine = Machine::of(self.lab, slot, self.namespace, name);
        let recording = machine.recording(moment);
        let uid = self.write_specs(&machine, &recording, change);
        let node = self.play(&recording, change, &uid);
        if let Some(node) = &node
            && !change.powerless
        {
            let online = self.read("baremetalhosts", name)["spec"]["online"] == true;
            self.power(node, online);
        }
        if let Some(node) = node.as_deref().filter(|_| change.upkeep) {
            self.write(&json!({
                "method": "PUT", "path": format!("/v1/nodes/{node}/maintenance"),
                "body": { "reason": "a new fan" },
            }));
        }
        let version = self.claim_secrets(&machine, &uid);
        let mut status = self.find_inventory(node.as_deref(), recording.status());
        for which in ["goodCredentials", "triedCredentials"] {
            if status[which].get("credentialsVersion").is_some() {
                status[which]["credentialsVersion"] = version.as_str().into();
            }
        }
        status["poweredOn"] = self.is_on(node.as_deref()).into();
        if let Some(node) = &node {
            let seen = self.node(node);
            if let Some(text) = seen["last_error"].as_str() {
                status["errorMessage"] = text.into();
            }
            status["provisioning"]["ID"] = node.as_str().into();
        }
        self.write_status(name, status, change);
        for object in recording.beside {
            let object = self.find_inventory(node.as_deref(), object);
            self.write_beside(&machine, &uid, object);
        }
    }

    /// Sends the recorded writes, each when the one before it has done its work. Answers the node's
    /// UUID; nothing when it is deleted in the end.
    fn play(&self, recording: &Recording, change: &Change, uid: &str) -> Option<String> {
        let mut node: Option<String> = None;
        for write in &recording.writes {
            let mut text = write.to_string();
            if let Some(node) = &node {
                text = text.replace("{node}", node);
            }
            if let Some(recorded) = &recording.uid {
                text = text.replace(recorded, uid);
            }
            if let Some(password) = change.password {
                let of = |password| format!(r#""redfish_password":"{password}""#);
                text = text.replace(&of(self.lab.text("bmc", "password")), &of(password));
            }
            let write: Value = serde_json::from_str(&text).unwrap();
            let answer = self.write(&write);
            match (write["method"].as_str().unwrap(), &node) {
                ("POST", None) => node = Some(answer["uuid"].as_str().unwrap().to_owned()),
                ("DELETE", _) => node = None,
                (_, Some(node)) => self.wait(node, write["body"]["target"].as_str()),
                (_, None) => {}
            }
        }
        node
    }

    /// One write to Ironic, which is asked again while the node is locked.
    #[track_caller]
    fn write(&self, write: &Value) -> Value {
        let method = write["method"].as_str().unwrap();
        let path = write["path"].as_str().unwrap();
        let started = Instant::now();
        loop {
            let (status, answer) = self.lab.ask(method, path, write.get("body"));
            if (200..300).contains(&status) {
                return answer;
            }
            let busy = matches!(status, 409 | 503) && started.elapsed() < PATIENCE;
            assert!(busy, "{write}: {status} {answer}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until a node has come to where it was sent, or back from there.
    #[track_caller]
    fn wait(&self, node: &str, target: Option<&str>) {
        let started = Instant::now();
        loop {
            let seen = self.node(node);
            let rests = seen["reservation"].is_null()
                && seen["target_provision_state"].is_null()
                && seen["target_power_state"].is_null();
            let state = seen["provision_state"].as_str().unwrap_or_default();
            let there = match target {
                Some("manage") => state == "manageable" || !seen["last_error"].is_null(),
                Some("inspect") => state == "manageable",
                Some("provide" | "deleted") => state == "available",
                Some("active" | "adopt") => state == "active",
                Some("power on") => seen["power_state"] == "power on",
                Some("soft power off" | "power off") => seen["power_state"] == "power off",
                _ => true,
            };
            if rests && there {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "no {target:?}: {seen}");
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// As it looks after power, once a minute, in every state in which a host rests.
    fn power(&self, node: &str, online: bool) {
        if self.is_on(Some(node)) == online {
            return;
        }
        let target = if online { "power on" } else { "power off" };
        self.write(&json!({
            "method": "PUT", "path": format!("/v1/nodes/{node}/states/power"),
            "body": { "target": target },
        }));
        self.wait(node, Some(target));
    }

    fn is_on(&self, node: Option<&str>) -> bool {
        // Ironic forgot the machine of a host that is detached while it ran.
        let Some(node) = node else { return true };
        self.node(node)["power_state"] == "power on"
    }

    /// A node as it is now.
    pub fn node(&self, node: &str) -> Value {
        self.lab.ask("GET", &format!("/v1/nodes/{node}"), None).1
    }

    /// What an inspection found on the recorded machine, as it would have found it on this one:
    /// the MAC address of the second network card is another one.
    fn find_inventory(&self, node: Option<&str>, recorded: Value) -> Value {
        let text = recorded.to_string();
        let (Some(node), Some(at)) = (node, text.find("52:54:00:ab:")) else {
            return recorded;
        };
        let path = format!("/v1/nodes/{node}/inventory");
        let (_, inventory) = self.lab.ask("GET", &path, None);
        let mac = &inventory["inventory"]["interfaces"][1]["mac_address"];
        let text = text.replace(&text[at..at + 17], mac.as_str().unwrap());
        serde_json::from_str(&text).unwrap()
    }

    /// Waits until Ironic has the health of every machine that it reaches: it looks for that every
    /// few seconds, and a host's conditions follow.
    pub fn rests(&self) {
        let fields = "/v1/nodes?fields=name,provision_state,health,reservation,maintenance";
        let nodes = || self.lab.ask("GET", fields, None).1["nodes"].take();
        let is_known = |node: &Value| {
            let unseen = node["provision_state"] == "enroll" || node["maintenance"] == true;
            (node["health"] == "OK" || unseen) && node["reservation"].is_null()
        };
        until(
            || {
                nodes()
                    .as_array()
                    .is_some_and(|all| all.iter().all(is_known))
            },
            || format!("not everything is known: {}", nodes()),
        );
    }
}
