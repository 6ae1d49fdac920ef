//! `metalform run`: the whole loop in one process. Files are watched, the plan is shown and carried
//! out, machines are driven, until Ctrl-C or until all is settled.

mod reload;
mod signals;
mod watch;

pub(super) use self::signals::Signals;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch as channel};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::api::BareMetalHost;
use crate::desired::{self, Desired};
use crate::engine::{self, Clock, Engine, FirstPlan, Metrics, Standing, Telling};
use crate::eval::Cache;
use crate::fleet::Digest;
use crate::plan::{self, Grants, Plan};
use crate::secrets::{CachedSecrets, Salt, SecretsFolder};
use crate::serve::{self, Reading, Served};
use crate::store::{Embedded, Object as _, Store as _};

use super::home::{Home, Others};
use super::machines::{self, Drive, MachinesArgs};
use super::source::Source;
use super::spec::{self, Spec};
use super::{Exit, Failure, SpecArgs, Term};

/// Watch a spec and drive its machines to what it says
///
/// Shows what every machine does and waits for. Saving an edit shows the plan and carries it out; a
/// broken file shows what is wrong and changes nothing. State is kept in `.metalform` beside the
/// spec: the same command goes on where it was.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub(super) spec: SpecArgs,
    #[command(flatten)]
    pub(super) machines: MachinesArgs,
    /// End with 0 once nothing is left to do
    #[arg(long)]
    pub(super) until_settled: bool,
    /// With --until-settled: end with 1 when it takes longer, in seconds
    #[arg(long, value_name = "SECONDS", requires = "until_settled")]
    pub(super) timeout: Option<u64>,
    /// Answer /healthz and /metrics on this address, e.g. 127.0.0.1:9090
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) listen: Option<SocketAddr>,
    /// Allow the destruction of this host, once: r01-n13, "r01-n[13-15]"
    #[arg(long, value_name = "NAME")]
    pub(super) allow_destroy: Vec<String>,
}

pub(super) fn run(term: &Term, args: &RunArgs) -> Result<Exit, Failure> {
    small_pages();
    let mut cache = Cache::default();
    let spec = spec::load_busy(term, &args.spec, &mut cache)?;
    spec::show(term, &spec);
    if !spec.is_valid() {
        return Err(spec::invalid(&spec).help("nothing was changed; mend the spec and start again"));
    }
    let order = Order {
        spec,
        cache,
        grants: Grants::named(args.allow_destroy.iter().cloned()),
        agreed: None,
        taken: None,
    };
    super::runtime()?.block_on(drive(term, args, order))
}

/// Has memory given in small pages from here on. What stays for months after the start lies
/// scattered, and huge pages keep all that is around it: 13 of 123 MB with 10,000 hosts
/// (`benches/settled.rs`). Where the system does not do so, nothing is lost but that.
pub(super) fn small_pages() {
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true).ok();
}

/// What to drive: a valid spec, as it was evaluated.
pub(super) struct Order {
    pub spec: Spec,
    /// Trees of its files, for the next evaluation.
    pub cache: Cache,
    pub grants: Grants,
    /// The plan that a person saw and agreed to. Then it is that one which is carried out or none,
    /// and the spec is not read again.
    pub agreed: Option<Plan>,
    /// The store, when it is open already, and what keeps others out.
    pub taken: Option<(Others, Arc<Embedded>)>,
}

/// What the tasks of a run share.
struct Run<'a> {
    term: &'a Term,
    args: &'a RunArgs,
    engine: Arc<Engine<Embedded>>,
    desired: channel::Sender<Option<Arc<Desired>>>,
    standing: channel::Receiver<Standing>,
    plans: mpsc::UnboundedReceiver<FirstPlan>,
    reading: channel::Sender<Reading>,
    secrets: Arc<CachedSecrets<SecretsFolder>>,
    drive: Drive,
    /// Where the home lies, links followed.
    place: Option<PathBuf>,
    /// Keeps those out who come by another path.
    others: Others,
    /// How often in a row the link was found to lead to a folder that somebody else drives.
    held_off: u32,
    /// That its secrets changed was said.
    told: bool,
    /// What a person agreed to is carried out: the spec is not read again.
    agreed: bool,
    /// The text whose hosts are in memory once only, see [`Run::share`].
    shared: Option<Digest>,
}

/// Sets everything up, drives, and takes everything down again.
pub(super) async fn drive(term: &Term, args: &RunArgs, order: Order) -> Result<Exit, Failure> {
    let Order {
        spec,
        cache,
        grants,
        agreed,
        taken,
    } = order;
    let home = Home::of(&args.spec.spec);
    home.make()?;
    let clock = Clock::starting_at(jiff::Timestamp::now());
    // The locks first: a second process must not touch the machines' journal.
    let (others, store) = match taken {
        Some(taken) => taken,
        None => home.take_waiting().await?,
    };
    let drive = args.machines.drive(&spec.fleet, &args.spec.spec);
    let driven = machines::connect(&args.machines, &spec.fleet, &args.spec.spec, &home, clock)?;
    let folder = args.machines.secrets(&spec.fleet, &args.spec.spec);
    let secrets = Arc::new(CachedSecrets::new(folder));
    let metrics = Arc::new(Metrics::default());
    let options = engine::Options {
        seed: seed(&spec),
        salt: Salt::new(store.salt()),
        ..engine::Options::default()
    };
    let engine = Arc::new(Engine::new(
        Arc::clone(&store),
        driven.machines,
        Arc::clone(&secrets) as Arc<_>,
        clock,
        metrics,
        options,
    ));
    let stop = CancellationToken::new();
    let first = lower(&spec, &store, None);
    greet(term, &args.allow_destroy, &first, &store.list());
    driven
        .books
        .take_over(&store, &first, args.machines.same_machines, &home.dir)?;
    if let Some(agreed) = &agreed {
        still_current(&store, &spec, agreed).await?;
    }
    let (desired, following) = channel::channel(Some(Arc::new(first)));
    let (telling, standing) = channel::channel(Standing::default());
    let (showing, plans) = mpsc::unbounded_channel();
    let (reading, read) = channel::channel(args.spec.reading());
    let served = Served::new(Arc::clone(&engine), standing.clone(), read);
    let socket = serve::listen(&home.socket(), served.clone(), stop.clone())
        .map_err(|error| Failure::new(Exit::Stale, error.to_string()))?;
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(socket);
    if let Some(addr) = args.listen {
        let http = serve::listen_tcp(addr, served, stop.clone())
            .await
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        tasks.spawn(http);
    }
    let telling = Telling {
        standing: telling,
        plans: showing,
    };
    tasks.spawn(engine::follow(
        Arc::clone(&store),
        following,
        grants,
        telling,
        stop.clone(),
    ));
    let driving = tokio::spawn({
        let (engine, stop) = (Arc::clone(&engine), stop.clone());
        async move { engine.run(stop).await }
    });
    let title = format!("{} on {}", spec.fleet.name, driven.books.text());
    let mut run = Run {
        term,
        args,
        engine,
        desired,
        standing,
        plans,
        reading,
        secrets,
        agreed: agreed.is_some(),
        drive,
        place: home.place(),
        others,
        held_off: 0,
        told: false,
        shared: None,
    };
    let exit = run.watch(spec, cache, title).await;
    stop.cancel();
    // The socket takes itself away; what does not end in a second is ended.
    let ended = async { while tasks.join_next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(1), ended)
        .await
        .ok();
    tasks.shutdown().await;
    match driving.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(Failure::new(Exit::Remote, error.to_string())),
        Err(error) => {
            return Err(Failure::new(
                Exit::Remote,
                format!("the engine ended: {error}"),
            ));
        }
    }
    store
        .close()
        .await
        .map_err(|error| Failure::new(Exit::Remote, error.to_string()))?;
    exit
}

/// An address and port.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let example = "an IP address and a port are wanted, as in 127.0.0.1:9090 or [::]:9090";
    text.parse().map_err(|_| example.to_owned())
}

/// What has to be said at the start: words for hosts that nobody has, hosts of other fleets.
fn greet(term: &Term, allowed: &[String], desired: &Desired, known: &[Arc<BareMetalHost>]) {
    for name in allowed {
        let named = Grants::named([name.clone()]);
        let is_there = known.iter().any(|host| named.allows(&host.key().name));
        if !is_there && !desired.hosts.iter().any(|(key, _)| named.allows(&key.name)) {
            term.say(&format!("--allow-destroy {name}: no host is called so"));
        }
    }
    for line in plan::strangers(&desired.fleet, known) {
        warn!(
            code = "HostsOfAnotherFleet",
            "{line}; if that is what this spec was called, put the name back"
        );
    }
}

/// A plan that a person agreed to is carried out if it is still the plan.
async fn still_current(store: &Arc<Embedded>, spec: &Spec, agreed: &Plan) -> Result<(), Failure> {
    let source = Source::Stored(Arc::clone(store));
    let made = super::plan::make(&source, spec).await?;
    if made.plan == *agreed {
        return Ok(());
    }
    let text = "the plan is not current any more: hosts changed since it was shown";
    Err(Failure::new(Exit::Stale, text).help("nothing was changed; look at the plan again"))
}

/// Jitter differs between fleets and is the same for one.
fn seed(spec: &Spec) -> u64 {
    let digest = crate::secrets::digest(spec.fleet.name.as_bytes());
    u64::from_str_radix(&digest, 16).unwrap_or_default()
}

fn lower(spec: &Spec, store: &Embedded, previous: Option<&Desired>) -> Desired {
    let observed: Vec<Arc<BareMetalHost>> = store.list();
    desired::desired(
        &spec.fleet,
        &spec.files,
        spec.evaluation.complete,
        &observed,
        previous,
    )
}
