//! The provisioner of simulated machines.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fault::{self, ScriptError};
use super::journal::{Journal, JournalError};
use super::options::Options;
use super::world::{Glance, World};
use crate::api::{BareMetalHost, Timestamp};
use crate::budget::Limits;
use crate::clock::Clock;
use crate::provision::{Ack, Away, Drift, Facts, Fault, Job, NodeState, Provisioner, Sight, Tick};

/// From one tick to the next at least: what happens in between is told at once…
const GRAIN: Duration = Duration::from_millis(10);
/// …longer with many machines, as with a real Ironic, since each tick costs turns and a commit: a
/// quarter of a second at 10,000.
const GRAIN_A_MACHINE: Duration = Duration::from_micros(25);

/// Simulated machines.
///
/// Nothing is spawned and nothing polls: what happens by itself does so when it is due, seen by
/// whoever reads [`Provisioner::ticks`], and at the latest when somebody looks.
#[derive(Clone)]
pub struct Simulation {
    core: Arc<Core>,
}

struct Core {
    world: Mutex<World>,
    clock: Clock,
    limits: Limits,
    /// Something happened that is worth a tick.
    woken: Notify,
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").finish_non_exhaustive()
    }
}

impl Core {
    fn world(&self) -> MutexGuard<'_, World> {
        // Machines are changed whole: a panic leaves none half done.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Simulation {
    /// Machines that remember in the file `journal`, which is made when it is not there. The file
    /// belongs to one process: whoever opens it holds the store's lock.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is not one of these.
    pub fn open(journal: &Path, options: Options, clock: Clock) -> Result<Self, JournalError> {
        let journal = Journal::open(journal)?;
        Ok(Self::of(
            World::new(options, Some(journal), clock.now())?,
            clock,
        ))
    }

    /// Machines that are gone with this value.
    pub fn memory(options: Options, clock: Clock) -> Self {
        let world = World::new(options, None, clock.now());
        Self::of(world.expect("only a journal fails"), clock)
    }

    fn of(world: World, clock: Clock) -> Self {
        let limits = world.limits();
        let core = Core {
            world: Mutex::new(world),
            clock,
            limits,
            woken: Notify::new(),
        };
        Self {
            core: Arc::new(core),
        }
    }

    /// Gives a rule while the machines run; its times count from now.
    ///
    /// # Errors
    /// When the line cannot be read. A rule that cannot be written down holds until the process
    /// ends, which is logged.
    pub fn fault(&self, line: &str) -> Result<(), ScriptError> {
        for rule in fault::script("fault", line)? {
            if let Err(error) = self.core.world().give(rule, self.core.clock.now()) {
                tracing::warn!(code = error.code(), "not written down: {error}");
            }
        }
        self.core.woken.notify_one();
        Ok(())
    }

    /// What the hardware of a host is like: power, and the URL of the image on its disk with the
    /// number of times that one was written. For those that check what was really done.
    pub fn hardware(&self, host: &str) -> Option<Glance> {
        self.core.world().glance(host)
    }

    /// How many machines are in each state now.
    pub fn states(&self) -> BTreeMap<NodeState, usize> {
        self.core.world().states(self.core.clock.now())
    }

    /// Waits for the next tick.
    async fn tick(&self, last: &mut Option<Instant>) -> Tick {
        let core = &*self.core;
        loop {
            if let Some(last) = *last {
                let next = core.world().next_event();
                tokio::select! {
                    () = core.woken.notified() => {}
                    () = sleep_until(next, core.clock) => {}
                }
                let machines = core.world().len();
                tokio::time::sleep_until(last + grain(machines)).await;
            }
            let began = Instant::now();
            let news = core.world().advance(core.clock.now());
            let first = last.replace(began).is_none();
            // While nobody answers nothing is seen, so nothing is confirmed.
            if !news.up && !news.all && !first {
                continue;
            }
            return Tick {
                changed: news.changed,
                as_of: news.up.then_some(began),
                all: news.all || first,
            };
        }
    }
}

/// From one tick to the next at least, with this many machines.
fn grain(machines: usize) -> Duration {
    let many = u32::try_from(machines).unwrap_or(u32::MAX);
    GRAIN_A_MACHINE
        .saturating_mul(many)
        .clamp(GRAIN, GRAIN * 100)
}

async fn pause(time: Duration) {
    if time > Duration::ZERO {
        tokio::time::sleep(time).await;
    }
}

async fn sleep_until(time: Option<Timestamp>, clock: Clock) {
    match time {
        Some(time) => {
            let pause = time.duration_since(clock.now());
            tokio::time::sleep(pause.try_into().unwrap_or(Duration::ZERO)).await;
        }
        None => std::future::pending().await,
    }
}

impl Provisioner for Simulation {
    fn run(&self, job: Job) -> BoxFuture<'_, Result<Ack, Fault>> {
        Box::pin(async move {
            let core = &*self.core;
            // Half of it before the machine hears of it, half before we hear the answer: whoever
            // gives up in between does not know which.
            let latency = core.world().latency(core.clock.now()) / 2;
            pause(latency).await;
            let answer = core.world().run(&job, core.clock.now());
            core.woken.notify_one();
            pause(latency).await;
            answer
        })
    }

    fn sight(&self, host: &BareMetalHost) -> Sight {
        self.core.world().sight(host, self.core.clock.now())
    }

    fn drift(&self, host: &BareMetalHost, _facts: &Facts) -> Drift {
        self.core.world().drift(host)
    }

    fn ticks(&self) -> BoxStream<'static, Tick> {
        stream::unfold((self.clone(), None), |(simulation, mut last)| async move {
            let tick = simulation.tick(&mut last).await;
            Some((tick, (simulation, last)))
        })
        .boxed()
    }

    fn limits(&self) -> Limits {
        self.core.limits
    }

    fn hurry(&self) {
        self.core.woken.notify_one();
    }

    fn away(&self) -> Option<Away> {
        let outage = self.core.world().down(self.core.clock.now())?;
        Some(Away {
            outage: Some(outage),
            since: None,
        })
    }
}
