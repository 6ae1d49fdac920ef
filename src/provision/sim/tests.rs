mod faults;
mod journal;
mod life;
mod script;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::api::{BareMetalHost, Timestamp};
use crate::clock::Clock;
use crate::provision::{
    Ack, Effect, Facts, Fault, Job, NodeState, PowerTarget, Provisioner, Sight, Tick,
};
use crate::secrets::JobSecrets;

fn clock() -> Clock {
    Clock::starting_at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap())
}

fn host(name: &str, number: u8) -> BareMetalHost {
    serde_json::from_value(json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "name": name, "namespace": "m", "uid": format!("u-{number}") },
        "spec": {
            "online": true,
            "bmc": { "address": format!("redfish://192.0.2.{number}/s/1"), "credentialsName": "bmc" },
            "bootMACAddress": format!("52:54:00:00:00:{number:02x}"),
            "image": { "url": "http://images/a.qcow2", "checksum": "aa", "checksumType": "md5" },
        },
    }))
    .unwrap()
}

/// Machines and those who look at them.
struct Lab {
    simulation: Simulation,
    ticks: futures::stream::BoxStream<'static, Tick>,
}

impl Lab {
    fn new(script: &str) -> Self {
        let mut options = Options::default();
        options.add("test", script).unwrap();
        Self::of(Simulation::memory(options, clock()))
    }

    fn of(simulation: Simulation) -> Self {
        let ticks = simulation.ticks();
        Self { simulation, ticks }
    }

    async fn run(&self, host: &BareMetalHost, effect: Effect) -> Result<Ack, Fault> {
        let facts = self.facts(host);
        let (host, secrets) = (Arc::new(host.clone()), JobSecrets::default());
        self.simulation
            .run(Job {
                host,
                effect,
                secrets,
                facts,
                fence: crate::fence::Fence::none(),
            })
            .await
    }

    async fn enroll(&self, host: &BareMetalHost) -> Result<Ack, Fault> {
        self.run(
            host,
            Effect::Enroll {
                credentials: "v1".into(),
            },
        )
        .await
    }

    fn facts(&self, host: &BareMetalHost) -> Option<Arc<Facts>> {
        match self.simulation.sight(host) {
            Sight::Present(facts) => Some(facts),
            _ => None,
        }
    }

    fn state(&self, host: &BareMetalHost) -> NodeState {
        self.facts(host).unwrap().state
    }

    /// Runs an effect and waits until the machine rests.
    async fn done(&mut self, host: &BareMetalHost, effect: Effect) -> NodeState {
        self.run(host, effect).await.unwrap();
        loop {
            let facts = self.facts(host).unwrap();
            if facts.state.is_at_rest() && !facts.power_changing {
                return facts.state;
            }
            self.ticks.next().await;
        }
    }

    async fn provision(&mut self, host: &BareMetalHost) {
        self.enroll(host).await.unwrap();
        for effect in [
            Effect::Manage,
            Effect::Inspect,
            Effect::Provide,
            Effect::Deploy,
        ] {
            self.done(host, effect).await;
        }
        assert_eq!(self.state(host), NodeState::Active);
    }
}
