//! What somebody meant as one word, where KDL sees several tokens: URLs, paths, ranges,
//! expressions without quotes.

use super::class;
use super::number::{self, Number};
use crate::diag::Span;

/// The end of the run that starts at `start` and visibly belongs together: up to white space, `;`,
/// a quote or a brace, but over brackets, parentheses and `${…}` that close on the line.
///
/// With `stop_at_equals` it ends before a `=`, since what is before it is a key; but a URL runs on.
pub(super) fn end(text: &str, start: usize, stop_at_equals: bool) -> usize {
    let bytes = text.as_bytes();
    let mut url = false;
    // Brackets are not looked for again once one had no partner.
    let mut unpaired = false;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b';' | b'"' | b'}' => break,
            b'=' if stop_at_equals && !url => break,
            b'{' => match (
                at.checked_sub(1).map(|before| bytes[before]),
                closing(bytes, at),
            ) {
                (Some(b'$'), Some(close)) => at = close,
                _ => break,
            },
            b'(' | b'[' if !unpaired => match closing(bytes, at) {
                Some(close) => at = close,
                None => unpaired = true,
            },
            b'(' | b'[' => {}
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                if at > start && bytes[at - 1] == b':' {
                    url = true;
                } else if !url {
                    break;
                }
                at += 1;
            }
            b'\\' if class::at(text, at + 1).0 & (class::SPACE | class::NEWLINE) != 0 => break,
            _ => {
                let (class, len) = class::at(text, at);
                if class & (class::SPACE | class::NEWLINE | class::DISALLOWED) != 0 {
                    break;
                }
                at += len;
                continue;
            }
        }
        at += 1;
    }
    at
}

/// How far to look for a closing bracket, so that a line full of opening ones costs little.
const REACH: usize = 512;

/// Where the bracket at `open` is closed on its line.
fn closing(bytes: &[u8], open: usize) -> Option<usize> {
    let close = match bytes[open] {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    };
    let mut depth = 0usize;
    for (offset, &byte) in bytes[open..].iter().enumerate().take(REACH) {
        if byte == bytes[open] {
            depth += 1;
        } else if byte == close {
            depth -= 1;
            if depth == 0 {
                return Some(open + offset);
            }
        } else if matches!(byte, b'\n' | b'\r') {
            break;
        }
    }
    None
}

/// `source` as a quoted string.
pub(super) fn quote(source: &str) -> String {
    let mut quoted = String::with_capacity(source.len() + 2);
    quoted.push('"');
    for c in source.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// What has to be inserted to make `source` what [`quote`] makes of it: offsets in order, and texts.
pub(super) fn quoting(source: &str) -> impl Iterator<Item = (usize, String)> {
    let escapes = source
        .match_indices(['"', '\\'])
        .map(|(at, _)| (at, "\\".to_owned()));
    let mut edits = vec![(0, "\"".to_owned())];
    for (at, text) in escapes.chain([(source.len(), "\"".to_owned())]) {
        match edits.last_mut() {
            Some((last, before)) if *last == at => before.push_str(&text),
            _ => edits.push((at, text)),
        }
    }
    edits.into_iter()
}

/// What a word that starts like a number and is none looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `52:54:00:12:34:56`
    Mac,
    /// `10.0.0.1`, perhaps with a prefix length or a port
    Address,
    /// `480GiB`
    Size,
    /// `60s`
    Duration,
    /// `2026-07-30`
    Date,
    /// `1.15.2`
    Version,
    /// `.5`
    NoWhole,
    /// `5.`
    NoFraction,
    /// `0xfg`
    Radix,
    /// `1,`
    Comma,
    /// Anything else.
    Other,
}

/// Recognizes what was probably meant.
pub(super) fn shape(word: &str) -> Shape {
    let groups: Vec<&str> = word.split([':', '-']).collect();
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if groups.len() >= 4 && groups.iter().all(|group| group.len() <= 2 && is_hex(group)) {
        return Shape::Mac;
    }
    if let [year, month, day] = groups[..]
        && [year, month, day].into_iter().all(is_digits)
        && (year.len(), month.len(), day.len()) == (4, 2, 2)
    {
        return Shape::Date;
    }
    let host = word.split(['/', ':']).next().unwrap_or(word);
    let parts: Vec<&str> = host.split('.').collect();
    if parts.len() == 4 && parts.iter().all(|part| part.len() <= 3 && is_digits(part)) {
        return Shape::Address;
    }
    let unsigned = word.trim_start_matches(['+', '-']);
    if let Some(number) = word.strip_suffix(',')
        && !matches!(number::parse(number), Number::Malformed)
    {
        return Shape::Comma;
    }
    if let Some(fraction) = unsigned.strip_prefix('.')
        && is_digits(fraction)
    {
        return Shape::NoWhole;
    }
    if let Some(whole) = unsigned.strip_suffix('.')
        && is_digits(whole)
    {
        return Shape::NoFraction;
    }
    let unit = unsigned.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '_'));
    match unit.to_ascii_lowercase().as_str() {
        "b" | "k" | "m" | "g" | "t" | "kb" | "mb" | "gb" | "tb" | "kib" | "mib" | "gib" | "tib"
        | "ki" | "mi" | "gi" | "ti"
            if unit != "m" =>
        {
            return Shape::Size;
        }
        "s" | "m" | "h" | "d" | "ms" | "us" | "ns" | "min" => return Shape::Duration,
        _ => {}
    }
    if matches!(unsigned.as_bytes(), [b'0', b'x' | b'o' | b'b', ..]) {
        return Shape::Radix;
    }
    if parts.len() >= 3 && parts[..2].iter().all(|part| is_digits(part)) {
        return Shape::Version;
    }
    Shape::Other
}

/// The number that was meant, where only a character is missing or too many.
pub(super) fn repaired(word: &str) -> Option<String> {
    match shape(word) {
        Shape::NoWhole => Some(word.replacen('.', "0.", 1)),
        Shape::NoFraction => Some(format!("{word}0")),
        Shape::Comma => Some(word.trim_end_matches(',').to_owned()),
        _ => None,
    }
}

/// The first code point at or after `span.start`, as a span: a caret that fits on one character.
pub(super) fn first_char(text: &str, span: Span) -> Span {
    let len = class::at(text, span.start as usize).1;
    Span::new(
        span.start,
        (span.start + len as u32).min(span.end.max(span.start)),
    )
}
