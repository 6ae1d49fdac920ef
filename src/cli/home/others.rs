//! One who drives the machines of a spec, by whatever path.
//!
//! A spec whose folder is a link has its home beside the link; whoever comes by the path of the
//! folder itself has another one, in the folder, and would drive the same machines from another
//! store. So the one holds the lock of the other's, too, in whichever folder the link leads to.

use std::io;
use std::path::{Path, PathBuf};

use tracing::debug;

use super::{Home, NAME, STORE, ignore, private};
use crate::cli::{Exit, Failure};
use crate::store::{Holder, Lock, NoLock};

/// Keeps others out until dropped.
#[derive(Debug)]
pub(in crate::cli) struct Others {
    /// The folder that the link leads to; `None` without a link, or where it leads nowhere.
    folder: Option<PathBuf>,
    /// `None` where nobody can have a store.
    _lock: Option<Lock>,
}

impl Others {
    /// Goes with the link where it leads somewhere else now. On an error, and where it leads nowhere,
    /// the folder of before stays locked: its machines are still driven.
    pub fn follow(&mut self, home: &Home) -> Result<(), Failure> {
        let behind = home.behind();
        if behind.is_some() && behind != self.folder {
            *self = Self::take(home)?;
        }
        Ok(())
    }

    /// Keeps them out of this home's spec. Who is there already makes it [`Exit::Stale`].
    pub fn take(home: &Home) -> Result<Self, Failure> {
        // Once: the link may be led elsewhere at any moment.
        let folder = home.behind();
        let lock = folder.as_deref().map(|folder| lock(home, folder));
        Ok(Self {
            _lock: lock.transpose()?.flatten(),
            folder,
        })
    }
}

fn lock(home: &Home, folder: &Path) -> Result<Option<Lock>, Failure> {
    let inside = folder.join(NAME);
    let locked = private(&inside, None)
        .and_then(|()| ignore(&inside))
        .map_err(NoLock::Io)
        .and_then(|()| Lock::take(&inside.join(STORE), home.by().as_deref()));
    match locked {
        Ok(lock) => Ok(Some(lock)),
        Err(NoLock::Held(holder)) => Err(driven(&holder, home, folder)),
        // In a folder that nobody may write to (a mounted ConfigMap) nobody has a store.
        Err(NoLock::Io(error)) if is_missing(&inside) => {
            debug!("no lock in {}: {error}", inside.display());
            Ok(None)
        }
        Err(NoLock::Io(error)) => {
            let text = format!(
                "cannot see whether another process drives this spec from {}: {error}",
                inside.display()
            );
            Err(Failure::new(Exit::Usage, text)
                .help("let this user write there, or remove that folder if nobody uses it"))
        }
    }
}

fn is_missing(path: &Path) -> bool {
    let found = path.symlink_metadata();
    found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Somebody else drives the machines of `home`'s spec, and holds the lock in `folder`.
pub(super) fn driven(holder: &Holder, home: &Home, folder: &Path) -> Failure {
    let text = match &holder.by {
        by if *by == home.by() => format!("{holder} drives this spec already"),
        Some(by) => format!(
            "{holder} drives this spec by another path, {}",
            by.display()
        ),
        None => format!(
            "{holder} drives this spec by the path of its folder, {}",
            folder.display()
        ),
    };
    Failure::new(Exit::Stale, text).help("go by that path, or stop that process first")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// `current`, which leads to `v1`; there is `v2`, too.
    fn linked(dir: &Path) -> PathBuf {
        for version in ["v1", "v2"] {
            std::fs::create_dir(dir.join(version)).unwrap();
        }
        symlink("v1", dir.join("current")).unwrap();
        dir.join("current")
    }

    fn open(folder: &Path) -> Result<(), Exit> {
        let home = Home::of(folder);
        home.make().unwrap();
        home.open().map(drop).map_err(|failure| failure.exit)
    }

    #[test]
    fn they_are_kept_out_of_where_the_link_leads() {
        let dir = tempfile::tempdir().unwrap();
        let link = linked(dir.path());
        let home = Home::of(&link);
        let mut others = Others::take(&home).unwrap();
        assert_eq!(open(&dir.path().join("v1")), Err(Exit::Stale));
        assert_eq!(open(&dir.path().join("v2")), Ok(()));

        std::fs::remove_file(&link).unwrap();
        symlink("v2", &link).unwrap();
        others.follow(&home).unwrap();
        assert_eq!(open(&dir.path().join("v1")), Ok(()));
        assert_eq!(open(&dir.path().join("v2")), Err(Exit::Stale));
        others.follow(&home).unwrap();
        // Its machines are driven, wherever the link leads.
        std::fs::remove_file(&link).unwrap();
        for _ in 0..2 {
            others.follow(&Home::of(&link)).unwrap();
            assert_eq!(open(&dir.path().join("v2")), Err(Exit::Stale));
            std::fs::create_dir(&link).ok();
        }
        drop(others);
        assert_eq!(open(&dir.path().join("v2")), Ok(()));
    }

    #[test]
    fn whoever_drives_by_the_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let link = linked(dir.path());
        let direct = Home::of(&dir.path().join("v1"));
        direct.make().unwrap();
        let store = direct.open().unwrap();
        let failure = Others::take(&Home::of(&link)).unwrap_err();
        assert_eq!(failure.exit, Exit::Stale);
        let text = failure.to_string();
        assert!(
            text.contains("drives this spec by the path of its folder"),
            "{text}"
        );
        drop(store);
    }

    #[test]
    fn whoever_comes_by_the_folder_is_told_of_the_link() {
        let dir = tempfile::tempdir().unwrap();
        let link = linked(dir.path());
        let others = Others::take(&Home::of(&link)).unwrap();
        let direct = Home::of(&dir.path().join("v1"));
        let by = link.display().to_string();
        // One who only looks, and has no store.
        let told = direct.is_elsewhere().unwrap_err();
        assert_eq!(told.exit, Exit::Stale);
        assert!(told.to_string().contains(&by), "{told}");
        let told = direct.open().unwrap_err().to_string();
        assert!(told.contains(&by), "{told}");
        // The same path, and another link.
        let again = Others::take(&Home::of(&link)).unwrap_err();
        assert!(
            again.to_string().ends_with("drives this spec already"),
            "{again}"
        );
        let other = dir.path().join("other");
        symlink("v1", &other).unwrap();
        let again = Others::take(&Home::of(&other)).unwrap_err();
        assert!(again.to_string().ends_with(&by), "{again}");
        drop(others);
        direct.is_elsewhere().unwrap();
    }

    #[test]
    fn a_lock_that_cannot_be_looked_at_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let link = linked(dir.path());
        // What stands in the way is no folder, for whatever user.
        std::fs::write(dir.path().join("v1/.metalform"), "").unwrap();
        let failure = Others::take(&Home::of(&link)).unwrap_err();
        let text = failure.to_string();
        assert!(
            text.starts_with("cannot see whether another process"),
            "{text}"
        );
    }

    #[test]
    fn a_link_that_leads_to_a_driven_folder_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let link = linked(dir.path());
        let home = Home::of(&link);
        let mut others = Others::take(&home).unwrap();
        let direct = Home::of(&dir.path().join("v2"));
        direct.make().unwrap();
        let store = direct.open().unwrap();
        std::fs::remove_file(&link).unwrap();
        symlink("v2", &link).unwrap();
        others.follow(&home).unwrap_err();
        assert_eq!(open(&dir.path().join("v1")), Err(Exit::Stale), "still held");
        drop(store);
        others.follow(&home).unwrap();
        assert_eq!(open(&dir.path().join("v1")), Ok(()));
    }
}
