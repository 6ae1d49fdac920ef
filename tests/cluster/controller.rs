//! A controller as a cluster runs it: the binary, with a service account's token and no more rights
//! than `deploy/rbac` gives.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::Server;

/// How long anything may take before the test fails. Long, because a loaded machine is no bug.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A namespace with an account that may do there what the controller's role says.
pub struct Site {
    pub server: Server,
    pub namespace: String,
    dir: tempfile::TempDir,
}

/// A running controller. It ends with the value.
pub struct Controller {
    child: Child,
    log: PathBuf,
}

impl Site {
    /// A site on the shared cluster, if there is one.
    pub async fn shared(about: &str) -> Option<Self> {
        Some(Self::on(Server::shared()?, about).await)
    }

    /// A site on this cluster, with everything installed that a controller needs.
    pub async fn on(server: Server, about: &str) -> Self {
        for crd in metalform::api::crd::crds().unwrap() {
            server.install(&serde_json::to_value(&crd).unwrap());
        }
        let namespace = server.namespace(&server.admin().await, about).await;
        let site = Self {
            server,
            namespace,
            dir: tempfile::tempdir().unwrap(),
        };
        site.grant();
        site
    }

    /// A site on a cluster of its own, for what all others would suffer from.
    pub async fn own(about: &str, options: &[&str]) -> Option<Self> {
        Some(Self::on(Server::own(options)?, about).await)
    }

    /// The account, its rights in this namespace alone, and a kubeconfig with its token.
    fn grant(&self) {
        let namespace = &self.namespace;
        self.kubectl(&["create", "serviceaccount", "metalform"]);
        let account = format!("--serviceaccount={namespace}:metalform");
        for role in ["controller", "fleet"] {
            let file = root(&format!("deploy/rbac/{role}/role.yaml"));
            let text = fs::read_to_string(&file).unwrap();
            // Roles of the cluster are shared by all tests, and equal.
            self.server.kubectl_with(
                &["apply", "--server-side", "--force-conflicts", "-f", "-"],
                &text,
            );
            let name = match role {
                "controller" => "metalform",
                _ => "metalform-fleet",
            };
            let role = format!("--clusterrole={name}");
            self.kubectl(&["create", "rolebinding", name, &role, &account]);
        }
        let lease = fs::read_to_string(root("deploy/rbac/lease/role.yaml")).unwrap();
        let lease = lease.replace("metalform-system", namespace);
        self.server.kubectl_with(&["apply", "-f", "-"], &lease);
        let role = "--role=metalform-lease";
        self.kubectl(&["create", "rolebinding", "metalform-lease", role, &account]);
        let token = self.kubectl(&["create", "token", "metalform", "--duration=2h"]);
        let mut config: Value = self.server.config();
        config["users"][0]["user"] = json!({ "token": token.trim() });
        config["contexts"][0]["context"]["namespace"] = namespace.as_str().into();
        fs::write(self.kubeconfig(), config.to_string()).unwrap();
    }

    /// The kubeconfig of the controller's account.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// A file or folder of this site.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `kubectl` in this namespace, as administrator.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let mut all = vec!["-n", &self.namespace];
        all.extend(arguments);
        self.server.kubectl(&all)
    }

    /// Makes these objects in this namespace.
    #[track_caller]
    pub fn create(&self, objects: &Value) {
        let all = ["-n", &self.namespace, "create", "-f", "-"];
        self.server.kubectl_with(&all, &objects.to_string());
    }

    /// A Secret with credentials.
    #[track_caller]
    pub fn credentials(&self, name: &str, password: &str) {
        self.create(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name },
            "stringData": { "username": "root", "password": password },
        }));
    }

    /// A host with an image, its BMC credentials in the Secret `bmc`. `slot` makes its addresses.
    pub fn host(name: &str, slot: u8) -> Value {
        json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": { "name": name },
            "spec": {
                "online": true,
                "bootMACAddress": format!("52:54:00:00:01:{slot:02x}"),
                "bmc": {
                    "address": format!("redfish-virtualmedia+http://127.0.0.1:1/redfish/v1/Systems/{slot}"),
                    "credentialsName": "bmc",
                },
                "image": {
                    "url": "http://127.0.0.1/debian.qcow2",
                    "checksum": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
                    "checksumType": "sha256",
                },
            },
        })
    }

    /// An object as it is now; null when it is not there.
    #[track_caller]
    pub fn get(&self, what: &str) -> Value {
        let text = self.kubectl(&["get", what, "-o", "json", "--ignore-not-found"]);
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// A host's provisioning state; empty when there is none.
    #[track_caller]
    pub fn state(&self, host: &str) -> String {
        let host = self.get(&format!("bmh/{host}"));
        let state = host["status"]["provisioning"]["state"].as_str();
        state.unwrap_or_default().to_owned()
    }

    /// Waits until a host is in this state.
    #[track_caller]
    pub fn comes_to(&self, host: &str, state: &str) {
        let is = || self.state(host);
        until(
            || is() == state,
            || format!("{host} is {:?}, not {state}", is()),
        );
    }

    /// Waits until a host's power is said to be so.
    #[track_caller]
    pub fn is_powered(&self, host: &str, on: bool) {
        let status = || self.get(&format!("bmh/{host}"))["status"].clone();
        until(
            || status()["poweredOn"] == on,
            || format!("{host}: poweredOn is not {on}: {}", status()),
        );
    }

    /// A merge patch of an object.
    #[track_caller]
    pub fn patch(&self, what: &str, patch: &Value) {
        self.kubectl(&["patch", what, "--type=merge", "-p", &patch.to_string()]);
    }

    /// Starts a controller with simulated machines here.
    pub fn simulate(&self, name: &str, arguments: &[&str]) -> Controller {
        let mut all = vec!["--simulate=50"];
        all.extend(arguments);
        self.start(name, &all)
    }

    /// Starts a controller here with these arguments. `name` is that of its log.
    pub fn start(&self, name: &str, arguments: &[&str]) -> Controller {
        let mut program = Command::new(env!("CARGO_BIN_EXE_metalform"));
        program
            .env("KUBECONFIG", self.kubeconfig())
            .env("HOSTNAME", name)
            // With each effect that a machine accepted.
            .env("METALFORM_LOG", "info,metalform::engine::turn=debug")
            .args(["controller", "--namespace", &self.namespace])
            .args(arguments)
            .args(
                match arguments.iter().any(|word| word.starts_with("--listen")) {
                    true => &[][..],
                    false => &["--listen", "none"],
                },
            );
        Controller::spawn(&mut program, self.dir.path().join(format!("{name}.log")))
    }
}

impl Controller {
    /// Starts this, with its log there.
    pub fn spawn(program: &mut Command, log: PathBuf) -> Self {
        let out = File::create(&log).unwrap();
        let child = program
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it says this.
    #[track_caller]
    pub fn says(&self, what: &str) {
        until(
            || self.log().contains(what),
            || format!("it did not say {what:?}:\n{}", self.log()),
        );
    }

    /// A signal by its name.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let done = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(done.unwrap().success(), "kill -{name}");
    }

    /// Ends it at once, as a machine that loses its power would.
    pub fn dies(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub fn ends(&mut self) -> ExitStatus {
        let mut ended = None;
        until(
            || {
                ended = self.child.try_wait().unwrap();
                ended.is_some()
            },
            || {
                format!(
                    "it does not end:\n{}",
                    fs::read_to_string(&self.log).unwrap()
                )
            },
        );
        ended.unwrap()
    }

    /// Asks it to end, and waits. Answers how long that took.
    #[track_caller]
    pub fn stop(mut self) -> Duration {
        let started = Instant::now();
        self.signal("TERM");
        let ended = self.ends();
        assert!(ended.success(), "{ended}:\n{}", self.log());
        started.elapsed()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            println!("{}:\n{}", self.log.display(), self.log());
        }
    }
}

/// A file of the project.
pub fn root(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Waits until something is so.
#[track_caller]
pub fn until(mut is_so: impl FnMut() -> bool, what: impl Fn() -> String) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{}", what());
        std::thread::sleep(Duration::from_millis(100));
    }
}
