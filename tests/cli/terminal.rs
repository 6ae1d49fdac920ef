//! What is only there on a terminal: the question, and the table that updates in place.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::project::{PATIENCE, Project, provisioned};

/// A command on a terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn start(project: &Project, args: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let tty = rustix::fs::open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let tty = File::from(tty);
        let stdio = || Stdio::from(tty.try_clone().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_metalform"));
        command.args(args).current_dir(project.path("")).env_clear();
        command.env("TERM", "xterm");
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        let child = command.spawn().unwrap();
        drop((command, tty));
        let keys = File::from(master);
        let mut screen = keys.try_clone().unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&shown);
        // It ends with the terminal's other side.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                seen.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self { child, keys, shown }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Waits until it shows this.
    #[track_caller]
    fn shows(&self, text: &str) {
        let started = Instant::now();
        while !self.shown().contains(text) {
            let late = started.elapsed() > PATIENCE;
            assert!(!late, "no `{text}`:\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for its end; the exit code and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What was written last may be on its way to the reader.
                std::thread::sleep(Duration::from_millis(50));
                return (status.code(), self.shown());
            }
            let late = started.elapsed() > PATIENCE;
            assert!(!late, "does not end:\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It ended already in most tests.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn apply_asks_and_takes_only_yes() {
    let project = Project::workers();
    // `n`, nothing, and the end of the input.
    for keys in ["n\n", "\n", "\u{4}"] {
        let mut terminal = Terminal::start(&project, &["apply"]);
        terminal.shows("4 to create, 0 to change, 0 to delete, 0 unchanged");
        terminal.shows("Carry this out? [y/N] ");
        terminal.types(keys);
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(1), "{shown}");
        assert!(
            shown.contains("not confirmed; nothing was changed"),
            "{shown}"
        );
        assert!(project.names().is_empty());
    }
}

#[test]
fn what_is_carried_out_is_what_was_shown() {
    let project = Project::workers();
    let mut terminal = Terminal::start(&project, &["apply"]);
    terminal.shows("Carry this out? [y/N] ");
    // Saved between the question and the answer, and again while it goes on.
    project.edit("fleet.kdl", "w[slot=1-4]", "w[slot=1-5]");
    terminal.types("y\n");
    // The first table; which states are seen in one is a matter of luck.
    terminal.shows("small on simulated machines");
    project.edit("fleet.kdl", "w[slot=1-5]", "w[slot=1-6]");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(provisioned(&project.hosts(), 4));
    assert_eq!(shown.matches("4 to create").count(), 1, "{shown}");
    // The table was drawn in the place of the last one.
    assert!(shown.contains("A\r\u{1b}[J"), "{shown}");
    assert!(
        shown.contains("settled: 4 hosts are as the spec says"),
        "{shown}"
    );
}

#[test]
fn a_plan_that_is_not_current_any_more_is_not_carried_out() {
    let project = Project::workers();
    let mut terminal = Terminal::start(&project, &["apply"]);
    terminal.shows("Carry this out? [y/N] ");
    // Somebody else was faster.
    project.run(&["run", "--until-settled"]).code(0);
    terminal.types("y\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(5), "{shown}");
    assert!(
        shown.contains("the plan is not current any more"),
        "{shown}"
    );
}
