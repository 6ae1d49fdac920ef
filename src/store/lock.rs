//! One process a store: a lock file beside it that says who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// The lock, held until dropped. A process that is killed loses it too: the kernel holds it.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

/// Why there is no lock.
#[derive(Debug)]
pub(crate) enum NoLock {
    /// Somebody has it; what the lock file says of them (`process 4711`), if anything.
    Held(Option<String>),
    /// The file cannot be made or locked.
    Io(io::Error),
}

impl Lock {
    /// Takes the lock of the store at `path` without waiting.
    pub fn take(path: &Path) -> Result<Self, NoLock> {
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
        // On a full disk the lock holds without the name.
        lock.write(&format!("{}\n", std::process::id())).ok();
        Ok(lock)
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

fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    let pid: u32 = text.trim().parse().ok()?;
    Some(format!("process {pid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let first = Lock::take(&path).unwrap();
        let Err(NoLock::Held(who)) = Lock::take(&path) else {
            panic!("two locks")
        };
        assert_eq!(who, Some(format!("process {}", std::process::id())));
        drop(first);
        drop(Lock::take(&path).unwrap());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone").join("store.db");
        assert!(matches!(Lock::take(&path), Err(NoLock::Io(_))));
    }
}
