//! Texts for miette, which shows pieces of them.
//!
//! miette's own source scans from the start of the text for each piece, which takes 44 ms in a
//! file of 12 MB; this one looks lines up. It also puts the files of one finding behind each
//! other, so that labels may be in several, and it makes texts fit to be shown: long lines are cut,
//! control characters replaced and passwords hidden.

use std::borrow::Cow;
use std::cell::OnceCell;

use miette::{MietteError, SourceCode, SourceSpan, SpanContents};

use super::veil::veiled;
use crate::diag::{FileId, Place, Span};
use crate::vfs::{File, Files};

/// The most bytes of a line that are shown.
const LONGEST: usize = 240;
/// How much of a long line is shown around what matters.
const AROUND: usize = 60;

/// All files as they may be shown, made when they are first needed.
pub(super) struct Texts<'f> {
    files: &'f Files,
    shown: Vec<OnceCell<Cow<'f, str>>>,
}

impl<'f> Texts<'f> {
    pub(super) fn new(files: &'f Files) -> Self {
        Self {
            files,
            shown: files.iter().map(|_| OnceCell::new()).collect(),
        }
    }

    fn get(&self, id: FileId) -> &str {
        self.shown[id.0 as usize].get_or_init(|| shown(self.files.text(id)))
    }
}

/// A file on a shelf.
struct Volume<'f> {
    id: FileId,
    file: &'f File,
    text: &'f str,
    /// Where its text starts on the shelf.
    base: usize,
}

/// The files of one finding, one after the other, the primary one first.
pub(super) struct Shelf<'f> {
    volumes: Vec<Volume<'f>>,
}

impl<'f> Shelf<'f> {
    /// A shelf with the files of `places`, in their order.
    pub(super) fn new(texts: &'f Texts<'f>, places: impl Iterator<Item = Place>) -> Self {
        let mut shelf = Self {
            volumes: Vec::new(),
        };
        let mut base = 0;
        for Place { file: id, .. } in places {
            if shelf.volume(id).is_none() {
                let (file, text) = (texts.files.get(id), texts.get(id));
                shelf.volumes.push(Volume {
                    id,
                    file,
                    text,
                    base,
                });
                // A gap, so that the end of one file is not the start of the next.
                base += text.len() + 2;
            }
        }
        shelf
    }

    fn volume(&self, id: FileId) -> Option<&Volume<'f>> {
        self.volumes.iter().find(|volume| volume.id == id)
    }

    /// The place as a span over the shelf. It is cut to its first line and to what can be shown
    /// of it.
    pub(super) fn span(&self, place: Place) -> SourceSpan {
        let Some(&Volume { text, base, .. }) = self.volume(place.file) else {
            return (0, 0).into();
        };
        let clamp = |at: u32| {
            let mut at = (at as usize).min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let Span { start, end } = place.span;
        let start = clamp(start);
        let line = text[start..clamp(end).max(start)]
            .split(['\n', '\r'])
            .next()
            .unwrap_or_default();
        let mut len = line.len().min(LONGEST / 2);
        while !line.is_char_boundary(len) {
            len -= 1;
        }
        (base + start, len).into()
    }
}

/// A piece of a file.
struct Piece<'f> {
    name: &'f str,
    data: &'f [u8],
    span: SourceSpan,
    line: usize,
    column: usize,
    lines: usize,
}

impl<'a> SpanContents<'a> for Piece<'a> {
    fn data(&self) -> &'a [u8] {
        self.data
    }

    fn span(&self) -> &SourceSpan {
        &self.span
    }

    fn line(&self) -> usize {
        self.line
    }

    fn column(&self) -> usize {
        self.column
    }

    fn line_count(&self) -> usize {
        self.lines
    }

    fn name(&self) -> Option<&str> {
        Some(self.name)
    }
}

impl SourceCode for Shelf<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        let Volume {
            file, text, base, ..
        } = self
            .volumes
            .iter()
            .rev()
            .find(|volume| volume.base <= start)
            .ok_or(MietteError::OutOfBounds)?;
        if end - base > text.len() {
            return Err(MietteError::OutOfBounds);
        }
        let (start, end) = (start - base, end - base);
        let lines = file.lines();
        let line_of = |at: usize| lines.partition_point(|start| *start as usize <= at) - 1;
        let (first, last) = (line_of(start), line_of(end.max(start)));
        let line_end = |line: usize| {
            lines
                .get(line + 1)
                .map_or(text.len(), |next| *next as usize)
        };
        let top = first.saturating_sub(before);
        let bottom = (last + after).min(lines.len() - 1);
        let long = (top..=bottom).any(|line| line_end(line) - lines[line] as usize > LONGEST);
        let (from, to, top, bottom) = if long {
            let from = floor(text, start.saturating_sub(AROUND)).max(lines[first] as usize);
            let to = floor(text, (end + AROUND).min(line_end(last)));
            (from, to.max(end), first, last)
        } else {
            (lines[top] as usize, line_end(bottom), top, bottom)
        };
        let column = if before == 0 {
            text[lines[first] as usize..start].chars().count()
        } else {
            0
        };
        Ok(Box::new(Piece {
            name: &file.path,
            data: &text.as_bytes()[from..to],
            span: (from + base, to - from).into(),
            line: if before == 0 { first } else { top },
            column,
            lines: bottom - top + 1,
        }))
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The text with passwords and control characters replaced by something of the same length: what a
/// file holds must not steer the terminal, nor show in another order than it is read.
fn shown(text: &str) -> Cow<'_, str> {
    let text = veiled(text);
    if !text.chars().any(|c| replacement(c).is_some()) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match replacement(c) {
            Some(text) => out.push_str(text),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Words of a message, with what must not reach a terminal written as an escape.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| replacement(c).is_some() || matches!(c, '\n' | '\r' | '\t');
    if !text.chars().any(hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hidden(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A text from elsewhere (what Ironic or a BMC said, what an object holds) in one line that does not
/// steer the terminal.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    printable(&words.join(" ")).into_owned()
}

/// What is shown instead of a character that must not reach a terminal.
fn replacement(c: char) -> Option<&'static str> {
    match c {
        ' '..='~' | '\n' | '\r' | '\t' => None,
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => Some("\u{fffd}"),
        c if c.is_control() => Some(if c.len_utf8() == 1 { "?" } else { "??" }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_one_line_and_no_command() {
        let said = "power failed:\n  Traceback\r\n\u{1b}[2J\u{202e}x\t ";
        assert_eq!(
            one_line(said),
            r"power failed: Traceback \u{1b}[2J\u{202e}x"
        );
        assert_eq!(one_line("plain, é"), "plain, é");
    }
}
