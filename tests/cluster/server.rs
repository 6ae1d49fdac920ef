//! The API server of these tests, driven by its administrator.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use metalform::store::kube::Cluster;
use serde_json::Value;

/// A running API server.
pub struct Server {
    about: Value,
}

impl Server {
    /// The one that all tests share, if there is one.
    pub fn shared() -> Option<Self> {
        let Some(path) = std::env::var_os("METALFORM_KUBE").filter(|path| !path.is_empty()) else {
            println!("skipped: METALFORM_KUBE names no cluster (tests/run starts one)");
            return None;
        };
        let about = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        Some(Self { about })
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
        let (out, err) = (
            String::from_utf8_lossy(&done.stdout).into_owned(),
            String::from_utf8_lossy(&done.stderr).into_owned(),
        );
        assert!(done.status.success(), "kubectl {arguments:?}: {err}");
        out
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
            self.kubectl(&[
                "wait",
                "--for=condition=Established",
                "--timeout=30s",
                &name,
            ]);
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
