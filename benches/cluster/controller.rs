//! The controller of the bench: the binary, with the administrator's rights.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::server::Server;

/// A running controller. It ends with the value.
pub struct Controller {
    child: Child,
    log: PathBuf,
}

impl Controller {
    pub fn start(server: &Server, namespace: &str, log: &Path, arguments: &[&str]) -> Self {
        let out = File::create(log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_metalform"))
            .env("KUBECONFIG", server.kubeconfig())
            .args(["controller", "--listen=none", "--namespace", namespace])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// Waits until it says this.
    pub fn says(&self, what: &str) {
        let began = Instant::now();
        while !std::fs::read_to_string(&self.log)
            .unwrap_or_default()
            .contains(what)
        {
            assert!(began.elapsed() < PATIENCE, "it did not say {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Seconds of CPU that it used.
    pub fn cpu(&self) -> f64 {
        let text = self.proc("stat");
        let fields: Vec<&str> = text
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        // User and system time, in hundredths.
        (ticks(11).unwrap_or_default() + ticks(12).unwrap_or_default()) / 100.0
    }

    /// What it has in memory, in MB.
    pub fn memory(&self) -> f64 {
        self.megabytes("VmRSS:")
    }

    /// The most that it had.
    pub fn peak(&self) -> f64 {
        self.megabytes("VmHWM:")
    }

    fn megabytes(&self, name: &str) -> f64 {
        let text = self.proc("status");
        let line = text.lines().find(|line| line.starts_with(name));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        (kilobytes.unwrap_or_default() / 1024.0).round()
    }

    fn proc(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap_or_default()
    }

    /// Asks it to end, and waits.
    pub fn stop(mut self) {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
