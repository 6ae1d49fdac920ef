//! On real folders, with the real watcher and with polling alone.

use std::os::unix::fs::symlink;

use super::*;
use crate::vfs::{Limits, RealDisk, Root};

/// Longer than any change takes to be seen.
const SOON: Duration = Duration::from_secs(5);
/// Long enough to be sure that nothing comes.
const A_WHILE: Duration = Duration::from_millis(600);

fn options() -> Options {
    // Polling would hide what the watcher misses.
    Options {
        poll: Duration::from_hours(1),
        gone: Duration::from_millis(200),
        ..Options::default()
    }
}

/// A folder with `a.kdl` and `racks/r1.kdl`, and a watch on them and on the list of `racks`.
struct Scene {
    folder: tempfile::TempDir,
    watch: Watch,
}

impl Scene {
    async fn new() -> Self {
        Self::with(options()).await
    }

    async fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("racks")).expect("a folder");
        fs::write(folder.path().join("a.kdl"), "a").expect("a file");
        fs::write(folder.path().join("racks/r1.kdl"), "r1").expect("a file");
        let watch = Watch::new(options);
        let mut scene = Self { folder, watch };
        scene.watch_usual();
        scene.quiet().await;
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    fn watch_usual(&mut self) {
        let paths = ["a.kdl", "racks", "racks/r1.kdl"].map(|name| self.path(name));
        self.watch.replace(paths, &Files::new());
    }

    /// Names of what changed.
    async fn reload(&mut self) -> Vec<String> {
        let reload = tokio::time::timeout(SOON, self.watch.changed())
            .await
            .expect("a reload");
        let root = self.folder.path();
        let name = |path: &PathBuf| {
            path.strip_prefix(root)
                .unwrap_or(path)
                .to_string_lossy()
                .into_owned()
        };
        reload.paths.iter().map(name).collect()
    }

    async fn quiet(&mut self) {
        let reload = tokio::time::timeout(A_WHILE, self.watch.changed()).await;
        assert!(reload.is_err(), "{reload:?}");
    }
}

#[tokio::test]
async fn an_edit_is_one_reload_and_saving_the_same_is_none() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.watch.trouble(), None);
    scene.write("a.kdl", "b");
    assert_eq!(scene.reload().await, ["a.kdl"]);
    scene.write("a.kdl", "b");
    scene.quiet().await;
    scene.write("other.txt", "not watched");
    scene.quiet().await;
}

#[tokio::test]
async fn a_save_by_rename_is_one_reload() {
    let mut scene = Scene::new().await;
    for text in ["b", "c"] {
        scene.write(".a.kdl.swp", text);
        fs::rename(scene.path(".a.kdl.swp"), scene.path("a.kdl")).expect("renamed");
        assert_eq!(scene.reload().await, ["a.kdl"]);
    }
    // As some editors do: the old one moves away first.
    fs::rename(scene.path("a.kdl"), scene.path("a.kdl~")).expect("renamed");
    scene.write("a.kdl", "d");
    assert_eq!(scene.reload().await, ["a.kdl"]);
}

#[tokio::test]
async fn a_checkout_of_a_hundred_files_is_one_reload() {
    let mut scene = Scene::new().await;
    let names: Vec<String> = (0..100)
        .map(|index| format!("racks/n{index}.kdl"))
        .collect();
    for name in &names {
        scene.write(name, "before");
    }
    assert_eq!(scene.reload().await, ["racks"]);
    let paths: Vec<PathBuf> = names.iter().map(|name| scene.path(name)).collect();
    scene.watch.replace(paths, &Files::new());
    scene.quiet().await;
    for name in &names {
        fs::remove_file(scene.path(name)).expect("removed");
        scene.write(name, "after");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(scene.reload().await.len(), 100);
    scene.quiet().await;
}

#[tokio::test]
async fn a_checkout_that_takes_long_is_one_reload() {
    for worktree in [false, true] {
        let mut scene = Scene::new().await;
        let git = if worktree {
            scene.write(".git", "gitdir: elsewhere/tree\n");
            scene.path("elsewhere/tree")
        } else {
            scene.path(".git")
        };
        fs::create_dir_all(&git).expect("a folder");
        scene.watch_usual();
        scene.quiet().await;
        fs::write(git.join("index.lock"), "").expect("a file");
        scene.write("a.kdl", "b");
        scene.quiet().await;
        scene.write("racks/r1.kdl", "r2");
        scene.quiet().await;
        fs::remove_file(git.join("index.lock")).expect("removed");
        assert_eq!(scene.reload().await, ["a.kdl", "racks/r1.kdl"]);
    }
}

#[tokio::test]
async fn what_was_read_during_a_checkout_is_read_again() {
    let mut scene = Scene::new().await;
    fs::create_dir(scene.path(".git")).expect("a folder");
    scene.write(".git/index", "one");
    scene.watch_usual();
    scene.quiet().await;
    let before = scene.watch.checkouts();
    assert!(before.is_some() && before == scene.watch.checkouts());
    // Git begins and ends while somebody reads.
    scene.write(".git/index.lock", "two");
    assert!(scene.watch.checkouts().is_none());
    fs::rename(scene.path(".git/index.lock"), scene.path(".git/index")).expect("renamed");
    assert!(before != scene.watch.checkouts());
    scene.watch.again();
    scene.write(".git/index.lock", "three");
    scene.quiet().await;
    fs::remove_file(scene.path(".git/index.lock")).expect("removed");
    assert_eq!(
        scene.reload().await,
        [""; 0],
        "nothing differs, and all is read"
    );
    scene.quiet().await;
}

#[tokio::test]
async fn a_lock_that_git_left_behind_is_waited_for_once() {
    let checkout = Duration::from_secs(1);
    let mut scene = Scene::with(Options {
        checkout,
        ..options()
    })
    .await;
    fs::create_dir(scene.path(".git")).expect("a folder");
    fs::write(scene.path(".git/index.lock"), "").expect("a file");
    scene.watch_usual();
    scene.write("a.kdl", "b");
    let started = Instant::now();
    assert_eq!(scene.reload().await, ["a.kdl"]);
    assert!(started.elapsed() >= checkout);
    scene.watch_usual();
    scene.write("a.kdl", "c");
    let next = tokio::time::timeout(checkout / 2, scene.watch.changed()).await;
    assert!(next.is_ok(), "waited for it again");
    // A later checkout is waited for.
    fs::write(scene.path(".git/index.lock"), "another").expect("a file");
    scene.write("a.kdl", "d");
    scene.quiet().await;
}

#[tokio::test]
async fn a_swapped_link_is_a_change() {
    // As a ConfigMap is mounted: x.kdl -> ..data/x.kdl, ..data -> ..1.
    let mut scene = Scene::new().await;
    for (folder, text) in [("..1", "one"), ("..2", "two"), ("..3", "two")] {
        fs::create_dir(scene.path(folder)).expect("a folder");
        scene.write(&format!("{folder}/x.kdl"), text);
    }
    symlink("..1", scene.path("..data")).expect("a link");
    symlink("..data/x.kdl", scene.path("x.kdl")).expect("a link");
    let path = scene.path("x.kdl");
    scene.watch.replace([path], &Files::new());
    scene.quiet().await;
    let swap = |scene: &Scene, target: &str| {
        symlink(target, scene.path("..data_tmp")).expect("a link");
        fs::rename(scene.path("..data_tmp"), scene.path("..data")).expect("swapped");
    };
    swap(&scene, "..2");
    fs::remove_dir_all(scene.path("..1")).expect("removed");
    assert_eq!(scene.reload().await, ["x.kdl"]);
    swap(&scene, "..3");
    scene.quiet().await;
    // The new target is watched, too.
    scene.write("..3/x.kdl", "three");
    assert_eq!(scene.reload().await, ["x.kdl"]);
}

#[tokio::test]
async fn a_folder_may_vanish_and_come_back() {
    let mut scene = Scene::new().await;
    fs::rename(scene.path("racks"), scene.path("gone")).expect("renamed");
    assert_eq!(scene.reload().await, ["racks", "racks/r1.kdl"]);
    fs::create_dir(scene.path("racks")).expect("a folder");
    scene.write("racks/r1.kdl", "r1");
    assert_eq!(scene.reload().await, ["racks", "racks/r1.kdl"]);
    // The new folder is watched, not the old one.
    scene.write("racks/r1.kdl", "other");
    assert_eq!(scene.reload().await, ["racks/r1.kdl"]);
    fs::remove_dir_all(scene.path("racks")).expect("removed");
    assert_eq!(scene.reload().await, ["racks", "racks/r1.kdl"]);
}

#[tokio::test]
async fn a_file_that_is_away_for_a_moment_is_waited_for() {
    let gone = Duration::from_secs(2);
    let mut scene = Scene::with(Options { gone, ..options() }).await;
    fs::rename(scene.path("racks/r1.kdl"), scene.path("r1.away")).expect("renamed");
    scene.quiet().await;
    fs::rename(scene.path("r1.away"), scene.path("racks/r1.kdl")).expect("renamed");
    let started = Instant::now();
    scene.reload().await;
    assert!(started.elapsed() < gone / 2, "it is back");
    // One that stays away is gone.
    let started = Instant::now();
    fs::remove_file(scene.path("racks/r1.kdl")).expect("removed");
    assert_eq!(scene.reload().await, ["racks", "racks/r1.kdl"]);
    assert!(started.elapsed() >= gone);
    scene.quiet().await;
}

#[tokio::test]
async fn a_file_that_vanished_before_it_was_read_is_waited_for_too() {
    let mut scene = Scene::new().await;
    fs::remove_file(scene.path("racks/r1.kdl")).expect("removed");
    let root = scene.folder.path().to_owned();
    let paths = || ["a.kdl", "racks"].map(|name| root.join(name));
    assert!(!scene.watch.replace(paths(), &Files::new()));
    scene.watch.again();
    scene.reload().await;
    assert!(scene.watch.replace(paths(), &Files::new()));
    // It is back before anybody looks again.
    scene.write("racks/r1.kdl", "r1");
    scene.reload().await;
    scene.watch_usual();
    scene.quiet().await;
    assert!(!scene.watch.replace(paths(), &Files::new()));
    assert!(
        scene.watch.replace(paths(), &Files::new()),
        "it is told once"
    );
}

#[tokio::test]
async fn a_path_may_come_to_be() {
    let mut scene = Scene::new().await;
    let path = scene.path("new/deep/file.kdl");
    scene.watch.replace([path.clone()], &Files::new());
    scene.quiet().await;
    fs::create_dir(scene.path("new")).expect("a folder");
    scene.quiet().await;
    fs::create_dir(scene.path("new/deep")).expect("a folder");
    scene.write("new/deep/file.kdl", "here");
    assert_eq!(scene.reload().await, ["new/deep/file.kdl"]);
}

#[tokio::test]
async fn a_change_between_reading_and_watching_is_not_missed() {
    let mut scene = Scene::new().await;
    let root = Root::open(&RealDisk, scene.folder.path()).expect("a root");
    let mut files = Files::new();
    let real = root.path().join("a.kdl");
    files
        .load(&RealDisk, &root, &real, &Limits::default())
        .expect("read");
    scene.write("a.kdl", "changed since");
    let path = scene.path("a.kdl");
    scene.watch.replace([path], &files);
    assert_eq!(scene.reload().await, ["a.kdl"]);
    scene.quiet().await;
}

#[tokio::test]
async fn writes_to_a_neighbour_do_not_keep_it_waiting() {
    let mut scene = Scene::new().await;
    scene.write("racks/fleet.metalform.db", "");
    assert_eq!(scene.reload().await, ["racks"]);
    // A store in a folder whose list is watched writes all the time.
    let stop = Arc::new(AtomicBool::new(false));
    let store = {
        let (stop, path) = (Arc::clone(&stop), scene.path("racks/fleet.metalform.db"));
        std::thread::spawn(move || {
            use std::io::Write as _;
            let mut file = fs::File::options().append(true).open(path).expect("a file");
            while !stop.load(Ordering::Relaxed) {
                file.write_all(b"x").expect("written");
                std::thread::sleep(Duration::from_millis(5));
            }
        })
    };
    std::thread::sleep(Duration::from_millis(50));
    scene.write("a.kdl", "b");
    let start = Instant::now();
    assert_eq!(scene.reload().await, ["a.kdl"]);
    let took = start.elapsed();
    stop.store(true, Ordering::Relaxed);
    store.join().expect("a thread");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn polling_sees_what_the_system_does_not_say() {
    let options = Options {
        poll_alone: Duration::from_millis(50),
        ..options()
    };
    let mut scene = Scene::with(options).await;
    scene.watch.system = None;
    scene.watch.registered.clear();
    scene.watch.next_poll = Instant::now();
    scene.write("a.kdl", "longer than before");
    assert_eq!(scene.reload().await, ["a.kdl"]);
    fs::remove_file(scene.path("racks/r1.kdl")).expect("removed");
    assert_eq!(scene.reload().await, ["racks", "racks/r1.kdl"]);
    scene.quiet().await;
}
