//! The fleet of the bench: the real engine on a durable store, driving the lab's Ironic.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use metalform::api::BareMetalHost;
use metalform::engine::{self, Clock, DEFAULT_MACHINES, Engine, Machines, Metrics};
use metalform::plan::OWNER;
use metalform::provision::Provisioner;
use metalform::provision::ironic::{Endpoint, Ironic, Options};
use metalform::secrets::{Salt, Sealed, Secret, SecretError, Secrets};
use metalform::store::{Embedded, Key, Object as _, Store};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::lab::{self, Lab};

/// One secret for all machines.
struct One(Secret);

impl Secrets for One {
    fn read(&self, _namespace: &str, _name: &str) -> Result<Secret, SecretError> {
        Ok(self.0.clone())
    }
}

/// A running engine.
pub struct Fleet {
    store: Arc<Embedded>,
    engine: Arc<Engine<Embedded>>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<Result<(), metalform::store::StoreError>>,
}

fn key(name: &str) -> Key {
    Key::new("metal3", name)
}

/// A host whose power may be what it is: that it changes calls for nothing to be done.
fn wanted(name: &str, mac: &str) -> Value {
    json!({
        "apiVersion": "metal3.io/v1alpha1",
        "kind": "BareMetalHost",
        "metadata": { "name": name, "namespace": "metal3" },
        "spec": {
            "online": false,
            "disablePowerOff": true,
            "bmc": { "address": format!("fake-hardware://{name}"), "credentialsName": "bmc" },
            "bootMACAddress": mac,
        },
    })
}

impl Fleet {
    /// An engine without hosts.
    pub fn start(lab: &Lab, store: &Path) -> Self {
        let store = Arc::new(Embedded::open(store, metalform::store::Options::default()).unwrap());
        Self::drive(lab, store)
    }

    fn drive(lab: &Lab, store: Arc<Embedded>) -> Self {
        let ironic = Ironic::new(Options::new(Endpoint::parse(lab.url()).unwrap())).unwrap();
        let machines: Machines = [(
            Arc::from(DEFAULT_MACHINES),
            Arc::new(ironic) as Arc<dyn Provisioner>,
        )]
        .into();
        let login = [("username", "admin"), ("password", "password")];
        let login = login.map(|(key, value)| (key.to_owned(), Sealed::new(value)));
        let metrics = Arc::new(Metrics::default());
        let engine = Arc::new(Engine::new(
            Arc::clone(&store),
            machines,
            Arc::new(One(Secret::new(login.into()))),
            Clock::starting_at(jiff::Timestamp::now()),
            Arc::clone(&metrics),
            engine::Options {
                // The same for both fleets: the copies' credentials are as well tried.
                salt: Salt::new([7; 32]),
                ..engine::Options::default()
            },
        ));
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            async move { engine.run(stop).await }
        });
        Self {
            store,
            engine,
            metrics,
            stop,
            running,
        }
    }

    /// An engine with copies of a settled host, one for each node that was copied from its node.
    /// Answers when all are seen to be settled.
    pub async fn settled_copies(
        lab: &Lab,
        path: &Path,
        model: &BareMetalHost,
        count: usize,
    ) -> Self {
        let store = Arc::new(Embedded::open(path, metalform::store::Options::default()).unwrap());
        futures::stream::iter(0..count)
            .map(|index| {
                let store = Arc::clone(&store);
                async move {
                    let name = format!("bench-c{index:05}");
                    let (high, middle, low) = (index >> 16, index >> 8 & 255, index & 255);
                    let mac = format!("52:54:01:{high:02x}:{middle:02x}:{low:02x}");
                    let value = wanted(&name, &mac);
                    let host: Arc<BareMetalHost> =
                        store.apply(&key(&name), value, OWNER, true).await.unwrap();
                    let mut host = BareMetalHost::clone(&host);
                    let version = host.version();
                    host.metadata
                        .finalizers
                        .clone_from(&model.metadata.finalizers);
                    host.status.clone_from(&model.status);
                    let status = host.status.as_mut().unwrap();
                    // Its node has another id, and one port.
                    status.provisioning.id.clear();
                    status.hardware = None;
                    store.update_status(host, version).await.unwrap();
                }
            })
            .buffer_unordered(256)
            .for_each(|()| std::future::ready(()))
            .await;
        let fleet = Self::drive(lab, store);
        fleet.settled("available", count).await;
        fleet
    }

    /// Wants one host more.
    pub async fn apply(&self, name: &str, mac: &str) {
        let host: Arc<BareMetalHost> = self
            .store
            .apply(&key(name), wanted(name, mac), OWNER, true)
            .await
            .unwrap();
        drop(host);
    }

    /// Waits until so many hosts rest in this state.
    pub async fn settled(&self, state: &str, count: usize) {
        let began = Instant::now();
        loop {
            let overview = self.engine.overview();
            // Machines that must not be off are on: that is as settled as they get.
            let rests = |host: &engine::HostLine| {
                host.settled || host.why.as_ref().is_some_and(|why| why.blocked)
            };
            let there = overview.states().get(state).copied().unwrap_or_default();
            if there as usize == count && overview.hosts.iter().all(rests) {
                return;
            }
            assert!(
                began.elapsed() < Duration::from_mins(10),
                "not settled: {:?}, {:?}",
                overview.states(),
                overview
                    .hosts
                    .iter()
                    .find(|host| !rests(host))
                    .map(|host| &host.why)
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A host as it is.
    pub fn host(&self, name: &str) -> Arc<BareMetalHost> {
        Store::<BareMetalHost>::get(self.store.as_ref(), &key(name)).unwrap()
    }

    /// Whether its status says that it is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.host(name)
            .status
            .as_ref()
            .is_some_and(|status| status.powered_on)
    }

    /// Makes a change that turns its power to `on`; answers with the time that `change` tells and
    /// the time at which the status says so.
    pub async fn change(&self, name: &str, on: bool, change: impl FnOnce() -> f64) -> (f64, f64) {
        let changed = tokio::task::block_in_place(change);
        while self.is_on(name) != on {
            assert!(lab::now() - changed < 60.0, "{name} is not seen to be {on}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (changed, lab::now())
    }

    /// Status writes so far.
    pub fn status_writes(&self) -> u64 {
        self.metrics.status_writes()
    }

    /// Ends it.
    pub async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
        self.store.close().await.unwrap();
    }
}
