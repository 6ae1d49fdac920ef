//! Tests of the reader: the official cases, an oracle, laws, mistakes, and bombs.

mod conformance;
mod differential;
mod lossless;
mod mistakes;
mod scale;
mod views;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use super::{Limits, Node, Nodes, Parse, Value, parse};
use crate::diag::FileId;

/// Reads a text as plain KDL 2.
fn kdl(text: &str) -> Parse {
    parse(FileId(0), &Arc::from(text), &Limits::kdl())
}

/// Reads a text as a fleet file.
fn fleet(text: &str) -> Parse {
    parse(FileId(0), &Arc::from(text), &Limits::default())
}

/// Where the `kdl` package keeps the official cases: asked of cargo, which has fetched it.
fn cases() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let version = Command::new(rustc)
            .arg("-vV")
            .output()
            .expect("rustc runs")
            .stdout;
        let version = String::from_utf8(version).expect("UTF-8");
        let host = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .expect("a host");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // Without the filter, cargo wants packages of other systems, too, which are not here.
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked", "--offline"])
            .args(["--filter-platform", host])
            .arg("--manifest-path")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .output()
            .expect("cargo runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let manifest = metadata["packages"]
            .as_array()
            .expect("packages")
            .iter()
            .find(|package| package["name"] == "kdl")
            .and_then(|package| package["manifest_path"].as_str())
            .expect("the kdl package");
        PathBuf::from(manifest)
            .with_file_name("tests")
            .join("test_cases")
    })
}

/// The official inputs: name and text, in the order of names.
fn inputs() -> &'static [(String, String)] {
    static INPUTS: OnceLock<Vec<(String, String)>> = OnceLock::new();
    INPUTS.get_or_init(|| {
        let mut inputs: Vec<_> = std::fs::read_dir(cases().join("input"))
            .expect("the official cases")
            .map(|entry| {
                let path = entry.expect("an entry").path();
                let name = path
                    .file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned();
                (name, std::fs::read_to_string(&path).expect("UTF-8"))
            })
            .collect();
        inputs.sort();
        inputs
    })
}

/// A document as the official cases write what they expect: live parts only, one node a line,
/// the last of equal properties, numbers in decimal.
fn canonical(nodes: Nodes<'_>) -> String {
    let mut out = String::new();
    write_nodes(&mut out, nodes, 0);
    if out.is_empty() {
        out.push('\n');
    }
    out
}

fn write_nodes(out: &mut String, nodes: Nodes<'_>, depth: usize) {
    for node in nodes {
        write!(out, "{:1$}", "", depth * 4).expect("a string");
        write_node(out, node, depth);
        out.push('\n');
    }
}

fn write_node(out: &mut String, node: Node<'_>, depth: usize) {
    if let Some((annotation, _)) = node.annotation() {
        write!(out, "({})", word(annotation)).expect("a string");
    }
    out.push_str(&word(node.name()));
    let entries: Vec<_> = node.entries().collect();
    for (index, entry) in entries.iter().enumerate() {
        if entry.key().is_some()
            && entries[index + 1..]
                .iter()
                .any(|next| next.key() == entry.key())
        {
            continue;
        }
        out.push(' ');
        if let Some(key) = entry.key() {
            write!(out, "{}=", word(key)).expect("a string");
        }
        if let Some((annotation, _)) = entry.annotation() {
            write!(out, "({})", word(annotation)).expect("a string");
        }
        out.push_str(&value(entry.value()));
    }
    if node.children().next().is_some() {
        out.push_str(" {\n");
        write_nodes(out, node.children(), depth + 1);
        write!(out, "{:1$}}}", "", depth * 4).expect("a string");
    }
}

fn value(value: Value<'_>) -> String {
    match value {
        Value::Str(text) => word(text),
        Value::Int(number) => number.to_string(),
        Value::Big(source) => big(source),
        Value::Float(number) if number.is_nan() => "#nan".to_owned(),
        Value::Float(f64::INFINITY) => "#inf".to_owned(),
        Value::Float(f64::NEG_INFINITY) => "#-inf".to_owned(),
        Value::Float(number) => format!("{number:?}"),
        Value::Bool(value) => format!("#{value}"),
        Value::Null => "#null".to_owned(),
    }
}

/// An integer of up to 127 bits in decimal.
fn big(source: &str) -> String {
    let plain = source.replace(['_', '+'], "");
    let (sign, digits) = plain
        .strip_prefix('-')
        .map_or(("", plain.as_str()), |rest| ("-", rest));
    let number = match digits.get(..2) {
        Some("0x") => i128::from_str_radix(&digits[2..], 16),
        Some("0o") => i128::from_str_radix(&digits[2..], 8),
        Some("0b") => i128::from_str_radix(&digits[2..], 2),
        _ => digits.parse(),
    };
    number.map_or_else(
        |_| format!("big {source}"),
        |number| format!("{sign}{number}"),
    )
}

/// A string without quotes where KDL allows it.
fn word(text: &str) -> String {
    let bare = kdl(text);
    let is_bare =
        bare.diagnostics.is_empty()
            && bare.tree.nodes().next().is_some_and(|node| {
                node.name_span().range() == (0..text.len()) && node.name() == text
            });
    if is_bare {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
