//! Secrets from files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::{Sealed, Secret, SecretError, Secrets};

/// The largest secret, all keys together: what Kubernetes takes.
const LARGEST: u64 = 1 << 20;
/// How often a secret is read again that is replaced while it is read.
const ATTEMPTS: usize = 4;

/// A folder of folders: `<root>/<name>/<key>`, as Kubernetes mounts secrets. What no key can be
/// called (`..data`, `password~`) is passed over, and so are folders.
#[derive(Debug, Clone)]
pub struct SecretsFolder {
    /// The folder; `None` answers every question with [`SecretError::NoFolder`].
    pub root: Option<PathBuf>,
}

impl Secrets for SecretsFolder {
    fn read(&self, _namespace: &str, name: &str) -> Result<Secret, SecretError> {
        let name_of = || name.to_owned();
        let Some(root) = &self.root else {
            return Err(SecretError::NoFolder { name: name_of() });
        };
        // A name is a name: it never leaves the folder.
        if !is_name(name) {
            return Err(SecretError::Unreadable {
                name: name_of(),
                tried: root.display().to_string(),
                reason: "that is no name of a secret".to_owned(),
            });
        }
        let folder = root.join(name);
        let mut attempt = 0;
        loop {
            attempt += 1;
            match contents(&folder) {
                Ok(data) => return Ok(Secret::new(data).read_from(shown(&folder))),
                // Replaced while it was read: a mount swaps all keys at once.
                Err(Trouble { error, .. }) if is_gone(&error) && attempt < ATTEMPTS => {}
                Err(Trouble { path, error }) if is_gone(&error) && path == folder => {
                    return Err(SecretError::Missing {
                        name: name_of(),
                        tried: shown(&folder),
                    });
                }
                Err(Trouble { path, error }) => {
                    return Err(SecretError::Unreadable {
                        name: name_of(),
                        tried: shown(&path),
                        reason: error.to_string(),
                    });
                }
            }
        }
    }
}

impl SecretsFolder {
    /// The paths to look at in order to learn of a change: the folder, each secret in it and each
    /// of their keys. Sorted.
    pub fn watched(&self) -> Vec<PathBuf> {
        let Some(root) = &self.root else {
            return Vec::new();
        };
        let mut all = vec![root.clone()];
        for folder in entries(root).unwrap_or_default() {
            if folder.is_dir() {
                all.extend(
                    entries(&folder)
                        .unwrap_or_default()
                        .into_iter()
                        .filter(|path| key_of(path).is_some() && path.is_file()),
                );
                all.push(folder);
            }
        }
        all.sort();
        all
    }
}

/// What went wrong, and where.
struct Trouble {
    path: PathBuf,
    error: io::Error,
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A name that Kubernetes would take, as far as it matters for a path.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_'))
}

/// The key that a file is, if it can be one. Kubernetes keeps `..data` and dated folders beside
/// the keys, editors their backups.
fn key_of(path: &Path) -> Option<&str> {
    let key = path.file_name()?.to_str()?;
    let valid = key
        .bytes()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_'));
    let swap = key.starts_with('.') && path.extension().is_some_and(|kind| kind == "swp");
    (valid && !key.starts_with("..") && !swap).then_some(key)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect()
}

/// All keys of a secret, from one moment: where a mount keeps them behind `..data`, that link is
/// followed once.
fn contents(folder: &Path) -> Result<BTreeMap<String, Sealed>, Trouble> {
    let trouble = |path: &Path, error: io::Error| Trouble {
        path: path.to_owned(),
        error,
    };
    let real = fs::canonicalize(folder.join("..data")).unwrap_or_else(|_| folder.to_owned());
    let paths = entries(&real).map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory => {
            let text = "it is a file; a secret is a folder with one file a key";
            trouble(folder, io::Error::other(text))
        }
        _ => trouble(folder, error),
    })?;
    let mut left = LARGEST;
    let mut data = BTreeMap::new();
    for path in paths {
        let Some(key) = key_of(&path) else { continue };
        if !fs::metadata(&path)
            .map_err(|error| trouble(&path, error))?
            .is_file()
        {
            continue;
        }
        let text = text(&path, left).map_err(|error| trouble(&path, error))?;
        left -= text.len() as u64;
        data.insert(key.to_owned(), Sealed::new(text));
    }
    Ok(data)
}

/// A file of at most `limit` bytes, as text.
fn text(path: &Path, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(limit + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other("the secret is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::other(format!(
            "it is not UTF-8 text: byte {at} begins no character"
        ))
    })
}
