//! `metalform run` with a settled fleet: memory, CPU and writes of a process that has nothing to do.
//! Prints one JSON object.
//!
//! `cargo bench --bench settled [-- HOSTS [FOLDER]]`. The machines are simulated in the same process,
//! which costs about a kilobyte each; a real Ironic's picture of them costs as much. `after_restart`
//! is the same process started again, which has nothing to free.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a settled process is watched.
const WATCHED: Duration = Duration::from_secs(30);

fn spec(folder: &Path, hosts: usize) {
    let racks = hosts.div_ceil(40);
    let text = format!(
        r#"/- kdl-version 2
spec bench {{
    secrets secrets
    simulated {{
        pace 20
        seed 7
        faults "limit inspect 500" "limit clean 500" "limit deploy 500"
    }}
}}
each {{
    labels site=fra1 role=worker
    boot mode=UEFI
}}
rack "r[row=001-{racks:03}]" {{
    each {{
        bmc address="redfish-virtualmedia://127.0.0.1:8000/redfish/v1/Systems/${{host.name}}" credentials=(secret)bmc
        boot mac="${{mac('52:54:00:00:00:00', rack.row * 64 + host.slot)}}"
    }}
    host "${{rack.name}}-n[slot=01-40]"
}}
image debian-13 {{
    url "https://127.0.0.1:8443/debian-13.qcow2"
    checksum "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
}}
pool workers {{
    select role=worker
    deploy debian-13
}}
"#
    );
    std::fs::create_dir_all(folder.join("secrets/bmc")).unwrap();
    for (key, value) in [("username", "admin"), ("password", "bench")] {
        std::fs::write(folder.join("secrets/bmc").join(key), value).unwrap();
    }
    std::fs::write(folder.join("fleet.kdl"), text).unwrap();
}

/// Ends with the bench.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn metalform() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metalform"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn run(folder: &Path) -> Run {
    Run(metalform().arg("run").arg(folder).spawn().unwrap())
}

/// Waits until this many hosts are provisioned, by asking as a person would.
fn settled(folder: &Path, hosts: usize) -> Duration {
    let start = Instant::now();
    loop {
        let mut get = metalform();
        get.arg("get").arg("-C").arg(folder).stdout(Stdio::piped());
        let output = get.output().unwrap();
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        let provisioned = table
            .lines()
            .filter(|line| line.contains(" provisioned "))
            .count();
        if provisioned == hosts {
            return start.elapsed();
        }
        assert!(
            start.elapsed() < Duration::from_mins(15),
            "{provisioned} of {hosts} provisioned"
        );
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// User and system time so far.
fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1000
}

/// Bytes that the process had written to disk so far.
fn written(pid: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    let line = io
        .lines()
        .find(|line| line.starts_with("write_bytes:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What a process does while there is nothing to do.
fn idle(pid: u32) -> Value {
    std::thread::sleep(Duration::from_secs(5));
    let (before, bytes) = (cpu(pid), written(pid));
    std::thread::sleep(WATCHED);
    let used = cpu(pid).saturating_sub(before);
    json!({
        "rss_mb": resident(pid),
        "cpu_percent": (used.as_secs_f64() / WATCHED.as_secs_f64() * 1e4).round() / 100.0,
        "bytes_written": written(pid) - bytes,
    })
}

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let hosts: usize = args.next().map_or(10_000, |arg| arg.parse().unwrap());
    let folder = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(folder).unwrap();
    spec(dir.path(), hosts);
    let first = run(dir.path());
    let life = settled(dir.path(), hosts);
    let after_life = idle(first.0.id());
    drop(first);
    let again = run(dir.path());
    let restart = settled(dir.path(), hosts);
    let after_restart = idle(again.0.id());
    println!(
        "{}",
        serde_json::to_string_pretty(&json!({
            "bench": "settled",
            "hosts": hosts,
            "seconds_to_provisioned": life.as_secs(),
            "after_life": after_life,
            "ms_to_answer_after_restart": restart.as_millis() as u64,
            "after_restart": after_restart,
        }))
        .unwrap()
    );
}
