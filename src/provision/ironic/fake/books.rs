//! What the Ironic of tests has in its books, and its rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Answer, Seen};

/// States in which a node whose state is to change takes a patch (`states.UPDATE_ALLOWED_STATES`).
const UPDATE_ALLOWED: &[&str] = &[
    "deploy failed",
    "inspecting",
    "inspect failed",
    "inspect wait",
    "clean failed",
    "error",
    "verifying",
    "adopt failed",
    "rescue failed",
    "unrescue failed",
    "service hold",
    "service failed",
];
/// States in which a node takes other interfaces (`ConductorManager.update_node`).
const INTERFACES_ALLOWED: &[&str] = &[
    "enroll",
    "inspecting",
    "inspect wait",
    "manageable",
    "available",
];
/// States in which a node may be deleted (`states.DELETE_ALLOWED_STATES`), but for `available`.
const DELETE_ALLOWED: &[&str] = &["manageable", "enroll", "adopt failed"];

/// Nodes and ports, with as much of Ironic's rules as the tests ask for. Every change of state is
/// done at once.
#[derive(Debug, Default)]
pub struct Books {
    /// By UUID.
    pub nodes: BTreeMap<String, Map<String, Value>>,
    /// By MAC address: UUID of the node.
    pub ports: BTreeMap<String, String>,
    /// Nodes with an inventory.
    pub inventories: BTreeMap<String, Value>,
    /// `[conductor]allow_deleting_available_nodes` is off.
    pub keeps_available: bool,
    ticks: i64,
    made: u32,
}

impl Books {
    /// Makes a node as others would.
    pub fn add(&mut self, node: &Value) -> String {
        self.made += 1;
        let uuid = node["uuid"].as_str().map_or_else(
            || format!("00000000-0000-4000-8000-{:012x}", self.made),
            str::to_owned,
        );
        let mut full = json!({
            "uuid": uuid, "provision_state": "enroll", "power_state": null, "maintenance": false,
            "driver_info": {}, "properties": {}, "instance_info": {}, "updated_at": null,
            "disable_power_off": false, "automated_clean": null, "instance_uuid": null,
        });
        full.as_object_mut()
            .unwrap()
            .extend(node.as_object().unwrap().clone());
        full["uuid"] = uuid.as_str().into();
        self.nodes
            .insert(uuid.clone(), full.as_object().unwrap().clone());
        uuid
    }

    /// Changes a node as its conductor would.
    pub fn set(&mut self, uuid: &str, key: &str, value: Value) {
        self.ticks += 1;
        let second = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        let time = second + jiff::SignedDuration::from_secs(self.ticks);
        let node = self.nodes.get_mut(uuid).unwrap();
        node.insert(key.into(), value);
        node.insert("updated_at".into(), time.to_string().into());
    }

    fn find(&self, id: &str) -> Option<String> {
        let named =
            |node: &Map<String, Value>| node.get("name").and_then(Value::as_str) == Some(id);
        let found = self
            .nodes
            .iter()
            .find(|(uuid, node)| *uuid == id || named(node));
        found.map(|(uuid, _)| uuid.clone())
    }

    pub fn answer(&mut self, seen: &Seen) -> Answer {
        let path = seen.path.split('?').next().unwrap().to_owned();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (seen.method.as_str(), &parts[..]) {
            ("GET", ["v1"]) => {
                let root = json!({ "version": { "min_version": "1.1", "version": "1.115" } });
                Answer::json(200, &root)
            }
            ("GET", ["v1", "drivers"]) => {
                Answer::json(200, &json!({ "drivers": [{ "name": "redfish" }] }))
            }
            ("GET", ["v1", "nodes"]) => self.page(seen, false),
            ("GET", ["v1", "nodes", "detail"]) => self.page(seen, true),
            ("GET", ["v1", "ports"]) => {
                let wanted = |key: &str, value: &str| seen.param(key).is_none_or(|p| p == value);
                let ports = self
                    .ports
                    .iter()
                    .filter(|(mac, node)| wanted("address", mac) && wanted("node_uuid", node));
                let ports: Vec<_> = ports
                    .map(|(mac, node)| json!({ "address": mac, "node_uuid": node }))
                    .collect();
                Answer::json(200, &json!({ "ports": ports }))
            }
            ("POST", ["v1", "nodes"]) => {
                let name = seen.body["name"].as_str().unwrap();
                if self.find(name).is_some() {
                    let text = format!("A node with name {name} already exists.");
                    return Answer::fault(409, &text);
                }
                let uuid = self.add(&seen.body);
                Answer::json(201, &self.nodes[&uuid].clone().into())
            }
            ("POST", ["v1", "ports"]) => {
                let mac = seen.body["address"].as_str().unwrap().to_owned();
                if self.ports.contains_key(&mac) {
                    let text = format!("A port with MAC address {mac} already exists.");
                    return Answer::fault(409, &text);
                }
                self.ports
                    .insert(mac, seen.body["node_uuid"].as_str().unwrap().to_owned());
                Answer::json(201, &seen.body)
            }
            (_, ["v1", "nodes", id, ..]) => {
                let Some(uuid) = self.find(id) else {
                    return Answer::fault(404, &format!("Node {id} could not be found."));
                };
                self.of_node(seen, &uuid, &parts[3..])
            }
            _ => Answer::fault(404, "Not found"),
        }
    }

    fn of_node(&mut self, seen: &Seen, uuid: &str, rest: &[&str]) -> Answer {
        let done = Answer::json(202, &Value::Null);
        match (seen.method.as_str(), rest) {
            ("GET", []) => Answer::json(200, &self.nodes[uuid].clone().into()),
            ("GET", ["inventory"]) => match self.inventories.get(uuid) {
                Some(inventory) => Answer::json(200, inventory),
                None => Answer::fault(404, "Node inventory record for node 1 could not be found."),
            },
            ("PATCH", []) => self.patch(seen, uuid),
            ("PUT", ["states", "provision"]) => {
                let state = match seen.body["target"].as_str().unwrap() {
                    "provide" | "deleted" => "available",
                    "active" | "adopt" => "active",
                    _ => "manageable",
                };
                if seen.body["target"] == "deleted" {
                    self.set(uuid, "instance_info", json!({}));
                    self.set(uuid, "instance_uuid", Value::Null);
                }
                self.set(uuid, "provision_state", state.into());
                done
            }
            ("PUT", ["states", "power"]) => {
                let on = seen.body["target"].as_str().unwrap().ends_with("on")
                    || seen.body["target"].as_str().unwrap().contains("reboot");
                self.set(
                    uuid,
                    "power_state",
                    if on { "power on" } else { "power off" }.into(),
                );
                done
            }
            ("PUT", ["states", "raid"]) => done,
            ("PUT", ["maintenance"]) => {
                self.set(uuid, "maintenance", true.into());
                done
            }
            ("DELETE", ["maintenance"]) => {
                self.set(uuid, "maintenance", false.into());
                done
            }
            ("DELETE", []) => self.delete(uuid),
            _ => Answer::fault(404, "Not found"),
        }
    }

    fn text(&self, uuid: &str, key: &str) -> String {
        let value = self.nodes[uuid].get(key).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    }

    fn is_maintained(&self, uuid: &str) -> bool {
        self.nodes[uuid]["maintenance"] == true
    }

    /// What keeps a node from becoming another one, as the API and then the conductor say it.
    fn refusal(&self, uuid: &str, after: &Map<String, Value>) -> Option<String> {
        let before = &self.nodes[uuid];
        let state = self.text(uuid, "provision_state");
        let moving = !self.text(uuid, "target_provision_state").is_empty();
        if moving && !UPDATE_ALLOWED.contains(&&*state) {
            return Some(format!(
                "Node {uuid} can not be updated while a state transition is in progress."
            ));
        }
        let changed = |key: &&String| before.get(*key) != after.get(*key);
        let interface = after
            .keys()
            .filter(|key| key.ends_with("_interface"))
            .find(changed);
        if let Some(field) = interface
            && !INTERFACES_ALLOWED.contains(&&*state)
            && !self.is_maintained(uuid)
        {
            let allowed = INTERFACES_ALLOWED.join(", ");
            return Some(format!(
                "Node {uuid} can not have {field} updated unless it is in one of allowed \
                 ({allowed}) states or in maintenance mode. Current state is '{state}'."
            ));
        }
        let had = self.instance(uuid)?;
        let gets = after.get("instance_uuid").and_then(Value::as_str);
        (gets.is_some_and(|gets| gets != had)).then(|| associated(uuid, had))
    }

    fn instance(&self, uuid: &str) -> Option<&str> {
        self.nodes[uuid].get("instance_uuid")?.as_str()
    }

    fn patch(&mut self, seen: &Seen, uuid: &str) -> Answer {
        let mut node: Value = self.nodes[uuid].clone().into();
        let patch: json_patch::Patch = serde_json::from_value(seen.body.clone()).unwrap();
        if let Err(error) = json_patch::patch(&mut node, &patch) {
            let text = format!("Couldn't apply patch '{}'. Reason: {error}", seen.body);
            return Answer::fault(400, &text);
        }
        let mut after = node.as_object().unwrap().clone();
        if let Some(text) = self.refusal(uuid, &after) {
            return Answer::fault(409, &text);
        }
        if seen.param("reset_interfaces").is_some() {
            let set = |key: &str| seen.body.to_string().contains(&format!("\"/{key}\""));
            after.retain(|key, _| !key.ends_with("_interface") || set(key));
        }
        self.nodes.insert(uuid.into(), after);
        self.set(uuid, "reservation", Value::Null);
        Answer::json(200, &self.nodes[uuid].clone().into())
    }

    fn delete(&mut self, uuid: &str) -> Answer {
        if !self.is_maintained(uuid) {
            if let Some(instance) = self.instance(uuid) {
                return Answer::fault(409, &associated(uuid, instance));
            }
            let state = self.text(uuid, "provision_state");
            let available = state == "available" && !self.keeps_available;
            if !available && !DELETE_ALLOWED.contains(&&*state) {
                let text = format!(
                    "Can not delete node \"{uuid}\" while it is in provision state \"{state}\". \
                     Valid provision states to perform deletion are: \"{DELETE_ALLOWED:?}\", or \
                     set the node into maintenance mode"
                );
                return Answer::fault(409, &text);
            }
        }
        self.nodes.remove(uuid);
        self.ports.retain(|_, node| node != uuid);
        Answer::json(204, &Value::Null)
    }

    fn page(&self, seen: &Seen, newest_first: bool) -> Answer {
        let limit: usize = seen
            .param("limit")
            .map_or(1000, |limit| limit.parse().unwrap());
        let mut nodes: Vec<Map<String, Value>> = self.nodes.values().cloned().collect();
        if newest_first {
            nodes.sort_by_key(|node| {
                let time = node["updated_at"]
                    .as_str()
                    .map(str::parse::<jiff::Timestamp>);
                std::cmp::Reverse(time.map(Result::unwrap))
            });
        } else {
            for node in &mut nodes {
                node.remove("updated_at");
            }
        }
        if let Some(marker) = seen.param("marker") {
            let at = nodes
                .iter()
                .position(|node| node["uuid"] == marker.as_str());
            let Some(at) = at else {
                return Answer::fault(404, &format!("Node {marker} could not be found."));
            };
            nodes.drain(..=at);
        }
        nodes.truncate(limit);
        let mut page = json!({ "nodes": nodes });
        if nodes.len() == limit {
            let base = seen.path.split("&marker").next().unwrap();
            let marker = nodes.last().unwrap()["uuid"].as_str().unwrap();
            // Ironic writes the address that it believes to have.
            page["next"] = format!("http://ironic.example.net:6385{base}&marker={marker}").into();
        }
        Answer::json(200, &page)
    }
}

fn associated(uuid: &str, instance: &str) -> String {
    format!("Node {uuid} is associated with instance {instance}.")
}
