//! Text to tokens: [`scan`] is a pure function of the text and an offset, so that nothing is kept
//! and a tree's tokens can be had again from its text.
//!
//! The scanner never fails: every byte belongs to some token, and what is wrong with a token is a
//! mark on it. Finding where an unclosed string was meant to end is guesswork that is done here,
//! because all that follows depends on it.

use super::class;
use crate::diag::Span;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// End of the text; empty.
    End,
    /// Byte order mark at the start of the text.
    Bom,
    /// White space within a line.
    Space,
    /// One newline.
    Newline,
    /// `// …`, without its newline.
    LineComment,
    /// `/* … */`, nested.
    BlockComment,
    /// `\`, which continues a line.
    Backslash,
    /// `/-`, which comments out what follows.
    Slashdash,
    /// `{`
    OpenBrace,
    /// `}`
    CloseBrace,
    /// `(`
    OpenParen,
    /// `)`
    CloseParen,
    /// `=`
    Equals,
    /// `;`
    Semicolon,
    /// A run of word characters: a bare string or a number.
    Word,
    /// `#true` and the like.
    Keyword,
    /// `"…"`
    Quoted,
    /// `"""…"""`
    Multiline,
    /// `#"…"#`
    Raw,
    /// `#"""…"""#`
    RawMultiline,
    /// A run of code points that may not stand in a document.
    Disallowed,
    /// A character that only means something inside quotes: `/`, `[`, `]`, `#`.
    Stray,
}

impl Kind {
    /// Whether it is a string in quotes of some sort.
    #[inline]
    pub fn is_quoted(self) -> bool {
        matches!(
            self,
            Self::Quoted | Self::Multiline | Self::Raw | Self::RawMultiline
        )
    }

    /// Whether it carries no meaning: white space, newlines and comments.
    pub fn is_trivia(self) -> bool {
        matches!(
            self,
            Self::Bom
                | Self::Space
                | Self::Newline
                | Self::LineComment
                | Self::BlockComment
                | Self::Backslash
        )
    }
}

/// The string or comment has no end.
pub(super) const UNCLOSED: u8 = 1;
/// The string holds a backslash.
pub(super) const ESCAPED: u8 = 2;
/// Holds code points that may not stand in a document.
pub(super) const TAINTED: u8 = 4;
/// A word with code points beyond ASCII.
pub(super) const WIDE: u8 = 8;

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    pub(super) marks: u8,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Token {
    /// Where it is.
    pub fn span(self) -> Span {
        Span {
            start: self.start,
            end: self.end,
        }
    }

    #[inline]
    pub(super) fn is(self, mark: u8) -> bool {
        self.marks & mark != 0
    }
}

/// The tokens of a text, in order and without gaps: their texts put together are the text.
pub fn tokens(text: &str) -> impl Iterator<Item = Token> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let token = scan(text, at);
        at = token.end as usize;
        (token.kind != Kind::End).then_some(token)
    })
}

/// The token that starts at `at`, which is a boundary between code points.
#[inline]
pub(super) fn scan(text: &str, at: usize) -> Token {
    let bytes = text.as_bytes();
    let Some(&first) = bytes.get(at) else {
        return token(Kind::End, at, at);
    };
    let class = class::byte(first);
    if class & class::WORD != 0 {
        return word(text, at);
    }
    match first {
        b' ' | b'\t' => space(text, at),
        b'\n' => token(Kind::Newline, at, at + 1),
        b'"' => quoted(text, at),
        b'{' => token(Kind::OpenBrace, at, at + 1),
        b'}' => token(Kind::CloseBrace, at, at + 1),
        b'(' => token(Kind::OpenParen, at, at + 1),
        b')' => token(Kind::CloseParen, at, at + 1),
        b'=' => token(Kind::Equals, at, at + 1),
        b';' => token(Kind::Semicolon, at, at + 1),
        b'\\' => token(Kind::Backslash, at, at + 1),
        b'#' => hash(text, at),
        b'/' => match bytes.get(at + 1) {
            Some(b'/') => line_comment(text, at),
            Some(b'*') => block_comment(text, at),
            Some(b'-') => token(Kind::Slashdash, at, at + 2),
            _ => token(Kind::Stray, at, at + 1),
        },
        _ => other(text, at),
    }
}

#[inline]
fn token(kind: Kind, start: usize, end: usize) -> Token {
    marked(kind, 0, start, end)
}

#[inline]
fn marked(kind: Kind, marks: u8, start: usize, end: usize) -> Token {
    Token {
        kind,
        marks,
        start: start as u32,
        end: end as u32,
    }
}

fn other(text: &str, at: usize) -> Token {
    let (class, len) = class::at(text, at);
    if class & class::NEWLINE != 0 {
        return token(Kind::Newline, at, at + class::newline(text, at));
    }
    if class & class::SPACE != 0 {
        return space(text, at);
    }
    if class & class::WORD != 0 {
        return word(text, at);
    }
    if class & class::DISALLOWED != 0 {
        if at == 0 && text.starts_with('\u{feff}') {
            return token(Kind::Bom, 0, len);
        }
        let mut end = at + len;
        loop {
            let (class, len) = class::at(text, end);
            if class & class::DISALLOWED == 0 {
                return marked(Kind::Disallowed, TAINTED, at, end);
            }
            end += len;
        }
    }
    token(Kind::Stray, at, at + len)
}

#[inline]
fn space(text: &str, at: usize) -> Token {
    let bytes = text.as_bytes();
    let mut end = at;
    loop {
        match bytes.get(end) {
            Some(b' ' | b'\t') => end += 1,
            Some(128..) => {
                let (class, len) = class::at(text, end);
                if class & class::SPACE == 0 {
                    break;
                }
                end += len;
            }
            _ => break,
        }
    }
    token(Kind::Space, at, end)
}

#[inline]
fn word(text: &str, at: usize) -> Token {
    let bytes = text.as_bytes();
    let mut end = at;
    let mut marks = 0;
    loop {
        while let Some(&byte) = bytes.get(end)
            && class::byte(byte) & class::WORD != 0
        {
            end += 1;
        }
        if !matches!(bytes.get(end), Some(128..)) {
            break;
        }
        let (class, len) = class::at(text, end);
        if class & class::WORD == 0 {
            break;
        }
        marks |= WIDE;
        end += len;
    }
    marked(Kind::Word, marks, at, end)
}

fn line_comment(text: &str, at: usize) -> Token {
    let mut end = at + 2;
    let mut marks = 0;
    loop {
        let (class, len) = class::at(text, end);
        if len == 0 || class & class::NEWLINE != 0 {
            return marked(Kind::LineComment, marks, at, end);
        }
        if class & class::DISALLOWED != 0 {
            marks |= TAINTED;
        }
        end += len;
    }
}

fn block_comment(text: &str, at: usize) -> Token {
    let bytes = text.as_bytes();
    let mut end = at;
    let mut depth = 0usize;
    let mut marks = 0;
    loop {
        match bytes.get(end..) {
            Some([b'/', b'*', ..]) => {
                depth += 1;
                end += 2;
            }
            Some([b'*', b'/', ..]) => {
                depth -= 1;
                end += 2;
                if depth == 0 {
                    return marked(Kind::BlockComment, marks, at, end);
                }
            }
            Some([_, ..]) => {
                let (class, len) = class::at(text, end);
                if class & class::DISALLOWED != 0 {
                    marks |= TAINTED;
                }
                end += len;
            }
            _ => return marked(Kind::BlockComment, marks | UNCLOSED, at, end),
        }
    }
}

/// `#`: a raw string, a keyword, or nothing that has a meaning.
fn hash(text: &str, at: usize) -> Token {
    let bytes = text.as_bytes();
    let hashes = bytes[at..].iter().take_while(|&&byte| byte == b'#').count();
    let after = at + hashes;
    if bytes.get(after) == Some(&b'"') {
        return raw(text, at, hashes);
    }
    let next = scan_word_end(text, after);
    if next == after {
        token(Kind::Stray, at, after)
    } else {
        token(Kind::Keyword, at, next)
    }
}

fn scan_word_end(text: &str, at: usize) -> usize {
    if class::at(text, at).0 & class::WORD == 0 {
        at
    } else {
        word(text, at).end as usize
    }
}

/// A string between `"`, or the start of a multi-line one.
#[inline]
fn quoted(text: &str, at: usize) -> Token {
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
fn raw(text: &str, at: usize, hashes: usize) -> Token {
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
    bytes[at..]
        .iter()
        .take(hashes)
        .filter(|&&byte| byte == b'#')
        .count()
        == hashes
}

/// A multi-line string whose first quote comes after `hashes` hashes at `at`.
///
/// One that is not closed ends before the line on which another one visibly opens, or with the
/// text; or with its own line if it does not even start as it has to.
fn multi(text: &str, at: usize, hashes: usize) -> Token {
    let kind = if hashes == 0 {
        Kind::Multiline
    } else {
        Kind::RawMultiline
    };
    let bytes = text.as_bytes();
    let body = at + hashes + 3;
    let starts_well = class::newline(text, body) > 0;
    let mut end = body;
    let mut marks = 0;
    let mut line_start = at;
    let mut line_before = at;
    let mut first_line_end = None;
    loop {
        let (class, len) = class::at(text, end);
        if len == 0 {
            let end = if starts_well {
                end
            } else {
                first_line_end.unwrap_or(end)
            };
            return marked(kind, marks | UNCLOSED, at, end);
        }
        if class & class::NEWLINE != 0 {
            first_line_end = first_line_end.or(Some(end));
            line_before = end;
            end += class::newline(text, end);
            line_start = end;
            continue;
        }
        if bytes[end] == b'"' && bytes[end..].starts_with(b"\"\"\"") {
            if closes(bytes, end + 3, hashes) {
                if first_line_end.is_some() && opens_another(text, line_start, end, hashes) {
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
                first_line_end = first_line_end.or(Some(end + 1));
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
