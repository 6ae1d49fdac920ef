//! The folder `.metalform` beside the spec: the store, the lock, the socket, the simulated machines.
//!
//! It holds a `.gitignore` of its own, so git never sees it and nobody has to edit another one.

use std::path::{Path, PathBuf};

use super::{Exit, Failure};

/// Paths in the folder.
#[derive(Debug, Clone)]
pub(super) struct Home {
    /// The folder.
    pub dir: PathBuf,
}

impl Home {
    /// The home of a spec, which is a folder or a file in it. Makes nothing.
    pub fn of(spec: &Path) -> Self {
        let folder = if spec.is_file() {
            spec.parent().unwrap_or(spec)
        } else {
            spec
        };
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        Self {
            dir: folder.join(".metalform"),
        }
    }

    /// Makes the folder.
    pub fn make(&self) -> Result<(), Failure> {
        let ignore = self.dir.join(".gitignore");
        std::fs::create_dir_all(&self.dir)
            .and_then(|()| {
                if ignore.exists() {
                    Ok(())
                } else {
                    std::fs::write(&ignore, "*\n")
                }
            })
            .map_err(|error| {
                let text = format!("cannot make {}: {error}", self.dir.display());
                Failure::new(Exit::Usage, text)
                    .help("metalform keeps its store there; make the folder writable")
            })
    }

    /// The store.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store.redb")
    }

    /// What the simulated machines are at.
    pub fn machines(&self) -> PathBuf {
        self.dir.join("machines.journal")
    }

    /// The socket of the process that holds the store. A path that is too long for a socket
    /// (108 bytes on Linux) is replaced by one in the temporary folder, named after the digest of
    /// this one, so that both sides find it.
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
        folder.join(format!("metalform-{digest}.sock"))
    }
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
        };
        let socket = home.socket();
        assert!(socket.as_os_str().len() < 100, "{}", socket.display());
        assert_eq!(socket, home.socket());
    }
}
