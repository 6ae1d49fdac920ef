//! What hosts hold of other objects: the secrets that they name, their HardwareData.

use std::sync::Arc;

use crate::api::BareMetalHost;
use crate::api::names::annotation;
use crate::secrets;
use crate::store::{Key, Object as _, Store, StoreError};

use super::decide::is_gone;
use super::{Shared, Stores};

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
    /// What is let go of before a write that then fails is taken again in the next turn.
    pub(super) async fn let_go(
        &self,
        host: &BareMetalHost,
        next: &BareMetalHost,
    ) -> Result<(), StoreError> {
        let ends = is_gone(next);
        let held = names(host);
        let kept = if ends { Vec::new() } else { names(next) };
        for name in held.iter().filter(|name| !kept.contains(name)) {
            let others = |name: &str, most: usize| self.others_naming(host, name, most);
            self.secrets.release(host, name, &others).await?;
        }
        if ends {
            self.release_hardware_data(&host.key()).await?;
        }
        Ok(())
    }

    /// How many other hosts hold this secret, counted up to `most`.
    fn others_naming(&self, host: &BareMetalHost, name: &str, most: usize) -> usize {
        let own = host.key();
        let hosts = Store::<BareMetalHost>::list(self.store.as_ref());
        hosts
            .iter()
            .filter(|other| {
                let key = other.key();
                key != own && key.namespace == own.namespace && names(other).contains(&name)
            })
            .take(most)
            .count()
    }

    /// Hosts that name this secret get their turn.
    pub(super) fn secret_changed(&self, secret: &Key) {
        let hosts = Store::<BareMetalHost>::list(self.store.as_ref());
        for host in hosts {
            let key = host.key();
            if key.namespace == secret.namespace && names(&host).contains(&&*secret.name) {
                self.trigger(key);
            }
        }
    }
}

/// The secrets that a host holds: those that its spec names, and those by which its BMC was reached
/// last.
fn names(host: &BareMetalHost) -> Vec<&str> {
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
