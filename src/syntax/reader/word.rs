//! Words: names, keys, values, and runs that were meant as one.

use super::{CLUMP, MOST_RUNAWAYS, Reader, Role};
use crate::diag::Span;
use crate::syntax::scan::{self, Kind, Token, scan};
use crate::syntax::tree::{Form, NONE, Tag, Text, halves};
use crate::syntax::{class, clump, number, script, string};

impl Reader<'_> {
    /// What a token that is a value stands for, and whether that is a guess.
    #[inline]
    pub(super) fn decode(&mut self, token: Token) -> (Tag, [u32; 2], Form, bool) {
        match token.kind {
            Kind::Word => self.decode_word(token),
            Kind::Keyword => self.decode_keyword(token),
            _ => {
                let errors = self.diagnostics.len();
                let text = self.string(token);
                let broken = token.is(scan::UNCLOSED) || self.diagnostics.len() > errors;
                (Tag::Str, [text.owned, 0], Form::of(token.kind), broken)
            }
        }
    }

    #[inline]
    pub(super) fn decode_word(&mut self, token: Token) -> (Tag, [u32; 2], Form, bool) {
        const TEXT: (Tag, [u32; 2], Form, bool) = (Tag::Str, [NONE, 0], Form::Bare, false);
        const GUESS: (Tag, [u32; 2], Form, bool) = (Tag::Str, [NONE, 0], Form::Bare, true);
        let word = &self.text[token.span().range()];
        if token.is(CLUMP) {
            return GUESS;
        }
        if number::is_number_like(word.as_bytes()) {
            return match number::parse(word) {
                number::Number::Int(number) => {
                    (Tag::Int, halves(number as u64), Form::Number, false)
                }
                number::Number::Big => (Tag::Big, [0; 2], Form::Number, false),
                number::Number::Float(number) => {
                    (Tag::Float, halves(number.to_bits()), Form::Number, false)
                }
                number::Number::Malformed => {
                    self.report(self.source.malformed_number(token.span()));
                    match clump::repaired(word).map(|word| number::parse(&word)) {
                        Some(number::Number::Int(number)) => {
                            (Tag::Int, halves(number as u64), Form::Number, true)
                        }
                        Some(number::Number::Float(number)) => {
                            (Tag::Float, halves(number.to_bits()), Form::Number, true)
                        }
                        _ => GUESS,
                    }
                }
            };
        }
        if let Some((tag, payload)) = bare_keyword(word) {
            self.report(self.source.bare_keyword(token.span()));
            return (tag, payload, Form::Keyword, true);
        }
        if token.is(scan::WIDE) {
            self.look_at_letters(token);
        }
        TEXT
    }

    pub(super) fn decode_keyword(&mut self, token: Token) -> (Tag, [u32; 2], Form, bool) {
        let word = &self.text[token.span().range()];
        if let Some((tag, payload)) = word.strip_prefix('#').and_then(bare_keyword) {
            return (tag, payload, Form::Keyword, false);
        }
        let (found, meant) = self.source.unknown_keyword(token.span());
        self.report(found);
        let guess = meant.and_then(|meant| bare_keyword(&meant[1..]));
        let (tag, payload) = guess.unwrap_or((Tag::Null, [0; 2]));
        (tag, payload, Form::Keyword, true)
    }

    /// Takes the word at the token, and all that was meant to be part of it.
    #[inline]
    pub(super) fn word(&mut self, role: Role) -> Token {
        let word = self.token;
        let bytes = self.text.as_bytes();
        match bytes.get(word.end as usize) {
            None | Some(b' ' | b'\n' | b';' | b'}' | b'\t' | b'\r') => self.bump(),
            Some(b'=') if role != Role::Value => self.bump(),
            Some(b'{') if bytes[word.end as usize - 1] != b'$' => self.bump(),
            _ => self.stuck_word(role),
        }
    }

    /// A word with something right behind it.
    #[cold]
    pub(super) fn stuck_word(&mut self, role: Role) -> Token {
        let word = self.token;
        let text = &self.text[word.span().range()];
        let starts_comment = self.text[word.end as usize..].starts_with("/*");
        if starts_comment && self.runaways >= MOST_RUNAWAYS {
            return self.clump(role, word);
        }
        let next = scan(self.text, word.end as usize);
        match next.kind {
            Kind::LineComment if self.is_fleet() && text.ends_with(':') => self.clump(role, word),
            Kind::BlockComment if self.is_glob(next) => {
                self.runaways += u32::from(next.is(scan::UNCLOSED));
                self.clump(role, word)
            }
            Kind::Backslash => {
                let after = word.end as usize + 1;
                let (class, len) = class::at(self.text, after);
                let continues = len == 0
                    || class & (class::SPACE | class::NEWLINE) != 0
                    || self.text[after..].starts_with("//")
                    || self.text[after..].starts_with("/*");
                if continues {
                    self.bump()
                } else {
                    self.clump(role, word)
                }
            }
            Kind::OpenBrace if self.is_fleet() => self.clump(role, word),
            Kind::Quoted | Kind::Raw if text == "r" => {
                self.bump();
                let string = self.bump();
                self.report(self.source.old_raw_string(word.span(), string.span()));
                // Escapes mean nothing in it.
                Token {
                    kind: Kind::Raw,
                    marks: string.marks & !scan::ESCAPED | CLUMP,
                    ..string
                }
            }
            Kind::OpenParen if role == Role::Name => self.bump(),
            Kind::Stray | Kind::Keyword | Kind::OpenParen | Kind::CloseParen | Kind::Equals => {
                self.clump(role, word)
            }
            _ => self.bump(),
        }
    }

    /// Whether a comment right behind a word is rather a path with a `*`.
    pub(super) fn is_glob(&self, comment: Token) -> bool {
        let inside = &self.text[comment.span().range()];
        comment.is(scan::UNCLOSED)
            || self.is_fleet()
                && inside.contains('\n')
                && inside[2..].starts_with(['.', '/', '*', '-'])
    }

    /// Takes a run of tokens that was meant as one word, and says what it lacks.
    #[cold]
    pub(super) fn clump(&mut self, role: Role, first: Token) -> Token {
        let start = first.start as usize;
        let end = clump::end(self.text, start, role != Role::Value).max(first.end as usize);
        let span = Span::new(first.start, end as u32);
        let source = &self.text[span.range()];
        let word = source.as_bytes();
        let open = self.text[..end].ends_with('$') && self.text[end..].starts_with('{');
        let is_url = source
            .find("//")
            .is_some_and(|at| at > 0 && word[at - 1] == b':');
        self.report(if is_url {
            self.source.cut_url(span)
        } else if open || source.contains("${") {
            self.source.bare_expression(span, !open)
        } else if number::is_number_like(word) && role == Role::Value
            || number::is_number_like(word)
                && !self.text[end..].starts_with('=')
                && role == Role::Key
        {
            self.source.malformed_number(span)
        } else {
            self.source.needs_quotes(span)
        });
        self.last_end = span.end;
        self.jump(span.end);
        if !matches!(self.token.kind, Kind::Equals | Kind::OpenBrace) {
            self.forgiven = span.end;
        }
        Token {
            kind: Kind::Word,
            marks: CLUMP,
            start: span.start,
            end: span.end,
        }
    }

    /// A word as a node's name.
    #[inline]
    pub(super) fn name_of_word(&mut self, token: Token) -> Text {
        if token.kind == Kind::Word && !token.is(CLUMP) {
            let word = &self.text[token.span().range()];
            match word.as_bytes()[0] {
                b'0'..=b'9' | b'+' | b'-' | b'.' | b't' | b'f' | b'n' | b'i' => {
                    self.check_name(token);
                }
                _ => {}
            }
            if token.is(scan::WIDE) {
                self.look_at_letters(token);
            }
        }
        self.text_of_word(token)
    }

    pub(super) fn text_of_word(&mut self, token: Token) -> Text {
        if token.kind == Kind::Word {
            Text {
                start: token.start,
                end: token.end,
                owned: NONE,
            }
        } else {
            self.string(token)
        }
    }

    pub(super) fn check_name(&mut self, token: Token) {
        let word = &self.text[token.span().range()];
        if number::is_number_like(word.as_bytes()) {
            self.report(self.source.number_as_name(token.span()));
        } else if bare_keyword(word).is_some() {
            self.report(self.source.keyword_as_name(token.span()));
        }
    }

    #[inline]
    pub(super) fn key(&mut self, node: u32, token: Token) -> u32 {
        let errors = self.diagnostics.len();
        let text = if token.kind == Kind::Word {
            self.name_of_word(token)
        } else {
            self.string(token)
        };
        if self.diagnostics.len() > errors || token.is(CLUMP) {
            self.mark_broken(node);
        }
        self.tree.keys.push(text);
        self.tree.keys.len() as u32 - 1
    }

    #[cold]
    pub(super) fn look_at_letters(&mut self, token: Token) {
        if self.is_fleet()
            && let Some(oddity) = script::oddity(&self.text[token.span().range()])
        {
            self.report(self.source.confusable(token.span(), oddity));
        }
    }

    /// A string in quotes that has been taken.
    #[inline]
    pub(super) fn string(&mut self, token: Token) -> Text {
        let text = Text {
            start: token.start,
            end: token.end,
            owned: NONE,
        };
        if matches!(token.kind, Kind::Quoted) && !token.is(scan::ESCAPED) || token.kind == Kind::Raw
        {
            if token.end - token.start > self.limits.string as u32 {
                self.check_length(token, (token.end - token.start) as usize - 2);
            }
            return text;
        }
        self.decoded(token)
    }

    pub(super) fn decoded(&mut self, token: Token) -> Text {
        let before = self.tree.owned.len();
        let faults = string::decode(self.text, token, &mut self.tree.owned);
        // Where a string ends that is not closed is a guess, and so is what is wrong in it.
        if !faults.is_empty() && !token.is(scan::UNCLOSED) {
            for found in self.source.string_faults(token, &faults) {
                self.report(found);
            }
        }
        self.check_length(token, self.tree.owned.len() - before);
        self.tree.owned_ends.push(self.tree.owned.len() as u32);
        Text {
            start: token.start,
            end: token.end,
            owned: self.tree.owned_ends.len() as u32 - 1,
        }
    }

    pub(super) fn check_length(&mut self, token: Token, len: usize) {
        if self.is_fleet() && len > self.limits.string {
            self.report(
                self.source
                    .long_string(token.span(), len, self.limits.string),
            );
        }
    }
}

/// KDL's keywords, without their `#`.
#[inline]
pub(super) fn bare_keyword(word: &str) -> Option<(Tag, [u32; 2])> {
    Some(match word {
        "true" => (Tag::True, [0; 2]),
        "false" => (Tag::False, [0; 2]),
        "null" => (Tag::Null, [0; 2]),
        "inf" => (Tag::Float, halves(f64::INFINITY.to_bits())),
        "-inf" => (Tag::Float, halves(f64::NEG_INFINITY.to_bits())),
        "nan" => (Tag::Float, halves(f64::NAN.to_bits())),
        _ => return None,
    })
}
