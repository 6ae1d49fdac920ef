//! Where strings end, those included that nobody closed.

use super::{ESCAPED, Kind, TAINTED, Token, UNCLOSED, marked};
use crate::syntax::class;

/// A string between `"`, or the start of a multi-line one.
#[inline]
pub(super) fn quoted(text: &str, at: usize) -> Token {
    let bytes = text.as_bytes();
    if bytes[at..].starts_with(b"\"\"\"") {
        return multiline(text, at);
    }
    let mut end = at + 1;
    let mut marks = 0;
    loop {
        let Some(&byte) = bytes.get(end) else {
            return unclosed_quoted(text, at, marks);
        };
        if byte == b'"' {
            return marked(Kind::Quoted, marks, at, end + 1);
        }
        if byte == b'\\' {
            marks |= ESCAPED;
            end = after_backslash(text, end);
            continue;
        }
        let class = class::byte(byte);
        if class & (class::WORD | class::SPACE) != 0 {
            end += 1;
            continue;
        }
        let (class, len) = class::at(text, end);
        if class & class::NEWLINE != 0 {
            return unclosed_quoted(text, at, marks);
        }
        if class & class::DISALLOWED != 0 {
            marks |= TAINTED;
        }
        end += len;
    }
}

/// Where to go on after the backslash at `at`, which is inside a string: after the escaped
/// character, or after all white space that it swallows.
fn after_backslash(text: &str, at: usize) -> usize {
    let mut end = at + 1;
    let (class, len) = class::at(text, end);
    if class & (class::SPACE | class::NEWLINE) == 0 {
        // A disallowed code point must still be met by the caller.
        return if class & class::DISALLOWED == 0 {
            end + len
        } else {
            end
        };
    }
    loop {
        let (class, len) = class::at(text, end);
        if class & (class::SPACE | class::NEWLINE) == 0 {
            return end;
        }
        end += len;
    }
}

/// A single-line string that has no closing quote on its line.
///
/// Either somebody wrote text of several lines, then it ends at the quote that visibly closes it;
/// or a quote was forgotten, then it ends with the line, but before a `{` or `}` that ends the
/// line: those are hardly ever meant to be text, and eating one would unbalance the whole file.
#[cold]
fn unclosed_quoted(text: &str, at: usize, marks: u8) -> Token {
    let (line_end, mut marks) = end_of_string_line(text, at + 1, marks);
    marks |= UNCLOSED;
    if let Some(end) = closing_quote_on_a_later_line(text, line_end) {
        return marked(Kind::Quoted, marks, at, end);
    }
    let mut end = line_end;
    let line = &text[at + 1..line_end];
    let body = line.trim_end();
    if body.ends_with(['{', '}', ';']) {
        let kept = body.trim_end_matches(['{', '}', ';', ' ', '\t']);
        // `${…}` is text.
        let opened = kept.matches("${").count();
        if opened <= kept.matches('}').count() && !kept.ends_with('$') {
            end = at + 1 + kept.len();
        }
    }
    marked(Kind::Quoted, marks, at, end)
}

/// End of the line in which a string's body goes on at `from`.
fn end_of_string_line(text: &str, from: usize, mut marks: u8) -> (usize, u8) {
    let mut end = from;
    loop {
        let (class, len) = class::at(text, end);
        if len == 0 || class & class::NEWLINE != 0 {
            return (end, marks);
        }
        if class & class::DISALLOWED != 0 {
            marks |= TAINTED;
        }
        end += len;
    }
}

/// Looks at the lines after `line_end` for the first with an odd number of quotes. If its first
/// quote stands right after a word and ends what it stands in, it closes the string.
///
/// Linear over a whole file: the search ends at the next line that has an unclosed string of its
/// own at the latest.
fn closing_quote_on_a_later_line(text: &str, line_end: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut start = line_end + class::newline(text, line_end);
    while start < bytes.len() {
        let end = bytes[start..]
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(bytes.len(), |offset| start + offset);
        let line = &bytes[start..end];
        let quotes = count_quotes(line);
        if quotes % 2 == 1 {
            let quote = start + line.iter().position(|&byte| byte == b'"')?;
            let before = quote.checked_sub(1).map(|index| bytes[index]);
            let opens = matches!(
                before,
                Some(b' ' | b'\t' | b'\n' | b'=' | b')' | b'{' | b'#' | b'\\')
            );
            let closes = matches!(
                bytes.get(quote + 1),
                None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'}' | b'{')
            );
            return (!opens && closes).then_some(quote + 1);
        }
        start = end + 1;
    }
    None
}

fn count_quotes(line: &[u8]) -> usize {
    let mut count = 0;
    let mut index = 0;
    while index < line.len() {
        match line[index] {
            b'\\' => index += 1,
            b'"' => count += 1,
            _ => {}
        }
        index += 1;
    }
    count
}

/// `"""`, or that after `hashes` hashes at `at`.
fn multiline(text: &str, at: usize) -> Token {
    multi(text, at, 0)
}

/// A raw string, whose quotes come after `hashes` hashes.
pub(super) fn raw(text: &str, at: usize, hashes: usize) -> Token {
    let bytes = text.as_bytes();
    let open = at + hashes;
    if bytes[open..].starts_with(b"\"\"\"") {
        return multi(text, at, hashes);
    }
    let mut end = open + 1;
    let mut marks = 0;
    loop {
        let (class, len) = class::at(text, end);
        if len == 0 || class & class::NEWLINE != 0 {
            let (end, marks) = (end, marks | UNCLOSED);
            return marked(Kind::Raw, marks, at, end);
        }
        if bytes[end] == b'"' && closes(bytes, end + 1, hashes) {
            return marked(Kind::Raw, marks, at, end + 1 + hashes);
        }
        if class & class::DISALLOWED != 0 {
            marks |= TAINTED;
        }
        end += len;
    }
}

fn closes(bytes: &[u8], at: usize, hashes: usize) -> bool {
    // Stops at the first other byte, or a string of many hashes and quotes would take long.
    bytes[at..]
        .iter()
        .take(hashes)
        .take_while(|&&byte| byte == b'#')
        .count()
        == hashes
}

/// A multi-line string whose first quote comes after `hashes` hashes at `at`.
///
/// One that is not closed ends before the line on which another one visibly opens, or with the
/// text.
fn multi(text: &str, at: usize, hashes: usize) -> Token {
    let kind = if hashes == 0 {
        Kind::Multiline
    } else {
        Kind::RawMultiline
    };
    let bytes = text.as_bytes();
    let body = at + hashes + 3;
    let mut end = body;
    let mut marks = 0;
    let mut line_start = at;
    let mut line_before = at;
    let mut several_lines = false;
    loop {
        let (class, len) = class::at(text, end);
        if len == 0 {
            return marked(kind, marks | UNCLOSED, at, end);
        }
        if class & class::NEWLINE != 0 {
            several_lines = true;
            line_before = end;
            end += class::newline(text, end);
            line_start = end;
            continue;
        }
        if bytes[end] == b'"' && bytes[end..].starts_with(b"\"\"\"") {
            if closes(bytes, end + 3, hashes) {
                if several_lines && opens_another(text, line_start, end, hashes) {
                    return marked(kind, marks | UNCLOSED, at, line_before);
                }
                return marked(kind, marks, at, end + 3 + hashes);
            }
            end += 1;
            continue;
        }
        if bytes[end] == b'\\' && hashes == 0 {
            marks |= ESCAPED;
            let next = after_backslash(text, end);
            if text[end..next].contains('\n') {
                several_lines = true;
                line_start = end + text[end..next].rfind('\n').map_or(0, |offset| offset + 1);
                line_before = line_start - 1;
            }
            end = next;
            continue;
        }
        if class & class::DISALLOWED != 0 {
            marks |= TAINTED;
        }
        end += len;
    }
}

/// Whether quotes that would close a multi-line string look like the start of another: something
/// and a space or `=` stand before them on their line, and nothing after them.
fn opens_another(text: &str, line_start: usize, quotes: usize, hashes: usize) -> bool {
    let before = &text[line_start..quotes];
    let after = quotes + 3 + hashes;
    hashes == 0
        && before.ends_with([' ', '\t', '=', ')'])
        && !before.trim().is_empty()
        && !before.trim_start().starts_with('\\')
        && class::newline(text, after) > 0
}
