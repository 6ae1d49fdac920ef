//! The embedded store under load: durable writes a second by group size, opening, bytes on disk,
//! memory. Prints one JSON object.
//!
//! `cargo bench --bench store [-- FOLDER]`; the folder says which disk is measured.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use metalform::api::{BareMetalHost, HardwareData};
use metalform::store::{Embedded, Key, Object as _, Options, Store};
use serde_json::{Value, json};

/// As in the binary: memory is measured with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HOSTS: usize = 10_000;

fn name(n: usize) -> String {
    format!("r{:03}-u{:02}", n / 40, n % 40)
}

fn key(n: usize) -> Key {
    Key::new("metal", name(n))
}

fn inventory(n: usize) -> Value {
    let nic = |i: usize| {
        json!({
            "name": format!("eth{i}"), "model": "0x8086 0x1572", "speedGbps": 25, "pxe": i == 0,
            "mac": format!("52:54:00:{:02x}:{:02x}:{i:02x}", n / 256 % 256, n % 256),
            "ip": format!("10.{}.{}.{}", n / 65536, n / 256 % 256, n % 256),
        })
    };
    let disk = |i: usize| {
        json!({
            "name": format!("/dev/disk/by-path/pci-0000:00:{i:02x}.0"), "type": "NVME",
            "model": "SIM 960", "vendor": "SIM", "sizeBytes": 960_197_124_096_u64,
            "serialNumber": format!("S{n:06}{i}"), "wwn": format!("0x5000c500{n:08x}"),
            "alternateNames": [format!("/dev/nvme{i}n1")],
        })
    };
    json!({
        "cpu": {
            "arch": "x86_64", "clockMegahertz": 2500, "count": 64, "model": "Sim(R) 9000",
            "flags": ["aes", "avx", "avx2", "fma", "sse4_1", "sse4_2", "vmx"],
        },
        "firmware": { "bios": { "date": "01/02/2026", "vendor": "SIM", "version": "2.1.0" } },
        "hostname": name(n), "ramMebibytes": 262_144,
        "nics": (0..4).map(nic).collect::<Vec<_>>(),
        "storage": (0..6).map(disk).collect::<Vec<_>>(),
        "systemVendor": {
            "manufacturer": "SIM", "productName": "Server 1", "serialNumber": format!("SN{n:06}"),
        },
    })
}

fn wanted(n: usize) -> Value {
    json!({
        "apiVersion": "metal3.io/v1alpha1",
        "kind": "BareMetalHost",
        "metadata": {
            "annotations": {
                "metalform.dev/digest": format!("{n:064x}"),
                "metalform.dev/source": format!("racks/r{:03}.kdl:{}", n / 40, n % 40 * 7 + 3),
            },
            "labels": { "rack": format!("r{:03}", n / 40), "pool": "workers" },
        },
        "spec": {
            "online": true,
            "bmc": {
                "address": format!("redfish-virtualmedia://10.1.{}.{}/redfish/v1/Systems/1", n / 250, n % 250),
                "credentialsName": format!("bmc-r{:03}", n / 40),
            },
            "bootMACAddress": format!("52:54:00:{:02x}:{:02x}:00", n / 256 % 256, n % 256),
            "rootDeviceHints": { "deviceName": "/dev/disk/by-path/pci-0000:00:00.0" },
            "image": {
                "url": "http://images.example.com/os/worker-2026.01.qcow2",
                "checksum": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "checksumType": "sha256", "format": "qcow2",
            },
            "userData": { "name": "worker-user-data", "namespace": "metal" },
        },
    })
}

fn status(n: usize, round: usize) -> Value {
    let time = format!("2026-01-02T03:{:02}:{:02}Z", round / 60 % 60, round % 60);
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": 1,
            "lastTransitionTime": time,
        })
    };
    let conditions = [
        "Registered",
        "Inspected",
        "Available",
        "Provisioned",
        "Ready",
    ]
    .map(condition);
    json!({
        "operationalStatus": "OK", "errorMessage": "", "poweredOn": true, "errorCount": 0,
        "provisioningFailCount": 0, "lastUpdated": time, "hardware": inventory(n),
        "goodCredentials": { "credentials": { "name": "bmc", "namespace": "metal" }, "credentialsVersion": "1" },
        "triedCredentials": { "credentials": { "name": "bmc", "namespace": "metal" }, "credentialsVersion": "1" },
        "operationHistory": {
            "register": { "start": time, "end": time }, "inspect": { "start": time, "end": time },
            "provision": { "start": time, "end": time }, "deprovision": { "start": null, "end": null },
        },
        "provisioning": {
            "state": "provisioned", "ID": format!("00000000-0000-4000-8000-{n:012}"),
            "bootMode": "UEFI", "rootDeviceHints": { "deviceName": "/dev/disk/by-path/pci-0000:00:00.0" },
            "image": wanted(n)["spec"]["image"], "raid": {},
        },
        "conditions": conditions,
    })
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or_default();
    pages * 4096
}

/// CPU time of this process, all threads, in seconds (to 10 ms).
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    ticks as f64 / 100.0
}

fn host(store: &Embedded, n: usize) -> Arc<BareMetalHost> {
    store.get(&key(n)).unwrap()
}

async fn write(store: &Embedded, n: usize, round: usize) {
    let now = host(store, n);
    let mut next = now.as_ref().clone();
    if let Some(status) = &mut next.status {
        status.error_message = format!("round {round}");
        status.error_count = round as i64;
    }
    store.update_status(next, now.version()).await.unwrap();
}

/// Durable status writes a second with this many writers at once.
async fn status_writes(store: &Embedded, writers: usize) -> Value {
    let before = store.version();
    let (start, cpu_before) = (Instant::now(), cpu());
    let writes = (0..writers).map(|writer| async move {
        let mut n = writer;
        let mut round = 0;
        while start.elapsed() < Duration::from_secs(3) {
            write(store, n, round).await;
            // Writers keep to hosts of their own, spread over the fleet.
            n += writers * 37 % HOSTS;
            n = n % HOSTS / writers * writers + writer;
            n = if n < HOSTS { n } else { writer };
            round += 1;
        }
    });
    join_all(writes).await;
    let seconds = start.elapsed().as_secs_f64();
    let writes = store.version().0 - before.0;
    let each = (cpu() - cpu_before) * 1e6 / writes as f64;
    json!({
        "writers": writers,
        "per_second": (writes as f64 / seconds) as u64,
        "cpu_us_each": (each * 10.0).round() / 10.0,
    })
}

fn du(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).map_or(0, |found| found.blocks() * 512)
}

/// What one fsync of a small append costs on this disk.
fn sync_cost(folder: &Path) -> f64 {
    use std::io::Write as _;
    let path = folder.join("sync");
    let mut file = std::fs::File::create(&path).unwrap();
    let start = Instant::now();
    for _ in 0..200 {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
    }
    let cost = start.elapsed().as_secs_f64() * 1e3 / 200.0;
    std::fs::remove_file(path).unwrap();
    cost
}

/// What a process of its own needs to open the store: milliseconds, CPU milliseconds, bytes.
fn open_alone(path: &Path) -> Value {
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new(program)
        .env(OPEN, path)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

const OPEN: &str = "METALFORM_BENCH_OPEN";

fn opened(path: &Path) {
    let (base, start) = (resident(), Instant::now());
    let store = Embedded::open(path, Options::default()).unwrap();
    let (wall, cpu) = (start.elapsed(), cpu());
    assert_eq!(Store::<BareMetalHost>::list(&store).len(), HOSTS);
    let at_open = resident();
    std::thread::sleep(Duration::from_millis(500));
    println!(
        "{}",
        json!({
            "ms": wall.as_millis() as u64,
            "cpu_ms": (cpu * 1e3) as u64,
            "base_mib": base >> 20,
            "opened_mib": at_open >> 20,
            "hosts": Store::<BareMetalHost>::list(&store).len(),
            "inventories": Store::<HardwareData>::list(&store).len(),
        })
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Some(path) = std::env::var_os(OPEN) {
        return opened(Path::new(&path));
    }
    let folder: PathBuf = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder).unwrap();
    let path = folder.path().join("store.db");
    let sync = sync_cost(folder.path());
    let base = resident();
    let store = Embedded::open(&path, Options::default()).unwrap();

    let start = Instant::now();
    let applies = (0..HOSTS).map(|n| {
        let store = &store;
        async move {
            Store::<BareMetalHost>::apply(store, &key(n), wanted(n), "metalform", false)
                .await
                .unwrap();
        }
    });
    join_all(applies).await;
    let applied = start.elapsed();

    let start = Instant::now();
    let applies = (0..HOSTS).map(|n| {
        let store = &store;
        async move {
            Store::<BareMetalHost>::apply(store, &key(n), wanted(n), "metalform", false)
                .await
                .unwrap();
        }
    });
    join_all(applies).await;
    let applied_again = start.elapsed();

    let start = Instant::now();
    for hosts in (0..HOSTS).collect::<Vec<_>>().chunks(1000) {
        let writes = hosts.iter().map(|n| {
            let store = &store;
            async move {
                let now = host(store, *n);
                let mut next = now.as_ref().clone();
                next.status = Some(serde_json::from_value(status(*n, 0)).unwrap());
                store.update_status(next, now.version()).await.unwrap();
            }
        });
        join_all(writes).await;
    }
    let first_status = start.elapsed();
    let with_hosts = resident();

    let mut writes = Vec::new();
    for writers in [1, 50, 200, 500, 2000, 8000] {
        writes.push(status_writes(&store, writers).await);
    }
    store.close().await.unwrap();
    drop(store);
    let (hosts_on_disk, hosts_in_file) = (du(&path), std::fs::metadata(&path).unwrap().len());

    let hosts_alone = open_alone(&path);
    let store = Embedded::open(&path, Options::default()).unwrap();

    let applies = (0..HOSTS).map(|n| {
        let store = &store;
        let wanted = json!({ "spec": { "hardware": inventory(n) } });
        async move {
            Store::<HardwareData>::apply(store, &key(n), wanted, "metalform", true)
                .await
                .unwrap();
        }
    });
    join_all(applies).await;
    store.close().await.unwrap();
    drop(store);
    let all_alone = open_alone(&path);

    let milliseconds = |time: Duration| (time.as_secs_f64() * 1e4).round() / 10.0;
    let result = json!({
        "bench": "store",
        "hosts": HOSTS,
        "disk": { "append_and_sync_ms": (sync * 100.0).round() / 100.0 },
        "apply_new_ms": milliseconds(applied),
        "apply_same_ms": milliseconds(applied_again),
        "first_status_ms": milliseconds(first_status),
        "status_writes": writes,
        "open_hosts": hosts_alone,
        "open_hosts_and_inventories": all_alone,
        "bytes_on_disk": { "used": hosts_on_disk, "file": hosts_in_file },
        "resident_mib": { "base": base >> 20, "with_hosts": with_hosts >> 20 },
        "host_struct_bytes": std::mem::size_of::<BareMetalHost>(),
    });
    println!("{result:#}");
}
