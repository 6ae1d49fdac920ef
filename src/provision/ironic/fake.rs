//! An Ironic in the test's own process: answers what a test wants and remembers what was asked.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// JSON body, null for none.
    pub body: Value,
}

impl Seen {
    /// `METHOD /path`, without the query.
    pub fn what(&self) -> String {
        format!("{} {}", self.method, self.path.split('?').next().unwrap())
    }

    /// A parameter of the query.
    pub fn param(&self, name: &str) -> Option<String> {
        let query = self.path.split_once('?')?.1;
        let pair = query
            .split('&')
            .find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
        Some(pair.replace("%3A", ":"))
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
    /// Waited for before it is sent.
    pub delay: Duration,
}

impl Answer {
    /// An answer with JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type".into(), "application/json".into())];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        Self {
            status,
            headers,
            body,
            delay: Duration::ZERO,
        }
    }

    /// Ironic's usual shape of an error.
    pub fn fault(status: u16, text: &str) -> Self {
        let inner = json!({ "faultcode": "Client", "faultstring": text, "debuginfo": null });
        Self::json(status, &json!({ "error_message": inner.to_string() }))
    }

    /// The same, later.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// Answers before the books do; `None` leaves it to them.
type Before = Box<dyn FnMut(&Seen) -> Option<Answer> + Send>;

/// A server on a free port.
pub struct Fake {
    /// Its address.
    pub url: String,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

struct State {
    seen: Vec<Seen>,
    before: Before,
    books: Books,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// Starts one with empty books.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            seen: Vec::new(),
            before: Box::new(|_| None),
            books: Books::default(),
        }));
        let kept = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&kept);
                let service = service_fn(move |request| serve(Arc::clone(&state), request));
                connections.spawn(async move {
                    let io = TokioIo::new(stream);
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(io, service)
                        .await
                        .ok();
                });
            }
        });
        Self { url, state, task }
    }

    /// Answers in place of the books where the function has an answer.
    pub fn before(&self, before: impl FnMut(&Seen) -> Option<Answer> + Send + 'static) {
        self.state.lock().unwrap().before = Box::new(before);
    }

    /// All requests so far, which are forgotten.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    /// The changes among [`Fake::take`].
    pub fn take_writes(&self) -> Vec<Seen> {
        self.take()
            .into_iter()
            .filter(|seen| seen.method != "GET")
            .collect()
    }

    /// Looks into or changes the books.
    pub fn books<T>(&self, f: impl FnOnce(&mut Books) -> T) -> T {
        f(&mut self.state.lock().unwrap().books)
    }
}

async fn serve(
    state: Arc<Mutex<State>>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = Seen {
        method: head.method.to_string(),
        path: head.uri.path_and_query().unwrap().to_string(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let answer = {
        let mut state = state.lock().unwrap();
        state.seen.push(seen.clone());
        let state = &mut *state;
        (state.before)(&seen).unwrap_or_else(|| state.books.answer(&seen))
    };
    tokio::time::sleep(answer.delay).await;
    let mut response = hyper::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::from(answer.body)).unwrap())
}

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
            "disable_power_off": false, "automated_clean": null,
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

    fn answer(&mut self, seen: &Seen) -> Answer {
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
            ("PATCH", []) => {
                let mut node: Value = self.nodes[uuid].clone().into();
                let patch: json_patch::Patch = serde_json::from_value(seen.body.clone()).unwrap();
                if let Err(error) = json_patch::patch(&mut node, &patch) {
                    let text = format!("Couldn't apply patch '{}'. Reason: {error}", seen.body);
                    return Answer::fault(400, &text);
                }
                self.nodes
                    .insert(uuid.into(), node.as_object().unwrap().clone());
                self.set(uuid, "reservation", Value::Null);
                Answer::json(200, &self.nodes[uuid].clone().into())
            }
            ("PUT", ["states", "provision"]) => {
                let state = match seen.body["target"].as_str().unwrap() {
                    "provide" | "deleted" => "available",
                    "active" | "adopt" => "active",
                    "clean" => "clean wait",
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
            ("DELETE", []) => {
                self.nodes.remove(uuid);
                self.ports.retain(|_, node| node != uuid);
                Answer::json(204, &Value::Null)
            }
            _ => Answer::fault(404, "Not found"),
        }
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
                .position(|node| node["uuid"] == marker.as_str())
                .unwrap();
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
