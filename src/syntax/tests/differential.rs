//! The reader against the `kdl` package, which was written by others from the same specification.

use std::fmt::Write as _;

use kdl::{KdlDocument, KdlValue};
use proptest::prelude::*;

use super::lossless::{mutant, pieces};
use super::{canonical, kdl as read, word};

/// A document of the other reader in the form of [`canonical`].
fn canonical_of_other(document: &KdlDocument) -> String {
    let mut out = String::new();
    write_nodes(&mut out, document, 0);
    if out.is_empty() {
        out.push('\n');
    }
    out
}

fn write_nodes(out: &mut String, document: &KdlDocument, depth: usize) {
    for node in document.nodes() {
        write!(out, "{:1$}", "", depth * 4).expect("a string");
        if let Some(annotation) = node.ty() {
            write!(out, "({})", word(annotation.value())).expect("a string");
        }
        out.push_str(&word(node.name().value()));
        let entries = node.entries();
        for (index, entry) in entries.iter().enumerate() {
            let same = |name: &kdl::KdlIdentifier| {
                entries[index + 1..]
                    .iter()
                    .any(|next| next.name().is_some_and(|n| n.value() == name.value()))
            };
            if entry.name().is_some_and(same) {
                continue;
            }
            out.push(' ');
            if let Some(key) = entry.name() {
                write!(out, "{}=", word(key.value())).expect("a string");
            }
            if let Some(annotation) = entry.ty() {
                write!(out, "({})", word(annotation.value())).expect("a string");
            }
            match entry.value() {
                KdlValue::String(text) => out.push_str(&word(text)),
                KdlValue::Integer(number) => write!(out, "{number}").expect("a string"),
                KdlValue::Float(number) => {
                    out.push_str(&super::value(super::Value::Float(*number)));
                }
                KdlValue::Bool(value) => write!(out, "#{value}").expect("a string"),
                KdlValue::Null => out.push_str("#null"),
            }
        }
        if let Some(children) = node
            .children()
            .filter(|children| !children.nodes().is_empty())
        {
            out.push_str(" {\n");
            write_nodes(out, children, depth + 1);
            write!(out, "{:1$}}}", "", depth * 4).expect("a string");
        }
        out.push('\n');
    }
}

/// How the two readers came out.
#[derive(Debug)]
#[expect(dead_code, reason = "a failed assertion shows them")]
enum Verdict {
    Agree,
    /// With what the other one says.
    OnlyWeAccept(String),
    /// With our first code and message.
    OnlyTheyAccept(String),
    Differ(String, String),
}

fn compare(text: &str) -> Verdict {
    let ours = read(text);
    let theirs = text.parse::<KdlDocument>();
    match (ours.has_errors(), theirs) {
        (true, Err(_)) => Verdict::Agree,
        (false, Err(error)) => {
            let first = error.diagnostics.first();
            Verdict::OnlyWeAccept(first.map_or_else(String::new, ToString::to_string))
        }
        (true, Ok(_)) => {
            let first = &ours.diagnostics[0];
            Verdict::OnlyTheyAccept(format!("{} {}", first.code, first.message))
        }
        (false, Ok(document)) => {
            let (a, b) = (canonical(ours.tree.nodes()), canonical_of_other(&document));
            if a == b {
                Verdict::Agree
            } else {
                Verdict::Differ(a, b)
            }
        }
    }
}

/// A disagreement that is known: what the specification says about it, and how to tell it.
struct Known {
    why: &'static str,
    applies: fn(text: &str, verdict: &Verdict) -> bool,
}

/// All that is known of `kdl` 6.7.1; the specification is with us each time.
const KNOWN: [Known; 8] = [
    Known {
        why: "the other takes disallowed code points in comments and elsewhere",
        applies: |_, verdict| only_they(verdict, &["MF1013"]),
    },
    Known {
        why: "the other takes `#\"\"\"` with text on its line for a string of one line",
        applies: |text, verdict| {
            text.contains("#\"\"\"") && only_they(verdict, &["MF1003", "MF1011"])
        },
    },
    Known {
        why: "the other takes entries after the block of a node that is commented out",
        applies: |text, verdict| text.contains("/-") && only_they(verdict, &["MF1015"]),
    },
    Known {
        why: "the other takes `/- /-` as one `/-`",
        applies: |text, verdict| text.contains("/-") && only_they(verdict, &["MF1019"]),
    },
    Known {
        why: "the other refuses a node that is commented out and ends with `;`, and `a/-{}`",
        applies: |text, verdict| text.contains("/-") && matches!(verdict, Verdict::OnlyWeAccept(_)),
    },
    Known {
        why: "the other takes `/-` right behind a keyword, but not behind a string",
        applies: |text, verdict| text.contains("/-") && only_they(verdict, &["MF1006"]),
    },
    Known {
        why: "the other takes text right behind a keyword in what is commented out",
        applies: |text, verdict| text.contains("/-") && only_they(verdict, &["MF1009"]),
    },
    Known {
        why: "the other takes a bare `-inf`",
        applies: |text, verdict| text.contains("inf") && only_they(verdict, &["MF1004"]),
    },
];

fn only_they(verdict: &Verdict, codes: &[&str]) -> bool {
    matches!(verdict, Verdict::OnlyTheyAccept(why) if codes.iter().any(|code| why.starts_with(code)))
}

fn check(text: &str) {
    let verdict = compare(text);
    let agreed = matches!(verdict, Verdict::Agree);
    assert!(
        agreed || KNOWN.iter().any(|known| (known.applies)(text, &verdict)),
        "{text:?}: {verdict:?}"
    );
}

#[test]
fn known_disagreements_are_as_described() {
    for text in [
        "a //\u{202e}b",
        "a #\"\"\"b\"\"\"#",
        "/-a {} \\\n b",
        "a /- /- b c",
        "/-a;b",
        "a/-{}",
        "a #true/-b",
        "/-a b=#truer",
        "a -inf",
    ] {
        let verdict = compare(text);
        let known = KNOWN.iter().find(|known| (known.applies)(text, &verdict));
        let known = known.unwrap_or_else(|| panic!("{text:?}: {verdict:?}"));
        assert!(!known.why.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn pieces_are_read_alike(text in pieces()) {
        check(&text);
    }

    #[test]
    fn mutants_are_read_alike(text in mutant()) {
        check(&text);
    }
}
