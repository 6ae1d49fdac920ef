//! An API server of a test's own: it gives the answers that it was given, each once and in order,
//! and remembers what was asked. What it has no answer to it leaves unanswered.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response, header};
use kube::client::Body;
use serde_json::{Value, json};

use super::{Cluster, Kube};

/// See the module. Watches have answers of their own.
pub(super) struct Script {
    watches: Mutex<VecDeque<Response<Body>>>,
    others: Mutex<VecDeque<Response<Body>>>,
    asked: Mutex<Vec<String>>,
}

impl Script {
    pub fn new(
        watches: impl IntoIterator<Item = Response<Body>>,
        others: impl IntoIterator<Item = Response<Body>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            watches: Mutex::new(watches.into_iter().collect()),
            others: Mutex::new(others.into_iter().collect()),
            asked: Mutex::default(),
        })
    }

    /// A store on it.
    pub fn store(self: &Arc<Self>) -> Kube {
        let script = Arc::clone(self);
        let answer = move |request: Request<Body>| {
            let answer = script.answer(&request);
            async move {
                match answer {
                    Some(answer) => Ok::<_, Infallible>(answer),
                    None => std::future::pending().await,
                }
            }
        };
        let client = kube::Client::new(tower::service_fn(answer), "n");
        Kube::new(&Cluster::of_client(client), "test")
    }

    fn answer(&self, request: &Request<Body>) -> Option<Response<Body>> {
        const TELLING: [&str; 4] = [
            "limit=",
            "continue=",
            "sendInitialEvents=",
            "resourceVersion=",
        ];
        let query = request.uri().query().unwrap_or_default();
        let (verb, answers) = match query.contains("watch=true") {
            true => ("WATCH", &self.watches),
            false => (request.method().as_str(), &self.others),
        };
        let pairs = query.split('&');
        let telling = pairs.filter(|pair| TELLING.iter().any(|name| pair.starts_with(name)));
        let words: Vec<&str> = std::iter::once(verb).chain(telling).collect();
        self.asked.lock().unwrap().push(words.join(" "));
        answers.lock().unwrap().pop_front()
    }

    /// What was asked so far, with what counts of each query.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// An answer.
pub(super) fn answer(code: u16, body: &Value) -> Response<Body> {
    let answer = Response::builder().status(code);
    answer
        .body(Body::from(body.to_string().into_bytes()))
        .unwrap()
}

/// A refusal, in the words of an API server.
pub(super) fn refusal(code: u16, reason: &str) -> Response<Body> {
    answer(code, &status(code, reason))
}

/// The same, as a watch tells of it too.
pub(super) fn status(code: u16, reason: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "metadata": {},
        "code": code, "reason": reason, "message": format!("it is {reason}"),
    })
}

/// A 429 that says in its head when to ask again.
pub(super) fn busy(retry: &'static str) -> Response<Body> {
    let mut answer = refusal(429, "TooManyRequests");
    let retry = header::HeaderValue::from_static(retry);
    answer.headers_mut().insert(header::RETRY_AFTER, retry);
    answer
}

/// A page of a list as of this version.
pub(super) fn page(version: &str, next: Option<&str>, items: &[Value]) -> Response<Body> {
    let body = json!({
        "apiVersion": "conformance.metalform.dev/v1", "kind": "WidgetList", "items": items,
        "metadata": { "resourceVersion": version, "continue": next.unwrap_or_default() },
    });
    answer(200, &body)
}

/// What a watch tells, until it ends.
pub(super) fn told(events: &[(&str, Value)]) -> Response<Body> {
    // As the server has it: the type first.
    let line =
        |(kind, object): &(&str, Value)| format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n");
    let lines: String = events.iter().map(line).collect();
    Response::new(Body::from(lines.into_bytes()))
}

/// A widget at this version.
pub(super) fn widget(name: &str, version: u64) -> Value {
    json!({
        "apiVersion": "conformance.metalform.dev/v1", "kind": "Widget", "spec": {},
        "metadata": {
            "name": name, "namespace": "n", "uid": name, "resourceVersion": version.to_string(),
        },
    })
}
