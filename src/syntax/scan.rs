//! Text to tokens: [`scan`] is a pure function of the text and an offset, so that nothing is kept
//! and a tree's tokens can be had again from its text.
//!
//! The scanner never fails: every byte belongs to some token, and what is wrong with a token is a
//! mark on it. Finding where an unclosed string was meant to end is guesswork that is done here,
//! because all that follows depends on it.

mod string;

use self::string::{quoted, raw};
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
