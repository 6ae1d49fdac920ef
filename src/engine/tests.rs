//! The engine on bad days: stores that refuse, effects that hang, several provisioners.

mod firmware;
mod flaky;
mod wishes;
mod word;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::flaky::Flaky;
use super::{Clock, DEFAULT_MACHINES, Engine, Machines, Metrics, Options, Overview};
use crate::api::names::annotation;
use crate::api::{BareMetalHost, Event, Timestamp};
use crate::budget::{Limits, SlotKind};
use crate::provision::sim::script::Task;
use crate::provision::sim::{self, Simulation};
use crate::provision::{
    Ack, Drift, Effect, Facts, Fault, Job, NodeState, PowerTarget, Provisioner, Sight, Tick,
};
use crate::reconcile::Outcome;
use crate::secrets::{Salt, Sealed, Secret, SecretError, Secrets};
use crate::store::{self, Change, Key, Snapshot, Store};

/// One secret for all.
struct One;

impl Secrets for One {
    fn read(&self, _: &str, _: &str) -> Result<Secret, SecretError> {
        let data = [("username", "admin"), ("password", "p")];
        let data = data.map(|(key, value)| (key.to_owned(), Sealed::new(value)));
        Ok(Secret::new(data.into()))
    }
}

/// An engine over a store in memory.
struct Bench {
    store: Arc<Flaky>,
    engine: Arc<Engine<Flaky>>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

fn clock() -> Clock {
    Clock::starting_at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap())
}

fn simulation(script: &str, clock: Clock) -> Simulation {
    let mut options = sim::Options::default();
    options.add("test", script).unwrap();
    Simulation::memory(options, clock)
}

fn machines<const N: usize>(all: [(&str, Arc<dyn Provisioner>); N]) -> Machines {
    all.map(|(name, machines)| (Arc::from(name), machines))
        .into()
}

impl Bench {
    fn start(machines: Machines, clock: Clock) -> Self {
        Self::start_with(machines, Arc::new(One), clock)
    }

    fn start_with(machines: Machines, secrets: Arc<dyn Secrets>, clock: Clock) -> Self {
        let options = store::Options::default();
        let options = options.clock(move || clock.now()).seed(1);
        let store = Arc::new(Flaky::new(store::Embedded::memory(options)));
        let options = Options {
            salt: Salt::new([1; 32]),
            ..Options::default()
        };
        let engine = Arc::new(Engine::new(
            Arc::clone(&store),
            machines,
            secrets,
            clock,
            Arc::new(Metrics::default()),
            options,
        ));
        let stop = CancellationToken::new();
        let (run, token) = (Arc::clone(&engine), stop.clone());
        let running = tokio::spawn(async move { run.run(token).await.unwrap() });
        Self {
            store,
            engine,
            stop,
            running,
        }
    }

    /// With these machines only, for all hosts that name none.
    fn with(of_all: impl Provisioner + 'static, clock: Clock) -> Self {
        Self::start(machines([(DEFAULT_MACHINES, Arc::new(of_all) as _)]), clock)
    }

    /// A host `number` that wants an image, driven by this provisioner.
    async fn host(&self, number: u8, ironic: Option<&str>) -> Key {
        let key = Key::new("m", format!("h{number}").as_str());
        let mut host = json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": { "name": *key.name, "namespace": "m", "annotations": {} },
            "spec": {
                "online": true,
                "bmc": { "address": format!("redfish://10.0.0.{number}/s/1"), "credentialsName": "bmc" },
                "bootMACAddress": format!("52:54:00:00:00:{number:02x}"),
                "image": { "url": "http://i/a", "checksum": "aa", "checksumType": "md5" },
            },
        });
        if let Some(ironic) = ironic {
            host["metadata"]["annotations"][annotation::IRONIC] = ironic.into();
        }
        self.create(host).await;
        key
    }

    async fn create(&self, host: serde_json::Value) {
        let host: BareMetalHost = serde_json::from_value(host).unwrap();
        let made: Arc<BareMetalHost> = self.store.create(host).await.unwrap();
        drop(made);
    }

    async fn annotate(&self, key: &Key, name: &str, value: Option<&str>) {
        let note = json!({ "metadata": { "annotations": { name: value } } });
        let patch = store::Patch::Merge(note);
        let written: Arc<BareMetalHost> = self.store.patch(key, patch, None).await.unwrap();
        drop(written);
    }

    async fn delete(&self, key: &Key) {
        Store::<BareMetalHost>::delete(self.store.as_ref(), key, None)
            .await
            .unwrap();
    }

    fn codes(&self) -> Vec<&'static str> {
        let overview = self.engine.overview();
        let whys = overview.hosts.iter().map(|line| line.why.as_ref());
        whys.map(|why| why.map_or("", |why| why.code)).collect()
    }

    /// Lets time pass until it is so.
    async fn until(&self, what: &str, enough: impl Fn(&Overview) -> bool) {
        let mut activity = self.engine.activity();
        let wait = async {
            while !enough(&self.engine.overview()) {
                tokio::select! {
                    _ = activity.changed() => {}
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
        };
        let end = tokio::time::timeout(Duration::from_hours(2), wait).await;
        assert!(end.is_ok(), "never {what}: {:?}", self.codes());
    }
}

fn began_once(simulation: &Simulation, host: &Key) {
    let glance = simulation.hardware(&host.name).unwrap();
    assert_eq!(glance.writes, 1, "{host}: {glance:?}");
    for (task, count) in glance.began {
        let once = matches!(
            task,
            Task::Verify | Task::Inspect | Task::Clean | Task::Deploy
        );
        assert_eq!(count, u16::from(once), "{host}: {task:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn hosts_of_two_provisioners_are_driven_by_their_own() {
    let clock = clock();
    let (a, b) = (simulation("", clock), simulation("api slow 3s", clock));
    let all = machines([
        ("a", Arc::new(a.clone()) as _),
        ("b", Arc::new(b.clone()) as _),
    ]);
    let bench = Bench::start(all, clock);
    let mut keys = Vec::new();
    for number in 0..6 {
        let ironic = if number % 2 == 0 { "a" } else { "b" };
        keys.push(bench.host(number, Some(ironic)).await);
    }
    bench
        .until("settled", |all| all.hosts.len() == 6 && all.settled())
        .await;
    for (number, key) in keys.iter().enumerate() {
        let (own, other) = if number % 2 == 0 { (&a, &b) } else { (&b, &a) };
        began_once(own, key);
        assert_eq!(other.hardware(&key.name), None);
    }
}

#[tokio::test(start_paused = true)]
async fn states_that_a_host_only_passes_through_are_not_written() {
    let clock = clock();
    let machines_ = simulation("", clock);
    let bench = Bench::with(machines_, clock);
    let from = bench
        .store
        .snapshot()
        .await
        .map(|all: Snapshot<BareMetalHost>| all.version);
    let mut changes: BoxStream<'_, Change<BareMetalHost>> = bench.store.watch(from.unwrap());
    bench.host(1, None).await;
    bench.until("settled", Overview::settled).await;
    let mut states = Vec::new();
    while let Some(Some(Change::Applied(host))) = changes.next().now_or_never() {
        let status = host.status.clone().unwrap_or_default();
        states.push(status.provisioning.state.to_string());
    }
    // Registering twice: the machine's id is written once it is known. Available is passed through.
    assert_eq!(
        states,
        [
            "",
            "registering",
            "registering",
            "inspecting",
            "preparing",
            "provisioning",
            "provisioned"
        ]
    );
    assert_eq!(bench.engine.metrics().status_writes(), 6);
    let events: Vec<Arc<Event>> = bench.store.list();
    let mut reasons: Vec<_> = events
        .iter()
        .filter_map(|event| event.reason.as_deref())
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            "BMCAccessValidated",
            "InspectionComplete",
            "InspectionStarted",
            "ProfileSet",
            "ProvisioningStarted",
            "Registered"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_without_a_machine_needs_no_provisioner() {
    let clock = clock();
    let all = machines([("a", Arc::new(simulation("", clock)) as _)]);
    let bench = Bench::start(all, clock);
    let named = bench.host(1, Some("gone")).await;
    bench
        .create(json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": {
                "name": "bare", "namespace": "m", "annotations": { annotation::IRONIC: "gone" },
            },
            "spec": { "online": true },
        }))
        .await;
    bench
        .until("looked at", |all| {
            all.hosts.iter().all(|line| line.why.is_some())
        })
        .await;
    assert_eq!(bench.codes(), ["Unmanaged", "NoProvisioner"]);
    bench.delete(&Key::new("m", "bare")).await;
    bench.until("gone", |all| all.hosts.len() == 1).await;
    assert_eq!(
        bench.engine.overview().hosts[0]
            .host
            .metadata
            .name
            .as_deref(),
        Some(&*named.name)
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_that_goes_to_another_provisioner_leaves_its_place_in_the_queue() {
    let clock = clock();
    let a = simulation("limit inspect 1", clock);
    let b = simulation("", clock);
    let all = machines([
        ("a", Arc::new(a.clone()) as _),
        ("b", Arc::new(b.clone()) as _),
    ]);
    let bench = Bench::start(all, clock);
    for number in 0..3 {
        bench.host(number, Some("a")).await;
    }
    let queued = |line: &super::HostLine| {
        line.why
            .as_ref()
            .is_some_and(|why| why.code == "WaitingForInspectSlot")
    };
    bench
        .until("two wait", |all| {
            all.hosts.iter().filter(|line| queued(line)).count() == 2
        })
        .await;
    let line = bench.engine.overview();
    let moved = line.hosts.iter().find(|line| queued(line)).unwrap();
    let key = Key::new("m", moved.host.metadata.name.as_deref().unwrap());
    let note = json!({ "metadata": { "annotations": { annotation::IRONIC: "b" } } });
    let patched: Arc<BareMetalHost> = bench
        .store
        .patch(&key, store::Patch::Merge(note), None)
        .await
        .unwrap();
    drop(patched);
    // With a slot lost in `a`, the third would wait for ever.
    bench.until("settled", Overview::settled).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_writes_is_said_and_nothing_is_done_until_it_takes_them() {
    let clock = clock();
    let machines_ = simulation("", clock);
    let bench = Bench::with(machines_.clone(), clock);
    bench.store.refuse(true);
    let key = bench.host(1, None).await;
    bench
        .until("refused", |all| {
            let why = all.hosts.first().and_then(|line| line.why.as_ref());
            why.is_some_and(|why| why.code == "StoreFailed")
        })
        .await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(
        machines_.hardware(&key.name),
        None,
        "nothing is sent that is not written"
    );
    bench.store.refuse(false);
    bench.until("settled", Overview::settled).await;
    began_once(&machines_, &key);
}

/// One secret for all, once it can be read.
#[derive(Default)]
struct Shut {
    tries: std::sync::atomic::AtomicUsize,
}

impl Secrets for Shut {
    fn read(&self, namespace: &str, name: &str) -> Result<Secret, SecretError> {
        One.read(namespace, name)
    }

    fn is_ready(&self, _: &BareMetalHost) -> bool {
        false
    }

    fn prepare<'a>(
        &'a self,
        _: &'a BareMetalHost,
        _: crate::secrets::Others<'a>,
    ) -> BoxFuture<'a, Result<(), store::StoreError>> {
        self.tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async { Err(store::StoreError::Backend("403".into())) }.boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn secrets_that_cannot_be_read_are_not_asked_for_again_and_again() {
    let clock = clock();
    let shut = Arc::new(Shut::default());
    let all = machines([(DEFAULT_MACHINES, Arc::new(simulation("", clock)) as _)]);
    let bench = Bench::start_with(all, Arc::clone(&shut) as _, clock);
    bench.host(1, None).await;
    bench.host(2, None).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(bench.codes(), ["StoreFailed", "StoreFailed"]);
    let tries = shut.tries.load(std::sync::atomic::Ordering::SeqCst);
    assert!(
        (20..60).contains(&tries),
        "{tries} tries of two hosts in a minute"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_store_refuses_for_good_is_tried_less_and_less() {
    let clock = clock();
    let bench = Bench::with(simulation("", clock), clock);
    bench.store.forbid(true);
    bench.host(1, None).await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    let tries = bench.store.forbidden();
    assert!((10..30).contains(&tries), "{tries} tries in ten minutes");
    bench.store.forbid(false);
    bench.until("settled", Overview::settled).await;
}

/// A reboot that was refused because of a lock is still asked for after the pause.
#[tokio::test(start_paused = true)]
async fn a_pause_keeps_what_came_of_the_last_effect() {
    let clock = clock();
    let bench = Bench::with(simulation("", clock), clock);
    let key = bench.host(1, None).await;
    bench.until("settled", Overview::settled).await;
    let host = Store::<BareMetalHost>::get(bench.store.as_ref(), &key).unwrap();
    let generation = host.metadata.generation.unwrap_or_default();
    bench.annotate(&key, annotation::PAUSED, Some("")).await;
    bench
        .until("paused", |all| {
            let why = all.hosts[0].why.as_ref();
            why.is_some_and(|why| why.code == "Paused")
        })
        .await;
    bench.engine.shared.memos.with(&key, |memo| {
        memo.outcome = Some(Box::new(Outcome {
            effect: Effect::Power(PowerTarget::Reboot),
            generation,
            result: Err(Fault::Busy {
                what: "locked".to_owned(),
                retry: Duration::from_secs(1),
            }),
        }));
    });
    bench.annotate(&key, "note", Some("looked at again")).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    bench.annotate(&key, annotation::PAUSED, None).await;
    bench
        .until("asked for", |all| {
            all.hosts[0].host.annotation(annotation::REBOOT).is_some()
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_changes_between_decision_and_write_is_decided_again() {
    let clock = clock();
    let machines_ = simulation("", clock);
    let bench = Bench::with(machines_.clone(), clock);
    bench.store.interfere(40);
    let key = bench.host(1, None).await;
    bench.until("settled", Overview::settled).await;
    assert!(bench.store.interfered() > 5);
    began_once(&machines_, &key);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_said_of_every_host_and_keeps_the_limits() {
    let clock = clock();
    let machines_ = simulation("limit deploy 2\nlimit inspect 2", clock);
    let bench = Bench::with(machines_.clone(), clock);
    for number in 0..8 {
        bench.host(number, None).await;
    }
    let watched = machines_.clone();
    let within = move || {
        let states = watched.states();
        let at = |kind| -> usize {
            let busy = states
                .iter()
                .filter(|(state, _)| SlotKind::of(**state) == Some(kind));
            busy.map(|(_, count)| count).sum()
        };
        assert!(
            at(SlotKind::Deploy) <= 2 && at(SlotKind::Inspect) <= 2,
            "{states:?}"
        );
        states
    };
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        machines_.fault("api down until 4s").unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(
            bench.codes().iter().all(|code| *code == "ProvisionerDown"),
            "{:?}",
            bench.codes()
        );
        within();
    }
    bench
        .until("settled", |all| {
            within();
            all.settled()
        })
        .await;
    assert_eq!(within().get(&NodeState::Active), Some(&8));
}

/// Machines whose effects never end.
struct Hanging(Simulation);

impl Provisioner for Hanging {
    fn run(&self, _: Job) -> BoxFuture<'_, Result<Ack, Fault>> {
        std::future::pending().boxed()
    }

    fn sight(&self, host: &BareMetalHost) -> Sight {
        self.0.sight(host)
    }

    fn drift(&self, host: &BareMetalHost, facts: &Facts) -> Drift {
        self.0.drift(host, facts)
    }

    fn ticks(&self) -> BoxStream<'static, Tick> {
        self.0.ticks()
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_within_five_seconds_whatever_hangs() {
    let clock = clock();
    let hanging = Hanging(simulation("", clock));
    let bench = Bench::with(hanging, clock);
    bench.host(1, None).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    bench.store.hang(true);
    let began = tokio::time::Instant::now();
    bench.stop.cancel();
    bench.running.await.unwrap();
    let took = began.elapsed();
    assert!(took <= Duration::from_secs(5), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn equal_events_are_one_with_a_count() {
    let clock = clock();
    let machines_ = simulation("fail inspect h1 3 times", clock);
    let bench = Bench::with(machines_, clock);
    bench.host(1, None).await;
    bench.until("settled", Overview::settled).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let events: Vec<Arc<crate::api::Event>> = bench.store.list();
    let failed = events
        .iter()
        .filter(|event| event.reason.as_deref() == Some("InspectionError"));
    let counts: Vec<_> = failed.map(|event| event.count).collect();
    assert_eq!(counts, [Some(3)]);
}
