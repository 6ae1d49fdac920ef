//! The folder `.metalform` beside the spec: the store, the lock, the socket, the simulated machines.
//!
//! It holds a `.gitignore` of its own, so git never sees it and nobody has to edit another one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::debug;

use crate::store::{Embedded, Lock, NoLock, OpenError, Options};

use super::spec::folder;
use super::{Exit, Failure};

/// The store in a home.
const STORE: &str = "store.redb";
/// How long a store that somebody holds is waited for, and how often it is looked at.
const HELD: Duration = Duration::from_secs(2);
pub(super) const HELD_STEP: Duration = Duration::from_millis(25);

/// Paths in the folder.
#[derive(Debug, Clone)]
pub(super) struct Home {
    /// The folder.
    pub dir: PathBuf,
    /// Where it would be for somebody who comes by another path than the link.
    inside: Option<PathBuf>,
}

impl Home {
    /// The home of a spec, which is a folder or a file in it. Makes nothing.
    ///
    /// A folder that is a link is one that will be swapped for the next version (git-sync's
    /// `current`, a deployment's): then the home stands beside the link and carries its name, for
    /// what is in a version goes with it.
    pub fn of(spec: &Path) -> Self {
        let folder = folder(spec);
        // A shell that went through a link knows so; the system does not.
        let shell = (folder == Path::new("."))
            .then(|| std::env::var_os("PWD").map(PathBuf::from))
            .flatten()
            .filter(|path| is_same(path, folder));
        let folder = shell
            .as_deref()
            .filter(|path| link(path).is_some())
            .unwrap_or(folder);
        let inside = folder.join(".metalform");
        match link(folder) {
            Some((parent, name)) => {
                let mut home = std::ffi::OsString::from(".metalform-");
                home.push(name);
                Self {
                    dir: parent.join(home),
                    inside: Some(inside),
                }
            }
            None => Self {
                dir: inside,
                inside: None,
            },
        }
    }

    /// Keeps out whoever comes to a linked spec by another path, whose home is another one, as long
    /// as the lock is held. A store that one of them left there is not passed over.
    pub fn keep_others_out(&self) -> Result<Option<Lock>, Failure> {
        let Some(inside) = &self.inside else {
            return Ok(None);
        };
        let store = inside.join(STORE);
        if store.exists() && !self.store().exists() {
            let text = format!(
                "the store of this spec lies in {}, from a start by another path than this link",
                inside.display()
            );
            return Err(Failure::new(Exit::Usage, text).help(format!(
                "move that folder to {}, or start by the path of before",
                self.dir.display()
            )));
        }
        // In a folder that nobody may write to (a mounted ConfigMap) nobody else has a store.
        if let Err(error) = private(inside, None).and_then(|()| ignore(inside)) {
            debug!("no lock in {}: {error}", inside.display());
            return Ok(None);
        }
        match Lock::take(&store) {
            Ok(lock) => Ok(Some(lock)),
            Err(NoLock::Held(holder)) => {
                let holder = holder.unwrap_or_else(|| "another process".to_owned());
                let text = format!("this spec is driven already, by another path: {holder}");
                Err(Failure::new(Exit::Stale, text))
            }
            Err(NoLock::Io(error)) => {
                debug!("no lock in {}: {error}", inside.display());
                Ok(None)
            }
        }
    }

    /// The folder that it lies in, whatever links lead there.
    pub fn place(&self) -> Option<PathBuf> {
        let folder = self.dir.parent()?;
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        folder.canonicalize().ok()
    }

    /// Makes the folder, and that of the socket where it is another one. Nobody else may look in:
    /// statuses, journal and socket are the owner's, whatever the umask says.
    pub fn make(&self) -> Result<(), Failure> {
        private(&self.dir, None)
            .and_then(|()| match self.socket().parent() {
                Some(folder) if folder != self.dir => private(folder, Some(&self.dir)),
                _ => Ok(()),
            })
            .and_then(|()| ignore(&self.dir))
            .map_err(|error| {
                let text = format!("cannot make {}: {error}", self.dir.display());
                Failure::new(Exit::Usage, text)
                    .help("metalform keeps its store there; make the folder writable")
            })
    }

    /// The store.
    pub fn store(&self) -> PathBuf {
        self.dir.join(STORE)
    }

    /// As [`Home::open`], but waits a little for one who holds it: verbs that read do, for a moment, and so
    /// does a process that stops.
    pub async fn open_waiting(&self) -> Result<Arc<Embedded>, Failure> {
        let started = Instant::now();
        loop {
            match self.open() {
                Err(failure) if failure.exit == Exit::Stale && started.elapsed() < HELD => {
                    tokio::time::sleep(HELD_STEP).await;
                }
                opened => return opened,
            }
        }
    }

    /// Opens the store beside the spec. Who holds it makes it [`Exit::Stale`].
    pub fn open(&self) -> Result<Arc<Embedded>, Failure> {
        let options = Options::default();
        Embedded::open(&self.store(), options)
            .map(Arc::new)
            .map_err(|error| {
                let exit = match error {
                    OpenError::Held { .. } => Exit::Stale,
                    OpenError::Newer { .. } | OpenError::Damaged { .. } | OpenError::Io { .. } => {
                        Exit::Remote
                    }
                };
                Failure::new(exit, error.to_string())
            })
    }

    /// What the simulated machines are at.
    pub fn machines(&self) -> PathBuf {
        self.dir.join("machines.journal")
    }

    /// The socket of the process that holds the store. A path that is too long for a socket
    /// (108 bytes on Linux) is replaced by one in a folder in the temporary one, named after the
    /// digest of this path, so that both sides find it.
    pub fn socket(&self) -> PathBuf {
        use std::os::unix::ffi::OsStrExt as _;
        let path = self.dir.join("api.sock");
        let full = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        if full.as_os_str().as_bytes().len() < 100 {
            return path;
        }
        let digest = crate::secrets::digest(full.as_os_str().as_bytes());
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let folder = runtime.unwrap_or_else(std::env::temp_dir);
        folder.join(format!("metalform-{digest}")).join("api.sock")
    }
}

/// Has git see nothing of a folder.
fn ignore(folder: &Path) -> std::io::Result<()> {
    let ignore = folder.join(".gitignore");
    if ignore.exists() {
        return Ok(());
    }
    std::fs::write(ignore, "*\n")
}

/// True when both paths lead to one folder.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(one).is_some_and(|one| real(other) == Some(one))
}

/// Where a folder lies and what it is called, when it is a link.
pub(super) fn link(folder: &Path) -> Option<(&Path, &std::ffi::OsStr)> {
    let name = folder.file_name()?;
    let parent = folder.parent()?;
    // `cur/` names what the link leads to; the parts of a path know no slash at the end.
    parent.join(name).is_symlink().then_some((parent, name))
}

/// Makes a folder that only its owner may use. In a folder that others may write to somebody may
/// have been faster: then it has to be the owner's of `like`.
fn private(dir: &Path, like: Option<&Path>) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
    let mut builder = std::fs::DirBuilder::new();
    match builder.mode(0o700).create(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let found = std::fs::symlink_metadata(dir)?;
    if let Some(like) = like
        && (!found.is_dir() || found.uid() != std::fs::metadata(like)?.uid())
    {
        let text = format!("{} is somebody else's", dir.display());
        return Err(std::io::Error::new(
            std::io::ErrorKind::PermissionDenied,
            text,
        ));
    }
    if found.is_dir() && found.permissions().mode() & 0o077 != 0 {
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_its_folder_share_a_home() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("fleet.kdl");
        std::fs::write(&file, "").unwrap();
        assert_eq!(Home::of(&file).dir, Home::of(dir.path()).dir);
    }

    #[test]
    fn a_folder_that_is_a_link_has_its_home_beside_the_link() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("current");
        std::fs::create_dir(dir.path().join("v1")).unwrap();
        std::fs::write(dir.path().join("v1/fleet.kdl"), "").unwrap();
        std::os::unix::fs::symlink("v1", &link).unwrap();
        let home = dir.path().join(".metalform-current");
        assert_eq!(Home::of(&link).dir, home);
        assert_eq!(Home::of(&link.join("")).dir, home);
        assert_eq!(Home::of(&link.join("fleet.kdl")).dir, home);
        let inside = dir.path().join("v1/.metalform");
        assert_eq!(Home::of(&dir.path().join("v1")).dir, inside);
        assert_eq!(Home::of(&link).place(), dir.path().canonicalize().ok());
    }

    #[test]
    fn whoever_comes_by_another_path_is_kept_out() {
        let dir = tempfile::tempdir().unwrap();
        let (link, real) = (dir.path().join("current"), dir.path().join("v1"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink("v1", &link).unwrap();
        let (linked, direct) = (Home::of(&link), Home::of(&real));
        linked.make().unwrap();
        let lock = linked.keep_others_out().unwrap();
        assert!(lock.is_some());
        direct.make().unwrap();
        assert_eq!(direct.open().unwrap_err().exit, Exit::Stale);
        let second = Home::of(&link).keep_others_out().unwrap_err();
        assert_eq!(second.exit, Exit::Stale);
        drop(lock);
        // A store from a start by the path of the folder is not passed over.
        drop(direct.open().unwrap());
        let text = linked.keep_others_out().unwrap_err().to_string();
        assert!(text.contains("the store of this spec lies in"), "{text}");
        drop(linked.open().unwrap());
        assert!(linked.keep_others_out().unwrap().is_some());
    }

    #[test]
    fn nobody_else_may_look_in() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let home = Home::of(dir.path());
        let mode = || std::fs::metadata(&home.dir).unwrap().permissions().mode() & 0o777;
        home.make().unwrap();
        assert_eq!(mode(), 0o700);
        // One that an older version made.
        std::fs::set_permissions(&home.dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        home.make().unwrap();
        assert_eq!(mode(), 0o700);
    }

    #[test]
    fn git_ignores_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::of(dir.path());
        home.make().unwrap();
        home.make().unwrap();
        assert_eq!(
            std::fs::read_to_string(home.dir.join(".gitignore")).unwrap(),
            "*\n"
        );
    }

    #[test]
    fn a_long_path_gets_a_short_socket() {
        let home = Home {
            dir: PathBuf::from("/").join("x".repeat(150)),
            inside: None,
        };
        let socket = home.socket();
        assert!(socket.as_os_str().len() < 100, "{}", socket.display());
        assert_eq!(socket, home.socket());
    }
}
