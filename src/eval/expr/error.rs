//! What is wrong with an expression, and where.

use std::ops::Range;

use super::Env;
use crate::eval::range::natural_cmp;

/// Unknown name.
pub(super) const UNKNOWN: u16 = 2301;
/// Does not follow the grammar.
pub(super) const SYNTAX: u16 = 2302;
/// Overflow, division by zero.
pub(super) const ARITHMETIC: u16 = 2305;
/// An argument outside of what its function takes.
pub(super) const ARGUMENT: u16 = 2306;
/// Wrong type, or wrong number of arguments.
pub(super) const TYPE: u16 = 2307;
/// Reads configuration.
pub(super) const CONFIG: u16 = 2308;
/// Text or list above its limit.
pub(super) const TOO_LONG: u16 = 9005;
/// Nesting above its limit.
pub(super) const TOO_DEEP: u16 = 9006;

/// Names listed in a help text at most.
const MAX_LISTED: usize = 12;

/// Why an expression cannot be compiled or has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    /// Digits of the `MFnnnn` code.
    pub code: u16,
    /// What is wrong, without the source text around it.
    pub message: String,
    /// Where, as bytes of the text that was compiled (the decoded string).
    pub range: Range<usize>,
    /// What to do.
    pub help: Option<String>,
    /// Likely texts for `range`, best first; a single one is a fix.
    pub suggestions: Vec<String>,
}

impl ExprError {
    pub(super) fn new(code: u16, message: impl Into<String>, range: Range<usize>) -> ExprError {
        ExprError {
            code,
            message: message.into(),
            range,
            help: None,
            suggestions: Vec::new(),
        }
    }

    pub(super) fn help(mut self, text: impl Into<String>) -> ExprError {
        self.help = Some(text.into());
        self
    }

    pub(super) fn suggest(mut self, text: impl Into<String>) -> ExprError {
        self.suggestions.push(text.into());
        self
    }

    /// No value at `path`, which stands at `range` of `text`.
    #[cold]
    pub(super) fn unknown(
        path: &[&str],
        text: &str,
        range: Range<usize>,
        env: &dyn Env,
    ) -> ExprError {
        let written = path.join(".");
        if env.is_config(path) {
            return ExprError::new(
                CONFIG,
                format!("`{written}` is configuration, and expressions read inputs only"),
                range,
            )
            .help("make it a fact of the host or rack, or a `param`, and use that in both places");
        }
        let mut names = env.names();
        names.sort_by(|a, b| natural_cmp(a, b));
        names.dedup();
        let inner = format!("{written}.");
        if names.iter().any(|name| name.starts_with(&inner)) {
            let below: Vec<&str> = names
                .iter()
                .filter(|n| n.starts_with(&inner))
                .map(String::as_str)
                .collect();
            return ExprError::new(
                UNKNOWN,
                format!("`{written}` has no value of its own"),
                range,
            )
            .help(format!("it holds {}", listed(&below)));
        }
        if let Some((wide, name)) = with_hyphen(text, &range, &names) {
            return ExprError::new(
                UNKNOWN,
                format!("unknown name `{written}`: a hyphen is a minus here"),
                wide,
            )
            .help("names in expressions are joined by `_`")
            .suggest(name);
        }
        let mut error = ExprError::new(UNKNOWN, format!("unknown name `{written}`"), range);
        // Beside `host.slto` the other names of `host` are what a reader looks for.
        let prefix = written.rfind('.').map_or("", |dot| &written[..=dot]);
        let mut near: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| name.starts_with(prefix))
            .collect();
        if near.is_empty() {
            near = names.iter().map(String::as_str).collect();
        }
        if !near.is_empty() {
            // The name alone: its range, if it has one, has none.
            let more = if near == ["host.name"] {
                "; a range in the host's name gives more when it is named, as in `n[slot=1-8]`"
            } else {
                ""
            };
            error = error.help(format!("in scope: {}{more}", listed(&near)));
        }
        error.suggestions = nearest(&written, names.iter().map(String::as_str));
        error
    }
}

/// `bmc-net` for which `bmc_net` is in scope: the range of all of it, and that name.
fn with_hyphen(
    text: &str,
    range: &Range<usize>,
    names: &[String],
) -> Option<(Range<usize>, String)> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = text[..range.start].rfind(|c| !part(c)).map_or(0, |at| {
        at + text[at..].chars().next().map_or(1, char::len_utf8)
    });
    let end = text[range.end..]
        .find(|c| !part(c))
        .map_or(text.len(), |at| range.end + at);
    let joined = text[start..end].replace('-', "_");
    (text[start..end].contains('-') && names.contains(&joined)).then_some((start..end, joined))
}

/// `a, b, c and 4 more`.
fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MAX_LISTED)
        .map(|n| format!("`{n}`"))
        .collect();
    let mut out = shown.join(", ");
    if names.len() > MAX_LISTED {
        let more = (names.len() - MAX_LISTED).to_string();
        out.extend([" and ", &more, " more"]);
    }
    out
}

/// The names that `written` may stand for: equal but for case, few letters off, or the same name
/// without its first parts. All that are equally near, at most three.
pub(super) fn nearest<'n>(written: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let allowed = written.chars().count().max(3) / 3;
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let score = if name.eq_ignore_ascii_case(written) {
                0
            } else {
                match strsim::damerau_levenshtein(name, written) {
                    off if off <= allowed => off,
                    _ if ends_with_path(name, written) => allowed + 1,
                    _ => return None,
                }
            };
            Some((score, name))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| natural_cmp(a.1, b.1)));
    let best = found.first().map(|(score, _)| *score);
    found
        .into_iter()
        .take_while(|(score, _)| Some(*score) == best)
        .take(3)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Whether `name` is `written` with more in front: `host.slot` for `slot`.
fn ends_with_path(name: &str, written: &str) -> bool {
    name.strip_suffix(written)
        .is_some_and(|front| front.ends_with('.'))
}
