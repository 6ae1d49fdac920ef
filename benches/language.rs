//! A fleet of 10,000 hosts written one block each: reading, evaluating, checking, and planning
//! again after an edit. Prints one JSON object.
//!
//! `cargo bench --bench language [-- HOSTS]`. Wall and CPU time are the best of seven runs in one
//! process; memory is the peak of a process of its own over what it had before.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metalform::api::BareMetalHost;
use metalform::desired::{Desired, desired};
use metalform::diag::FileId;
use metalform::eval::{Cache, Evaluation, Inputs, Limits, evaluate};
use metalform::plan::{Compared, Comparer, Owned};
use metalform::syntax;
use metalform::vfs::RealDisk;
use serde_json::{Value, json};

// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUNS: usize = 7;
/// In a child: the spec whose evaluation's memory is asked for.
const ALONE: &str = "METALFORM_BENCH_ALONE";

/// One host, about 1,200 bytes: what an inventory that was written out has.
fn host(n: usize, out: &mut String) {
    let (rack, slot) = (n / 40, n % 40 + 1);
    writeln!(
        out,
        r#"host r{rack:03}-n{slot:02} rack=r{rack:03} slot={slot} row=row{row} asset="A-{n:06}" {{
    online #true
    description "compute node {slot} of rack {rack}, bought 2026-03, order 4711-{n}"
    labels {{
        role worker
        site fra1
        rack r{rack:03}
        vendor dell
        model r650
        "topology.kubernetes.io/region" fra
        "topology.kubernetes.io/zone" "fra1-row{row}"
    }}
    annotations {{
        "example.net/asset" "A-{n:06}"
        "example.net/owner" "platform@example.net"
    }}
    bmc {{
        address "redfish-virtualmedia://10.{a}.{b}.{c}/redfish/v1/Systems/System.Embedded.1"
        credentials (secret)bmc-r{rack:03}-n{slot:02}
        verify-ca #true
    }}
    boot {{
        mode UEFI
        mac "52:54:{d:02x}:{e:02x}:{f:02x}:01"
    }}
    root-device {{
        vendor "DELL"
        min-size (GB)480
        rotational #false
        serial "S6EWNX0T{n:06}"
    }}
    inspection agent
    cleaning metadata
    architecture x86_64
    taint "example.net/burn-in" value="pending" effect=NoSchedule
    image {{
        url "https://images.example.net/debian-13-20261101.qcow2"
        checksum "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
        format qcow2
    }}
    user-data (secret)worker-userdata
}}
"#,
        row = rack / 20,
        a = 16 + (n >> 16),
        b = n >> 8 & 255,
        c = n & 255,
        d = n >> 16 & 255,
        e = n >> 8 & 255,
        f = n & 255,
    )
    .unwrap();
}

/// All hosts as members of a pool.
const POOL: &str = "image os { url \"oci://images.example.net/os\"; }
pool workers { select role=worker; deploy os { network-data (secret)\"net-${host.name}\"; }; }
";

/// The fleet in one file, or in a file a rack with what all share in another; `more` stands in the
/// root file.
fn write(folder: &Path, hosts: usize, racks: bool, more: &str) -> u64 {
    let mut root = "/- kdl-version 2\nspec bench edition=\"2026\" namespace=metal3\n".to_owned();
    root.push_str(more);
    let mut bytes = 0;
    std::fs::create_dir_all(folder.join("racks")).unwrap();
    if racks {
        root.push_str("import \"racks/*.kdl\"\nimport \"shared.kdl\"\n");
        std::fs::write(folder.join("shared.kdl"), shared("a")).unwrap();
        for rack in 0..hosts.div_ceil(40) {
            bytes += write_rack(folder, rack, hosts, "");
        }
    } else {
        (0..hosts).for_each(|n| host(n, &mut root));
    }
    std::fs::write(folder.join("fleet.kdl"), &root).unwrap();
    bytes + root.len() as u64
}

fn write_rack(folder: &Path, rack: usize, hosts: usize, more: &str) -> u64 {
    let mut text = "/- kdl-version 2\n".to_owned();
    (rack * 40..(rack * 40 + 40).min(hosts)).for_each(|n| host(n, &mut text));
    text.push_str(more);
    std::fs::write(folder.join(format!("racks/r{rack:03}.kdl")), &text).unwrap();
    text.len() as u64
}

/// What reaches all hosts.
fn shared(stage: &str) -> String {
    format!("/- kdl-version 2\neach {{\n    labels stage={stage}\n}}\n")
}

fn evaluated(folder: &Path, cache: &mut Cache) -> Evaluation {
    let inputs = Inputs {
        disk: &RealDisk,
        root: folder,
        params: None,
        limits: Limits::default(),
    };
    evaluate(&inputs, cache)
}

/// User and system time of this process.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .map(|t| t.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        << 10
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 10.0
}

/// Best wall time of some runs, and the CPU time a run.
fn best<T>(mut run: impl FnMut(usize) -> T) -> Value {
    let before = cpu();
    let mut best = Duration::MAX;
    for turn in 0..RUNS {
        let start = Instant::now();
        let out = run(turn);
        best = best.min(start.elapsed());
        // What has to be dropped is not counted: a command ends without.
        drop(black_box(out));
    }
    json!({ "ms": ms(best), "cpu_ms": ms(cpu().saturating_sub(before) / RUNS as u32) })
}

fn alone(folder: &Path) {
    let base = memory("VmRSS:");
    let evaluation = evaluated(folder, &mut Cache::default());
    let (peak, after) = (memory("VmHWM:"), memory("VmRSS:"));
    assert!(!evaluation.has_errors());
    println!(
        "{}",
        json!({
            "base_mb": base / 1_000_000,
            "peak_over_base_mb": (peak - base) / 1_000_000,
            "kept_over_base_mb": (after - base) / 1_000_000,
        })
    );
}

/// A saved edit until the new plan is there: evaluate, lower, compare, each with what `run` keeps
/// of the last time.
struct Project {
    folder: PathBuf,
    cache: Cache,
    observed: Vec<Arc<BareMetalHost>>,
    last: Desired,
    compared: Compared,
}

impl Project {
    fn new(folder: &Path) -> Self {
        let mut cache = Cache::default();
        let found = evaluated(folder, &mut cache);
        let last = lower(found, &[], None);
        let observed = last
            .hosts
            .iter()
            .map(|(key, wanted)| {
                Arc::new(serde_json::from_value(last.object(key, wanted)).unwrap())
            })
            .collect();
        Self {
            folder: folder.to_owned(),
            cache,
            observed,
            last,
            compared: Compared::default(),
        }
        .warm()
    }

    fn warm(mut self) -> Self {
        assert_eq!(self.plan(), 0);
        self
    }

    /// Saves an edit of one host in the file of a rack, and plans.
    fn edit_rack(&mut self, hosts: usize, turn: usize) {
        let more = format!("refine r007-n07 {{ labels turn=t{turn}; }}\n");
        write_rack(&self.folder, 7, hosts, &more);
        assert_eq!(self.plan(), 1);
    }

    /// How many actions the new plan has.
    fn plan(&mut self) -> usize {
        let found = evaluated(&self.folder, &mut self.cache);
        assert!(!found.has_errors());
        let next = lower(found, &self.observed, Some(&self.last));
        let compared = std::mem::take(&mut self.compared);
        let mut comparer = Comparer::after(&next, &self.last, compared);
        let owned: Owned = comparer
            .differing(&self.observed)
            .into_iter()
            .map(|key| (key, Vec::new()))
            .collect();
        let actions = comparer.diff(&self.observed, &owned).actions.len();
        self.compared = comparer.into_compared();
        self.last = next;
        actions
    }
}

fn lower(found: Evaluation, observed: &[Arc<BareMetalHost>], last: Option<&Desired>) -> Desired {
    let complete = found.complete;
    desired(
        &found.fleet,
        &Arc::new(found.files),
        complete,
        observed,
        last,
    )
}

fn main() {
    if let Some(folder) = std::env::var_os(ALONE) {
        return alone(Path::new(&folder));
    }
    let hosts = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(10_000);
    let dir = tempfile::tempdir().unwrap();
    let (one, many) = (dir.path().join("one"), dir.path().join("many"));
    let bytes = write(&one, hosts, false, "");
    write(&many, hosts, true, "");

    let text = std::fs::read_to_string(one.join("fleet.kdl")).unwrap();
    let whole: Arc<str> = text.as_str().into();
    let read = best(|_| syntax::parse(FileId(0), &whole, &syntax::Limits::default()));
    let cold = best(|_| evaluated(&one, &mut Cache::default()));
    let cold_many = best(|_| evaluated(&many, &mut Cache::default()));
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).env(ALONE, &one).output().unwrap();
    let memory: Value = serde_json::from_slice(&output.stdout).unwrap();
    let check = best(|_| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_metalform"));
        let done = command.arg("check").arg(&one).output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    });

    let pooled = dir.path().join("pooled");
    write(&pooled, hosts, true, POOL);
    let mut members = Project::new(&pooled);
    let members_again = best(|turn| members.edit_rack(hosts, turn));
    let mut project = Project::new(&many);
    let again = best(|turn| project.edit_rack(hosts, turn));
    let all_again = best(|turn| {
        std::fs::write(many.join("shared.kdl"), shared(&format!("s{turn}"))).unwrap();
        project.plan()
    });
    let mut single = Project::new(&one);
    let one_again = best(|turn| {
        let more = format!("refine r007-n07 {{ labels turn=t{turn}; }}\n");
        std::fs::write(one.join("fleet.kdl"), format!("{text}{more}")).unwrap();
        single.plan()
    });

    println!(
        "{}",
        serde_json::to_string_pretty(&json!({
            "bench": "language",
            "hosts": hosts,
            "bytes": bytes,
            "parse": read,
            "evaluate": cold,
            "evaluate_250_files": cold_many,
            "evaluate_memory": memory,
            "check": check,
            "plan_again_one_rack_of_250_files": again,
            "plan_again_one_rack_all_in_a_pool": members_again,
            "plan_again_all_hosts_changed": all_again,
            "plan_again_one_file_of_all": one_again,
        }))
        .unwrap()
    );
}
