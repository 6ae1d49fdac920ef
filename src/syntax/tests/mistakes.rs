//! Mistakes: each is reported once, at its place, with its way out.

use super::fleet;
use crate::diag::render::{Look, render_concise, render_full};
use crate::vfs::Files;

/// The findings of a fleet file, a line each.
fn concise(text: &str) -> String {
    let mut files = Files::new();
    let id = files.add("f.kdl", text);
    let parse = super::super::parse(id, files.text(id), &super::Limits::default());
    let mut out = String::new();
    render_concise(&mut out, &files, &parse.diagnostics).expect("a string");
    out
}

fn full(text: &str) -> String {
    let mut files = Files::new();
    let id = files.add("f.kdl", text);
    let parse = super::super::parse(id, files.text(id), &super::Limits::default());
    let mut out = String::new();
    render_full(&mut out, &files, &parse.diagnostics, Look::default()).expect("a string");
    out
}

#[test]
fn dump() {
    let Ok(path) = std::env::var("DUMP") else {
        return;
    };
    let text = std::fs::read_to_string(path).expect("a file");
    println!("{}", full(&text));
    println!("{}", concise(&text));
    let parse = fleet(&text);
    println!("{}", super::canonical(parse.tree.nodes()));
}
