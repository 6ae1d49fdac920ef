//! Annotations on values: what they may be, where they may stand, and what they pin.

use super::*;

/// Annotations that say how to merge; they belong on nodes.
pub(in crate::eval) const STRENGTHS: &[&str] = &["default", "force", "final"];
const REFS: &[&str] = &["secret", "configmap"];
const SIZES: &[&str] = &["B", "KB", "KiB", "MB", "MiB", "GB", "GiB", "TB", "TiB"];
const TIMES: &[&str] = &["ms", "s", "m", "h"];
const PINNED: &[&str] = &[
    "ipv4", "ipv6", "url", "uuid", "hostname", "duration", "regex", "cidr", "mac", "u8", "u16",
    "u32", "u64", "i8", "i16", "i32", "i64", "string", "size",
];
/// Constructors of later versions.
const LATER: &[&str] = &["vault", "sops"];

/// Checks an input against the annotation of its entry.
pub(in crate::eval) fn pinned(entry: Entry<'_>, value: Val) -> Result<Val, Diagnostic> {
    let Some((word, _)) = entry.annotation() else {
        return Ok(value);
    };
    check_annotation(entry, Slot::Input)?;
    if SIZES.contains(&word) || TIMES.contains(&word) {
        let finding = Diagnostic::error(
            Code(2010),
            format!("`({word})` cannot stand here: an input has no unit of its own"),
            annotation_place(entry),
            "",
        );
        return Err(match value {
            Val::Int(number) if entry.form() == Form::Number => finding
                .help("a text keeps it, and fields read it")
                .fix(Fix::replace(
                    format!("write `\"{number}{word}\"`"),
                    Applicability::Safe,
                    value_place(entry),
                    format!("\"{number}{word}\""),
                )),
            _ => finding,
        });
    }
    if REFS.contains(&word) || LATER.contains(&word) {
        return Err(Diagnostic::error(
            Code(2010),
            format!("`({word})` cannot stand here: a secret is referred to by fields only"),
            annotation_place(entry),
            "",
        ));
    }
    let wrong = |code, reason| Diagnostic::error(Code(code), reason, value_place(entry), "");
    match (integer(word), value) {
        (Some(bounds), Val::Int(number)) => in_bounds(entry, word, bounds, number).map(Val::Int),
        (Some(_), _) => Err(wrong(2005, format!("`({word})` needs a whole number"))),
        (None, Val::Str(text)) => pin(word, &text)
            .map(Val::from)
            .map_err(|error| unit_error(entry, error)),
        (None, _) => Err(wrong(2005, format!("`({word})` needs a string"))),
    }
}

/// Least and greatest number of an integer annotation.
pub(super) fn integer(word: &str) -> Option<(i64, i64)> {
    Some(match word {
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        // Numbers have 64 bits with their sign.
        "u64" => (0, i64::MAX),
        "i8" => (i8::MIN.into(), i8::MAX.into()),
        "i16" => (i16::MIN.into(), i16::MAX.into()),
        "i32" => (i32::MIN.into(), i32::MAX.into()),
        "i64" => (i64::MIN, i64::MAX),
        _ => return None,
    })
}

pub(super) fn in_bounds(
    entry: Entry<'_>,
    word: &str,
    (least, most): (i64, i64),
    number: i64,
) -> Result<i64, Diagnostic> {
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(Diagnostic::error(
        Code(2008),
        format!("{number} is out of range: `({word})` is from {least} to {most}"),
        value_place(entry),
        "",
    ))
}

/// Checks a text against the annotation of its entry, which a field of any text may have.
pub(in crate::eval) fn annotated_text(entry: Entry<'_>, text: &str) -> Result<(), Diagnostic> {
    let Some((word, _)) = entry.annotation() else {
        return Ok(());
    };
    check_annotation(entry, Slot::Field)?;
    if let Some(finding) = misfit(Type::Text, word, entry) {
        return Err(finding);
    }
    pin(word, text)
        .map(|_| ())
        .map_err(|error| unit_error(entry, error))
}

/// A text of a pinned type, in its usual form.
fn pin(word: &str, text: &str) -> Result<String, UnitError> {
    match word {
        "string" | "regex" => Ok(text.to_owned()),
        "size" => unit::size(text).map(|_| text.to_owned()),
        "duration" => unit::duration(text).map(|_| text.to_owned()),
        "cidr" => unit::cidr(text).map(|net| net.to_string()),
        "ipv4" => unit::ipv4(text).map(|ip| ip.to_string()),
        "ipv6" => unit::ipv6(text).map(|ip| ip.to_string()),
        "mac" => text.parse::<unit::Mac>().map(|mac| mac.to_string()),
        "uuid" => unit::uuid(text),
        "hostname" => unit::hostname(text).map(str::to_owned),
        _ => unit::url(text, &["http", "https", "ftp", "oci", "file"]).map(|_| text.to_owned()),
    }
}

fn annotation_place(entry: Entry<'_>) -> Place {
    let span = entry
        .annotation()
        .map_or_else(|| entry.value_span(), |(_, span)| span);
    span.in_file(entry.file())
}

/// What a value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::eval) enum Slot {
    /// A fact, `let`, parameter or argument: never merged.
    Input,
    Field,
}

/// Whether an annotation says what a value is.
pub(in crate::eval) fn is_constructor(word: &str) -> bool {
    [REFS, SIZES, TIMES, PINNED, LATER]
        .iter()
        .any(|list| list.contains(&word))
}

/// Refuses annotations that are unknown or that belong on nodes.
pub(in crate::eval) fn check_annotation(entry: Entry<'_>, slot: Slot) -> Result<(), Diagnostic> {
    let Some((word, span)) = entry.annotation() else {
        return Ok(());
    };
    let known = |list: &[&str]| list.contains(&word);
    if known(REFS) || known(SIZES) || known(TIMES) || known(PINNED) {
        return Ok(());
    }
    let place = span.in_file(entry.file());
    if known(STRENGTHS) {
        let finding = |message: String| Diagnostic::error(Code(2010), message, place, "");
        if slot == Slot::Input {
            return Err(finding(format!(
                "`({word})` says how to merge, and inputs are never merged"
            )));
        }
        let finding = finding(format!(
            "`({word})` stands on a value; it says how to merge, so it belongs on the node"
        ))
        .help(format!("write `({word})` before the name of the field"));
        let node = entry.node();
        // Only where nothing else stands on the node is it known to be meant for all of it.
        let alone = node.entries().count() == 1
            && node.block_span().is_none()
            && node.annotation().is_none();
        return Err(if alone {
            let start = Span::point(node.name_span().start).in_file(entry.file());
            finding.fix(Fix {
                title: format!("write `({word})` before `{}`", node.name()),
                applicability: Applicability::Safe,
                edits: vec![
                    Edit {
                        place: start,
                        text: format!("({word})"),
                    },
                    Edit {
                        place: Span::new(span.start, entry.value_span().start)
                            .in_file(entry.file()),
                        text: String::new(),
                    },
                ],
            })
        } else {
            finding
        });
    }
    if known(LATER) {
        return Err(later(place, &format!("`({word})`")));
    }
    let all = [REFS, SIZES, TIMES, PINNED].concat();
    let finding = Diagnostic::error(
        Code(2011),
        format!(
            "unknown annotation `({word})` on {}",
            match slot {
                Slot::Input => "a value",
                Slot::Field => "this field",
            }
        ),
        place,
        "",
    );
    Err(finding.did_you_mean(similar(word, all), place, |word| format!("({word})")))
}

/// An annotation that does not go with the type.
pub(super) fn misfit(ty: Type, word: &str, entry: Entry<'_>) -> Option<Diagnostic> {
    let fits = match ty {
        Type::Size => SIZES.contains(&word) || word == "size",
        Type::Duration => TIMES.contains(&word) || word == "duration",
        Type::Secret | Type::Bundle => REFS.contains(&word),
        Type::Mac => word == "mac",
        Type::Url(_) | Type::BmcAddress => matches!(word, "url" | "string"),
        Type::Bool => false,
        Type::Int(..) | Type::CountOrAll => integer(word).is_some(),
        // Any text may be pinned to what it is; a number written as one is no text.
        Type::Text | Type::LabelValue | Type::Texts => {
            PINNED.contains(&word) && integer(word).is_none()
        }
        Type::Enum(_) | Type::ImageRef | Type::IronicRef | Type::File => word == "string",
    };
    if fits {
        return None;
    }
    let dimension = (matches!(ty, Type::Size) && TIMES.contains(&word))
        || (matches!(ty, Type::Duration) && SIZES.contains(&word));
    Some(Diagnostic::error(
        Code(if dimension { 2006 } else { 2005 }),
        format!("`({word})` does not fit: {ty} is wanted here"),
        annotation_place(entry),
        "",
    ))
}
