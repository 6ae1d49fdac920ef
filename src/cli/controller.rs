//! `metalform controller`: the engine in a cluster, in place of the Bare Metal Operator.
//!
//! ```text
//!  API server ◄─ Kube (behind the fence) ◄─ engine ─► Ironic | simulated machines
//!                 ▲                          ▲
//!                 └─ lease ─► fence ─────────┘        health, metrics
//! ```
//!
//! Caches are filled before the lease is asked for, so that one that takes over begins at once.
//! Whoever loses the lease ends: nothing of what it knows is worth keeping.

mod drive;
mod guard;
mod leave;
mod name;
mod place;
mod report;
mod reporter;
mod resource;
mod specs;
mod telling;
pub(super) mod unused;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch as channel;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::engine::{self, Clock, Engine, Metrics, Standing};
use crate::fence::Fence;
use crate::lease::{self, Candidate, Times};
use crate::secrets::ClusterSecrets;
use crate::serve::{self, Reading, Served};
use crate::store::kube::Cluster;
use crate::store::{Key, Kube, StoreError};

pub(super) use self::drive::DriveArgs;
use self::place::Places;
use self::specs::{Shown, Source, SpecsArgs};
use self::telling::Teller;
use super::run::Signals;
use super::{Exit, Failure, Term};

/// Who owns the fields that the controller writes: statuses, finalizers, claims.
const MANAGER: &str = "metalform-host";
/// How long everything may take to end: half of what a pod is given.
const GRACE: Duration = Duration::from_secs(15);

/// Drive the machines of a cluster's BareMetalHosts
///
/// Takes the place of the Bare Metal Operator: watches BareMetalHosts, drives their machines through
/// an Ironic, and writes what becomes of them. The names that operator has for its settings in the
/// environment are understood. Runs in a pod; elsewhere with --context against any cluster.
#[derive(Debug, clap::Args)]
pub struct ControllerArgs {
    /// Context of the kubeconfig; in a pod that pod's cluster
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Namespaces to work in, comma separated or repeated; none is all
    #[arg(
        long,
        value_name = "NS",
        value_delimiter = ',',
        env = "WATCH_NAMESPACE"
    )]
    namespace: Vec<String>,
    #[command(flatten)]
    drive: DriveArgs,
    #[command(flatten)]
    specs: SpecsArgs,
    /// Answer /livez, /readyz and /metrics on this address; `none` for not at all
    // Hidden names here and below are that operator's flags.
    #[arg(long, value_name = "ADDR", default_value = "[::]:9440", value_parser = listen,
        alias = "health-addr")]
    listen: Listen,
    /// Show metrics only to accounts that may `get` the path /metrics
    #[arg(long)]
    metrics_auth: bool,
    #[command(flatten)]
    lease: LeaseArgs,
    /// Hosts that are worked on at once
    #[arg(long, value_name = "N", default_value_t = 256, env = "BMO_CONCURRENCY")]
    concurrency: u16,
}

/// Of several controllers one works.
#[derive(Debug, clap::Args)]
struct LeaseArgs {
    /// Work only while holding the lease; by default in a pod
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
        alias = "enable-leader-election")]
    leader_elect: Option<bool>,
    /// Name of the lease; `baremetal-operator` keeps out a Bare Metal Operator of that namespace
    #[arg(long, value_name = "NAME", default_value = "metalform")]
    lease_name: String,
    /// Namespace of the lease
    #[arg(long, value_name = "NS", env = "POD_NAMESPACE")]
    lease_namespace: Option<String>,
    /// Others may take the lease when it was not renewed for so many seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 15,
        env = "LEASE_DURATION_SECONDS",
        alias = "lease-duration-seconds"
    )]
    lease_duration: u64,
    /// The lease is given up when it could not be renewed for so many seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10,
        env = "RENEW_DEADLINE_SECONDS",
        alias = "renew-deadline-seconds"
    )]
    renew_deadline: u64,
    /// The lease is renewed, or asked for, every so many seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 2,
        env = "RETRY_PERIOD_SECONDS",
        alias = "retry-period-seconds"
    )]
    retry_period: u64,
}

/// Where health and metrics are answered.
#[derive(Debug, Clone, Copy)]
enum Listen {
    Nowhere,
    At(SocketAddr),
}

fn listen(text: &str) -> Result<Listen, String> {
    if text == "none" {
        return Ok(Listen::Nowhere);
    }
    // As Go's programs take it: any address.
    let text = match text.strip_prefix(':') {
        Some(port) => format!("[::]:{port}"),
        None => text.to_owned(),
    };
    super::run::address(&text).map(Listen::At)
}

impl LeaseArgs {
    fn times(&self) -> Result<Times, Failure> {
        let times = Times {
            duration: Duration::from_secs(self.lease_duration),
            renew: Duration::from_secs(self.renew_deadline),
            retry: Duration::from_secs(self.retry_period),
        };
        match times.fault() {
            None => Ok(times),
            Some(fault) => Err(Failure::new(Exit::Usage, fault)),
        }
    }

    /// In a pod others are expected.
    fn elects(&self) -> bool {
        self.leader_elect
            .unwrap_or_else(|| std::env::var_os("KUBERNETES_SERVICE_HOST").is_some())
    }

    fn key(&self, cluster: &Cluster) -> Key {
        let own = cluster.own_namespace();
        let namespace = self.lease_namespace.as_deref().unwrap_or(own);
        Key::new(namespace, self.lease_name.as_str())
    }
}

pub(super) fn controller(_term: &Term, args: &ControllerArgs) -> Result<Exit, Failure> {
    super::run::small_pages();
    // One: its work is thousands of small requests, and a quarter of its CPU went into two workers waking
    // each other (`benches/cluster.rs`, mass: 8.2 s with two, 6.0 s with one on the same busy machine).
    super::runtime_of(1)?.block_on(run(args))
}

async fn run(args: &ControllerArgs) -> Result<Exit, Failure> {
    let remote = |text: String| Failure::new(Exit::Usage, text);
    let mut signals = Signals::new()?;
    let times = args.lease.times()?;
    let cluster = Cluster::infer(args.context.as_deref()).await;
    let cluster = cluster.map_err(|error| remote(error.to_string()))?;
    let named = args.namespace.iter().filter(|name| !name.is_empty());
    let cluster = cluster.within(named.map(String::as_str));
    let clock = Clock::starting_at(jiff::Timestamp::now());
    let machines = args.drive.connect(&cluster, clock)?;
    let fence = match args.lease.elects() {
        true => Fence::closed(),
        false => Fence::none(),
    };
    let store = Arc::new(Kube::new(&cluster, MANAGER).behind(fence.clone()));
    let secrets = ClusterSecrets::new(cluster.clone(), Kube::clone(&store));
    let options = engine::Options {
        concurrency: args.concurrency.max(1),
        policy: args.drive.policy(),
        fence: fence.clone(),
        ..engine::Options::default()
    };
    let engine = Arc::new(Engine::new(
        Arc::clone(&store),
        machines,
        Arc::new(secrets),
        clock,
        Arc::new(Metrics::default()),
        options,
    ));
    greet(args, &cluster);
    let stop = CancellationToken::new();
    let (ready, waits) = channel::channel(Some("the hosts are not read yet".to_owned()));
    let mut tasks = tokio::task::JoinSet::new();
    let (found, unfound) = channel::channel(None);
    // Without a spec of its own it stands where it stood at the start.
    let (stands, standing) = channel::channel(Standing::default());
    let (reads, reading) = channel::channel(Reading::default());
    if let Some(finder) = args.drive.finder(&cluster) {
        tasks.spawn(finder.until_found(found));
    }
    if let Listen::At(addr) = args.listen {
        let mut served =
            Served::new(Arc::clone(&engine), standing, reading).ready_without([waits, unfound]);
        if args.metrics_auth {
            served = served.guarded(Arc::new(guard::Reviews::new(cluster.client())));
        }
        let http = serve::listen_tcp(addr, served, stop.clone()).await;
        tasks.spawn(http.map_err(|error| remote(error.to_string()))?);
    }
    let candidate = args.lease.elects().then(|| -> Result<_, Failure> {
        let key = args.lease.key(&cluster);
        let me = identity();
        let teller = Teller::new(Arc::clone(&engine), &me, &cluster);
        // A connection of its own: a renewal does not queue behind the writes of ten thousand hosts.
        let apart = cluster.apart().map_err(|error| remote(error.to_string()))?;
        let candidate = Candidate::new(Kube::new(&apart, MANAGER), key, me, times, fence);
        Ok((candidate.telling(teller.words()), teller))
    });
    let candidate = candidate.transpose()?;
    let mut leading = tokio::spawn(lead(
        engine,
        args.specs.source(
            args.drive.simulates(),
            Places::of(&cluster),
            Shown {
                standing: stands,
                reading: reads,
            },
        ),
        candidate,
        ready,
        stop.clone(),
    ));
    let ended = tokio::select! {
        ended = &mut leading => ended,
        () = signals.any() => {
            info!("stopping");
            stop.cancel();
            match tokio::time::timeout(GRACE, &mut leading).await {
                Ok(ended) => ended,
                Err(_) => {
                    warn!(code = "EndedHard", "not everything ended in {} s", GRACE.as_secs());
                    leading.abort();
                    Ok(Ok(Ended::Asked))
                }
            }
        }
    };
    stop.cancel();
    tasks.shutdown().await;
    match ended {
        Ok(Ok(Ended::Asked)) => Ok(Exit::Success),
        Ok(Ok(Ended::Lost)) => Err(Failure::new(Exit::Stale, "the lease was lost")
            .help("another controller works now; start this one again to have it stand by")),
        Ok(Err(failure)) => Err(failure),
        Err(error) => Err(Failure::new(
            Exit::Remote,
            format!("the controller ended: {error}"),
        )),
    }
}

/// Why it does not go on.
enum Ended {
    Asked,
    Lost,
}

/// Fills the caches, waits for the lease and works until `stop`, or until the lease is lost.
async fn lead(
    engine: Arc<Engine<Kube>>,
    source: Option<Source>,
    candidate: Option<(Candidate<Kube>, Teller)>,
    ready: channel::Sender<Option<String>>,
    stop: CancellationToken,
) -> Result<Ended, Failure> {
    let failed = |error: StoreError| Failure::new(Exit::Remote, error.to_string());
    tokio::select! {
        () = stop.cancelled() => return Ok(Ended::Asked),
        () = says_why(engine.store(), &ready) => {}
        hosts = engine.warm() => info!(hosts = hosts.map_err(failed)?, "hosts read"),
    }
    ready.send_replace(None);
    let Some((candidate, teller)) = candidate else {
        let ended = run_all(&engine, source, &stop).await;
        return ended.map(|()| Ended::Asked).map_err(failed);
    };
    // The lease is kept until the engine has come to its end.
    let keep = CancellationToken::new();
    let holding = candidate.run(keep.clone());
    let working = work(&engine, source, candidate.standing(), &stop);
    let ended = tokio::select! {
        () = holding => {
            stop.cancel();
            return Ok(Ended::Lost);
        }
        ended = working => ended,
        never = teller.run() => match never {},
    };
    keep.cancel();
    candidate.release().await;
    ended.map(|()| Ended::Asked).map_err(failed)
}

/// Tells why hosts are not read yet. Without an end.
async fn says_why(store: &Kube, ready: &channel::Sender<Option<String>>) {
    let mut trouble = store.trouble();
    loop {
        let texts: Vec<String> = {
            let trouble = trouble.borrow_and_update();
            trouble.values().map(|text| text.to_string()).collect()
        };
        let text = match texts.is_empty() {
            true => "the hosts are not read yet".to_owned(),
            false => format!("the hosts are not read yet: {}", texts.join("; ")),
        };
        ready.send_replace(Some(text));
        if trouble.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Works once the lease is held.
async fn work(
    engine: &Arc<Engine<Kube>>,
    source: Option<Source>,
    mut standing: channel::Receiver<lease::Standing>,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    loop {
        if standing.borrow_and_update().leads {
            return run_all(engine, source, stop).await;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = standing.changed() => if changed.is_err() {
                return Ok(());
            },
        }
    }
}

/// The engine, and beside it the spec that is followed.
async fn run_all(
    engine: &Arc<Engine<Kube>>,
    source: Option<Source>,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let Some(source) = source else {
        return engine.run(stop.clone()).await;
    };
    let following = specs::follow(Arc::clone(engine), source, stop.clone());
    let (ended, ()) = tokio::join!(engine.run(stop.clone()), following);
    ended
}

/// What this is and works on.
fn greet(args: &ControllerArgs, cluster: &Cluster) {
    let namespaces = match cluster.namespaces() {
        [] => "all namespaces".to_owned(),
        some => some.join(", "),
    };
    info!(
        server = cluster.server(),
        namespaces,
        version = env!("CARGO_PKG_VERSION"),
        "controller of BareMetalHosts"
    );
    for (variable, instead) in unused::here() {
        warn!(
            code = "SettingUnused",
            "{variable} changes nothing here: {instead}"
        );
    }
    if args.drive.simulates() {
        warn!(
            code = "Simulated",
            "MACHINES ARE SIMULATED (--simulate): no real machine is driven, whatever a host says"
        );
    }
}

/// Who this process is among those that stand for the lease.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let host = match host.as_str() {
        "" => "metalform",
        host => host,
    };
    let unique = crate::dice::unpredictable();
    format!("{host}_{}", crate::secrets::digest(&unique))
}

/// A file of the operator's own place, if it is there.
fn default_file(path: PathBuf) -> Option<PathBuf> {
    path.is_file().then_some(path)
}
