mod crowds;

use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt as _;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::Secret as CoreSecret;
use kube::client::Body;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::secrets::{Salt, credentials};

/// Secrets of one namespace behind a client, and what was asked.
#[derive(Clone, Default)]
struct Server(Arc<Served>);

#[derive(Default)]
struct Served {
    secrets: Mutex<BTreeMap<String, Value>>,
    version: AtomicU64,
    asked: Mutex<Vec<String>>,
    /// Somebody else changes a Secret before each of so many patches.
    rivals: AtomicU64,
}

impl Server {
    fn secrets(&self) -> ClusterSecrets {
        let own = self.clone();
        let answer = move |request| {
            let own = own.clone();
            async move { Ok::<_, std::convert::Infallible>(own.answer(request).await) }
        };
        let client = kube::Client::new(tower::service_fn(answer), "n");
        let cluster = Cluster::of_client(client);
        ClusterSecrets::new(cluster.clone(), Kube::new(&cluster, "test"))
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let name = head.uri.path().rsplit('/').next().unwrap().to_owned();
        self.asked().push(format!("{} {name}", head.method));
        let body = body.collect().await.unwrap().to_bytes();
        if head.method == http::Method::PATCH && self.0.rivals.load(Ordering::Relaxed) > 0 {
            self.0.rivals.fetch_sub(1, Ordering::Relaxed);
            self.change(
                &name,
                &json!({ "metadata": { "annotations": { "rival": "1" } } }),
            );
        }
        let now = self.object(&name);
        if now.is_null() {
            return failed(404, "NotFound", &name);
        }
        if head.method == http::Method::GET {
            return answered(200, &now);
        }
        let patch: Value = serde_json::from_slice(&body).unwrap();
        let expected = &patch["metadata"]["resourceVersion"];
        if !expected.is_null() && *expected != now["metadata"]["resourceVersion"] {
            return failed(409, "Conflict", &name);
        }
        self.change(&name, &patch);
        answered(200, &self.object(&name))
    }

    fn asked(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.asked.lock().unwrap()
    }

    /// What was asked since the last look.
    fn takes(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked())
    }

    fn object(&self, name: &str) -> Value {
        let all = self.0.secrets.lock().unwrap();
        all.get(name).cloned().unwrap_or_default()
    }

    fn meta(&self, name: &str) -> Value {
        self.object(name)["metadata"].clone()
    }

    /// Makes or changes a Secret, as somebody else does. Answers its version.
    fn change(&self, name: &str, patch: &Value) -> String {
        let mut all = self.0.secrets.lock().unwrap();
        let new = || json!({ "metadata": { "name": name, "namespace": "n" } });
        let object = all.entry(name.to_owned()).or_insert_with(new);
        json_patch::merge(object, patch);
        let version = 1 + self.0.version.fetch_add(1, Ordering::Relaxed);
        object["metadata"]["resourceVersion"] = version.to_string().into();
        version.to_string()
    }

    fn has(&self, name: &str, password: &str) -> String {
        let encoded = |text: &str| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(text)
        };
        let data = json!({ "username": encoded("root"), "password": encoded(password) });
        self.change(name, &json!({ "data": data }))
    }

    fn lost(&self, name: &str) {
        self.0.secrets.lock().unwrap().remove(name);
    }
}

fn answered(code: u16, body: &Value) -> Response<Body> {
    let body = Body::from(body.to_string().into_bytes());
    Response::builder().status(code).body(body).unwrap()
}

fn failed(code: u16, reason: &str, name: &str) -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
        "message": reason, "details": { "name": name, "kind": "secrets" },
    });
    answered(code, &status)
}

fn host(name: &str, secret: &str) -> BareMetalHost {
    serde_json::from_value(json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "name": name, "namespace": "n", "uid": format!("uid-{name}") },
        "spec": { "online": true, "bmc": { "address": "redfish://b", "credentialsName": secret } },
    }))
    .unwrap()
}

fn key(name: &str) -> Key {
    Key::new("n", name)
}

fn alone(_: &str, _: usize) -> usize {
    0
}

/// Somebody holds all of them.
fn held() -> IsHeld {
    Arc::new(|_: &Key| true)
}

fn shared(_: &str, most: usize) -> usize {
    most.min(2)
}

/// The version of a host's credentials, or why there is none.
fn version(secrets: &ClusterSecrets, host: &BareMetalHost) -> String {
    match credentials(host, secrets, &Salt::random()) {
        crate::reconcile::Credentials::Present { version } => version,
        crate::reconcile::Credentials::Missing(text)
        | crate::reconcile::Credentials::Invalid(text) => text,
    }
}

/// What the watch tells of a Secret: that it is at the server's version.
fn told(server: &Server, name: &str) -> PartialObjectMeta<CoreSecret> {
    serde_json::from_value(json!({ "metadata": server.meta(name) })).unwrap()
}

fn tell(secrets: &ClusterSecrets, event: Event<PartialObjectMeta<CoreSecret>>) -> Vec<Key> {
    secrets.told(&mut Default::default(), None, event)
}

#[tokio::test]
async fn the_first_use_reads_and_claims_and_the_next_asks_nothing() {
    let server = Server::default();
    server.has("bmc", "calvin");
    let (secrets, a) = (server.secrets(), host("a", "bmc"));
    assert!(!secrets.is_ready(&a));
    secrets.prepare(&a, &alone).await.unwrap();
    assert_eq!(server.takes(), ["GET bmc", "PATCH bmc"]);
    let meta = server.meta("bmc");
    assert_eq!(meta["labels"]["environment.metal3.io"], "baremetal");
    assert_eq!(
        meta["finalizers"],
        json!(["baremetalhost.metal3.io/secret"])
    );
    assert_eq!(meta["ownerReferences"][0]["uid"], "uid-a");
    // The version after the claim, so that a host is not registered anew for the claim of its own.
    assert_eq!(version(&secrets, &a), meta["resourceVersion"]);
    assert!(secrets.is_ready(&a));
    secrets.prepare(&a, &alone).await.unwrap();
    assert_eq!(
        tell(&secrets, Event::Apply(told(&server, "bmc"))),
        [],
        "it is known"
    );
    assert_eq!(server.takes(), Vec::<String>::new());
}

#[tokio::test]
async fn another_host_changes_marks_and_not_the_version() {
    let server = Server::default();
    server.has("bmc", "calvin");
    let (secrets, a, b) = (server.secrets(), host("a", "bmc"), host("b", "bmc"));
    secrets.prepare(&a, &alone).await.unwrap();
    let before = version(&secrets, &a);
    secrets.prepare(&b, &shared).await.unwrap();
    let meta = server.meta("bmc");
    assert_eq!(meta["ownerReferences"], json!([]), "all or none");
    assert_ne!(meta["resourceVersion"], before);
    assert_eq!(
        (version(&secrets, &a), version(&secrets, &b)),
        (before.clone(), before.clone())
    );
    // Nor does a label that somebody puts on.
    server.change("bmc", &json!({ "metadata": { "labels": { "team": "x" } } }));
    assert_eq!(
        tell(&secrets, Event::Apply(told(&server, "bmc"))),
        [key("bmc")]
    );
    secrets.prepare(&a, &shared).await.unwrap();
    assert_eq!(version(&secrets, &a), before);
}

#[tokio::test]
async fn a_rotation_is_read_before_anything_is_decided_on_it() {
    let server = Server::default();
    server.has("bmc", "calvin");
    let (secrets, a) = (server.secrets(), host("a", "bmc"));
    secrets.prepare(&a, &alone).await.unwrap();
    let rotated = server.has("bmc", "hobbes");
    assert_eq!(
        tell(&secrets, Event::Apply(told(&server, "bmc"))),
        [key("bmc")]
    );
    assert!(!secrets.is_ready(&a));
    secrets.prepare(&a, &alone).await.unwrap();
    assert_eq!(version(&secrets, &a), rotated);
    let secret = secrets.read("n", "bmc").unwrap();
    assert_eq!(secret.data["password"].reveal(), "hobbes");
    // One that nobody names is no news.
    server.has("other", "x");
    assert_eq!(tell(&secrets, Event::Apply(told(&server, "other"))), []);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_missing_is_looked_for_every_few_seconds() {
    let server = Server::default();
    let (secrets, a) = (server.secrets(), host("a", "bmc"));
    secrets.prepare(&a, &alone).await.unwrap();
    assert!(secrets.is_ready(&a), "that it is missing is known");
    assert!(
        version(&secrets, &a).contains("n/bmc"),
        "{}",
        version(&secrets, &a)
    );
    secrets.prepare(&a, &alone).await.unwrap();
    assert_eq!(server.takes(), ["GET bmc"], "and believed for a while");
    tokio::time::advance(ABSENT).await;
    assert!(!secrets.is_ready(&a));
    server.has("bmc", "calvin");
    secrets.prepare(&a, &alone).await.unwrap();
    assert_eq!(server.takes(), ["GET bmc", "PATCH bmc"]);
    assert_eq!(version(&secrets, &a), server.meta("bmc")["resourceVersion"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_came_late_is_news_and_nobody_has_noted_a_version_of_it() {
    let server = Server::default();
    let (secrets, a) = (server.secrets(), host("a", "bmc"));
    secrets.prepare(&a, &alone).await.unwrap();
    let mut came = super::changes::missing(&secrets, held());
    assert_eq!(came.next().await, Some(vec![]));
    server.has("bmc", "calvin");
    assert_eq!(came.next().await, Some(vec![key("bmc")]));
    assert!(!secrets.is_ready(&a));
    secrets.prepare(&a, &alone).await.unwrap();
    assert_eq!(version(&secrets, &a), server.meta("bmc")["resourceVersion"]);
    assert_eq!(came.next().await, Some(vec![]));
}

#[tokio::test]
async fn one_that_goes_is_used_until_it_is_gone() {
    let server = Server::default();
    server.has("bmc", "calvin");
    let (secrets, a) = (server.secrets(), host("a", "bmc"));
    secrets.prepare(&a, &alone).await.unwrap();
    let before = version(&secrets, &a);
    let goes = json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" } });
    server.change("bmc", &goes);
    tell(&secrets, Event::Apply(told(&server, "bmc")));
    secrets.prepare(&a, &alone).await.unwrap();
    assert_eq!(version(&secrets, &a), before);
    let last = told(&server, "bmc");
    server.lost("bmc");
    assert_eq!(tell(&secrets, Event::Delete(last)), [key("bmc")]);
    secrets.prepare(&a, &alone).await.unwrap();
    assert!(version(&secrets, &a).contains("n/bmc"));
    assert!(matches!(
        secrets.read("n", "bmc"),
        Err(SecretError::Missing { .. })
    ));
}

#[tokio::test]
async fn one_that_lost_its_label_is_read_again() {
    let server = Server::default();
    server.has("bmc", "calvin");
    server.has("other", "calvin");
    let secrets = server.secrets();
    for (name, secret) in [("a", "bmc"), ("b", "other")] {
        let host = host(name, secret);
        secrets.prepare(&host, &alone).await.unwrap();
    }
    // A list without it: the watch was away when the label went.
    let mut listed = Default::default();
    for event in [Event::Init, Event::InitApply(told(&server, "other"))] {
        assert_eq!(secrets.told(&mut listed, None, event), []);
    }
    let elsewhere = secrets.told(&mut listed, Some("m"), Event::InitDone);
    assert_eq!(elsewhere, [], "a list of another namespace says nothing");
    assert_eq!(
        secrets.told(&mut listed, None, Event::InitDone),
        [key("bmc")]
    );
    assert!(!secrets.is_ready(&host("a", "bmc")));
    assert!(secrets.is_ready(&host("b", "other")));
}

#[tokio::test]
async fn a_rival_is_waited_out_and_named_when_there_is_no_end_to_it() {
    let server = Server::default();
    server.has("bmc", "calvin");
    let (secrets, a) = (server.secrets(), host("a", "bmc"));
    server.0.rivals.store(2, Ordering::Relaxed);
    secrets.prepare(&a, &alone).await.unwrap();
    assert_eq!(server.meta("bmc")["annotations"]["rival"], "1");
    assert!(secrets.is_ready(&a));
    server.has("other", "calvin");
    server.0.rivals.store(99, Ordering::Relaxed);
    let error = secrets.prepare(&host("b", "other"), &alone).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("managedFields"), "{error}");
}

#[tokio::test]
async fn it_is_let_go_of_with_the_last_host() {
    let server = Server::default();
    server.has("bmc", "calvin");
    let (secrets, a, b) = (server.secrets(), host("a", "bmc"), host("b", "bmc"));
    secrets.prepare(&a, &shared).await.unwrap();
    secrets.prepare(&b, &shared).await.unwrap();
    server.takes();
    secrets.release(&a, "bmc", &shared).await.unwrap();
    assert_eq!(server.takes(), Vec::<String>::new(), "others need it");
    server.0.rivals.store(1, Ordering::Relaxed);
    secrets.release(&b, "bmc", &alone).await.unwrap();
    assert_eq!(server.meta("bmc")["finalizers"], json!([]));
    server.lost("bmc");
    // Gone, or never there: nothing to let go of.
    secrets.release(&b, "bmc", &alone).await.unwrap();
    secrets.release(&b, "never", &alone).await.unwrap();
}

#[tokio::test]
async fn a_host_that_goes_reads_and_claims_nothing() {
    let server = Server::default();
    server.has("bmc", "calvin");
    let (secrets, mut a) = (server.secrets(), host("a", "bmc"));
    a.metadata.deletion_timestamp = Some("2026-01-01T00:00:00Z".parse().unwrap());
    secrets.prepare(&a, &alone).await.unwrap();
    assert_eq!(server.takes(), ["GET bmc"]);
    assert!(secrets.is_ready(&a));
    assert_eq!(version(&secrets, &a), "1");
}
