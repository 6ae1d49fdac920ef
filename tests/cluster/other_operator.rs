//! The Bare Metal Operator, played from its recordings: what it has an Ironic do, and what it leaves
//! in the API server.
//!
//! Its requests go to Ironic itself and to the API server under its own field manager. None of
//! metalform's code is used.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::controller::{PATIENCE, until};
use crate::lab::Lab;
use crate::recording::{Machine, Moment, Recording, TIME, timed};

/// The field manager of what it writes: the name of its program, as client-go takes it.
const MANAGER: &str = "baremetal-operator";
/// The one of what people write.
const USER: &str = "kubectl";
/// Its finalizers.
const OF_SECRET: &str = "baremetalhost.metal3.io/secret";
const OF_HARDWARE_DATA: &str = "baremetalhost.metal3.io/hardwareData";

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
    /// Its power is not brought in line with the spec.
    pub powerless: bool,
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

    /// A host as it was written, changed and completed before this moment. Answers its UID.
    fn write_specs(&self, machine: &Machine, recording: &Recording, change: &Change) -> String {
        let name = &machine.name;
        let spec_of = |line: &Value| {
            let mut spec = line["spec"].clone();
            json_patch::merge(&mut spec, &change.spec.map_or(json!({}), |spec| spec()));
            spec
        };
        let mut lines = recording.host.iter();
        let mut host = json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": { "name": name }, "spec": spec_of(lines.next().unwrap()),
        });
        let mut specs = recording.host.iter().map(|line| &line["spec"]);
        let last = specs.rfind(|spec| !spec.is_null()).unwrap();
        self.write_secrets(last, change);
        host = self.send("POST", &self.path("baremetalhosts", ""), &host, USER);
        for line in lines {
            let mut manager = USER;
            if !line["spec"].is_null() {
                let next = spec_of(line);
                let mut completed = host["spec"].clone();
                completed["architecture"] = next["architecture"].clone();
                if completed == next {
                    manager = MANAGER;
                }
                host["spec"] = next;
            } else if !line["annotations"].is_null() {
                host["metadata"]["annotations"] = line["annotations"].clone();
            } else if !line["finalizers"].is_null() {
                host["metadata"]["finalizers"] = line["finalizers"].clone();
                manager = MANAGER;
            } else {
                continue;
            }
            host = self.send("PUT", &self.path("baremetalhosts", name), &host, manager);
        }
        if let Some(annotation) = change.annotation {
            host["metadata"]["annotations"][annotation] = "".into();
            host = self.send("PUT", &self.path("baremetalhosts", name), &host, USER);
        }
        host["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    /// The Secrets that a spec names, as people write them.
    pub fn write_secrets(&self, spec: &Value, change: &Change) {
        let password = change
            .password
            .unwrap_or_else(|| self.lab.text("bmc", "password"));
        let user = self.lab.text("bmc", "username");
        for (name, of) in named(spec) {
            let contents = match of {
                "bmc" => json!({ "username": user, "password": password }),
                "userData" => json!({ of: "#cloud-config\nhostname: a\n" }),
                "networkData" => json!({ of: "links: []\nnetworks: []\nservices: []\n" }),
                _ => json!({ of: "custom: x\n" }),
            };
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": { "name": name }, "stringData": contents,
            });
            self.send("POST", &self.path("secrets", ""), &secret, USER);
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
    fn node(&self, node: &str) -> Value {
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

    /// Marks the Secrets. Answers the version of the credentials.
    fn claim_secrets(&self, machine: &Machine, uid: &str) -> String {
        let host = self.read("baremetalhosts", &machine.name);
        let mut version = String::new();
        for (name, of) in named(&host["spec"]) {
            let mut secret = self.read("secrets", &name);
            let meta = &mut secret["metadata"];
            meta["labels"] = json!({ "environment.metal3.io": "baremetal" });
            if of == "bmc" {
                meta["finalizers"] = json!([OF_SECRET]);
                meta["ownerReferences"] = json!([owner(&machine.name, uid)]);
            }
            let secret = self.send("PUT", &self.path("secrets", &name), &secret, MANAGER);
            if of == "bmc" {
                let text = secret["metadata"]["resourceVersion"].as_str();
                text.unwrap().clone_into(&mut version);
            }
        }
        version
    }

    /// Writes a host's status.
    pub fn write_status(&self, name: &str, mut status: Value, change: &Change) {
        status["lastUpdated"] = TIME.into();
        json_patch::merge(&mut status, &change.status.map_or(json!({}), |it| it()));
        timed(&mut status);
        let mut host = self.read("baremetalhosts", name);
        host["status"] = status;
        let path = self.path("baremetalhosts", &format!("{name}/status"));
        self.send("PUT", &path, &host, MANAGER);
    }

    /// What stands beside a host, with the status it has.
    fn write_beside(&self, machine: &Machine, uid: &str, mut object: Value) {
        let name = &machine.name;
        let plural = match object["kind"].as_str().unwrap() {
            "HardwareData" => "hardwaredata",
            "HostFirmwareSettings" => "hostfirmwaresettings",
            _ => "hostfirmwarecomponents",
        };
        object["apiVersion"] = "metal3.io/v1alpha1".into();
        let meta = &mut object["metadata"];
        meta["ownerReferences"][0]["uid"] = uid.into();
        if plural == "hardwaredata" {
            // The recording is of a host that is gone, which takes it off.
            meta["finalizers"] = json!([OF_HARDWARE_DATA]);
        }
        let mut status = object["status"].take();
        let mut made = self.send("POST", &self.path(plural, ""), &object, MANAGER);
        if status.is_null() {
            return;
        }
        timed(&mut status);
        status["lastUpdated"] = TIME.into();
        made["status"] = status;
        let path = self.path(plural, &format!("{name}/status"));
        self.send("PUT", &path, &made, MANAGER);
    }

    fn path(&self, plural: &str, name: &str) -> String {
        let group = if plural == "secrets" {
            "api/v1"
        } else {
            "apis/metal3.io/v1alpha1"
        };
        let path = format!("/{group}/namespaces/{}/{plural}/{name}", self.namespace);
        path.trim_end_matches('/').to_owned()
    }

    /// An object as it is now.
    #[track_caller]
    pub fn read(&self, plural: &str, name: &str) -> Value {
        self.send("GET", &self.path(plural, name), &Value::Null, USER)
    }

    /// The same; null when it is not there.
    pub fn find(&self, plural: &str, name: &str) -> Value {
        let request = http::Request::get(self.path(plural, name));
        let answer = self
            .client
            .request::<Value>(request.body(Vec::new()).unwrap());
        self.runtime.block_on(answer).unwrap_or_default()
    }

    /// Makes an object.
    #[track_caller]
    pub fn create(&self, plural: &str, object: &Value) {
        self.send("POST", &self.path(plural, ""), object, USER);
    }

    /// One request to the API server.
    #[track_caller]
    fn send(&self, method: &str, path: &str, body: &Value, manager: &str) -> Value {
        let (uri, text) = match body {
            Value::Null => (path.to_owned(), String::new()),
            body => (format!("{path}?fieldManager={manager}"), body.to_string()),
        };
        let request = http::Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", "application/json")
            .body(text.into_bytes())
            .unwrap();
        let answer = self.client.request::<Value>(request);
        self.runtime
            .block_on(answer)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Waits until Ironic has the health of every machine that it reaches: it looks for that every
    /// few seconds, and a host's conditions follow.
    pub fn rests(&self) {
        let fields = "/v1/nodes?fields=name,provision_state,health,reservation";
        let nodes = || self.lab.ask("GET", fields, None).1["nodes"].take();
        let is_known = |node: &Value| {
            (node["health"] == "OK" || node["provision_state"] == "enroll")
                && node["reservation"].is_null()
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

    /// Notes in the conditions what Ironic tells of each machine's health, as it does with every
    /// look at a host.
    pub fn notes_health(&self) {
        let hosts = self.read("baremetalhosts", "");
        for host in hosts["items"].as_array().unwrap() {
            let mut host = host.clone();
            let id = &host["status"]["provisioning"]["ID"];
            let node = id.as_str().filter(|id| !id.is_empty());
            let paused = &host["metadata"]["annotations"]["baremetalhost.metal3.io/paused"];
            if node.is_none_or(|node| self.node(node)["health"] != "OK") || !paused.is_null() {
                continue;
            }
            let name = host["metadata"]["name"].as_str().unwrap().to_owned();
            let generation = host["metadata"]["generation"].clone();
            let conditions = host["status"]["conditions"].as_array_mut().unwrap();
            for condition in conditions {
                if condition["type"] == "Healthy" {
                    condition["status"] = "True".into();
                    condition["reason"] = "Healthy".into();
                    condition["observedGeneration"] = generation.clone();
                }
            }
            let path = self.path("baremetalhosts", &format!("{name}/status"));
            self.send("PUT", &path, &host, MANAGER);
        }
    }
}

/// The Secrets that a spec names, each with what it is for.
fn named(spec: &Value) -> Vec<(String, &'static str)> {
    let name = |value: &Value| value.as_str().map(str::to_owned);
    let bmc = name(&spec["bmc"]["credentialsName"]);
    let others = ["userData", "networkData", "metaData"];
    let others = others.map(|of| Some((name(&spec[of]["name"])?, of)));
    let all = [bmc.map(|name| (name, "bmc"))].into_iter().chain(others);
    all.flatten().collect()
}

/// An owner reference as it gives it to Secrets.
fn owner(name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost", "name": name, "uid": uid,
    })
}
