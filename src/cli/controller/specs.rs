//! The controller's own spec: a mounted folder that is followed, and the `Fleet` that tells of it.
//!
//! ```text
//!  files ─ watch ─► evaluate ─► valid? ─► lower ─► desired ─► engine::follow ─► BareMetalHosts
//!                       └─► Read ─► status ─► Fleet   (errors too: the last good fleet is kept)
//! ```
//!
//! Nothing is followed before the Fleet was seen: it is the parent of the set that all hosts are
//! members of, and a person may have paused it. While it is paused the engine is told of no desired
//! state at all, so that nothing of what people do meanwhile is taken back. Resuming is as starting.
//!
//! Files that are not there, or not yet, are waited for: no object is made for them and no host is
//! changed. The Fleet that told of them before says so.
//!
//! A ConfigMap that is swapped and the link of git-sync are followed as `metalform run` follows
//! them: what is watched is the path, with its links.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch as channel};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::api::BareMetalHost;
use crate::api::fleet::{Fleet, applyset};
use crate::desired::{self, Desired};
use crate::diag::{Code, Diagnostic, render};
use crate::engine::{self, Engine, Standing, Telling};
use crate::eval::{self, Cache, Evaluation, Inputs, Limits, Namespace};
use crate::plan::Grants;
use crate::serve::Reading;
use crate::store::{Change, Key, Kube, Object as _, Store};
use crate::vfs::watch::{self, Watch};
use crate::vfs::{Digest, RealDisk};

use super::leave::Leave;
use super::name::Said;
use super::place::Places;
use super::report::Read;
use super::reporter::Reporter;

use futures::StreamExt as _;

/// How often free seats are looked for at most.
const PACE: Duration = Duration::from_secs(1);
/// When to ask again which Fleets there are.
const AGAIN: Duration = Duration::from_secs(5);

/// A folder that is followed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SpecsArgs {
    /// Follow this spec, a mounted folder or file, and tell of it in a Fleet object
    #[arg(long, value_name = "DIR")]
    specs: Option<PathBuf>,
    /// File with values for the spec's `param`s
    #[arg(long, value_name = "FILE", requires = "specs")]
    params: Option<PathBuf>,
}

impl SpecsArgs {
    /// The spec, if one is to be followed.
    pub fn source(&self, simulates: bool, places: Places, shown: Shown) -> Option<Source> {
        Some(Source {
            places,
            shown,
            root: self.specs.clone()?,
            params: self.params.clone(),
            simulates,
        })
    }
}

/// Where it is told how far the spec is followed, for metrics.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub standing: channel::Sender<Standing>,
    pub reading: channel::Sender<Reading>,
}

/// Where the spec is.
#[derive(Debug, Clone)]
pub(super) struct Source {
    root: PathBuf,
    params: Option<PathBuf>,
    /// The machines are.
    simulates: bool,
    /// Where objects may go.
    places: Places,
    shown: Shown,
}

/// Follows the spec until `stop`. Only while the lease is held: it writes.
pub(super) async fn follow(engine: Arc<Engine<Kube>>, source: Source, stop: CancellationToken) {
    let (desired, following) = channel::channel(None);
    let standing = source.shown.standing.subscribe();
    // First plans are shown by `metalform plan`.
    let (plans, _) = mpsc::unbounded_channel();
    let (read, reading) = channel::channel(Read::default());
    let telling = Telling {
        standing: source.shown.standing.clone(),
        plans,
    };
    let store = Arc::clone(engine.store());
    let applying = engine::follow(store, following, Grants::default(), telling, stop.clone());
    let (named, names) = channel::channel(None);
    let (leave, leaves) = channel::channel(Leave::default());
    let mut specs = Specs {
        engine: Arc::clone(&engine),
        source,
        cache: Cache::default(),
        desired,
        read,
        said: None,
        named,
        next: None,
        leave,
        rested: false,
    };
    let reporter = Reporter {
        engine,
        standing: standing.clone(),
        reading,
        names,
        leaves,
    };
    tokio::select! {
        () = applying => {}
        () = specs.run(standing) => {}
        () = reporter.run() => {}
        () = stop.cancelled() => {}
    }
}

struct Specs {
    engine: Arc<Engine<Kube>>,
    source: Source,
    cache: Cache,
    desired: channel::Sender<Option<Arc<Desired>>>,
    read: channel::Sender<Read>,
    /// What the text says that was read last, once one was.
    said: Option<Said>,
    /// The Fleet object, once it is clear which.
    named: channel::Sender<Option<Key>>,
    /// What was read last and is valid; followed as far as `leave` goes.
    next: Option<Arc<Desired>>,
    /// What the Fleet object permits; sent with each change of it.
    leave: channel::Sender<Leave>,
    /// It was paused since `next` was lowered: others may have given its seats to other hosts.
    rested: bool,
}

impl Specs {
    async fn run(&mut self, mut standing: channel::Receiver<Standing>) {
        let mut reloads = Watch::new(watch::Options::default());
        self.reload(&mut reloads, false);
        let mut fleets = Store::<Fleet>::watch(self.engine.store().as_ref(), Default::default());
        let mut activity = self.engine.activity();
        let mut looks = tokio::time::interval(PACE);
        let mut dirty = false;
        let listing = fleets_are_known(Arc::clone(self.engine.store()));
        tokio::pin!(listing);
        let mut all_known = false;
        loop {
            tokio::select! {
                () = &mut listing, if !all_known => {
                    all_known = true;
                    self.name(true);
                    self.go_on();
                }
                reload = reloads.changed() => {
                    debug!(paths = reload.paths.len(), "files changed");
                    self.reload(&mut reloads, all_known);
                }
                Some(change) = fleets.next() => if self.concerns(&change) {
                    self.go_on();
                },
                _ = activity.changed() => dirty = true,
                _ = standing.changed() => dirty = true,
                _ = looks.tick(), if dirty => {
                    dirty = false;
                    self.give_free_seats();
                }
            }
        }
    }

    /// Evaluates again. What is not valid changes nothing; what was written meanwhile is read again.
    fn reload(&mut self, watch: &mut Watch, all_known: bool) {
        let before = watch.checkouts();
        let evaluation = tokio::task::block_in_place(|| self.evaluate());
        let watched = evaluation.watched.clone();
        let whole = watch.replace(watched, &evaluation.files);
        if !whole || before.is_none() || before != watch.checkouts() {
            watch.again();
            return;
        }
        let read = self.judge(&evaluation);
        self.source.shown.reading.send_replace(Reading {
            spec: read.path.clone(),
            kept: read
                .good
                .is_none()
                .then(|| "what is there now is not valid".to_owned()),
            ..Reading::default()
        });
        self.said = Some(Said::by(&evaluation, read.good.is_some()));
        self.name(all_known);
        self.read.send_if_modified(|known| {
            let changed = *known != read;
            *known = read;
            changed
        });
        self.go_on();
    }

    /// What came of the files. What is valid is what to follow next, and what is wrong is said.
    fn judge(&mut self, evaluation: &Evaluation) -> Read {
        let mut read = Read {
            path: self.source.root.display().to_string(),
            ..Read::default()
        };
        read.findings(&evaluation.files, &evaluation.diagnostics);
        let kept = match self.next {
            Some(_) => "the last good fleet is kept",
            None => "nothing is followed yet, the hosts stay as they are",
        };
        let first = read.findings.first().map(|found| found.message.as_str());
        let first = first.unwrap_or_default();
        let was_there = self.read.borrow().unreadable.is_none();
        if !evaluation.has_root() {
            let text = format!("{first}; {kept}");
            if self.read.borrow().unreadable.as_ref() != Some(&text) {
                warn!(
                    code = "SourceUnreadable",
                    "{text}; if the files do not come by themselves, see --specs (`specs.path` of the \
                     chart) and what brings them"
                );
            }
            read.unreadable = Some(text);
            return read;
        }
        if !was_there {
            info!("the spec is there");
        }
        read.digest = texts(evaluation);
        if evaluation.has_errors() || !evaluation.complete {
            let summary = render::summary(&evaluation.diagnostics);
            // Where there is no Fleet to tell of it, nobody would know more.
            warn!(code = "SpecInvalid", "{summary}: {first}; {kept}");
            return read;
        }
        let next = self.lower(evaluation);
        read.good = Some(next.digest.to_string());
        self.next = Some(Arc::new(next));
        read
    }

    fn evaluate(&mut self) -> Evaluation {
        let inputs = Inputs {
            disk: &RealDisk,
            root: &self.source.root,
            params: self.source.params.as_deref(),
            limits: Limits::default(),
        };
        // As the command line has it: the spec's own word, else where this works.
        let namespace = Namespace {
            default: Some(self.source.places.default()),
            ..Namespace::default()
        };
        let mut evaluation = eval::evaluate_in(&inputs, &namespace, &mut self.cache);
        let elsewhere = self.source.places.finding(&evaluation);
        let other_world = self.other_world(&evaluation);
        let found = elsewhere.into_iter().chain(other_world);
        evaluation.diagnostics.extend(found);
        evaluation
    }

    /// A spec of invented machines has no place where real ones are driven.
    fn other_world(&self, evaluation: &Evaluation) -> Option<Diagnostic> {
        let origin = evaluation.fleet.simulation_origin?;
        if self.source.simulates {
            return None;
        }
        let text = "the spec is of simulated machines, and this controller drives real ones";
        let finding = Diagnostic::error(Code(7120), text, origin.place(), "simulated");
        Some(finding.help("take `simulated` out, or start the controller with --simulate"))
    }

    fn lower(&self, evaluation: &Evaluation) -> Desired {
        let observed: Vec<Arc<BareMetalHost>> = self.engine.store().list();
        let previous = self.next.clone();
        let fleet = &evaluation.fleet;
        let desired = desired::desired(
            &evaluation.fleet,
            &Arc::new(evaluation.files.clone()),
            evaluation.complete,
            &observed,
            previous.as_deref(),
        );
        desired.in_set(&applyset::id(&fleet.name, &fleet.namespace))
    }

    /// Finds the object that tells of this spec. `all_known`: which there are.
    fn name(&self, all_known: bool) {
        let Some(said) = &self.said else {
            return;
        };
        let store = self.engine.store();
        let path = self.source.root.display().to_string();
        self.named.send_if_modified(|known| {
            let fleets = all_known.then(|| Store::<Fleet>::list(store.as_ref()));
            let found = said.object(known.as_ref(), &path, fleets.as_deref());
            let found = found.filter(|key| self.source.places.has(&key.namespace));
            let is_new = found.is_some() && *known != found;
            if is_new {
                *known = found;
            }
            is_new
        });
    }

    fn concerns(&self, change: &Change<Fleet>) -> bool {
        let own = self.named.borrow();
        match change {
            Change::Applied(fleet) | Change::Deleted(fleet) => Some(fleet.key()) == *own,
            Change::Reset(_) => true,
        }
    }

    /// Has the engine go by what was read last, as far as the Fleet object permits.
    fn go_on(&mut self) {
        let store = self.engine.store();
        let own = self.named.borrow().clone();
        let leave =
            own.map(|own| Leave::of(Store::<Fleet>::get(store.as_ref(), &own).as_deref(), &own));
        let leave = leave.unwrap_or_default();
        if *self.leave.borrow() != leave {
            tell(&leave);
        }
        self.rested |= leave == Leave::Paused;
        let follows = leave == Leave::Given;
        self.leave.send_replace(leave);
        if follows && std::mem::take(&mut self.rested) {
            let anew = self.next.as_ref().and_then(|next| next.anew(&store.list()));
            self.next = anew.map(Arc::new);
        }
        let wanted = self.next.clone().filter(|_| follows);
        let is_news = self.desired.send_if_modified(|known| {
            let same = known.as_ref().map(Arc::as_ptr) == wanted.as_ref().map(Arc::as_ptr);
            if known.is_none() && wanted.is_some() {
                info!("the fleet is followed");
            }
            if !same {
                known.clone_from(&wanted);
            }
            !same
        });
        for (pool, wanted, found) in wanted.iter().filter(|_| is_news).flat_map(|it| &it.short) {
            warn!(
                code = "MF4203",
                "pool `{pool}` wants {wanted} hosts, {found} match"
            );
        }
    }

    /// Gives the seats of those who left their pools to others. While nothing is followed nobody
    /// gets one.
    fn give_free_seats(&mut self) {
        let store = self.engine.store();
        let follows = self.desired.borrow().is_some();
        if let Some(next) = self.next.as_ref().filter(|_| follows)
            && next.has_free_seat(|key| store.get(key))
            && let Some(again) = next.again(&store.list())
        {
            self.next = Some(Arc::new(again));
            self.go_on();
        }
    }
}

fn tell(leave: &Leave) {
    match leave {
        // It is said when something is.
        Leave::Unwritten | Leave::Given => {}
        Leave::Paused => info!("the fleet is paused: its hosts stay as they are"),
        Leave::Foreign(tool) => warn!(
            code = "ForeignSet",
            tool, "the set of the Fleet is another tool's: no host is written"
        ),
    }
}

/// Returns once it is known which Fleets there are.
async fn fleets_are_known(store: Arc<Kube>) {
    while Store::<Fleet>::snapshot(store.as_ref()).await.is_err() {
        tokio::time::sleep(AGAIN).await;
    }
}

/// The digest of all texts, each with its path.
fn texts(evaluation: &Evaluation) -> String {
    let mut all = String::new();
    for (id, _) in evaluation.files.iter() {
        all.push_str(evaluation.files.path(id));
        all.push_str(&format!(" {}\n", evaluation.files.digest(id)));
    }
    Digest::of(all.as_bytes()).to_string()
}
