//! Secrets: where they come from, and values that never show.
//!
//! In local mode a secret is a folder with one file a key, as Kubernetes mounts them:
//! `<dir>/<name>/<key>` ([`SecretsFolder`]); in a cluster it is a Secret ([`ClusterSecrets`]). Decisions are made on a version of what is in them (a
//! salted digest, [`Salt`], never the content); the content goes to the effect that needs it.

mod cached;
mod cluster;
mod folder;
mod host;
mod pull;
mod salt;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use sha2::{Digest, Sha256};

use crate::api::BareMetalHost;
use crate::store::{Key, StoreError};

pub use self::cached::CachedSecrets;
pub use self::cluster::{ClusterSecrets, Put, is_there, put};
pub use self::folder::SecretsFolder;
pub use self::host::{Missing, Use, credentials, job_secrets, missing, named};
pub use self::salt::Salt;

/// Text that is never shown: `Debug` prints `(secret)`, there is no `Display` and no `Serialize`.
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Arc<str>);

impl Sealed {
    /// Seals a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// The text, for the request that needs it and nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Default for Sealed {
    fn default() -> Self {
        Self::new("")
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// One secret: keys and contents. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secret {
    /// Key to content.
    pub data: Arc<BTreeMap<String, Sealed>>,
    /// Where it was read, for errors; empty where that has no path.
    pub from: Arc<str>,
    /// Its version where it is kept, if that has one: changes with its contents and tells nothing
    /// of them.
    pub version: Option<Arc<str>>,
}

impl Secret {
    /// A secret from its contents.
    pub fn new(data: BTreeMap<String, Sealed>) -> Self {
        Self {
            data: Arc::new(data),
            from: "".into(),
            version: None,
        }
    }

    /// A secret that was read at a path.
    #[must_use]
    pub fn read_from(self, from: impl Into<Arc<str>>) -> Self {
        Self {
            from: from.into(),
            ..self
        }
    }

    /// Why a key is of no use that is not there.
    fn lacks(&self, key: &str) -> String {
        if self.from.is_empty() {
            "it is not there".to_owned()
        } else {
            format!("it is not there: tried {}/{key}", self.from)
        }
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
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
    let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
    hash.iter().take(8).flat_map(digits).collect()
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

/// Why a secret cannot be had. No text quotes content.
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
        /// The file or folder.
        tried: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is another namespace's.
    #[error(
        "secret `{name}` of the namespace `{namespace}` is not read: a host has those of its own \
         namespace only; put it there, and leave out the namespace"
    )]
    Elsewhere {
        /// Name.
        name: String,
        /// Where the spec says that it is.
        namespace: String,
    },
    /// It has no key of the names that would do.
    #[error("secret `{name}` has neither key `{key}` nor `{fallback}`")]
    NoKey {
        /// Name.
        name: String,
        /// The key for this purpose.
        key: &'static str,
        /// The key for any purpose.
        fallback: &'static str,
    },
    /// What a key holds is of no use.
    #[error("secret `{name}`, key `{key}`: {reason}")]
    Unusable {
        /// Name.
        name: String,
        /// The key.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// No folder was named to look in.
    #[error(
        "secret `{name}` not found: no secrets folder; give --secrets DIR or \
         `spec {{ secrets \"DIR\" }}`"
    )]
    NoFolder {
        /// Name.
        name: String,
    },
}

impl SecretError {
    /// A stable label.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "SecretMissing",
            Self::Unreadable { .. } => "SecretUnreadable",
            Self::Elsewhere { .. } => "SecretElsewhere",
            Self::NoKey { .. } => "SecretWithoutKey",
            Self::Unusable { .. } => "SecretUnusable",
            Self::NoFolder { .. } => "NoSecretsFolder",
        }
    }
}

/// How many other hosts name a secret, counted up to a number: `others("bmc", 1)` tells whether
/// anybody does.
pub type Others<'a> = &'a (dyn Fn(&str, usize) -> usize + Sync);

/// True when some host holds the secret of this key.
pub type IsHeld = Arc<dyn Fn(&Key) -> bool + Send + Sync>;

/// A source of secrets. Reading is cheap or cached; a source never logs content.
pub trait Secrets: Send + Sync + 'static {
    /// One secret by namespace and name.
    fn read(&self, namespace: &str, name: &str) -> Result<Secret, SecretError>;

    /// True when `read` can answer for all that the host names. Else [`Secrets::prepare`] makes it
    /// so.
    fn is_ready(&self, _host: &BareMetalHost) -> bool {
        true
    }

    /// Makes `read` ready for all that the host names, and marks it as used by a host that stays.
    /// `others` counts the other hosts that name a secret, up to a number.
    ///
    /// # Errors
    /// When whoever keeps the secrets does not answer, or not as it should. That a secret is not
    /// there is no error: `read` says so.
    fn prepare<'a>(
        &'a self,
        _host: &'a BareMetalHost,
        _others: Others<'a>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// The host does not use the secret `name` any more. Takes its marks off, as far as no other
    /// host needs them.
    ///
    /// # Errors
    /// As with [`Secrets::prepare`].
    fn release<'a>(
        &'a self,
        _host: &'a BareMetalHost,
        _name: &'a str,
        _others: Others<'a>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Secrets that changed, came or went, by namespace and name; whoever names them has to look
    /// again. Without an end; empty where somebody else looks after that (files are watched with
    /// the spec's). While it is looked at, secrets that nobody holds any more are forgotten.
    fn changes(&self, _is_held: IsHeld) -> BoxStream<'static, Key> {
        Box::pin(futures::stream::pending())
    }
}

impl SecretsFolder {
    /// Secrets below this folder; `None` answers every question with [`SecretError::NoFolder`].
    pub fn new(root: impl Into<Option<PathBuf>>) -> Self {
        Self { root: root.into() }
    }
}
