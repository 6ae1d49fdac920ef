//! Which hosts hold which Secrets, kept as hosts come, change and go: ten thousand hosts with a Secret
//! each would otherwise be looked through once for each of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::BareMetalHost;
use crate::store::{Key, Object as _};

use super::claims::{is_left, names};

/// See the module. As fresh as the store's changes and this process's own writes; what a host says
/// meanwhile is seen in its own turn, which claims again what was let go of too early.
#[derive(Debug, Default)]
pub(super) struct Holders(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// By Secret, the names of the hosts, which are in its namespace.
    hosts: HashMap<Key, BTreeSet<Arc<str>>>,
    /// By host, the Secrets.
    secrets: HashMap<Key, Vec<Key>>,
}

impl Holders {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host is so now.
    pub fn note(&self, host: &BareMetalHost) {
        self.set(host.key(), secrets(host));
    }

    /// The holder holds these.
    pub fn set(&self, holder: Key, held: Vec<Key>) {
        self.lock().set(holder, held);
    }

    /// The host is no more.
    pub fn forget(&self, host: &Key) {
        self.set(host.clone(), Vec::new());
    }

    /// These hosts and no others are there.
    pub fn note_all(&self, hosts: &[Arc<BareMetalHost>]) {
        // Aside: who looks meanwhile must not find a Secret without holders.
        let mut held = Held::default();
        for host in hosts {
            held.set(host.key(), secrets(host));
        }
        *self.lock() = held;
    }

    /// The hosts that hold a Secret, in order.
    pub fn of(&self, secret: &Key) -> Vec<Key> {
        let held = self.lock();
        let names = held.hosts.get(secret).into_iter().flatten();
        let host = |name: &Arc<str>| Key::new(Arc::clone(&secret.namespace), Arc::clone(name));
        names.map(host).collect()
    }

    /// How many hosts hold a Secret, counted up to `most`, without those for which `but` is true.
    pub fn count(&self, secret: &Key, most: usize, but: impl Fn(&str) -> bool) -> usize {
        let held = self.lock();
        let names = held.hosts.get(secret).into_iter().flatten();
        names.filter(|name| !but(name)).take(most).count()
    }
}

/// The Secrets that a host holds.
fn secrets(host: &BareMetalHost) -> Vec<Key> {
    if is_left(host) {
        return Vec::new();
    }
    let namespace = host.key().namespace;
    let mut names = names(host);
    names.sort_unstable();
    names.dedup();
    let secret = |name: &str| Key::new(Arc::clone(&namespace), name);
    names.into_iter().map(secret).collect()
}

impl Held {
    fn set(&mut self, host: Key, secrets: Vec<Key>) {
        let before = self.secrets.get(&host).map_or(&[][..], Vec::as_slice);
        if before == secrets {
            return;
        }
        for secret in before {
            if let Some(hosts) = self.hosts.get_mut(secret) {
                hosts.remove(&host.name);
                if hosts.is_empty() {
                    self.hosts.remove(secret);
                }
            }
        }
        for secret in &secrets {
            let hosts = self.hosts.entry(secret.clone()).or_default();
            hosts.insert(Arc::clone(&host.name));
        }
        if secrets.is_empty() {
            self.secrets.remove(&host);
        } else {
            self.secrets.insert(host, secrets);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn host(name: &str, secret: &str) -> BareMetalHost {
        serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": "n", "finalizers": ["baremetalhost.metal3.io"] },
            "spec": { "online": true, "bmc": { "address": "redfish://h", "credentialsName": secret } },
        }))
        .unwrap()
    }

    fn secret(name: &str) -> Key {
        Key::new("n", name)
    }

    #[test]
    fn holders_follow_their_hosts() {
        let holders = Holders::default();
        holders.note_all(&[Arc::new(host("a", "one")), Arc::new(host("b", "one"))]);
        assert_eq!(
            holders.of(&secret("one")),
            [Key::new("n", "a"), Key::new("n", "b")]
        );
        assert_eq!(holders.count(&secret("one"), 9, |name| name == "a"), 1);
        assert_eq!(holders.count(&secret("one"), 1, |_| false), 1);
        assert_eq!(holders.count(&Key::new("other", "one"), 9, |_| false), 0);
        holders.note(&host("a", "two"));
        assert_eq!(holders.of(&secret("one")), [Key::new("n", "b")]);
        assert_eq!(holders.of(&secret("two")), [Key::new("n", "a")]);
        holders.forget(&Key::new("n", "b"));
        assert!(holders.of(&secret("one")).is_empty());
        assert_eq!(holders.lock().hosts.len(), 1);
    }

    #[test]
    fn a_host_that_is_done_with_holds_nothing() {
        let holders = Holders::default();
        let mut left = host("a", "one");
        holders.note(&left);
        left.metadata.deletion_timestamp = Some(jiff::Timestamp::UNIX_EPOCH);
        left.metadata.finalizers = Some(vec!["somebody".into()].into());
        holders.note(&left);
        assert!(holders.of(&secret("one")).is_empty());
        assert!(holders.lock().secrets.is_empty());
    }
}
