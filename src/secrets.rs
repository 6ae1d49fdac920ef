//! Secrets: where they come from, and values that never show.
//!
//! In local mode a secret is a folder with one file a key, as Kubernetes mounts them:
//! `<dir>/<name>/<key>`. [`Secrets`] answers with a version (a digest, never the content) for
//! decisions, and with content only for the effect that needs it.

mod host;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;

use sha2::{Digest, Sha256};

pub use self::host::{credentials, job_secrets, missing};

/// Text that is never shown: `Debug` prints `(secret)`, there is no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Sealed(String);

impl Sealed {
    /// Seals a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the request that needs it and nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// One secret: keys and contents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secret {
    /// Key to content.
    pub data: BTreeMap<String, Sealed>,
    /// Changes whenever the content does.
    pub version: String,
}

impl Secret {
    /// A secret from its contents, with its version: the first 16 hex digits of a SHA-256 over
    /// the keys and values.
    pub fn new(data: BTreeMap<String, Sealed>) -> Self {
        let mut hash = Sha256::new();
        for (key, value) in &data {
            for part in [key.as_str(), value.reveal()] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part.as_bytes());
            }
        }
        let version = hex(&hash.finalize());
        Self { data, version }
    }

    /// A key's content, without white space around it (as the Bare Metal Operator reads
    /// credentials).
    pub fn trimmed(&self, key: &str) -> Option<Sealed> {
        self.data
            .get(key)
            .map(|text| Sealed::new(text.reveal().trim()))
    }
}

/// The first 16 hex digits of a SHA-256.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(hash: &[u8]) -> String {
    hash.iter().take(8).fold(String::new(), |mut text, byte| {
        use fmt::Write as _;
        // Writing into a String does not fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// Contents for one effect.
#[derive(Debug, Clone, Default)]
pub struct JobSecrets {
    /// BMC user name and password.
    pub bmc: Option<(Sealed, Sealed)>,
    /// Config drive user data.
    pub user_data: Option<Sealed>,
    /// Config drive network data: YAML or JSON text.
    pub network_data: Option<Sealed>,
    /// Config drive meta data: YAML or JSON text.
    pub meta_data: Option<Sealed>,
    /// Network data for the ramdisk.
    pub preprovisioning_network_data: Option<Sealed>,
    /// `user:password` for an `oci://` image.
    pub image_pull: Option<Sealed>,
}

/// Why a secret cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No such secret.
    #[error("secret `{name}` not found: tried {tried}")]
    Missing {
        /// Name.
        name: String,
        /// Where it was looked for.
        tried: String,
    },
    /// It is there but cannot be read.
    #[error("secret `{name}` cannot be read: {tried}: {reason}")]
    Unreadable {
        /// Name.
        name: String,
        /// Where it was looked for.
        tried: String,
        /// What the system said.
        reason: String,
    },
    /// No folder was named to look in.
    #[error(
        "secret `{name}` not found: no secrets folder; give --secrets DIR or `spec {{ secrets \"DIR\" }}`"
    )]
    NoFolder {
        /// Name.
        name: String,
    },
}

/// A source of secrets. Reading is cheap or cached; a source never logs content.
pub trait Secrets: Send + Sync + 'static {
    /// One secret by namespace and name.
    fn read(&self, namespace: &str, name: &str) -> Result<Secret, SecretError>;
}

/// A folder of folders: `<root>/<name>/<key>`, as Kubernetes mounts secrets.
#[derive(Debug, Clone)]
pub struct SecretsFolder {
    /// The folder; `None` answers every question with [`SecretError::NoFolder`].
    pub root: Option<PathBuf>,
}

impl Secrets for SecretsFolder {
    fn read(&self, _namespace: &str, name: &str) -> Result<Secret, SecretError> {
        let Some(root) = &self.root else {
            return Err(SecretError::NoFolder {
                name: name.to_owned(),
            });
        };
        let folder = root.join(name);
        let tried = folder.display().to_string();
        // A name is a name: it never leaves the folder.
        if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
            return Err(SecretError::Missing {
                name: name.to_owned(),
                tried,
            });
        }
        let unreadable = |reason: String| SecretError::Unreadable {
            name: name.to_owned(),
            tried: tried.clone(),
            reason,
        };
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(SecretError::Missing {
                    name: name.to_owned(),
                    tried,
                });
            }
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let mut data = BTreeMap::new();
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(error.to_string()))?;
            let Some(key) = entry.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            // Kubernetes mounts keep `..data` and dated folders beside the keys.
            if key.starts_with("..") || !entry.path().is_file() {
                continue;
            }
            let text = std::fs::read_to_string(entry.path())
                .map_err(|error| unreadable(format!("key `{key}`: {error}")))?;
            data.insert(key, Sealed::new(text));
        }
        Ok(Secret::new(data))
    }
}

/// Remembers what a source answered until [`CachedSecrets::forget`] is called, so that 10,000
/// hosts that share one secret read it once.
#[derive(Debug)]
pub struct CachedSecrets<S> {
    source: S,
    known: Mutex<HashMap<String, Result<Secret, SecretError>>>,
}

impl<S: Secrets> CachedSecrets<S> {
    /// A cache over `source`.
    pub fn new(source: S) -> Self {
        Self {
            source,
            known: Mutex::default(),
        }
    }

    /// Forgets everything: the next read asks the source. Call it when a file changed.
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Result<Secret, SecretError>>> {
        self.known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<S: Secrets> Secrets for CachedSecrets<S> {
    fn read(&self, namespace: &str, name: &str) -> Result<Secret, SecretError> {
        let id = format!("{namespace}/{name}");
        if let Some(known) = self.lock().get(&id) {
            return known.clone();
        }
        let answer = self.source.read(namespace, name);
        self.lock().insert(id, answer.clone());
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, SecretsFolder) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let root = Some(dir.path().to_owned());
        (dir, SecretsFolder { root })
    }

    #[test]
    fn reads_one_file_a_key_and_leaves_mount_folders_alone() {
        let (_dir, source) = folder(&[
            ("bmc/username", "admin\n"),
            ("bmc/password", "pw"),
            ("bmc/..data/x", "y"),
        ]);
        let secret = source.read("metal3", "bmc").unwrap();
        assert_eq!(
            secret.data.keys().collect::<Vec<_>>(),
            ["password", "username"]
        );
        assert_eq!(secret.trimmed("username").unwrap().reveal(), "admin");
    }

    #[test]
    fn names_the_path_that_was_tried() {
        let (dir, source) = folder(&[]);
        let text = source.read("metal3", "bmc").unwrap_err().to_string();
        assert!(
            text.contains(&dir.path().join("bmc").display().to_string()),
            "{text}"
        );
        let text = SecretsFolder { root: None }
            .read("metal3", "bmc")
            .unwrap_err()
            .to_string();
        assert!(text.contains("--secrets"), "{text}");
    }

    #[test]
    fn does_not_leave_the_folder() {
        let (_dir, source) = folder(&[("bmc/username", "admin")]);
        for name in ["../bmc", "..", ".", "", "a/b"] {
            assert!(source.read("metal3", name).is_err(), "{name}");
        }
    }

    #[test]
    fn never_shows_content() {
        let secret = Secret::new([("password".to_owned(), Sealed::new("canary"))].into());
        assert!(!format!("{secret:?}").contains("canary"));
    }

    #[test]
    fn version_follows_the_content() {
        let secret = |text: &str| Secret::new([("k".to_owned(), Sealed::new(text))].into()).version;
        assert_eq!(secret("a"), secret("a"));
        assert_ne!(secret("a"), secret("b"));
    }

    #[test]
    fn cache_answers_until_told_to_forget() {
        let (dir, source) = folder(&[("bmc/username", "old")]);
        let cache = CachedSecrets::new(source);
        let name = || {
            cache.read("m", "bmc").unwrap().data["username"]
                .reveal()
                .to_owned()
        };
        assert_eq!(name(), "old");
        std::fs::write(dir.path().join("bmc/username"), "new").unwrap();
        assert_eq!(name(), "old");
        cache.forget();
        assert_eq!(name(), "new");
    }
}
