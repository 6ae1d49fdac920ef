//! Where bytes come from.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

/// What a path leads to, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Bytes.
    File,
    /// Other paths.
    Folder,
    /// A device, socket or pipe, which is never read.
    Other,
}

/// A file system, as far as reading a project needs one.
pub trait Disk: Send + Sync {
    /// What is at `path`, links followed.
    fn kind(&self, path: &Path) -> io::Result<FileKind>;

    /// The bytes of a file, but no more than `limit` and one: enough to see that there are more.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// The absolute path without links and dots.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;

    /// The paths in a folder, each `dir` and a name, in no particular order.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;

    /// Whether the name at `path` is a link, wherever that leads; false where there is no such
    /// name.
    fn is_link(&self, path: &Path) -> io::Result<bool>;
}

/// Whether an error says that nothing is at a path, rather than that it could not be looked at.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn kind(&self, path: &Path) -> io::Result<FileKind> {
        let kind = std::fs::metadata(path)?.file_type();
        Ok(if kind.is_file() {
            FileKind::File
        } else if kind.is_dir() {
            FileKind::Folder
        } else {
            FileKind::Other
        })
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        use io::Read as _;
        let file = std::fs::File::open(path)?;
        let size = file.metadata().map_or(0, |data| data.len()).min(limit) as usize;
        let mut bytes = Vec::with_capacity(size + 1);
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::canonicalize(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        std::fs::read_dir(dir)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    }

    fn is_link(&self, path: &Path) -> io::Result<bool> {
        match std::fs::symlink_metadata(path) {
            Ok(data) => Ok(data.is_symlink()),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A file system in memory, for tests and for texts that come from elsewhere. Folders exist as far
/// as files are in them.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    files: BTreeMap<PathBuf, Vec<u8>>,
    links: BTreeMap<PathBuf, PathBuf>,
    unreadable: Vec<PathBuf>,
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more file. Paths are absolute; `path` replaces what was there.
    #[must_use]
    pub fn with(mut self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content);
        self
    }

    /// Writes a file.
    pub fn write(&mut self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        self.files
            .insert(clean(path.as_ref()), content.as_ref().to_vec());
    }

    /// Removes a file or link, or a folder with all that is in it.
    pub fn remove(&mut self, path: impl AsRef<Path>) {
        let path = clean(path.as_ref());
        self.files.retain(|file, _| !file.starts_with(&path));
        self.links.retain(|link, _| !link.starts_with(&path));
    }

    /// Makes `path` a symbolic link to `target`, which may be relative to the link's folder.
    pub fn link(&mut self, path: impl AsRef<Path>, target: impl AsRef<Path>) {
        self.links
            .insert(clean(path.as_ref()), target.as_ref().to_owned());
    }

    /// Makes reading or listing `path`, and looking at what is in it, fail for want of permission.
    pub fn forbid(&mut self, path: impl AsRef<Path>) {
        self.unreadable.push(clean(path.as_ref()));
    }

    /// Follows links, each component in turn.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        /// As many links as Linux follows.
        const MOST: usize = 40;
        let mut resolved = clean(path);
        for _ in 0..MOST {
            let link = resolved
                .ancestors()
                .filter_map(|part| self.links.get(part).map(|target| (part, target)))
                .last();
            let Some((part, target)) = link else {
                return Ok(resolved);
            };
            let rest = resolved
                .strip_prefix(part)
                .map(Path::to_owned)
                .unwrap_or_default();
            let base = part.parent().unwrap_or(part).join(target);
            resolved = clean(&base.join(rest));
        }
        Err(io::Error::other("too many levels of symbolic links"))
    }

    fn check(&self, path: &Path) -> io::Result<()> {
        if self.unreadable.iter().any(|forbidden| forbidden == path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn kind(&self, path: &Path) -> io::Result<FileKind> {
        let path = self.resolve(path)?;
        for folder in path.ancestors().skip(1) {
            self.check(folder)?;
        }
        if self.files.contains_key(&path) {
            Ok(FileKind::File)
        } else if self
            .files
            .keys()
            .chain(self.links.keys())
            .any(|file| file.starts_with(&path))
        {
            Ok(FileKind::Folder)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let path = self.resolve(path)?;
        self.check(&path)?;
        match self.files.get(&path) {
            Some(content) => {
                let most = content.len().min(limit.saturating_add(1) as usize);
                Ok(content[..most].to_vec())
            }
            None => match self.kind(&path)? {
                FileKind::Folder => Err(io::ErrorKind::IsADirectory.into()),
                _ => Err(io::ErrorKind::NotFound.into()),
            },
        }
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let path = self.resolve(path)?;
        self.kind(&path)?;
        Ok(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let real = self.resolve(dir)?;
        self.check(&real)?;
        if self.kind(&real)? != FileKind::Folder {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let mut found: Vec<PathBuf> = self
            .files
            .keys()
            .chain(self.links.keys())
            .filter_map(|path| path.strip_prefix(&real).ok()?.components().next())
            .map(|name| dir.join(name))
            .collect();
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn is_link(&self, path: &Path) -> io::Result<bool> {
        let path = clean(path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(false);
        };
        Ok(self.links.contains_key(&self.resolve(folder)?.join(name)))
    }
}

/// A path without `.` and `..`, taken literally.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !cleaned.pop() || cleaned.as_os_str().is_empty() {
                    cleaned.push("");
                }
            }
            part => cleaned.push(part),
        }
    }
    cleaned
}
