//! The evaluated fleet: typed, and every value with its origin.
//!
//! [`crate::eval`] makes a [`Fleet`]; lowering, plan and `explain` read it. Nothing in it depends
//! on the order of files, imports or nodes, except [`Origin`]s, which tell where the winner of a
//! merge stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::eval::expr::Val;
use crate::schema::{Entity, Field as SchemaField, Path, PathId, Paths};

mod deploy;
mod digest;
mod names;
mod origin;
mod place;
mod render;
mod value;
mod whole;

pub use deploy::Deployment;
pub use digest::{Canonical, Digest};
pub use names::{fold, natural};
pub use origin::Origin;
pub use place::{Placement, Seat, Seats, Spot, place};
pub use render::to_kdl;
pub use value::{Ref, RefKind, Text, Value, show_duration, show_size};

/// The namespace of a fleet that names none.
pub const NAMESPACE: &str = "metal3";

/// A whole fleet after evaluation.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Name, from `spec NAME`; `fleet` where there is none.
    pub name: Arc<str>,
    /// Namespace of all objects.
    pub namespace: Arc<str>,
    /// Edition of the language.
    pub edition: Arc<str>,
    /// A lab: drivers without hardware are no cause for a warning.
    pub lab: bool,
    /// The spec says that its machines are simulated, and how.
    pub simulation: Option<Simulation>,
    /// Where that is written.
    pub simulation_origin: Option<Origin>,
    /// Where each of its faults is written, in their order.
    pub faults: Vec<Origin>,
    /// Folder of the secrets, as written (relative to the root).
    pub secrets: Option<Text>,
    /// Ironics, by name.
    pub ironics: Vec<Ironic>,
    /// Images, by name.
    pub images: Vec<Image>,
    /// Pools, by name.
    pub pools: Vec<Pool>,
    /// Racks, in natural order.
    pub racks: Vec<Rack>,
    /// Groups, in natural order.
    pub groups: Vec<Rack>,
    /// Hosts without errors, in natural order of their names. Those that no edit concerned are
    /// shared with the fleet that was evaluated before.
    pub hosts: Vec<Arc<Host>>,
    /// Hosts that are declared and have an error: they are not in `hosts`, and nothing may be
    /// changed or removed because of that. In natural order. Commands refuse a fleet that has any;
    /// this is for whoever goes on with the others.
    pub held: Vec<Held>,
    /// Where `spec` stands, if there is one.
    pub origin: Option<Origin>,
    /// All paths of all fields.
    pub paths: Arc<Paths>,
}

/// A host that is declared and could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is declared.
    pub origin: Origin,
}

/// How simulated machines behave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simulation {
    /// How many times as fast as real machines; `None` leaves it to the simulation.
    pub pace: Option<u32>,
    /// Seed of all chance.
    pub seed: u64,
    /// Lines of a fault script: those of the file that the spec names, then its own.
    pub faults: Vec<Text>,
    /// Share of operations that fail by chance, 0 to 100.
    pub fault_percent: u8,
}

/// A rack or a group.
#[derive(Debug, Clone)]
pub struct Rack {
    /// Its name.
    pub name: Arc<str>,
    /// Its facts.
    pub facts: Facts,
    /// Where it is declared.
    pub origin: Origin,
}

/// Facts by name, sorted; what expressions read. The instance's own name is not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts(Box<[(Arc<str>, Val)]>);

impl Facts {
    /// Facts from a map.
    pub fn new(facts: BTreeMap<Arc<str>, Val>) -> Self {
        Self(facts.into_iter().collect())
    }

    /// Facts that come sorted by name, each once.
    pub(crate) fn sorted(facts: impl ExactSizeIterator<Item = (Arc<str>, Val)>) -> Self {
        let mut all = Vec::with_capacity(facts.len());
        all.extend(facts);
        Self(all.into())
    }

    /// One fact.
    pub fn get(&self, name: &str) -> Option<&Val> {
        let at = self.0.binary_search_by(|(fact, _)| (**fact).cmp(name));
        at.ok().map(|index| &self.0[index].1)
    }

    /// All facts, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Val)> {
        self.0.iter().map(|(name, fact)| (name, fact))
    }
}

/// One machine.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name, which is its identity.
    pub name: Arc<str>,
    /// The rack it stands in: the enclosing `rack`, or the fact `rack` of a host outside of one.
    pub rack: Option<Arc<str>>,
    /// Its facts.
    pub facts: Facts,
    /// Its fields, sorted by path.
    pub fields: Fields,
    /// The pool that selects it, with the pool's `deploy` as it is for this host. Whether it is a
    /// member is a matter of [`place`].
    pub pool: Option<Candidate>,
    /// Where it is declared: the name in its `host` node.
    pub origin: Origin,
    /// SHA-256 of the canonical JSON of its fields, with the edition. What its pool and its image
    /// add is in [`Deployment::digest`].
    pub digest: Digest,
}

/// A pool that selects a host.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Name of the pool.
    pub pool: Arc<str>,
    /// The pool's `deploy.*`, evaluated for this host.
    pub fields: Fields,
}

/// An image.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Its name.
    pub name: Arc<str>,
    /// `url`, `checksum`, `checksum-type`, `format`, `auth`.
    pub fields: Fields,
    /// SHA-256 of its canonical JSON, with the edition: part of the digest of all that it is
    /// deployed to.
    pub digest: Digest,
    /// Where it is declared.
    pub origin: Origin,
}

/// A pool.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Its name.
    pub name: Arc<str>,
    /// Labels that a host must have, with the values that will do.
    pub matches: BTreeMap<Arc<str>, BTreeSet<Text>>,
    /// Labels that a host must not have.
    pub lacks: BTreeSet<Arc<str>>,
    /// How many members; `None` is all that match.
    pub replicas: Option<u32>,
    /// Members are spread over racks.
    pub spread_by_rack: bool,
    /// How a change goes through it.
    pub rollout: Rollout,
    /// No member may be destroyed or deprovisioned.
    pub prevent_destroy: bool,
    /// All its fields but `deploy` (which is on each host's [`Candidate`]).
    pub fields: Fields,
    /// Names of the hosts that it alone selects, in natural order.
    pub candidates: Vec<Arc<str>>,
    /// Where it is declared.
    pub origin: Origin,
}

/// How a change goes through a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout {
    /// How many members may be away at once, at least one.
    pub max_unavailable: u32,
    /// One rack after the other.
    pub by_rack: bool,
}

/// An Ironic.
#[derive(Debug, Clone)]
pub struct Ironic {
    /// Its name.
    pub name: Arc<str>,
    /// Where its API answers.
    pub url: Text,
    /// Secret with `username` and `password` for HTTP basic authentication.
    pub auth: Option<Ref>,
    /// Certificate authority.
    pub ca: Option<Ref>,
    /// Its certificate is verified.
    pub verify_ca: bool,
    /// What its machines boot to be inspected, cleaned and deployed; `None` leaves it to Ironic.
    pub ramdisk: Option<Ramdisk>,
    /// Machines that may inspect, clean and deploy at once, where given.
    pub inspect: Option<u32>,
    /// See `inspect`.
    pub clean: Option<u32>,
    /// See `inspect`.
    pub deploy: Option<u32>,
    /// Where it is declared.
    pub origin: Origin,
}

/// A ramdisk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ramdisk {
    /// URL of its kernel.
    pub kernel: Text,
    /// URL of its initial RAM disk.
    pub initramfs: Text,
}

/// Fields with their values, sorted by path.
#[derive(Clone)]
pub struct Fields {
    pub(crate) paths: Arc<Paths>,
    pub(crate) items: Box<[Item]>,
}

/// One value at its path, as stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub path: PathId,
    pub value: Value,
    pub origin: Origin,
}

/// One value at its path.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The path: its text, its schema entry, its last key.
    pub path: &'a Path,
    /// The path's number in the fleet's table.
    pub id: PathId,
    /// The schema entry that says type, lowering and disruption class.
    pub schema: &'static SchemaField,
    /// The value.
    pub value: &'a Value,
    /// Where the winner is written.
    pub origin: Origin,
}

impl Fields {
    /// No fields.
    pub fn empty(paths: Arc<Paths>) -> Self {
        Self {
            paths,
            items: Box::default(),
        }
    }

    /// All values, sorted by the text of their paths. A keyed record appears as
    /// [`Value::Present`] at its key, before its fields; a union as the name of its variant.
    pub fn iter(&self) -> impl Iterator<Item = Found<'_>> {
        self.items.iter().filter_map(|item| self.found(item))
    }

    fn found<'a>(&'a self, item: &'a Item) -> Option<Found<'a>> {
        let path = self.paths.get(item.path);
        Some(Found {
            path,
            id: item.path,
            schema: path.field?,
            value: &item.value,
            origin: item.origin,
        })
    }

    /// The value at a path by its text (`boot.mac`).
    pub fn get(&self, path: &str) -> Option<Found<'_>> {
        let at = self
            .items
            .binary_search_by(|item| (*self.paths.get(item.path).text).cmp(path));
        at.ok().and_then(|index| self.found(&self.items[index]))
    }

    /// The text at a path, if it is there and is text.
    pub fn text(&self, path: &str) -> Option<&Text> {
        match self.get(path)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value at a path.
    pub fn bool(&self, path: &str) -> Option<bool> {
        match self.get(path)?.value {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number at a path.
    pub fn int(&self, path: &str) -> Option<i64> {
        match self.get(path)?.value {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The reference (to a secret or config map) at a path.
    pub fn reference(&self, path: &str) -> Option<&Ref> {
        match self.get(path)?.value {
            Value::Ref(reference) => Some(reference),
            _ => None,
        }
    }

    /// The keys below a map or keyed field (`labels`, `raid.hardware.volume`), in natural order,
    /// with the value at each (for a keyed record, [`Value::Present`]).
    pub fn keys(&self, path: &str) -> Vec<(&str, Found<'_>)> {
        let mut keys: Vec<_> = self
            .iter()
            .filter_map(|found| {
                let key = found.path.key.as_deref()?;
                let parent = self.paths.get(found.path.parent?);
                (*parent.text == *path).then_some((key, found))
            })
            .collect();
        keys.sort_by(|a, b| natural(a.0, b.0));
        keys
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The table of paths.
    pub fn paths(&self) -> &Arc<Paths> {
        &self.paths
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|found| (&*found.path.text, found.value)))
            .finish()
    }
}

impl PartialEq for Fields {
    /// Same paths, same values; origins do not count.
    fn eq(&self, other: &Self) -> bool {
        self.items.len() == other.items.len()
            && self
                .iter()
                .zip(other.iter())
                .all(|(a, b)| a.path.text == b.path.text && a.value == b.value)
    }
}

impl Host {
    /// Its labels, sorted.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &Text)> {
        self.map("labels")
    }

    /// Its annotations, sorted.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &Text)> {
        self.map("annotations")
    }

    /// One label.
    pub fn label(&self, key: &str) -> Option<&Text> {
        self.labels()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    fn map(&self, field: &'static str) -> impl Iterator<Item = (&str, &Text)> {
        self.fields.iter().filter_map(
            move |found| match (found.path.key.as_deref(), found.value) {
                (Some(key), Value::Text(text)) if found.schema.name == field => Some((key, text)),
                _ => None,
            },
        )
    }

    /// Boot MAC address, lower case with colons.
    pub fn boot_mac(&self) -> Option<&Text> {
        self.fields.text("boot.mac")
    }

    /// Address of the management controller.
    pub fn bmc_address(&self) -> Option<&Text> {
        self.fields.text("bmc.address")
    }

    /// Secret with the management controller's credentials.
    pub fn bmc_credentials(&self) -> Option<&Ref> {
        self.fields.reference("bmc.credentials")
    }

    /// Wanted power; on where nothing is said.
    pub fn online(&self) -> bool {
        self.fields.bool("online").unwrap_or(true)
    }

    /// No plan may destroy or deprovision it.
    pub fn prevent_destroy(&self) -> bool {
        self.fields
            .bool("lifecycle.prevent-destroy")
            .unwrap_or(false)
    }
}

impl Fleet {
    /// A fleet with nothing in it.
    pub fn empty() -> Self {
        Self {
            name: Arc::from("fleet"),
            namespace: Arc::from(NAMESPACE),
            edition: Arc::from(crate::schema::EDITION),
            lab: false,
            simulation: None,
            simulation_origin: None,
            faults: Vec::new(),
            secrets: None,
            ironics: Vec::new(),
            images: Vec::new(),
            pools: Vec::new(),
            racks: Vec::new(),
            groups: Vec::new(),
            hosts: Vec::new(),
            held: Vec::new(),
            origin: None,
            paths: Arc::new(Paths::new()),
        }
    }

    /// A host by name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        let at = self
            .hosts
            .binary_search_by(|host| natural(&host.name, name));
        at.ok().map(|index| &*self.hosts[index])
    }

    /// An image by name.
    pub fn image(&self, name: &str) -> Option<&Image> {
        let at = self
            .images
            .binary_search_by(|image| natural(&image.name, name));
        at.ok().map(|index| &self.images[index])
    }

    /// A pool by name.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        let at = self
            .pools
            .binary_search_by(|pool| natural(&pool.name, name));
        at.ok().map(|index| &self.pools[index])
    }

    /// A host that is declared and has an error.
    pub fn is_held(&self, name: &str) -> bool {
        self.held.iter().any(|held| &*held.name == name)
    }

    /// The table entry of a host's field by its path, for `explain`.
    pub fn path(&self, text: &str) -> Option<PathId> {
        self.paths.find(Entity::Host, text)
    }
}
