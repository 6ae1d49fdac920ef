//! Text to tokens, one at a time.

use std::ops::Range;

use super::error::{ARITHMETIC, SYNTAX};
use super::{ExprError, MAX_DEPTH, MAX_PATH};

/// A token; its text is the range beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// The magnitude; a sign in front is an operator until the parser joins them.
    Int(u64),
    /// `'…'`, quotes included in the range.
    Str,
    /// `a`, `a.b`, `a.b.c`; also `true`, `false` and `in`.
    Name,
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// Signs, longest first.
const SIGNS: &[&str] = &[
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "(", ")", "[", "]",
    ",", "}",
];

/// Reads the token at or after `at`, and where it stands.
pub(super) fn next(text: &str, at: usize) -> Result<(Token, Range<usize>), ExprError> {
    let start = text[at..]
        .find(|c: char| !c.is_ascii_whitespace())
        .map_or(text.len(), |skip| at + skip);
    let rest = &text[start..];
    let Some(first) = rest.chars().next() else {
        return Ok((Token::End, start..start));
    };
    match first {
        '0'..='9' => number(text, start),
        'a'..='z' | 'A'..='Z' | '_' => path(text, start),
        '\'' => string_end(text, start).map(|end| (Token::Str, start..end)),
        _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            Some(sign) => Ok((Token::Sign(sign), start..start + sign.len())),
            None => Err(stray(text, start, first)),
        },
    }
}

fn number(text: &str, start: usize) -> Result<(Token, Range<usize>), ExprError> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text[start..]
        .find(|c| !word(c))
        .map_or(text.len(), |length| start + length);
    let digits = &text[start..end];
    let range = start..end;
    if text[end..].starts_with('.')
        && text[end + 1..].starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        let more = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | ':');
        let end = text[start..]
            .find(|c| !more(c))
            .map_or(text.len(), |length| start + length);
        let dotted = &text[start..end];
        return Err(if dotted.matches('.').count() > 1 {
            syntax("an address is a string", start..end).suggest(format!("'{dotted}'"))
        } else {
            syntax("numbers are whole, without a fraction", start..end)
        });
    }
    let (digits, radix) = match digits.strip_prefix("0x") {
        Some(hex) => (hex, 16),
        None => (digits, 10),
    };
    if let Some(odd) = digits.find(|c: char| !c.is_digit(radix)) {
        if digits[odd..].starts_with('_') {
            return Err(syntax("digits are not grouped in expressions", range)
                .suggest(text[start..end].replace('_', "")));
        }
        if text[end..].starts_with(':') {
            return Err(syntax(
                "a MAC or an address is a string: put it in `'…'`",
                range,
            ));
        }
        return Err(
            syntax(format!("`{}` is not a number", &text[range.clone()]), range)
                .help("expressions know no units: write the number, or set it outside of `${…}`"),
        );
    }
    if digits.is_empty() {
        return Err(syntax("hexadecimal digits are missing after `0x`", range));
    }
    if radix == 10 && digits.len() > 1 && digits.starts_with('0') {
        let plain = digits.trim_start_matches('0');
        let plain = if plain.is_empty() { "0" } else { plain };
        return Err(syntax("a number has no leading zeros", range)
            .help("`pad(n, 2)` writes a number with zeros in front")
            .suggest(plain));
    }
    u64::from_str_radix(digits, radix)
        .map(|value| (Token::Int(value), range.clone()))
        .map_err(|_| {
            ExprError::new(
                ARITHMETIC,
                "the number does not fit 64 bits with a sign",
                range,
            )
        })
}

fn path(text: &str, start: usize) -> Result<(Token, Range<usize>), ExprError> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut end = start;
    for part in 1.. {
        let from = end;
        end = text[from..]
            .find(|c| !word(c))
            .map_or(text.len(), |length| from + length);
        if end == from || text.as_bytes()[from].is_ascii_digit() {
            let at = from.saturating_sub(1);
            return Err(if end == from {
                syntax("a name is missing after `.`", at..from)
            } else {
                syntax("a name starts with a letter", from..end)
                    .help("lists and records have no index; names are fixed")
            });
        }
        if part > MAX_PATH {
            return Err(syntax(
                format!("a path has at most {MAX_PATH} names"),
                start..end,
            ));
        }
        if !text[end..].starts_with('.') {
            break;
        }
        end += 1;
    }
    Ok((Token::Name, start..end))
}

/// The end of the string that starts with the quote at `start`.
fn string_end(text: &str, start: usize) -> Result<usize, ExprError> {
    let mut escaped = false;
    for (at, c) in text[start + 1..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' => return Ok(start + 1 + at + 1),
            _ => {}
        }
    }
    Err(syntax("the string is never closed", start..text.len()).help("write `'text'`"))
}

/// The text of the string literal at `range`, without quotes and escapes.
pub(super) fn unescape(text: &str, range: &Range<usize>) -> Result<String, ExprError> {
    let inner = range.start + 1..range.end - 1;
    let mut out = String::with_capacity(inner.len());
    let mut chars = text[inner.clone()].char_indices();
    while let Some((_, c)) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some((_, c @ ('\\' | '\'' | '"'))) => out.push(c),
            Some((_, 'n')) => out.push('\n'),
            Some((_, 'r')) => out.push('\r'),
            Some((_, 't')) => out.push('\t'),
            Some((at, c)) => {
                let from = inner.start + at - 1;
                return Err(syntax(
                    format!("unknown escape `\\{c}`"),
                    from..inner.start + at + c.len_utf8(),
                )
                .help("escapes are `\\'`, `\\\\`, `\\n`, `\\r` and `\\t`"));
            }
            // The lexer ends a string only at a quote that is not escaped.
            None => out.push('\\'),
        }
    }
    Ok(out)
}

/// What a character that starts no token was probably meant to be.
fn stray(text: &str, at: usize, c: char) -> ExprError {
    let range = at..at + c.len_utf8();
    let rest = &text[at..];
    match c {
        '"' | '`' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' => {
            let close = |d: char| d == c || matches!(d, '\u{2019}' | '\u{201d}');
            let end = rest[c.len_utf8()..]
                .find(close)
                .map(|length| at + c.len_utf8() + length);
            let error = |range| syntax("strings stand in single quotes", range);
            match end {
                Some(end) => {
                    let width = text[end..].chars().next().map_or(1, char::len_utf8);
                    let inner = &text[range.end..end];
                    error(at..end + width).suggest(format!("'{}'", inner.replace('\'', "\\'")))
                }
                None => error(range).help("write `'text'`"),
            }
        }
        '=' => syntax("`=` does not compare", range).suggest("=="),
        '&' => syntax("`&` is no operator", range).suggest("&&"),
        '|' => syntax("`|` is no operator", range).suggest("||"),
        '$' if rest.starts_with("${") => syntax("`${` inside an expression", at..at + 2)
            .help("this text is an expression already: write the name without `${` and `}`"),
        '?' => syntax("there is no `? :`", range)
            .help("use `when` for a choice, or `coalesce(a, b)` for a default"),
        ':' => syntax("there is no format after `:`", range)
            .help("use `pad(n, 2)` for leading zeros and `hex(n, 2)` for hexadecimal"),
        '{' => syntax("records cannot be written in expressions", range),
        '.' => syntax("a name is missing before `.`", range),
        c => syntax(
            format!("`{}` has no meaning in an expression", c.escape_debug()),
            range,
        ),
    }
}

/// Nesting above [`MAX_DEPTH`] at `range`.
pub(super) fn too_deep(range: Range<usize>) -> ExprError {
    ExprError::new(
        super::error::TOO_DEEP,
        format!("the expression is nested deeper than {MAX_DEPTH}"),
        range,
    )
    .help("split it with `let`")
}

pub(super) fn syntax(message: impl Into<String>, range: Range<usize>) -> ExprError {
    ExprError::new(SYNTAX, message, range)
}
