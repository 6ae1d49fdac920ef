//! A spec that is mounted: from a ConfigMap as the kubelet writes it, and from git as git-sync does.
//! Both put another folder in the place of the one that was read, and take that away at once.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::controller::{Controller, Site, until};

/// How often a spec is replaced while it is being read.
const SWAPS: usize = 24;

/// The root file of a spec whose hosts are in other files.
fn root(site: &Site, files: &str, more: &str) -> String {
    format!(
        "/- kdl-version 2\nspec small namespace={} {{ simulated; }}\nimport \"{files}\"\neach {{\n \
         bmc address=\"redfish://127.0.0.1:${{8000 + host.slot}}/redfish/v1/Systems/1\" \
         credentials=(secret)bmc\n boot mac=\"${{mac('52:54:00:02:00:00', host.slot)}}\"\n}}\n{more}",
        site.namespace
    )
}

/// So many hosts, all described so.
fn hosts(count: usize, description: &str) -> String {
    format!("/- kdl-version 2\nhost \"w[slot=1-{count}]\" {{ description \"{description}\"; }}\n")
}

/// Lets a link lead elsewhere at once.
fn lead(link: &Path, to: &str, by: &str) {
    let new = link.with_file_name(by);
    symlink(to, &new).unwrap();
    fs::rename(new, link).unwrap();
}

/// A ConfigMap's folder, as the kubelet keeps it: files are links through `..data`.
struct Volume {
    path: PathBuf,
    versions: usize,
}

impl Volume {
    fn new(path: PathBuf, files: &[(&str, String)]) -> Self {
        let mut volume = Self { path, versions: 0 };
        volume.swap(files);
        volume.name(files);
        volume
    }

    /// New contents, by names in the folder that `..data` leads to. Those above are as before.
    fn swap(&mut self, files: &[(&str, String)]) {
        self.versions += 1;
        let version = format!("..2026_11_28_00_00_00.{}", self.versions);
        fs::create_dir_all(self.path.join(&version)).unwrap();
        for (name, text) in files {
            fs::write(self.path.join(&version).join(name), text).unwrap();
        }
        lead(&self.path.join("..data"), &version, "..data_tmp");
    }

    /// The rest of it: names come, names go, and so does what was there before.
    fn name(&self, files: &[(&str, String)]) {
        for (name, _) in files {
            let link = self.path.join(name);
            if fs::symlink_metadata(&link).is_err() {
                symlink(Path::new("..data").join(name), link).unwrap();
            }
        }
        let now = fs::read_link(self.path.join("..data")).unwrap();
        for entry in fs::read_dir(&self.path).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                if *name != *now {
                    fs::remove_dir_all(entry.path()).unwrap();
                }
            } else if name != "..data" && files.iter().all(|(known, _)| *known != name) {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }

    fn becomes(&mut self, files: &[(&str, String)]) {
        self.swap(files);
        self.name(files);
    }
}

/// A repository, and beside it the folder in which git-sync keeps its latest commit as `current`.
struct Sync {
    origin: PathBuf,
    root: PathBuf,
    commits: usize,
    /// The folder that was current stays for a while (`--stale-worktree-timeout`).
    stays: bool,
}

/// Where in the repository the spec is.
const INNER: &str = "fleets/lab";

impl Sync {
    fn new(site: &Site, files: &[(&str, String)]) -> Self {
        let (origin, root) = (site.path("origin"), site.path("sync"));
        for folder in [&origin, &root] {
            fs::create_dir_all(folder).unwrap();
            git(folder, &["init", "-q"]);
        }
        let mut sync = Self {
            origin,
            root,
            commits: 0,
            stays: false,
        };
        sync.becomes(files);
        sync
    }

    /// The path that a controller is given.
    fn specs(&self) -> PathBuf {
        self.root.join("current").join(INNER)
    }

    /// A commit of these files alone, fetched and put in place of the one before.
    fn becomes(&mut self, files: &[(&str, String)]) {
        let tree = self.origin.join(INNER);
        if tree.exists() {
            fs::remove_dir_all(&tree).unwrap();
        }
        for (name, text) in files {
            let path = tree.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self.commits += 1;
        git(&self.origin, &["add", "--all"]);
        let message = format!("{}", self.commits);
        git(
            &self.origin,
            &["commit", "-q", "--allow-empty", "-m", &message],
        );
        let origin = self.origin.to_str().unwrap();
        git(&self.root, &["fetch", "-q", "--depth=1", origin, "HEAD"]);
        let hash = git(&self.root, &["rev-parse", "FETCH_HEAD"]);
        let tree = format!(".worktrees/{hash}");
        let add = ["worktree", "add", "--force", "--detach", "--no-checkout"];
        git(&self.root, &[&add[..], &[&tree, &hash]].concat());
        let new = self.root.join(&tree);
        git(&new, &["reset", "-q", "--hard", &hash, "--"]);
        let link = self.root.join("current");
        let before = fs::read_link(&link).ok();
        lead(&link, &tree, "tmp-link");
        if let Some(before) = before.filter(|_| !self.stays) {
            fs::remove_dir_all(self.root.join(before)).unwrap();
            git(&self.root, &["worktree", "prune"]);
        }
    }
}

/// Runs git, with no settings of whoever runs the test; answers what it printed.
#[track_caller]
fn git(folder: &Path, arguments: &[&str]) -> String {
    let done = Command::new("git")
        .args(["-c", "user.name=test", "-c", "user.email=test@localhost"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "git {arguments:?}: {err}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

impl Site {
    fn follow(&self, name: &str, specs: &Path) -> Controller {
        self.credentials("bmc", "calvin");
        self.simulate(name, &["--specs", specs.to_str().unwrap()])
    }

    fn told(&self) -> Value {
        self.get("fleets/small")["status"].take()
    }

    /// Waits until the Fleet tells that so many hosts are as a spec wants them that it did not know
    /// before. Answers its status.
    #[track_caller]
    fn settles(&self, count: usize, before: &Value) -> Value {
        let is_settled = |status: &Value| {
            let digest = &status["lastGood"]["digest"];
            digest.is_string()
                && *digest != before["lastGood"]["digest"]
                && *digest == status["digest"]
                && status["hosts"]["total"] == count
                && status["hosts"]["ready"] == count
                && reason(status, "Ready") == "Settled"
        };
        until(
            || is_settled(&self.told()),
            || format!("not {count} hosts after {before}: {}", self.told()),
        );
        self.told()
    }

    /// Hosts by name, each with what makes it this one and no other.
    #[track_caller]
    fn identities(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let hosts = self.hosts().into_iter();
        hosts
            .map(|host| {
                let meta = &host["metadata"];
                assert!(meta["deletionTimestamp"].is_null(), "{meta}");
                (text(&meta["name"]), text(&meta["uid"]))
            })
            .collect()
    }

    /// All hosts are described so.
    #[track_caller]
    fn are_described(&self, as_what: &str) {
        for host in self.hosts() {
            assert_eq!(host["spec"]["description"], as_what, "{host}");
        }
    }
}

fn reason(status: &Value, kind: &str) -> String {
    let all = status["conditions"].as_array();
    let found = all.into_iter().flatten().find(|one| one["type"] == kind);
    let reason = found.map(|one| one["reason"].as_str().unwrap_or_default());
    reason.unwrap_or_default().to_owned()
}

/// Other phases of the one who reads, each time.
fn pause(turn: usize) {
    std::thread::sleep(Duration::from_millis((turn as u64 * 67) % 400));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_is_followed_and_its_swaps_take_nothing_away() {
    let Some(site) = Site::shared("mounted").await else {
        return;
    };
    let files = |name: &'static str, count: usize, description: &str| {
        let fleet = root(&site, "hosts-*.kdl", "");
        [("fleet.kdl", fleet), (name, hosts(count, description))]
    };
    let mount = site.path("mount");
    let first = files("hosts-1.kdl", 3, "first");
    let mut volume = Volume::new(mount.clone(), &first);
    let _controller = site.follow("mounted", &mount);
    let good = site.settles(3, &Value::Null);
    let made = site.identities();
    assert_eq!(good["source"]["path"], mount.to_str().unwrap());
    site.are_described("first");

    // The new contents are there before their names are, and the old names lead nowhere.
    let second = files("hosts-2.kdl", 4, "second");
    volume.swap(&second);
    let good = site.settles(4, &good);
    site.are_described("second");
    volume.name(&second);

    // One that is broken changes nothing, and is told by the names that stay.
    let mut broken = second.clone();
    broken[1].1.push_str("host {");
    volume.becomes(&broken);
    let is_told = || reason(&site.told(), "Valid") == "SpecErrors";
    until(is_told, || format!("no error: {}", site.told()));
    let told = site.told();
    assert_eq!(told["findings"][0]["file"], "hosts-2.kdl", "{told}");
    assert_eq!(told["lastGood"], good["lastGood"]);
    assert_eq!(told["hosts"]["total"], 4);

    // Often, with other names each time, and never waiting for who reads.
    for turn in 0..SWAPS {
        let name = ["hosts-1.kdl", "hosts-2.kdl"][turn % 2];
        volume.becomes(&files(name, 4, &format!("turn {turn}")));
        pause(turn);
    }
    volume.becomes(&files("hosts-3.kdl", 5, "last"));
    let good = site.settles(5, &good);
    site.are_described("last");
    let now = site.identities();
    for (name, uid) in &made {
        assert_eq!(now.get(name), Some(uid), "{name} went in between");
    }

    // What the files do not name any more goes.
    volume.becomes(&files("hosts-3.kdl", 2, "last"));
    site.settles(2, &good);
    let left: Vec<String> = site.identities().into_keys().collect();
    assert_eq!(left, ["w1", "w2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_of_git_sync_is_followed_and_its_swaps_take_nothing_away() {
    let Some(site) = Site::shared("synced").await else {
        return;
    };
    let files = |name: &'static str, count: usize, description: &str| {
        let fleet = root(&site, "racks/*.kdl", "");
        [("fleet.kdl", fleet), (name, hosts(count, description))]
    };
    let mut sync = Sync::new(&site, &files("racks/r1.kdl", 3, "first"));
    let specs = sync.specs();
    let _controller = site.follow("synced", &specs);
    let good = site.settles(3, &Value::Null);
    let made = site.identities();
    assert_eq!(good["source"]["path"], specs.to_str().unwrap());

    sync.stays = true;
    sync.becomes(&files("racks/r2.kdl", 4, "second"));
    let good = site.settles(4, &good);
    site.are_described("second");

    sync.stays = false;
    let mut broken = files("racks/r2.kdl", 4, "third");
    broken[1].1.push_str("host {");
    sync.becomes(&broken);
    let is_told = || reason(&site.told(), "Valid") == "SpecErrors";
    until(is_told, || format!("no error: {}", site.told()));
    let told = site.told();
    assert_eq!(told["findings"][0]["file"], "racks/r2.kdl", "{told}");
    assert_eq!(told["lastGood"], good["lastGood"]);

    // A commit from which the spec is gone, and then is back.
    sync.becomes(&[]);
    let is_told = || reason(&site.told(), "Valid") == "SourceUnreadable";
    until(is_told, || format!("not missed: {}", site.told()));
    assert_eq!(site.told()["lastGood"], good["lastGood"]);

    for turn in 0..SWAPS {
        let name = ["racks/r1.kdl", "racks/r2.kdl"][turn % 2];
        sync.becomes(&files(name, 4, &format!("turn {turn}")));
        pause(turn);
    }
    sync.becomes(&files("racks/r3.kdl", 5, "last"));
    let good = site.settles(5, &good);
    site.are_described("last");
    let now = site.identities();
    for (name, uid) in &made {
        assert_eq!(now.get(name), Some(uid), "{name} went in between");
    }

    sync.becomes(&files("racks/r3.kdl", 2, "last"));
    site.settles(2, &good);
    let left: Vec<String> = site.identities().into_keys().collect();
    assert_eq!(left, ["w1", "w2"]);
}
