//! What hosts hold of other objects: the secrets that they name, their HardwareData.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::BareMetalHost;
use crate::api::names::{annotation, finalizer};
use crate::secrets;
use crate::store::{Key, Object as _, StoreError};

use super::{Shared, Stores};

/// By secret, the hosts that are about to let go of it. Of two that leave one at the same time each
/// would count the other, and the secret would be held for ever.
#[derive(Debug, Default)]
pub(super) struct Leaving(Mutex<HashMap<Key, BTreeSet<Arc<str>>>>);

impl Leaving {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, BTreeSet<Arc<str>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Stores> Shared<S> {
    /// The host, with all secrets that it names ready to be read; `None` when it is gone by then.
    pub(super) async fn with_secrets(
        &self,
        key: &Key,
        host: Arc<BareMetalHost>,
    ) -> Result<Option<Arc<BareMetalHost>>, (Arc<BareMetalHost>, StoreError)> {
        // Nothing is done for one that is left alone.
        let paused = host.annotation(annotation::PAUSED).is_some();
        if paused || self.secrets.is_ready(&host) {
            return Ok(Some(host));
        }
        let others = |name: &str, most: usize| self.others_naming(&host, name, most);
        match self.secrets.prepare(&host, &others).await {
            // It may have changed meanwhile.
            Ok(()) => Ok(self.host(key)),
            Err(error) => Err((host, error)),
        }
    }

    /// Lets go of what `host` holds and `next`, which is about to be written, does not any more.
    /// What is let go of before a write that then fails is taken again in the next turn. After
    /// the write, whatever came of it, comes [`Shared::has_let_go`].
    pub(super) async fn let_go(
        &self,
        host: &BareMetalHost,
        next: &BareMetalHost,
    ) -> Result<(), StoreError> {
        let ends = is_left(next);
        let mut held = names(host);
        let kept = if ends { Vec::new() } else { names(next) };
        held.retain(|name| !kept.contains(name));
        let key = host.key();
        for name in &held {
            let mut leaving = self.leaving.lock();
            let secret = Key::new(Arc::clone(&key.namespace), *name);
            let hosts = leaving.entry(secret).or_default();
            hosts.insert(Arc::clone(&key.name));
        }
        for name in held {
            let others = |name: &str, most: usize| self.others_naming(host, name, most);
            self.secrets.release(host, name, &others).await?;
        }
        if ends {
            self.release_hardware_data(&host.key()).await?;
        }
        Ok(())
    }

    /// What the host let go of shows in the host itself from now on, or not at all.
    pub(super) fn has_let_go(&self, host: &Key) {
        self.leaving.lock().retain(|secret, hosts| {
            if secret.namespace == host.namespace {
                hosts.remove(&host.name);
            }
            !hosts.is_empty()
        });
    }

    /// How many other hosts hold this secret, counted up to `most`.
    fn others_naming(&self, host: &BareMetalHost, name: &str, most: usize) -> usize {
        let own = host.key();
        let secret = Key::new(Arc::clone(&own.namespace), name);
        let leaving = self.leaving.lock();
        let leaving = leaving.get(&secret);
        let goes = |host: &str| leaving.is_some_and(|leaving| leaving.contains(host));
        let but = |host: &str| *host == *own.name || goes(host);
        self.holders.count(&secret, most, but)
    }

    /// Hosts that name this secret get their turn.
    pub(super) fn secret_changed(&self, secret: &Key) {
        let hosts = self.holders.of(secret);
        hosts.into_iter().for_each(|host| self.trigger(host));
    }
}

/// True when the host is done with: what is left of it is somebody else's finalizer (of whoever
/// deletes in the foreground, say).
pub(super) fn is_left(host: &BareMetalHost) -> bool {
    let meta = &host.metadata;
    meta.deletion_timestamp.is_some() && !meta.has_finalizer(finalizer::HOST)
}

/// The secrets that a host holds: those that its spec names, and those by which its BMC was reached
/// last.
pub(super) fn names(host: &BareMetalHost) -> Vec<&str> {
    let mut all: Vec<&str> = secrets::named(host)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    if let Some(status) = &host.status {
        for used in [&status.good_credentials, &status.tried_credentials] {
            if let Some(reference) = &used.credentials {
                all.push(&reference.name);
            }
        }
    }
    all.retain(|name| !name.is_empty());
    all
}
