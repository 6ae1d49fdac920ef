//! What strings say: escapes resolved, multi-line strings freed from their indentation.
//!
//! One walk serves decoding and finding places: [`walk`] hands out pieces, each with the bytes it
//! is written as and the text that it stands for.

use std::ops::Range;

use super::class;
use super::scan::{self, Kind, Token};
use crate::diag::Span;

/// What is wrong inside a string. Ranges are offsets in the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A backslash and something that it does not go with.
    UnknownEscape(Range<usize>),
    /// `\u{…}` that is malformed or names no code point.
    BadCodePoint(Range<usize>),
    /// The opening quotes of a multi-line string are not followed by a newline.
    OpeningLine(Range<usize>),
    /// The closing quotes of a multi-line string have text before them.
    ClosingLine(Range<usize>),
    /// White space at the start of a line that does not begin as the closing line does.
    Indentation {
        /// The line's own white space.
        found: Range<usize>,
        /// The closing line's.
        wanted: Range<usize>,
    },
}

/// The bytes between the quotes of a string that holds nothing to decode; all of a bare word.
pub(super) fn plain_body(text: &str, start: u32, end: u32) -> Range<usize> {
    let (start, end) = (start as usize, end as usize);
    let bytes = &text.as_bytes()[start..end];
    let hashes = bytes.iter().take_while(|&&byte| byte == b'#').count();
    if bytes.get(hashes) != Some(&b'"') {
        return start..end;
    }
    let open = hashes + 1;
    let closed = bytes.len() > open + hashes
        && bytes[bytes.len() - hashes - 1] == b'"'
        && bytes[bytes.len() - hashes..]
            .iter()
            .all(|&byte| byte == b'#');
    if closed {
        start + open..end - open
    } else {
        start + open..end
    }
}

/// Decodes the string at `token`, and says what is wrong with it.
pub(super) fn decode(text: &str, token: Token, out: &mut String) -> Vec<Fault> {
    let mut faults = Vec::new();
    walk(
        text,
        token,
        &mut |_, piece| out.push_str(piece),
        &mut |fault| faults.push(fault),
    );
    faults
}

/// Where `range` of the decoded string at `span` is written.
pub(super) fn locate(text: &str, span: Span, range: Range<usize>) -> Span {
    let token = Token {
        end: span.end,
        ..scan::scan(text, span.start as usize)
    };
    let mut offset = 0;
    let mut start = None;
    let mut end = None;
    walk(
        text,
        token,
        &mut |source, piece| {
            let verbatim = source.len() == piece.len();
            let piece_end = offset + piece.len();
            if start.is_none() && range.start < piece_end {
                let within = if verbatim { range.start - offset } else { 0 };
                start = Some(source.start + within);
            }
            if end.is_none() && range.end <= piece_end {
                let within = if verbatim {
                    range.end.saturating_sub(offset)
                } else {
                    source.len()
                };
                end = Some(if range.end <= offset {
                    source.start
                } else {
                    source.start + within
                });
            }
            offset = piece_end;
        },
        &mut |_| {},
    );
    let last = span.end.saturating_sub(1).max(span.start);
    let start = start.map_or(last, |start| start as u32);
    let end = end.map_or(last, |end| end as u32).max(start);
    Span::new(start, end)
}

type Sink<'s> = &'s mut dyn FnMut(Range<usize>, &str);
type Complain<'s> = &'s mut dyn FnMut(Fault);

fn walk(text: &str, token: Token, sink: Sink<'_>, complain: Complain<'_>) {
    let span = token.start as usize..token.end as usize;
    match token.kind {
        Kind::Quoted => {
            let body = body(text, token, 0, 1);
            escaped(text, body, sink, complain);
        }
        Kind::Multiline => multiline(text, token, 0, sink, complain),
        Kind::RawMultiline => {
            let bytes = &text.as_bytes()[span];
            let hashes = bytes.iter().take_while(|&&byte| byte == b'#').count();
            multiline(text, token, hashes, sink, complain);
        }
        _ => {
            let body = plain_body(text, token.start, token.end);
            sink(body.clone(), &text[body]);
        }
    }
}

/// What is between the quotes of `token`.
fn body(text: &str, token: Token, hashes: usize, quotes: usize) -> Range<usize> {
    let start = token.start as usize + hashes + quotes;
    let end = token.end as usize;
    // Text of several lines between `"` is marked as unclosed, too.
    let closed =
        !token.is(scan::UNCLOSED) || quotes == 1 && text[start.min(end)..end].ends_with('"');
    let start = start.min(end);
    if closed {
        start..(end - hashes - quotes).max(start)
    } else {
        start..end
    }
}

fn escaped(text: &str, body: Range<usize>, sink: Sink<'_>, complain: Complain<'_>) {
    let bytes = text.as_bytes();
    let mut at = body.start;
    while at < body.end {
        let plain = bytes[at..body.end]
            .iter()
            .position(|&byte| byte == b'\\')
            .map_or(body.end, |offset| at + offset);
        if plain > at {
            sink(at..plain, &text[at..plain]);
            at = plain;
            continue;
        }
        at = escape(text, at, body.end, sink, complain);
    }
}

/// Decodes the escape whose backslash is at `at`; returns where it ends, at most `limit`.
fn escape(text: &str, at: usize, limit: usize, sink: Sink<'_>, complain: Complain<'_>) -> usize {
    let bytes = text.as_bytes();
    let decoded = match bytes.get(at + 1).filter(|_| at + 1 < limit) {
        Some(b'n') => "\n",
        Some(b't') => "\t",
        Some(b'r') => "\r",
        Some(b'\\') => "\\",
        Some(b'"') => "\"",
        Some(b'b') => "\u{8}",
        Some(b'f') => "\u{c}",
        Some(b's') => " ",
        Some(b'u') => return code_point(text, at, limit, sink, complain),
        _ => {
            let mut end = at + 1;
            loop {
                let (class, len) = class::at(text, end);
                if class & (class::SPACE | class::NEWLINE) == 0 || end >= limit {
                    break;
                }
                end += len;
            }
            if end > at + 1 {
                return end;
            }
            let end = (end + class::at(text, end).1).min(limit);
            complain(Fault::UnknownEscape(at..end));
            sink(at..end, &text[at..end]);
            return end;
        }
    };
    sink(at..at + 2, decoded);
    at + 2
}

fn code_point(
    text: &str,
    at: usize,
    limit: usize,
    sink: Sink<'_>,
    complain: Complain<'_>,
) -> usize {
    let rest = &text[at + 2..limit];
    let digits = rest.strip_prefix('{').map_or(0, |rest| {
        rest.bytes().take_while(u8::is_ascii_hexdigit).count()
    });
    let close = at + 3 + digits;
    if (1..=6).contains(&digits)
        && rest.as_bytes().get(1 + digits) == Some(&b'}')
        && let Ok(number) = u32::from_str_radix(&rest[1..=digits], 16)
        && let Some(c) = char::from_u32(number)
    {
        sink(at..close + 1, c.encode_utf8(&mut [0; 4]));
        return close + 1;
    }
    let end = if digits == 0 {
        at + 2
    } else if text.as_bytes().get(close) == Some(&b'}') && close < limit {
        close + 1
    } else {
        close
    };
    complain(Fault::BadCodePoint(at..end));
    sink(at..end, &text[at..end]);
    end
}

/// A part of a line in a multi-line string.
#[derive(Debug, Clone)]
enum Part {
    /// As it is written.
    Text(Range<usize>),
    /// An escape that stands for something.
    Escape(usize),
}

fn multiline(text: &str, token: Token, hashes: usize, sink: Sink<'_>, complain: Complain<'_>) {
    let mut body = body(text, token, hashes, 3);
    let newline = class::newline(text, body.start);
    if newline == 0 || body.is_empty() {
        if !token.is(scan::UNCLOSED) || !body.is_empty() {
            complain(Fault::OpeningLine(token.start as usize..body.start));
        }
        // Take it as the single-line string that it looks like.
        if hashes == 0 {
            escaped(text, body, sink, complain);
        } else {
            sink(body.clone(), &text[body]);
        }
        return;
    }
    body.start = (body.start + newline).min(body.end);
    let mut lines = logical_lines(text, body.clone(), hashes == 0);
    // An unclosed string has no closing line, and somebody has complained already.
    let closing = if token.is(scan::UNCLOSED) {
        Line::default()
    } else {
        lines.pop().unwrap_or_default()
    };
    let wanted = closing.indentation(text);
    if !closing.is_blank(text) {
        complain(Fault::ClosingLine(closing.start..body.end));
        lines.push(closing);
    }
    let last = lines.len().saturating_sub(1);
    for (index, line) in lines.iter().enumerate() {
        if !line.is_blank(text) {
            emit_line(text, line, &wanted, sink, complain);
        }
        if index < last {
            sink(line.newline.clone(), "\n");
        }
    }
}

/// A line of a multi-line string, after the newlines that backslashes swallow are gone.
#[derive(Debug, Clone, Default)]
struct Line {
    start: usize,
    parts: Vec<Part>,
    newline: Range<usize>,
}

impl Line {
    fn is_blank(&self, text: &str) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Text(range) => text[range.clone()].chars().all(is_space),
            Part::Escape(_) => false,
        })
    }

    /// White space that the line starts with. It is one range unless a backslash interrupts it.
    fn indentation(&self, text: &str) -> Range<usize> {
        match self.parts.first() {
            Some(Part::Text(range)) => {
                let part = &text[range.clone()];
                range.start..range.start + (part.len() - part.trim_start_matches(is_space).len())
            }
            _ => self.start..self.start,
        }
    }
}

fn is_space(c: char) -> bool {
    class::char(c) & class::SPACE != 0
}

fn logical_lines(text: &str, body: Range<usize>, escapes: bool) -> Vec<Line> {
    let bytes = text.as_bytes();
    let mut lines = Vec::new();
    let mut line = Line {
        start: body.start,
        ..Line::default()
    };
    let mut from = body.start;
    let mut at = body.start;
    while at < body.end {
        let newline = class::newline(text, at).min(body.end - at);
        if newline > 0 {
            if at > from {
                line.parts.push(Part::Text(from..at));
            }
            line.newline = at..at + newline;
            at += newline;
            from = at;
            lines.push(std::mem::replace(
                &mut line,
                Line {
                    start: at,
                    ..Line::default()
                },
            ));
        } else if escapes && bytes[at] == b'\\' {
            if at > from {
                line.parts.push(Part::Text(from..at));
            }
            let start = at;
            let mut swallowed = false;
            at = escape(
                text,
                at,
                body.end,
                &mut |_, _| swallowed = true,
                &mut |_| {},
            );
            if swallowed {
                line.parts.push(Part::Escape(start));
            }
            from = at;
        } else {
            at += class::at(text, at).1.max(1);
        }
    }
    if at > from {
        line.parts.push(Part::Text(from..at));
    }
    lines.push(line);
    lines
}

/// Hands out a line without the white space `wanted` that it has to start with.
fn emit_line(
    text: &str,
    line: &Line,
    wanted: &Range<usize>,
    sink: Sink<'_>,
    complain: Complain<'_>,
) {
    let found = line.indentation(text);
    let fits = text[found.clone()].starts_with(&text[wanted.clone()]);
    let skip = if fits {
        wanted.len()
    } else {
        complain(Fault::Indentation {
            found: found.clone(),
            wanted: wanted.clone(),
        });
        found.len()
    };
    for (index, part) in line.parts.iter().enumerate() {
        match part {
            Part::Text(range) => {
                let start = if index == 0 {
                    range.start + skip
                } else {
                    range.start
                };
                if start < range.end {
                    sink(start..range.end, &text[start..range.end]);
                }
            }
            Part::Escape(at) => {
                escape(text, *at, text.len(), sink, complain);
            }
        }
    }
}
