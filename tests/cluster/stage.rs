//! What a take-over begins with: hosts in every state in which they rest, as the Bare Metal Operator
//! left them, and beside them, in a namespace of their own, hosts that metalform brought there.
//!
//! Both are made at once, on one real Ironic and one real API server, and by one process for all
//! tests of it.

use std::sync::OnceLock;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::controller::{Controller, Site, until};
use crate::lab::{self, Lab};
use crate::other_operator::{Change, OtherOperator};
use crate::recording::Machine;
use crate::settled::{Taken, taken, unmanaged};

/// Where the tests play.
pub struct Stage {
    pub lab: Lab,
    /// Hosts of the Bare Metal Operator's.
    pub taken: Site,
    /// Hosts of metalform's.
    pub given: Site,
    /// Nodes and objects of both, before anybody took anything over.
    pub left: Value,
    client: kube::Client,
    runtime: Runtime,
}

/// Hosts that metalform made, by the names of their equals among the taken ones.
pub const GIVEN: [&str; 4] = ["available", "external", "live", "provisioned"];

impl Stage {
    /// The one of this process; `None` when there are no real parts.
    pub fn shared() -> Option<&'static Self> {
        static STAGE: OnceLock<Option<Stage>> = OnceLock::new();
        STAGE.get_or_init(Self::set).as_ref()
    }

    fn set() -> Option<Self> {
        if !lab::is_wanted() {
            return None;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(2)
            .build()
            .unwrap();
        let taken = runtime.block_on(Site::shared("taken"))?;
        let given = runtime.block_on(Site::shared("given"))?;
        let client = runtime.block_on(taken.server.admin()).client();
        // Nothing of this process lasts long enough to clean up: the lab's keeper does.
        let state = tempfile::tempdir().unwrap().keep();
        let machines = taken_count() + GIVEN.len();
        let options = ["--temporary", "--power-sync", "8"];
        let mut stage = Self {
            lab: Lab::start(&state, machines, &options),
            taken,
            given,
            left: Value::Null,
            client,
            runtime,
        };
        let started = std::time::Instant::now();
        stage.play();
        println!(
            "{machines} machines are settled after {:.1?}",
            started.elapsed()
        );
        stage.left = json!({
            "taken": stage.look(&stage.taken),
            "given": stage.look(&stage.given),
        });
        Some(stage)
    }

    /// Both operators at work, each on its own hosts.
    fn play(&self) {
        std::thread::scope(|scope| {
            for (slot, host) in taken().into_iter().enumerate() {
                scope.spawn(move || {
                    let operator = self.operator(&self.taken);
                    if let Some(secret) = host.change.shares {
                        let owners = || operator.find("secrets", secret)["metadata"].take();
                        let is_owned = || !owners()["ownerReferences"].is_null();
                        until(is_owned, || format!("{secret} is nobody's: {}", owners()));
                    }
                    operator.bring(slot, host.name, &host.moment, &host.change);
                });
            }
            scope.spawn(|| {
                let operator = self.operator(&self.taken);
                operator.create(
                    "baremetalhosts",
                    &json!({
                        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
                        "metadata": {
                            "name": "unmanaged", "finalizers": ["baremetalhost.metal3.io"],
                        },
                        "spec": { "online": false, "bootMACAddress": "52:54:00:ff:00:01" },
                    }),
                );
                operator.write_status("unmanaged", unmanaged(), &Change::default());
            });
            scope.spawn(|| self.give());
        });
        let shared = taken().into_iter().filter_map(|host| host.change.shares);
        shared.for_each(|secret| self.operator(&self.taken).follow_secret(secret));
        self.operator(&self.taken).rests();
        self.operator(&self.taken).notes_health();
    }

    /// metalform brings hosts with the specs of recorded ones to where those were.
    fn give(&self) {
        let operator = self.operator(&self.given);
        for (index, host) in given().into_iter().enumerate() {
            let slot = taken_count() + index;
            let machine = Machine::of(&self.lab, slot, &self.given.namespace, host.name);
            let recording = machine.recording(&host.moment);
            let mut specs = recording.host.iter().map(|line| &line["spec"]);
            let last = specs.rfind(|spec| !spec.is_null()).unwrap();
            let mut spec = last.clone();
            // That operator's own work.
            spec.as_object_mut().unwrap().remove("architecture");
            operator.write_secrets(&spec, &host.change);
            operator.create(
                "baremetalhosts",
                &json!({
                    "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
                    "metadata": { "name": host.name }, "spec": spec,
                }),
            );
        }
        let controller = self.control(&self.given, "given");
        for host in given() {
            let state = match host.name {
                "available" => "available",
                "external" => "externally provisioned",
                _ => "provisioned",
            };
            self.given.comes_to(host.name, state);
            self.given.is_powered(host.name, true);
        }
        // Ironic looks for it every few seconds, and the condition follows.
        let healthy = || {
            let filter = r#"jsonpath={.items[*].status.conditions[?(@.type=="Healthy")].status}"#;
            self.given.kubectl(&["get", "bmh", "-o", filter])
        };
        let all = ["True"; GIVEN.len()].join(" ");
        until(|| healthy() == all, || format!("healthy: {}", healthy()));
        controller.stop();
    }

    /// The other operator in the namespace of a site.
    pub fn operator<'a>(&'a self, site: &'a Site) -> OtherOperator<'a> {
        OtherOperator {
            lab: &self.lab,
            namespace: &site.namespace,
            runtime: self.runtime.handle().clone(),
            client: self.client.clone(),
        }
    }

    /// A controller for a site, set up as that operator was.
    pub fn control(&self, site: &Site, name: &str) -> Controller {
        site.start(name, &self.settings())
    }

    /// That operator's settings, as flags.
    pub fn settings(&self) -> [&str; 6] {
        self.lab.flags()
    }

    /// Everything that Ironic and the API server have of a site's hosts, by host.
    pub fn look(&self, site: &Site) -> Value {
        let operator = self.operator(site);
        let there = |plural: &str, name: &str| operator.find(plural, name);
        let mut all = json!({});
        for host in taken() {
            let name = host.name;
            if there("baremetalhosts", name).is_null() {
                continue;
            }
            let node = format!("/v1/nodes/{}~{name}", site.namespace);
            let (_, node) = self.lab.ask("GET", &node, None);
            let uuid = node["uuid"].as_str().unwrap_or_default();
            let ports = format!("/v1/ports/detail?node_uuid={uuid}");
            all[name] = json!({
                "ports": if uuid.is_empty() { json!([]) } else { self.lab.ask("GET", &ports, None).1 },
                "node": node,
                "host": there("baremetalhosts", name),
                "hardwareData": there("hardwaredata", name),
                "settings": there("hostfirmwaresettings", name),
                "components": there("hostfirmwarecomponents", name),
                "secret": there("secrets", &format!("{name}-bmc")),
                "userData": there("secrets", &format!("{name}-ud")),
            });
        }
        all
    }
}

fn taken_count() -> usize {
    taken().len()
}

fn given() -> Vec<Taken> {
    let mut all = taken();
    all.retain(|host| GIVEN.contains(&host.name));
    all
}
