//! The socket and the port over real connections: a store, an engine that does not run, and what
//! clients see.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::{Value, json};

use super::client::{Client, ClientError};
use super::*;
use crate::api::BareMetalHost;
use crate::engine::{Clock, Machines, Metrics, Options};
use crate::secrets::{CachedSecrets, SecretsFolder};
use crate::store::{self, Embedded, Key, Store};

const HOSTS: &str = "/apis/metal3.io/v1alpha1/namespaces/metal3/baremetalhosts";
const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const JSON: &str = "application/json";

/// A socket that answers.
struct Here {
    dir: tempfile::TempDir,
    store: Arc<Embedded>,
    served: Served<Embedded>,
    client: Client,
    stop: CancellationToken,
    _standing: channel::Sender<Standing>,
}

impl Here {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = store::Options::default();
        options.window = 8;
        let store = Arc::new(Embedded::memory(options));
        let engine = Engine::new(
            Arc::clone(&store),
            Machines::new(),
            Arc::new(CachedSecrets::new(SecretsFolder { root: None })),
            Clock::starting_at(jiff::Timestamp::UNIX_EPOCH),
            Arc::new(Metrics::default()),
            Options::default(),
        );
        let (telling, standing) = channel::channel(Standing::default());
        let (_, reading) = channel::channel(Reading::default());
        let served = Served::new(Arc::new(engine), standing, reading);
        let (stop, socket) = (CancellationToken::new(), dir.path().join("api.sock"));
        tokio::spawn(listen(&socket, served.clone(), stop.clone()).unwrap());
        let client = Client::connect(&socket).await.unwrap();
        Self {
            dir,
            store,
            served,
            client,
            stop,
            _standing: telling,
        }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("api.sock")
    }

    /// Code and body of an answer.
    async fn ask(&self, method: Method, path: &str, content: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        match self.client.send(method, path, content, body).await {
            Ok(bytes) => (200, serde_json::from_slice(&bytes).unwrap()),
            Err(ClientError::Refused { code, message }) => (code, json!(message)),
            Err(error) => panic!("{path}: {error}"),
        }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, JSON, &Value::Null).await
    }

    async fn create(&self, name: &str) -> Value {
        let (code, made) = self.ask(Method::POST, HOSTS, JSON, &host(name)).await;
        assert_eq!(code, 200, "{made}");
        made
    }

    fn stored(&self, name: &str) -> Option<Arc<BareMetalHost>> {
        self.store.get(&Key::new("metal3", name))
    }

    /// A watch; the lines come when they come.
    async fn watch(&self, query: &str) -> Lines {
        let (socket, query) = (self.socket(), query.to_owned());
        let started = tokio::task::spawn_blocking(move || Lines::start(&socket, &query));
        started.await.unwrap()
    }
}

fn host(name: &str) -> Value {
    json!({
        "apiVersion": "metal3.io/v1alpha1",
        "kind": "BareMetalHost",
        "metadata": {"name": name, "labels": {"role": "worker"}},
        "spec": {"online": true, "bmc": {"address": "redfish://10.0.0.1/a", "credentialsName": "bmc"}},
    })
}

fn one(name: &str) -> String {
    format!("{HOSTS}/{name}")
}

/// The chunks of a watch, which are its lines.
struct Lines(BufReader<UnixStream>);

impl Lines {
    fn start(socket: &Path, query: &str) -> Self {
        let mut stream = UnixStream::connect(socket).unwrap();
        write!(
            stream,
            "GET {HOSTS}?watch=1{query} HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        Self(reader)
    }

    /// Kind and name of the next event; `None` at the end.
    async fn next(self) -> (Option<(String, String)>, Self) {
        let read = tokio::task::spawn_blocking(move || {
            let mut lines = self;
            let event = lines.line();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let event = event.map(|event| {
                let object = &event["object"];
                let what = match &object["metadata"]["name"] {
                    Value::Null => object["code"].to_string(),
                    name => text(name),
                };
                (text(&event["type"]), what)
            });
            (event, lines)
        });
        read.await.unwrap()
    }

    fn line(&mut self) -> Option<Value> {
        let mut size = String::new();
        self.0.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        self.0.read_exact(&mut chunk).unwrap();
        (size > 0).then(|| serde_json::from_slice(&chunk[..size]).unwrap())
    }
}

fn event(kind: &str, what: &str) -> Option<(String, String)> {
    Some((kind.to_owned(), what.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_owner_may_open_the_socket() {
    let here = Here::new().await;
    let mode = std::fs::metadata(here.socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    here.stop.cancel();
    while here.socket().exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let gone = Client::connect(&here.socket()).await;
    assert!(matches!(gone, Err(ClientError::NobodyThere(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_created_read_listed_and_selected() {
    let here = Here::new().await;
    let made = here.create("w1").await;
    assert_eq!(made["metadata"]["namespace"], "metal3");
    assert_eq!(made["metadata"]["generation"], 1);
    let again = here.ask(Method::POST, HOSTS, JSON, &host("w1")).await;
    assert_eq!(again.0, 409);
    here.create("w2").await;
    let (_, w1) = here.get(&one("w1")).await;
    assert_eq!(
        (&w1["kind"], &w1["apiVersion"]),
        (&json!("BareMetalHost"), &json!("metal3.io/v1alpha1"))
    );
    assert_eq!(w1["metadata"]["uid"], made["metadata"]["uid"]);
    assert!(w1["metadata"]["managedFields"].is_array());
    assert_eq!(here.get(&one("nobody")).await.0, 404);

    let names = async |query: &str| -> Vec<String> {
        let (code, list) = here.get(&format!("{HOSTS}?{query}")).await;
        assert_eq!((code, &list["kind"]), (200, &json!("BareMetalHostList")));
        let items = list["items"].as_array().unwrap().iter();
        items
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("").await, ["w1", "w2"]);
    assert_eq!(names("labelSelector=role%3Dworker").await, ["w1", "w2"]);
    assert!(names("labelSelector=role!%3Dworker").await.is_empty());
    assert_eq!(names("fieldSelector=metadata.name%3Dw2").await, ["w2"]);
    // What is not understood never means everything.
    for query in [
        "labelSelector=role+in+(a)",
        "fieldSelector=spec.online%3Dtrue",
        "continue=x",
    ] {
        assert_eq!(
            here.get(&format!("{HOSTS}?{query}")).await.0,
            400,
            "{query}"
        );
    }
    assert_eq!(
        here.ask(Method::DELETE, HOSTS, JSON, &Value::Null).await.0,
        405
    );
    assert_eq!(here.stored("w1").is_some(), here.stored("w2").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patches_put_and_apply_change_what_they_say() {
    let here = Here::new().await;
    here.create("w1").await;
    let merge = json!({"metadata": {"annotations": {"note": "a"}}, "spec": {"online": false}});
    let (_, merged) = here.ask(Method::PATCH, &one("w1"), MERGE, &merge).await;
    assert_eq!(
        (&merged["spec"]["online"], &merged["metadata"]["generation"]),
        (&json!(false), &json!(2))
    );
    let patch = json!([
        {"op": "test", "path": "/spec/online", "value": false},
        {"op": "replace", "path": "/spec/online", "value": true},
    ]);
    assert_eq!(
        here.ask(Method::PATCH, &one("w1"), JSON_PATCH, &patch)
            .await
            .1["spec"]["online"],
        true
    );
    // Its test fails now.
    assert_eq!(
        here.ask(Method::PATCH, &one("w1"), JSON_PATCH, &patch)
            .await
            .0,
        422
    );

    // PUT: what it lacks goes; name and namespace are the path's.
    let put = json!({"spec": {"online": true, "description": "d"}});
    let (code, put) = here.ask(Method::PUT, &one("w1"), JSON, &put).await;
    assert_eq!(
        (code, &put["spec"]["description"]),
        (200, &json!("d")),
        "{put}"
    );
    assert!(put["metadata"]["annotations"].is_null(), "{put}");
    assert_eq!(put["spec"]["bmc"]["address"], "", "{put}");
    let mut stale = put.clone();
    stale["metadata"]["resourceVersion"] = json!("1");
    assert_eq!(here.ask(Method::PUT, &one("w1"), JSON, &stale).await.0, 409);

    let apply = json!({"metadata": {"name": "w2"}, "spec": {"online": true}});
    let by = |name: &str, manager: &str| format!("{}?fieldManager={manager}", one(name));
    assert_eq!(
        here.ask(Method::PATCH, &one("w2"), APPLY, &apply).await.0,
        400,
        "no manager"
    );
    assert_eq!(
        here.ask(Method::PATCH, &by("w2", "me"), APPLY, &apply)
            .await
            .0,
        200
    );
    let other = json!({"metadata": {"name": "w2"}, "spec": {"online": false}});
    assert_eq!(
        here.ask(Method::PATCH, &by("w2", "you"), APPLY, &other)
            .await
            .0,
        409
    );
    let force = format!("{}&force=true", by("w2", "you"));
    assert_eq!(here.ask(Method::PATCH, &force, APPLY, &other).await.0, 200);
    assert!(!here.stored("w2").unwrap().spec.online);
    assert_eq!(
        here.ask(Method::PATCH, &one("w1"), "text/plain", &apply)
            .await
            .0,
        415
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_is_apart() {
    let here = Here::new().await;
    here.create("w1").await;
    let status = format!("{}/status", one("w1"));
    let patch = json!({"spec": {"online": false}, "status": {"poweredOn": true}});
    let (code, patched) = here.ask(Method::PATCH, &status, MERGE, &patch).await;
    assert_eq!(
        (code, &patched["status"]["poweredOn"]),
        (200, &json!(true)),
        "{patched}"
    );
    assert_eq!(patched["spec"]["online"], true, "only status changes");
    assert_eq!(patched["metadata"]["generation"], 1);
    // And the other way round.
    let (_, main) = here
        .ask(
            Method::PATCH,
            &one("w1"),
            MERGE,
            &json!({"status": {"poweredOn": false}}),
        )
        .await;
    assert_eq!(main["status"]["poweredOn"], true);
    let mut put = main.clone();
    put["status"]["poweredOn"] = json!(false);
    assert_eq!(
        here.ask(Method::PUT, &status, JSON, &put).await.1["status"]["poweredOn"],
        false
    );
    assert_eq!(
        here.ask(Method::PUT, &status, JSON, &put).await.0,
        409,
        "its version is old"
    );
    // An apply of status would go to the wrong part.
    let apply = json!({"metadata": {"name": "w1", "labels": {"a": "b"}}});
    let (code, _) = here
        .ask(
            Method::PATCH,
            &format!("{status}?fieldManager=me"),
            APPLY,
            &apply,
        )
        .await;
    assert_eq!(code, 405);
    assert_eq!(
        here.ask(Method::DELETE, &status, JSON, &Value::Null)
            .await
            .0,
        405
    );
    assert!(here.stored("w1").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletes_keep_to_their_preconditions_and_finalizers() {
    let here = Here::new().await;
    let made = here.create("w1").await;
    let (uid, version) = (
        &made["metadata"]["uid"],
        &made["metadata"]["resourceVersion"],
    );
    let delete =
        async |path: &str, body: Value| here.ask(Method::DELETE, path, JSON, &body).await.0;
    for (code, body) in [
        (409, json!({"preconditions": {"uid": "nope"}})),
        (409, json!({"preconditions": {"resourceVersion": "1000"}})),
        (
            409,
            json!({"preconditions": {"uid": uid, "resourceVersion": "1000"}}),
        ),
        (400, json!({"preconditions": {"resourceVersion": "x"}})),
        (400, json!({"preconditions": {"generation": 1}})),
        (400, json!({"dryRun": ["All"]})),
        (400, json!([])),
    ] {
        assert_eq!(delete(&one("w1"), body.clone()).await, code, "{body}");
    }
    assert_eq!(
        delete(&format!("{}?resourceVersion=1000", one("w1")), Value::Null).await,
        409
    );
    assert_eq!(
        delete(&format!("{}?dryRun=All", one("w1")), Value::Null).await,
        400
    );
    assert!(here.stored("w1").is_some(), "nothing of that deletes");
    let named = json!({"preconditions": {"uid": uid, "resourceVersion": version}});
    assert_eq!(delete(&one("w1"), named).await, 200);
    assert!(here.stored("w1").is_none());
    assert_eq!(delete(&one("w1"), Value::Null).await, 404);

    let mut held = host("w2");
    held["metadata"]["finalizers"] = json!(["baremetalhost.metal3.io"]);
    here.ask(Method::POST, HOSTS, JSON, &held).await;
    let (_, marked) = here
        .ask(Method::DELETE, &one("w2"), JSON, &Value::Null)
        .await;
    assert!(
        marked["metadata"]["deletionTimestamp"].is_string(),
        "{marked}"
    );
    assert!(here.stored("w2").is_some());
    let free = json!({"metadata": {"finalizers": null}});
    here.ask(Method::PATCH, &one("w2"), MERGE, &free).await;
    assert!(here.stored("w2").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches_replay_go_on_and_end() {
    let here = Here::new().await;
    here.create("w1").await;
    let (_, list) = here.get(HOSTS).await;
    let from = list["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    here.create("w2").await;
    let lines = here.watch(&format!("&resourceVersion={from}")).await;
    // What came before it was there…
    let (first, lines) = lines.next().await;
    assert_eq!(first, event("ADDED", "w2"));
    // …and what comes now.
    here.ask(
        Method::PATCH,
        &one("w1"),
        MERGE,
        &json!({"spec": {"online": false}}),
    )
    .await;
    let (second, lines) = lines.next().await;
    assert_eq!(second, event("MODIFIED", "w1"));
    here.ask(Method::DELETE, &one("w1"), JSON, &Value::Null)
        .await;
    let (third, lines) = lines.next().await;
    assert_eq!(third, event("DELETED", "w1"));
    here.stop.cancel();
    assert_eq!(lines.next().await.0, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_from_too_long_ago_is_told_to_list_again_and_ends() {
    let here = Here::new().await;
    here.create("w1").await;
    // More changes than are kept.
    for count in 0..40 {
        let note = json!({"metadata": {"annotations": {"count": count.to_string()}}});
        here.ask(Method::PATCH, &one("w1"), MERGE, &note).await;
    }
    let (told, lines) = here.watch("&resourceVersion=1").await.next().await;
    assert_eq!(told, event("ERROR", "410"));
    assert_eq!(lines.next().await.0, None);
    // One that is given a time ends by itself.
    let (_, list) = here.get(HOSTS).await;
    let from = list["metadata"]["resourceVersion"].as_str().unwrap();
    let lines = here
        .watch(&format!("&timeoutSeconds=1&resourceVersion={from}"))
        .await;
    assert_eq!(lines.next().await.0, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_shows_health_and_metrics_only_and_who_says_nothing_is_cut_off() {
    let here = Here::new().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let http = listen_tcp(free, here.served.clone(), here.stop.clone())
        .await
        .unwrap();
    tokio::spawn(http);
    let ask = async |path: &'static str| {
        let asked = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(free).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut text = String::new();
            // To the end: the port keeps no connection.
            stream.read_to_string(&mut text).unwrap();
            text
        });
        asked.await.unwrap()
    };
    let health = ask("/healthz").await;
    assert!(
        health.starts_with("HTTP/1.1 200") && health.ends_with("ok"),
        "{health}"
    );
    assert!(
        ask("/readyz").await.starts_with("HTTP/1.1 503"),
        "no spec was applied"
    );
    let metrics = ask("/metrics").await;
    assert!(
        metrics.contains("application/openmetrics-text") && metrics.ends_with("# EOF\n"),
        "{metrics}"
    );
    assert!(ask(HOSTS).await.starts_with("HTTP/1.1 404"));
    assert!(ask("/metalform/v1/hosts").await.starts_with("HTTP/1.1 404"));

    // All places taken by clients that say nothing: they are cut off, and the next one is served.
    let idle: Vec<_> = (0..ON_TCP + 8)
        .map(|_| std::net::TcpStream::connect(free).unwrap())
        .collect();
    assert!(ask("/healthz").await.ends_with("ok"));
    drop(idle);
}

#[test]
fn only_any_address_has_another_without_ipv6() {
    let other = |addr: &str| instead_of(addr.parse().unwrap()).map(|addr| addr.to_string());
    assert_eq!(other("[::]:9440").as_deref(), Some("0.0.0.0:9440"));
    assert_eq!(other("[::1]:9440"), None);
    assert_eq!(other("0.0.0.0:9440"), None);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_stopped_does_not_hang_its_clients() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    // It listens, as a stopped process does, and never answers.
    let _listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let client = Client::connect(&socket).await.unwrap();
    let error = client.hosts().await.unwrap_err();
    assert!(error.to_string().contains("no answer in 10 s"), "{error}");
}
