//! Whether git is in the middle of changing files.
//!
//! While a checkout, pull or rebase writes files it holds `index.lock` in the repository's folder
//! (gitrepository-layout(5) and git's `lockfile.h`). How long that takes depends on the disk, so no
//! pause between two files tells that it is over; the lock does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Stamp, stamp};

/// The locks of the repositories around what is watched.
#[derive(Debug, Default)]
pub(super) struct Checkouts {
    locks: BTreeSet<PathBuf>,
    /// Locks that were waited for in vain: left behind by a git that died.
    stale: Vec<Stamp>,
}

impl Checkouts {
    /// Looks for the repositories that `folders`, which are absolute, lie in.
    pub(super) fn around<'p>(&mut self, folders: impl Iterator<Item = &'p PathBuf>) {
        let above: BTreeSet<&Path> = folders.flat_map(|folder| folder.ancestors()).collect();
        self.locks = above.into_iter().filter_map(lock_of).collect();
    }

    /// Whether a checkout is under way.
    pub(super) fn under_way(&self) -> bool {
        self.held().next().is_some()
    }

    /// The index of each repository: git replaces it by its lock when it is done. `None` while a
    /// checkout is under way.
    pub(super) fn written(&self) -> Option<Vec<Option<Stamp>>> {
        if self.under_way() {
            return None;
        }
        let index = |lock: &PathBuf| stamp(&lock.with_extension(""));
        Some(self.locks.iter().map(index).collect())
    }

    /// Waits no longer for the locks that are there now.
    pub(super) fn give_up(&mut self) {
        self.stale = self.locks.iter().filter_map(|lock| stamp(lock)).collect();
    }

    fn held(&self) -> impl Iterator<Item = Stamp> {
        let stamps = self.locks.iter().filter_map(|lock| stamp(lock));
        stamps.filter(|stamp| !self.stale.contains(stamp))
    }
}

/// Where git locks the checkout at `folder`, if that is one. `.git` is a file in a worktree and in
/// a submodule: `gitdir: PATH`.
fn lock_of(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    let data = fs::metadata(&git).ok()?;
    if data.is_dir() {
        return Some(git.join("index.lock"));
    }
    /// A path is no longer than this on Linux.
    const MOST: u64 = 4096 + 16;
    let text = (data.len() <= MOST)
        .then(|| fs::read_to_string(&git))?
        .ok()?;
    let dir = text.trim_end().strip_prefix("gitdir: ")?;
    Some(folder.join(dir).join("index.lock"))
}
