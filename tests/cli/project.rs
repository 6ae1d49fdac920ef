//! A project in a temporary folder and the processes that work on it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before the test fails. Long, because a loaded machine is no bug.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Four machines of one pool that settle within a second.
pub const WORKERS: &str = r#"/- kdl-version 2
spec small { simulated pace=50; secrets secrets; }
each {
    bmc address="redfish://127.0.0.1:${8000 + host.slot}/redfish/v1/Systems/1" credentials=(secret)bmc
    boot mac="${mac('52:54:00:01:00:00', host.slot)}"
}
image debian {
    url "https://127.0.0.1:8443/debian-1.qcow2"
    checksum "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
}
host "w[slot=1-4]" { labels role=worker; }
pool workers { select role=worker; deploy debian { user-data (secret)cloud; }; rollout max-unavailable=2; }
"#;

/// A folder with a spec. It goes with the value.
pub struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    /// A folder with nothing in it.
    pub fn empty() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A folder whose `fleet.kdl` says this, after the line that says which KDL it is.
    pub fn of(text: &str) -> Self {
        let project = Self::empty();
        project.write("fleet.kdl", &format!("/- kdl-version 2\n{text}"));
        project
    }

    /// [`WORKERS`] with their secrets.
    pub fn workers() -> Self {
        let project = Self::empty();
        project.write("fleet.kdl", WORKERS);
        project.write("secrets/bmc/username", "admin");
        project.write("secrets/bmc/password", "calvin");
        project.write("secrets/cloud/userData", "#cloud-config\n");
        project
    }

    /// A copy of `specs/lab` whose machines are `pace` times as fast.
    pub fn lab(pace: u32) -> Self {
        let project = Self::empty();
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/lab"),
            project.dir.path(),
        );
        project.edit("fleet.kdl", "pace=1 ", &format!("pace={pace} "));
        project
    }

    /// Where a file of the project is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Saves a file, its folders made.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // As editors save: whole, by rename.
        let next = path.with_extension("new~");
        fs::write(&next, text).unwrap();
        fs::rename(&next, &path).unwrap();
    }

    /// What a file says.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces a text that has to be there, and saves.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} does not say `{from}`:\n{text}");
        self.write(name, &text.replace(from, to));
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Done {
        self.start(args).end()
    }

    /// Starts a command in the project's folder.
    pub fn start(&self, args: &[&str]) -> Running {
        self.start_with(args, &[])
    }

    /// Starts a command in a folder of the project, from a shell that says so.
    pub fn start_in(&self, folder: &str, args: &[&str]) -> Running {
        let folder = self.path(folder);
        self.spawn(&folder, args, &[("PWD", folder.to_str().unwrap())])
    }

    /// Starts a command with these variables.
    pub fn start_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Running {
        self.spawn(self.dir.path(), args, variables)
    }

    fn spawn(&self, folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Running {
        let logs = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(logs.path().join(name)).unwrap();
        let (out, err) = (file("out"), file("err"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_metalform"));
        command.args(args).current_dir(folder).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        Running {
            child: command.spawn().unwrap(),
            logs,
            dir: self.dir.path().canonicalize().unwrap(),
        }
    }

    /// All hosts of the store, as `get` gives them.
    pub fn hosts(&self) -> Vec<Value> {
        let done = self.run(&["get", "-o", "json"]);
        if done.out.is_empty() {
            return Vec::new();
        }
        let list: Value = serde_json::from_str(&done.out).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// Names of all hosts, in order.
    pub fn names(&self) -> Vec<String> {
        self.hosts()
            .iter()
            .map(|host| text(&host["metadata"]["name"]))
            .collect()
    }

    /// Waits until the hosts are as wanted.
    #[track_caller]
    pub fn until(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) {
        self.until_within(PATIENCE, what, wanted);
    }

    /// Waits so long until the hosts are as wanted.
    #[track_caller]
    pub fn until_within(&self, limit: Duration, what: &str, wanted: impl Fn(&[Value]) -> bool) {
        let started = Instant::now();
        loop {
            let hosts = self.hosts();
            if wanted(&hosts) {
                return;
            }
            assert!(
                started.elapsed() < limit,
                "not so within {limit:?}: {what}\n{hosts:#?}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Whether there are so many hosts and all of them are provisioned.
pub fn provisioned(hosts: &[Value], count: usize) -> bool {
    hosts.len() == count
        && hosts
            .iter()
            .all(|host| host["status"]["provisioning"]["state"] == "provisioned")
}

/// A JSON string's text.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // A person may have run the lab where it is.
        if entry.file_name() == ".metalform" {
            continue;
        }
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A command that ended.
#[derive(Debug)]
pub struct Done {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output; the project's folder reads `[project]`.
    pub out: String,
    /// Standard error; the project's folder reads `[project]`.
    pub err: String,
}

impl Done {
    /// Fails unless it ended with this code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }
}

/// A command that runs. It is killed when the value goes.
pub struct Running {
    child: Child,
    logs: tempfile::TempDir,
    dir: PathBuf,
}

impl Running {
    /// What it wrote to standard error so far.
    pub fn err(&self) -> String {
        self.log("err")
    }

    fn log(&self, name: &str) -> String {
        let bytes = fs::read(self.logs.path().join(name)).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        text.replace(self.dir.to_str().unwrap(), "[project]")
    }

    /// Waits until standard error says so.
    #[track_caller]
    pub fn says(&mut self, wanted: &str) {
        self.says_times(wanted, 1);
    }

    /// Waits until standard error says so that many times.
    #[track_caller]
    pub fn says_times(&mut self, wanted: &str, times: usize) {
        let started = Instant::now();
        while self.err().matches(wanted).count() < times {
            let ended = self.child.try_wait().unwrap();
            let late = started.elapsed() > PATIENCE;
            assert!(
                ended.is_none() && !late,
                "no `{wanted}` ({ended:?}):\n{}",
                self.err()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal, by name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id();
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {pid}")])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Kills it as `kill -9` does and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends Ctrl-C and waits; 5 s are promised.
    pub fn interrupt(self) -> Done {
        self.signal("INT");
        let started = Instant::now();
        let done = self.end();
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "took {:?}",
            started.elapsed()
        );
        done
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(self) -> Done {
        self.end_within(PATIENCE)
    }

    /// Waits so long for its end.
    #[track_caller]
    pub fn end_within(mut self, limit: Duration) -> Done {
        let status = self.wait(limit);
        Done {
            code: status.code(),
            out: self.log("out"),
            err: self.log("err"),
        }
    }

    #[track_caller]
    fn wait(&mut self, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < limit, "does not end:\n{}", self.err());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ended already in most tests.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
