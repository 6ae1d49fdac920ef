use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::api::{BareMetalHost, Timestamp};
use crate::engine::Clock;
use crate::provision::{
    Ack, Effect, Facts, Fault, Job, NodeState, PowerTarget, Provisioner, Sight, Tick,
};
use crate::secrets::JobSecrets;

fn clock() -> Clock {
    Clock::starting_at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap())
}

fn host(name: &str, number: u8) -> BareMetalHost {
    serde_json::from_value(json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "name": name, "namespace": "m", "uid": format!("u-{number}") },
        "spec": {
            "online": true,
            "bmc": { "address": format!("redfish://192.0.2.{number}/s/1"), "credentialsName": "bmc" },
            "bootMACAddress": format!("52:54:00:00:00:{number:02x}"),
            "image": { "url": "http://images/a.qcow2", "checksum": "aa", "checksumType": "md5" },
        },
    }))
    .unwrap()
}

/// Machines and those who look at them.
struct Lab {
    simulation: Simulation,
    ticks: futures::stream::BoxStream<'static, Tick>,
}

impl Lab {
    fn new(script: &str) -> Self {
        let mut options = Options::default();
        options.add("test", script).unwrap();
        Self::of(Simulation::memory(options, clock()))
    }

    fn of(simulation: Simulation) -> Self {
        let ticks = simulation.ticks();
        Self { simulation, ticks }
    }

    async fn run(&self, host: &BareMetalHost, effect: Effect) -> Result<Ack, Fault> {
        let facts = self.facts(host);
        let (host, secrets) = (Arc::new(host.clone()), JobSecrets::default());
        self.simulation
            .run(Job {
                host,
                effect,
                secrets,
                facts,
            })
            .await
    }

    async fn enroll(&self, host: &BareMetalHost) -> Result<Ack, Fault> {
        self.run(
            host,
            Effect::Enroll {
                credentials: "v1".into(),
            },
        )
        .await
    }

    fn facts(&self, host: &BareMetalHost) -> Option<Arc<Facts>> {
        match self.simulation.sight(host) {
            Sight::Present(facts) => Some(facts),
            _ => None,
        }
    }

    fn state(&self, host: &BareMetalHost) -> NodeState {
        self.facts(host).unwrap().state
    }

    /// Runs an effect and waits until the machine rests.
    async fn done(&mut self, host: &BareMetalHost, effect: Effect) -> NodeState {
        self.run(host, effect).await.unwrap();
        loop {
            let facts = self.facts(host).unwrap();
            if facts.state.is_at_rest() && !facts.power_changing {
                return facts.state;
            }
            self.ticks.next().await;
        }
    }

    async fn provision(&mut self, host: &BareMetalHost) {
        self.enroll(host).await.unwrap();
        for effect in [
            Effect::Manage,
            Effect::Inspect,
            Effect::Provide,
            Effect::Deploy,
        ] {
            self.done(host, effect).await;
        }
        assert_eq!(self.state(host), NodeState::Active);
    }
}

#[tokio::test(start_paused = true)]
async fn a_life() {
    let mut lab = Lab::new("");
    let tick = lab.ticks.next().await.unwrap();
    assert!(tick.all && tick.as_of.is_some());
    let one = host("n1", 1);
    assert!(matches!(lab.simulation.sight(&one), Sight::Absent));
    let Ok(Ack::Enrolled(id)) = lab.enroll(&one).await else {
        panic!("not enrolled")
    };
    // The answer that got lost: the same machine.
    assert_eq!(lab.enroll(&one).await, Ok(Ack::Enrolled(id)));
    assert_eq!(
        lab.run(&one, Effect::ReadInventory).await,
        Ok(Ack::Inventory(None))
    );
    assert_eq!(lab.done(&one, Effect::Manage).await, NodeState::Manageable);
    assert_eq!(lab.done(&one, Effect::Inspect).await, NodeState::Manageable);
    let found = lab.run(&one, Effect::ReadInventory).await;
    assert!(matches!(found, Ok(Ack::Inventory(Some(_)))));
    assert_eq!(lab.done(&one, Effect::Provide).await, NodeState::Available);
    assert_eq!(lab.done(&one, Effect::Deploy).await, NodeState::Active);
    let glance = lab.simulation.hardware("n1").unwrap();
    assert_eq!(glance.disk.as_deref(), Some("http://images/a.qcow2"));
    assert!(glance.power);
    lab.done(&one, Effect::Power(PowerTarget::HardOff)).await;
    assert!(!lab.simulation.hardware("n1").unwrap().power);
    assert_eq!(lab.done(&one, Effect::Undeploy).await, NodeState::Available);
    lab.run(&one, Effect::Forget { force: false })
        .await
        .unwrap();
    assert!(matches!(lab.simulation.sight(&one), Sight::Absent));
    assert_eq!(lab.run(&one, Effect::Manage).await, Err(Fault::Gone));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_lives() {
    async fn lived(seed: u64) -> (Arc<str>, Timestamp) {
        let options = Options {
            seed,
            ..Options::default()
        };
        let mut lab = Lab::of(Simulation::memory(options, clock()));
        let one = host("n1", 1);
        lab.provision(&one).await;
        let facts = lab.facts(&one).unwrap();
        (Arc::clone(&facts.id), facts.updated_at.unwrap())
    }
    assert_eq!(lived(1).await, lived(1).await);
    assert_ne!(lived(1).await, lived(2).await);
}

#[tokio::test(start_paused = true)]
async fn rules_strike_as_often_as_they_say() {
    let mut lab = Lab::new("fail inspect n1 2 times\nfail verify n2");
    let (one, two) = (host("n1", 1), host("n2", 2));
    lab.enroll(&one).await.unwrap();
    lab.enroll(&two).await.unwrap();
    assert_eq!(lab.done(&one, Effect::Manage).await, NodeState::Manageable);
    for _ in 0..2 {
        assert_eq!(
            lab.done(&one, Effect::Inspect).await,
            NodeState::InspectFailed
        );
    }
    assert_eq!(lab.done(&one, Effect::Inspect).await, NodeState::Manageable);
    for _ in 0..4 {
        assert_eq!(lab.done(&two, Effect::Manage).await, NodeState::Enroll);
    }
}

#[tokio::test(start_paused = true)]
async fn everything_can_be_slow_or_fast() {
    async fn took(script: &str, pace: u32) -> Duration {
        let mut options = Options {
            pace,
            ..Options::default()
        };
        options.add("test", script).unwrap();
        let mut lab = Lab::of(Simulation::memory(options, clock()));
        let one = host("n1", 1);
        lab.enroll(&one).await.unwrap();
        let start = tokio::time::Instant::now();
        lab.done(&one, Effect::Manage).await;
        start.elapsed()
    }
    let usual = took("", 1).await;
    assert!(took("slow bmc n1 10x", 1).await > usual * 9);
    assert!(took("", 10).await < usual / 2);
    let exact = took("take verify 42s", 1).await;
    assert_eq!(exact.as_secs(), 42);
}

#[tokio::test(start_paused = true)]
async fn an_outage_hides_everything_and_confirms_nothing() {
    let mut lab = Lab::new("api down from 10s to 40s");
    let one = host("n1", 1);
    lab.ticks.next().await;
    lab.enroll(&one).await.unwrap();
    let tick = lab.ticks.next().await.unwrap();
    assert_eq!(tick.changed.len(), 1);
    let down = lab.ticks.next().await.unwrap();
    assert!(down.all && down.as_of.is_none());
    let Sight::Down(outage) = lab.simulation.sight(&one) else {
        panic!("not down")
    };
    assert!(!outage.unauthorized);
    assert_snapshot!(outage.text, @"the simulated machines do not answer since 2026-01-01T00:00:10Z (`api down from 10s to 40s`)");
    assert!(matches!(
        lab.run(&one, Effect::Manage).await,
        Err(Fault::Unreachable(_))
    ));
    let start = tokio::time::Instant::now();
    let up = lab.ticks.next().await.unwrap();
    assert!(up.all && up.as_of.is_some());
    assert_eq!(start.elapsed().as_secs(), 30);
    assert!(lab.facts(&one).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_is_absent_and_its_hardware_runs_on() {
    let mut lab = Lab::new("lose node n* at 1m");
    let one = host("n1", 1);
    lab.provision(&one).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let changed = loop {
        let tick = lab.ticks.next().await.unwrap();
        if !tick.changed.is_empty() && lab.facts(&one).is_none() {
            break tick.changed;
        }
    };
    assert_eq!(changed[0].to_string(), "m/n1");
    assert!(lab.simulation.hardware("n1").unwrap().power);
    // It comes back as another node, which finds the disk as it was.
    lab.enroll(&one).await.unwrap();
    assert_eq!(lab.simulation.hardware("n1").unwrap().writes, 1);
}

#[tokio::test(start_paused = true)]
async fn credentials_are_wrong_until_others_are_written() {
    let mut lab = Lab::new("wrong credentials n1\nwrong credentials n2 until 30s");
    let (one, two) = (host("n1", 1), host("n2", 2));
    lab.enroll(&one).await.unwrap();
    lab.enroll(&two).await.unwrap();
    assert_eq!(lab.done(&one, Effect::Manage).await, NodeState::Enroll);
    assert_eq!(lab.done(&two, Effect::Manage).await, NodeState::Enroll);
    lab.run(
        &one,
        Effect::Amend {
            credentials: Some("v2".into()),
        },
    )
    .await
    .unwrap();
    assert_eq!(lab.done(&one, Effect::Manage).await, NodeState::Manageable);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(lab.done(&two, Effect::Manage).await, NodeState::Manageable);
}

#[tokio::test(start_paused = true)]
async fn a_lost_bmc_is_a_power_failure_until_it_answers() {
    let mut lab = Lab::new("");
    let one = host("n1", 1);
    lab.provision(&one).await;
    lab.simulation.fault("lose bmc n1 until 20s").unwrap();
    lab.ticks.next().await;
    let facts = lab.facts(&one).unwrap();
    assert_eq!(facts.fault.as_deref(), Some("power failure"));
    assert!(facts.maintenance);
    tokio::time::sleep(Duration::from_secs(21)).await;
    lab.ticks.next().await;
    assert!(!lab.facts(&one).unwrap().maintenance);
}

#[tokio::test(start_paused = true)]
async fn busy_slow_and_unauthorized_interfaces() {
    let lab = Lab::new("busy n1 2 times\napi slow 500ms until 1m\napi unauthorized from 2m");
    let one = host("n1", 1);
    let start = tokio::time::Instant::now();
    for _ in 0..2 {
        assert!(matches!(lab.enroll(&one).await, Err(Fault::Busy { .. })));
    }
    assert!(lab.enroll(&one).await.is_ok());
    assert_eq!(start.elapsed(), Duration::from_millis(1500));
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert!(matches!(
        lab.run(&one, Effect::Manage).await,
        Err(Fault::Unauthorized(_))
    ));
    let sight = lab.simulation.sight(&one);
    assert!(matches!(sight, Sight::Down(outage) if outage.unauthorized));
}

#[tokio::test(start_paused = true)]
async fn one_mac_address_is_one_machine() {
    let lab = Lab::new("");
    let one = host("n1", 1);
    lab.enroll(&one).await.unwrap();
    let mut other = host("n2", 2);
    other.spec.boot_mac_address = "52-54-00-00-00-01".into();
    let Sight::Taken(text) = lab.simulation.sight(&other) else {
        panic!("not taken")
    };
    assert_snapshot!(text, @"MAC address 52-54-00-00-00-01 conflicts with existing node m~n1");
    assert!(matches!(lab.enroll(&other).await, Err(Fault::Taken(_))));
    // Freed, it is the other's.
    lab.run(&one, Effect::Forget { force: false })
        .await
        .unwrap();
    lab.enroll(&other).await.unwrap();
    assert!(matches!(lab.simulation.sight(&one), Sight::Taken(_)));
    // An address that cannot be read is this host's own mistake.
    let mut bad = host("n3", 3);
    bad.spec.bmc.address = "telnet://x".into();
    assert!(matches!(lab.enroll(&bad).await, Err(Fault::Refused(_))));
}

#[tokio::test(start_paused = true)]
async fn settings_and_ports_drift() {
    let mut lab = Lab::new("");
    let mut one = host("n1", 1);
    lab.enroll(&one).await.unwrap();
    let facts = lab.facts(&one).unwrap();
    let drift = |lab: &Lab, host: &BareMetalHost| lab.simulation.drift(host, &facts);
    assert_eq!(drift(&lab, &one), crate::provision::Drift::default());
    one.spec.bmc.address = "redfish://192.0.2.77/s/1".into();
    assert!(drift(&lab, &one).settings);
    lab.run(&one, Effect::Amend { credentials: None })
        .await
        .unwrap();
    assert!(!drift(&lab, &one).settings);
    one.spec.boot_mac_address = "52:54:00:00:00:99".into();
    assert!(drift(&lab, &one).ports);
    lab.run(&one, Effect::Ports).await.unwrap();
    assert!(!drift(&lab, &one).ports);
    lab.done(&one, Effect::Manage).await;
    lab.done(&one, Effect::Inspect).await;
    let Ok(Ack::Inventory(Some(found))) = lab.run(&one, Effect::ReadInventory).await else {
        panic!("no inventory")
    };
    one.status.get_or_insert_default().hardware = Some(found);
    assert!(drift(&lab, &one).ports);
    lab.run(&one, Effect::Ports).await.unwrap();
    assert!(!drift(&lab, &one).ports);
}

#[test]
fn inventories_are_plausible_small_and_always_the_same() {
    for number in 0..200_u8 {
        let mac = format!("52:54:00:00:00:{number:02x}");
        let found = inventory::of(&mac, "n1");
        assert_eq!(found, inventory::of(&mac, "n1"));
        let details = found.get().unwrap();
        assert_eq!(details.nics.len(), 2);
        assert_eq!(details.nics[0].mac, mac);
        assert!(details.nics[0].pxe && !details.nics[1].pxe);
        assert!((2..=4).contains(&details.storage.len()));
        assert!(details.ram_mebibytes >= 128 * 1024 && details.cpu.count >= 32);
        let size = serde_json::to_string(&found).unwrap().len();
        assert!(size < 2000, "{size}");
    }
}

#[test]
fn scripts_tell_where_they_are_wrong() {
    let wrong = |line: &str| fault::script("faults.txt", line).unwrap_err().to_string();
    assert_snapshot!(wrong("\n# a comment\n  fail deploi r01-n03 once"), @r"
    faults.txt:3:8: `deploi` is not known here
      |   fail deploi r01-n03 once
      = help: it is one of `verify`, `inspect`, `clean`, `deploy`, `undeploy`, `adopt` and `power`
    ");
    assert_snapshot!(wrong("lose node r01-n05 at 20"), @r"
    faults.txt:1:22: `20` is not a time
      | lose node r01-n05 at 20
      = help: a time is a whole number with its unit, e.g. `500ms`, `20s`, `5m` or `1h`
    ");
    assert_snapshot!(wrong("fail deploy r01-n[3-1]"), @r"
    faults.txt:1:19: the range runs backwards, from 3 to 1
      | fail deploy r01-n[3-1]
      = help: name the hosts, e.g. `r01-n03`, `r01-n[01-04]` or `*`
    ");
    assert_snapshot!(wrong("api slow"), @r"
    faults.txt:1:9: the line ends too early
      | api slow
      = help: a time is a whole number with its unit, e.g. `500ms`, `20s`, `5m` or `1h`
    ");
    assert_snapshot!(wrong("api down from 40s to 10s"), @r"
    faults.txt:1:22: it ends before it begins
      | api down from 40s to 10s
      = help: times count from the start
    ");
    assert_snapshot!(wrong("fail power r01-n03 3 days"), @r"
    faults.txt:1:22: `days` is not known here
      | fail power r01-n03 3 days
      = help: how often is `once`, `always`, `3 times` or `2%`
    ");
    assert_snapshot!(wrong("slow bmc r01-n07 10"), @r"
    faults.txt:1:18: `10` is not a factor
      | slow bmc r01-n07 10
      = help: how many times as slow, e.g. `10x`; at most `1000x`
    ");
    assert_snapshot!(wrong("busy r01-n02 2 times more"), @r"
    faults.txt:1:22: `more` is too much
      | busy r01-n02 2 times more
      = help: nothing more is expected; one rule a line, comments begin with `#`
    ");
    assert_snapshot!(wrong("limit deploy 0"), @r"
    faults.txt:1:14: `0` is not a number from 1
      | limit deploy 0
      = help: how many machines at once, e.g. `limit deploy 20`
    ");
    assert_snapshot!(wrong("explode"), @r"
    faults.txt:1:1: `explode` is not known here
      | explode
      = help: a line begins with `fail`, `slow`, `lose`, `wrong`, `busy`, `api`, `limit` or `take`, e.g. `fail deploy r01-n03 once`
    ");
}

/// Machines in a file that outlives them.
struct Home {
    dir: tempfile::TempDir,
    clock: Clock,
}

impl Home {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: clock(),
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("machines")
    }

    fn try_open(&self, script: &str, clock: Clock) -> Result<Simulation, JournalError> {
        let mut options = Options::default();
        options.add("test", script).unwrap();
        Simulation::open(&self.path(), options, clock)
    }

    fn open(&self, script: &str) -> Lab {
        Lab::of(self.try_open(script, self.clock).unwrap())
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path(), text).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn machines_go_on_where_they_were() {
    let home = Home::new();
    let one = host("n1", 1);
    let lab = home.open("take verify 10s");
    lab.enroll(&one).await.unwrap();
    lab.run(&one, Effect::Manage).await.unwrap();
    // Killed: nothing is closed. Time passes without anybody.
    drop(lab);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let lab = home.open("take verify 10s");
    assert_eq!(lab.state(&one), NodeState::Verifying);
    assert!(matches!(
        lab.run(&one, Effect::Manage).await,
        Err(Fault::Busy { .. })
    ));
    drop(lab);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(home.open("").state(&one), NodeState::Manageable);
}

#[tokio::test(start_paused = true)]
async fn every_acknowledged_effect_is_in_the_journal() {
    let home = Home::new();
    let one = host("n1", 1);
    let mut lab = home.open("");
    lab.provision(&one).await;
    let before = lab.facts(&one).unwrap();
    let glance = lab.simulation.hardware("n1");
    drop(lab);
    let lab = home.open("");
    assert_eq!(lab.facts(&one).unwrap(), before);
    assert_eq!(lab.simulation.hardware("n1"), glance);
    assert!(matches!(
        lab.run(&one, Effect::Deploy).await,
        Err(Fault::Refused(_))
    ));
    // One line for the beginning, one for the machine.
    assert_eq!(home.text().lines().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_last_line_without_its_end_was_never_acknowledged() {
    let home = Home::new();
    let one = host("n1", 1);
    let lab = home.open("");
    lab.enroll(&one).await.unwrap();
    let enrolled = home.text();
    lab.run(&one, Effect::Manage).await.unwrap();
    drop(lab);
    let all = home.text();
    for end in enrolled.len()..all.len() {
        home.write(&all[..end]);
        assert_eq!(home.open("").state(&one), NodeState::Enroll, "{end}");
    }
    home.write(&all);
    assert_eq!(home.open("").state(&one), NodeState::Verifying);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_makes_no_sense_is_refused() {
    let home = Home::new();
    home.open("").enroll(&host("n1", 1)).await.unwrap();
    let good = home.text();
    let refused = |text: String| {
        home.write(&text);
        let error = home.try_open("", home.clock).unwrap_err();
        assert_eq!(home.text(), text, "a refused file is left as it is");
        let path = home.path().display().to_string();
        assert!(error.to_string().contains(&path));
        error.to_string().replace(&path, "PATH")
    };
    assert_snapshot!(refused(good.replace("\"state\":\"enroll\"", "\"state\":\"lost\"")), @r"PATH:2: a word that is not known; the file holds what the simulated machines remember: restore a copy of it, or move it away and the machines start anew, empty");
    assert_snapshot!(refused(good.replace("{\"machine\":", "{")), @r"PATH:2: not readable (key must be a string at line 1 column 2); the file holds what the simulated machines remember: restore a copy of it, or move it away and the machines start anew, empty");
    assert_snapshot!(refused(good.replace("\"format\":1", "\"format\":2")), @r"PATH: format 2 is newer than this metalform's (1); use the metalform that wrote it, or move the file away and the simulated machines start anew, empty");
    assert_snapshot!(refused("\u{0}\u{0}\n".to_owned()), @r"PATH:1: not readable (expected value at line 1 column 1); the file holds what the simulated machines remember: restore a copy of it, or move it away and the machines start anew, empty");
    assert_snapshot!(refused(format!("{good}{good}")), @r"PATH:3: a second beginning; the file holds what the simulated machines remember: restore a copy of it, or move it away and the machines start anew, empty");
    let dir = home.try_open("", home.clock).unwrap_err();
    assert_eq!(dir.code(), "MachinesCorrupt");
    std::fs::remove_file(home.path()).unwrap();
    std::fs::create_dir(home.path()).unwrap();
    assert_eq!(
        home.try_open("", home.clock).unwrap_err().code(),
        "MachinesUnreadable"
    );
}

#[tokio::test(start_paused = true)]
async fn rules_know_over_a_restart_what_they_did() {
    let home = Home::new();
    let script = "fail verify n1 once\nlose node n1 at 1m";
    let one = host("n1", 1);
    let mut lab = home.open(script);
    lab.enroll(&one).await.unwrap();
    assert_eq!(lab.done(&one, Effect::Manage).await, NodeState::Enroll);
    lab.simulation.fault("fail inspect n1 once").unwrap();
    drop(lab);
    let mut lab = home.open(script);
    assert_eq!(lab.done(&one, Effect::Manage).await, NodeState::Manageable);
    assert_eq!(
        lab.done(&one, Effect::Inspect).await,
        NodeState::InspectFailed
    );
    drop(lab);
    // What was to happen while nobody was there happens at the next start, once.
    tokio::time::sleep(Duration::from_mins(1)).await;
    let mut lab = home.open(script);
    lab.ticks.next().await;
    assert!(lab.facts(&one).is_none());
    lab.enroll(&one).await.unwrap();
    drop(lab);
    let mut lab = home.open(script);
    lab.ticks.next().await;
    assert_eq!(lab.done(&one, Effect::Manage).await, NodeState::Manageable);
    assert_eq!(lab.done(&one, Effect::Inspect).await, NodeState::Manageable);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_was_set_back_does_not_stop_the_machines() {
    let home = Home::new();
    let one = host("n1", 1);
    let lab = home.open("take verify 10s");
    lab.enroll(&one).await.unwrap();
    lab.run(&one, Effect::Manage).await.unwrap();
    drop(lab);
    let yesterday = Clock::starting_at("2025-12-31T00:00:00Z".parse::<Timestamp>().unwrap());
    let lab = Lab::of(home.try_open("", yesterday).unwrap());
    assert_eq!(lab.state(&one), NodeState::Verifying);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(lab.state(&one), NodeState::Manageable);
}

#[tokio::test(start_paused = true)]
async fn the_journal_holds_no_secret_and_is_written_anew() {
    use crate::secrets::Sealed;
    let home = Home::new();
    let one = Arc::new(host("n1", 1));
    let lab = home.open("");
    let bmc = Some((Sealed::new("canary-user"), Sealed::new("canary-password")));
    let secrets = JobSecrets {
        bmc,
        user_data: Some(Sealed::new("canary-data")),
        ..JobSecrets::default()
    };
    let effect = Effect::Enroll {
        credentials: "v1".into(),
    };
    let job = Job {
        host: Arc::clone(&one),
        effect,
        secrets,
        facts: None,
    };
    lab.simulation.run(job).await.unwrap();
    assert!(!home.text().contains("canary"));
    // Some 5 MB of changes are folded into one line.
    for _ in 0..15_000 {
        lab.run(&one, Effect::Amend { credentials: None })
            .await
            .unwrap();
    }
    assert!(home.text().len() < 4 << 20);
    drop(lab);
    assert_eq!(home.open("").state(&one), NodeState::Enroll);
    assert_eq!(home.text().lines().count(), 2);
}

#[test]
fn options_come_from_the_spec() {
    let mut spec = crate::fleet::Simulation {
        pace: Some(4),
        seed: 9,
        faults: ["limit deploy 3", "fail deploy * once", "fail power n1"]
            .map(Into::into)
            .to_vec(),
        fault_percent: 2,
    };
    let options = Options::from_spec(&spec).unwrap();
    assert_eq!(
        (options.pace, options.seed, options.fault_permille),
        (4, 9, 20)
    );
    assert_eq!((options.rules.len(), options.limits.deploy), (2, 3));
    let refused =
        |spec: &crate::fleet::Simulation| Options::from_spec(spec).unwrap_err().to_string();
    spec.faults.push("fail power".into());
    assert_snapshot!(refused(&spec), @r"
    fault 4: the spec:1:11: the line ends too early
      | fail power
      = help: name the hosts, e.g. `r01-n03`, `r01-n[01-04]` or `*`
    ");
    spec.pace = Some(0);
    assert_snapshot!(refused(&spec), @r"`pace` is 0: nothing would ever happen; 1 is a lab's pace, 10 is ten times as fast");
}

#[test]
fn every_rule_in_the_guide_can_be_read() {
    let guide = include_str!("../../../docs/simulation.md");
    let mut blocks = guide.split("\n```\n");
    // The first block without a language is the one with the rules.
    let rules = blocks
        .find(|block| block.starts_with("fail power"))
        .unwrap();
    let read = fault::script("docs/simulation.md", rules).unwrap();
    let lines = rules.lines().filter(|line| !line.trim().is_empty()).count();
    assert_eq!(read.len(), lines);
    assert!(lines > 20);
    // The spec there says what it seems to say.
    let spec = guide
        .split("```kdl\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let disk = crate::vfs::MemoryDisk::new().with("/lab/fleet.kdl", spec);
    let inputs = crate::eval::Inputs {
        disk: &disk,
        root: std::path::Path::new("/lab"),
        params: None,
        limits: crate::eval::Limits::default(),
    };
    let found = crate::eval::evaluate(&inputs, &mut crate::eval::Cache::default());
    assert!(found.diagnostics.is_empty(), "{:?}", found.diagnostics);
    let spec = found.fleet.simulation.clone().unwrap();
    let options = Options::from_spec(&spec).unwrap();
    assert_eq!(
        (options.rules.len(), options.fault_permille, options.pace),
        (2, 20, 1)
    );
    // The grammar there is the one beside the reader.
    let reader = include_str!("fault/parse.rs");
    let grammar = guide
        .split("```text\n")
        .find(|block| block.starts_with("rule   ="))
        .unwrap();
    for line in grammar.split("```").next().unwrap().lines() {
        assert!(reader.contains(line), "{line}");
    }
}
