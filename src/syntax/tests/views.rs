//! What the views on a tree give.

use super::super::{Entry, Form, Node, Value};
use super::kdl;
use crate::diag::Span;

fn source(text: &str, span: Span) -> &str {
    &text[span.range()]
}

#[test]
fn nodes_and_entries_know_where_they_are() {
    let text = "(default)boot \"arg\" mode=(m)UEFI /-off=1 {\n  /-a\n  b {}\n} /-{\n  c\n}\n/-d; e";
    let read = kdl(text);
    assert!(read.diagnostics.is_empty());
    let tree = &read.tree;
    let names: Vec<_> = tree.nodes().map(Node::name).collect();
    assert_eq!(names, ["boot", "e"]);
    let names: Vec<_> = tree
        .all_nodes()
        .map(|node| (node.name(), node.is_dashed()))
        .collect();
    assert_eq!(names, [("boot", false), ("d", true), ("e", false)]);

    let boot = tree.nodes().next().expect("a node");
    let (annotation, span) = boot.annotation().expect("an annotation");
    assert_eq!((annotation, source(text, span)), ("default", "(default)"));
    assert_eq!(source(text, boot.name_span()), "boot");
    assert_eq!(
        source(text, boot.span()),
        &text[..text.find("\n/-d").expect("there")]
    );
    assert_eq!(
        source(text, boot.block_span().expect("a block")),
        "{\n  /-a\n  b {}\n}"
    );
    let dashed: Vec<_> = boot
        .dashed_blocks()
        .map(|span| source(text, span))
        .collect();
    assert_eq!(dashed, ["{\n  c\n}"]);
    let children: Vec<_> = boot.children().map(Node::name).collect();
    assert_eq!(children, ["b"]);
    let children: Vec<_> = boot.all_children().map(Node::name).collect();
    assert_eq!(children, ["a", "b", "c"]);
    assert_eq!(tree.node(boot.index()).map(Node::name), Some("boot"));
    assert!(tree.node(99).is_none());

    assert_eq!(boot.entries().count(), 2);
    assert_eq!(boot.all_entries().count(), 3);
    assert_eq!(
        boot.args().map(Entry::value).collect::<Vec<_>>(),
        [Value::Str("arg")]
    );
    let mode = boot.props().next().expect("a property");
    assert_eq!(
        (mode.key(), mode.value()),
        (Some("mode"), Value::Str("UEFI"))
    );
    assert_eq!(source(text, mode.key_span().expect("a key")), "mode");
    assert_eq!(source(text, mode.value_span()), "UEFI");
    assert_eq!(source(text, mode.span()), "mode=(m)UEFI");
    assert_eq!(mode.annotation().map(|(name, _)| name), Some("m"));
    let off = boot.all_entries().last().expect("an entry");
    assert!(off.is_dashed());
    assert_eq!(source(text, off.span()), "/-off=1");
}

#[test]
fn values_keep_their_form() {
    let text = "n a \"b\" #\"c\"# \"\"\"\nd\n\"\"\" #\"\"\"\ne\n\"\"\"# 1 2.5 #true #null 99999999999999999999 #inf";
    let read = kdl(text);
    let found: Vec<_> = read
        .tree
        .nodes()
        .next()
        .expect("a node")
        .args()
        .map(|e| (e.value(), e.form()))
        .collect();
    assert_eq!(
        found,
        [
            (Value::Str("a"), Form::Bare),
            (Value::Str("b"), Form::Quoted),
            (Value::Str("c"), Form::Raw),
            (Value::Str("d"), Form::Multiline),
            (Value::Str("e"), Form::RawMultiline),
            (Value::Int(1), Form::Number),
            (Value::Float(2.5), Form::Number),
            (Value::Bool(true), Form::Keyword),
            (Value::Null, Form::Keyword),
            (Value::Big("99999999999999999999"), Form::Number),
            (Value::Float(f64::INFINITY), Form::Keyword),
        ]
    );
}

#[test]
fn places_in_strings_lead_back_to_the_text() {
    let text = r##"n plain "quoted ${x}" #"raw ${x}"# "tab\t${x} \u{e9}${y}" """
    first ${x}
      second \
      joined ${y}
    é ${z}
    """ ""
"##;
    let read = kdl(text);
    assert!(read.diagnostics.is_empty());
    let node = read.tree.nodes().next().expect("a node");
    let mut located = Vec::new();
    for entry in node.args() {
        let value = entry.value().as_str().expect("a string");
        for (at, _) in value.match_indices("${") {
            let span = entry.locate(at..at + 4);
            located.push(source(text, span));
        }
        // Any range of any string stays within the value.
        for start in 0..=value.len() {
            for end in start..=value.len() {
                let span = entry.locate(start..end);
                assert!(
                    entry.value_span().contains(span),
                    "{value:?} {start}..{end} {span:?}"
                );
            }
        }
    }
    assert_eq!(
        located,
        ["${x}", "${x}", "${x}", "${y}", "${x}", "${y}", "${z}"]
    );
    let escaped = node.args().nth(3).expect("the fourth");
    assert_eq!(escaped.value(), Value::Str("tab\t${x} é${y}"));
    assert_eq!(source(text, escaped.locate(3..4)), "\\t");
    assert_eq!(source(text, escaped.locate(9..11)), "\\u{e9}");
    let long = node.args().nth(4).expect("the fifth");
    assert_eq!(
        long.value(),
        Value::Str("first ${x}\n  second joined ${y}\né ${z}")
    );
}

#[test]
fn a_tree_is_small() {
    use super::super::tree::{EntryRecord, NodeRecord};
    assert!(size_of::<NodeRecord>() <= 48, "{}", size_of::<NodeRecord>());
    assert!(
        size_of::<EntryRecord>() <= 32,
        "{}",
        size_of::<EntryRecord>()
    );
}

#[test]
fn an_entry_knows_its_node() {
    let read = kdl("a\nb {\n  c 1 x=2\n  d\n  e {\n    f 3 /-4\n  }\n}\ng 5\n");
    let mut seen = Vec::new();
    for index in 0..read.tree.len() as u32 {
        let node = read.tree.node(index).expect("a node");
        for entry in node.all_entries() {
            assert_eq!(entry.node().index(), index);
            seen.push(node.name());
        }
    }
    assert_eq!(seen, ["c", "c", "f", "f", "g"]);
}
