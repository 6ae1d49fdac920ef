//! A person at a desk: a folder with a spec, a terminal, and a namespace of the cluster that nobody else
//! works in.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::server::Server;

/// The image that hosts get where a test says nothing else.
pub const IMAGE: &str = "https://127.0.0.1:8443/debian-1.qcow2";

/// See the module.
pub struct Desk {
    pub server: Server,
    pub namespace: String,
    dir: tempfile::TempDir,
}

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Done {
    fn from(done: Output) -> Self {
        Self {
            code: done.status.code(),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }
}

impl Done {
    /// Fails unless it ended with this code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// Fails unless the answer or what was said beside it has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let said = self.out.contains(text) || self.err.contains(text);
        assert!(said, "no `{text}`:\n{}\n{}", self.out, self.err);
        self
    }

    /// Fails if the answer or what was said beside it has this text.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        let said = self.out.contains(text) || self.err.contains(text);
        assert!(!said, "`{text}`:\n{}\n{}", self.out, self.err);
        self
    }
}

/// Installs the definitions of these kinds, of all where none is named.
#[track_caller]
fn define(server: &Server, kinds: &[&str]) {
    let crds = Command::new(env!("CARGO_BIN_EXE_metalform"))
        .arg("crd")
        .args(kinds)
        .output()
        .unwrap();
    let crds = String::from_utf8(crds.stdout).unwrap();
    server.kubectl_with(
        &["apply", "--server-side", "--force-conflicts", "-f", "-"],
        &crds,
    );
    server.kubectl(&[
        "wait",
        "--for=condition=Established",
        "--timeout=30s",
        "crd",
        "--all",
    ]);
}

impl Desk {
    /// A desk with an empty folder; `None` without a cluster.
    pub async fn new(about: &str) -> Option<Self> {
        static CRDS: OnceLock<()> = OnceLock::new();
        let server = Server::shared()?;
        CRDS.get_or_init(|| define(&server, &[]));
        Some(Self::on(server, about).await)
    }

    /// One at a cluster of its own that knows these kinds only.
    pub async fn where_only(kinds: &[&str], about: &str) -> Option<Self> {
        let server = Server::own(&[])?;
        define(&server, kinds);
        Some(Self::on(server, about).await)
    }

    async fn on(server: Server, about: &str) -> Self {
        let cluster = server.admin().await;
        let namespace = server.namespace(&cluster, about).await;
        Self {
            server,
            namespace,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Saves `fleet.kdl`: these hosts of one pool, and what else is said.
    pub fn fleet(&self, hosts: &str, more: &str) {
        let text = format!(
            r#"/- kdl-version 2
spec lab namespace={}
each {{
    bmc address="redfish://127.0.0.1:${{8000 + host.slot}}/redfish/v1/Systems/1" credentials=(secret)bmc
    boot mac="${{mac('52:54:00:01:00:00', host.slot)}}"
}}
image debian {{
    url "{IMAGE}"
    checksum "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
}}
host "{hosts}" {{ labels role=worker; }}
pool workers {{ select role=worker; deploy debian; rollout max-unavailable=1; }}
{more}
"#,
            self.namespace
        );
        self.write("fleet.kdl", &text);
    }

    /// Saves a file, its folders made.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Where a file is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What a file says.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `metalform` with the administrator's kubeconfig.
    pub fn run(&self, args: &[&str]) -> Done {
        self.run_as(env!("CARGO_BIN_EXE_metalform").into(), args)
    }

    /// The same by another name of the program.
    pub fn run_as(&self, program: PathBuf, args: &[&str]) -> Done {
        Command::new(program)
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("KUBECONFIG", self.server.kubeconfig())
            .stdin(Stdio::null())
            .output()
            .unwrap()
            .into()
    }

    /// `metalform apply --yes` in this cluster, with these flags.
    pub fn apply(&self, flags: &[&str]) -> Done {
        let mut args = vec!["apply", "--yes", "--namespace", &self.namespace];
        args.extend(flags);
        self.run(&args)
    }

    /// `kubectl` in this namespace.
    #[track_caller]
    pub fn kubectl(&self, args: &[&str]) -> String {
        let mut all = vec!["--namespace", &self.namespace];
        all.extend(args);
        self.server.kubectl(&all)
    }

    /// One object, as JSON.
    #[track_caller]
    pub fn object(&self, kind: &str, name: &str) -> Value {
        let text = self.kubectl(&["get", kind, name, "-o", "json", "--show-managed-fields"]);
        serde_json::from_str(&text).unwrap()
    }

    /// All hosts with their versions.
    #[track_caller]
    pub fn versions(&self) -> Vec<(String, String)> {
        let text = self.kubectl(&["get", "bmh", "-o", "json"]);
        let list: Value = serde_json::from_str(&text).unwrap();
        let version = |host: &Value| {
            let meta = &host["metadata"];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&meta["name"]), text(&meta["resourceVersion"]))
        };
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(version)
            .collect()
    }

    /// Names of all hosts, with spaces.
    #[track_caller]
    pub fn names(&self) -> String {
        let names: Vec<_> = self.versions().into_iter().map(|(name, _)| name).collect();
        names.join(" ")
    }

    /// Writes what a controller would: the host is provisioned with [`IMAGE`].
    pub fn provisioned(&self, name: &str) {
        self.deployed(name, IMAGE);
    }

    /// The same with another image.
    pub fn deployed(&self, name: &str, image: &str) {
        self.status(
            name,
            &json!({
                "operationalStatus": "OK", "errorMessage": "", "poweredOn": true, "errorCount": 0,
                "provisioningFailCount": 0,
                "provisioning": { "state": "provisioned", "ID": "7", "image": { "url": image } },
            }),
        );
    }

    /// Writes a status.
    pub fn status(&self, name: &str, status: &Value) {
        let patch = json!({ "status": status }).to_string();
        self.kubectl(&[
            "patch",
            "bmh",
            name,
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch,
        ]);
    }

    /// Changes an object by merge patch, as this person.
    pub fn patch(&self, kind: &str, name: &str, who: &str, patch: &Value) {
        let manager = format!("--field-manager={who}");
        let patch = patch.to_string();
        self.kubectl(&["patch", kind, name, &manager, "--type=merge", "-p", &patch]);
    }
}
