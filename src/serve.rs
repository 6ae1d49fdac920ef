//! What a running metalform shows: the Kubernetes paths of its store on a Unix socket, health and
//! metrics.
//!
//! While `metalform run` holds the store, a socket beside it (mode 0600) answers list, get, watch,
//! create, apply, patch and delete of what the store holds, in the API server's own shapes, so that
//! one client serves the local store and a cluster. It is a façade: nothing inside goes through it.
//!
//! | path | answer |
//! |---|---|
//! | `/apis/metal3.io/v1alpha1/[namespaces/NS/]baremetalhosts[/NAME[/status]]` | objects |
//! | `/apis/metal3.io/v1alpha1/[namespaces/NS/]hardwaredata[/NAME]` | objects |
//! | `/api/v1/[namespaces/NS/]events[/NAME]` | objects |
//! | `/version`, `/apis`, `/apis/metal3.io/v1alpha1` | discovery |
//! | `/metalform/v1/hosts` | every host's reason, see [`hosts`] |
//! | `/metalform/v1/held` | what is followed, and actions of the plan that wait, and why |
//! | `/healthz`, `/livez`, `/readyz`, `/metrics` | also with `--listen ADDR`, where there is nothing else |
//!
//! Not emulated: RBAC, admission, aggregated APIs, dry runs, selectors with `in (…)`; what asks for
//! them is refused. A DELETE here passes none of the plan's guards: who may open the socket may
//! destroy a machine. (A host that the spec still has comes back as a new one.)

mod answer;
pub mod client;
mod delete;
mod hosts;
mod objects;
mod query;
mod route;
#[cfg(test)]
mod tests;
mod watch;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch as channel;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::engine::{Engine, Standing, Stores};

use self::answer::Body;
pub use self::hosts::{Following, Held, Reading, Reason};
use self::route::Route;

/// What is shown.
pub struct Served<S> {
    engine: Arc<Engine<S>>,
    standing: channel::Receiver<Standing>,
    reading: channel::Receiver<Reading>,
    /// Why it is not ready, each for one reason; `None`: it is once a spec was compared with the
    /// store.
    waits: Option<[channel::Receiver<Option<String>>; 2]>,
    guard: Option<Arc<dyn Guard>>,
}

/// Who may read metrics.
pub trait Guard: Send + Sync + 'static {
    /// Whether whoever has this bearer token may. A text when nobody can tell.
    fn allows<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<bool, String>>;
}

impl<S> Clone for Served<S> {
    fn clone(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            standing: self.standing.clone(),
            reading: self.reading.clone(),
            waits: self.waits.clone(),
            guard: self.guard.clone(),
        }
    }
}

impl<S: Stores> Served<S> {
    /// Shows this engine, where its spec stands, and what is read.
    pub fn new(
        engine: Arc<Engine<S>>,
        standing: channel::Receiver<Standing>,
        reading: channel::Receiver<Reading>,
    ) -> Self {
        Self {
            engine,
            standing,
            reading,
            waits: None,
            guard: None,
        }
    }

    /// Is ready once none of these says anything any more, whatever became of a spec.
    #[must_use]
    pub fn ready_without(self, waits: [channel::Receiver<Option<String>>; 2]) -> Self {
        Self {
            waits: Some(waits),
            ..self
        }
    }

    /// Shows metrics to those only whom the guard lets in.
    #[must_use]
    pub fn guarded(self, guard: Arc<dyn Guard>) -> Self {
        Self {
            guard: Some(guard),
            ..self
        }
    }

    /// Why it is not ready.
    fn waits(&self) -> Option<String> {
        match &self.waits {
            Some(waits) => waits.iter().find_map(|waits| waits.borrow().clone()),
            None if self.standing.borrow().round > 0 => None,
            None => Some("no spec applied yet".to_owned()),
        }
    }
}

/// How long a client may take to say what it wants.
const HEAD: Duration = Duration::from_secs(5);
/// Connections at once on the socket; watches keep theirs.
const ON_SOCKET: usize = 256;
/// Connections at once on TCP, where anybody may come: file descriptors are what secrets and the
/// store need too.
const ON_TCP: usize = 64;

/// An engine that handed out no turn for so long, and did not even look for one, does so no more:
/// it has to be ended from outside, for it keeps its lease.
const STUCK: Duration = Duration::from_secs(30);

/// Which paths are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// All: the socket is the operator's own.
    All,
    /// Health and metrics only.
    Health,
}

impl Scope {
    fn connections(self) -> usize {
        match self {
            Self::All => ON_SOCKET,
            Self::Health => ON_TCP,
        }
    }
}

/// Answers on a Unix socket until `stop`. The caller holds the store's lock, so a socket that is
/// there already was left by a process that is gone, and is replaced.
///
/// # Errors
/// When the socket cannot be made; the text names it.
pub fn listen<S: Stores>(
    socket: &Path,
    served: Served<S>,
    stop: CancellationToken,
) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use std::os::unix::fs::PermissionsExt as _;
    let named = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("cannot listen on {}: {error}", socket.display()),
        )
    };
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(named(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(socket).map_err(named)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600)).map_err(named)?;
    let path = socket.to_owned();
    Ok(async move {
        let streams = futures::stream::unfold(listener, |listener| async move {
            let stream = listener.accept().await.map(|(stream, _)| stream);
            Some((stream, listener))
        });
        connections(streams.boxed(), served, Scope::All, stop).await;
        // Left behind it would only be replaced by the next start.
        std::fs::remove_file(path).ok();
    })
}

/// Answers health and metrics on a TCP address until `stop`.
///
/// # Errors
/// When the address cannot be bound; the text names it.
pub async fn listen_tcp<S: Stores>(
    addr: SocketAddr,
    served: Served<S>,
    stop: CancellationToken,
) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let listener = match (TcpListener::bind(addr).await, instead_of(addr)) {
        // Whoever has the port, or may not have it, is the same on both.
        (Err(error), Some(other))
            if !matches!(
                error.kind(),
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
            ) =>
        {
            TcpListener::bind(other).await
        }
        (bound, _) => bound,
    };
    let listener = listener.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {addr}: {error}"))
    })?;
    info!(addr = %listener.local_addr()?, "health and metrics");
    Ok(async move {
        let streams = futures::stream::unfold(listener, |listener| async move {
            let stream = listener.accept().await.map(|(stream, _)| stream);
            Some((stream, listener))
        });
        connections(streams.boxed(), served, Scope::Health, stop).await;
    })
}

/// Any address, where the system has no IPv6.
fn instead_of(addr: SocketAddr) -> Option<SocketAddr> {
    let any = addr.is_ipv6() && addr.ip().is_unspecified();
    any.then(|| (Ipv4Addr::UNSPECIFIED, addr.port()).into())
}

async fn connections<S, T>(
    mut streams: BoxStream<'static, io::Result<T>>,
    served: Served<S>,
    scope: Scope,
    stop: CancellationToken,
) where
    S: Stores,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let mut tasks = tokio::task::JoinSet::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(scope == Scope::All);
    loop {
        // Who comes when all places are taken waits in the system's queue.
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            stream = streams.next(), if tasks.len() < scope.connections() => stream,
        };
        let stream = match stream {
            None => break,
            Some(Ok(stream)) => stream,
            Some(Err(error)) => {
                // Out of file descriptors, say: the next one may go.
                debug!("connection not accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let served = served.clone();
        let stop = stop.clone();
        let service = service_fn(move |request| {
            let (served, stop) = (served.clone(), stop.clone());
            async move { Ok::<_, std::convert::Infallible>(answer(served, scope, stop, request).await) }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let watched = graceful.watch(connection);
        tasks.spawn(async move {
            if let Err(error) = watched.await {
                debug!("connection ended: {error}");
            }
        });
    }
    // Watches end by themselves with `stop`; what else is under way takes milliseconds.
    tokio::time::timeout(Duration::from_millis(500), graceful.shutdown())
        .await
        .ok();
}

async fn answer<S: Stores>(
    served: Served<S>,
    scope: Scope,
    stop: CancellationToken,
    request: Request<Incoming>,
) -> Response<Body> {
    let route = Route::parse(request.uri().path());
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    match route {
        Some(Route::Health) if read => match served.engine.stands_still() {
            Some(since) if since > STUCK => {
                let text = format!("the engine stands still for {} s", since.as_secs());
                answer::text(StatusCode::INTERNAL_SERVER_ERROR, text)
            }
            Some(_) | None => answer::text(StatusCode::OK, "ok"),
        },
        Some(Route::Ready) if read => {
            let waits = served.waits();
            let code = match waits {
                None => StatusCode::OK,
                Some(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            answer::text(code, waits.unwrap_or_else(|| "ok".to_owned()))
        }
        Some(Route::Metrics) if read => {
            if let Some(refused) = refuse(&served, &request).await {
                return refused;
            }
            let followed = served.reading.borrow().kept.is_none();
            let gauges = served.engine.gauges(&served.standing.borrow(), followed);
            answer::metrics(served.engine.metrics().text(&gauges))
        }
        Some(_) | None if scope == Scope::Health => answer::not_found("no such path"),
        Some(Route::Version) if read => answer::version(),
        Some(Route::Groups) if read => answer::groups(),
        Some(Route::CoreVersions) if read => answer::core_versions(),
        Some(Route::Resources(group)) if read => answer::resources(group),
        Some(Route::Hosts) if read => hosts::hosts(&served),
        Some(Route::Held) if read => hosts::held(&served),
        Some(Route::Objects(target)) => objects::answer(served, target, stop, request).await,
        Some(_) => answer::failure(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "read only",
        ),
        None => answer::not_found("no such path"),
    }
}

/// What is answered to somebody who may not read metrics.
async fn refuse<S: Stores>(
    served: &Served<S>,
    request: &Request<Incoming>,
) -> Option<Response<Body>> {
    let guard = served.guard.as_ref()?;
    let header = request.headers().get(http::header::AUTHORIZATION);
    let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(token) = token else {
        let text = "a bearer token is wanted";
        return Some(answer::text(StatusCode::UNAUTHORIZED, text));
    };
    match guard.allows(token.trim()).await {
        Ok(true) => None,
        Ok(false) => Some(answer::text(StatusCode::FORBIDDEN, "not for this account")),
        Err(text) => Some(answer::text(StatusCode::SERVICE_UNAVAILABLE, text)),
    }
}
