//! The folder `.metalform` beside the spec: the store, the lock, the socket, the simulated machines.
//!
//! It holds a `.gitignore` of its own, so git never sees it and nobody has to edit another one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::store::{Embedded, Lock, OpenError, Options};

use super::spec::folder;
use super::{Exit, Failure};

mod others;

pub(super) use others::Others;

/// A home in the folder of its spec.
const NAME: &str = ".metalform";
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
    /// The folder of the spec, where that is a link.
    link: Option<PathBuf>,
}

impl Home {
    /// The home of a spec, which is a folder or a file in it. Makes nothing.
    ///
    /// A folder that is a link is one that will be swapped for the next version (git-sync's
    /// `current`, a deployment's): then the home stands beside the link and carries its name, for
    /// what is in a version goes with it.
    pub fn of(spec: &Path) -> Self {
        let folder = folder(spec);
        match link(folder) {
            Some((parent, name)) => {
                let mut home = std::ffi::OsString::from(NAME);
                home.push("-");
                home.push(name);
                Self {
                    dir: parent.join(home),
                    link: Some(parent.join(name)),
                }
            }
            None => Self {
                dir: folder.join(NAME),
                link: None,
            },
        }
    }

    /// True when there is a spec: a file, or a folder with a root file.
    pub fn has_spec(spec: &Path) -> bool {
        spec.is_file() || spec.join(crate::eval::ROOT_FILE).exists()
    }

    /// The folder that the link leads to now.
    fn behind(&self) -> Option<PathBuf> {
        self.link.as_ref()?.canonicalize().ok()
    }

    /// The path by which the spec is driven, for those who come by another one.
    fn by(&self) -> Option<PathBuf> {
        let link = self.link.as_ref()?;
        Some(std::path::absolute(link).unwrap_or_else(|_| link.clone()))
    }

    /// True when the spec's folder is a link.
    pub fn is_linked(&self) -> bool {
        self.link.is_some()
    }

    /// An error for one who looks where there is no store here, and somebody drives this spec's
    /// machines by another path, or did: nothing would be seen of them.
    pub fn is_elsewhere(&self) -> Result<(), Failure> {
        if self.store().exists() {
            return Ok(());
        }
        let folder = self.behind();
        let place = match &folder {
            Some(folder) => folder.join(NAME).join(STORE),
            None => self.store(),
        };
        if let Some(holder) = Lock::holder(&place) {
            let folder = folder.or_else(|| self.place()).unwrap_or_default();
            return Err(others::driven(&holder, self, &folder));
        }
        self.begins()
    }

    /// An error for one who makes a store where there is none here and one in the folder that the
    /// link leads to, from a start by another path: what is deployed would be forgotten.
    fn begins(&self) -> Result<(), Failure> {
        let inside = self.behind().map(|folder| folder.join(NAME));
        let inside = inside.filter(|inside| inside.join(STORE).exists());
        let (false, Some(inside)) = (self.store().exists(), inside) else {
            return Ok(());
        };
        let text = format!(
            "the store of this spec lies in {}, from a start by another path than this link",
            inside.display()
        );
        Err(Failure::new(Exit::Usage, text).help(format!(
            "while nothing runs, move that folder to {}, or go by the path of before",
            self.dir.display()
        )))
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

    /// Takes the machines of the spec in hand: keeps others out, who come by another path, and opens
    /// the store, in this order: nobody begins elsewhere while this one is made. Who drives or
    /// looks at them makes it [`Exit::Stale`].
    pub fn take(&self) -> Result<(Others, Arc<Embedded>), Failure> {
        let others = Others::take(self)?;
        self.begins()?;
        Ok((others, self.open()?))
    }

    /// As [`Home::take`], but waits a little: verbs that read hold the store for a moment, and so
    /// does a process that stops.
    pub async fn take_waiting(&self) -> Result<(Others, Arc<Embedded>), Failure> {
        let started = Instant::now();
        loop {
            match self.take() {
                Err(failure) if failure.exit == Exit::Stale && started.elapsed() < HELD => {
                    tokio::time::sleep(HELD_STEP).await;
                }
                taken => return taken,
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

/// A path as its user sees it. A shell that went into a folder through a link says so in `PWD`; to
/// the system `.` is what the link leads to, and stays so when the link is led elsewhere. All paths
/// of a command line are taken alike, so that none is of another version than the others.
pub(super) fn as_seen(path: PathBuf) -> PathBuf {
    match std::env::var_os("PWD").map(PathBuf::from) {
        Some(shell) => seen_from(path, &shell),
        None => path,
    }
}

fn seen_from(path: PathBuf, shell: &Path) -> PathBuf {
    let real = |path: &Path| path.canonicalize().ok();
    let is_here = || real(shell).is_some_and(|shell| real(Path::new(".")) == Some(shell));
    if path.is_absolute() || link(shell).is_none() || !is_here() {
        return path;
    }
    match path.strip_prefix(".") {
        Ok(rest) if rest.as_os_str().is_empty() => shell.to_owned(),
        Ok(rest) => shell.join(rest),
        Err(_) => shell.join(path),
    }
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
    fn a_store_in_the_folder_is_not_passed_over_for_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let (link, real) = (dir.path().join("current"), dir.path().join("v1"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink("v1", &link).unwrap();
        let (linked, direct) = (Home::of(&link), Home::of(&real));
        direct.make().unwrap();
        drop(direct.open().unwrap());
        let text = linked.is_elsewhere().unwrap_err().to_string();
        assert!(text.contains("the store of this spec lies in"), "{text}");
        // It is no time to move it while somebody uses it.
        let store = direct.open().unwrap();
        let text = linked.is_elsewhere().unwrap_err().to_string();
        assert!(
            text.contains("drives this spec by the path of its folder"),
            "{text}"
        );
        drop(store);
        std::fs::rename(&direct.dir, &linked.dir).unwrap();
        linked.is_elsewhere().unwrap();
        linked.open().unwrap();
    }

    #[test]
    fn here_is_what_the_shell_went_through() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("current");
        std::os::unix::fs::symlink(std::env::current_dir().unwrap(), &link).unwrap();
        let seen = |path: &str, shell: &Path| seen_from(path.into(), shell);
        assert_eq!(seen(".", &link), link);
        assert_eq!(seen("Cargo.toml", &link), link.join("Cargo.toml"));
        assert_eq!(seen("./src", &link), link.join("src"));
        assert_eq!(seen("../params.kdl", &link), link.join("../params.kdl"));
        assert_eq!(seen("/etc/fleet", &link), Path::new("/etc/fleet"));
        // Somewhere else, or no link at all.
        assert_eq!(seen(".", dir.path()), Path::new("."));
        assert_eq!(seen(".", &std::env::current_dir().unwrap()), Path::new("."));
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
            link: None,
        };
        let socket = home.socket();
        assert!(socket.as_os_str().len() < 100, "{}", socket.display());
        assert_eq!(socket, home.socket());
    }
}
