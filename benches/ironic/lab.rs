//! The lab of the bench: a real Ironic behind the front, whose log is what is counted.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// A running lab.
pub struct Lab {
    state: PathBuf,
    about: Value,
}

/// Requests by what they are for.
#[derive(Debug, Default)]
pub struct Counts {
    pub all: usize,
    /// Looks and pages of sweeps.
    pub bulk: usize,
    /// Pages of sweeps alone.
    pub pages: usize,
    /// Of single machines; accepted or not.
    pub writes: usize,
    pub reads: usize,
    /// Of the machine that took most.
    pub most_writes: usize,
    pub most_reads: usize,
    /// Writes that Ironic did not take.
    pub refused: usize,
}

/// One line of the front's log.
struct Line {
    time: f64,
    method: String,
    path: String,
    status: u64,
    took: f64,
}

impl Line {
    fn is_look(&self) -> bool {
        self.path.starts_with("/v1/nodes/detail?")
    }

    fn is_page(&self) -> bool {
        // Links to the next page have their parameters in another order.
        let of_all = self.path.starts_with("/v1/nodes?") || self.path.starts_with("/v1/ports?");
        let of_one = self.path.contains("node_uuid=") || self.path.contains("address=");
        self.method == "GET" && of_all && !of_one
    }

    fn is_greeting(&self) -> bool {
        matches!(self.path.as_str(), "/v1" | "/v1/drivers")
    }

    /// The UUID in the path, the machine that it is about.
    fn machine(&self) -> &str {
        let mut words = self.path.split(['/', '?', '=', '&']);
        words
            .find(|word| word.len() == 36 && word.matches('-').count() == 4)
            .unwrap_or_default()
    }
}

impl Lab {
    /// Starts one that ends with this process at the latest.
    pub fn start(state: &Path) -> Self {
        Self::with_machines(state, 0)
    }

    /// Starts one with so many Redfish machines.
    pub fn with_machines(state: &Path, machines: usize) -> Self {
        let (owner, machines) = (std::process::id().to_string(), machines.to_string());
        let mut command = script("lab");
        command.args(["start", "0", &machines, "--owner", &owner, "--state"]);
        command.arg(state);
        // With 10,000 nodes these would keep Ironic busy with itself: a pass over all power states
        // each minute, and a look at all nodes each two seconds.
        command.args(["--power-sync", "0", "--poll", "60", "--no-node-history"]);
        let started = command.stdout(Stdio::null()).status().unwrap();
        assert!(started.success(), "the lab did not start");
        let about = std::fs::read(state.join("lab.json")).unwrap();
        Self {
            state: state.to_owned(),
            about: serde_json::from_slice(&about).unwrap(),
        }
    }

    /// Where metalform finds Ironic.
    pub fn url(&self) -> &str {
        self.about["front"]["url"].as_str().unwrap()
    }

    /// BMC address and boot MAC address of each Redfish machine.
    pub fn machines(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = self.about["redfish"].as_array().unwrap().iter();
        all.map(|machine| (text(&machine["address"]), text(&machine["mac"])))
            .collect()
    }

    /// User name and password of their BMCs.
    pub fn login(&self) -> (String, String) {
        let text = |key: &str| self.about["bmc"][key].as_str().unwrap().to_owned();
        (text("username"), text("password"))
    }

    /// The arguments of a controller that works with this Ironic.
    pub fn controller(&self) -> Vec<String> {
        let text = |key: &str| self.about[key].as_str().unwrap().to_owned();
        vec![
            format!("--ironic={}", self.url()),
            format!("--deploy-kernel={}", text("deploy_kernel_url")),
            format!("--deploy-ramdisk={}", text("deploy_ramdisk_url")),
        ]
    }

    /// Copies a node so many times.
    pub fn clone_nodes(&self, name: &str, count: usize) {
        let mut command = script("nodes");
        command
            .arg(&self.state)
            .args(["clone", name, &count.to_string()]);
        assert!(command.status().unwrap().success(), "no copies");
    }

    /// A hand in Ironic's database.
    pub fn database(&self) -> Database {
        let mut command = script("nodes");
        command.arg(&self.state).arg("power");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Database {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn lines(&self, from: f64) -> Vec<Line> {
        let log = std::fs::read_to_string(self.about["front"]["log"].as_str().unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        log.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|line| Line {
                time: line["time"].as_f64().unwrap_or_default(),
                method: text(&line["method"]),
                path: text(&line["path"]),
                status: line["status"].as_u64().unwrap_or_default(),
                took: line["ms"].as_f64().unwrap_or_default(),
            })
            .filter(|line| line.time >= from)
            .collect()
    }

    /// What was asked since then.
    pub fn counts(&self, from: f64) -> Counts {
        let mut counts = Counts::default();
        let mut writes: BTreeMap<String, usize> = BTreeMap::new();
        let mut reads: BTreeMap<String, usize> = BTreeMap::new();
        for line in self.lines(from) {
            counts.all += 1;
            if line.is_look() || line.is_page() {
                counts.bulk += 1;
                counts.pages += usize::from(line.is_page());
            } else if line.method == "GET" && !line.is_greeting() {
                counts.reads += 1;
                *reads.entry(line.machine().to_owned()).or_default() += 1;
            } else if line.method != "GET" {
                counts.writes += 1;
                counts.refused += usize::from(line.status >= 300);
                *writes.entry(line.machine().to_owned()).or_default() += 1;
            }
        }
        let most = |counts: &BTreeMap<String, usize>| {
            let named = counts.iter().filter(|(machine, _)| !machine.is_empty());
            named.map(|(_, count)| *count).max().unwrap_or_default()
        };
        // The node's and its port's creation have no UUID in the path: two more a machine.
        counts.most_writes = most(&writes) + if writes.contains_key("") { 2 } else { 0 };
        counts.most_reads = most(&reads);
        counts
    }

    /// The most requests of any sixty seconds since then.
    pub fn worst_minute(&self, from: f64) -> usize {
        let times: Vec<f64> = self.lines(from).iter().map(|line| line.time).collect();
        let (mut first, mut worst) = (0, 0);
        for (last, time) in times.iter().enumerate() {
            while time - times[first] >= 60.0 {
                first += 1;
            }
            worst = worst.max(last + 1 - first);
        }
        worst
    }

    /// How many pages the last sweep that began took.
    pub fn pages_of_a_sweep(&self) -> usize {
        let pages: Vec<String> = self
            .lines(0.0)
            .into_iter()
            .filter(Line::is_page)
            .map(|line| line.path)
            .collect();
        let is_first = |path: &String| path.starts_with("/v1/nodes?") && !path.contains("marker=");
        let last = pages.iter().rposition(is_first).unwrap_or_default();
        pages.len() - last
    }

    /// What a look takes, half of them.
    pub fn median_look(&self, from: f64) -> f64 {
        let lines = self.lines(from);
        let mut all: Vec<f64> = lines
            .iter()
            .filter(|line| line.is_look())
            .map(|line| line.took)
            .collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let mut command = script("lab");
        command.arg("stop").arg(&self.state).status().ok();
    }
}

/// Changes power states and tells when.
pub struct Database {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Database {
    /// Changes one; answers with the time of the commit.
    pub fn power(&mut self, name: &str, on: bool) -> f64 {
        let state = if on { "on" } else { "off" };
        writeln!(self.input, "metal3~{name} {state}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs_f64()
}

fn script(name: &str) -> Command {
    Command::new(format!(
        "{}/tests/ironic/{name}",
        env!("CARGO_MANIFEST_DIR")
    ))
}
