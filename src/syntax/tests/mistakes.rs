//! Mistakes: each is reported once, at its place, with its way out.

mod shape;
mod whole;
mod words;

use std::fmt::Write as _;

use insta::assert_snapshot;

use super::super::{Limits, Parse, parse};
use super::canonical;
use crate::diag::json::render_json;
use crate::diag::render::{Look, render_concise, render_full};
use crate::diag::{Applicability, Edit, codes};
use crate::vfs::Files;

fn read(text: &str) -> (Files, Parse) {
    let mut files = Files::new();
    let id = files.add("f.kdl", text);
    let parse = parse(id, files.text(id), &Limits::default());
    (files, parse)
}

/// With the version marker, as line 0 of what follows.
fn marked(text: &str) -> String {
    format!("/- kdl-version 2\n{text}")
}

/// What is found in a text behind the version marker: a line each, and then what could be read.
fn found(text: &str) -> String {
    let (_, parse) = read(&marked(text));
    format!("{}\n{}", said(text), canonical(parse.tree.nodes()))
}

/// What is found in a text behind the version marker, a line each.
fn said(text: &str) -> String {
    let (files, parse) = read(&marked(text));
    let mut out = String::new();
    render_concise(&mut out, &files, &parse.diagnostics).expect("a string");
    let mut shown = String::new();
    for line in out.lines() {
        // Count lines as the test's text does.
        let mut parts = line.splitn(3, ':');
        let (_, line, rest) = (parts.next(), parts.next(), parts.next());
        let number: u32 = line.and_then(|line| line.parse().ok()).expect("a line");
        writeln!(shown, "{}:{}", number - 1, rest.unwrap_or_default()).expect("a string");
    }
    shown
}

fn full(text: &str) -> String {
    let (files, parse) = read(text);
    let mut out = String::new();
    render_full(&mut out, &files, &parse.diagnostics, Look::default()).expect("a string");
    out
}

/// The text after all fixes up to `most`, made together as far as they do not overlap.
fn fixed(text: &str, most: Applicability) -> String {
    let (_, parse) = read(text);
    let mut edits: Vec<&Edit> = Vec::new();
    for finding in &parse.diagnostics {
        let Some(fix) = finding
            .fixes
            .first()
            .filter(|fix| fix.applicability <= most)
        else {
            continue;
        };
        edits.extend(&fix.edits);
    }
    edits.sort_by_key(|edit| edit.place);
    let mut out = String::new();
    let mut at = 0;
    for edit in edits {
        let range = edit.place.span.range();
        if range.start >= at {
            out += &text[at..range.start];
            out += &edit.text;
            at = range.end;
        }
    }
    out + &text[at..]
}
