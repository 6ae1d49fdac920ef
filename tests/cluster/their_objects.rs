//! What the Bare Metal Operator writes to the API server, and what people had written for it.

use serde_json::{Value, json};

use crate::other_operator::{Change, OtherOperator};
use crate::recording::{Machine, Recording, TIME, timed};

/// The field manager of what it writes: the name of its program, as client-go takes it.
const MANAGER: &str = "baremetal-operator";
/// The one of what people write.
const USER: &str = "kubectl";
/// Its finalizers.
const OF_SECRET: &str = "baremetalhost.metal3.io/secret";
const OF_HARDWARE_DATA: &str = "baremetalhost.metal3.io/hardwareData";

impl OtherOperator<'_> {
    /// A host as it was written, changed and completed before this moment. Answers its UID.
    pub fn write_specs(&self, machine: &Machine, recording: &Recording, change: &Change) -> String {
        let name = &machine.name;
        let spec_of = |line: &Value| {
            let mut spec = line["spec"].clone();
            json_patch::merge(&mut spec, &change.spec.map_or(json!({}), |spec| spec()));
            if let Some(secret) = change.shares {
                spec["bmc"]["credentialsName"] = secret.into();
            }
            spec
        };
        let mut lines = recording.host.iter();
        let mut host = json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": { "name": name }, "spec": spec_of(lines.next().unwrap()),
        });
        let mut specs = recording.host.iter().map(|line| &line["spec"]);
        let last = specs.rfind(|spec| !spec.is_null()).unwrap();
        if change.shares.is_none() {
            self.write_secrets(last, change);
        }
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

    /// Marks the Secrets. Answers the version of the credentials.
    pub fn claim_secrets(&self, machine: &Machine, uid: &str) -> String {
        let host = self.read("baremetalhosts", &machine.name);
        let mut version = String::new();
        for (name, of) in named(&host["spec"]) {
            let mut secret = self.read("secrets", &name);
            let meta = &mut secret["metadata"];
            meta["labels"] = json!({ "environment.metal3.io": "baremetal" });
            if of == "bmc" {
                meta["finalizers"] = json!([OF_SECRET]);
                if meta["ownerReferences"].is_null() {
                    meta["ownerReferences"] = json!([]);
                }
                let owners = meta["ownerReferences"].as_array_mut();
                owners.unwrap().push(owner(&machine.name, uid));
            }
            let secret = self.send("PUT", &self.path("secrets", &name), &secret, MANAGER);
            if of == "bmc" {
                let text = secret["metadata"]["resourceVersion"].as_str();
                text.unwrap().clone_into(&mut version);
            }
        }
        version
    }

    /// A Secret has another version since a host more owns it: those that had it before follow.
    pub fn follow_secret(&self, name: &str) {
        let secret = self.read("secrets", name);
        for owner in secret["metadata"]["ownerReferences"].as_array().unwrap() {
            let name = owner["name"].as_str().unwrap();
            let mut host = self.read("baremetalhosts", name);
            for which in ["goodCredentials", "triedCredentials"] {
                let noted = &mut host["status"][which];
                noted["credentials"]["name"] = secret["metadata"]["name"].clone();
                noted["credentialsVersion"] = secret["metadata"]["resourceVersion"].clone();
            }
            let path = self.path("baremetalhosts", &format!("{name}/status"));
            self.send("PUT", &path, &host, MANAGER);
        }
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
    pub fn write_beside(&self, machine: &Machine, uid: &str, mut object: Value) {
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

    pub fn path(&self, plural: &str, name: &str) -> String {
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
    pub fn send(&self, method: &str, path: &str, body: &Value, manager: &str) -> Value {
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
            let conditions = host["status"]["conditions"].as_array_mut();
            for condition in conditions.into_iter().flatten() {
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
