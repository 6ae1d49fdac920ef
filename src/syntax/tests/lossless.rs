//! Text in, tree out, same text back; and no text does harm.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::{Kind, Limits, Node, Nodes, Parse, Tree, parse, tokens};
use super::{fleet, inputs, kdl};
use crate::diag::{FileId, Span};

/// All that must hold for any text.
fn check(text: &str) {
    for limits in [Limits::default(), Limits::kdl()] {
        let read = parse(FileId(0), &Arc::from(text), &limits);
        check_tokens(text);
        check_tree(text, &read);
        for found in &read.diagnostics {
            let labels = std::iter::once(&found.primary).chain(&found.secondary);
            let places = labels.map(|label| label.place);
            let edits = found
                .fixes
                .iter()
                .flat_map(|fix| &fix.edits)
                .map(|edit| edit.place);
            for place in places.chain(edits) {
                let Span { start, end } = place.span;
                assert!(start <= end, "{text:?}: {found:?}");
                assert!(
                    text.get(place.span.range()).is_some(),
                    "{text:?}: {found:?}"
                );
            }
        }
    }
}

fn check_tokens(text: &str) {
    let mut back = String::new();
    for token in tokens(text) {
        assert!(!token.span().is_empty(), "{text:?}: {token:?}");
        assert_eq!(
            token.span().start as usize,
            back.len(),
            "{text:?}: {token:?}"
        );
        back.push_str(&text[token.span().range()]);
    }
    assert_eq!(back, text);
}

/// The tree's spans lie in the text, in order, one within the other; strings can be decoded and
/// located.
fn check_tree(text: &str, read: &Parse) {
    let tree = &read.tree;
    assert_eq!(tree.text(), text);
    let mut seen = 0;
    check_nodes(
        tree,
        tree.all_nodes(),
        Span::new(0, text.len() as u32),
        &mut seen,
    );
    if read.diagnostics.is_empty() {
        assert_eq!(seen, tree.len(), "{text:?}");
        check_gaps(text, tree);
    }
}

fn check_nodes(tree: &Tree, nodes: Nodes<'_>, within: Span, seen: &mut usize) {
    let mut at = within.start;
    for node in nodes {
        *seen += 1;
        let span = node.span();
        assert!(
            at <= span.start && span.end <= within.end,
            "{:?}: {node:?}",
            tree.text()
        );
        assert!(
            span.contains(node.name_span()),
            "{:?}: {node:?}",
            tree.text()
        );
        at = span.end;
        let mut inner = node.name_span().end;
        for entry in node.all_entries() {
            assert!(
                span.contains(entry.span()),
                "{:?}: {node:?} {entry:?}",
                tree.text()
            );
            assert!(
                inner <= entry.span().start,
                "{:?}: {node:?} {entry:?}",
                tree.text()
            );
            assert!(entry.span().contains(entry.value_span()));
            inner = entry.span().end;
            if let Some(value) = entry.value().as_str() {
                let all = entry.locate(0..value.len());
                assert!(
                    entry.value_span().contains(all),
                    "{:?} {all:?}",
                    tree.text()
                );
            }
            let _ = (entry.key(), entry.annotation(), entry.form());
        }
        if let Some(block) = node.block_span() {
            assert!(span.contains(block));
        }
        let _ = (node.name(), node.annotation());
        check_nodes(tree, node.all_children(), span, seen);
    }
}

/// The spans of all that a node names.
fn gather(node: Node<'_>, named: &mut Vec<Span>) {
    named.push(node.name_span());
    named.extend(node.annotation().map(|(_, span)| span));
    for entry in node.all_entries() {
        named.extend(entry.key_span());
        named.extend(entry.annotation().map(|(_, span)| span));
        named.push(entry.value_span());
    }
    node.all_children().for_each(|child| gather(child, named));
}

/// What the tree does not name is trivia or punctuation.
fn check_gaps(text: &str, tree: &Tree) {
    let mut named: Vec<Span> = Vec::new();
    tree.all_nodes().for_each(|node| gather(node, &mut named));
    named.sort();
    for token in tokens(text) {
        let after = named.partition_point(|span| span.start <= token.span().start);
        let covered = after > 0 && named[after - 1].contains(token.span());
        let punctuation = matches!(
            token.kind,
            Kind::OpenBrace | Kind::CloseBrace | Kind::Equals | Kind::Semicolon | Kind::Slashdash
        );
        assert!(
            covered || punctuation || token.kind.is_trivia(),
            "{text:?}: {token:?}"
        );
    }
}

#[test]
fn official_cases_come_back() {
    for (_, text) in inputs() {
        check(text);
    }
}

/// Pieces that texts are made of, among them all that means something.
const PIECES: [&str; 72] = [
    "a",
    "b",
    "node",
    " ",
    " ",
    " ",
    "\n",
    "\n",
    "\t",
    "\r\n",
    ";",
    "{",
    "}",
    "{\n",
    "}\n",
    "=",
    "=1",
    "k=v",
    "(",
    ")",
    "(t)",
    "(t)x",
    "/-",
    "/- ",
    "//",
    "// c\n",
    "/*",
    "*/",
    "/* c */",
    "\\",
    "\\\n",
    "\"",
    "\"x\"",
    "\"\"",
    "\"\"\"",
    "\"\"\"\n",
    "\n\"\"\"",
    "#\"",
    "\"#",
    "#\"x\"#",
    "##\"",
    "\"##",
    "#\"\"\"\n",
    "\"\"\"#",
    "\\n",
    "\\u{e9}",
    "\\s",
    "\\q",
    "1",
    "-1.5",
    "0x1f",
    "1e3",
    "10.0.0.1",
    ".5",
    "#true",
    "#null",
    "#x",
    "true",
    "r\"x\"",
    "https://x/y",
    "${x}",
    "!",
    ">",
    "<",
    "[",
    "]",
    "é",
    "\u{200b}",
    "\u{202e}",
    "\u{feff}",
    "\u{85}",
    "\u{3000}",
];

/// A text made of [`PIECES`].
pub(super) fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40).prop_map(|parts| parts.concat())
}

/// An official case with a few changes.
pub(super) fn mutant() -> impl Strategy<Value = String> {
    let change = (
        any::<prop::sample::Index>(),
        0..4usize,
        prop::sample::select(&PIECES[..]),
    );
    let changes = prop::collection::vec(change, 1..5);
    (any::<prop::sample::Index>(), changes).prop_map(|(index, changes)| {
        let mut chars: Vec<char> = index.get(inputs()).1.chars().collect();
        for (at, len, piece) in changes {
            let at = at.index(chars.len() + 1);
            let end = (at + len).min(chars.len());
            chars.splice(at..end, piece.chars());
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_pieces_do_no_harm(text in pieces()) {
        check(&text);
    }

    #[test]
    fn any_mutant_does_no_harm(text in mutant()) {
        check(&text);
    }

    #[test]
    fn any_text_does_no_harm(text in "\\PC{0,60}|[ -~\n]{0,80}") {
        check(&text);
    }

    /// What is accepted as a fleet file is accepted as KDL and says the same.
    #[test]
    fn the_fleet_dialect_only_refuses_more(text in pieces()) {
        let (strict, plain) = (fleet(&text), kdl(&text));
        if !strict.has_errors() {
            prop_assert!(!plain.has_errors());
            prop_assert_eq!(
                super::canonical(strict.tree.nodes()),
                super::canonical(plain.tree.nodes())
            );
        }
    }
}
