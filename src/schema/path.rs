//! Paths: a field at its place, with the keys on the way (`raid.hardware.volume.root.level`).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Entity, Field, Kind};

/// A path by number. Numbers are given in the order in which paths are first met and mean nothing
/// between two tables; [`Paths::rank`] orders by text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathId(pub u32);

/// One path.
#[derive(Debug, Clone)]
pub struct Path {
    /// The path without its last part; `None` for an entity itself.
    pub parent: Option<PathId>,
    /// The field at the end; for a key, the keyed field or map that it belongs to; `None` for an
    /// entity itself.
    pub field: Option<&'static Field>,
    /// The last part is a key: an entry of a map, or one record of a keyed field.
    pub key: Option<Arc<str>>,
    /// Dotted text, keys quoted where they need it: `labels."topology.kubernetes.io/zone"`.
    pub text: Arc<str>,
    /// The union and the variant of it that this path lies under, if it does.
    pub variant: Option<(PathId, &'static str)>,
    entity: Entity,
    first_child: u32,
    keys: HashMap<Arc<str>, PathId>,
}

/// All paths of a fleet. It only grows, so a number stays good.
#[derive(Debug, Clone)]
pub struct Paths {
    nodes: Vec<Path>,
    /// Set where somebody wants to know which keys are asked for.
    met: Option<Met>,
}

/// Paths of keys that were met, each once.
#[derive(Debug, Clone, Default)]
struct Met {
    marks: Vec<bool>,
    keys: Vec<PathId>,
}

impl Default for Paths {
    fn default() -> Self {
        Self::new()
    }
}

impl Paths {
    /// The paths that have no key in them, of every entity.
    pub fn new() -> Self {
        let mut paths = Self {
            nodes: Vec::with_capacity(256),
            met: None,
        };
        for entity in Entity::ALL {
            paths.nodes.push(Path {
                parent: None,
                field: None,
                key: None,
                text: Arc::from(""),
                variant: None,
                entity,
                first_child: 0,
                keys: HashMap::new(),
            });
        }
        for entity in Entity::ALL {
            paths.add_children(Self::root(entity), entity.fields());
        }
        paths
    }

    /// The path of an entity itself.
    pub fn root(entity: Entity) -> PathId {
        PathId(match entity {
            Entity::Spec => 0,
            Entity::Host => 1,
            Entity::Pool => 2,
            Entity::Image => 3,
            Entity::Ironic => 4,
        })
    }

    /// One path.
    pub fn get(&self, id: PathId) -> &Path {
        &self.nodes[id.0 as usize]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: entities are there from the start.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The fields below a path.
    pub fn fields(&self, id: PathId) -> &'static [Field] {
        let node = self.get(id);
        match (node.field, &node.key) {
            (None, _) => node.entity.fields(),
            (
                Some(Field {
                    kind: Kind::Record { fields, .. },
                    ..
                }),
                _,
            )
            | (
                Some(Field {
                    kind: Kind::Keyed { fields, .. },
                    ..
                }),
                Some(_),
            )
            | (
                Some(Field {
                    kind: Kind::Union(fields) | Kind::Selector(fields),
                    ..
                }),
                None,
            ) => fields,
            _ => &[],
        }
    }

    /// The field of that name below a path.
    pub fn child(&self, id: PathId, name: &str) -> Option<PathId> {
        let index = self
            .fields(id)
            .iter()
            .position(|field| field.name == name)?;
        Some(PathId(self.get(id).first_child + index as u32))
    }

    /// The path of a key below a map, a selector or a keyed field, if it was met.
    pub fn key(&self, id: PathId, key: &str) -> Option<PathId> {
        self.get(id).keys.get(key).copied()
    }

    /// The keys that were met below a map or keyed field, in no order.
    pub fn keys_below(&self, id: PathId) -> impl Iterator<Item = &str> {
        self.get(id).keys.keys().map(|key| &**key)
    }

    /// The path of a key below a map, a selector or a keyed field.
    pub fn key_or_add(&mut self, id: PathId, key: &str) -> PathId {
        if let Some(found) = self.key(id, key) {
            self.note(found);
            return found;
        }
        let parent = self.get(id);
        let field = parent.field;
        let mut text = String::with_capacity(parent.text.len() + key.len() + 3);
        text.push_str(&parent.text);
        text.push('.');
        quote_key(key, &mut text);
        let node = Path {
            parent: Some(id),
            field,
            key: Some(Arc::from(key)),
            text: text.into(),
            variant: parent.variant,
            entity: parent.entity,
            first_child: 0,
            keys: HashMap::new(),
        };
        let new = PathId(self.nodes.len() as u32);
        let key = node.key.clone();
        self.nodes.push(node);
        if let Some(key) = key {
            self.nodes[id.0 as usize].keys.insert(key, new);
        }
        if let Some(Field {
            kind: Kind::Keyed { fields, .. },
            ..
        }) = field
        {
            self.add_children(new, fields);
        }
        self.note(new);
        new
    }

    fn note(&mut self, id: PathId) {
        let Some(met) = &mut self.met else { return };
        let index = id.0 as usize;
        if index >= met.marks.len() {
            met.marks.resize(self.nodes.len(), false);
        }
        if !std::mem::replace(&mut met.marks[index], true) {
            met.keys.push(id);
        }
    }

    /// The keys that [`Paths::key_or_add`] was asked for since the last call; it notes them from the
    /// first call on.
    pub(crate) fn take_met(&mut self) -> Vec<PathId> {
        let met = self.met.get_or_insert_default();
        for id in &met.keys {
            met.marks[id.0 as usize] = false;
        }
        std::mem::take(&mut met.keys)
    }

    /// Notes no keys any more.
    pub(crate) fn forget_met(&mut self) {
        self.met = None;
    }

    fn add_children(&mut self, parent: PathId, fields: &'static [Field]) {
        let first = self.nodes.len() as u32;
        self.nodes[parent.0 as usize].first_child = first;
        let (text, variant, entity) = {
            let node = self.get(parent);
            (Arc::clone(&node.text), node.variant, node.entity)
        };
        let in_union = matches!(
            self.get(parent).field,
            Some(Field {
                kind: Kind::Union(_),
                ..
            })
        );
        for field in fields {
            let full = if text.is_empty() {
                Arc::from(field.name)
            } else {
                Arc::from(format!("{text}.{}", field.name))
            };
            self.nodes.push(Path {
                parent: Some(parent),
                field: Some(field),
                key: None,
                text: full,
                variant: if in_union {
                    Some((parent, field.name))
                } else {
                    variant
                },
                entity,
                first_child: 0,
                keys: HashMap::new(),
            });
        }
        for (index, field) in fields.iter().enumerate() {
            let (Kind::Record { fields: below, .. } | Kind::Union(below) | Kind::Selector(below)) =
                field.kind
            else {
                continue;
            };
            self.add_children(PathId(first + index as u32), below);
        }
    }

    /// The keys on a path, outermost first.
    pub fn keys(&self, id: PathId) -> SmallVec<[&str; 2]> {
        let mut keys = SmallVec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            let node = self.get(id);
            if let Some(key) = &node.key {
                keys.insert(0, &**key);
            }
            at = node.parent;
        }
        keys
    }

    /// Whether `inner` lies strictly below `outer`.
    pub fn is_below(&self, inner: PathId, outer: PathId) -> bool {
        let mut at = self.get(inner).parent;
        while let Some(id) = at {
            if id == outer {
                return true;
            }
            at = self.get(id).parent;
        }
        false
    }

    /// The entity that a path belongs to.
    pub fn entity(&self, id: PathId) -> Entity {
        self.get(id).entity
    }

    /// A path of an entity by its text; keys may be written without their quotes.
    pub fn find(&self, entity: Entity, text: &str) -> Option<PathId> {
        let position = |same: &dyn Fn(&Path) -> bool| {
            self.nodes
                .iter()
                .position(|node| node.entity == entity && same(node))
        };
        position(&|node| *node.text == *text)
            .or_else(|| position(&|node| node.text.replace('"', "") == text))
            .map(|index| PathId(index as u32))
    }

    /// Numbers by text: `rank()[id]` orders paths as their texts are ordered.
    pub fn rank(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.nodes.len() as u32).collect();
        order.sort_unstable_by(|a, b| {
            let (a, b) = (&self.nodes[*a as usize], &self.nodes[*b as usize]);
            a.text.cmp(&b.text).then(a.entity.cmp(&b.entity))
        });
        let mut rank = vec![0; order.len()];
        for (place, id) in order.into_iter().enumerate() {
            rank[id as usize] = place as u32;
        }
        rank
    }

    /// Takes in the paths of a table that grew from a copy of this one when it had `shared`
    /// paths; returns the new number of each of its later paths.
    pub(crate) fn absorb(&mut self, other: &Self, shared: usize) -> Vec<PathId> {
        let mut renamed: Vec<PathId> = Vec::with_capacity(other.nodes.len() - shared);
        let map = |renamed: &[PathId], id: PathId| match (id.0 as usize).checked_sub(shared) {
            None => id,
            Some(index) => renamed[index],
        };
        for node in &other.nodes[shared..] {
            let parent = map(&renamed, node.parent.unwrap_or(PathId(0)));
            let new = match &node.key {
                Some(key) => self.key_or_add(parent, key),
                None => node
                    .field
                    .and_then(|field| self.child(parent, field.name))
                    .unwrap_or(parent),
            };
            renamed.push(new);
        }
        renamed
    }
}

/// Writes a key as it stands in a path.
fn quote_key(key: &str, out: &mut String) {
    let bare = !key.is_empty()
        && key
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'+'));
    if bare {
        out.push_str(key);
    } else {
        out.push('"');
        for c in key.chars() {
            match c {
                '"' | '\\' => {
                    out.push('\\');
                    out.push(c);
                }
                c if c.is_control() => {
                    write!(out, "\\u{{{:x}}}", c as u32).ok();
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_keys_have_paths() {
        let mut paths = Paths::new();
        let host = Paths::root(Entity::Host);
        let raid = paths.child(host, "raid").unwrap();
        let hardware = paths.child(raid, "hardware").unwrap();
        let volume = paths.child(hardware, "volume").unwrap();
        let root = paths.key_or_add(volume, "root");
        let level = paths.child(root, "level").unwrap();
        assert_eq!(&*paths.get(level).text, "raid.hardware.volume.root.level");
        assert_eq!(paths.keys(level).as_slice(), ["root"]);
        assert_eq!(paths.get(level).variant, Some((raid, "hardware")));
        assert!(paths.is_below(level, raid) && !paths.is_below(raid, raid));
        assert_eq!(
            paths.find(Entity::Host, "raid.hardware.volume.root.level"),
            Some(level)
        );
        let labels = paths.child(host, "labels").unwrap();
        let zone = paths.key_or_add(labels, "topology.kubernetes.io/zone");
        assert_eq!(
            &*paths.get(zone).text,
            "labels.\"topology.kubernetes.io/zone\""
        );
        assert_eq!(
            paths.find(Entity::Host, "labels.topology.kubernetes.io/zone"),
            Some(zone)
        );
    }

    #[test]
    fn two_tables_join() {
        let mut left = Paths::new();
        let shared = left.len();
        let mut right = left.clone();
        let labels = left.child(Paths::root(Entity::Host), "labels").unwrap();
        let a = left.key_or_add(labels, "a");
        let b = right.key_or_add(labels, "b");
        let a_too = right.key_or_add(labels, "a");
        let renamed = left.absorb(&right, shared);
        assert_eq!(renamed[a_too.0 as usize - shared], a);
        assert_eq!(&*left.get(renamed[b.0 as usize - shared]).text, "labels.b");
    }
}
