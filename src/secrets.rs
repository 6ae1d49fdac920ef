//! Secrets: where they come from, and values that never show.
//!
//! In local mode a secret is a folder with one file a key, as Kubernetes mounts them:
//! `<dir>/<name>/<key>`. [`Secrets`] answers with a version (a digest, never the content) for
//! decisions, and with content only for the effect that needs it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

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
        let version = hash.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
            use fmt::Write as _;
            write!(text, "{byte:02x}").ok();
            text
        });
        Self { data, version }
    }

    /// A key's content, without white space around it (as the Bare Metal Operator reads
    /// credentials).
    pub fn trimmed(&self, key: &str) -> Option<Sealed> {
        self.data.get(key).map(|text| Sealed::new(text.reveal().trim()))
    }
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
    #[error("secret `{name}` not found: no secrets folder; give --secrets DIR or `spec {{ secrets \"DIR\" }}`")]
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
