//! The simulated life of 10,000 machines from registering to provisioned with 2 % faults: virtual
//! time, embedded store durable, machines in memory. Prints one JSON object.
//!
//! `cargo bench --bench sim [-- HOSTS [FOLDER]]`; the folder says which disk the store is on.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use metalform::api::{BareMetalHost, Timestamp};
use metalform::engine::{self, Clock, DEFAULT_MACHINES, Engine, Machines, Metrics};
use metalform::plan::OWNER;
use metalform::provision::Provisioner;
use metalform::provision::sim::{Options, Simulation};
use metalform::secrets::{Salt, Sealed, Secret, SecretError, Secrets};
use metalform::store::{Embedded, Key, Store};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One secret for all machines.
struct One(Secret);

impl Secrets for One {
    fn read(&self, _namespace: &str, _name: &str) -> Result<Secret, SecretError> {
        Ok(self.0.clone())
    }
}

fn wanted(n: usize) -> (Key, Value) {
    let name = format!("r{:03}-n{:02}", n / 40, n % 40);
    let value = json!({
        "apiVersion": "metal3.io/v1alpha1",
        "kind": "BareMetalHost",
        "metadata": {
            "name": name,
            "namespace": "metal3",
            "labels": { "role": "worker", "site": "bench" },
            "annotations": {
                "metalform.dev/fleet": "bench",
                "metalform.dev/pool": "workers",
                "metalform.dev/rack": format!("r{:03}", n / 40),
            },
        },
        "spec": {
            "online": true,
            "bmc": {
                "address": format!("redfish-virtualmedia://192.0.2.1:{}/redfish/v1/Systems/{n}", 8000),
                "credentialsName": "bmc",
            },
            "bootMACAddress": format!("52:54:00:{:02x}:{:02x}:{:02x}", n >> 16, n >> 8 & 255, n & 255),
            "image": {
                "url": "https://images.example/a.qcow2",
                "checksum": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
                "checksumType": "sha256",
                "format": "qcow2",
            },
        },
    });
    (Key::new("metal3", name), value)
}

/// Peak and present resident memory in MB.
fn memory() -> (f64, f64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        number.unwrap_or_default() / 1024.0
    };
    (field("VmHWM:"), field("VmRSS:"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let hosts: usize = args.next().map_or(10_000, |arg| arg.parse().unwrap());
    let folder = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(folder).unwrap();
    let (_, base) = memory();
    let start = Instant::now();

    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let clock = Clock::starting_at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
    let store =
        Arc::new(Embedded::open(&dir.path().join("store.redb"), Default::default()).unwrap());
    // As many at once as Ironic allows by default.
    let mut options = Options {
        seed: 7,
        fault_permille: 20,
        ..Options::default()
    };
    options
        .add(
            "bench",
            "limit inspect 100\nlimit clean 50\nlimit deploy 250",
        )
        .unwrap();
    let simulation = Simulation::memory(options, clock);
    let machines: Machines = [(
        Arc::from(DEFAULT_MACHINES),
        Arc::new(simulation) as Arc<dyn Provisioner>,
    )]
    .into();
    let login = [("username", "admin"), ("password", "secret")];
    let login = login.map(|(key, value)| (key.to_owned(), Sealed::new(value)));
    let metrics = Arc::new(Metrics::default());
    let engine = Arc::new(Engine::new(
        Arc::clone(&store),
        machines,
        Arc::new(One(Secret::new(login.into()))),
        clock,
        Arc::clone(&metrics),
        engine::Options {
            seed: 7,
            salt: Salt::new([7; 32]),
            ..engine::Options::default()
        },
    ));
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (engine, stop) = (Arc::clone(&engine), stop.clone());
        async move { engine.run(stop).await }
    });
    futures::stream::iter((0..hosts).map(wanted))
        .map(|(key, value)| {
            let store = Arc::clone(&store);
            async move {
                let put: Arc<BareMetalHost> = store.apply(&key, value, OWNER, true).await.unwrap();
                drop(put);
            }
        })
        .buffer_unordered(256)
        .for_each(|()| std::future::ready(()))
        .await;
    let applied = start.elapsed();
    // Looked at seldom: a look walks all hosts.
    while !engine.settled() {
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let seconds = start.elapsed();
    let virtual_seconds = began.elapsed().as_secs();
    let provisioned = engine
        .overview()
        .states()
        .get("provisioned")
        .copied()
        .unwrap_or_default();
    stop.cancel();
    running.await.unwrap().unwrap();
    store.close().await.unwrap();
    let (peak, settled) = memory();
    println!(
        "{}",
        serde_json::to_string_pretty(&json!({
            "hosts": hosts,
            "provisioned": provisioned,
            "seconds": (seconds.as_secs_f64() * 1000.0).round() / 1000.0,
            "seconds_to_apply": (applied.as_secs_f64() * 1000.0).round() / 1000.0,
            "virtual_seconds": virtual_seconds,
            "peak_rss_mb": peak.round(),
            "settled_rss_mb": settled.round(),
            "base_rss_mb": base.round(),
            "status_writes": metrics.status_writes(),
            "steps": metrics.steps(),
        }))
        .unwrap()
    );
}
