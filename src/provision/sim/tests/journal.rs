//! Machines in a file that outlives the process.

use super::*;

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
        fence: crate::fence::Fence::none(),
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

#[tokio::test(start_paused = true)]
async fn what_is_done_while_it_is_written_anew_is_in_it() {
    let home = Home::new();
    let one = host("n1", 1);
    let lab = home.open("");
    lab.enroll(&one).await.unwrap();
    let mut length = 0;
    for version in 0..20_000 {
        let credentials = Some(format!("v{version}").into());
        lab.run(&one, Effect::Amend { credentials }).await.unwrap();
        let last = std::mem::replace(&mut length, std::fs::metadata(home.path()).unwrap().len());
        if length < last {
            let text = home.text();
            let kept = text.lines().last().unwrap();
            assert!(kept.contains(&format!("\"v{version}\"")), "{kept}");
            return;
        }
    }
    panic!("never written anew: {length}");
}
