//! Whose machines are driven: never others than the spec says, and never in silence.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::project::{PATIENCE, Project, provisioned};

/// An Ironic that knows no node and never answers a write: enough to see what reaches it.
struct Mute {
    url: String,
    /// Method and path of each request.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Mute {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || serve(&stream.unwrap(), &log));
            }
        });
        Self { url, asked }
    }

    fn was_asked(&self, what: &str) -> bool {
        let asked = self.asked.lock().unwrap();
        asked.iter().any(|line| line.starts_with(what))
    }
}

/// Answers one connection's requests until it closes.
fn serve(stream: &TcpStream, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut out = stream;
    loop {
        let mut first = String::new();
        reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let line = line.trim_end().to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink()).ok()?;
        let mut words = first.split(' ');
        let (method, path) = (words.next()?, words.next()?);
        log.lock().unwrap().push(format!("{method} {path}"));
        if method != "GET" {
            // It hangs, as one whose database is locked does.
            std::thread::sleep(std::time::Duration::from_mins(10));
        }
        let body = if path.starts_with("/v1/nodes") {
            r#"{"nodes": []}"#
        } else if path.starts_with("/v1/ports") {
            r#"{"ports": []}"#
        } else if path.starts_with("/v1/drivers") {
            r#"{"drivers": [{"name": "redfish"}]}"#
        } else {
            r#"{"version": {"id": "v1", "min_version": "1.1", "version": "1.110"}}"#
        };
        let version = "X-OpenStack-Ironic-API-Minimum-Version: 1.1\r\n\
                       X-OpenStack-Ironic-API-Maximum-Version: 1.110\r\n\
                       X-OpenStack-Ironic-API-Version: 1.110\r\n";
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{version}Content-Length: {}\r\n\r\n",
            body.len()
        );
        out.write_all(format!("{head}{body}").as_bytes()).ok()?;
    }
}

/// One host that names its Ironic, as `docs/language.md` has it.
fn named(url: &str) -> Project {
    let project = Project::of(&format!(
        r#"spec fra1 {{ secrets secrets; }}
ironic fra1 {{ url "{url}"; }}
host n1 {{
    driven-by fra1
    bmc address="redfish://127.0.0.1:8000/redfish/v1/Systems/1" credentials=(secret)bmc
    boot mac="52:54:00:00:00:01"
}}
"#
    ));
    project.write("secrets/bmc/username", "admin");
    project.write("secrets/bmc/password", "calvin");
    project
}

/// Waits until the Ironic was asked this.
#[track_caller]
fn until_asked(ironic: &Mute, what: &str) {
    let started = std::time::Instant::now();
    while !ironic.was_asked(what) {
        assert!(
            started.elapsed().as_secs() < 60,
            "no `{what}`: {:?}",
            ironic.asked.lock().unwrap()
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_host_may_name_the_only_ironic_and_a_hanging_one_is_left_within_seconds() {
    let ironic = Mute::start();
    let project = named(&ironic.url);
    let running = project.start(&["run"]);
    until_asked(&ironic, "POST /v1/nodes");
    // The write hangs; the end does not wait for it.
    let done = running.interrupt().code(0);
    assert!(!done.err.contains("no Ironic named"), "{}", done.err);
}

#[test]
fn an_ironic_of_the_command_line_takes_the_place_of_the_named_one() {
    let ironic = Mute::start();
    // Nobody is there: the flag wins.
    let project = named("http://127.0.0.1:9");
    let running = project.start(&["run", "--ironic", &ironic.url]);
    until_asked(&ironic, "POST /v1/nodes");
    running.interrupt().code(0);
}

#[test]
fn an_ironic_beside_simulated_is_refused() {
    let ironic = Mute::start();
    let project = Project::workers();
    let variable = [("METALFORM_IRONIC", ironic.url.as_str())];
    let done = project
        .start_with(&["run", "--until-settled"], &variable)
        .end()
        .code(3);
    assert_snapshot!(done.err, @r"
    error: the spec says `simulated`, and --ironic (or METALFORM_IRONIC) names an Ironic
      help: leave one of them out: invented machines have no place in an Ironic
    ");
    assert!(!ironic.was_asked("GET"));
    assert!(project.names().is_empty());
}

#[test]
fn statuses_of_simulated_machines_are_not_taken_for_real_ones() {
    let ironic = Mute::start();
    let project = Project::workers();
    project.run(&["run", "--until-settled"]).code(0);
    let real = format!("ironic real {{ url \"{}\"; }}\nspec small {{ ", ironic.url);
    project.edit("fleet.kdl", "spec small { simulated pace=50; ", &real);
    for verb in [&["run", "--until-settled"][..], &["apply", "--yes"]] {
        let done = project.run(verb).code(5);
        let said = format!(
            "error: w[1-4] have their machines at simulated machines, not at Ironic at {}",
            ironic.url
        );
        assert!(done.err.contains(&said), "{}", done.err);
        assert!(done.err.contains("/.metalform away"), "{}", done.err);
    }
    assert!(!ironic.was_asked("POST"));
    assert!(provisioned(&project.hosts(), 4));
}

#[test]
fn what_drives_the_machines_is_not_exchanged_while_they_are_driven() {
    let project = Project::workers();
    let mut running = project.start(&["run"]);
    project.until("provisioned", |hosts| provisioned(hosts, 4));
    let good = project.read("fleet.kdl");
    let more = good.replace("w[slot=1-4]", "w[slot=1-5]");
    for (what, edited) in [
        (
            "`simulated`",
            more.replace(
                "spec small { simulated pace=50; ",
                "ironic real { url \"http://127.0.0.1:9\"; }\nspec small { ",
            ),
        ),
        ("`simulated`", more.replace("pace=50", "pace=60")),
        (
            "`secrets`",
            more.replace("secrets secrets", "secrets others"),
        ),
    ] {
        let before = running.err().len();
        project.write("fleet.kdl", &edited);
        let said = format!("{what} changed, which the process that runs reads at its start only");
        let started = Instant::now();
        while !running.err()[before..].contains(&said) {
            assert!(started.elapsed() < PATIENCE, "not said: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(project.names(), ["w1", "w2", "w3", "w4"], "kept: {what}");
        let plan = project.run(&["plan"]).code(0).out;
        assert!(
            plan.contains("keeps the last good fleet, not this one: "),
            "{plan}"
        );
    }
    project.write("fleet.kdl", &more);
    running.says("1 to create, 0 to change, 0 to delete, 4 unchanged");
    project.until("five", |hosts| provisioned(hosts, 5));
    running.interrupt().code(0);
}

#[test]
fn secrets_of_another_folder() {
    let project = Project::workers();
    std::fs::rename(project.path("secrets"), project.path("elsewhere")).unwrap();
    let mut running = project.start(&["run"]);
    running.says("secret `bmc` not found: tried ./secrets/bmc");
    running.interrupt().code(0);
    project
        .run(&["run", "--until-settled", "--secrets", "elsewhere"])
        .code(0);
    assert!(provisioned(&project.hosts(), 4));
}
