//! Machines of an OpenStack Ironic.
//!
//! ```text
//!  host ─ map ─► run ─► gate ─► client ─► Ironic  effects: a few full requests each
//!  sight, drift ◄─ mirror ◄─ poll ◄─ client ◄─┘   looks: all machines at once, newest change first
//! ```
//!
//! What a refusal means is its [`verdict`]; failures of Ironic's own are followed by pauses, longer
//! each time, host by host (`spell`); while Ironic is down the gate is shut.
//!
//! The picture of all nodes is kept by whoever polls [`Provisioner::ticks`]; nothing is spawned
//! here. One such stream at a time: without one the picture does not move.

pub mod client;
pub mod endpoint;
pub mod error;
#[cfg(test)]
mod fake;
mod firmware;
mod gate;
pub mod inventory;
pub mod map;
pub mod mirror;
pub mod pace;
pub mod patch;
mod place;
mod poll;
#[cfg(test)]
mod replay;
mod run;
mod spell;
pub mod verdict;
pub mod wire;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::Notify;
use tokio::time::Instant;

pub use self::client::Requests;
pub use self::endpoint::{Endpoint, EndpointError, Whereabouts};
pub use self::map::Ramdisk;

use self::client::Client;
use self::error::IronicError;
use self::gate::Gate;
use self::map::Wanted;
use self::mirror::{Found, Mirror};
use self::poll::Poller;
use self::spell::Spells;
use super::{Ack, Away, Drift, Facts, Fault, Job, Other, Provisioner, Sight, Tick};
use crate::api::{BareMetalHost, Timestamp};
use crate::budget::Limits;
use crate::store::Key;

/// How long one call of [`Provisioner::hurry`] lasts.
const HURRY: Duration = Duration::from_secs(3);

/// What an Ironic is and how it is used.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Where that is found again when it lets nobody in any more, and where it is found at all when
    /// it is [`Endpoint::unknown`].
    pub whereabouts: Option<Arc<dyn Whereabouts>>,
    /// The ramdisk that its machines boot; by default what Ironic is configured with.
    pub ramdisk: Ramdisk,
    /// The architecture of machines of which nobody says one and nothing was inspected: `x86_64`.
    pub architecture: Arc<str>,
    /// How many machines may inspect, clean and deploy at once. Raising them beyond Ironic's own
    /// limits (`max_concurrent_clean` 50, `max_concurrent_deploy` 250) only moves the queue there.
    pub limits: Limits,
    /// Tells the time, for texts.
    pub clock: fn() -> Timestamp,
}

impl Options {
    /// The usual for an Ironic with its usual limits.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            whereabouts: None,
            ramdisk: Ramdisk::default(),
            architecture: "x86_64".into(),
            limits: Limits {
                inspect: 100,
                clean: 50,
                deploy: 250,
            },
            clock: Timestamp::now,
        }
    }
}

/// One Ironic.
#[derive(Clone)]
pub struct Ironic {
    core: Arc<Core>,
}

impl fmt::Debug for Ironic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ironic")
            .field("url", &self.core.client.endpoint().url())
            .finish_non_exhaustive()
    }
}

/// What effects and the poller share.
struct Core {
    client: Client,
    ramdisk: Ramdisk,
    architecture: Arc<str>,
    limits: Limits,
    clock: fn() -> Timestamp,
    mirror: Mutex<Mirror>,
    /// All was seen once since Ironic last came up.
    synced: AtomicBool,
    gate: Gate,
    /// Why and since when it does not answer.
    down: Mutex<Away>,
    spells: Spells,
    /// Hosts whose machine changed by an effect's own answer.
    news: Mutex<Vec<Key>>,
    sweep_wanted: AtomicBool,
    hurry: Notify,
    hurried_until: Mutex<Option<Instant>>,
}

/// Locks out of panics: a half-written picture is put right by the next sweep.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    fn mirror(&self) -> MutexGuard<'_, Mirror> {
        locked(&self.mirror)
    }

    fn is_synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    /// All was seen; Ironic answers.
    fn up(&self) {
        *locked(&self.down) = Away::default();
        self.spells.end_all();
        self.gate.open();
        self.synced.store(true, Ordering::Release);
    }

    /// What is known may be out of date: all has to be seen again.
    fn lose(&self) {
        self.synced.store(false, Ordering::Release);
    }

    /// Ironic does not answer. True when that is news.
    fn down(&self, error: &IronicError) -> bool {
        let mut outage = error.outage(&self.client.endpoint());
        let since = {
            let mut down = locked(&self.down);
            down.outage = Some(outage.clone());
            *down.since.get_or_insert_with(self.clock)
        };
        let since = crate::api::whole_seconds(since);
        let text = &outage.text;
        outage.text = format!("{text}; since {since}, asked again every few seconds").into();
        let news = self.gate.shut(outage.clone());
        if news {
            tracing::warn!(code = error.code(), "ironic is down: {}", outage.text);
        }
        news
    }

    fn news(&self) -> Vec<Key> {
        std::mem::take(&mut *locked(&self.news))
    }

    fn tell(&self, key: Option<Key>) {
        locked(&self.news).extend(key);
    }

    fn want_sweep(&self) {
        self.sweep_wanted.store(true, Ordering::Release);
    }

    fn take_sweep_wanted(&self) -> bool {
        self.sweep_wanted.swap(false, Ordering::AcqRel)
    }

    fn is_hurried(&self) -> bool {
        locked(&self.hurried_until).is_some_and(|until| Instant::now() < until)
    }

    fn hurry(&self) {
        *locked(&self.hurried_until) = Some(Instant::now() + HURRY);
        self.hurry.notify_one();
    }
}

impl Ironic {
    /// Sets one up; asks nothing yet.
    pub fn new(options: Options) -> Result<Self, EndpointError> {
        let core = Core {
            client: Client::new(options.endpoint, options.whereabouts)?,
            ramdisk: options.ramdisk,
            architecture: options.architecture,
            limits: options.limits,
            clock: options.clock,
            mirror: Mutex::default(),
            synced: AtomicBool::new(false),
            gate: Gate::new(),
            down: Mutex::default(),
            spells: Spells::default(),
            news: Mutex::default(),
            sweep_wanted: AtomicBool::new(false),
            hurry: Notify::new(),
            hurried_until: Mutex::new(None),
        };
        Ok(Self {
            core: Arc::new(core),
        })
    }

    /// How many requests were sent so far, by purpose.
    pub fn requests(&self) -> Requests {
        self.core.client.requests()
    }

    /// The negotiated API version, as `1.110`; empty before the first answer.
    pub fn version(&self) -> String {
        self.core.client.version()
    }

    /// How many nodes are known.
    pub fn nodes(&self) -> usize {
        self.core.mirror().len()
    }
}

impl Provisioner for Ironic {
    fn run(&self, job: Job) -> BoxFuture<'_, Result<Ack, Fault>> {
        Box::pin(async move { self.core.run(&job).await })
    }

    fn sight(&self, host: &BareMetalHost) -> Sight {
        if !self.core.is_synced() {
            return self.core.gate.outage().map_or(Sight::Unsynced, Sight::Down);
        }
        match self.core.mirror().find(host) {
            Found::Node(facts) => Sight::Present(facts),
            Found::Nothing => Sight::Absent,
            Found::Taken(text) => Sight::Taken(text),
        }
    }

    fn drift(&self, host: &BareMetalHost, facts: &Facts) -> Drift {
        let mirror = self.core.mirror();
        let node = mirror.settings_of(&facts.id);
        // A host that cannot be written (a bad address) does not drift; enrolling says why.
        let wanted = Wanted::of(host, &self.core.ramdisk);
        let is_other = wanted.is_err();
        let settings =
            wanted.is_ok_and(|wanted| node.is_some_and(|node| map::differs(&wanted, facts, node)));
        let missing = run::missing_ports(host, &facts.id, &mirror);
        // Equal settings have equal addresses; this is asked for every step of every host.
        let is_moved =
            || (settings || is_other) && node.is_some_and(|node| map::is_moved(host, node));
        let other = if is_moved() {
            Some(Other::Bmc)
        } else {
            run::is_rewired(host, &missing, &mirror).then_some(Other::BootMac)
        };
        Drift {
            settings,
            ports: !missing.is_empty(),
            other,
            cleaned: node.is_some_and(|node| map::is_cleaned(host, node)),
        }
    }

    fn ticks(&self) -> BoxStream<'static, Tick> {
        let poller = Poller::new(Arc::clone(&self.core));
        stream::unfold(poller, |mut poller| async move {
            let tick = poller.tick().await;
            Some((tick, poller))
        })
        .boxed()
    }

    fn limits(&self) -> Limits {
        self.core.limits
    }

    fn hurry(&self) {
        self.core.hurry();
    }

    fn address(&self) -> Option<String> {
        Some(self.core.client.endpoint().url().to_owned())
    }

    fn away(&self) -> Option<Away> {
        (!self.core.is_synced()).then(|| locked(&self.core.down).clone())
    }
}

#[cfg(test)]
mod tests;
