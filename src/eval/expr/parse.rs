//! Tokens to a tree of bounded depth.

use std::ops::Range;

use smallvec::SmallVec;

use super::builtin::{self, Run};
use super::error::{ARITHMETIC, SYNTAX, TOO_LONG, TYPE, UNKNOWN, nearest};
use super::lex::{self, Token, syntax};
use super::node::{Kind, Node, Op, Path, Test};
use super::{ExprError, MAX_DEPTH, MAX_EXPRESSION, Val};

/// A text that is all expression.
pub(super) fn condition(text: &str) -> Result<Node, ExprError> {
    if text.len() > MAX_EXPRESSION {
        return Err(too_long(0..text.len()));
    }
    if text.trim().is_empty() {
        return Err(syntax("the expression is empty", 0..text.len()));
    }
    let mut parser = Parser::new(text, 0)?;
    let root = parser.expression()?;
    if parser.token == Token::End {
        return Ok(root);
    }
    Err(parser.unexpected("an operator or the end"))
}

/// The expression after the `${` that ends at `at`; also the offset after its `}`.
pub(super) fn inside(text: &str, at: usize) -> Result<(Node, usize), ExprError> {
    let open = at - 2..at;
    let unclosed = |error: ExprError| {
        // What is missing at the very end of the text is first of all the brace.
        let at_end = text[error.range.start..].trim().is_empty();
        if at_end && error.code == SYNTAX {
            syntax("`${` is never closed", open.clone())
                .help("close it with `}`, or write `$${` for the text `${`")
        } else {
            error
        }
    };
    let mut parser = Parser::new(text, at).map_err(unclosed)?;
    if parser.token == Token::Sign("}") {
        return Err(
            syntax("the expression is empty", open.start..parser.range.end)
                .help("write a name or a value between `${` and `}`"),
        );
    }
    let root = parser.expression().map_err(unclosed)?;
    if parser.token != Token::Sign("}") {
        return Err(unclosed(parser.unexpected("an operator or `}`")));
    }
    let end = parser.range.end;
    if end - at > MAX_EXPRESSION {
        return Err(too_long(at..end));
    }
    Ok((root, end))
}

fn too_long(range: Range<usize>) -> ExprError {
    ExprError::new(
        TOO_LONG,
        format!(
            "the expression is {} bytes long, the limit is {MAX_EXPRESSION}",
            range.len()
        ),
        range,
    )
    .help("split it with `let`")
}

struct Parser<'t> {
    text: &'t str,
    token: Token,
    range: Range<usize>,
    /// Where the token before this one ended.
    before: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, at: usize) -> Result<Parser<'t>, ExprError> {
        let (token, range) = lex::next(text, at)?;
        Ok(Parser {
            text,
            token,
            range,
            before: at,
            depth: 0,
        })
    }

    fn step(&mut self) -> Result<Range<usize>, ExprError> {
        let (token, range) = lex::next(self.text, self.range.end)?;
        self.token = token;
        self.before = self.range.end;
        Ok(std::mem::replace(&mut self.range, range))
    }

    fn take(&mut self, sign: &'static str) -> Result<bool, ExprError> {
        let found = self.token == Token::Sign(sign);
        if found {
            self.step()?;
        }
        Ok(found)
    }

    fn word(&self) -> &'t str {
        &self.text[self.range.clone()]
    }

    fn expression(&mut self) -> Result<Node, ExprError> {
        self.deeper(|parser| {
            parser.logic("||", Kind::Any, |parser| {
                parser.logic("&&", Kind::All, Parser::comparison)
            })
        })
    }

    fn deeper(
        &mut self,
        inner: impl FnOnce(&mut Parser<'t>) -> Result<Node, ExprError>,
    ) -> Result<Node, ExprError> {
        if self.depth == MAX_DEPTH {
            return Err(lex::too_deep(self.range.clone()));
        }
        self.depth += 1;
        let node = inner(self);
        self.depth -= 1;
        node
    }

    fn logic(
        &mut self,
        sign: &'static str,
        kind: fn(Box<[Node]>) -> Kind,
        part: impl Fn(&mut Parser<'t>) -> Result<Node, ExprError>,
    ) -> Result<Node, ExprError> {
        let first = part(self)?;
        if self.token != Token::Sign(sign) {
            return Ok(first);
        }
        let start = first.range().start;
        let mut parts = vec![first];
        while self.take(sign)? {
            parts.push(part(self)?);
        }
        Ok(Node::new(kind(parts.into()), start..self.before))
    }

    fn comparison(&mut self) -> Result<Node, ExprError> {
        let left = self.sum()?;
        let Some(test) = self.test() else {
            return Ok(left);
        };
        self.step()?;
        let right = self.sum()?;
        if self.test().is_some() {
            return Err(syntax("comparisons do not chain", self.range.clone())
                .help("write `a < b && b < c`, or use parentheses"));
        }
        let range = left.range().start..right.range().end;
        Ok(Node::new(
            Kind::Compare(test, Box::new([left, right])),
            range,
        ))
    }

    fn test(&self) -> Option<Test> {
        Some(match self.token {
            Token::Sign("==") => Test::Equal,
            Token::Sign("!=") => Test::NotEqual,
            Token::Sign("<") => Test::Less,
            Token::Sign("<=") => Test::LessOrEqual,
            Token::Sign(">") => Test::Greater,
            Token::Sign(">=") => Test::GreaterOrEqual,
            Token::Name if self.word() == "in" => Test::In,
            _ => return None,
        })
    }

    fn sum(&mut self) -> Result<Node, ExprError> {
        self.chain(
            |token| match token {
                Token::Sign("+") => Some(Op::Add),
                Token::Sign("-") => Some(Op::Subtract),
                _ => None,
            },
            |parser| {
                parser.chain(
                    |token| match token {
                        Token::Sign("*") => Some(Op::Multiply),
                        Token::Sign("/") => Some(Op::Divide),
                        Token::Sign("%") => Some(Op::Remainder),
                        _ => None,
                    },
                    Parser::unary,
                )
            },
        )
    }

    fn chain(
        &mut self,
        op: impl Fn(Token) -> Option<Op>,
        part: impl Fn(&mut Parser<'t>) -> Result<Node, ExprError>,
    ) -> Result<Node, ExprError> {
        let first = part(self)?;
        let mut rest = Vec::new();
        while let Some(op) = op(self.token) {
            self.step()?;
            rest.push((op, part(self)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let range = first.range().start..self.before;
        Ok(Node::new(Kind::Chain(Box::new(first), rest.into()), range))
    }

    fn unary(&mut self) -> Result<Node, ExprError> {
        let kind: fn(Box<Node>) -> Kind = match self.token {
            Token::Sign("-") => Kind::Negate,
            Token::Sign("!") => Kind::Not,
            _ => return self.primary(),
        };
        let sign = self.step()?;
        if self.text[sign.clone()] == *"-"
            && let Token::Int(magnitude) = self.token
        {
            // Joined here, so that the smallest number can be written.
            let range = sign.start..self.range.end;
            let Some(value) = 0i64.checked_sub_unsigned(magnitude) else {
                return Err(too_large(range));
            };
            self.step()?;
            return Ok(Node::new(Kind::Literal(Val::Int(value)), range));
        }
        let inner = self.deeper(Parser::unary)?;
        let range = sign.start..inner.range().end;
        Ok(Node::new(kind(Box::new(inner)), range))
    }

    fn primary(&mut self) -> Result<Node, ExprError> {
        match self.token {
            Token::Int(magnitude) => {
                let range = self.step()?;
                let Ok(value) = i64::try_from(magnitude) else {
                    return Err(too_large(range));
                };
                Ok(Node::new(Kind::Literal(Val::Int(value)), range))
            }
            Token::Str => {
                let range = self.step()?;
                let text = lex::unescape(self.text, &range)?;
                Ok(Node::new(Kind::Literal(Val::from(text)), range))
            }
            Token::Sign("(") => {
                let open = self.step()?;
                let inner = self.expression()?;
                self.close(")", open.clone())?;
                // Parentheses belong to the place of what they hold.
                Ok(Node::new(inner.kind, open.start..self.before))
            }
            Token::Sign("[") => {
                let open = self.step()?;
                let items = self.items("]", open.clone())?;
                Ok(Node::new(Kind::List(items), open.start..self.before))
            }
            Token::Name => self.name(),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn name(&mut self) -> Result<Node, ExprError> {
        let word = self.word();
        match word {
            "true" | "false" => {
                let value = Val::Bool(word == "true");
                return Ok(Node::new(Kind::Literal(value), self.step()?));
            }
            "in" => return Err(self.unexpected("a value")),
            "not" => return Err(syntax("`not` is written `!`", self.range.clone()).suggest("!")),
            "null" => {
                return Err(syntax("there is no `null`", self.range.clone())
                    .help("`has(path)` tells whether a name has a value"));
            }
            _ => {}
        }
        let range = self.step()?;
        if self.token == Token::Sign("(") {
            return self.call(word, range);
        }
        let mut names = SmallVec::new();
        let mut at = range.start;
        for name in word.split('.') {
            let place = at..at + name.len();
            at = place.end + 1;
            if !is_snake(name) {
                return Err(syntax(format!("`{name}` is not a name"), place)
                    .help("names are lower-case letters, digits and `_`")
                    .suggest(to_snake(name)));
            }
            names.push((place.start as u32, place.end as u32));
        }
        Ok(Node::new(Kind::Path(Path(names)), range))
    }

    fn call(&mut self, word: &str, name: Range<usize>) -> Result<Node, ExprError> {
        let function = builtin::find(word).ok_or_else(|| unknown_function(word, name.clone()))?;
        let open = self.step()?;
        let args = self.items(")", open)?;
        let range = name.start..self.before;
        if args.len() < function.least || args.len() > function.most {
            return Err(ExprError::new(
                TYPE,
                format!("`{word}` takes {}, not {}", function.arity(), args.len()),
                range,
            )
            .help(format!("`{}`: {}", function.signature, function.doc)));
        }
        let kind = match function.run {
            Run::Plain(_) => Kind::Call(function, args),
            Run::Has | Run::Coalesce => {
                let mut names = args.into_vec();
                let default = match function.run {
                    Run::Coalesce => names.pop(),
                    _ => None,
                };
                if let Some(odd) = names.iter().find(|arg| !matches!(arg.kind, Kind::Path(_))) {
                    let message = format!("`{word}` asks about names, this is a value");
                    return Err(ExprError::new(TYPE, message, odd.range())
                        .help(format!("write `{}`", function.example)));
                }
                match (default, names.pop()) {
                    (Some(default), Some(last)) => {
                        names.push(last);
                        Kind::Coalesce(names.into(), Box::new(default))
                    }
                    (None, Some(name)) => Kind::Has(Box::new(name)),
                    // The table asks for at least one name.
                    (_, None) => return Err(self.unexpected("a name")),
                }
            }
        };
        Ok(Node::new(kind, range))
    }

    /// Expressions up to `close`, separated by commas.
    fn items(&mut self, close: &'static str, open: Range<usize>) -> Result<Box<[Node]>, ExprError> {
        let mut items = Vec::new();
        if self.take(close)? {
            return Ok(items.into());
        }
        loop {
            if self.token == Token::Sign(close) {
                return Err(syntax(
                    "a value is missing after the comma",
                    self.range.clone(),
                ));
            }
            items.push(self.expression()?);
            if !self.take(",")? {
                self.close(close, open)?;
                return Ok(items.into());
            }
        }
    }

    fn close(&mut self, sign: &'static str, open: Range<usize>) -> Result<(), ExprError> {
        if self.take(sign)? {
            return Ok(());
        }
        if matches!(self.token, Token::End | Token::Sign("}")) {
            let opened = &self.text[open.clone()];
            return Err(syntax(format!("`{opened}` is never closed"), open)
                .help(format!("close it with `{sign}`")));
        }
        Err(self.unexpected(match sign {
            ")" => "an operator, `,` or `)`",
            _ => "an operator, `,` or `]`",
        }))
    }

    #[cold]
    fn unexpected(&self, expected: &str) -> ExprError {
        let range = self.range.clone();
        let after_value = expected.starts_with("an operator");
        match (self.token, self.word()) {
            (Token::End, _) => syntax(format!("expected {expected}, found the end"), range),
            (Token::Name, "and") if after_value => {
                syntax("`and` is written `&&`", range).suggest("&&")
            }
            (Token::Name, "or") if after_value => {
                syntax("`or` is written `||`", range).suggest("||")
            }
            (Token::Name, "not") if after_value => {
                syntax("`not` is written `!`, as in `!(a in b)`", range)
            }
            (Token::Sign("["), _) if after_value => {
                syntax("there is no index in expressions", range)
                    .help("lists are for `in`, `join`, `len`, `min` and `max`")
            }
            (Token::Sign(","), _) if after_value => {
                syntax("`,` outside of a call or a list", range)
            }
            (_, word) => syntax(format!("expected {expected}, found `{word}`"), range),
        }
    }
}

fn too_large(range: Range<usize>) -> ExprError {
    ExprError::new(
        ARITHMETIC,
        "the number does not fit 64 bits with a sign",
        range,
    )
}

fn unknown_function(word: &str, range: Range<usize>) -> ExprError {
    if let Some((receiver, method)) = word.rsplit_once('.') {
        let known = builtin::spelled(method).map_or(method, |function| function.name);
        return syntax(format!("`.{method}(…)`: functions stand in front"), range)
            .help(format!("write `{known}({receiver}, …)`"));
    }
    let mut error = ExprError::new(UNKNOWN, format!("unknown function `{word}`"), range);
    error.suggestions = match builtin::spelled(word) {
        Some(function) => vec![function.name.to_owned()],
        None => nearest(word, builtin::TABLE.iter().map(|function| function.name)),
    };
    let names: Vec<String> = builtin::TABLE
        .iter()
        .map(|f| format!("`{}`", f.name))
        .collect();
    error.help(format!("functions are {}", names.join(", ")))
}

fn is_snake(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// `leafA` and `LeafA` as `leaf_a`.
fn to_snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    let mut before = '_';
    for c in name.trim_start_matches('_').chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
        before = c;
    }
    out
}
