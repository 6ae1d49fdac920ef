//! A disk that is full.

use super::*;

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
