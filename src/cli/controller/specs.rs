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
use crate::store::{Change, Key, Kube, Object as _, Store};
use crate::vfs::watch::{self, Watch};
use crate::vfs::{Digest, RealDisk};

use super::leave::Leave;
use super::place::Places;
use super::report::Read;
use super::reporter::Reporter;

use futures::StreamExt as _;

/// How often free seats are looked for at most.
const PACE: Duration = Duration::from_secs(1);

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
    pub fn source(&self, simulates: bool, places: Places) -> Option<Source> {
        Some(Source {
            places,
            root: self.specs.clone()?,
            params: self.params.clone(),
            simulates,
        })
    }
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
}

/// Follows the spec until `stop`. Only while the lease is held: it writes.
pub(super) async fn follow(engine: Arc<Engine<Kube>>, source: Source, stop: CancellationToken) {
    let (desired, following) = channel::channel(None);
    let (telling, standing) = channel::channel(Standing::default());
    // First plans are shown by `metalform plan`.
    let (plans, _) = mpsc::unbounded_channel();
    let (read, reading) = channel::channel(Read::default());
    let telling = Telling {
        standing: telling,
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
    /// The Fleet object, once the spec has a name.
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
        self.reload(&mut reloads);
        let mut fleets = Store::<Fleet>::watch(self.engine.store().as_ref(), Default::default());
        let mut activity = self.engine.activity();
        let mut looks = tokio::time::interval(PACE);
        let mut dirty = false;
        loop {
            tokio::select! {
                reload = reloads.changed() => {
                    debug!(paths = reload.paths.len(), "files changed");
                    self.reload(&mut reloads);
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
    fn reload(&mut self, watch: &mut Watch) {
        let before = watch.checkouts();
        let evaluation = tokio::task::block_in_place(|| self.evaluate());
        let watched = evaluation.watched.clone();
        let whole = watch.replace(watched, &evaluation.files);
        if !whole || before.is_none() || before != watch.checkouts() {
            watch.again();
            return;
        }
        let mut read = Read {
            path: self.source.root.display().to_string(),
            digest: texts(&evaluation),
            ..Read::default()
        };
        read.findings(&evaluation.files, &evaluation.diagnostics);
        let is_there = self.source.root.exists();
        let valid = is_there && !evaluation.has_errors() && evaluation.complete;
        if !is_there {
            let path = &read.path;
            read.unreadable = Some(format!("no spec at {path}; the last good fleet is kept"));
        } else if valid {
            let next = self.lower(&evaluation);
            read.good = Some(next.digest.to_string());
            self.next = Some(Arc::new(next));
        } else {
            let summary = render::summary(&evaluation.diagnostics);
            // Where there is no Fleet to tell of it, nobody would know more.
            let first = read.findings.first();
            let first = first.map(|found| format!(": {}", found.message));
            warn!(
                code = "SpecInvalid",
                "{summary}{}; the last good fleet is kept",
                first.unwrap_or_default()
            );
        }
        self.name(&evaluation, valid);
        self.read.send_if_modified(|known| {
            let changed = *known != read;
            *known = read;
            changed
        });
        self.go_on();
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

    /// The object that tells of this spec. One that is not valid keeps the one that it had: its word
    /// for the namespace may be what is wrong with it.
    fn name(&self, evaluation: &Evaluation, valid: bool) {
        let fleet = &evaluation.fleet;
        let keeps = !valid && self.named.borrow().is_some();
        if keeps || fleet.name.is_empty() || !self.source.places.has(&fleet.namespace) {
            return;
        }
        let key = Key::new(fleet.namespace.to_string(), fleet.name.to_string());
        self.named.send_if_modified(|known| {
            let is_new = known.as_ref() != Some(&key);
            if is_new {
                *known = Some(key);
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
        Leave::Unwritten => {}
        Leave::Paused => info!("the fleet is paused: its hosts stay as they are"),
        Leave::Foreign(tool) => warn!(
            code = "ForeignSet",
            tool, "the set of the Fleet is another tool's: no host is written"
        ),
        Leave::Given => info!("the fleet is followed"),
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
