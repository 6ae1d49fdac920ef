//! The one table of entities and fields: what exists, of which type, and what it becomes.
//!
//! Decoding, "did you mean", `explain`, the generated reference and the lowering to
//! `BareMetalHost` all read it; nothing else in the crate knows a field by heart. A field is a
//! `&'static` [`Field`]; its place in a tree of fields is a [`Path`] of a [`Paths`] table, which
//! gives every path of a fleet (keys included) a small number.

use std::fmt;

mod host;
mod other;
mod path;
mod reference;
mod suggest;

pub use path::{Path, PathId, Paths};
pub use reference::reference;
pub use suggest::{Suggestion, suggest_field};

/// The newest edition that this version knows.
pub const EDITION: &str = "2026";

/// What an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entity {
    /// The fleet itself: `spec`.
    Spec,
    /// One machine.
    Host,
    /// A set of hosts that are deployed alike.
    Pool,
    /// What is written to a disk.
    Image,
    /// An Ironic that drives machines.
    Ironic,
}

impl Entity {
    /// All of them, in the order of the reference.
    pub const ALL: [Self; 5] = [
        Self::Spec,
        Self::Host,
        Self::Pool,
        Self::Image,
        Self::Ironic,
    ];

    /// The word that declares one.
    pub fn word(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Host => "host",
            Self::Pool => "pool",
            Self::Image => "image",
            Self::Ironic => "ironic",
        }
    }

    /// What it is, for the reference.
    pub fn doc(self) -> &'static str {
        match self {
            Self::Spec => "The fleet itself: its name, its edition, and what holds for all of it.",
            Self::Host => "One machine. Becomes a `BareMetalHost`.",
            Self::Pool => "Hosts that are deployed alike, chosen by label.",
            Self::Image => "What is written to a disk, by URL.",
            Self::Ironic => "An OpenStack Ironic that drives the machines.",
        }
    }

    /// Its fields.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Spec => other::SPEC,
            Self::Host => host::HOST,
            Self::Pool => other::POOL,
            Self::Image => other::IMAGE,
            Self::Ironic => other::IRONIC,
        }
    }
}

/// One field.
#[derive(Debug)]
pub struct Field {
    /// Name in KDL, kebab-case.
    pub name: &'static str,
    /// Shape and type.
    pub kind: Kind,
    /// What it is for, in a sentence or two.
    pub doc: &'static str,
    /// What holds where nothing is written; shown, and added only where `Lower` says so.
    pub default: Option<&'static str>,
    /// What it compiles to.
    pub lower: Lower,
    /// What a change does to a machine.
    pub class: Disruption,
    /// Must be there once its parent is (or once the entity is, at the top).
    pub required: bool,
    /// How other tools spell it; leads to "did you mean".
    pub also: &'static [&'static str],
    /// The edition that brought it.
    pub since: &'static str,
}

/// The shape of a field.
#[derive(Debug)]
pub enum Kind {
    /// One value (`online #true`), or a list of them for [`Type::List`].
    Leaf(Type),
    /// `boot { mode …; mac … }`, also as properties. `arg` names the child that an argument sets
    /// (`deploy ubuntu-24.04`).
    Record {
        /// Children.
        fields: &'static [Field],
        /// The child that the argument stands for.
        arg: Option<&'static str>,
    },
    /// `volume root { … }`: one record a key. Without an argument the content is the key when
    /// `content` is set (`disk hctl="0:0:0:0"`).
    Keyed {
        /// Children of each record.
        fields: &'static [Field],
        /// What the key is, for messages.
        key: &'static str,
        /// A record without a key is known by its content.
        content: bool,
    },
    /// `labels role=worker`: free keys, one type of value.
    Map(Type),
    /// `raid hardware { … }`: one of several records. Each variant is a `Field` whose kind is a
    /// `Record`.
    Union(&'static [Field]),
    /// `select role=worker` or `select { match role worker; lacks quarantine }`: a `match` map and
    /// a `lacks` set.
    Selector(&'static [Field]),
    /// A word of the language that this version has no meaning for yet.
    Later,
}

/// The type of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `#true` or `#false`.
    Bool,
    /// A whole number within bounds.
    Int(i64, i64),
    /// Any text.
    Text,
    /// Text that is written to the API as a label, annotation or taint value.
    LabelValue,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// A size; decimal or binary is a matter of `Lower`.
    Size,
    /// A span of time.
    Duration,
    /// A MAC address, normalised to lower case with colons.
    Mac,
    /// A URL of one of these schemes.
    Url(&'static [&'static str]),
    /// The address of a management controller.
    BmcAddress,
    /// `(secret)name`.
    Secret,
    /// `(secret)name` or `(configmap)name`.
    Bundle,
    /// A list of texts; atomic.
    Texts,
    /// The name of an `image`.
    ImageRef,
    /// The name of an `ironic`.
    IronicRef,
    /// A whole number or the word `all`.
    CountOrAll,
    /// A folder or file below the root.
    File,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("#true or #false"),
            Self::Int(i64::MIN, i64::MAX) => f.write_str("a whole number"),
            Self::Int(min, i64::MAX) => write!(f, "a whole number of {min} or more"),
            Self::Int(min, max) => write!(f, "a whole number from {min} to {max}"),
            Self::Text | Self::LabelValue => f.write_str("a string"),
            Self::Enum(words) => write!(f, "one of {}", words.join(", ")),
            Self::Size => f.write_str("a size with its unit"),
            Self::Duration => f.write_str("a duration with its unit"),
            Self::Mac => f.write_str("a MAC address"),
            Self::Url(schemes) => write!(f, "a URL ({})", schemes.join(", ")),
            Self::BmcAddress => f.write_str("a BMC address"),
            Self::Secret => f.write_str("a secret by name"),
            Self::Bundle => f.write_str("a secret or config map by name"),
            Self::Texts => f.write_str("a list of strings"),
            Self::ImageRef => f.write_str("the name of an image"),
            Self::IronicRef => f.write_str("the name of an ironic"),
            Self::CountOrAll => f.write_str("a whole number or `all`"),
            Self::File => f.write_str("a path below the root"),
        }
    }
}

/// What a field compiles to. Paths are those of the CRD; `[]` is the element of a list that
/// belongs to the field's key (in the order of the keys on the path).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lower {
    /// Nothing by itself.
    None,
    /// The value as it is.
    At(&'static str),
    /// The opposite of a boolean.
    Not(&'static str),
    /// A size in whole decimal gigabytes.
    Gigabytes(&'static str),
    /// A size in whole gibibytes.
    Gibibytes(&'static str),
    /// The bare name of a secret.
    SecretName(&'static str),
    /// A reference object `{ name }` to a secret.
    SecretRef(&'static str),
    /// The key of this keyed record is written here too (`.spec.taints[].key`).
    Key(&'static str),
    /// One entry of a map, by key.
    Entry(&'static str),
    /// A checksum, `sha256:…` split in value and type.
    Checksum(&'static str),
    /// An image by name, to be resolved.
    Image(&'static str),
}

/// What a change of a field does to a machine, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Disruption {
    /// Nothing that the machine notices.
    None,
    /// A power cycle.
    Reboot,
    /// Cleaning before the next deployment.
    Clean,
    /// The machine is written anew.
    Reprovision,
    /// The host is taken away.
    Destroy,
    /// Cannot change once it is set: a change means taking the host away and making it anew.
    Immutable,
}

impl fmt::Display for Disruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Reboot => "reboot",
            Self::Clean => "clean",
            Self::Reprovision => "reprovision",
            Self::Destroy => "destroy",
            Self::Immutable => "destroy (immutable once set)",
        })
    }
}

impl Field {
    /// A field with nothing but a name, for tables: `Field { kind: …, ..Field::BLANK }`.
    pub const BLANK: Self = Self {
        name: "",
        kind: Kind::Later,
        doc: "",
        default: None,
        lower: Lower::None,
        class: Disruption::None,
        required: false,
        also: &[],
        since: EDITION,
    };

    /// The children that a block of this field may have; empty for leaves, maps and unions.
    pub fn fields(&self) -> &'static [Self] {
        match self.kind {
            Kind::Record { fields, .. } | Kind::Keyed { fields, .. } => fields,
            _ => &[],
        }
    }

    /// Where in the CRD the value lands, if it lands in one place.
    pub fn crd_path(&self) -> Option<&'static str> {
        match self.lower {
            Lower::None => None,
            Lower::At(path)
            | Lower::Not(path)
            | Lower::Gigabytes(path)
            | Lower::Gibibytes(path)
            | Lower::SecretName(path)
            | Lower::SecretRef(path)
            | Lower::Key(path)
            | Lower::Entry(path)
            | Lower::Checksum(path)
            | Lower::Image(path) => Some(path),
        }
    }
}

/// Words of the language that stand at the top of a file, in a scope or in a block; a field never
/// has one of these names.
pub const ENTITY_WORDS: &[&str] = &[
    "spec", "import", "param", "let", "profile", "network", "image", "rack", "group", "host",
    "pool", "ironic", "policy", "assert", "allow", "moved", "retired", "each", "refine", "use",
    "when", "facts", "except",
];

/// Entities that the language has and this version does not.
pub const LATER_WORDS: &[&str] = &["network", "policy", "assert", "allow", "moved", "retired"];

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(fields: &'static [Field], visit: &mut impl FnMut(&'static Field)) {
        for field in fields {
            visit(field);
            match field.kind {
                Kind::Union(below) | Kind::Selector(below) => walk(below, visit),
                _ => walk(field.fields(), visit),
            }
        }
    }

    #[test]
    fn every_field_is_documented_and_kebab_case() {
        for entity in Entity::ALL {
            walk(entity.fields(), &mut |field| {
                assert!(!field.name.is_empty());
                assert!(
                    field
                        .name
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c == '-'),
                    "{} is not kebab-case",
                    field.name
                );
                assert!(
                    field.doc.ends_with('.'),
                    "{}: doc needs a sentence",
                    field.name
                );
            });
        }
    }

    #[test]
    fn a_record_argument_is_one_of_its_fields() {
        for entity in Entity::ALL {
            walk(entity.fields(), &mut |field| {
                if let Kind::Record {
                    fields,
                    arg: Some(arg),
                } = field.kind
                {
                    assert!(
                        fields.iter().any(|child| child.name == arg),
                        "{}",
                        field.name
                    );
                }
            });
        }
    }
}
