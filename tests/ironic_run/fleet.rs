//! A small fleet on a lab: its spec, its secrets, and what has become of its hosts.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::lab::Lab;
use crate::project::{Project, Running};

/// One machine of a fleet.
pub struct Machine {
    pub name: String,
    address: String,
    mac: String,
    /// More of its `bmc` node.
    bmc: &'static str,
    /// More of its `host` node.
    pub more: String,
}

/// A fleet and the folder of its spec.
pub struct Fleet<'a> {
    lab: &'a Lab,
    pub project: Project,
    pub machines: Vec<Machine>,
    /// The image to deploy, by its place in `lab.json`; none leaves the machines available.
    pub image: Option<usize>,
    /// Name of the `ironic` node.
    pub name: String,
    /// More of the spec, after the `ironic` node.
    pub more: String,
    /// More of the `ironic` node.
    pub ironic: String,
}

impl<'a> Fleet<'a> {
    /// A fleet of fake machines `PREFIX-1` and so on; the prefix and the number, which is part of
    /// their MAC addresses, are this test's alone.
    pub fn new(lab: &'a Lab, prefix: &str, number: u8, count: u8) -> Self {
        let project = Project::empty();
        project.write("secrets/bmc/username", lab.text("bmc", "username"));
        project.write("secrets/bmc/password", lab.text("bmc", "password"));
        project.write("secrets/ud/userData", "#cloud-config\n");
        let machines = (1..=count)
            .map(|index| Machine {
                name: format!("{prefix}-{index}"),
                address: format!("fake-hardware://{prefix}-{index}"),
                mac: format!("52:54:00:f7:{number:02x}:{index:02x}"),
                bmc: "",
                more: String::new(),
            })
            .collect();
        Self {
            lab,
            project,
            machines,
            image: None,
            name: "lab".into(),
            more: String::new(),
            ironic: String::new(),
        }
    }

    /// The lab's Redfish machine of this number joins.
    pub fn add_redfish(&mut self, name: &str, index: usize) {
        let about = &self.lab.about["redfish"][index];
        self.machines.push(Machine {
            name: name.into(),
            address: about["address"].as_str().unwrap().to_owned(),
            mac: about["mac"].as_str().unwrap().to_owned(),
            bmc: "verify-ca=#false",
            more: String::new(),
        });
    }

    /// The URL of an image of the lab.
    pub fn image_url(&self, index: usize) -> String {
        let url = self.lab.about["images"][index]["url"].as_str();
        url.unwrap().to_owned()
    }

    /// Saves the spec as the fields say.
    pub fn save(&self) {
        let mut spec = format!(
            "/- kdl-version 2\nspec real {{ lab #true; secrets secrets; }}\n\
             ironic {} {{\n    url \"{}\"\n    {}\n}}\n{}\n",
            self.name,
            self.lab.url(),
            self.ironic,
            self.more,
        );
        if let Some(index) = self.image {
            let image = &self.lab.about["images"][index];
            let text = |key: &str| image[key].as_str().unwrap();
            write!(
                spec,
                "image one {{\n    url \"{}\"\n    checksum \"sha256:{}\"\n    format {}\n}}\n\
                 pool workers {{\n    select role=worker\n    deploy one {{ user-data (secret)ud; }}\n    \
                 rollout max-unavailable=12\n}}\n",
                text("url"),
                text("sha256"),
                text("format"),
            )
            .unwrap();
        }
        for machine in &self.machines {
            writeln!(
                spec,
                "host {} {{\n    bmc address=\"{}\" credentials=(secret)bmc {}\n    \
                 boot mac=\"{}\"\n    labels role=worker\n    {}\n}}",
                machine.name, machine.address, machine.bmc, machine.mac, machine.more,
            )
            .unwrap();
        }
        self.project.write("fleet.kdl", &spec);
    }

    /// `metalform run` on it, for as long as the value lives.
    pub fn run(&self) -> Running {
        self.project.start(&["run"])
    }

    /// Runs until all is as the spec says.
    #[track_caller]
    pub fn settle(&self, args: &[&str]) {
        let args = [&["run", "--until-settled", "--timeout", "200"], args].concat();
        self.project
            .start(&args)
            .end_within(Duration::from_secs(220))
            .code(0);
    }

    /// Runs until there is nothing left of it.
    #[track_caller]
    pub fn remove(&mut self) {
        let names: Vec<String> = self.machines.drain(..).map(|m| m.name).collect();
        self.image = None;
        self.save();
        let grants: Vec<&str> = names
            .iter()
            .flat_map(|name| ["--allow-destroy", name.as_str()])
            .collect();
        self.settle(&grants);
        let left: Vec<String> = self.lab.nodes().into_keys().collect();
        assert!(left.iter().all(|name| !names.contains(name)), "{left:?}");
    }

    /// Waits until each host is in this state, with the power it is to have, and nothing is wrong with it.
    #[track_caller]
    pub fn all(&self, state: &str) {
        self.until(&format!("all are {state}"), |hosts| {
            hosts.len() == self.machines.len()
                && hosts.iter().all(|host| {
                    host["status"]["provisioning"]["state"] == state
                        && host["status"]["poweredOn"] == host["spec"]["online"]
                        && host["status"]["errorMessage"].as_str().unwrap_or_default() == ""
                })
        });
    }

    /// Waits until each host is provisioned with the image that the spec says.
    #[track_caller]
    pub fn all_provisioned(&self) {
        let url = self.image_url(self.image.unwrap());
        self.until("all have the image", |hosts| {
            hosts.len() == self.machines.len()
                && hosts.iter().all(|host| {
                    let provisioning = &host["status"]["provisioning"];
                    provisioning["state"] == "provisioned"
                        && provisioning["image"]["url"] == url.as_str()
                        && host["status"]["poweredOn"] == true
                })
        });
    }

    /// Waits until the hosts of the store are so.
    #[track_caller]
    pub fn until(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) {
        self.project
            .until_within(Duration::from_secs(150), what, wanted);
    }
}
