//! An Ironic in the test's own process: answers what a test wants and remembers what was asked.

mod books;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use self::books::Books;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// JSON body, null for none.
    pub body: Value,
}

impl Seen {
    /// `METHOD /path`, without the query.
    pub fn what(&self) -> String {
        format!("{} {}", self.method, self.path.split('?').next().unwrap())
    }

    /// A parameter of the query.
    pub fn param(&self, name: &str) -> Option<String> {
        let query = self.path.split_once('?')?.1;
        let pair = query
            .split('&')
            .find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
        Some(pair.replace("%3A", ":"))
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
    /// Waited for before it is sent.
    pub delay: Duration,
}

impl Answer {
    /// An answer with JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type".into(), "application/json".into())];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        Self {
            status,
            headers,
            body,
            delay: Duration::ZERO,
        }
    }

    /// Ironic's usual shape of an error.
    pub fn fault(status: u16, text: &str) -> Self {
        let inner = json!({ "faultcode": "Client", "faultstring": text, "debuginfo": null });
        Self::json(status, &json!({ "error_message": inner.to_string() }))
    }

    /// The same, later.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// Answers before the books do; `None` leaves it to them.
type Before = Box<dyn FnMut(&Seen) -> Option<Answer> + Send>;

/// A server on a free port.
pub struct Fake {
    /// Its address.
    pub url: String,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

struct State {
    seen: Vec<Seen>,
    before: Before,
    books: Books,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// Starts one with empty books.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            seen: Vec::new(),
            before: Box::new(|_| None),
            books: Books::default(),
        }));
        let kept = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&kept);
                let service = service_fn(move |request| serve(Arc::clone(&state), request));
                connections.spawn(async move {
                    let io = TokioIo::new(stream);
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(io, service)
                        .await
                        .ok();
                });
            }
        });
        Self { url, state, task }
    }

    /// Answers in place of the books where the function has an answer.
    pub fn before(&self, before: impl FnMut(&Seen) -> Option<Answer> + Send + 'static) {
        self.state.lock().unwrap().before = Box::new(before);
    }

    /// All requests so far, which are forgotten.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    /// The changes among [`Fake::take`].
    pub fn take_writes(&self) -> Vec<Seen> {
        self.take()
            .into_iter()
            .filter(|seen| seen.method != "GET")
            .collect()
    }

    /// Looks into or changes the books.
    pub fn books<T>(&self, f: impl FnOnce(&mut Books) -> T) -> T {
        f(&mut self.state.lock().unwrap().books)
    }
}

async fn serve(
    state: Arc<Mutex<State>>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = Seen {
        method: head.method.to_string(),
        path: head.uri.path_and_query().unwrap().to_string(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let answer = {
        let mut state = state.lock().unwrap();
        state.seen.push(seen.clone());
        let state = &mut *state;
        (state.before)(&seen).unwrap_or_else(|| state.books.answer(&seen))
    };
    tokio::time::sleep(answer.delay).await;
    let mut response = hyper::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::from(answer.body)).unwrap())
}
