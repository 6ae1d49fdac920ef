//! The Ironic provisioner against a real Ironic: runs when `METALFORM_IRONIC_LAB` names the
//! description of a lab (`tests/ironic/lab start …` writes it), and says so when it does not.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use metalform::api::{BareMetalHost, HardwareDetails, HardwareJson};
use metalform::provision::ironic::{Endpoint, Ironic, Options, Ramdisk, Requests};
use metalform::provision::{
    Ack, Drift, Effect, Facts, Fault, Job, NodeState, PowerTarget, Provisioner as _, Sight, Tick,
};
use metalform::secrets::{JobSecrets, Sealed};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

/// The lab's description, if there is a lab.
fn lab() -> Option<Value> {
    let Some(path) = std::env::var_os("METALFORM_IRONIC_LAB").filter(|path| !path.is_empty())
    else {
        println!("skipped: METALFORM_IRONIC_LAB names no lab (tests/run starts one)");
        return None;
    };
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// An Ironic, watched in the background as the engine does.
struct Watched {
    ironic: Ironic,
    /// Start of the latest look.
    seen: watch::Receiver<Option<Instant>>,
    ticks: Arc<Mutex<Vec<Tick>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watched {
    async fn new(lab: &Value) -> Self {
        let mut endpoint = Endpoint::parse(&text(&lab["ironic"]["url"])).unwrap();
        if let Some(user) = lab["ironic"]["username"].as_str() {
            endpoint = endpoint.login(user, Sealed::new(text(&lab["ironic"]["password"])));
        }
        if let Some(file) = lab["ironic"]["ca_file"].as_str() {
            endpoint = endpoint.ca(std::fs::read(file).unwrap());
        }
        let mut options = Options::new(endpoint);
        options.ramdisk = Ramdisk {
            kernel: lab["deploy_kernel_url"].as_str().map(str::to_owned),
            initramfs: lab["deploy_ramdisk_url"].as_str().map(str::to_owned),
            iso: None,
        };
        let ironic = Ironic::new(options).unwrap();
        let (tell, seen) = watch::channel(None);
        let ticks = Arc::new(Mutex::new(Vec::new()));
        let (mut stream, kept) = (ironic.ticks(), Arc::clone(&ticks));
        let task = tokio::spawn(async move {
            while let Some(tick) = stream.next().await {
                if let Some(as_of) = tick.as_of {
                    tell.send(Some(as_of)).ok();
                }
                kept.lock().unwrap().push(tick);
            }
        });
        // With ten thousand nodes on a busy machine the first look at all takes its time.
        tokio::time::timeout(
            Duration::from_mins(3),
            seen.clone().wait_for(Option::is_some),
        )
        .await
        .unwrap()
        .unwrap();
        let mut watched = Self {
            ironic,
            seen,
            ticks,
            task,
        };
        watched.look().await;
        watched
    }

    /// Waits for a look that began from now on.
    async fn look(&mut self) {
        let now = Instant::now();
        let wait = self
            .seen
            .wait_for(|seen| seen.is_some_and(|seen| seen >= now));
        tokio::time::timeout(Duration::from_secs(30), wait)
            .await
            .unwrap()
            .unwrap();
    }
}

/// One host and what it costs.
struct Machine<'a> {
    watched: &'a mut Watched,
    host: BareMetalHost,
    secrets: JobSecrets,
}

impl Machine<'_> {
    fn facts(&self) -> Option<Arc<Facts>> {
        match self.watched.ironic.sight(&self.host) {
            Sight::Present(facts) => Some(facts),
            _ => None,
        }
    }

    async fn run(&mut self, effect: Effect) -> Result<Ack, Fault> {
        let job = Job {
            host: Arc::new(self.host.clone()),
            effect,
            secrets: self.secrets.clone(),
            facts: self.facts(),
            fence: metalform::fence::Fence::none(),
        };
        let result = self.watched.ironic.run(job).await;
        self.watched.look().await;
        result
    }

    /// Runs an effect, asking again while Ironic is busy.
    async fn must(&mut self, effect: Effect) -> Ack {
        for _ in 0..60 {
            match self.run(effect.clone()).await {
                Ok(ack) => return ack,
                Err(Fault::Busy { retry, .. }) => tokio::time::sleep(retry).await,
                Err(fault) => panic!("{effect:?}: {fault}"),
            }
        }
        panic!("{effect:?}: busy for ever");
    }

    async fn reaches(&mut self, state: NodeState) -> Arc<Facts> {
        let until = Instant::now() + Duration::from_mins(2);
        loop {
            let facts = self.facts().expect("the node is there");
            if facts.state == state && facts.target.is_none() {
                return facts;
            }
            let failed = facts.state.to_string().ends_with("failed") && facts.target.is_none();
            assert!(!failed, "{}: {:?}", facts.state, facts.last_error);
            assert!(
                Instant::now() < until,
                "still {} after two minutes",
                facts.state
            );
            self.watched.look().await;
        }
    }

    async fn is_powered(&mut self, on: bool) {
        let until = Instant::now() + Duration::from_mins(1);
        while self
            .facts()
            .is_none_or(|facts| facts.power != Some(on) || facts.power_changing)
        {
            assert!(Instant::now() < until, "power does not become {on}");
            self.watched.look().await;
        }
    }

    fn drift(&self) -> Drift {
        self.watched
            .ironic
            .drift(&self.host, &self.facts().expect("the node is there"))
    }
}

fn host(name: &str, address: &Value, mac: &Value, image: &Value) -> BareMetalHost {
    serde_json::from_value(json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": {
            "name": name, "namespace": "ironictest",
            "uid": uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, name.as_bytes()).to_string(),
        },
        "spec": {
            "online": true,
            "bmc": {
                "address": address, "credentialsName": "bmc",
                "disableCertificateVerification": true,
            },
            "bootMACAddress": mac,
            "rootDeviceHints": { "deviceName": "/dev/sda" },
            "image": {
                "url": image["url"], "checksum": image["sha256"],
                "checksumType": "sha256", "format": image["format"],
            },
        },
    }))
    .unwrap()
}

fn enroll() -> Effect {
    Effect::Enroll {
        credentials: "v1".into(),
    }
}

fn minus(a: Requests, b: Requests) -> Requests {
    Requests {
        greeting: a.greeting - b.greeting,
        looks: a.looks - b.looks,
        reads: a.reads - b.reads,
        writes: a.writes - b.writes,
    }
}

/// From nothing over provisioned back to nothing.
async fn life(watched: &mut Watched, lab: &Value, name: &str, address: &Value, mac: &Value) {
    let began = watched.ironic.requests();
    let mut machine = Machine {
        host: host(name, address, mac, &lab["images"][0]),
        secrets: JobSecrets {
            bmc: Some((
                Sealed::new(text(&lab["bmc"]["username"])),
                Sealed::new(text(&lab["bmc"]["password"])),
            )),
            user_data: Some(Sealed::new("#cloud-config\nhostname: a\n")),
            ..JobSecrets::default()
        },
        watched,
    };
    assert!(matches!(
        machine.watched.ironic.sight(&machine.host),
        Sight::Absent
    ));

    let Ack::Enrolled(id) = machine.must(enroll()).await else {
        panic!("not enrolled")
    };
    assert_eq!(machine.facts().expect("enrolled").id, id);
    assert_eq!(machine.drift(), Drift::default(), "just enrolled");
    machine.must(Effect::Manage).await;
    machine.reaches(NodeState::Manageable).await;
    machine.must(Effect::Inspect).await;
    let facts = machine.reaches(NodeState::Manageable).await;
    assert!(facts.inspected);
    let Ack::Inventory(Some(found)) = machine.must(Effect::ReadInventory).await else {
        panic!("no inventory")
    };
    let hardware = found.get().unwrap();
    assert_eq!((hardware.cpu.count, hardware.ram_mebibytes), (32, 65536));
    assert_eq!(Value::from(hardware.nics[0].mac.as_str()), *mac);
    machine.host.status = Some(metalform::api::BareMetalHostStatus {
        hardware: Some(found),
        ..Default::default()
    });
    if machine.drift().ports {
        machine.must(Effect::Ports).await;
    }
    assert_eq!(machine.drift(), Drift::default(), "inspected");
    machine.must(Effect::Provide).await;
    machine.reaches(NodeState::Available).await;
    let enrolled = minus(machine.watched.ironic.requests(), began);
    println!("{name}: enrolled with {enrolled:?}");
    assert!(enrolled.writes <= 5 && enrolled.reads <= 4, "{enrolled:?}");

    let began = machine.watched.ironic.requests();
    machine.must(Effect::Deploy).await;
    let facts = machine.reaches(NodeState::Active).await;
    assert_eq!(
        facts.image.as_deref(),
        machine.host.spec.image.as_deref().map(|i| i.url.as_str())
    );
    assert_eq!(
        facts.instance.as_deref(),
        machine.host.metadata.uid.as_deref()
    );
    let deployed = minus(machine.watched.ironic.requests(), began);
    assert_eq!(
        (deployed.writes, deployed.reads),
        (2, 0),
        "{name}: {deployed:?}"
    );
    assert_eq!(machine.drift(), Drift::default(), "deployed");

    machine.is_powered(true).await;
    machine.must(Effect::Power(PowerTarget::SoftOff)).await;
    machine.is_powered(false).await;

    // Rotated credentials: nothing but they are written, and the ramdisk stays.
    let began = machine.watched.ironic.requests();
    machine
        .must(Effect::Amend {
            credentials: Some("v2".into()),
        })
        .await;
    let amended = minus(machine.watched.ironic.requests(), began);
    let writes = u64::from(!text(address).starts_with("fake"));
    assert_eq!(
        (amended.writes, amended.reads),
        (writes, 1),
        "{name}: {amended:?}"
    );
    // Another capability: one read, one write.
    machine.host.spec.boot_mode = Some(metalform::api::BootMode::Legacy);
    assert!(machine.drift().settings);
    machine.must(Effect::Amend { credentials: None }).await;
    assert_eq!(machine.drift(), Drift::default(), "amended");
    machine.host.spec.boot_mode = None;
    machine.must(Effect::Amend { credentials: None }).await;

    let began = machine.watched.ironic.requests();
    machine.must(Effect::Undeploy).await;
    let facts = machine.reaches(NodeState::Available).await;
    assert_eq!(
        (facts.image.as_deref(), facts.instance.as_deref()),
        (None, None)
    );
    let undeployed = minus(machine.watched.ironic.requests(), began);
    assert_eq!(
        (undeployed.writes, undeployed.reads),
        (1, 0),
        "{name}: {undeployed:?}"
    );

    machine.must(Effect::Forget { force: false }).await;
    assert!(matches!(
        machine.watched.ironic.sight(&machine.host),
        Sight::Absent
    ));
    // Forgetting what is forgotten, with the old facts, is no error.
    machine.host.status = None;
    assert_eq!(machine.run(Effect::Manage).await, Err(Fault::Gone));
}

#[tokio::test]
async fn a_fake_machine_lives() {
    let Some(lab) = lab() else { return };
    let mut watched = Watched::new(&lab).await;
    assert!(watched.ironic.version().starts_with("1."));
    let address = json!("fake-hardware://level-b");
    life(
        &mut watched,
        &lab,
        "level-b",
        &address,
        &json!("52:54:00:1b:00:01"),
    )
    .await;
}

#[tokio::test]
async fn a_redfish_machine_lives() {
    let Some(lab) = lab() else { return };
    let mut watched = Watched::new(&lab).await;
    let Some(machine) = lab["redfish"].as_array().unwrap().last() else {
        return;
    };
    let name = text(&machine["name"]);
    life(
        &mut watched,
        &lab,
        &name,
        &machine["address"],
        &machine["mac"],
    )
    .await;
}

/// Ironic forgot a machine that has an image: it is taken over as it is, image and all.
#[tokio::test]
async fn a_provisioned_machine_is_taken_over_again() {
    let Some(lab) = lab() else { return };
    let mut watched = Watched::new(&lab).await;
    let mac = json!("52:54:00:1b:00:04");
    let mut was = host(
        "was",
        &json!("fake-hardware://was"),
        &mac,
        &lab["images"][0],
    );
    let mut status = metalform::api::BareMetalHostStatus::default();
    status.provisioning.state = metalform::api::ProvisioningState::Provisioned;
    status.provisioning.image = was.spec.image.clone().unwrap();
    was.status = Some(status);
    let mut machine = Machine {
        watched: &mut watched,
        host: was,
        secrets: JobSecrets::default(),
    };
    machine.must(enroll()).await;
    machine.must(Effect::Manage).await;
    machine.reaches(NodeState::Manageable).await;
    machine.must(Effect::Adopt).await;
    let facts = machine.reaches(NodeState::Active).await;
    assert_eq!(facts.image.as_deref(), lab["images"][0]["url"].as_str());
    assert_eq!(
        facts.instance.as_deref(),
        machine.host.metadata.uid.as_deref()
    );
    assert_eq!(machine.drift(), Drift::default());
    machine.must(Effect::Forget { force: true }).await;
    assert!(machine.facts().is_none());
}

/// Ironic takes no other interface of an active node, and removes none with an instance: neither
/// holds up anything else.
#[tokio::test]
async fn what_ironic_refuses_of_a_node_holds_up_nothing() {
    let Some(lab) = lab() else { return };
    let mut watched = Watched::new(&lab).await;
    let mac = json!("52:54:00:1b:00:07");
    let mut stuck = host(
        "stuck",
        &json!("fake-hardware://stuck"),
        &mac,
        &lab["images"][0],
    );
    let mut status = metalform::api::BareMetalHostStatus::default();
    status.provisioning.state = metalform::api::ProvisioningState::Provisioned;
    status.provisioning.image = stuck.spec.image.clone().unwrap();
    stuck.status = Some(status);
    let mut machine = Machine {
        watched: &mut watched,
        host: stuck,
        secrets: JobSecrets::default(),
    };
    // In Ironic's first state, but with an instance.
    machine.must(enroll()).await;
    machine.must(Effect::Forget { force: false }).await;
    assert!(machine.facts().is_none());

    machine.must(enroll()).await;
    machine.must(Effect::Manage).await;
    let facts = machine.reaches(NodeState::Manageable).await;
    let url = format!("{}/v1/nodes/{}", text(&lab["ironic"]["url"]), facts.id);
    let other = json!([{ "op": "add", "path": "/inspect_interface", "value": "no-inspect" }]);
    let patch = reqwest::Client::new().patch(url).json(&other);
    let patch = patch.header("x-openstack-ironic-api-version", "1.110");
    assert!(patch.send().await.unwrap().status().is_success());
    machine.watched.look().await;
    assert!(machine.drift().settings, "it can be changed here");
    machine.must(Effect::Adopt).await;
    machine.reaches(NodeState::Active).await;
    assert_eq!(machine.drift(), Drift::default(), "and not here");
    machine.host.spec.boot_mode = Some(metalform::api::BootMode::Legacy);
    assert!(machine.drift().settings);
    machine.must(Effect::Amend { credentials: None }).await;
    assert_eq!(machine.drift(), Drift::default());
    machine.must(Effect::Forget { force: true }).await;
    assert!(machine.facts().is_none());
}

#[tokio::test]
async fn a_failed_deployment_can_be_tried_again() {
    let Some(lab) = lab() else { return };
    let tool = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ironic/lab");
    let mut rule = std::process::Command::new(tool);
    rule.arg("agent-rule")
        .arg(text(&lab["state"]))
        .args(["unlucky", "deploy"]);
    let mut watched = Watched::new(&lab).await;
    let mac = json!("52:54:00:1b:00:05");
    let unlucky = host(
        "unlucky",
        &json!("fake-hardware://unlucky"),
        &mac,
        &lab["images"][0],
    );
    let mut machine = Machine {
        watched: &mut watched,
        host: unlucky,
        secrets: JobSecrets::default(),
    };
    machine.must(enroll()).await;
    machine.must(Effect::Manage).await;
    machine.reaches(NodeState::Manageable).await;
    machine.host.spec.automated_cleaning_mode = Some(metalform::api::CleaningMode::Disabled);
    machine.must(Effect::Amend { credentials: None }).await;
    machine.must(Effect::Provide).await;
    machine.reaches(NodeState::Available).await;
    assert!(rule.status().unwrap().success());
    machine.must(Effect::Deploy).await;
    let until = Instant::now() + Duration::from_mins(1);
    while machine
        .facts()
        .is_none_or(|facts| facts.state != NodeState::DeployFailed)
    {
        assert!(
            Instant::now() < until,
            "it does not fail: {:?}",
            machine.facts()
        );
        machine.watched.look().await;
    }
    assert!(machine.facts().unwrap().last_error.is_some());
    machine.host.spec.image.as_deref_mut().unwrap().url = text(&lab["images"][1]["url"]);
    machine.host.spec.image.as_deref_mut().unwrap().checksum = text(&lab["images"][1]["sha256"]);
    machine.must(Effect::Deploy).await;
    let facts = machine.reaches(NodeState::Active).await;
    assert_eq!(facts.image.as_deref(), lab["images"][1]["url"].as_str());
    machine.must(Effect::Undeploy).await;
    machine.reaches(NodeState::Available).await;
    machine.must(Effect::Forget { force: false }).await;
}

#[tokio::test]
async fn what_is_there_is_found_and_not_doubled() {
    let Some(lab) = lab() else { return };
    let mut watched = Watched::new(&lab).await;
    let mac = json!("52:54:00:1b:00:02");
    let address = json!("fake-hardware://twin");
    let first = host("twin", &address, &mac, &lab["images"][0]);
    let mut machine = Machine {
        watched: &mut watched,
        host: first,
        secrets: JobSecrets::default(),
    };
    let Ack::Enrolled(id) = machine.must(enroll()).await else {
        panic!("not enrolled")
    };

    // A second process that lost the answer, or never saw the node: the same node, no other one.
    let mut other = Watched::new(&lab).await;
    let mut again = Machine {
        watched: &mut other,
        host: machine.host.clone(),
        secrets: JobSecrets::default(),
    };
    assert_eq!(again.must(enroll()).await, Ack::Enrolled(id.clone()));

    // Somebody else's host with this MAC address.
    let thief = host(
        "thief",
        &json!("fake-hardware://thief"),
        &mac,
        &lab["images"][0],
    );
    let Sight::Taken(text) = machine.watched.ironic.sight(&thief) else {
        panic!("not taken")
    };
    assert_eq!(
        &*text,
        "MAC address 52:54:00:1b:00:02 conflicts with existing node ironictest~twin"
    );

    // Deleted behind our back: noticed by the next look, not by the next sweep.
    let facts = machine.facts().unwrap();
    again.watched.look().await;
    again.must(Effect::Forget { force: true }).await;
    machine.watched.look().await;
    machine.watched.look().await;
    assert!(
        matches!(machine.watched.ironic.sight(&machine.host), Sight::Absent),
        "{facts:?}"
    );
}

/// Somebody else changes a machine, and nothing here is in a hurry.
#[tokio::test]
async fn a_change_is_seen_soon() {
    let Some(lab) = lab() else { return };
    let mut other = Watched::new(&lab).await;
    let mac = json!("52:54:00:1b:00:06");
    let changing = host(
        "changing",
        &json!("fake-hardware://changing"),
        &mac,
        &lab["images"][0],
    );
    let mut machine = Machine {
        watched: &mut other,
        host: changing,
        secrets: JobSecrets::default(),
    };
    machine.must(enroll()).await;
    let watched = Watched::new(&lab).await;
    // Until the hurry of starting is over.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut took = Vec::new();
    for turn in 0..10 {
        let mode = if turn % 2 == 0 { "legacy" } else { "UEFI" };
        machine.host.spec.boot_mode = Some(mode.into());
        let facts = machine.facts().unwrap();
        let job = Job {
            host: Arc::new(machine.host.clone()),
            effect: Effect::Amend { credentials: None },
            secrets: JobSecrets::default(),
            facts: Some(Arc::clone(&facts)),
            fence: metalform::fence::Fence::none(),
        };
        machine.watched.ironic.run(job).await.unwrap();
        let from = Instant::now();
        while watched.ironic.drift(&machine.host, &facts).settings {
            assert!(from.elapsed() < Duration::from_secs(20), "not seen");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        took.push(from.elapsed().as_millis());
    }
    took.sort_unstable();
    println!("seen after {took:?} ms");
    machine.must(Effect::Forget { force: false }).await;
}

#[tokio::test]
async fn steady_state_costs_little() {
    let Some(lab) = lab() else { return };
    let mut watched = Watched::new(&lab).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (began, from) = (watched.ironic.requests(), Instant::now());
    tokio::time::sleep(Duration::from_secs(15)).await;
    let sent = minus(watched.ironic.requests(), began);
    let a_minute = sent.total() as f64 * 60.0 / from.elapsed().as_secs_f64();
    println!("{sent:?}: {a_minute:.0} a minute");
    assert!(
        a_minute <= 80.0 && sent.reads + sent.writes == 0,
        "{sent:?}"
    );
    watched.look().await;
    assert!(
        watched
            .ticks
            .lock()
            .unwrap()
            .iter()
            .filter(|tick| tick.all)
            .count()
            == 1
    );
}

/// A lab of this test alone, which it may break.
struct OwnLab {
    state: tempfile::TempDir,
}

impl OwnLab {
    fn command(arguments: &[&str]) {
        let tool = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ironic/lab");
        let mut command = std::process::Command::new(tool);
        let status = command.args(arguments).status().unwrap();
        assert!(status.success(), "lab {arguments:?}: {status}");
    }

    fn path(&self) -> &str {
        self.state.path().to_str().unwrap()
    }

    fn start(options: &[&str]) -> (Self, Value) {
        let lab = Self {
            state: tempfile::tempdir().unwrap(),
        };
        let owner = std::process::id().to_string();
        let mut arguments = vec!["start", "1", "0", "--state", lab.path(), "--owner", &owner];
        arguments.extend(options);
        Self::command(&arguments);
        let described = std::fs::read(lab.state.path().join("lab.json")).unwrap();
        let described = serde_json::from_slice(&described).unwrap();
        (lab, described)
    }
}

impl Drop for OwnLab {
    fn drop(&mut self) {
        Self::command(&["stop", self.path()]);
    }
}

/// HTTPS with a CA of its own, a password, an outage, and a database that is lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_ironic_that_comes_and_goes() {
    let Some(_) = lab() else { return };
    let (own, lab) = OwnLab::start(&["--tls", "--auth", "http_basic"]);
    let mut watched = Watched::new(&lab).await;
    let mac = json!("52:54:00:1b:00:03");
    let lost = host(
        "lost",
        &json!("fake-hardware://lost"),
        &mac,
        &lab["images"][0],
    );
    let mut machine = Machine {
        watched: &mut watched,
        host: lost,
        secrets: JobSecrets::default(),
    };
    let Ack::Enrolled(first) = machine.must(enroll()).await else {
        panic!("not enrolled")
    };

    OwnLab::command(&["pause", own.path()]);
    let until = Instant::now() + Duration::from_secs(20);
    let text = loop {
        if let Sight::Down(outage) = machine.watched.ironic.sight(&machine.host) {
            break outage.text;
        }
        assert!(Instant::now() < until, "not down after 20 s");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let url = lab["ironic"]["url"].as_str().unwrap();
    assert!(
        text.starts_with(&format!("Ironic at {url} does not answer: ")),
        "{text}"
    );
    let job = Job {
        host: Arc::new(machine.host.clone()),
        effect: Effect::Manage,
        secrets: JobSecrets::default(),
        facts: None,
        fence: metalform::fence::Fence::none(),
    };
    let facts = Facts {
        id: first.clone(),
        ..machine_facts()
    };
    let job = Job {
        facts: Some(Arc::new(facts)),
        ..job
    };
    let fault = machine.watched.ironic.run(job).await.unwrap_err();
    assert_eq!(fault.code(), "unreachable", "{fault}");
    OwnLab::command(&["resume", own.path()]);
    machine.watched.look().await;
    assert_eq!(machine.facts().expect("it is back").id, first);

    OwnLab::command(&["wipe", own.path()]);
    let until = Instant::now() + Duration::from_secs(30);
    while !matches!(machine.watched.ironic.sight(&machine.host), Sight::Absent) {
        assert!(Instant::now() < until, "the lost node is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let Ack::Enrolled(second) = machine.must(enroll()).await else {
        panic!("not enrolled")
    };
    assert_ne!(first, second);
    machine.must(Effect::Forget { force: false }).await;
}

/// Facts of no machine in particular.
fn machine_facts() -> Facts {
    Facts {
        id: "".into(),
        name: None,
        state: NodeState::Enroll,
        target: None,
        power: None,
        power_changing: false,
        maintenance: false,
        fault: None,
        last_error: None,
        health: None,
        inspected: false,
        image: None,
        instance: None,
        updated_at: None,
    }
}

#[test]
fn an_inventory_is_kept_as_text() {
    let json = HardwareJson::new(&HardwareDetails::default()).unwrap();
    assert!(json.text().starts_with('{'));
}
