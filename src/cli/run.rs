//! `metalform run`: the whole loop in one process. Files are watched, the plan is shown and carried
//! out, machines are driven, until Ctrl-C or until all is settled.

mod reload;
mod signals;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::{mpsc, watch as channel};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::api::BareMetalHost;
use crate::desired::{self, Desired};
use crate::engine::{self, Clock, Engine, FirstPlan, Metrics, Standing, Telling};
use crate::eval::Cache;
use crate::fleet::Digest;
use crate::plan::{self, Grants, Plan};
use crate::secrets::{CachedSecrets, Salt, SecretsFolder};
use crate::serve::{self, Reading, Served};
use crate::store::{Embedded, Object as _, Store as _};
use crate::vfs::watch::{self, Watch};

use super::ending::{self, Ending, Picture, Verdict};
use super::home::{Home, Others};
use super::machines::{self, Drive, MachinesArgs};
use super::screen::Screen;
use super::source::Source;
use super::spec::{self, Spec};
use super::{Exit, Failure, SpecArgs, Term};
use signals::Signals;

/// How often it is looked at where a link leads that is the spec's folder.
const LOOK: Duration = Duration::from_secs(5);
/// The least time between two pictures.
const FRAME: Duration = Duration::from_millis(100);

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
fn small_pages() {
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
    /// The link leads to a folder that somebody else drives.
    held_off: bool,
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
        held_off: false,
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
fn address(text: &str) -> Result<SocketAddr, String> {
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
    let (_, plan, _) = super::plan::make(&source, spec).await?;
    if plan == *agreed {
        return Ok(());
    }
    let text = "the plan is not current any more: hosts changed since it was shown";
    Err(Failure::new(Exit::Stale, text).help("nothing was changed; look at the plan again"))
}

fn settled(hosts: usize) -> String {
    let are = if hosts == 1 { "host is" } else { "hosts are" };
    format!("settled: {hosts} {are} as the spec says")
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

impl Run<'_> {
    /// Watches files, signals and hosts until it is time to end.
    async fn watch(
        &mut self,
        spec: Spec,
        mut cache: Cache,
        title: String,
    ) -> Result<Exit, Failure> {
        let started = Instant::now();
        let mut screen = Screen::new(self.term, title);
        let mut reloads = Watch::new(watch::Options::default());
        reloads.replace(self.watched(&spec), &spec.files);
        // What was evaluated is large; all that is needed of it is in what is desired.
        drop(spec);
        if let Some(trouble) = reloads.trouble() {
            warn!(
                code = "WatchPolls",
                "files are looked at every few seconds: {trouble}"
            );
        }
        let mut activity = self.engine.activity();
        let mut signals = Signals::new()?;
        let mut frame = tokio::time::interval(FRAME);
        frame.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looks = tokio::time::interval(LOOK);
        let linked = Home::of(&self.args.spec.spec).is_linked();
        let mut ending = Ending::default();
        // A picture of ten thousand hosts takes 20 ms. Ages grow by the second where somebody sees
        // them, and an end is judged by time.
        let idle = if self.term.live() || self.args.until_settled || self.args.timeout.is_some() {
            Duration::from_secs(1)
        } else {
            Duration::from_secs(30)
        };
        let mut dirty = true;
        let mut rested = false;
        loop {
            tokio::select! {
                () = signals.any() => {
                    self.term.say("stopping; the same command goes on where this one was");
                    return Ok(if self.args.until_settled { Exit::Interrupted } else { Exit::Success });
                }
                reload = reloads.changed() => {
                    debug!(paths = reload.paths.len(), "files changed");
                    self.secrets.forget();
                    self.engine.wake_all();
                    if !self.agreed {
                        self.reload(&mut cache, &mut reloads);
                    }
                }
                _ = looks.tick(), if linked => {
                    let was_held_off = self.held_off;
                    if self.goes_with_the_link() && was_held_off && !self.agreed {
                        self.reload(&mut cache, &mut reloads);
                    }
                }
                _ = activity.changed() => dirty = true,
                _ = self.standing.changed() => dirty = true,
                _ = frame.tick(), if dirty => {
                    dirty = false;
                    let standing = self.standing.borrow_and_update().clone();
                    while let Ok(plan) = self.plans.try_recv() {
                        self.show_plan(&plan);
                    }
                    self.give_free_seats();
                    self.share(&standing);
                    let overview = self.engine.overview();
                    let kept = self.reading.borrow().kept.clone();
                    screen.show(&overview, &standing, kept.as_deref(), self.engine.clock().now());
                    let current = self.is_current(&standing);
                    let picture = Picture::of(&overview, &standing, current);
                    let hosts = picture.hosts;
                    let rests = !picture.moving && picture.waits.is_empty();
                    if rests && !rested && !self.args.until_settled && !self.term.live() {
                        self.term.say(&format!("{}; watching the files", settled(hosts)));
                    }
                    rested = rests;
                    if self.args.until_settled {
                        match ending.judge(picture, Instant::now()) {
                            Verdict::Wait => {}
                            Verdict::LookAgain => dirty = true,
                            Verdict::Settled => {
                                self.term.say(&settled(hosts));
                                return Ok(Exit::Success);
                            }
                            Verdict::Stuck(waits) => {
                                ending::say(self.term, &waits);
                                return Ok(Exit::No);
                            }
                        }
                    }
                }
                () = tokio::time::sleep(idle) => dirty = true,
            }
            let limit = self.args.timeout.map(Duration::from_secs);
            if limit.is_some_and(|limit| started.elapsed() > limit) {
                let left = ending::left(&self.engine.overview(), &self.standing.borrow());
                ending::out_of_time(self.term, started.elapsed(), &left);
                return Ok(Exit::No);
            }
        }
    }

    /// True when the standing is that of the text that is followed.
    fn is_current(&self, standing: &Standing) -> bool {
        let desired = self.desired.borrow();
        let digest = desired.as_ref().map(|desired| desired.digest);
        standing.round > 0 && digest == Some(standing.digest)
    }

    /// Gives the seats of those who left their pools to others.
    fn give_free_seats(&self) {
        let store = self.engine.store();
        let previous = self.desired.borrow().clone();
        if let Some(previous) = previous
            && previous.has_free_seat(|key| store.get(key))
            && let Some(next) = previous.again(&store.list())
        {
            self.desired.send_replace(Some(Arc::new(next)));
        }
    }

    /// Once all of a text is applied, what is wanted and what is there are the same: kept once, which
    /// is 2 kB a host.
    fn share(&mut self, standing: &Standing) {
        if !standing.applied() || self.shared == Some(standing.digest) {
            return;
        }
        let wanted = self.desired.borrow().clone();
        if let Some(wanted) = wanted.filter(|wanted| wanted.digest == standing.digest) {
            self.shared = Some(standing.digest);
            let observed = self.engine.store().list();
            self.desired
                .send_replace(Some(Arc::new(wanted.shared(&observed))));
        }
    }

    fn show_plan(&self, first: &FirstPlan) {
        // It was shown before it was agreed to.
        let seen = self.agreed && first.round == 1;
        if seen || self.term.quiet() || (first.plan.is_empty() && first.plan.kept.is_empty()) {
            return;
        }
        let rulings = first.rulings();
        if self.term.json() {
            let plan = plan::to_json(&first.plan, &rulings);
            self.term.event("INFO", "plan", json!({"plan": plan}));
            return;
        }
        let width = if self.term.live() {
            self.term.width()
        } else {
            plan::WIDTH
        };
        let text = plan::render(&first.plan, &rulings, self.term.palette_err(), width);
        self.term.err(&text);
        let hold = first.holds.iter().flatten();
        let guarded = hold.filter(|hold| hold.code == plan::HoldCode::NeedsAllowDestroy);
        let spec = self.args.spec.spec.display().to_string();
        if guarded.count() > 0 && spec != "." {
            self.term.help(&format!(
                "in another terminal, in the folder where this command was started: \
                 metalform apply {spec} --allow-destroy NAME"
            ));
        }
    }
}
