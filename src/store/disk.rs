//! The files of the embedded store: rows, and beside them a change log that is folded into them.
//!
//! A commit only appends to the log, which is one sequential write whatever objects it touches.
//! When the log has grown it is folded: the latest pieces go to `object`, sorted, in one
//! transaction, and the log begins anew. Opening reads both. A store that was closed has all of it
//! in its rows.
//!
//! ```text
//! meta    name -> number                          format, seed, folded (changes up to here are rows),
//!                                                 floor (deletions up to here are forgotten)
//! salt    () -> 32 bytes                          see `Embedded::salt`
//! note    name -> text                            small texts about the store as a whole
//! object  kind NUL piece NUL namespace NUL name -> version u64, content (empty: absent)
//! gone    version -> record of a deletion         see `record`
//! ```

mod backend;
mod files;
mod load;
mod log;
mod tables;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, StorageBackend};

use self::files::{
    check_format, create, damaged, database, io_error, log_path, open_error, open_log,
};
use self::load::load;
use self::log::Log;
use self::tables::{fold, folded, note, set_logged, take_over};
use super::embedded::OpenError;
use super::lock::{Lock, NoLock};

/// The format that this program writes. A file with a higher one is refused.
pub(super) const FORMAT: u64 = 2;

/// The log is folded when it has this many entries…
const FOLD_ENTRIES: usize = 100_000;
/// …or bytes. Folding writes each row that changed anew, at 32 MB as much as the log did in a life of
/// 10,000 hosts; a start after a crash reads the log, and what it leaves in memory grows with it.
const FOLD_BYTES: u64 = 64 << 20;
/// Deletions of this many versions are kept, from which watches go on after a restart; those of
/// events count.
const KEEP_ENTRIES: u64 = 1_000;

/// Opens what the file is on: the real file, or in tests one that fails when told.
pub(super) type Medium = Arc<dyn Fn(File) -> io::Result<Box<dyn StorageBackend>> + Send + Sync>;

/// The open file.
pub(super) struct Disk {
    path: PathBuf,
    cache: usize,
    medium: Option<Medium>,
    /// `None` after an error, until it could be opened again.
    database: Option<Database>,
    log: Log,
    /// The version of the last commit that was told to succeed.
    acknowledged: u64,
    entries: usize,
    bytes: u64,
    folded: u64,
    floor: u64,
    fold_entries: usize,
    /// Not folded before there are so many entries: the last attempt failed.
    put_off: usize,
    /// The rows say that the log has what they have not.
    logged: bool,
    /// Last, so that it goes after the database.
    _lock: Lock,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("path", &self.path)
            .field("acknowledged", &self.acknowledged)
            .finish_non_exhaustive()
    }
}

/// The pieces of one object, by name.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// The version of its last change.
    pub version: u64,
    /// Name and content.
    pub pieces: BTreeMap<Box<str>, Vec<u8>>,
}

/// Takes the objects of a file: key and pieces. Its error says why an object cannot be read.
pub(super) type Take<'a> = dyn FnMut(&[u8], Stored) -> Result<(), String> + 'a;

/// What was in the file beside objects.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// The last version.
    pub version: u64,
    /// Seeds the uids of new objects.
    pub seed: u64,
    /// Salts what is told of secrets.
    pub salt: [u8; 32],
    /// Changes up to here are rows.
    pub folded: u64,
    /// Deletions up to here are forgotten.
    pub floor: u64,
    /// Notes by name.
    pub notes: BTreeMap<String, String>,
    /// Deleted since `floor`: version, key, last state.
    pub gone: Vec<(u64, Vec<u8>, Vec<u8>)>,
    /// Entries of the log.
    pub entries: usize,
    /// Bytes of the log.
    pub bytes: u64,
}

/// How to open.
pub(super) struct Settings {
    /// Bytes of redb's page cache.
    pub cache: usize,
    /// Of a new store.
    pub seed: u64,
    /// Of a new store, or of one from before there were any.
    pub salt: [u8; 32],
    /// For tests.
    pub medium: Option<Medium>,
    /// Entries of the log at which it is folded; 0 is the default.
    pub fold_entries: usize,
}

impl Disk {
    /// Opens the store at `path`, or makes one where there is no file. Objects are handed to
    /// `take` one by one, in order of key; what it refuses makes the file a damaged one.
    pub fn open(
        path: &Path,
        settings: Settings,
        take: &mut Take<'_>,
    ) -> Result<(Self, Loaded), OpenError> {
        let lock = Lock::take(path, None).map_err(|error| match error {
            NoLock::Held(holder) => OpenError::Held {
                path: path.to_owned(),
                holder,
            },
            NoLock::Io(source) => io_error(path, "lock", source),
        })?;
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                let source = io::Error::from(io::ErrorKind::IsADirectory);
                return Err(io_error(path, "open", source));
            }
            Ok(found) if found.len() == 0 => {
                return Err(damaged(path, "the file is empty".into()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if fs::metadata(log_path(path)).is_ok_and(|log| log.len() > 0) {
                    return Err(damaged(
                        path,
                        "it is gone, and its log has changes that are nowhere else".into(),
                    ));
                }
                create(path, settings.seed, settings.salt)?;
            }
            Err(source) => return Err(io_error(path, "open", source)),
        }
        // A damaged file may make redb panic; that is one more way to be damaged.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let database = database(path, settings.cache, settings.medium.as_ref(), true)
                .map_err(|error| open_error(path, error))?;
            let format = check_format(path, &database)?;
            let (mut log, logged) = open_log(path, settings.medium.as_ref(), &database, format)?;
            let mut loaded =
                load(&database, logged, take).map_err(|reason| damaged(path, reason))?;
            if format == 1 {
                // Last: what cannot be read stays as it is.
                take_over(&database, &mut log).map_err(|error| open_error(path, error))?;
            }
            loaded.salt =
                tables::salt(&database, settings.salt).map_err(|error| open_error(path, error))?;
            Ok::<_, OpenError>((database, log, loaded))
        }));
        let (database, log, loaded) = match opened {
            Ok(opened) => opened?,
            Err(_) => return Err(damaged(path, "its pages do not fit together".into())),
        };
        let disk = Self {
            path: path.to_owned(),
            cache: settings.cache,
            medium: settings.medium,
            database: Some(database),
            log,
            acknowledged: loaded.version,
            entries: loaded.entries,
            bytes: loaded.bytes,
            folded: loaded.folded,
            floor: loaded.floor,
            fold_entries: match settings.fold_entries {
                0 => FOLD_ENTRIES,
                entries => entries,
            },
            put_off: 0,
            logged: loaded.entries > 0,
            _lock: lock,
        };
        Ok((disk, loaded))
    }

    /// Writes records durably, all or none. Versions grow. After an error nothing was written.
    pub fn commit(&mut self, records: &[(u64, Vec<u8>)]) -> Result<(), String> {
        let result = self.append(records);
        match result {
            Ok(()) => {
                self.acknowledged = records.last().map_or(self.acknowledged, |last| last.0);
                self.entries += records.len();
                self.bytes += records
                    .iter()
                    .map(|(_, record)| record.len() as u64)
                    .sum::<u64>();
                Ok(())
            }
            Err(error) => {
                // Should this fail too, the next commit begins with it.
                self.log.erase().ok();
                Err(self.explain(&error))
            }
        }
    }

    fn append(&mut self, records: &[(u64, Vec<u8>)]) -> Result<(), redb::Error> {
        // What an error left unclear comes first: it may have been a fold that got through.
        self.reopen()?;
        if !self.logged
            && let Some(database) = &self.database
        {
            if let Err(error) = set_logged(database) {
                self.database = None;
                return Err(error);
            }
            self.logged = true;
        }
        Ok(self.log.append(records)?)
    }

    /// Writes a note durably.
    pub fn note(&mut self, name: &str, text: &str) -> Result<(), String> {
        let result = self
            .reopen()
            .and_then(|database| note(database, name, text));
        result.map_err(|error| {
            let text = self.explain(&error);
            self.database = None;
            text
        })
    }

    /// True when it is time to fold the log.
    pub fn has_grown(&self) -> bool {
        let large = self.entries >= self.fold_entries || self.bytes >= FOLD_BYTES;
        large && self.entries >= self.put_off
    }

    /// Folds the log when it has grown. Call it when nobody waits.
    pub fn tidy(&mut self) {
        if self.has_grown() {
            self.fold();
        }
    }

    fn fold(&mut self) {
        let until = self.acknowledged;
        let floor = self.floor.max(until.saturating_sub(self.keep()));
        let Some(database) = &self.database else {
            return;
        };
        // What a failed write left must not stand behind a log that begins anew.
        if until <= self.folded || self.log.erase().is_err() {
            return;
        }
        match fold(database, &self.log, until, floor) {
            Ok(()) => self.folded(until),
            Err(error) => {
                self.database = None;
                // It reads all of the log: not again after each commit.
                self.put_off = self.entries.saturating_mul(2);
                tracing::warn!(
                    code = "StoreNotFolded",
                    "the log of the store {} could not be made rows of: {error}; nothing is lost, the \
                     log goes on and takes more space, and it is tried again at {} changes",
                    self.path.display(),
                    self.put_off
                );
            }
        }
    }

    /// All up to `until` is in rows.
    fn folded(&mut self, until: u64) {
        self.folded = until;
        self.floor = self.floor.max(until.saturating_sub(self.keep()));
        self.log.folded(until);
        self.entries = 0;
        self.bytes = 0;
        self.put_off = 0;
        self.logged = false;
    }

    /// So many versions stay known for watches that go on after a restart.
    fn keep(&self) -> u64 {
        KEEP_ENTRIES.min(self.fold_entries as u64 / 2)
    }

    /// Closes the files, with an empty log: the next start takes less time and memory, and the
    /// rows alone are a whole copy.
    pub fn close(mut self) -> Result<(), String> {
        self.fold();
        self.log.shrink().ok();
        match self.database.take().map(Database::close) {
            Some(Err(error)) => Err(self.explain(&error.into())),
            _ => Ok(()),
        }
    }

    /// The database, opened again after an error.
    fn reopen(&mut self) -> Result<&Database, redb::Error> {
        if self.database.is_none() {
            let database = database(&self.path, self.cache, self.medium.as_ref(), false)?;
            let until = folded(&database)?;
            if until > self.folded {
                self.folded(until);
            }
            self.database = Some(database);
        }
        // Just set; the error cannot happen.
        self.database.as_ref().ok_or(redb::Error::DatabaseClosed)
    }

    fn explain(&self, error: &redb::Error) -> String {
        let path = self.path.display();
        match error {
            redb::Error::Io(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                format!(
                    "cannot write the store {path}: the disk is full; nothing was changed. \
                     Make space: the next write tries again"
                )
            }
            error => format!(
                "cannot write the store {path}: {error}; nothing was changed. \
                 The next write tries again"
            ),
        }
    }
}
