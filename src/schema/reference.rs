//! The reference of the fields, `docs/fields.md`, from the table.

use std::fmt::Write as _;

use super::{Disruption, Entity, Field, Kind, Type};

/// The reference as Markdown: a section an entity, a table a group of fields.
pub fn reference() -> String {
    let mut out = String::from(
        "# Fields\n\n\
         Every field there is, from the table that the program itself reads (`src/schema`; \
         `METALFORM_WRITE_DOCS=1 cargo test --lib schema` writes this file anew). \
         `docs/language.md` tells how they are put together.\n\n\
         A field stands in the block of its entity (hosts' fields in `each`, `profile` and `refine`, \
         too): `boot { mac \"…\"; }`, or, for a value, as a property of the field that it belongs to: \
         `boot mac=\"…\"`. `NAME` stands for a name of your own. *On a change* is what changing the \
         field does to a machine that is deployed; where nothing is said, nothing that it notices. \
         `metalform explain host/NAME FIELD` takes the names in the first column.\n",
    );
    for entity in Entity::ALL {
        // Writing into a String does not fail.
        write!(out, "\n## `{}`\n\n{}\n\n", entity.word(), entity.doc()).ok();
        out.push_str("| field | value | on a change | becomes | |\n|---|---|---|---|---|\n");
        rows(&mut out, "", entity.fields());
    }
    out
}

fn rows(out: &mut String, parent: &str, fields: &[Field]) {
    for field in fields {
        let path = format!("{parent}{}", field.name);
        row(out, &path, field);
        match field.kind {
            Kind::Record { fields, .. } | Kind::Union(fields) => {
                rows(out, &format!("{path}."), fields);
            }
            Kind::Keyed { fields, .. } => rows(out, &format!("{path}.NAME."), fields),
            Kind::Selector(fields) => rows(out, &format!("{path}."), fields),
            Kind::Leaf(_) | Kind::Map(_) | Kind::Later => {}
        }
    }
}

fn row(out: &mut String, path: &str, field: &Field) {
    let mut value = value(field);
    if let Some(default) = field.default {
        write!(value, "; `{default}` when not said").ok();
    }
    if field.required {
        value.push_str("; required");
    }
    // What a block does is what its parts do.
    let class = match (&field.kind, field.class) {
        (Kind::Record { .. } | Kind::Union(_) | Kind::Selector(_), _) | (_, Disruption::None) => {
            String::new()
        }
        (_, class) => class.to_string(),
    };
    let becomes = match field.crd_path() {
        Some(path) => format!("`{path}`"),
        None => String::new(),
    };
    let doc = field.doc.replace('|', "\\|");
    writeln!(out, "| `{path}` | {value} | {class} | {becomes} | {doc} |").ok();
}

/// What is written.
fn value(field: &Field) -> String {
    match field.kind {
        Kind::Leaf(kind) => leaf(kind),
        Kind::Record { arg: Some(arg), .. } => format!("a block; an argument is its `{arg}`"),
        Kind::Record { arg: None, .. } => "a block".to_owned(),
        Kind::Keyed { key, content, .. } => {
            let content = if content {
                "; without one its content is"
            } else {
                ""
            };
            format!("a block for each NAME ({key}{content})")
        }
        Kind::Map(kind) => format!("names of your own, each with {}", leaf(kind)),
        Kind::Union(_) => "one of the blocks below".to_owned(),
        Kind::Selector(_) => "labels that a host has to have, or a block".to_owned(),
        Kind::Later => "for a later version".to_owned(),
    }
}

fn leaf(kind: Type) -> String {
    match kind {
        Type::Bool => "`#true` or `#false`".to_owned(),
        Type::Enum(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            words.join(", ")
        }
        Type::Secret => "`(secret)NAME`".to_owned(),
        Type::Bundle => "`(secret)NAME` or `(configmap)NAME`".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_fields_are_documented_as_they_are() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fields.md");
        let wanted = super::reference();
        if std::env::var_os("METALFORM_WRITE_DOCS").is_some() {
            std::fs::write(path, &wanted).unwrap();
        }
        let there = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            there == wanted,
            "docs/fields.md is not what the code says; METALFORM_WRITE_DOCS=1 writes it"
        );
    }
}
