//! Which folders to look at, and which names in them matter.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// How the system gets from `/` to the watched paths, links and gaps included.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// Paths on the way: each watched path, the folders and links that lead to it.
    names: BTreeSet<PathBuf>,
    /// Watched paths that are folders: any name in them matters.
    lists: BTreeSet<PathBuf>,
    /// Folders to have the system watch. All of them existed a moment ago.
    pub(super) folders: BTreeSet<PathBuf>,
}

impl Trail {
    /// Walks to each of `paths`, which are absolute.
    pub(super) fn of<'p>(paths: impl Iterator<Item = &'p PathBuf>) -> Self {
        let mut trail = Self::default();
        for path in paths {
            trail.walk(path);
        }
        trail
    }

    /// Whether something that happened to `path` can matter. `renames`: names in its folder may
    /// have changed, not only its bytes.
    pub(super) fn concerns(&self, path: &Path, renames: bool) -> bool {
        self.names.contains(path)
            || renames
                && (self.lists.contains(path)
                    || path
                        .parent()
                        .is_some_and(|folder| self.lists.contains(folder)))
    }

    fn walk(&mut self, path: &Path) {
        /// As many links as Linux follows.
        const MOST_LINKS: usize = 40;
        let mut rest: VecDeque<OsString> = parts(path);
        let mut folder = PathBuf::from(Component::RootDir.as_os_str());
        let mut links = 0;
        while let Some(part) = rest.pop_front() {
            if part == ".." {
                folder.pop();
                continue;
            }
            let here = folder.join(&part);
            self.names.insert(here.clone());
            let Ok(data) = fs::symlink_metadata(&here) else {
                // Nothing there yet: it will appear in this folder.
                self.folders.insert(folder);
                return;
            };
            if data.is_symlink() {
                self.folders.insert(folder.clone());
                links += 1;
                let (Ok(target), true) = (fs::read_link(&here), links <= MOST_LINKS) else {
                    return;
                };
                if target.has_root() {
                    folder = PathBuf::from(Component::RootDir.as_os_str());
                }
                for part in parts(&target).into_iter().rev() {
                    rest.push_front(part);
                }
            } else if data.is_dir() {
                if rest.is_empty() {
                    // Its names, and whether it stays.
                    self.folders.insert(folder);
                    self.lists.insert(here.clone());
                    self.folders.insert(here);
                    return;
                }
                folder = here;
            } else {
                // The file's folder, and whether that stays.
                if let Some(parent) = folder.parent() {
                    self.folders.insert(parent.to_owned());
                }
                self.folders.insert(folder);
                return;
            }
        }
    }
}

/// The parts of a path but for its root and dots.
fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        })
        .collect()
}
