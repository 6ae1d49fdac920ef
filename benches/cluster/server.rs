//! The API server of the bench, and what was asked of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use http_body_util::BodyExt as _;
use kube::client::Body;
use metalform::api::{BareMetalHost, BareMetalHostSpec};
use metalform::store::kube::Cluster;
use metalform::store::{Change, Key, Kube, Object as _, Store};
use serde_json::{Value, json};

use crate::PATIENCE;
use crate::lab::Lab;

/// Changes whose way into the status is timed.
const SAMPLES: usize = 60;

/// A running API server. It ends with this value: the folder that says which processes it is goes next.
pub struct Server {
    about: Value,
    state: PathBuf,
    cluster: Cluster,
}

/// Requests that it answered, by resource.
pub struct Requests(BTreeMap<String, f64>);

impl Requests {
    /// Writes of this resource.
    pub fn of(&self, resource: &str) -> f64 {
        self.0.get(resource).copied().unwrap_or_default()
    }

    /// Writes since then of each resource that was written, for each of so many hosts.
    pub fn each_since(&self, before: &Self, hosts: usize) -> BTreeMap<String, f64> {
        let each = |name: &String| crate::rounded((self.of(name) - before.of(name)) / hosts as f64);
        let all = self.0.keys().map(|name| (name.clone(), each(name)));
        all.filter(|(_, each)| *each > 0.0).collect()
    }

    /// All writes but of leases, which are renewed for ever.
    pub fn writes(&self) -> f64 {
        let others = self.0.iter().filter(|(name, _)| *name != "leases");
        others.map(|(_, count)| count).sum()
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kube/cluster")
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut command = Command::new(script());
        command.arg("stop").arg(&self.state).stdout(Stdio::null());
        if !command.status().is_ok_and(|status| status.success()) {
            eprintln!("the API server in {} did not stop", self.state.display());
        }
    }
}

impl Server {
    pub async fn start(state: &Path) -> Self {
        let owner = std::process::id().to_string();
        let mut command = Command::new(script());
        command
            .args(["start", "--owner", &owner, "--state"])
            .arg(state);
        let started = command.stdout(Stdio::null()).status().unwrap();
        assert!(started.success(), "the API server did not start");
        let about = std::fs::read(state.join("cluster.json")).unwrap();
        let about: Value = serde_json::from_slice(&about).unwrap();
        let config = PathBuf::from(about["kubeconfig"].as_str().unwrap());
        let cluster = Cluster::of_kubeconfig(config, None).await.unwrap();
        let state = state.to_owned();
        let server = Self {
            about,
            state,
            cluster,
        };
        for crd in metalform::api::crd::crds().unwrap() {
            server.kubectl(
                &["apply", "--server-side", "-f", "-"],
                &serde_json::to_string(&crd).unwrap(),
            );
        }
        server.kubectl(&["wait", "--for=condition=Established", "crd", "--all"], "");
        server
    }

    pub fn kubeconfig(&self) -> &str {
        self.about["kubeconfig"].as_str().unwrap()
    }

    fn kubectl(&self, arguments: &[&str], input: &str) {
        use std::io::Write as _;
        let mut child = Command::new(self.about["kubectl"].as_str().unwrap_or("kubectl"))
            .env("KUBECONFIG", self.kubeconfig())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success(), "kubectl {arguments:?}");
    }

    /// Seconds until the server has told of all that a controller reads before it begins, as streams that
    /// nobody looks into.
    pub async fn answer(&self, namespace: &str) -> f64 {
        let kinds = [
            "baremetalhosts",
            "hostfirmwaresettings",
            "hostfirmwarecomponents",
        ];
        let began = Instant::now();
        let streams = kinds.map(|kind| async move {
            let path = format!(
                "/apis/metal3.io/v1alpha1/namespaces/{namespace}/{kind}?watch=true\
                 &sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
            );
            let request = http::Request::get(path).body(Body::empty()).unwrap();
            let answer = self.cluster.client().send(request).await.unwrap();
            let mut body = answer.into_body();
            // The last one may lie across two chunks.
            let mut last = Vec::new();
            while let Some(frame) = body.frame().await {
                let Ok(chunk) = frame.unwrap().into_data() else {
                    continue;
                };
                last.extend_from_slice(&chunk);
                let end = b"k8s.io/initial-events-end";
                if last.windows(end.len()).any(|window| window == end) {
                    return;
                }
                last.drain(..last.len().saturating_sub(end.len()));
            }
            panic!("{kind}: the stream ended");
        });
        futures::future::join_all(streams).await;
        began.elapsed().as_secs_f64()
    }

    /// A namespace with a Secret `bmc`.
    pub fn namespace(&self, name: &str) -> String {
        self.kubectl(&["create", "namespace", name], "");
        if name != "metal3" {
            self.secret(name, "admin", "bench");
        }
        name.to_owned()
    }

    pub fn secret(&self, namespace: &str, user: &str, password: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "bmc", "namespace": namespace },
            "stringData": { "username": user, "password": password },
        });
        self.kubectl(&["create", "-f", "-"], &secret.to_string());
    }

    fn store(&self, namespace: &str) -> Kube {
        Kube::new(&self.cluster.clone().within([namespace]), "bench")
    }

    /// Makes so many hosts, sixteen at a time.
    pub async fn hosts(&self, namespace: &str, count: usize, spec: impl Fn(usize) -> Value) {
        let store = self.store(namespace);
        let hosts = (0..count).map(|index| {
            let spec: BareMetalHostSpec = serde_json::from_value(spec(index)).unwrap();
            let mut host = BareMetalHost::new(&format!("n{index:05}"), spec);
            host.metadata.namespace = Some(namespace.into());
            host
        });
        futures::stream::iter(hosts)
            .map(|host| store.create(host))
            .buffer_unordered(16)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await
            .unwrap();
    }

    /// Waits until so many hosts are in this state.
    pub async fn come_to(&self, namespace: &str, state: &str, count: usize) {
        let store = self.store(namespace);
        let came = async {
            loop {
                let hosts: Vec<_> = Store::<BareMetalHost>::snapshot(&store)
                    .await
                    .unwrap()
                    .objects;
                let is = |host: &BareMetalHost| {
                    let status = host.status.as_ref();
                    status.is_some_and(|status| status.provisioning.state.to_string() == state)
                };
                if hosts.iter().filter(|host| is(host)).count() == count {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, came).await;
        came.unwrap_or_else(|_| panic!("not all hosts came to {state}"));
    }

    /// How many writes it answered so far.
    pub async fn requests(&self) -> Requests {
        let request = http::Request::get("/metrics").body(Vec::new()).unwrap();
        let text = self.cluster.client().request_text(request).await.unwrap();
        let mut all = BTreeMap::new();
        for line in text.lines() {
            let Some(labels) = line.strip_prefix("apiserver_request_total{") else {
                continue;
            };
            let label = |name: &str| {
                let rest = labels.split_once(&format!("{name}=\""))?.1;
                Some(rest.split_once('"')?.0)
            };
            let verb = label("verb").unwrap_or_default();
            if !["POST", "PUT", "PATCH", "APPLY", "DELETE"].contains(&verb) {
                continue;
            }
            let part = label("subresource").filter(|part| !part.is_empty());
            let resource = label("resource").unwrap_or_default();
            let name = part.map_or(resource.to_owned(), |part| format!("{resource}/{part}"));
            let count = line
                .rsplit(' ')
                .next()
                .and_then(|count| count.parse::<f64>().ok());
            *all.entry(name).or_default() += count.unwrap_or_default();
        }
        Requests(all)
    }

    /// Times how long a change in Ironic's database takes into the status of its host.
    pub async fn changes(&self, namespace: &str, lab: &Lab) -> Value {
        let store = self.store(namespace);
        let all = Store::<BareMetalHost>::snapshot(&store).await.unwrap();
        let mut changes = Store::<BareMetalHost>::watch(&store, all.version);
        let mut database = lab.database();
        let mut noise = 0x2545_f491_4f6c_dd1d_u64;
        let mut took = Vec::new();
        for _ in 0..SAMPLES {
            // Neither in step with the looks nor too few hosts.
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let host = &all.objects[(noise >> 40) as usize % all.objects.len()];
            let key: Key = host.key();
            let is_on =
                |host: &BareMetalHost| host.status.as_ref().is_some_and(|status| status.powered_on);
            let now = Store::<BareMetalHost>::get(&store, &key).unwrap();
            let on = !is_on(&now);
            tokio::time::sleep(Duration::from_millis(200 + (noise >> 20) % 1500)).await;
            database.power(&key.name, on);
            let began = Instant::now();
            loop {
                match changes.next().await.unwrap() {
                    Change::Applied(host) if host.key() == key && is_on(&host) == on => break,
                    _ => assert!(began.elapsed() < PATIENCE, "the change was not seen"),
                }
            }
            took.push(began.elapsed().as_secs_f64());
        }
        took.sort_by(f64::total_cmp);
        let at =
            |part: f64| crate::rounded(took[((took.len() - 1) as f64 * part).round() as usize]);
        json!({ "samples": took.len(), "p50_seconds": at(0.5), "p99_seconds": at(0.99), "most_seconds": at(1.0) })
    }
}
