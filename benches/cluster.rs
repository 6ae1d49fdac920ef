//! `metalform controller` on a real API server: a mass of simulated machines, a large settled
//! fleet, and machines of a real Ironic. Prints one JSON object.
//!
//! `cargo bench --bench cluster [-- mass|settled|ironic [HOSTS]]`, by default all three with 1,000,
//! 10,000 and 100 hosts. API server, etcd, Ironic and the controller share this machine's cores:
//! `load` says how busy they were at the start. CPU and memory are the controller's alone.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic)]

#[path = "cluster/controller.rs"]
mod controller;
#[path = "ironic/lab.rs"]
#[allow(dead_code, reason = "shared with the bench of Ironic")]
mod lab;
#[path = "cluster/server.rs"]
mod server;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::controller::Controller;
use self::lab::Lab;
use self::server::Server;

/// The slowest that a part may be before the bench gives up.
const PATIENCE: Duration = Duration::from_mins(15);

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let only = args.next();
    let number = args.next().map(|text| text.parse::<usize>().unwrap());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&scratch.path().join("kube")).await;
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let mut result = json!({ "load": load.trim() });
    if wanted("mass") {
        result["mass"] = mass(&server, scratch.path(), number.unwrap_or(1000)).await;
    }
    if wanted("settled") {
        result["settled"] = settled(&server, scratch.path(), number.unwrap_or(10_000)).await;
    }
    if wanted("ironic") {
        result["ironic"] = ironic(&server, scratch.path(), number.unwrap_or(100)).await;
    }
    println!("{}", serde_json::to_string_pretty(&result).unwrap());
}

/// Hosts that are there when the controller starts, to provisioned.
async fn mass(server: &Server, scratch: &Path, hosts: usize) -> Value {
    let namespace = server.namespace("mass");
    server.hosts(&namespace, hosts, simulated).await;
    let before = server.requests().await;
    let arguments = ["--simulate=100", &format!("--provisioning-limit={hosts}")];
    let controller = Controller::start(server, &namespace, &scratch.join("mass.log"), &arguments);
    let began = Instant::now();
    server.come_to(&namespace, "provisioned", hosts).await;
    let seconds = began.elapsed().as_secs_f64();
    let (cpu, memory) = (controller.cpu(), controller.memory());
    let after = server.requests().await;
    json!({
        "hosts": hosts,
        "seconds": rounded(seconds),
        "cpu_seconds": rounded(cpu),
        "rss_mb": memory,
        "writes_a_host": after.each_since(&before, hosts),
    })
}

/// A fleet that has nothing to do: after its life, and after a start.
async fn settled(server: &Server, scratch: &Path, hosts: usize) -> Value {
    let namespace = server.namespace("settled");
    server.hosts(&namespace, hosts, simulated).await;
    let journal = format!("--simulate-journal={}", scratch.join("machines").display());
    let limit = format!("--provisioning-limit={hosts}");
    let arguments = ["--simulate=100", &limit, &journal];
    let log = scratch.join("settled.log");
    let controller = Controller::start(server, &namespace, &log, &arguments);
    let began = Instant::now();
    server.come_to(&namespace, "provisioned", hosts).await;
    let life = began.elapsed().as_secs_f64();
    let life_cpu = controller.cpu();
    let lived = idle(server, &controller).await;
    controller.stop();
    let answer = server.answer(&namespace).await;
    let controller = Controller::start(server, &namespace, &log, &arguments);
    let began = Instant::now();
    controller.says("hosts read");
    let synced = began.elapsed().as_secs_f64();
    let peak = controller.peak();
    let started = idle(server, &controller).await;
    json!({
        "hosts": hosts,
        "seconds_of_life": rounded(life),
        "cpu_seconds_of_life": rounded(life_cpu),
        "after_life": lived,
        "seconds_to_synced": rounded(synced),
        "seconds_of_the_servers_answer": rounded(answer),
        "rss_mb_when_synced": peak,
        "after_start": started,
    })
}

/// What a controller with nothing to do costs.
async fn idle(server: &Server, controller: &Controller) -> Value {
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (cpu, requests) = (controller.cpu(), server.requests().await);
    let began = Instant::now();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let seconds = began.elapsed().as_secs_f64();
    let after = server.requests().await;
    json!({
        "rss_mb": controller.memory(),
        "peak_mb": controller.peak(),
        "cpu_percent_of_a_core": rounded((controller.cpu() - cpu) / seconds * 100.0),
        "writes": after.writes() - requests.writes(),
    })
}

/// Redfish machines of a real Ironic, inspection and cleaning off, created to available.
async fn ironic(server: &Server, scratch: &Path, hosts: usize) -> Value {
    let lab = Lab::with_machines(&scratch.join("lab"), hosts);
    let namespace = server.namespace("metal3");
    let arguments = lab.controller();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let log = scratch.join("ironic.log");
    let controller = Controller::start(server, &namespace, &log, &arguments);
    controller.says("hosts read");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (user, password) = lab.login();
    server.secret(&namespace, &user, &password);
    let machines = lab.machines();
    let from = lab::now();
    let began = Instant::now();
    server
        .hosts(&namespace, hosts, |index| {
            let (address, mac) = &machines[index];
            json!({
                "online": false, "disablePowerOff": true, "inspectionMode": "disabled", "automatedCleaningMode": "disabled",
                "bmc": {
                    "address": address, "credentialsName": "bmc",
                    "disableCertificateVerification": true,
                },
                "bootMACAddress": mac,
            })
        })
        .await;
    server.come_to(&namespace, "available", hosts).await;
    let seconds = began.elapsed().as_secs_f64();
    let counts = lab.counts(from);
    let each = |count: usize| rounded(count as f64 / hosts as f64);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (from, before) = (lab::now(), server.requests().await);
    tokio::time::sleep(Duration::from_mins(1)).await;
    let steady = lab.counts(from);
    json!({
        "hosts": hosts,
        "seconds": rounded(seconds),
        "writes_a_host": each(counts.writes),
        "own_reads_a_host": each(counts.reads),
        "bulk_requests": counts.bulk,
        "refused": counts.refused,
        "cpu_seconds": rounded(controller.cpu()),
        "rss_mb": controller.memory(),
        "steady_requests_a_minute": steady.all,
        "steady_writes_to_the_api_server": server.requests().await.writes() - before.writes(),
        "change_to_status": server.changes(&namespace, &lab).await,
    })
}

/// A host of a simulated machine.
fn simulated(index: usize) -> Value {
    let mac = format!(
        "52:54:00:{:02x}:{:02x}:{:02x}",
        index >> 16,
        index >> 8 & 255,
        index & 255
    );
    json!({
        "online": true,
        "bmc": {
            "address": format!("redfish-virtualmedia+http://127.0.0.1:1/redfish/v1/Systems/{index}"),
            "credentialsName": "bmc",
        },
        "bootMACAddress": mac,
        "image": {
            "url": "http://127.0.0.1/debian.qcow2",
            "checksum": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "checksumType": "sha256",
        },
    })
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
