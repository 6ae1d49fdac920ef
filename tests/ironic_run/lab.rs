//! A lab, driven from a test: its Ironic, its faults, and what was asked of it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The API version of these tests' own questions.
const OURS: &str = "1.95";
/// The one that the Bare Metal Operator was recorded with (`tests/data/peer-ironic`).
const RECORDED: &str = "1.110";

/// One request that came to the front.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// The state that was asked for; empty where none was.
    pub target: String,
    /// What Ironic answered; 0 when it never saw the request.
    pub ironic: u64,
}

impl Asked {
    /// Whether Ironic did it, whatever the client was told.
    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.ironic)
    }
}

/// A node as Ironic has it.
#[derive(Debug, Clone)]
pub struct Node {
    pub uuid: String,
    pub state: String,
    pub image: String,
    pub instance: String,
    pub power: String,
    pub maintenance: bool,
}

/// A running lab. It ends with this process at the latest.
pub struct Lab {
    state: PathBuf,
    /// `lab.json`.
    pub about: Value,
}

impl Lab {
    /// Starts a lab with so many Redfish machines; fake ones are only names.
    pub fn start(state: &Path, redfish: usize, options: &[&str]) -> Self {
        let (redfish, owner) = (redfish.to_string(), std::process::id().to_string());
        let started = script()
            .args(["start", "0", &redfish, "--owner", &owner, "--state"])
            .arg(state)
            .args(options)
            .status()
            .unwrap();
        assert!(started.success(), "the lab did not start");
        let about = std::fs::read(state.join("lab.json")).unwrap();
        Self {
            state: state.to_owned(),
            about: serde_json::from_slice(&about).unwrap(),
        }
    }

    /// `lab VERB`, with these arguments after the folder.
    #[track_caller]
    pub fn tell(&self, verb: &str, arguments: &[&str]) {
        let mut command = script();
        let told = command.arg(verb).arg(&self.state).args(arguments).status();
        assert!(told.unwrap().success(), "lab {verb} {arguments:?}");
    }

    /// One more rule for the front.
    pub fn fault(&self, rule: &Value) {
        http("POST", self.text("front", "control_url"), Some(rule));
    }

    /// How many requests a rule `hold` of the front holds now.
    #[allow(dead_code, reason = "for the tests that have a cluster, too")]
    pub fn held(&self) -> u64 {
        let facts = http("GET", self.text("front", "control_url"), None);
        facts["held"].as_u64().unwrap()
    }

    /// The front has no rules any more, and what it holds goes on.
    pub fn let_go(&self) {
        http("DELETE", self.text("front", "control_url"), None);
    }

    /// One more rule for the agents.
    pub fn agent(&self, node: &str, what: &str, times: i64) {
        let rule = json!({ "node": node, "what": what, "times": times });
        http("POST", self.text("agents", "control_url"), Some(&rule));
    }

    /// From now on this is the password of the Redfish machines.
    pub fn rotate(&self, password: &str) {
        let rule = json!({"password": password});
        http("POST", self.text("bmc", "control_url"), Some(&rule));
    }

    /// No rules any more, for front, agents and BMCs.
    pub fn forget_faults(&self) {
        self.rotate(self.text("bmc", "password"));
        self.let_go();
        for part in ["agents", "bmc"] {
            http("DELETE", self.text(part, "control_url"), None);
        }
    }

    /// A text of `lab.json`.
    #[track_caller]
    pub fn text(&self, part: &str, key: &str) -> &str {
        self.about[part][key].as_str().unwrap()
    }

    /// An image of the lab, as a BareMetalHost names it.
    #[allow(dead_code, reason = "for the tests that have a cluster, too")]
    pub fn image(&self, index: usize) -> Value {
        let image = &self.about["images"][index];
        json!({
            "url": image["url"], "checksum": image["sha256"], "checksumType": "sha256",
            "format": image["format"],
        })
    }

    /// What a controller is told of this lab.
    #[allow(dead_code, reason = "for the tests that have a cluster, too")]
    pub fn flags(&self) -> [&str; 6] {
        let text = |key: &str| self.about[key].as_str().unwrap();
        [
            "--ironic",
            self.url(),
            "--deploy-kernel",
            text("deploy_kernel_url"),
            "--deploy-ramdisk",
            text("deploy_ramdisk_url"),
        ]
    }

    /// The address that metalform is given: the front's.
    pub fn url(&self) -> &str {
        self.text("front", "url")
    }

    /// All nodes by name, without the namespace. Asked past the front.
    pub fn nodes(&self) -> BTreeMap<String, Node> {
        let body = self.get("/v1/nodes/detail?limit=1000");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        body["nodes"]
            .as_array()
            .unwrap_or_else(|| panic!("no nodes: {body}"))
            .iter()
            .map(|node| {
                let name = text(&node["name"]);
                let name = name.strip_prefix("metal3~").unwrap_or(&name).to_owned();
                let row = Node {
                    uuid: text(&node["uuid"]),
                    state: text(&node["provision_state"]),
                    image: text(&node["instance_info"]["image_source"]),
                    instance: text(&node["instance_uuid"]),
                    power: text(&node["power_state"]),
                    maintenance: node["maintenance"] == true,
                };
                (name, row)
            })
            .collect()
    }

    /// The nodes whose names begin like this.
    pub fn nodes_of(&self, prefix: &str) -> BTreeMap<String, Node> {
        let mut nodes = self.nodes();
        nodes.retain(|name, _| name.starts_with(prefix));
        nodes
    }

    /// Waits until a node is in this state and rests there.
    #[track_caller]
    pub fn reaches(&self, name: &str, state: &str) {
        wait_for(&format!("{name} is `{state}`"), || {
            self.nodes()
                .get(name)
                .is_some_and(|node| node.state == state)
        });
    }

    /// GET past the front.
    pub fn get(&self, path: &str) -> Value {
        let login = self.about["ironic"]["username"].as_str().map(|user| {
            let password = self.text("ironic", "password");
            (user, password)
        });
        let url = format!("{}{path}", self.text("ironic", "url"));
        request("GET", &url, OURS, None, login).1
    }

    /// Any request past the front, with the API version of the recordings. Status and answer.
    #[allow(dead_code, reason = "for the tests that have a cluster, too")]
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.text("ironic", "url"));
        request(method, &url, RECORDED, body, None)
    }

    /// The BIOS settings of a Redfish machine, asked of itself.
    pub fn bios(&self, index: usize) -> Value {
        let system = self.about["redfish"][index]["url"].as_str().unwrap();
        let url = format!("{system}/BIOS");
        let login = (self.text("bmc", "username"), self.text("bmc", "password"));
        request("GET", &url, OURS, None, Some(login)).1["Attributes"].take()
    }

    /// How many requests were logged so far; a place to count from.
    pub fn mark(&self) -> usize {
        self.asked(0).len()
    }

    /// The requests that came to the front since a mark.
    pub fn asked(&self, from: usize) -> Vec<Asked> {
        let log = std::fs::read_to_string(self.text("front", "log")).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        log.lines()
            .skip(from)
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|line| Asked {
                method: text(&line["method"]),
                path: text(&line["path"]),
                target: text(&line["target"]),
                ironic: line["ironic"].as_u64().unwrap(),
            })
            .collect()
    }

    /// How often Ironic was brought to do what, of the nodes whose names begin like this, since a
    /// mark: `w1 active` to 1. Power counts as `w1 power on`.
    pub fn done(&self, prefix: &str, from: usize) -> BTreeMap<String, usize> {
        let nodes = self.nodes_of(prefix);
        let mut done = BTreeMap::new();
        for asked in self.asked(from).iter().filter(|asked| asked.is_done()) {
            let of = |(name, node): (&String, &Node)| {
                (asked.path.contains(&node.uuid) && !asked.target.is_empty())
                    .then(|| format!("{name} {}", asked.target))
            };
            if let Some(what) = nodes.iter().find_map(of) {
                *done.entry(what).or_default() += 1;
            }
        }
        done
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        script().arg("stop").arg(&self.state).status().ok();
    }
}

/// A lab that several tests use, one at a time, and that each leaves as it found it.
pub struct Shared(MutexGuard<'static, Lab>);

impl std::ops::Deref for Shared {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A test that failed may have left it paused or frozen.
        if std::thread::panicking() {
            script().arg("thaw").arg(&self.0.state).status().ok();
            script().arg("resume").arg(&self.0.state).status().ok();
        }
        self.0.forget_faults();
    }
}

/// The shared lab without authentication; `None` when tests shall do without a real Ironic.
pub fn shared() -> Option<Shared> {
    static LAB: OnceLock<Mutex<Lab>> = OnceLock::new();
    borrow(&LAB, &[])
}

/// The shared lab with HTTP basic authentication.
pub fn shared_with_login() -> Option<Shared> {
    static LAB: OnceLock<Mutex<Lab>> = OnceLock::new();
    borrow(&LAB, &["--auth", "http_basic"])
}

fn borrow(lab: &'static OnceLock<Mutex<Lab>>, options: &[&str]) -> Option<Shared> {
    if !is_wanted() {
        return None;
    }
    let lab = lab.get_or_init(|| {
        // Nothing of this process lasts long enough to clean up: the lab's keeper does.
        let state = tempfile::tempdir().unwrap().keep();
        let options = [options, &["--temporary"]].concat();
        Mutex::new(Lab::start(&state, 2, &options))
    });
    Some(Shared(lab.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Whether the real parts are installed and shall be used.
pub fn is_wanted() -> bool {
    let wanted = std::env::var_os("METALFORM_IRONIC_LAB").is_some_and(|path| !path.is_empty());
    if !wanted {
        println!("skipped: METALFORM_IRONIC_LAB names no lab (tests/run starts one)");
    }
    wanted
}

fn script() -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ironic/lab"));
    command.stdout(Stdio::null());
    command
}

fn http(method: &str, url: &str, body: Option<&Value>) -> Value {
    request(method, url, OURS, body, None).1
}

/// One request, in the fewest words that HTTP needs. Its status, and the answer as JSON, null when
/// it is none.
fn request(
    method: &str,
    url: &str,
    version: &str,
    body: Option<&Value>,
    login: Option<(&str, &str)>,
) -> (u16, Value) {
    use base64::Engine as _;
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let body = body.map(ToString::to_string).unwrap_or_default();
    let login = login.map_or_else(String::new, |(user, password)| {
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        format!("Authorization: Basic {text}\r\n")
    });
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {host}\r\nX-OpenStack-Ironic-API-Version: {version}\r\n\
         {login}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    (
        status.parse().unwrap_or_default(),
        serde_json::from_str(body).unwrap_or_default(),
    )
}

/// Waits until it is so; long, because a loaded machine is no bug.
#[track_caller]
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let (started, limit) = (Instant::now(), Duration::from_mins(2));
    while !done() {
        assert!(started.elapsed() < limit, "{what}: not after {limit:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
