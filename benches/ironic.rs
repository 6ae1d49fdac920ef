//! metalform on a real Ironic: what enrolling machines costs, what a settled fleet costs, and how
//! soon a change in Ironic is in a host's status. Prints one JSON object.
//!
//! `cargo bench --bench ironic [-- MACHINES [NODES [MINUTES]]]`, by default 100 machines enrolled
//! one by one, then 10,000 nodes (all others copied in Ironic's database) with a settled host each,
//! watched for one minute. A steady state of 12 minutes or more has a whole sweep in it.
//!
//! Starts a lab of its own with `tests/ironic/lab`, which installs Ironic once. Ironic, its agents
//! and metalform share this machine's cores: `load` says how busy they were at the start.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic)]

#[path = "ironic/fleet.rs"]
mod fleet;
#[path = "ironic/lab.rs"]
#[allow(dead_code, reason = "shared with the bench of the controller")]
mod lab;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::fleet::Fleet;
use self::lab::{Counts, Lab};

// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Changes whose way into the status is timed.
const SAMPLES: usize = 120;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let mut number = |default: usize| args.next().map_or(default, |arg| arg.parse().unwrap());
    let (machines, nodes, minutes) = (number(100), number(10_000), number(1));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let scratch = tempfile::tempdir().unwrap();
    let lab = Lab::start(&scratch.path().join("lab"));

    let fleet = Fleet::start(&lab, &scratch.path().join("small.redb"));
    let began = Instant::now();
    let names: Vec<String> = (0..machines)
        .map(|index| format!("bench-{index}"))
        .collect();
    for (index, name) in names.iter().enumerate() {
        fleet
            .apply(
                name,
                &format!("52:54:00:be:{:02x}:{:02x}", index >> 8, index & 255),
            )
            .await;
    }
    fleet.settled("available", machines).await;
    let seconds = began.elapsed().as_secs_f64();
    let counts = lab.counts(0.0);
    let each = |count: usize| rounded(count as f64 / machines as f64);
    let enrolment = json!({
        "machines": machines,
        "seconds": rounded(seconds),
        "writes_a_machine": each(counts.writes),
        "most_writes_of_a_machine": counts.most_writes,
        "own_reads_a_machine": each(counts.reads),
        "most_own_reads_of_a_machine": counts.most_reads,
        "bulk_requests": counts.bulk,
        "refused": counts.refused,
    });
    let steady = steady(&lab, &fleet, minutes).await;
    let small = json!({ "hosts": machines, "steady": steady, "change_to_status": changes(&lab, &fleet, &names).await });

    // As many again as wanted, as settled as the first one is.
    let model = fleet.host(&names[0]);
    fleet.stop().await;
    let copies = nodes.saturating_sub(machines);
    lab.clone_nodes("metal3~bench-0", copies);
    let began = Instant::now();
    let fleet =
        Fleet::settled_copies(&lab, &scratch.path().join("large.redb"), &model, copies).await;
    let seconds = began.elapsed().as_secs_f64();
    let names: Vec<String> = (0..copies)
        .map(|index| format!("bench-c{index:05}"))
        .collect();
    let steady = self::steady(&lab, &fleet, minutes).await;
    let large = json!({
        "nodes": nodes,
        "hosts": copies,
        "seconds_to_see_all": rounded(seconds),
        "steady": steady,
        "change_to_status": changes(&lab, &fleet, &names).await,
    });
    fleet.stop().await;
    let result = json!({
        "load": load.trim(),
        "enrolment": enrolment,
        "small": small,
        "large": large,
    });
    println!("{}", serde_json::to_string_pretty(&result).unwrap());
}

/// What a settled fleet asks of Ironic, and what it costs here.
async fn steady(lab: &Lab, fleet: &Fleet, minutes: usize) -> Value {
    // What the last effect hurried is over.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (from, writes, cpu) = (lab::now(), fleet.status_writes(), cpu());
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(60 * minutes as u64)).await;
    let seconds = began.elapsed().as_secs_f64();
    let counts = lab.counts(from);
    let pages = lab.pages_of_a_sweep();
    let Counts { bulk, .. } = counts;
    json!({
        "seconds": rounded(seconds),
        "requests_a_minute": rounded(counts.all as f64 * 60.0 / seconds),
        "worst_minute": lab.worst_minute(from),
        "of_these_pages_of_sweeps": counts.pages,
        "requests_of_first_sweep": pages,
        // A sweep each ten minutes, on top of the looks; its pages are at least half as large as
        // those of the first one.
        "requests_a_minute_with_sweeps":
            rounded((bulk - counts.pages) as f64 * 60.0 / seconds + (2 * pages) as f64 / 10.0),
        "of_single_hosts": counts.reads + counts.writes,
        "status_writes": fleet.status_writes() - writes,
        "look_ms_median": lab.median_look(from),
        "cpu_percent_of_a_core": rounded((self::cpu() - cpu) / seconds * 100.0),
        "rss_mb": rss(),
    })
}

/// Times how long a change in Ironic's database takes into the status of its host.
async fn changes(lab: &Lab, fleet: &Fleet, names: &[String]) -> Value {
    let mut database = lab.database();
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    let mut all = Vec::new();
    for _ in 0..SAMPLES {
        // Neither in step with the looks nor too few hosts.
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let name = &names[(noise >> 40) as usize % names.len()];
        tokio::time::sleep(Duration::from_millis(200 + (noise >> 20) % 1500)).await;
        let on = !fleet.is_on(name);
        let (changed, written) = fleet.change(name, on, || database.power(name, on)).await;
        all.push(written - changed);
    }
    all.sort_by(f64::total_cmp);
    let at = |part: f64| rounded(all[((all.len() - 1) as f64 * part).round() as usize]);
    json!({
        "samples": all.len(),
        "p50_seconds": at(0.5),
        "p90_seconds": at(0.9),
        "p99_seconds": at(0.99),
        "most_seconds": at(1.0),
    })
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Seconds of CPU that this process used.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    // User and system time, in hundredths.
    (ticks(11).unwrap_or_default() + ticks(12).unwrap_or_default()) / 100.0
}

fn rss() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    (kilobytes.unwrap_or_default() / 1024.0).round()
}
