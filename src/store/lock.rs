//! One process a store: a lock file beside it that says who holds it.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// The lock, held until dropped. A process that is killed loses it too: the kernel holds it.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

/// Who has a lock, as far as the lock file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    pid: Option<u32>,
    /// The path by which they came, where it is another one than that of the lock.
    pub by: Option<PathBuf>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

/// Why there is no lock.
#[derive(Debug)]
pub(crate) enum NoLock {
    /// Somebody has it.
    Held(Holder),
    /// The file cannot be made or locked.
    Io(io::Error),
}

impl Lock {
    /// Takes the lock of the store at `path` without waiting. `by` is the path by which this process
    /// came, for those who find it held; one line.
    pub fn take(path: &Path, by: Option<&Path>) -> Result<Self, NoLock> {
        // Never removed: a process that waits at a removed file and one that makes a new one
        // would both have a lock.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(lock_path(path))
            .map_err(NoLock::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(NoLock::Held(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(NoLock::Io(error)),
        }
        let lock = Self { file };
        let by = by.map_or(String::new(), |by| format!("{}\n", by.display()));
        // On a full disk the lock holds without the name.
        lock.write(&format!("{}\n{by}", std::process::id())).ok();
        Ok(lock)
    }

    /// Who has the lock of the store at `path`, if anybody has. Makes nothing.
    pub fn holder(path: &Path) -> Option<Holder> {
        let mut file = File::open(lock_path(path)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(holder(&mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A pid left behind would only be read while somebody else holds the lock and has not
        // written theirs yet; still, an empty file is the truth.
        self.file.set_len(0).ok();
        self.file.unlock().ok();
    }
}

/// The lock file of the store at `path`.
pub(super) fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    path.with_file_name(name)
}

fn holder(file: &mut File) -> Holder {
    let mut text = String::new();
    // A path has 4096 bytes at most.
    if file.take(5000).read_to_string(&mut text).is_err() {
        return Holder::default();
    }
    let mut lines = text.lines();
    Holder {
        pid: lines.next().and_then(|line| line.trim().parse().ok()),
        by: lines.next().map(PathBuf::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        assert_eq!(Lock::holder(&path), None);
        for by in [None, Some(Path::new("/srv/current"))] {
            let first = Lock::take(&path, by).unwrap();
            let Err(NoLock::Held(who)) = Lock::take(&path, None) else {
                panic!("two locks")
            };
            assert_eq!(who.to_string(), format!("process {}", std::process::id()));
            assert_eq!(who.by.as_deref(), by);
            assert_eq!(Lock::holder(&path), Some(who));
            drop(first);
            assert_eq!(Lock::holder(&path), None);
        }
        drop(Lock::take(&path, None).unwrap());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone").join("store.db");
        assert!(matches!(Lock::take(&path, None), Err(NoLock::Io(_))));
    }
}
