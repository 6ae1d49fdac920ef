//! Many hosts at once, and what has to hold for all of them whatever happens.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::controller::{Controller, Site, until};

impl Site {
    /// So many hosts, `h1` and on, and the Secret that all of them name.
    #[track_caller]
    pub fn crowd(&self, count: u8) {
        self.credentials("bmc", "calvin");
        let hosts: Vec<Value> = (1..=count)
            .map(|slot| Self::host(&format!("h{slot}"), slot))
            .collect();
        self.create(&json!({ "apiVersion": "v1", "kind": "List", "items": hosts }));
    }

    /// All hosts.
    #[track_caller]
    pub fn hosts(&self) -> Vec<Value> {
        let all = self.kubectl(&["get", "bmh", "-o", "json"]);
        let all: Value = serde_json::from_str(&all).unwrap();
        all["items"].as_array().unwrap().clone()
    }

    /// How many hosts are in which state.
    #[track_caller]
    pub fn states(&self) -> BTreeMap<String, usize> {
        let mut states = BTreeMap::new();
        for host in self.hosts() {
            let state = host["status"]["provisioning"]["state"].as_str();
            *states.entry(state.unwrap_or_default().into()).or_default() += 1;
        }
        states
    }

    /// Waits until so many hosts are provisioned.
    #[track_caller]
    pub fn provisions(&self, count: usize) {
        let done = || self.states().get("provisioned").copied();
        until(
            || done().unwrap_or_default() >= count,
            || format!("not {count} are provisioned: {:?}", self.states()),
        );
    }

    /// The host is provisioned, as its status says everywhere.
    #[track_caller]
    pub fn is_well(host: &Value) {
        let (name, status) = (&host["metadata"]["name"], &host["status"]);
        assert_eq!(status["provisioning"]["state"], "provisioned", "{name}");
        assert_eq!(status["operationalStatus"], "OK", "{name}: {status}");
        assert_eq!(status["errorCount"], 0, "{name}: {status}");
        assert_eq!(status["errorMessage"], "", "{name}: {status}");
        assert_eq!(status["poweredOn"], true, "{name}");
        let image = &status["provisioning"]["image"]["url"];
        assert_eq!(*image, host["spec"]["image"]["url"], "{name}");
    }

    /// So many hosts there are, all provisioned, and none had a fault.
    #[track_caller]
    pub fn is_whole(&self, count: usize) {
        let hosts = self.hosts();
        assert_eq!(hosts.len(), count);
        hosts.iter().for_each(Self::is_well);
        let warnings = self.kubectl(&["get", "events", "--field-selector=type=Warning"]);
        assert_eq!(warnings, "", "something went wrong on the way");
    }
}

impl Controller {
    /// How often which effect was sent, by host and effect.
    pub fn effects(&self) -> BTreeMap<(String, String), usize> {
        let mut effects = BTreeMap::new();
        for line in self.log().lines().filter(|line| line.contains("accepted")) {
            let part = |name: &str, end: char| {
                let (_, rest) = line.split_once(&format!("{name}="))?;
                Some(rest.split(end).next()?.trim_matches('"').to_owned())
            };
            let (Some(host), Some(effect)) = (part("host", '}'), part("effect", ' ')) else {
                panic!("an effect of nobody: {line}");
            };
            *effects.entry((host, effect)).or_default() += 1;
        }
        effects
    }

    /// What it says of effects that a machine took after this moment.
    pub fn did_after(&self, moment: jiff::Timestamp) -> Vec<String> {
        let is_it = |line: &&str| {
            let said = line.split(' ').next().and_then(|at| at.parse().ok());
            said.is_some_and(|at: jiff::Timestamp| at > moment)
                && line.contains(": accepted effect=")
        };
        let log = self.log();
        log.lines().filter(is_it).map(str::to_owned).collect()
    }

    /// Each machine was sent this effect once, and so many were.
    #[track_caller]
    pub fn did_once(&self, effect: &str, count: usize) {
        let effects = self.effects();
        let these = effects.iter().filter(|((_, name), _)| name == effect);
        let (hosts, times): (Vec<_>, Vec<usize>) = these.map(|(key, times)| (key, *times)).unzip();
        assert_eq!(hosts.len(), count, "{effect}: {effects:?}");
        assert!(
            times.iter().all(|times| *times == 1),
            "{effect}: {effects:?}"
        );
    }
}
