//! The API server of these tests, driven by its administrator.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use metalform::store::kube::Cluster;
use serde_json::Value;

use crate::controller::root;

/// A running API server.
pub struct Server {
    about: Value,
    /// Where it lives, if it is nobody else's.
    own: Option<tempfile::TempDir>,
}

impl Server {
    /// The one that all tests share, if there is one.
    pub fn shared() -> Option<Self> {
        let Some(path) = std::env::var_os("METALFORM_KUBE").filter(|path| !path.is_empty()) else {
            println!("skipped: METALFORM_KUBE names no cluster (tests/run starts one)");
            return None;
        };
        let about = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        Some(Self { about, own: None })
    }

    /// One that this test alone has, to do with as it likes; it ends with the value.
    pub fn own(options: &[&str]) -> Option<Self> {
        Self::shared()?;
        let dir = tempfile::tempdir().unwrap();
        let owner = std::process::id().to_string();
        let state = dir.path().to_str().unwrap();
        let mut arguments = vec!["--state", state, "--owner", &owner, "--temporary"];
        arguments.extend(options);
        let path = control("start", &arguments);
        let about = serde_json::from_slice(&std::fs::read(path.trim()).unwrap()).unwrap();
        let own = Some(dir);
        Some(Self { about, own })
    }

    /// `pause`, `resume`, `freeze`, `thaw` or `compact`.
    #[track_caller]
    pub fn is_to(&self, verb: &str) {
        let dir = self.own.as_ref().expect("a server of one's own");
        control(verb, &[dir.path().to_str().unwrap()]);
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.about["kubeconfig"].as_str().unwrap().into()
    }

    /// What the kubeconfig says.
    pub fn config(&self) -> Value {
        let text = self.kubectl(&["config", "view", "--raw", "--flatten", "-o", "json"]);
        serde_json::from_str(&text).unwrap()
    }

    /// The cluster with the administrator's rights.
    pub async fn admin(&self) -> Cluster {
        let cluster = Cluster::of_kubeconfig(self.kubeconfig(), None).await;
        cluster.unwrap()
    }

    /// `kubectl` as administrator; answers what it printed.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.kubectl_with(arguments, "")
    }

    /// The same with something on its standard input.
    #[track_caller]
    pub fn kubectl_with(&self, arguments: &[&str], input: &str) -> String {
        let done = self.try_kubectl(arguments, input);
        done.unwrap_or_else(|error| panic!("kubectl {arguments:?}: {error}"))
    }

    /// What it printed, or what it complained of.
    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let program = self.about["kubectl"].as_str().unwrap_or("kubectl");
        let mut child = Command::new(program)
            .env("KUBECONFIG", self.kubeconfig())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let done = child.wait_with_output().unwrap();
        match done.status.success() {
            true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
        }
    }

    /// True when the server would make this object.
    pub fn takes(&self, object: &Value) -> bool {
        let dry = ["create", "--dry-run=server", "-f", "-"];
        self.try_kubectl(&dry, &object.to_string()).is_ok()
    }

    /// Whether this definition is served, `crd/NAME`.
    #[track_caller]
    pub fn is_served(&self, name: &str) -> bool {
        // `kubectl wait`, and a filter of kubectl's, fail on one that has no conditions yet.
        let text = self.kubectl(&["get", name, "-o=json"]);
        let crd: Value = serde_json::from_str(&text).unwrap();
        let all = crd["status"]["conditions"].as_array();
        let is = |one: &Value| one["type"] == "Established" && one["status"] == "True";
        all.is_some_and(|all| all.iter().any(is))
    }

    /// Applies objects and waits until definitions among them are served.
    #[track_caller]
    pub fn install(&self, objects: &Value) {
        self.kubectl_with(
            &["apply", "--server-side", "--force-conflicts", "-f", "-"],
            &objects.to_string(),
        );
        if objects["kind"] == "CustomResourceDefinition" {
            let name = format!("crd/{}", objects["metadata"]["name"].as_str().unwrap());
            crate::controller::until(
                || self.is_served(&name),
                || format!("{name} is not established"),
            );
        }
    }

    /// A namespace that nobody else has.
    pub async fn namespace(&self, cluster: &Cluster, about: &str) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{about}-{}-{number}", std::process::id());
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.clone());
        let api: kube::Api<Namespace> = kube::Api::all(cluster.client());
        let made = api.create(&PostParams::default(), &namespace).await;
        made.unwrap();
        name
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(dir) = &self.own {
            control("stop", &[dir.path().to_str().unwrap()]);
        }
    }
}

/// `tests/kube/cluster`; answers what it printed.
#[track_caller]
fn control(verb: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(root("tests/kube/cluster"));
    let done = command.arg(verb).args(arguments).stdin(Stdio::null());
    let done = done.output().unwrap();
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{verb}: {err}");
    String::from_utf8(done.stdout).unwrap()
}
