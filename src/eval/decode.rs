//! Entries and values of expressions to typed values.

use std::sync::Arc;

use super::expr::Val;
use super::unit::{self, SizeUnit, UnitError};
use crate::diag::suggest::{Suggestion, similar};
use crate::diag::{Applicability, Code, Diagnostic, Edit, Fix, Place, Span};
use crate::fleet::{Ref, RefKind, Text, Value};
use crate::schema::{Lower, Type};
use crate::syntax::{Entry, Form, Node, Value as Kdl};

mod annotation;
mod quantity;

pub(super) use annotation::{
    STRENGTHS, Slot, annotated_text, check_annotation, is_constructor, pinned,
};
use annotation::{in_bounds, integer, misfit};
use quantity::{duration, size};

/// Characters of the name of an object.
const MAX_OBJECT_NAME: usize = 253;

/// The whole text of an entry is a template: `${` in a quoted string.
pub(super) fn is_template(entry: Entry<'_>) -> bool {
    matches!(entry.form(), Form::Quoted | Form::Multiline)
        && matches!(entry.value(), Kdl::Str(text) if text.contains("${"))
}

/// Where an entry's value stands, annotation included.
pub(super) fn value_place(entry: Entry<'_>) -> Place {
    let span = match entry.annotation() {
        Some((_, annotation)) => annotation.to(entry.value_span()),
        None => entry.value_span(),
    };
    span.in_file(entry.file())
}

/// What a raw value is, before its type is asked for: that of a file or that of an expression.
pub(super) enum Raw<'a> {
    Text(Text),
    Int(i64),
    Bool(bool),
    Other(&'static str),
    List(&'a [Val]),
}

impl Raw<'_> {
    fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Int(_) => "a number",
            Self::Bool(_) => "a truth value",
            Self::Other(what) => what,
            Self::List(_) => "a list",
        }
    }
}

/// The raw value of an entry; `file` is the text it stands in.
pub(super) fn raw<'a>(entry: Entry<'_>, file: &Arc<str>) -> Raw<'a> {
    match entry.value() {
        Kdl::Str(text) => Raw::Text(Text::of(file, text)),
        Kdl::Int(number) => Raw::Int(number),
        Kdl::Big(_) => Raw::Other("a number beyond 64 bits"),
        Kdl::Float(_) => Raw::Other("a number with a fraction"),
        Kdl::Bool(value) => Raw::Bool(value),
        Kdl::Null => Raw::Other("#null"),
    }
}

/// The raw value of an expression's result.
pub(super) fn raw_of(value: &Val) -> Raw<'_> {
    match value {
        Val::Int(number) => Raw::Int(*number),
        Val::Str(text) => Raw::Text(Text::new(Arc::clone(text))),
        Val::Bool(value) => Raw::Bool(*value),
        Val::List(items) => Raw::List(items),
    }
}

/// A literal argument or property as a value of an expression, for facts, `let`s and parameters.
/// Annotations pin the type: `(cidr)"10.20.0.0/16"`.
pub(super) fn val(entry: Entry<'_>) -> Result<Val, Diagnostic> {
    let value = match entry.value() {
        Kdl::Str(text) => Val::from(text),
        Kdl::Int(number) => Val::Int(number),
        Kdl::Bool(value) => Val::Bool(value),
        Kdl::Big(_) => return Err(mismatch(entry, "a value", "a number beyond 64 bits")),
        Kdl::Float(_) => return Err(mismatch(entry, "a value", "a number with a fraction")),
        Kdl::Null => return Err(mismatch(entry, "a value", "#null")),
    };
    pinned(entry, value)
}

/// What is wrong with a value, at its place.
pub(super) fn unit_error(entry: Entry<'_>, error: UnitError) -> Diagnostic {
    let place = value_place(entry);
    let finding = Diagnostic::error(Code(error.code), error.message, place, "").help(error.help);
    match error.fix {
        Some(text) if entry.annotation().is_none() && !is_template(entry) => {
            finding.fix(Fix::replace(
                format!("write `{text}`"),
                Applicability::Unsafe,
                entry.value_span().in_file(entry.file()),
                format!("\"{text}\""),
            ))
        }
        _ => finding,
    }
}

/// MF2010, where a node that declares something has an annotation.
pub(super) fn annotated(node: Node<'_>) -> Option<Diagnostic> {
    let (word, span) = node.annotation()?;
    let finding = Diagnostic::error(
        Code(2010),
        format!(
            "`({word})` cannot stand on `{}`: declarations are never merged",
            node.name()
        ),
        span.in_file(node.file()),
        "",
    );
    Some(finding.help("write it before a field or a block of fields"))
}

/// A word of the language that this version has no meaning for.
pub(super) fn later(place: Place, what: &str) -> Diagnostic {
    Diagnostic::error(
        Code(2014),
        format!("{what} is not in this version of metalform"),
        place,
        "",
    )
    .note("the language has it, a later version will; until then it is refused, never ignored")
}

fn mismatch(entry: Entry<'_>, wanted: &str, found: &str) -> Diagnostic {
    let finding = Diagnostic::error(
        Code(2005),
        format!("expected {wanted}, found {found}"),
        value_place(entry),
        "",
    );
    let quotable = matches!(entry.form(), Form::Number | Form::Keyword)
        && wanted.contains("string")
        && !matches!(entry.value(), Kdl::Null);
    if quotable {
        finding
            .help("names and texts are strings: quote it")
            .fix(quoted(entry))
    } else {
        finding
    }
}

/// Quotes a number or keyword as it is written.
fn quoted(entry: Entry<'_>) -> Fix {
    let text = entry.source().trim_start_matches('#');
    Fix::replace(
        "quote it",
        Applicability::Safe,
        entry.value_span().in_file(entry.file()),
        format!("\"{text}\""),
    )
}

/// A name: a string, with a help for what looks like a number.
pub(super) fn name<'t>(entry: Entry<'t>, what: &str) -> Result<&'t str, Diagnostic> {
    if let Some((word, span)) = entry.annotation()
        && word != "string"
    {
        check_annotation(entry, Slot::Input)?;
        return Err(Diagnostic::error(
            Code(2010),
            format!("`({word})` cannot stand on {what}"),
            span.in_file(entry.file()),
            "",
        ));
    }
    string(entry, what)
}

/// The same, whatever its annotation says of it.
pub(super) fn string<'t>(entry: Entry<'t>, what: &str) -> Result<&'t str, Diagnostic> {
    match entry.value() {
        Kdl::Str(text) => Ok(text),
        _ => Err(mismatch(
            entry,
            &format!("{what}, a string"),
            kdl_what(entry),
        )),
    }
}

fn kdl_what(entry: Entry<'_>) -> &'static str {
    match entry.value() {
        Kdl::Str(_) => "a string",
        Kdl::Int(_) | Kdl::Big(_) => "a number",
        Kdl::Float(_) => "a number with a fraction",
        Kdl::Bool(_) => "a truth value",
        Kdl::Null => "#null",
    }
}

/// What to decode to: type, and the lowering that may restrict it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    pub ty: Type,
    pub lower: Lower,
}

/// Decodes the value that stands in `entry`. For a template, `raw` is what came of it.
pub(super) fn decode(
    want: Want,
    entry: Entry<'_>,
    raw: &Raw<'_>,
    computed: bool,
) -> Result<Value, Diagnostic> {
    check_annotation(entry, Slot::Field)?;
    let annotation = entry.annotation().map(|(word, _)| word);
    let wrong = |wanted: &str| mismatch(entry, wanted, raw.what());
    if let Some(word) = annotation
        && let Some(finding) = misfit(want.ty, word, entry)
    {
        return Err(finding);
    }
    let pinned_count = |number: i64| match annotation.and_then(|word| Some((word, integer(word)?)))
    {
        Some((word, bounds)) => in_bounds(entry, word, bounds, number).map(Value::Int),
        None => Ok(Value::Int(number)),
    };
    match want.ty {
        Type::Bool => match raw {
            Raw::Bool(value) => Ok(Value::Bool(*value)),
            Raw::Text(text) if !computed => {
                let finding = wrong("#true or #false");
                Err(match &**text {
                    "true" | "yes" | "on" => finding.fix(bool_fix(entry, "#true")),
                    "false" | "no" | "off" => finding.fix(bool_fix(entry, "#false")),
                    _ => finding,
                })
            }
            _ => Err(wrong("#true or #false")),
        },
        Type::Int(min, max) => match raw {
            Raw::Int(number) if (min..=max).contains(number) => pinned_count(*number),
            Raw::Int(number) => Err(Diagnostic::error(
                Code(2008),
                format!("{number} is out of range: {} is wanted", want.ty),
                value_place(entry),
                "",
            )),
            _ => Err(wrong(&want.ty.to_string())),
        },
        Type::CountOrAll => match raw {
            Raw::Int(number) if (0..=i64::from(u32::MAX)).contains(number) => pinned_count(*number),
            Raw::Text(text) if &**text == "all" => Ok(Value::Text(text.clone())),
            _ => Err(wrong("a whole number or `all`")),
        },
        Type::Text | Type::LabelValue | Type::ImageRef | Type::IronicRef | Type::File => {
            let text = text_of(raw, computed).ok_or_else(|| wrong("a string"))?;
            annotated_text(entry, &text)?;
            Ok(Value::Text(text))
        }
        Type::Enum(words) => {
            let text = text_of(raw, computed).ok_or_else(|| {
                let finding = wrong(&want.ty.to_string());
                // RAID levels are words that look like numbers.
                match raw {
                    Raw::Int(_) if words.contains(&entry.source()) => finding.fix(quoted(entry)),
                    _ => finding,
                }
            })?;
            if words.contains(&&*text) {
                Ok(Value::Text(text))
            } else {
                Err(enum_error(entry, &text, words))
            }
        }
        Type::Size => size(want, entry, raw, annotation),
        Type::Duration => duration(entry, raw, annotation),
        Type::Mac => {
            let text = text_of(raw, false).ok_or_else(|| wrong("a MAC address"))?;
            let mac: unit::Mac = text
                .parse()
                .map_err(|error: UnitError| unit_error(entry, error.with_code(3504)))?;
            if mac.is_multicast() {
                return Err(Diagnostic::error(
                    Code(3504),
                    format!("`{text}` addresses a group, as no network card does"),
                    value_place(entry),
                    "",
                ));
            }
            let shown = mac.to_string();
            Ok(Value::Text(if shown == *text {
                text
            } else {
                Text::from(shown)
            }))
        }
        Type::Url(schemes) => {
            let text = text_of(raw, false).ok_or_else(|| wrong("a URL"))?;
            unit::url(&text, schemes).map_err(|error| unit_error(entry, error))?;
            Ok(Value::Text(text))
        }
        Type::BmcAddress => {
            let text = text_of(raw, false).ok_or_else(|| wrong("a BMC address"))?;
            Ok(Value::Text(text))
        }
        Type::Secret | Type::Bundle => reference(want.ty, entry, raw, annotation, computed),
        Type::Texts => match raw {
            Raw::Text(text) => Ok(Value::List(Arc::from([text.clone()]))),
            Raw::List(items) => items
                .iter()
                .map(|item| item.as_str().map(Text::from))
                .collect::<Option<Vec<_>>>()
                .map(|texts| Value::List(texts.into()))
                .ok_or_else(|| wrong("a list of strings")),
            _ => Err(wrong("a string")),
        },
    }
}

/// Text; numbers and truth values that an expression gave are written out.
fn text_of(raw: &Raw<'_>, computed: bool) -> Option<Text> {
    match raw {
        Raw::Text(text) => Some(text.clone()),
        Raw::Int(number) if computed => Some(Text::from(number.to_string())),
        Raw::Bool(value) if computed => Some(Text::from(value.to_string())),
        _ => None,
    }
}

fn bool_fix(entry: Entry<'_>, word: &str) -> Fix {
    Fix::replace(
        format!("write `{word}`"),
        Applicability::Safe,
        entry.value_span().in_file(entry.file()),
        word,
    )
}

fn enum_error(entry: Entry<'_>, text: &str, words: &[&str]) -> Diagnostic {
    let place = entry.value_span().in_file(entry.file());
    let finding = Diagnostic::error(
        Code(2007),
        format!("`{text}` is not one of the values that this field takes"),
        place,
        "",
    )
    .note(format!("it takes {}", words.join(", ")));
    // RAID 10 is `1+0` to Ironic, to which `0` is nearer by its letters; BIOS is what `legacy` boots.
    let bios = text.eq_ignore_ascii_case("bios").then_some("legacy");
    let joined = words
        .iter()
        .find(|word| word.replace('+', "") == text || Some(**word) == bios);
    let joined = joined.map(|word| Suggestion {
        word,
        fix: Some(Applicability::Safe),
    });
    let near = joined.or_else(|| similar(text, words.iter().copied()));
    finding.did_you_mean(near, place, |word| quoted_like(entry, word))
}

/// A word written the way the entry was: quoted or bare.
pub(super) fn quoted_like(entry: Entry<'_>, word: &str) -> String {
    quoted_unless(entry.form() == Form::Bare, word)
}

/// A word in quotes, unless it may be and can be bare.
pub(super) fn quoted_unless(bare: bool, word: &str) -> String {
    let bare = bare
        && word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'));
    if bare {
        word.to_owned()
    } else {
        format!("\"{word}\"")
    }
}

/// A text in the place of a reference.
fn plain_reference(ty: Type, entry: Entry<'_>, text: &str) -> Diagnostic {
    let place = value_place(entry);
    let finding = Diagnostic::error(
        Code(2005),
        format!("{ty} is wanted here, found a plain string"),
        place,
        "",
    );
    // `"(secret)bmc"`: what is quoted is no annotation.
    let inside = text.strip_prefix("(secret)").unwrap_or(text);
    if unit::secret_name(inside).is_err() {
        return finding.help(
            "a spec never holds a secret, only its name: put the text in a file of a secret's folder \
             (`userData`, `networkData`, …), and write `(secret)NAME`",
        );
    }
    let name = quoted_unless(entry.form() == Form::Bare || inside != text, inside);
    finding
        .help("a spec never holds a secret, only its name: `(secret)name`")
        .fix(Fix::replace(
            "write it as the name of a secret",
            Applicability::Unsafe,
            entry.value_span().in_file(entry.file()),
            format!("(secret){name}"),
        ))
}

fn reference(
    ty: Type,
    entry: Entry<'_>,
    raw: &Raw<'_>,
    annotation: Option<&str>,
    computed: bool,
) -> Result<Value, Diagnostic> {
    let place = value_place(entry);
    let Raw::Text(name) = raw else {
        return Err(mismatch(entry, &ty.to_string(), raw.what()));
    };
    let kind = match annotation {
        Some("secret") => RefKind::Secret,
        Some("configmap") if ty == Type::Bundle => RefKind::ConfigMap,
        Some(_) => {
            return Err(Diagnostic::error(
                Code(2005),
                "a secret is wanted here, found a config map",
                place,
                "",
            ));
        }
        None => return Err(plain_reference(ty, entry, name)),
    };
    if computed && name.len() > MAX_OBJECT_NAME {
        return Err(Diagnostic::error(
            Code(3102),
            format!(
                "the name of this {} becomes {} characters long, and Kubernetes takes {MAX_OBJECT_NAME}",
                kind.word(),
                name.len()
            ),
            place,
            "",
        ));
    }
    if unit::secret_name(name).is_err() {
        // The text is not shown: somebody may have written the secret itself.
        return Err(Diagnostic::error(
            Code(3406),
            format!(
                "the name of this {} is not one that Kubernetes takes",
                kind.word()
            ),
            place,
            "",
        )
        .help("lower-case letters, digits, `-` and `.`, at most 253, as in `bmc-r01-n07`"));
    }
    Ok(Value::Ref(Ref {
        kind,
        name: name.clone(),
    }))
}
