//! The picture of all nodes and ports of one Ironic, small enough to keep 10,000 of them.
//!
//! Pure: what was read goes in with the instant at which its request began; what that changed
//! comes out. Rows may come in any order of reading, as each request tells the state at some point
//! after it began, and they are put in one after another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::Instant;
use uuid::Uuid;

use super::place::Place;
use super::wire::{self, Node, Port};
use crate::api::{BareMetalHost, Timestamp};
use crate::provision::{Facts, NodeState};
use crate::store::Key;

/// A MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac([u8; 6]);

impl Mac {
    /// Reads `52:54:00:aa:00:01` in either case; `None` for all else (InfiniBand has longer ones,
    /// which are no addresses of ports).
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut parts = text.trim().split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2)?;
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(bytes))
    }
}

impl std::fmt::Display for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if at == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

/// A node's settings as far as a host says what they shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Driver.
    pub driver: Arc<str>,
    /// `properties/capabilities`.
    pub capabilities: Arc<str>,
    /// `properties/cpu_arch`.
    pub cpu_arch: Arc<str>,
    /// Deploy interface.
    pub deploy_interface: Arc<str>,
    /// Inspect interface.
    pub inspect_interface: Arc<str>,
    /// RAID interface.
    pub raid_interface: Arc<str>,
    /// Whether cleaning is automatic; `None` is Ironic's default.
    pub automated_clean: Option<bool>,
    /// Must not be powered off.
    pub disable_power_off: bool,
    /// Boot interface.
    pub boot_interface: Arc<str>,
    /// Digest of how the BMC is reached.
    pub address: u64,
    /// Which BMC that is.
    pub place: Place,
    /// Digest of the ramdisk's addresses.
    pub ramdisk: u64,
    /// Digest of the ramdisk's network data.
    pub network: u64,
}

#[derive(Debug)]
struct Entry {
    facts: Arc<Facts>,
    settings: Settings,
    updated_at: Option<Timestamp>,
    /// Start of the latest request that showed it.
    seen: Instant,
}

/// What a host finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Its node.
    Node(Arc<Facts>),
    /// Nothing.
    Nothing,
    /// Its boot MAC address belongs to this node of somebody else's.
    Taken(Arc<str>),
}

/// All nodes and ports that were seen.
#[derive(Debug, Default)]
pub struct Mirror {
    nodes: BTreeMap<Uuid, Entry>,
    names: BTreeMap<Arc<str>, Uuid>,
    macs: BTreeMap<Mac, (Uuid, Instant)>,
    /// Nodes by their last change, where it is known.
    recent: BTreeSet<(Timestamp, Uuid)>,
    /// Hosts whose node does not carry their name.
    claims: BTreeMap<Uuid, Key>,
    words: Words,
}

/// Texts that many nodes share.
#[derive(Debug, Default)]
struct Words(BTreeSet<Arc<str>>);

impl Words {
    fn keep(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        // Far more than there are drivers, interfaces and images: somebody has a text a node.
        if self.0.len() > 4096 {
            self.0.retain(|word| Arc::strong_count(word) > 1);
        }
        let word: Arc<str> = text.into();
        self.0.insert(Arc::clone(&word));
        word
    }

    fn some(&mut self, text: &str) -> Option<Arc<str>> {
        (!text.is_empty()).then(|| self.keep(text))
    }
}

impl Mirror {
    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// True when no node was seen.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Puts a node in as a request that began at `began` showed it. Answers with the host that is
    /// to be told, if what is known changed.
    pub fn put(&mut self, node: &Node, began: Instant) -> Option<Key> {
        let Ok(id) = Uuid::parse_str(&node.uuid) else {
            tracing::warn!(
                uuid = node.uuid,
                "ironic: a node without a UUID is left out"
            );
            return None;
        };
        let settings = self.settings(node);
        let known = self.nodes.get(&id);
        if known.is_some_and(|entry| entry.seen > began) {
            return None;
        }
        // Shown by a request that was overtaken: the name has gone to another node since.
        let holder = node.name.as_deref().and_then(|name| self.names.get(name));
        if holder.is_some_and(|holder| *holder != id && self.nodes[holder].seen > began) {
            return None;
        }
        // Reads by fields do not tell it.
        let updated_at = node.updated_at.or(known.and_then(|entry| entry.updated_at));
        let facts = self.facts(node, id, updated_at);
        if let Some(entry) = self.nodes.get_mut(&id) {
            let moved = entry.updated_at != updated_at;
            if moved && let Some(time) = entry.updated_at {
                self.recent.remove(&(time, id));
            }
            let changed = !same(&entry.facts, &facts) || entry.settings != settings;
            let renamed = entry.facts.name != facts.name;
            let before = renamed.then(|| entry.facts.name.clone()).flatten();
            entry.seen = began;
            entry.updated_at = updated_at;
            if changed || moved {
                entry.facts = Arc::new(facts);
            }
            entry.settings = settings;
            if let Some(time) = updated_at {
                self.recent.insert((time, id));
            }
            if let Some(before) = before
                && self.names.get(&before) == Some(&id)
            {
                self.names.remove(&before);
            }
            if renamed {
                self.name(id);
            }
            return changed.then(|| self.key_of(id)).flatten();
        }
        let entry = Entry {
            facts: Arc::new(facts),
            settings,
            updated_at,
            seen: began,
        };
        self.nodes.insert(id, entry);
        if let Some(time) = updated_at {
            self.recent.insert((time, id));
        }
        self.name(id);
        self.key_of(id)
    }

    /// Makes the node found by its name. Another one of that name is gone: names are unique.
    fn name(&mut self, id: Uuid) {
        let Some(name) = self
            .nodes
            .get(&id)
            .and_then(|entry| entry.facts.name.clone())
        else {
            return;
        };
        if let Some(before) = self.names.insert(name, id)
            && before != id
        {
            self.drop_node(before);
        }
    }

    fn settings(&mut self, node: &Node) -> Settings {
        Settings {
            driver: self.words.keep(&node.driver),
            capabilities: self
                .words
                .keep(wire::str_of(&node.properties, "capabilities")),
            cpu_arch: self.words.keep(wire::str_of(&node.properties, "cpu_arch")),
            deploy_interface: self.words.keep(&node.deploy_interface),
            inspect_interface: self.words.keep(&node.inspect_interface),
            raid_interface: self.words.keep(&node.raid_interface),
            automated_clean: node.automated_clean,
            disable_power_off: node.disable_power_off,
            boot_interface: self.words.keep(&node.boot_interface),
            address: wire::address_digest(&node.driver_info),
            place: Place::of(&node.driver_info),
            ramdisk: wire::ramdisk_digest(&node.driver_info),
            network: wire::network_digest(&node.network_data),
        }
    }

    fn facts(&mut self, node: &Node, id: Uuid, updated_at: Option<Timestamp>) -> Facts {
        let known = self.nodes.get(&id).map(|entry| Arc::clone(&entry.facts));
        let state = NodeState::from(node.provision_state.as_str());
        let target = (!node.target_provision_state.is_empty())
            .then(|| NodeState::from(node.target_provision_state.as_str()));
        let image = ["image_source", "boot_iso"]
            .into_iter()
            .map(|key| wire::str_of(&node.instance_info, key))
            .find(|text| !text.is_empty())
            .unwrap_or_default();
        Facts {
            id: known
                .as_ref()
                .map_or_else(|| node.uuid.as_str().into(), |known| Arc::clone(&known.id)),
            name: node
                .name
                .as_deref()
                .filter(|name| !name.is_empty())
                .map(|name| {
                    let same = known.as_ref().and_then(|known| known.name.clone());
                    same.filter(|known| **known == *name)
                        .unwrap_or_else(|| name.into())
                }),
            state,
            target,
            power: match node.power_state.as_str() {
                "power on" => Some(true),
                "power off" => Some(false),
                _ => None,
            },
            // Between the answer to a request and the target's appearance only the lock tells that
            // a change is under way: the conductor asks the BMC first.
            power_changing: !node.target_power_state.is_empty()
                || (!node.reservation.is_empty() && node.target_provision_state.is_empty()),
            maintenance: node.maintenance,
            fault: self.words.some(&node.fault),
            last_error: self.words.some(&node.last_error),
            health: self.words.some(&node.health),
            inspected: !node.inspection_finished_at.is_empty(),
            image: self.words.some(image),
            instance: (!node.instance_uuid.is_empty()).then(|| node.instance_uuid.as_str().into()),
            updated_at,
        }
    }

    /// Nodes that should be in a page of nodes, newest change first, that a request that began at
    /// `began` showed, and are not; `whole` when it has all nodes that there are.
    ///
    /// Of a whole page's they are gone. Otherwise they are the known ones that changed later than the
    /// oldest in it: gone, or their time went back (a clock that was set, another conductor).
    pub fn missing(&self, page: &[Node], whole: bool, began: Instant) -> Vec<Uuid> {
        let there: BTreeSet<Uuid> = page
            .iter()
            .filter_map(|node| Uuid::parse_str(&node.uuid).ok())
            .collect();
        let is_missing = |id: &Uuid| {
            !there.contains(id) && self.nodes.get(id).is_some_and(|entry| entry.seen < began)
        };
        if whole {
            return self
                .nodes
                .keys()
                .filter(|id| is_missing(id))
                .copied()
                .collect();
        }
        let Some(oldest) = page.last().and_then(|node| node.updated_at) else {
            return Vec::new();
        };
        self.recent
            .iter()
            .rev()
            .take_while(|(time, _)| *time > oldest)
            .map(|(_, id)| *id)
            .filter(is_missing)
            .collect()
    }

    /// Forgets all nodes that no request showed since `began`.
    pub fn end_of_nodes(&mut self, began: Instant) -> Vec<Key> {
        let gone: Vec<Uuid> = self
            .nodes
            .iter()
            .filter(|(_, entry)| entry.seen < began)
            .map(|(id, _)| *id)
            .collect();
        gone.into_iter()
            .filter_map(|id| self.drop_node(id))
            .collect()
    }

    /// Forgets all ports that no request showed since `began`.
    pub fn end_of_ports(&mut self, began: Instant) -> Vec<Key> {
        let mut owners = BTreeSet::new();
        self.macs.retain(|_, (owner, seen)| {
            let stays = *seen >= began;
            if !stays {
                owners.insert(*owner);
            }
            stays
        });
        owners
            .into_iter()
            .filter_map(|id| self.key_of(id))
            .collect()
    }

    /// Puts a port in. Answers with the host that is to be told, if it is new.
    pub fn put_port(&mut self, port: &Port, began: Instant) -> Option<Key> {
        let mac = Mac::parse(&port.address)?;
        let owner = Uuid::parse_str(&port.node_uuid).ok()?;
        let before = self.macs.get(&mac).copied();
        if before.is_some_and(|(_, seen)| seen > began) {
            return None;
        }
        self.macs.insert(mac, (owner, began));
        if before.is_some_and(|(before, _)| before == owner) {
            None
        } else {
            self.key_of(owner)
        }
    }

    /// Forgets a node that was deleted or not found.
    pub fn remove(&mut self, id: &str) -> Option<Key> {
        self.drop_node(Uuid::parse_str(id).ok()?)
    }

    fn drop_node(&mut self, id: Uuid) -> Option<Key> {
        let key = self.key_of(id);
        let entry = self.nodes.remove(&id)?;
        if let Some(name) = &entry.facts.name
            && self.names.get(name) == Some(&id)
        {
            self.names.remove(name);
        }
        if let Some(time) = entry.updated_at {
            self.recent.remove(&(time, id));
        }
        self.claims.remove(&id);
        key
    }

    /// The host that a node is, as far as it is ours.
    fn key_of(&self, id: Uuid) -> Option<Key> {
        if let Some(key) = self.claims.get(&id) {
            return Some(key.clone());
        }
        let name = self.nodes.get(&id)?.facts.name.as_deref()?;
        let (namespace, name) = name.split_once('~')?;
        Some(Key::new(namespace, name))
    }

    /// The host's node: by the id in its status, by its name `namespace~name`, by its bare name, by
    /// its boot MAC address when that node has no name.
    pub fn find(&mut self, host: &BareMetalHost) -> Found {
        let key = crate::store::Key::new(
            host.metadata.namespace.as_deref().unwrap_or_default(),
            host.metadata.name.as_deref().unwrap_or_default(),
        );
        let name = format!("{}~{}", key.namespace, key.name);
        let by_id = host
            .status
            .as_ref()
            .and_then(|status| Uuid::parse_str(&status.provisioning.id).ok())
            .filter(|id| self.nodes.contains_key(id));
        let found = by_id
            .or_else(|| self.names.get(name.as_str()).copied())
            .or_else(|| {
                (!key.name.contains('~'))
                    .then(|| self.names.get(&*key.name).copied())
                    .flatten()
            });
        let found = if let Some(id) = found {
            id
        } else {
            let owner = Mac::parse(&host.spec.boot_mac_address).and_then(|mac| self.port(mac));
            let Some(owner) = owner else {
                return Found::Nothing;
            };
            match self
                .nodes
                .get(&owner)
                .map(|entry| entry.facts.name.as_deref())
            {
                Some(None) => owner,
                Some(Some(name)) => {
                    return Found::Taken(taken(&host.spec.boot_mac_address, name).into());
                }
                None => return Found::Nothing,
            }
        };
        let Some(facts) = self.nodes.get(&found).map(|entry| Arc::clone(&entry.facts)) else {
            return Found::Nothing;
        };
        if facts.name.as_deref() != Some(name.as_str()) {
            self.claims.insert(found, key);
        }
        Found::Node(facts)
    }

    /// A node's settings.
    pub fn settings_of(&self, id: &str) -> Option<&Settings> {
        Some(&self.nodes.get(&Uuid::parse_str(id).ok()?)?.settings)
    }

    /// The node that has a port with this MAC address.
    pub fn owner(&self, mac: Mac) -> Option<Arc<str>> {
        // Ports of nodes that are gone stay until the next sweep of ports: they count for nothing.
        let (owner, _) = self.macs.get(&mac)?;
        Some(Arc::clone(&self.nodes.get(owner)?.facts.id))
    }

    /// The node that a port with this MAC address names, whether that node was seen yet or not.
    pub fn port(&self, mac: Mac) -> Option<Uuid> {
        self.macs.get(&mac).map(|(owner, _)| *owner)
    }

    /// A node's name, or its id where it has none.
    pub fn shown(&self, id: &str) -> Arc<str> {
        let entry = Uuid::parse_str(id).ok().and_then(|id| self.nodes.get(&id));
        entry
            .and_then(|entry| entry.facts.name.clone())
            .unwrap_or_else(|| id.into())
    }
}

/// The text for a MAC address that is another node's, as the Bare Metal Operator words it.
pub fn taken(mac: &str, node: &str) -> String {
    format!("MAC address {mac} conflicts with existing node {node}")
}

/// True when nothing is different that a decision could hang on.
fn same(a: &Facts, b: &Facts) -> bool {
    Facts {
        updated_at: None,
        ..a.clone()
    } == Facts {
        updated_at: None,
        ..b.clone()
    }
}

#[cfg(test)]
mod tests;
