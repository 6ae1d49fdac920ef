//! The engine: owns the tasks, feeds [`crate::reconcile::step`] and carries out what it decides.
//!
//! ```text
//!  store changes ─┐                                ┌► status (compare and set)
//!  machine ticks ─┼─► line ─► turn ─► effect ─► provisioner
//!  freed slots  ──┘    ▲       │  └► events
//!                      └───────┘
//!                 comes back later
//! ```
//!
//! The line says who is next, in order, each host once, and who comes back when; a turn is a task of
//! its own. One engine for both modes: where objects live is behind [`Store`]. The engine decides
//! nothing: what to do is a pure step, how much at once is a pure budget.
//!
//! Shutdown: triggers stop, turns under way end, at most [`Options::grace`] is waited for effects
//! that hang; what was queued is found again at the next start, by looking.

mod claims;
mod decide;
mod firmware;
mod follow;
mod hardware;
mod holders;
mod line;
mod machines;
mod memo;
mod metrics;
mod notes;
mod overview;
mod preview;
mod slots;
#[cfg(test)]
mod tests;
mod triggers;
mod turn;
mod word;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api::names::{annotation, finalizer};
use crate::api::word::Word;
use crate::api::{
    BareMetalHost, Event, FirmwareSchema, HardwareData, HostFirmwareComponents,
    HostFirmwareSettings, HostUpdatePolicy, Timestamp,
};
use crate::fence::Fence;
use crate::provision::Provisioner;
use crate::reconcile::{Code, Credentials, Policy, Why};
use crate::secrets::{self, Salt, Secrets};
use crate::store::{Key, Object as _, Store, StoreError, Version};

use self::claims::Leaving;
pub use self::follow::{FirstPlan, HeldActions, Standing, Telling, follow};
use self::holders::Holders;
use self::line::Line;
use self::machines::distinct;
pub use self::machines::{DEFAULT_MACHINES, Machines};
use self::memo::Memos;
pub use self::metrics::{Counts, Gauges, Metrics};
use self::notes::Notes;
pub use self::overview::{HostLine, Overview};
pub use self::preview::Preview;
use self::slots::Slots;
pub use crate::clock::Clock;

/// A store of all the kinds that the engine reads and writes.
pub trait Stores:
    Store<BareMetalHost>
    + Store<HardwareData>
    + Store<HostFirmwareSettings>
    + Store<FirmwareSchema>
    + Store<HostFirmwareComponents>
    + Store<HostUpdatePolicy>
    + Store<Event>
{
}

impl<S> Stores for S where
    S: Store<BareMetalHost>
        + Store<HardwareData>
        + Store<HostFirmwareSettings>
        + Store<FirmwareSchema>
        + Store<HostFirmwareComponents>
        + Store<HostUpdatePolicy>
        + Store<Event>
{
}

/// Knobs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Turns at once. Raising it lets more effects be under way; each costs a connection's time.
    pub concurrency: u16,
    /// How long a shutdown waits for effects that hang. At most 5 s in all are promised.
    pub grace: Duration,
    /// Error counting and back-off.
    pub policy: Policy,
    /// Seeds jitter; the same seed gives the same delays.
    pub seed: u64,
    /// Salts the versions of credentials in statuses. Has to be the same at the next start, or all
    /// credentials are written once more: the store keeps one.
    pub salt: Salt,
    /// Closed: nothing is written and nothing is asked of a machine.
    pub fence: Fence,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 256,
            grace: Duration::from_secs(4),
            policy: Policy::default(),
            seed: 0,
            salt: Salt::random(),
            fence: Fence::none(),
        }
    }
}

/// A running engine's handle: cheap to clone, for those that show or wait.
pub struct Engine<S> {
    shared: Arc<Shared<S>>,
    started: AtomicBool,
}

/// The provisioner of a host, with its name.
#[derive(Clone)]
struct Driven {
    name: Arc<str>,
    machines: Arc<dyn Provisioner>,
}

/// A store that refuses is logged this often at most.
const REFUSED: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);

/// What all turns share.
pub(crate) struct Shared<S> {
    store: Arc<S>,
    /// Each once, by the name that stands for all of its names.
    machines: Machines,
    /// That name, by every name.
    names: BTreeMap<Arc<str>, Arc<str>>,
    secrets: Arc<dyn Secrets>,
    clock: Clock,
    policy: Policy,
    seed: u64,
    memos: Memos,
    budgets: Mutex<BTreeMap<Arc<str>, Slots>>,
    line: Line,
    metrics: Arc<Metrics>,
    notes: Notes,
    /// Held by the one turn that decides: it looks at slots and then takes some.
    deciding: Mutex<()>,
    leaving: Leaving,
    holders: Holders,
    /// Which settings name which schemas.
    schemas: Holders,
    /// When it was last logged that the store refuses, and how often it did since.
    refused: Mutex<BTreeMap<&'static str, (Timestamp, u64)>>,
    options: Options,
    activity: tokio::sync::watch::Sender<u64>,
}

impl<S: Stores> Engine<S> {
    /// An engine over a store and machines. Nothing runs before [`Engine::run`].
    pub fn new(
        store: Arc<S>,
        machines: Machines,
        secrets: Arc<dyn Secrets>,
        clock: Clock,
        metrics: Arc<Metrics>,
        options: Options,
    ) -> Self {
        let (machines, names) = distinct(machines);
        let budgets = machines
            .iter()
            .map(|(name, machines)| (Arc::clone(name), Slots::new(machines.limits())))
            .collect();
        let shared = Shared {
            store,
            machines,
            names,
            secrets,
            clock,
            policy: options.policy.clone(),
            seed: options.seed,
            memos: Memos::default(),
            budgets: Mutex::new(budgets),
            line: Line::new(options.concurrency.into()),
            metrics,
            notes: Notes::default(),
            deciding: Mutex::default(),
            leaving: Leaving::default(),
            holders: Holders::default(),
            schemas: Holders::default(),
            refused: Mutex::default(),
            options,
            activity: tokio::sync::watch::Sender::new(0),
        };
        Self {
            shared: Arc::new(shared),
            started: AtomicBool::new(false),
        }
    }

    /// Runs until `stop`, then shuts down cleanly. Call it once.
    ///
    /// # Errors
    /// When the store cannot be read at the start.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), StoreError> {
        if self.started.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let shared = &self.shared;
        let hosts: crate::store::Snapshot<BareMetalHost> = shared.store.snapshot().await?;
        info!(hosts = hosts.objects.len(), "engine starts");
        // Before anybody has a turn: a Secret with no holders is let go of.
        shared.holders.note_all(&hosts.objects);
        let mut tasks = JoinSet::new();
        tasks.spawn(triggers::store(Arc::clone(shared), hosts.version));
        triggers::firmware(shared, &mut tasks).await?;
        for (name, machines) in &shared.machines {
            tasks.spawn(triggers::machines(
                Arc::clone(shared),
                Arc::clone(name),
                machines.ticks(),
            ));
        }
        tasks.spawn(triggers::secrets(Arc::clone(shared)));
        let ends = CancellationToken::new();
        let flushing = tokio::spawn(notes::flush(Arc::clone(shared), ends.clone()));
        self.take_turns(&stop).await;
        shared.line.moves(false);
        tasks.shutdown().await;
        ends.cancel();
        notes::last(shared, flushing).await;
        info!("engine stopped");
        Ok(())
    }

    /// Gives turns until `stop`, then waits for those under way, though not for ever.
    async fn take_turns(&self, stop: &CancellationToken) {
        let shared = &self.shared;
        // Dropped, it ends those that are left.
        let mut turns = JoinSet::new();
        shared.line.moves(true);
        let give = async {
            loop {
                let key = shared.line.next().await;
                turns.spawn(turn::of(key, Arc::clone(shared)));
                while let Some(ended) = turns.try_join_next() {
                    passes_on(ended);
                }
            }
        };
        tokio::select! {
            () = give => {}
            () = stop.cancelled() => shared.line.moves(false),
        }
        let end = async {
            while let Some(ended) = turns.join_next().await {
                passes_on(ended);
            }
        };
        if tokio::time::timeout(shared.options.grace, end)
            .await
            .is_err()
        {
            info!(
                code = "EffectsAbandoned",
                "effects still under way after {} s are left; the next start finds them",
                shared.options.grace.as_secs()
            );
        }
    }

    /// Reads all that decisions look at, so that [`Engine::run`] begins at once. Answers how many
    /// hosts there are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn warm(&self) -> Result<usize, StoreError> {
        let store = self.shared.store.as_ref();
        let hosts = Store::<BareMetalHost>::snapshot(store).await?.objects.len();
        Store::<FirmwareSchema>::snapshot(store).await?;
        Store::<HostFirmwareSettings>::snapshot(store).await?;
        Store::<HostFirmwareComponents>::snapshot(store).await?;
        Store::<HostUpdatePolicy>::snapshot(store).await?;
        Ok(hosts)
    }

    /// For how long nobody has looked whose turn it is; `None` while the engine does not run. It is
    /// looked every ten seconds at least.
    pub fn stands_still(&self) -> Option<Duration> {
        self.shared.line.stands_still()
    }

    /// Looks at all hosts again: secrets changed, or a person asked.
    pub fn wake_all(&self) {
        self.shared.wake_all();
    }

    /// What every host does and waits for, now.
    pub fn overview(&self) -> Overview {
        overview::overview(&self.shared)
    }

    /// What is counted now, beside what is counted as it happens.
    pub fn gauges(&self, standing: &Standing, spec_followed: bool) -> Gauges {
        let leads = self.shared.options.fence.is_open();
        // One who stands by asks no Ironic, so it knows of none.
        let machines = self.shared.machines.iter().filter(|_| leads);
        let up = machines.map(|(name, it)| (name.to_string(), it.away().is_none().into()));
        Gauges {
            leads,
            ironics: up.collect(),
            ..self.overview().gauges(standing, spec_followed)
        }
    }

    /// What holds up all hosts, now, in the form in which a controller tells it. Who tells it, and
    /// where it works, is for the shell to add.
    pub fn word(&self) -> Word {
        word::word(&self.shared)
    }

    /// True when nothing is left to do for any host. Cheaper than to draw the whole picture while
    /// something is under way.
    pub fn settled(&self) -> bool {
        !self.shared.memos.any_unconfirmed() && self.overview().settled()
    }

    /// Changes with every turn that ended, for those that redraw or wait.
    pub fn activity(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared.activity.subscribe()
    }

    /// The store that this engine works on.
    pub fn store(&self) -> &Arc<S> {
        &self.shared.store
    }

    /// The engine's clock.
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// The engine's metrics.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }
}

/// A turn that broke is logged and costs its host no more than a minute; if that breaks too, all does.
fn passes_on(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

impl<S: Stores> Shared<S> {
    fn host(&self, key: &Key) -> Option<Arc<BareMetalHost>> {
        Store::<BareMetalHost>::get(self.store.as_ref(), key)
    }

    async fn update_host(
        &self,
        host: BareMetalHost,
        expected: Version,
    ) -> Result<Arc<BareMetalHost>, StoreError> {
        self.store.update_status(host, expected).await
    }

    /// The name of a host's provisioner, one for each provisioner; a name that nobody has stays.
    fn machines_name<'a>(&'a self, host: &'a BareMetalHost) -> &'a str {
        let name = host.annotation(annotation::IRONIC);
        let name = name.unwrap_or(DEFAULT_MACHINES);
        self.names.get(name).map_or(name, AsRef::as_ref)
    }

    fn machines_of(&self, host: &BareMetalHost) -> Option<Driven> {
        if self.is_of_another_world(host) {
            return None;
        }
        let (name, machines) = self.machines.get_key_value(self.machines_name(host))?;
        Some(Driven {
            name: Arc::clone(name),
            machines: Arc::clone(machines),
        })
    }

    fn credentials(&self, host: &BareMetalHost) -> Credentials {
        secrets::credentials(host, self.secrets.as_ref(), &self.options.salt)
    }

    /// True for a host with a real machine where machines are invented, and the other way round:
    /// nothing that is known here is about its machine.
    fn is_of_another_world(&self, host: &BareMetalHost) -> bool {
        let is_new = !host.metadata.has_finalizer(finalizer::HOST);
        !is_new && host.annotation(annotation::SIMULATED).is_some() != self.policy.simulated
    }

    /// The reason of a host whose Ironic is not configured.
    fn no_machines(&self, key: &Key, host: &BareMetalHost) -> turn::Again {
        if self.is_of_another_world(host) {
            let text = if self.policy.simulated {
                "this controller only simulates machines, and the host was registered by one that \
                 drives real ones; it is left alone"
            } else {
                "the host's machine was simulated (annotation metalform.dev/simulated); delete the \
                 host, or run the controller with --simulate"
            };
            self.leaves(key, host, text.to_owned());
            return None;
        }
        let text = format!(
            "no Ironic named `{}` is configured; known: {}",
            self.machines_name(host),
            self.names
                .keys()
                .map(AsRef::as_ref)
                .collect::<Vec<_>>()
                .join(", ")
        );
        self.leaves(key, host, text);
        None
    }

    /// Leaves a host alone and says why, once: its status is not written.
    fn leaves(&self, key: &Key, host: &BareMetalHost, text: String) {
        let why = Why::new(Code::NoProvisioner, text);
        let is_new = self.memos.with(key, |memo| {
            memo.why.as_deref().map(|known| known.code) != Some(why.code)
        });
        if is_new {
            warn!(host = %key, code = why.code, "{}", why.text);
        }
        self.note_why(key, host, why);
    }

    fn trigger(&self, key: Key) {
        self.line.push(key);
    }

    fn wake_all(&self) {
        self.memos
            .reasons()
            .into_iter()
            .for_each(|(key, ..)| self.trigger(key));
    }

    /// A host is gone: its memory, its slots and the objects beside it go too.
    async fn forget(&self, key: &Key) {
        self.memos.forget(key);
        self.holders.forget(key);
        self.leave_all(key);
        self.drop_hardware_data(key).await;
        self.drop_firmware(key).await;
    }

    /// Keeps the reason for those that look.
    fn note_why(&self, key: &Key, host: &BareMetalHost, why: Why) {
        let now = self.clock.now();
        self.memos.with(key, |memo| {
            memo.version = host.version();
            // The host knows what was so before this process could see it, and before Ironic or
            // the store were away.
            if memo.why.as_deref().map(|known| known.code) != Some(why.code) {
                self.metrics.waits(why.code);
                memo.since = overview::began(host, &why).or(Some(now));
            }
            memo.why = Some(Arc::new(why));
        });
    }

    /// Says why a host's status is not written: in its reason always, in the log every ten seconds
    /// for all of them and each sort of error: a full disk refuses each host every second.
    fn store_trouble(&self, key: &Key, host: &BareMetalHost, error: &StoreError) {
        self.note_why(key, host, Why::new(Code::StoreFailed, error.to_string()));
        if let Some(also) = self.is_told(error.code()) {
            warn!(
                host = %key,
                code = error.code(),
                "status not written, trying again: {error}{also}"
            );
        }
    }

    /// Whether trouble of this sort is logged now, which it is every ten seconds; if so, what to
    /// add of those that were not.
    fn is_told(&self, sort: &'static str) -> Option<String> {
        let now = self.clock.now();
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((last, more)) = refused.get_mut(sort)
            && now.duration_since(*last) < REFUSED
        {
            *more += 1;
            return None;
        }
        let more = refused.insert(sort, (now, 0));
        let more = more.map_or(0, |(_, more)| more);
        drop(refused);
        Some(match more {
            0 => String::new(),
            more => format!(" ({more} more like it since this was said last)"),
        })
    }
}
