//! One Ironic's HTTP API: connections, version, authentication, and a count of what was asked.

use std::fmt;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::endpoint::{Endpoint, EndpointError, Trust, Whereabouts};
use super::error::{IronicError, Scrub, message};
use crate::fence::Fence;

/// Oldest minor version of the API that will do: it brought `disable_power_off`, which is written
/// with every node.
const OLDEST: u16 = 95;
/// Newest minor version that is used: it brought the abort of deployments.
const NEWEST: u16 = 110;
/// Minor version that brought a node's `health`.
const HEALTH: u16 = 109;
/// The version in which a deployment in wait call-back can be aborted.
const DEPLOYMENT_ABORT: u16 = 110;

const VERSION: &str = "x-openstack-ironic-api-version";
const MIN_VERSION: &str = "x-openstack-ironic-api-minimum-version";
const MAX_VERSION: &str = "x-openstack-ironic-api-maximum-version";

/// Requests that one Ironic gets at the same time for effects. It answers with ten threads; more
/// than this many gained nothing when measured, and the bulk reads shall not wait behind them.
pub(super) const CONCURRENT: usize = 6;

/// Longest wait for the answer to a greeting or a look, which take a tenth of a second: an Ironic
/// that takes requests and does not answer is noticed by them.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// Where an Ironic is, is looked up again after this long at the earliest.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What a request is for; requests are counted by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Finding out what Ironic can.
    Greeting,
    /// Looking at all machines at once.
    Look,
    /// Reading a page of all machines: a look that may take its time.
    Page,
    /// Reading something of one machine.
    Read,
    /// Changing one machine.
    Write,
}

/// How many requests were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// To find out what Ironic can.
    pub greeting: u64,
    /// Looks at all machines at once.
    pub looks: u64,
    /// Reads of one machine.
    pub reads: u64,
    /// Changes of one machine, refused ones too.
    pub writes: u64,
}

impl Requests {
    /// All together.
    pub fn total(&self) -> u64 {
        self.greeting + self.looks + self.reads + self.writes
    }
}

#[derive(Debug, Default)]
struct Counters {
    greeting: AtomicU64,
    looks: AtomicU64,
    reads: AtomicU64,
    writes: AtomicU64,
}

/// A client for one Ironic. Cheap to share by reference; connections are kept alive.
pub struct Client {
    link: RwLock<Arc<Link>>,
    whereabouts: Option<Arc<dyn Whereabouts>>,
    /// Held while it is looked up where Ironic is.
    looked: tokio::sync::Mutex<Looked>,
    /// Negotiated minor version; 0 before that.
    minor: AtomicU16,
    counters: Counters,
}

/// An endpoint, and the connections to it. Another one takes its place when it changes.
struct Link {
    http: reqwest::Client,
    endpoint: Endpoint,
}

/// What came of the last look for where Ironic is.
#[derive(Default)]
struct Looked {
    at: Option<Instant>,
    /// Why nobody could tell.
    trouble: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.link().endpoint)
            .finish_non_exhaustive()
    }
}

/// One request. `Debug` leaves out the body, which may hold secrets.
pub struct Request<'a> {
    /// Method.
    pub method: Method,
    /// Path and query below the base URL, starting with `/v1`.
    pub path: String,
    /// JSON body.
    pub body: Option<Value>,
    /// What it is for.
    pub purpose: Purpose,
    /// What must not come back in an error.
    pub scrub: Option<&'a Scrub>,
    /// Once this is closed it is not sent again.
    pub fence: Option<&'a Fence>,
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Sets up a client; asks nothing yet. With `whereabouts` what is said of the endpoint holds
    /// until it does not let us in any more.
    pub fn new(
        endpoint: Endpoint,
        whereabouts: Option<Arc<dyn Whereabouts>>,
    ) -> Result<Self, EndpointError> {
        Ok(Self {
            link: RwLock::new(Arc::new(Link::new(endpoint)?)),
            whereabouts,
            looked: tokio::sync::Mutex::default(),
            minor: AtomicU16::new(0),
            counters: Counters::default(),
        })
    }

    fn link(&self) -> Arc<Link> {
        let link = self.link.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&link)
    }

    /// Looks up where Ironic is, unless somebody just did. The other link if there is one now.
    async fn look_again(&self, old: &Arc<Link>) -> Option<Arc<Link>> {
        let whereabouts = self.whereabouts.as_ref()?;
        let mut looked = self.looked.lock().await;
        let now = self.link();
        if !Arc::ptr_eq(&now, old) {
            return Some(now);
        }
        if looked.at.is_some_and(|at| at.elapsed() < LOOK_AGAIN) {
            return None;
        }
        looked.at = Some(Instant::now());
        let found = tokio::time::timeout(LOOK_TIMEOUT, whereabouts.look()).await;
        let link = match found {
            Ok(Ok(endpoint)) if endpoint == old.endpoint => {
                looked.trouble.clear();
                return None;
            }
            Ok(Ok(endpoint)) => Link::new(endpoint).map_err(|error| error.to_string()),
            Ok(Err(text)) => Err(text),
            Err(_) => Err(format!("no answer in {} s", LOOK_TIMEOUT.as_secs())),
        };
        match link {
            Ok(link) => {
                looked.trouble.clear();
                tracing::info!(code = "IronicFound", "using {} as it is now", link.endpoint);
                if link.endpoint.url != old.endpoint.url {
                    self.minor.store(0, Ordering::Relaxed);
                }
                let link = Arc::new(link);
                *self.link.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&link);
                Some(link)
            }
            Err(text) => {
                // Of one that was never found the outage tells.
                if looked.trouble != text && !old.endpoint.url.is_empty() {
                    let ironic = &old.endpoint;
                    tracing::warn!(code = "IronicNotReady", "looked again for {ironic}: {text}");
                }
                looked.trouble = text;
                None
            }
        }
    }

    /// The link, once somebody knows where Ironic is.
    async fn known_link(&self) -> Result<Arc<Link>, IronicError> {
        let link = self.link();
        if !link.endpoint.url.is_empty() {
            return Ok(link);
        }
        match self.look_again(&link).await {
            Some(link) => Ok(link),
            None => Err(IronicError::Unknown {
                ironic: link.endpoint.to_string(),
                reason: self.looked.lock().await.trouble.clone(),
            }),
        }
    }

    /// Where it asks.
    pub fn endpoint(&self) -> Endpoint {
        self.link().endpoint.clone()
    }

    /// How many requests were sent so far.
    pub fn requests(&self) -> Requests {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Requests {
            greeting: read(&self.counters.greeting),
            looks: read(&self.counters.looks),
            reads: read(&self.counters.reads),
            writes: read(&self.counters.writes),
        }
    }

    /// The negotiated version, as `1.110`; empty before [`Client::greet`].
    pub fn version(&self) -> String {
        match self.minor.load(Ordering::Relaxed) {
            0 => String::new(),
            minor => format!("1.{minor}"),
        }
    }

    /// True when nodes have `health` at the negotiated version.
    pub fn has_health(&self) -> bool {
        self.minor.load(Ordering::Relaxed) >= HEALTH
    }

    /// True when a deployment in wait call-back can be aborted at the negotiated version.
    pub fn aborts_deployments(&self) -> bool {
        self.minor.load(Ordering::Relaxed) >= DEPLOYMENT_ABORT
    }

    /// Negotiates the version and checks that conductors and credentials are there. Two requests.
    pub async fn greet(&self) -> Result<(), IronicError> {
        let request = Request {
            method: Method::GET,
            path: "/v1".into(),
            body: None,
            purpose: Purpose::Greeting,
            scrub: None,
            fence: None,
        };
        let (headers, body) = self.exchange(request, None).await?;
        let minor = self.choose(&headers, &body)?;
        self.minor.store(minor, Ordering::Relaxed);
        // A conductor that is not up yet shows in there being no drivers; and unlike /v1, this is
        // not public, so wrong credentials show too.
        let drivers: Value = self.get("/v1/drivers".into(), Purpose::Greeting).await?;
        if drivers["drivers"].as_array().is_none_or(Vec::is_empty) {
            return Err(IronicError::NoConductor {
                ironic: self.endpoint().to_string(),
            });
        }
        Ok(())
    }

    fn choose(&self, headers: &HeaderMap, body: &Bytes) -> Result<u16, IronicError> {
        let root: Value = serde_json::from_slice(body).unwrap_or_default();
        let of = |header: &str, key: &str| {
            let text = headers.get(header).and_then(|value| value.to_str().ok());
            text.or_else(|| root["version"][key].as_str())
                .map(str::to_owned)
        };
        let (Some(min), Some(max)) = (of(MIN_VERSION, "min_version"), of(MAX_VERSION, "version"))
        else {
            return Err(IronicError::NotIronic {
                ironic: self.endpoint().to_string(),
                reason: "GET /v1 names no API versions".into(),
            });
        };
        let minor = |text: &str| {
            text.strip_prefix("1.")
                .and_then(|minor| minor.parse::<u16>().ok())
        };
        match (minor(&min), minor(&max)) {
            (Some(low), Some(high)) if high >= OLDEST && low <= NEWEST => Ok(high.min(NEWEST)),
            _ => Err(IronicError::Version {
                ironic: self.endpoint().to_string(),
                min,
                max,
                need: format!("1.{OLDEST}"),
            }),
        }
    }

    /// Reads JSON.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: String,
        purpose: Purpose,
    ) -> Result<T, IronicError> {
        let request = Request {
            method: Method::GET,
            path,
            body: None,
            purpose,
            scrub: None,
            fence: None,
        };
        let shown = request
            .path
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        let body = self.send(request).await?;
        serde_json::from_slice(&body).map_err(|error| IronicError::NotIronic {
            ironic: self.endpoint().to_string(),
            reason: format!("GET {shown} answers what cannot be read: {error}"),
        })
    }

    /// Sends one request and hands out the body of a good answer.
    pub async fn send(&self, request: Request<'_>) -> Result<Bytes, IronicError> {
        if self.minor.load(Ordering::Relaxed) == 0 {
            Box::pin(self.greet()).await?;
        }
        let version = self.version();
        let (_, body) = self
            .exchange(request, Some(&version))
            .await
            .inspect_err(|error| {
                // The version that was agreed on is not spoken any more: another Ironic now.
                if error.status() == Some(406) {
                    self.minor.store(0, Ordering::Relaxed);
                }
            })?;
        Ok(body)
    }

    async fn exchange(
        &self,
        request: Request<'_>,
        version: Option<&str>,
    ) -> Result<(HeaderMap, Bytes), IronicError> {
        let counter = match request.purpose {
            Purpose::Greeting => &self.counters.greeting,
            Purpose::Look | Purpose::Page => &self.counters.looks,
            Purpose::Read => &self.counters.reads,
            Purpose::Write => &self.counters.writes,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let link = self.known_link().await?;
        let answer = link.exchange(&request, version).await;
        let Err(error) = answer else { return answer };
        if !error.is_locked_out() {
            return Err(error);
        }
        match self.look_again(&link).await {
            // What got no answer may be carried out already.
            Some(link) if !matches!(error, IronicError::Unreachable { .. }) => {
                // It took time to look.
                if request.fence.is_some_and(|fence| !fence.is_open()) {
                    return Err(IronicError::Fenced);
                }
                link.exchange(&request, version).await
            }
            Some(_) | None => Err(error),
        }
    }
}

impl Link {
    /// Sets up connections; asks nothing yet.
    fn new(endpoint: Endpoint) -> Result<Self, EndpointError> {
        // reqwest is built without a TLS provider of its own; the process has one default, and who
        // installs it first does not matter as all of us bring the same.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            rustls::crypto::ring::default_provider()
                .install_default()
                .ok();
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("metalform/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5).min(endpoint.timeout))
            .timeout(endpoint.timeout)
            .pool_max_idle_per_host(CONCURRENT + 2)
            // Ironic's server closes idle connections after 10 s; be first.
            .pool_idle_timeout(Duration::from_secs(8))
            .tcp_nodelay(true)
            .http1_only();
        match &endpoint.trust {
            Trust::Only(pem) => {
                let certs = reqwest::Certificate::from_pem_bundle(pem)
                    .map_err(|e| EndpointError::Ca(why(&e)))?;
                if certs.is_empty() {
                    return Err(EndpointError::Ca("no PEM block of a certificate".into()));
                }
                builder = builder.tls_certs_only(certs);
            }
            Trust::Any => {
                builder = builder
                    .tls_certs_only([])
                    .tls_danger_accept_invalid_certs(true);
            }
            Trust::System if !endpoint.url.starts_with("https://") => {
                // Nothing is verified, so the system's certificates are not needed (and may be
                // absent).
                builder = builder.tls_certs_only([]);
            }
            Trust::System => {}
        }
        if let Some(pem) = &endpoint.identity {
            let identity = reqwest::Identity::from_pem(pem.reveal().as_bytes())
                .map_err(|e| EndpointError::Identity(why(&e)))?;
            builder = builder.identity(identity);
        }
        let http = builder.build().map_err(|e| match &endpoint.trust {
            Trust::Only(_) => EndpointError::Ca(why(&e)),
            Trust::Any | Trust::System => EndpointError::Http(why(&e)),
        })?;
        Ok(Self { http, endpoint })
    }

    async fn exchange(
        &self,
        request: &Request<'_>,
        version: Option<&str>,
    ) -> Result<(HeaderMap, Bytes), IronicError> {
        let timeout = match request.purpose {
            Purpose::Greeting | Purpose::Look => LOOK_TIMEOUT.min(self.endpoint.timeout),
            Purpose::Page | Purpose::Read | Purpose::Write => self.endpoint.timeout,
        };
        let url = format!("{}{}", self.endpoint.url, request.path);
        let mut call = self
            .http
            .request(request.method.clone(), url)
            .timeout(timeout)
            .header(header::ACCEPT, "application/json");
        if let Some(version) = version {
            call = call.header(VERSION, version);
        }
        if let Some(login) = &self.endpoint.login {
            call = call.basic_auth(&login.user, Some(login.password.reveal()));
        }
        if let Some(body) = &request.body {
            call = call.json(body);
        }
        let began = Instant::now();
        let result = async {
            let answer = call.send().await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?))
        }
        .await;
        let path = request.path.split('?').next().unwrap_or_default();
        let took = began.elapsed().as_millis() as u64;
        let (status, headers, body) = match result {
            Ok(answer) => answer,
            Err(error) => {
                let reason = why(&error);
                tracing::debug!(method = %request.method, path, took, reason, "ironic: no answer");
                return Err(self.no_answer(&error, reason, timeout));
            }
        };
        tracing::debug!(method = %request.method, path, status = status.as_u16(), took, "ironic");
        if status.is_success() {
            return Ok((headers, body));
        }
        if status.is_redirection() {
            let to = headers
                .get(header::LOCATION)
                .and_then(|to| to.to_str().ok());
            return Err(IronicError::Redirect {
                ironic: self.endpoint.to_string(),
                to: to.unwrap_or("nowhere").to_owned(),
            });
        }
        let none = Scrub::default();
        let text = message(status.as_u16(), &body, request.scrub.unwrap_or(&none));
        Err(IronicError::Status {
            status: status.as_u16(),
            text,
        })
    }

    fn no_answer(&self, error: &reqwest::Error, reason: String, timeout: Duration) -> IronicError {
        let ironic = self.endpoint.to_string();
        if reason.contains("certificate") {
            let remedy = self.endpoint.trust_remedy();
            return IronicError::Untrusted {
                ironic,
                reason,
                remedy,
            };
        }
        let reason = if error.is_timeout() && !error.is_connect() {
            format!("no answer within {} s", timeout.as_secs_f32())
        } else {
            reason
        };
        IronicError::Unreachable { ironic, reason }
    }
}

/// The innermost cause, which is the one that a person can act on. Never holds the URL.
fn why(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::eq(
        std::ptr::from_ref(cause).cast::<()>(),
        std::ptr::from_ref(error).cast(),
    ) {
        return if error.is_timeout() {
            "timed out".into()
        } else {
            "the request failed".into()
        };
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chooses_a_version() {
        let client =
            Client::new(Endpoint::parse("http://x").expect("parses"), None).expect("client");
        let choose = |min: &str, max: &str| {
            let body = format!(r#"{{"version": {{"min_version": "{min}", "version": "{max}"}}}}"#);
            client.choose(&HeaderMap::new(), &body.into())
        };
        assert_eq!(choose("1.1", "1.115"), Ok(110));
        assert_eq!(choose("1.1", "1.110"), Ok(110));
        assert_eq!(choose("1.1", "1.99"), Ok(99));
        assert_eq!(choose("1.1", "1.95"), Ok(95));
        let old = choose("1.1", "1.94").expect_err("too old");
        assert_eq!(
            old.to_string(),
            "Ironic at http://x speaks API versions 1.1 to 1.94; metalform needs 1.95 or newer, \
             which Ironic has since 2025.1"
        );
        assert_eq!(
            choose("1.111", "1.200").expect_err("too new").code(),
            "UnsupportedVersion"
        );
        assert_eq!(
            choose("2.0", "2.1").expect_err("major").code(),
            "UnsupportedVersion"
        );
        let other = client.choose(&HeaderMap::new(), &Bytes::from_static(b"hello"));
        assert_eq!(other.expect_err("not Ironic").code(), "NotIronic");
    }

    #[test]
    fn a_request_that_is_shown_shows_no_body() {
        let request = Request {
            method: Method::POST,
            path: "/v1/nodes".into(),
            body: Some(serde_json::json!({ "redfish_password": "hunter2" })),
            purpose: Purpose::Write,
            scrub: None,
            fence: None,
        };
        let shown = format!("{request:?}");
        assert!(shown.contains("/v1/nodes") && !shown.contains("hunter2"));
    }
}
