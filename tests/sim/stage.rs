//! A whole metalform on virtual time: spec text, evaluation, plan, store, engine, simulated machines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use metalform::api::names::annotation;
use metalform::api::{
    BareMetalHost, Condition, Event, FirmwareConditionType, FirmwareSchema, HostFirmwareComponents,
    HostFirmwareSettings,
};
use metalform::budget::{Limits, SlotKind};
use metalform::desired::{self, Desired};
use metalform::engine::{
    self, Clock, DEFAULT_MACHINES, Engine, FirstPlan, Machines, Metrics, Standing, Telling,
};
use metalform::eval::range::{Pattern, fold};
use metalform::eval::{self, Cache, Inputs};
use metalform::plan::{self, Grants};
use metalform::provision::sim::{Options, Simulation};
use metalform::provision::{Ack, Drift, Facts, Fault, Job, Provisioner, Sight, Tick};
use metalform::secrets::{Salt, Sealed, Secret, SecretError, Secrets};
use metalform::store::{self, Embedded, Object as _, Store};
use metalform::vfs::MemoryDisk;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// All scripts begin here.
const BEGIN: &str = "2026-01-01T00:00:00Z";

/// Secrets that a script can change.
#[derive(Default)]
pub struct SecretBox(Mutex<BTreeMap<String, Secret>>);

impl SecretBox {
    pub fn write(&self, name: &str, keys: &[(&str, &str)]) {
        let data = keys
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Sealed::new(*value)));
        self.0
            .lock()
            .unwrap()
            .insert(name.to_owned(), Secret::new(data.collect()));
    }

    pub fn remove(&self, name: &str) {
        self.0.lock().unwrap().remove(name);
    }
}

impl Secrets for SecretBox {
    fn read(&self, _namespace: &str, name: &str) -> Result<Secret, SecretError> {
        let known = self.0.lock().unwrap().get(name).cloned();
        known.ok_or_else(|| SecretError::Missing {
            name: name.to_owned(),
            tried: format!("secrets/{name}"),
        })
    }
}

/// An effect that was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub at: Duration,
    pub host: String,
    pub effect: &'static str,
    /// `ok` or the fault's code.
    pub answer: &'static str,
}

/// The machines, with a list of all that was asked of them.
pub struct Recorded {
    pub simulation: Simulation,
    pub sent: Arc<Mutex<Vec<Sent>>>,
    began: tokio::time::Instant,
}

impl Provisioner for Recorded {
    fn run(&self, job: Job) -> BoxFuture<'_, Result<Ack, Fault>> {
        Box::pin(async move {
            let (at, effect) = (self.began.elapsed(), job.effect.name());
            let host = job.host.key().name.to_string();
            let index = {
                let mut sent = self.sent.lock().unwrap();
                sent.push(Sent {
                    at,
                    host,
                    effect,
                    answer: "lost",
                });
                sent.len() - 1
            };
            let result = self.simulation.run(job).await;
            let answer = result.as_ref().map_or_else(Fault::code, |_| "ok");
            self.sent.lock().unwrap()[index].answer = answer;
            result
        })
    }

    fn sight(&self, host: &BareMetalHost) -> Sight {
        self.simulation.sight(host)
    }

    fn drift(&self, host: &BareMetalHost, facts: &Facts) -> Drift {
        self.simulation.drift(host, facts)
    }

    fn ticks(&self) -> BoxStream<'static, Tick> {
        self.simulation.ticks()
    }

    fn limits(&self) -> Limits {
        self.simulation.limits()
    }

    fn hurry(&self) {
        self.simulation.hurry();
    }
}

/// A host that entered a state.
#[derive(Debug, Clone)]
pub struct Entered {
    pub host: String,
    pub state: String,
}

/// One process's life.
struct Process {
    engine: Arc<Engine<Embedded>>,
    simulation: Simulation,
    desired: watch::Sender<Option<Arc<Desired>>>,
    standing: watch::Receiver<Standing>,
    plans: mpsc::UnboundedReceiver<FirstPlan>,
    /// Dropping it ends all of them at once, as a kill does.
    _tasks: JoinSet<()>,
}

/// A fleet, its machines and the process that drives them.
pub struct Stage {
    pub text: String,
    pub secrets: Arc<SecretBox>,
    pub sent: Arc<Mutex<Vec<Sent>>>,
    pub entered: Vec<Entered>,
    /// The most machines that were at something at once.
    pub peaks: BTreeMap<SlotKind, usize>,
    /// Hosts whose every change is printed.
    pub traced: BTreeSet<String>,
    pub printed: String,
    faults: Vec<String>,
    dir: tempfile::TempDir,
    store: Arc<Embedded>,
    clock: Clock,
    began: tokio::time::Instant,
    cache: Cache,
    process: Option<Process>,
    states: BTreeMap<String, String>,
    reasons: BTreeMap<String, String>,
}

impl Stage {
    pub fn new(text: String) -> Self {
        let clock = Clock::starting_at(BEGIN.parse::<metalform::api::Timestamp>().unwrap());
        let options = store::Options::default().clock(move || clock.now()).seed(1);
        let secrets = SecretBox::default();
        secrets.write("bmc", &[("username", "admin"), ("password", "first")]);
        secrets.write("init", &[("userData", "#cloud-config")]);
        Self {
            text,
            secrets: Arc::new(secrets),
            sent: Arc::default(),
            entered: Vec::new(),
            peaks: BTreeMap::new(),
            traced: BTreeSet::new(),
            printed: String::new(),
            faults: Vec::new(),
            dir: tempfile::tempdir().unwrap(),
            store: Arc::new(Embedded::memory(options)),
            clock,
            began: tokio::time::Instant::now(),
            cache: Cache::default(),
            process: None,
            states: BTreeMap::new(),
            reasons: BTreeMap::new(),
        }
    }

    pub fn say(&mut self, line: impl AsRef<str>) {
        for line in line.as_ref().trim_end().lines() {
            self.printed.push_str(line.trim_end());
            self.printed.push('\n');
        }
    }

    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn hosts(&self) -> Vec<Arc<BareMetalHost>> {
        self.store.list()
    }

    pub fn engine(&self) -> &Arc<Engine<Embedded>> {
        &self.process.as_ref().expect("a process runs").engine
    }

    pub fn simulation(&self) -> &Simulation {
        &self.process.as_ref().expect("a process runs").simulation
    }

    pub fn standing(&self) -> Standing {
        self.process
            .as_ref()
            .map(|process| process.standing.borrow().clone())
            .unwrap_or_default()
    }

    pub fn events(&self, host: &str) -> Vec<Arc<Event>> {
        let events: Vec<Arc<Event>> = self.store.list();
        let about = |event: &&Arc<Event>| event.involved_object.name.as_deref() == Some(host);
        let mut events: Vec<_> = events.iter().filter(about).cloned().collect();
        events.sort_by_key(|event| event.metadata.creation_timestamp);
        events
    }

    /// Gives a rule: to the script before the start, to the running machines after it.
    pub fn fault(&mut self, line: &str) {
        match &self.process {
            Some(process) => process
                .simulation
                .fault(line)
                .unwrap_or_else(|error| panic!("{error}")),
            None => self.faults.push(line.to_owned()),
        }
    }

    /// Evaluates the text; what is wrong with it is printed, and then it is not followed.
    fn evaluate(&mut self) -> Option<eval::Evaluation> {
        let disk = MemoryDisk::new().with("/fleet/fleet.kdl", &self.text);
        let inputs = Inputs {
            disk: &disk,
            root: Path::new("/fleet"),
            params: None,
            limits: eval::Limits::default(),
        };
        let found = eval::evaluate(&inputs, &mut self.cache);
        if !found.has_errors() && found.complete {
            return Some(found);
        }
        let mut text = String::new();
        metalform::diag::render::render_concise(&mut text, &found.files, &found.diagnostics).ok();
        self.say(text);
        None
    }

    fn desire(&mut self) -> Option<Arc<Desired>> {
        let found = self.evaluate()?;
        let (fleet, files) = (found.fleet, Arc::new(found.files));
        let previous = self
            .process
            .as_ref()
            .and_then(|process| process.desired.borrow().clone());
        let hosts = self.hosts();
        Some(Arc::new(desired::desired(
            &fleet,
            &files,
            true,
            &hosts,
            previous.as_deref(),
        )))
    }

    /// Starts a process, as `metalform run` does.
    pub async fn start(&mut self) {
        let found = self.evaluate().expect("a fleet that can be started");
        let spec = found.fleet.simulation.clone().expect("a simulated fleet");
        let mut options = Options::from_spec(&spec).unwrap();
        for fault in &self.faults {
            options
                .add("fault", fault)
                .unwrap_or_else(|error| panic!("{error}"));
        }
        let journal = self.dir.path().join("machines");
        let simulation = Simulation::open(&journal, options, self.clock).unwrap();
        let machines = Recorded {
            simulation: simulation.clone(),
            sent: Arc::clone(&self.sent),
            began: self.began,
        };
        let machines: Machines =
            [(Arc::from(DEFAULT_MACHINES), Arc::new(machines) as Arc<_>)].into();
        let engine = Arc::new(Engine::new(
            Arc::clone(&self.store),
            machines,
            Arc::clone(&self.secrets) as Arc<_>,
            self.clock,
            Arc::new(Metrics::default()),
            engine::Options {
                seed: 1,
                salt: Salt::new([1; 32]),
                ..engine::Options::default()
            },
        ));
        let (desired, following) = watch::channel(None);
        let (telling, standing) = watch::channel(Standing::default());
        let (showing, plans) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let stop = CancellationToken::new();
        let follow = engine::follow(
            Arc::clone(&self.store),
            following,
            Grants::default(),
            Telling {
                standing: telling,
                plans: showing,
            },
            stop.clone(),
        );
        tasks.spawn(follow);
        let running = Arc::clone(&engine);
        tasks.spawn(async move { running.run(stop).await.unwrap() });
        self.process = Some(Process {
            engine,
            simulation,
            desired,
            standing,
            plans,
            _tasks: tasks,
        });
        self.follow().await;
    }

    /// Says that these hosts may be destroyed, as `apply --allow-destroy` does.
    pub async fn allow(&mut self, names: &Pattern) {
        for (action, _) in self.standing().held.iter() {
            if let Some(token) = plan::grant_of(action).filter(|_| names.matches(&action.host.name))
            {
                let note = json!({"metadata": {"annotations": {annotation::ALLOW_DESTROY: token}}});
                let allowed: Result<Arc<BareMetalHost>, _> = self
                    .store
                    .patch(&action.host, store::Patch::Merge(note), None)
                    .await;
                allowed.unwrap();
            }
        }
    }

    /// Wants these BIOS settings, or this firmware, of these hosts, and nothing else.
    pub async fn wish(&mut self, word: &str, hosts: &Pattern, wanted: &[(&str, &str)]) {
        let keys = self.hosts().into_iter().map(|host| host.key());
        for key in keys.filter(|key| hosts.matches(&key.name)) {
            if word == "bios" {
                let settings: BTreeMap<_, _> = wanted.iter().copied().collect();
                let wanted = json!({ "spec": { "settings": settings } });
                let store: &dyn Store<HostFirmwareSettings> = self.store.as_ref();
                drop(store.apply(&key, wanted, "script", true).await.unwrap());
            } else {
                let update = |(part, url): &(&str, &str)| json!({ "component": part, "url": url });
                let updates: Vec<_> = wanted.iter().map(update).collect();
                let wanted = json!({ "spec": { "updates": updates } });
                let store: &dyn Store<HostFirmwareComponents> = self.store.as_ref();
                drop(store.apply(&key, wanted, "script", true).await.unwrap());
            }
        }
    }

    /// The objects beside these hosts, and the schemas that there are.
    pub fn settings(&self, hosts: &Pattern) -> String {
        let mut text = String::new();
        let settings: Vec<Arc<HostFirmwareSettings>> = self.store.list();
        for object in settings.iter().filter(|it| hosts.matches(&it.key().name)) {
            let status = object.status.clone().unwrap_or_default();
            let (name, shown) = (object.key().name, conditions(&status.conditions));
            text.push_str(&format!("  {name} {} {shown}\n", status.settings.text()));
        }
        let components: Vec<Arc<HostFirmwareComponents>> = self.store.list();
        for object in components.iter().filter(|it| hosts.matches(&it.key().name)) {
            let status = object.status.clone().unwrap_or_default();
            let parts = status.components.iter();
            let parts = parts.map(|it| format!("{} {}", it.component, it.current_version));
            let parts = parts.collect::<Vec<_>>().join(", ");
            let (name, shown) = (object.key().name, conditions(&status.conditions));
            text.push_str(&format!("  {name} {parts}, {shown}\n"));
        }
        let schemas: Vec<Arc<FirmwareSchema>> = self.store.list();
        text + &format!("  schemas: {}", schemas.len())
    }

    /// The process is killed: nothing is ended, nothing is written.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Follows the text as it is now; prints the plan.
    pub async fn follow(&mut self) {
        let Some(wanted) = self.desire() else { return };
        let Some(process) = &mut self.process else {
            return;
        };
        process.desired.send_replace(Some(wanted));
        let shown = process.plans.recv().await.expect("it follows");
        let round = shown.round;
        let told = process
            .standing
            .wait_for(|standing| standing.round == round)
            .await;
        drop(told.expect("it follows"));
        // Grouped here and not as people see it, which has tests of its own.
        let mut groups: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
        for (action, hold) in shown.plan.actions.iter().zip(&shown.holds) {
            let word = match action.verb {
                plan::Verb::Create => "create",
                plan::Verb::Delete => "delete",
                plan::Verb::Update => "change",
            };
            let held = hold
                .as_ref()
                .map_or(String::new(), |hold| format!(", waits: {}", hold.code));
            let what = format!("({}){held}", action.disruption.word());
            groups
                .entry((word, what))
                .or_default()
                .push(action.host.name.to_string());
        }
        if groups.is_empty() {
            self.say("  nothing to change");
        }
        for ((word, what), names) in groups {
            self.say(format!("  {word} {} {what}", fold(names)));
        }
        self.look();
    }

    /// Lets time pass until `end`, or until `enough` says so. True when it did.
    pub async fn pass(&mut self, time: Duration, mut enough: impl FnMut(&Self) -> bool) -> bool {
        let end = tokio::time::Instant::now() + time;
        let mut activity = self.engine().activity();
        loop {
            self.look();
            if enough(self) {
                return true;
            }
            tokio::select! {
                _ = activity.changed() => {}
                () = tokio::time::sleep_until(end) => {
                    self.look();
                    return enough(self);
                }
            }
        }
    }

    /// Nothing is left to do.
    pub fn is_settled(&self) -> bool {
        self.standing().applied() && self.engine().overview().settled()
    }

    /// Notes what changed.
    fn look(&mut self) {
        let at = self.now();
        let mut lines = Vec::new();
        let overview = self.engine().overview();
        let there: BTreeSet<String> = overview
            .hosts
            .iter()
            .map(|line| line.host.key().name.to_string())
            .collect();
        for name in self.states.keys().filter(|name| !there.contains(*name)) {
            self.entered.push(Entered {
                host: name.clone(),
                state: "gone".into(),
            });
            if self.traced.contains(name) {
                lines.push(format!("{} {name} gone", clocked(at)));
            }
        }
        self.states.retain(|name, _| there.contains(name));
        for line in &overview.hosts {
            let name = line.host.key().name.to_string();
            let state = line.state();
            let entered = self.states.get(&name) != Some(&state);
            if entered {
                self.states.insert(name.clone(), state.clone());
                let host = name.clone();
                self.entered.push(Entered {
                    host,
                    state: state.clone(),
                });
            }
            if !self.traced.contains(&name) {
                continue;
            }
            let why = line.why.as_ref();
            let reason = why.map_or(String::new(), |why| format!("{}: {}", why.code, why.text));
            if entered || self.reasons.get(&name) != Some(&reason) {
                lines.push(format!("{} {name} {state:<14} {reason}", clocked(at)));
                self.reasons.insert(name, reason);
            }
        }
        let states = self.simulation().states();
        for kind in SlotKind::ALL {
            let busy = states
                .iter()
                .filter(|(state, _)| SlotKind::of(**state) == Some(kind));
            let busy = busy.map(|(_, count)| count).sum();
            let peak = self.peaks.entry(kind).or_default();
            *peak = (*peak).max(busy);
        }
        lines.iter().for_each(|line| self.say(line));
    }
}

/// A time since the start, for people.
pub fn clocked(time: Duration) -> String {
    format!("{:>8}", format!("{:.1}s", time.as_secs_f64()))
}

/// Those that are true, and what is wrong.
fn conditions<R>(all: &[Condition<FirmwareConditionType, R>]) -> String {
    let shown = all.iter().filter_map(|condition| {
        let status = condition.status.as_str();
        let quiet = (status == "False") == (condition.message.is_empty());
        (!quiet || status == "True").then(|| {
            format!("{} {status} {}", condition.kind, condition.message)
                .trim_end()
                .to_owned()
        })
    });
    shown.collect::<Vec<_>>().join(", ")
}
