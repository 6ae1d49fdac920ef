//! The controller's own spec: a mounted folder that is followed, and the `Fleet` that tells of it.
//!
//! ```text
//!  files ─ watch ─► evaluate ─► valid? ─► lower ─► desired ─► engine::follow ─► BareMetalHosts
//!                       └─► Read ─► status ─► Fleet   (errors too: the last good fleet is kept)
//! ```
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
use crate::plan::{Grants, OWNER};
use crate::store::{Change, Key, Kube, Object as _, Store, StoreError};
use crate::vfs::watch::{self, Watch};
use crate::vfs::{Digest, RealDisk};

use super::report::{self, Read, Scene};

use futures::StreamExt as _;

/// How often a status is written at most.
const PACE: Duration = Duration::from_secs(1);
/// When to try again what the server refused.
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
    pub fn source(&self, simulates: bool, namespace: &Arc<str>) -> Option<Source> {
        Some(Source {
            namespace: Arc::clone(namespace),
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
    /// Where objects go when the spec says nothing.
    namespace: Arc<str>,
}

/// Follows the spec until `stop`. Only while the lease is held: it writes.
pub(super) async fn follow(engine: Arc<Engine<Kube>>, source: Source, stop: CancellationToken) {
    let namespace = Arc::clone(&source.namespace);
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
    let mut specs = Specs {
        engine: Arc::clone(&engine),
        source,
        cache: Cache::default(),
        namespace,
        desired,
        read,
        named,
        next: None,
        paused: false,
    };
    let reporter = Reporter {
        engine,
        standing: standing.clone(),
        reading,
        names: names.clone(),
    };
    tokio::select! {
        () = applying => {}
        () = specs.run(standing, names) => {}
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
    /// Where objects go when the spec says nothing.
    namespace: Arc<str>,
    /// The Fleet object, once the spec has a name.
    named: channel::Sender<Option<Key>>,
    /// What was read last and is valid; not yet followed while the fleet is paused.
    next: Option<Arc<Desired>>,
    paused: bool,
}

impl Specs {
    async fn run(
        &mut self,
        mut standing: channel::Receiver<Standing>,
        mut names: channel::Receiver<Option<Key>>,
    ) {
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
                Some(change) = fleets.next() => self.look_at_fleet(&change),
                _ = names.changed() => self.go_on(),
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
        if !self.source.root.exists() {
            let path = &read.path;
            read.unreadable = Some(format!("no spec at {path}; the last good fleet is kept"));
        } else if !evaluation.has_errors() && evaluation.complete {
            let next = self.lower(&evaluation);
            read.good = Some(next.digest.to_string());
            self.next = Some(Arc::new(next));
        } else {
            let summary = render::summary(&evaluation.diagnostics);
            warn!(
                code = "SpecInvalid",
                "{summary}; the last good fleet is kept"
            );
        }
        self.name(&evaluation);
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
            default: Some(Arc::clone(&self.namespace)),
            ..Namespace::default()
        };
        let mut evaluation = eval::evaluate_in(&inputs, &namespace, &mut self.cache);
        evaluation.diagnostics.extend(self.other_world(&evaluation));
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

    /// The object that tells of this spec.
    fn name(&self, evaluation: &Evaluation) {
        let fleet = &evaluation.fleet;
        if fleet.name.is_empty() {
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

    fn look_at_fleet(&mut self, change: &Change<Fleet>) {
        let own = self.named.borrow().clone();
        let paused = match change {
            Change::Applied(fleet) if Some(fleet.key()) == own => fleet.spec.paused,
            Change::Reset(all) => {
                let fleet = all.objects.iter().find(|fleet| Some(fleet.key()) == own);
                fleet.is_some_and(|fleet| fleet.spec.paused)
            }
            Change::Deleted(fleet) if Some(fleet.key()) == own => false,
            Change::Applied(_) | Change::Deleted(_) => return,
        };
        if paused != self.paused {
            info!(
                paused,
                "the fleet is {}",
                if paused { "paused" } else { "followed" }
            );
            self.paused = paused;
            self.go_on();
        }
    }

    /// Has the engine go by what was read last, unless the fleet is paused.
    fn go_on(&mut self) {
        if let Some(own) = self.named.borrow().clone()
            && let Some(fleet) = Store::<Fleet>::get(self.engine.store().as_ref(), &own)
        {
            self.paused = fleet.spec.paused;
        }
        if self.paused {
            return;
        }
        let Some(next) = self.next.clone() else {
            return;
        };
        for (pool, wanted, found) in &next.short {
            warn!(
                code = "MF4203",
                "pool `{pool}` wants {wanted} hosts, {found} match"
            );
        }
        self.desired.send_if_modified(|known| {
            let same = known
                .as_ref()
                .is_some_and(|known| Arc::ptr_eq(known, &next));
            if !same {
                *known = Some(next);
            }
            !same
        });
    }

    /// Gives the seats of those who left their pools to others.
    fn give_free_seats(&mut self) {
        let store = self.engine.store();
        let previous = self.desired.borrow().clone();
        if let Some(previous) = previous
            && previous.has_free_seat(|key| store.get(key))
            && let Some(next) = previous.again(&store.list())
        {
            let next = Arc::new(next);
            self.next = Some(Arc::clone(&next));
            self.desired.send_replace(Some(next));
        }
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

/// Writes the status of the Fleet.
struct Reporter {
    engine: Arc<Engine<Kube>>,
    standing: channel::Receiver<Standing>,
    reading: channel::Receiver<Read>,
    names: channel::Receiver<Option<Key>>,
}

impl Reporter {
    async fn run(mut self) {
        let mut activity = self.engine.activity();
        loop {
            let wait = match self.write().await {
                Ok(()) => PACE,
                Err(error) => {
                    warn!(code = error.code(), "fleet status not written: {error}");
                    AGAIN
                }
            };
            tokio::time::sleep(wait).await;
            tokio::select! {
                _ = self.standing.changed() => {}
                _ = self.reading.changed() => {}
                _ = self.names.changed() => {}
                _ = activity.changed() => {}
            }
        }
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        let Some(key) = self.names.borrow_and_update().clone() else {
            return Ok(());
        };
        let read = self.reading.borrow_and_update().clone();
        let standing = self.standing.borrow_and_update().clone();
        let store = self.engine.store().as_ref();
        let fleet = self.fleet(&key).await?;
        let before = fleet.status.clone().unwrap_or_default();
        let overview = self.engine.overview();
        let status = report::status(
            &before,
            &Scene {
                fleet: &key,
                read: &read,
                standing: &standing,
                overview: &overview,
                paused: fleet.spec.paused,
                generation: fleet.metadata.generation.unwrap_or_default(),
                now: self.engine.clock().now(),
            },
        );
        if fleet.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let version = fleet.version();
        let mut next = Fleet::clone(&fleet);
        next.status = Some(status);
        match store.update_status(next, version).await {
            // Decided again with the next change, or now.
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The object, made where it is not there.
    async fn fleet(&self, key: &Key) -> Result<Arc<Fleet>, StoreError> {
        let store = self.engine.store().as_ref();
        Store::<Fleet>::snapshot(store).await?;
        if let Some(fleet) = Store::<Fleet>::get(store, key)
            && applyset::is_parent(&fleet, &key.name, &key.namespace)
        {
            return Ok(fleet);
        }
        let wanted = applyset::parent(&key.name, &key.namespace);
        Store::<Fleet>::apply(store, key, wanted, OWNER, false).await
    }
}
