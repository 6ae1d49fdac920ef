//! Files that are not whole, disks that are full, processes that are killed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize};

use futures::future::join_all;

use super::*;

fn error(path: &Path) -> OpenError {
    match Embedded::open(path, options()) {
        Err(error) => error,
        Ok(_) => panic!("{} was opened", path.display()),
    }
}

fn text(error: &OpenError, folder: &tempfile::TempDir) -> String {
    error
        .to_string()
        .replace(&folder.path().display().to_string(), "DIR")
}

/// A store with some life in it; its path.
async fn lived(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("store.db");
    let store = Embedded::open(&path, options().fold_entries(20)).unwrap();
    for n in 0..30 {
        let name = format!("a{n}");
        apply(&store, &name, json!({ "n": n, "text": "x".repeat(200) })).await;
        set_phase(&store, &name, "ready").await;
    }
    Store::<Widget>::delete(&store, &key("a3"), None)
        .await
        .unwrap();
    store.close().await.unwrap();
    path
}

#[tokio::test]
async fn an_empty_file_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    File::create(&path).unwrap();
    insta::assert_snapshot!(text(&error(&path), &folder), @"the store DIR/store.db is damaged (the file is empty) and was left as it is; put copies of it and of its .log back, or move both away to start with an empty one (machines are found again where they are enrolled)");
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
}

#[tokio::test]
async fn a_file_of_something_else_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    fs::write(&path, "host r01-u01 { }\n".repeat(1000)).unwrap();
    assert_eq!(error(&path).code(), "StoreDamaged");
    let database = redb::Database::create(folder.path().join("other.db")).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(redb::TableDefinition::<u64, u64>::new("other"))
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = error(&folder.path().join("other.db"));
    insta::assert_snapshot!(text(&error, &folder), @"the store DIR/other.db is damaged (it is a database, but not metalform's) and was left as it is; put copies of it and of its .log back, or move both away to start with an empty one (machines are found again where they are enrolled)");
}

#[tokio::test]
async fn a_folder_is_not_a_store() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(error(folder.path()).code(), "StoreIo");
    let path = folder.path().join("gone").join("store.db");
    assert_eq!(error(&path).code(), "StoreIo");
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder).await;
    {
        let database = redb::Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction
            .open_table(redb::TableDefinition::<&str, u64>::new("meta"))
            .unwrap()
            .insert("format", 9)
            .unwrap();
        transaction.commit().unwrap();
    }
    let error = error(&path);
    assert_eq!(error.code(), "StoreNewer");
    insta::assert_snapshot!(text(&error, &folder), @"the store DIR/store.db has format 9, this metalform reads up to 2; use the metalform that wrote it, or a newer one");
}

#[tokio::test]
async fn a_store_in_use_says_by_whom() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    let error = error(&path);
    assert_eq!(error.code(), "StoreHeld");
    let pid = format!("process {}", std::process::id());
    insta::assert_snapshot!(text(&error, &folder).replace(&pid, "process PID"), @"the store DIR/store.db is in use by process PID; stop that process, or leave it running: `metalform get`, `plan` and `apply` talk to it");
    drop(store);
    open(&path).close().await.unwrap();
}

/// Opens a spoilt copy: it is refused and left as it is, or it opens with everything in it.
fn judge(path: &Path, expected: &[Arc<Widget>], what: &str) -> bool {
    let before = fs::read(path).unwrap();
    match Embedded::open(path, options()) {
        Ok(store) => {
            assert_eq!(all(&store), expected, "{what}");
            true
        }
        Err(error) => {
            assert_eq!(error.code(), "StoreDamaged", "{what}: {error}");
            assert!(
                fs::read(path).unwrap() == before,
                "{what}: the damaged file was changed"
            );
            false
        }
    }
}

#[tokio::test]
async fn a_cut_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder).await;
    let whole = fs::read(&path).unwrap();
    let expected = all(&open(&path));
    let copy = folder.path().join("copy.db");
    let mut refused = 0;
    for part in 0..40 {
        let length = whole.len() * part / 40;
        fs::write(&copy, &whole[..length]).unwrap();
        refused += usize::from(!judge(&copy, &expected, &format!("cut to {length}")));
    }
    assert_eq!(refused, 40);
}

#[tokio::test]
async fn spoilt_bytes_are_found_or_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder).await;
    let whole = fs::read(&path).unwrap();
    let expected = all(&open(&path));
    let copy = folder.path().join("copy.db");
    let mut seed = 1_u64;
    let mut refused = 0;
    for _ in 0..150 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = (seed >> 33) as usize % whole.len();
        let mut spoilt = whole.clone();
        for byte in spoilt.iter_mut().skip(at).take(16) {
            *byte ^= 0x55;
        }
        fs::write(&copy, spoilt).unwrap();
        refused += usize::from(!judge(&copy, &expected, &format!("spoilt at {at}")));
    }
    assert!(refused > 10, "{refused} of 150 were refused");
}

// ---- the log

fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db.log")
}

/// A store that was not closed, with this many writes in its log; its path, and what is in it.
async fn killed(folder: &tempfile::TempDir, writes: usize) -> (PathBuf, Vec<Arc<Widget>>) {
    let path = folder.path().join("store.db");
    let store = open(&path);
    for n in 0..writes {
        apply(&store, &format!("a{n}"), json!({ "n": n })).await;
    }
    let widgets = all(&store);
    drop(store);
    (path, widgets)
}

#[tokio::test]
async fn a_log_that_is_cut_ends_before_the_write_that_nobody_was_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let (path, widgets) = killed(&folder, 5).await;
    let whole = fs::read(log_of(&path)).unwrap();
    for cut in [1, 20, whole.len() / 10] {
        fs::write(log_of(&path), &whole[..whole.len() - cut]).unwrap();
        assert_eq!(all(&open(&path)), widgets[..4], "cut by {cut}");
    }
    // Of a frame only the end came to the disk.
    let mut torn = whole.clone();
    let last = whole
        .windows(4)
        .rposition(|four| four == b"mfl\x01")
        .unwrap();
    torn[last..last + 30].fill(0);
    fs::write(log_of(&path), torn).unwrap();
    let store = open(&path);
    assert_eq!(all(&store), widgets[..4]);
    // What comes next takes its place.
    apply(&store, "b", json!({})).await;
    let now = all(&store);
    drop(store);
    assert_eq!(all(&open(&path)), now);
}

#[tokio::test]
async fn a_log_that_is_spoilt_before_its_end_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = killed(&folder, 5).await;
    let whole = fs::read(log_of(&path)).unwrap();
    let last = whole
        .windows(4)
        .rposition(|four| four == b"mfl\x01")
        .unwrap();
    for at in (0..last).step_by(7) {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 0x55;
        fs::write(log_of(&path), &spoilt).unwrap();
        let error = error(&path);
        assert_eq!(error.code(), "StoreDamaged", "spoilt at {at}: {error}");
        assert!(fs::read(log_of(&path)).unwrap() == spoilt);
    }
}

/// The log is looked through in windows of a megabyte: a frame may begin at the end of one.
#[tokio::test]
async fn a_frame_behind_a_spoilt_one_is_found_wherever_it_begins() {
    const WINDOW: usize = 1 << 20;
    let second = async |filling: usize| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Embedded::open(&path, options()).unwrap();
        apply(&store, "a", json!({ "text": "x".repeat(filling) })).await;
        apply(&store, "b", json!({})).await;
        drop(store);
        let log = fs::read(log_of(&path)).unwrap();
        let at = log.windows(4).rposition(|four| four == b"mfl\x01");
        (folder, path, log, at.unwrap())
    };
    let (.., least) = second(0).await;
    for wanted in WINDOW - 4..=WINDOW + 1 {
        let (_folder, path, mut log, at) = second(wanted - least).await;
        assert_eq!(at, wanted);
        log[0] = 0;
        fs::write(log_of(&path), &log).unwrap();
        assert_eq!(error(&path).code(), "StoreDamaged", "frame at {at}");
    }
}

#[tokio::test]
async fn rows_of_earlier_than_the_log_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = killed(&folder, 5).await;
    let early = fs::read(&path).unwrap();
    open(&path).close().await.unwrap();
    let store = open(&path);
    apply(&store, "b", json!({})).await;
    let widgets = all(&store);
    drop(store);
    let late = fs::read(&path).unwrap();
    fs::write(&path, early).unwrap();
    insta::assert_snapshot!(text(&error(&path), &folder), @"the store DIR/store.db is damaged (its log goes on from a later state than its rows are of) and was left as it is; put copies of it and of its .log back, or move both away to start with an empty one (machines are found again where they are enrolled)");
    fs::write(&path, late).unwrap();
    assert_eq!(all(&open(&path)), widgets);
}

#[tokio::test]
async fn neither_file_does_without_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let (path, widgets) = killed(&folder, 3).await;
    let (rows, log) = (fs::read(&path).unwrap(), fs::read(log_of(&path)).unwrap());
    // The rows alone are not opened as an older state.
    fs::remove_file(log_of(&path)).unwrap();
    insta::assert_snapshot!(text(&error(&path), &folder), @"the store DIR/store.db is damaged (its log is gone, which has the latest changes) and was left as it is; put copies of it and of its .log back, or move both away to start with an empty one (machines are found again where they are enrolled)");
    assert!(!log_of(&path).exists());
    // Nor is the log thrown away where the rows went.
    fs::write(log_of(&path), &log).unwrap();
    fs::remove_file(&path).unwrap();
    insta::assert_snapshot!(text(&error(&path), &folder), @"the store DIR/store.db is damaged (it is gone, and its log has changes that are nowhere else) and was left as it is; put copies of it and of its .log back, or move both away to start with an empty one (machines are found again where they are enrolled)");
    assert_eq!(fs::read(log_of(&path)).unwrap(), log);
    fs::write(&path, &rows).unwrap();
    assert_eq!(all(&open(&path)), widgets);
    // Nor is one of another store taken, or written over.
    let other = tempfile::tempdir().unwrap();
    let path_of_other = other.path().join("store.db");
    let store = Embedded::open(&path_of_other, options().seed(99)).unwrap();
    apply(&store, "x", json!({})).await;
    drop(store);
    fs::copy(log_of(&path_of_other), log_of(&path)).unwrap();
    let foreign = fs::read(log_of(&path)).unwrap();
    insta::assert_snapshot!(text(&error(&path), &folder), @"the store DIR/store.db is damaged (its log is that of another store) and was left as it is; put copies of it and of its .log back, or move both away to start with an empty one (machines are found again where they are enrolled)");
    assert_eq!(fs::read(log_of(&path)).unwrap(), foreign);
    // Closed, the rows alone are a whole copy.
    fs::write(log_of(&path), &log).unwrap();
    open(&path).close().await.unwrap();
    fs::remove_file(log_of(&path)).unwrap();
    assert_eq!(all(&open(&path)), widgets);
    // And where both are away a new one is made.
    open(&path).close().await.unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(all(&open(&path)), []);
}

/// What is left of earlier entries behind those since the last fold does not come back.
#[tokio::test]
async fn a_log_that_began_anew_ends_where_it_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let open = || Embedded::open(&path, options().fold_entries(10)).unwrap();
    let mut store = open();
    for n in 0..47 {
        apply(&store, &format!("a{}", n % 5), json!({ "n": n })).await;
        let now = all(&store);
        drop(store);
        store = open();
        assert_eq!(all(&store), now, "after {n}");
    }
}

#[tokio::test]
async fn a_file_of_the_first_format_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let (path, widgets) = killed(&folder, 3).await;
    open(&path).close().await.unwrap();
    {
        let database = redb::Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        let meta: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("meta");
        let change: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("change");
        let mut meta = transaction.open_table(meta).unwrap();
        meta.insert("format", 1).unwrap();
        meta.remove("floor").unwrap();
        let mut change = transaction.open_table(change).unwrap();
        let key = crate::store::record::key("widgets.conformance.metalform.dev", "metal", "a1");
        let mut gone = crate::store::record::Draft::new(&key, true);
        let last = serde_json::to_vec(widgets[1].as_ref()).unwrap();
        gone.piece(crate::store::record::LAST, Some(&[&last]));
        change.insert(5_000_000, gone.finish().as_slice()).unwrap();
        drop((meta, change));
        transaction.commit().unwrap();
    }
    let kept = [Arc::clone(&widgets[0]), Arc::clone(&widgets[2])];
    for _ in 0..2 {
        let store = open(&path);
        assert_eq!(all(&store), kept);
        let told = Store::<Widget>::watch(&store, Version(4_000_000))
            .next()
            .await;
        assert!(matches!(told, Some(Change::Deleted(_))), "{told:?}");
    }
}

// ---- a full disk

/// A file on a disk that fails when told.
#[derive(Debug)]
struct Faulty {
    file: Unsynced,
    faults: Arc<Faults>,
    /// It is the log, not the rows.
    is_log: bool,
}

#[derive(Debug, Default)]
struct Faults {
    /// No write gets through.
    full: AtomicBool,
    /// Everything is written, but the disk does not say so.
    sync: AtomicBool,
    /// The rows cannot become larger; the log can, and what is there can be written over.
    rows: AtomicBool,
    /// How often rows were to become larger then.
    refused: AtomicUsize,
}

impl Faults {
    fn medium(self: &Arc<Self>) -> Medium {
        let faults = Arc::clone(self);
        Arc::new(move |file: File| {
            let mut start = [0; 4];
            let read = file.read_at(&mut start, 0)?;
            let is_log = read == 0 || start == *b"mfl\x01";
            let file = unsynced(file)?;
            let faults = Arc::clone(&faults);
            let faulty = Faulty {
                file,
                faults,
                is_log,
            };
            Ok(Box::new(faulty) as Box<dyn StorageBackend>)
        })
    }

    fn set(&self, full: bool, sync: bool) {
        self.full.store(full, Ordering::SeqCst);
        self.sync.store(sync, Ordering::SeqCst);
    }
}

impl Faulty {
    fn space(&self) -> io::Result<()> {
        if self.faults.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.space()?;
        let rows = !self.is_log && self.faults.rows.load(Ordering::SeqCst);
        if rows && len > self.len()? {
            self.faults.refused.fetch_add(1, Ordering::SeqCst);
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()?;
        if self.faults.sync.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk did not answer"));
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.space()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

async fn try_apply(store: &Embedded, name: &str, n: usize) -> Result<Arc<Widget>> {
    store
        .apply(
            &key(name),
            json!({ "spec": { "n": n } }),
            "metalform",
            false,
        )
        .await
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let faults = Arc::new(Faults::default());
    let store = Embedded::open(&path, options().medium(faults.medium())).unwrap();
    apply(&store, "a", json!({ "n": 0 })).await;
    let (before, version) = (all(&store), store.version());
    let mut watch = Store::<Widget>::watch(&store, version);

    faults.set(true, false);
    let writes = (1..20).map(|n| try_apply(&store, if n % 2 == 0 { "a" } else { "b" }, n));
    for result in join_all(writes).await {
        let text = result.unwrap_err().to_string();
        assert!(
            text.contains("the disk is full; nothing was changed. Make space"),
            "{text}"
        );
    }
    assert_eq!((all(&store), store.version()), (before, version));

    faults.set(false, false);
    let b = try_apply(&store, "b", 1).await.unwrap();
    assert_eq!(b.metadata.generation, Some(1));
    let change = watch.next().await.unwrap();
    assert!(matches!(change, Change::Applied(told) if told == b));
    let now = all(&store);
    drop(store);
    assert_eq!(all(&open(&path)), now);
}

/// The worst case: the write is on the disk, and the disk says that it is not.
#[tokio::test]
async fn what_was_refused_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let faults = Arc::new(Faults::default());
    let store = Embedded::open(&path, options().medium(faults.medium())).unwrap();
    apply(&store, "a", json!({ "n": 0 })).await;
    let before = all(&store);

    faults.set(false, true);
    for n in 0..3 {
        let text = try_apply(&store, "lost", n).await.unwrap_err().to_string();
        assert!(text.contains("nothing was changed"), "{text}");
    }
    assert_eq!(all(&store), before);

    faults.set(false, false);
    try_apply(&store, "b", 1).await.unwrap();
    let now = all(&store);
    assert_eq!(now.len(), 2);
    drop(store);
    assert_eq!(all(&open(&path)), now);
}

#[tokio::test]
async fn a_disk_that_comes_and_goes_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let faults = Arc::new(Faults::default());
    let options = || options().fold_entries(10).medium(faults.medium());
    let mut store = Embedded::open(&path, options()).unwrap();
    let mut seed = 3_u64;
    let mut acknowledged = BTreeMap::new();
    for round in 0..120_usize {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        faults.set(
            (seed >> 40).is_multiple_of(4),
            (seed >> 44).is_multiple_of(4),
        );
        let names: Vec<String> = (0..4).map(|n| format!("a{}", (round + n) % 7)).collect();
        let results = join_all(names.iter().map(|name| try_apply(&store, name, round))).await;
        for (name, result) in names.into_iter().zip(results) {
            if let Ok(widget) = result {
                acknowledged.insert(name, widget);
            }
        }
        let expected: Vec<_> = acknowledged.values().cloned().collect();
        assert_eq!(all(&store), expected, "round {round}");
        if round % 30 == 29 {
            faults.set(false, false);
            try_apply(&store, "a0", round + 1000)
                .await
                .map(|w| acknowledged.insert("a0".into(), w))
                .unwrap();
            drop(store);
            store = Embedded::open(&path, options()).unwrap();
            let expected: Vec<_> = acknowledged.values().cloned().collect();
            assert_eq!(all(&store), expected, "reopened after round {round}");
        }
    }
}

/// The log has room when rows have none: it goes on, and is folded once they have.
#[tokio::test]
async fn a_log_that_cannot_be_folded_grows_and_is_seldom_tried() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let faults = Arc::new(Faults::default());
    let options = || options().fold_entries(10).medium(faults.medium());
    let store = Embedded::open(&path, options()).unwrap();
    let write = async |n: usize| {
        let spec = json!({ "n": n, "text": "x".repeat(100_000) });
        apply(&store, &format!("a{}", n % 50), spec).await;
    };
    write(0).await;

    faults.rows.store(true, Ordering::SeqCst);
    for n in 1..200 {
        write(n).await;
    }
    let refused = faults.refused.load(Ordering::SeqCst);
    // The first folds have room; then it is tried at twice as many entries each time.
    assert!((1..=8).contains(&refused), "{refused} times");
    let now = all(&store);
    // What a crash would leave: all of it is in the log.
    drop(store);
    faults.rows.store(false, Ordering::SeqCst);
    let store = Embedded::open(&path, options()).unwrap();
    assert_eq!(all(&store), now);

    // With room it is folded at the next write, and the log begins anew.
    try_apply(&store, "b", 1).await.unwrap();
    let now = all(&store);
    store.close().await.unwrap();
    assert_eq!(fs::metadata(log_of(&path)).unwrap().len(), 0);
    assert_eq!(all(&open(&path)), now);
}

// ---- kill -9

const CHILD: &str = "METALFORM_TEST_STORE";

/// What the next test runs and kills; by itself it does nothing. Prints each write once it is acknowledged.
#[tokio::test]
async fn child_that_writes() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let store = Embedded::open(Path::new(&path), options().fold_entries(50)).unwrap();
    let start = Store::<Widget>::list(&store).len();
    for round in 0.. {
        let writes = (0..5).map(|n| {
            let store = &store;
            async move {
                let name = format!("a{}", (start + round) % 40 + n);
                let widget = try_apply(store, &name, round).await.unwrap();
                println!("ACK {name} {} {round}", widget.version().0);
            }
        });
        join_all(writes).await;
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut acknowledged: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for kill in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("store::embedded::tests::bad_days::child_that_writes")
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = 0;
        for line in lines {
            let Ok(line) = line else { break };
            let mut words = line
                .split_whitespace()
                .skip_while(|word| *word != "ACK")
                .skip(1);
            if let (Some(name), Some(version), Some(round)) =
                (words.next(), words.next(), words.next())
            {
                let value = (version.parse().unwrap(), round.parse().unwrap());
                acknowledged.insert(name.to_owned(), value);
                told += 1;
            }
            // Somewhere in a commit, a fold, or between.
            if told == 60 + kill * 37 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(told > 0, "the child wrote nothing");
        let store = open(&path);
        for (name, (version, round)) in &acknowledged {
            let widget: Arc<Widget> = store.get(&key(name)).unwrap();
            assert!(
                widget.version().0 >= *version,
                "{name} is older than acknowledged"
            );
            let found = widget
                .spec
                .get("n")
                .and_then(serde_json::Value::as_u64)
                .unwrap();
            assert!(
                widget.version().0 > *version || found == *round,
                "{name} has another value"
            );
        }
    }
}
