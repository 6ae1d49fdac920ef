//! Taking tokens, and what is wrong with a token by itself.

use super::{MOST_RUNAWAYS, Reader};
use crate::diag::{Diagnostic, Span};
use crate::syntax::class;
use crate::syntax::scan::{self, Kind, Token, scan};

impl Reader<'_> {
    /// Goes on to the next token, whatever it is.
    #[inline]
    pub(super) fn advance(&mut self) {
        self.jump(self.token.end);
    }

    #[inline]
    pub(super) fn jump(&mut self, at: u32) {
        self.token = scan(self.text, at as usize);
        if self.token.is(scan::UNCLOSED | scan::TAINTED) {
            self.complain();
        }
    }

    /// Takes the token, which is not trivia.
    #[inline]
    pub(super) fn bump(&mut self) -> Token {
        let token = self.token;
        self.last_end = token.end;
        self.advance();
        token
    }

    /// Reports what is wrong with the token by itself.
    #[cold]
    pub(super) fn complain(&mut self) {
        if self.token.is(scan::UNCLOSED) {
            self.report(self.source.unclosed_text(self.token));
            if !matches!(self.token.kind, Kind::Quoted | Kind::Raw) && !self.cut_to_line() {
                self.swallowed = true;
            }
        }
        let token = self.token;
        if token.is(scan::TAINTED) {
            let mut at = token.start as usize;
            while at < token.end as usize {
                let (class, len) = class::at(self.text, at);
                let mut end = at + len;
                if class & class::DISALLOWED != 0 {
                    loop {
                        let (class, len) = class::at(self.text, end);
                        if class & class::DISALLOWED == 0 || end >= token.end as usize {
                            break;
                        }
                        end += len;
                    }
                    let run = Span::new(at as u32, end as u32);
                    self.report(self.source.disallowed(run, token.kind));
                    if self.is_overflowing() {
                        return;
                    }
                }
                at = end;
            }
        }
    }

    /// Cuts an unclosed multi-line string that does not even start as one to its first line, so
    /// that the rest of the text is read. Not without end: each costs a look at all of the text.
    fn cut_to_line(&mut self) -> bool {
        let Token {
            kind, start, end, ..
        } = self.token;
        let source = &self.text[start as usize..end as usize];
        let body = source.trim_start_matches('#').trim_start_matches('"');
        let body_start = end as usize - body.len();
        if !matches!(kind, Kind::Multiline | Kind::RawMultiline)
            || class::newline(self.text, body_start) > 0
            || self.runaways >= MOST_RUNAWAYS
        {
            return false;
        }
        self.runaways += 1;
        let line = body
            .char_indices()
            .find(|(_, c)| class::char(*c) & class::NEWLINE != 0);
        self.token.end = line.map_or(end, |(at, _)| (body_start + at) as u32);
        true
    }

    /// Whether the cap on findings was met and said.
    pub(super) fn is_overflowing(&self) -> bool {
        self.diagnostics.len() > self.limits.diagnostics
    }

    #[cold]
    pub(super) fn report(&mut self, found: Diagnostic) {
        if self.is_overflowing() || found.primary.place.span.start < self.muted {
            return;
        }
        if self.diagnostics.len() == self.limits.diagnostics {
            let at = found.primary.place.span;
            self.source.is_spent = true;
            self.diagnostics
                .push(self.source.too_many(at, self.limits.diagnostics));
            return;
        }
        self.diagnostics.push(found);
    }

    /// Skips white space, comments and continued lines; the token is then something else.
    #[inline]
    pub(super) fn node_space(&mut self) {
        loop {
            match self.token.kind {
                Kind::Space | Kind::BlockComment | Kind::Disallowed | Kind::Bom => self.advance(),
                Kind::Backslash => self.continued_line(),
                _ => return,
            }
        }
    }

    /// `\`, then perhaps a comment, then the line's end.
    pub(super) fn continued_line(&mut self) {
        let backslash = self.token.span();
        self.advance();
        while matches!(self.token.kind, Kind::Space | Kind::BlockComment) {
            self.advance();
        }
        if self.token.kind == Kind::LineComment {
            self.advance();
        }
        match self.token.kind {
            Kind::Newline => self.advance(),
            Kind::End => {}
            _ => self.report(self.source.stray_backslash(backslash)),
        }
    }

    /// Skips all trivia, newlines included.
    #[inline]
    pub(super) fn line_space(&mut self) {
        loop {
            match self.token.kind {
                Kind::Newline | Kind::LineComment => self.advance(),
                Kind::Space
                | Kind::BlockComment
                | Kind::Disallowed
                | Kind::Bom
                | Kind::Backslash => {
                    self.node_space();
                }
                _ => return,
            }
        }
    }

    /// Whether there is a space, comment or continued line before the token.
    #[inline]
    pub(super) fn is_spaced(&self) -> bool {
        self.token.start != self.last_end || self.token.start == self.forgiven
    }

    /// The code point that ends at `end`, where something was taken.
    #[cold]
    pub(super) fn char_before(&self, end: u32) -> Span {
        let len = self.text[..end as usize]
            .chars()
            .next_back()
            .map_or(0, char::len_utf8);
        Span::new(end - len as u32, end)
    }

    /// Skips to the end of the line, or a `;`, or a brace.
    #[cold]
    pub(super) fn resync(&mut self) {
        loop {
            match self.token.kind {
                Kind::End
                | Kind::Newline
                | Kind::LineComment
                | Kind::Semicolon
                | Kind::OpenBrace
                | Kind::CloseBrace => return,
                Kind::Space | Kind::BlockComment | Kind::Disallowed => self.advance(),
                _ => {
                    self.bump();
                }
            }
        }
    }
}
