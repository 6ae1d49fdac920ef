//! One who drives the machines of a spec, by whatever path.
//!
//! A spec whose folder is a link has its home beside the link; whoever comes by the path of the
//! folder itself has another one, in the folder, and would drive the same machines from another
//! store. So the one holds the lock of the other's, too, in whichever folder the link leads to.

use std::path::PathBuf;
use std::time::Instant;

use tracing::debug;

use super::{HELD, HELD_STEP, Home, STORE, ignore, private};
use crate::cli::{Exit, Failure};
use crate::store::{Lock, NoLock};

/// Keeps others out until dropped.
#[derive(Debug)]
pub(in crate::cli) struct Others {
    /// Where the folder is that the link leads to; `None` without a link.
    folder: Option<PathBuf>,
    /// `None` where nobody may write: nobody has a store there.
    _lock: Option<Lock>,
}

impl Others {
    /// Keeps them out of this home's spec. Waits a little for a process that stops.
    pub async fn keep_out(home: &Home) -> Result<Self, Failure> {
        let started = Instant::now();
        loop {
            match Self::take(home) {
                Err(failure) if failure.exit == Exit::Stale && started.elapsed() < HELD => {
                    tokio::time::sleep(HELD_STEP).await;
                }
                taken => return taken,
            }
        }
    }

    /// Goes with the link where it leads somewhere else now. On an error the folder of before stays
    /// locked.
    pub fn follow(&mut self, home: &Home) -> Result<(), Failure> {
        if folder_of(home) != self.folder {
            *self = Self::take(home)?;
        }
        Ok(())
    }

    fn take(home: &Home) -> Result<Self, Failure> {
        let lock = match &home.inside {
            None => None,
            // In a folder that nobody may write to (a mounted ConfigMap) nobody else has a store.
            Some(inside) => match private(inside, None).and_then(|()| ignore(inside)) {
                Ok(()) => lock(inside.join(STORE))?,
                Err(error) => {
                    debug!("no lock in {}: {error}", inside.display());
                    None
                }
            },
        };
        Ok(Self {
            folder: folder_of(home),
            _lock: lock,
        })
    }
}

fn folder_of(home: &Home) -> Option<PathBuf> {
    home.inside.as_ref()?.parent()?.canonicalize().ok()
}

fn lock(store: PathBuf) -> Result<Option<Lock>, Failure> {
    match Lock::take(&store) {
        Ok(lock) => Ok(Some(lock)),
        Err(NoLock::Held(holder)) => {
            let holder = holder.unwrap_or_else(|| "another process".to_owned());
            let text = format!(
                "{holder} drives this spec by the path of its folder, {}",
                store.with_file_name("").display()
            );
            Err(Failure::new(Exit::Stale, text).help("stop it first"))
        }
        Err(NoLock::Io(error)) => {
            debug!("no lock at {}: {error}", store.display());
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

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

    #[tokio::test(start_paused = true)]
    async fn they_are_kept_out_of_where_the_link_leads() {
        let dir = tempfile::tempdir().unwrap();
        let link = linked(dir.path());
        let home = Home::of(&link);
        let mut others = Others::keep_out(&home).await.unwrap();
        assert_eq!(open(&dir.path().join("v1")), Err(Exit::Stale));
        assert_eq!(open(&dir.path().join("v2")), Ok(()));

        std::fs::remove_file(&link).unwrap();
        symlink("v2", &link).unwrap();
        others.follow(&home).unwrap();
        assert_eq!(open(&dir.path().join("v1")), Ok(()));
        assert_eq!(open(&dir.path().join("v2")), Err(Exit::Stale));
        others.follow(&home).unwrap();
        drop(others);
        assert_eq!(open(&dir.path().join("v2")), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_drives_by_the_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let link = linked(dir.path());
        let direct = Home::of(&dir.path().join("v1"));
        direct.make().unwrap();
        let store = direct.open().unwrap();
        let failure = Others::keep_out(&Home::of(&link)).await.unwrap_err();
        assert_eq!(failure.exit, Exit::Stale);
        let text = failure.to_string();
        assert!(
            text.contains("drives this spec by the path of its folder"),
            "{text}"
        );
        drop(store);
    }
}
