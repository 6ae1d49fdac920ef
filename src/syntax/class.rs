//! What each code point may be in KDL 2: tables of the specification, as bit sets.

/// May stand in a bare word.
pub(super) const WORD: u8 = 1;
/// White space that is not a newline.
pub(super) const SPACE: u8 = 2;
/// Newline.
pub(super) const NEWLINE: u8 = 4;
/// Must not stand anywhere in a document.
pub(super) const DISALLOWED: u8 = 8;
/// First byte of a code point beyond ASCII: look at the whole of it.
pub(super) const WIDE: u8 = 16;

/// Classes of single bytes.
pub(super) static BYTES: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut index = 0;
    while index < 256 {
        table[index] = match index as u8 {
            b'\t' | b' ' => SPACE,
            b'\n' | 0x0b | 0x0c | b'\r' => NEWLINE,
            0..=8 | 0x0e..=0x1f | 0x7f => DISALLOWED,
            b'\\' | b'/' | b'(' | b')' | b'{' | b'}' | b'[' | b']' | b';' | b'"' | b'#' | b'=' => 0,
            128.. => WIDE,
            _ => WORD,
        };
        index += 1;
    }
    table
};

/// Class of one byte.
#[inline]
pub(super) fn byte(byte: u8) -> u8 {
    BYTES[byte as usize]
}

/// Class of one code point.
#[inline]
pub(super) fn char(c: char) -> u8 {
    match c {
        '\0'..='\x7f' => BYTES[c as usize],
        '\u{85}' | '\u{2028}' | '\u{2029}' => NEWLINE,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            SPACE
        }
        '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => DISALLOWED,
        _ => WORD,
    }
}

/// Class and length in bytes of the code point at `at`; `(0, 0)` at the end of the text.
#[inline]
pub(super) fn at(text: &str, at: usize) -> (u8, usize) {
    match text.as_bytes().get(at) {
        None => (0, 0),
        Some(&first) if first < 128 => (byte(first), 1),
        Some(_) => wide(text, at),
    }
}

fn wide(text: &str, at: usize) -> (u8, usize) {
    match text.get(at..).and_then(|rest| rest.chars().next()) {
        Some(c) => (char(c), c.len_utf8()),
        None => (0, 1),
    }
}

/// Length in bytes of the newline at `at`, 0 if there is none. CR LF is one newline.
#[inline]
pub(super) fn newline(text: &str, place: usize) -> usize {
    let (class, len) = at(text, place);
    if class & NEWLINE == 0 {
        0
    } else if text.as_bytes()[place..].starts_with(b"\r\n") {
        2
    } else {
        len
    }
}
