//! The table of a terminal: what holds the fleet up, then as many hosts as there is room for.

use std::collections::BTreeMap;

use crate::api::Timestamp;
use crate::diag::one_line;
use crate::engine::{HostLine, Overview, Standing};
use crate::eval::range::fold;
use crate::plan::Palette;
use crate::store::Object as _;

use super::{age, named, power};

/// What is shown, and how large.
pub(super) struct Picture<'a> {
    /// Fleet and machines.
    pub title: &'a str,
    pub overview: &'a Overview,
    pub standing: &'a Standing,
    /// Why what was last read of the spec is not followed.
    pub kept: Option<&'a str>,
    pub now: Timestamp,
    pub palette: Palette,
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

/// Reasons to wait that are shown, and lines that one may take.
const REASONS: usize = 3;
const LINES: usize = 3;
/// Lines that are there whatever waits: the heads, three hosts, and how many more there are.
const HOSTS: usize = 5;

/// The table: a summary, what is held up, the column heads, as many hosts as fit, what was left out.
pub(super) fn table(picture: &Picture<'_>) -> String {
    let Picture { palette, width, .. } = *picture;
    let states = picture.overview.states();
    let summary: Vec<String> = states
        .iter()
        .map(|(state, count)| format!("{count} {}", named(state)))
        .collect();
    let head = format!("{}: {}", picture.title, summary.join(", "));
    let mut lines = vec![cut(&head, width)];
    if let Some(kept) = picture.kept {
        let text = format!("  the last good fleet is kept: {kept}");
        colour(&mut lines, &text, palette.red, palette, width);
    }
    held(picture, &mut lines);
    // A picture that is higher than the terminal cannot be taken away again.
    let most = picture.height.saturating_sub(HOSTS).max(1);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut().filter(|_| most > 1) {
            *last = cut("  and more; see `metalform plan`", width);
        }
    }
    let mut order: Vec<&HostLine> = picture.overview.hosts.iter().collect();
    let room = picture.height.saturating_sub(lines.len() + 2).max(1);
    if order.len() > room {
        order.sort_by_key(|line| rank(line));
    }
    let shown = &order[..order.len().min(room)];
    let columns = Columns::of(shown, width);
    let head = columns.row(["NAME", "STATE", "POWER", "POOL", "SINCE", "REASON"]);
    lines.push(format!(
        "{}{}{}",
        palette.dim,
        cut(&head, width),
        palette.off
    ));
    for line in shown {
        lines.push(row(line, &columns, picture));
    }
    if order.len() > room {
        let rest = &order[room..];
        let settled = rest.iter().filter(|line| line.settled).count();
        let more = format!("… and {} more hosts, {settled} of them settled", rest.len());
        lines.push(cut(&more, width));
    }
    lines.join("\n") + "\n"
}

/// What waits, by reason: who, why, and what to do.
fn held(picture: &Picture<'_>, lines: &mut Vec<String>) {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (action, hold) in picture.standing.held.iter() {
        let hosts = reasons.entry(&hold.text).or_default();
        hosts.push(&action.host.name);
    }
    let palette = picture.palette;
    for (text, hosts) in reasons.iter().take(REASONS) {
        let verb = if hosts.len() == 1 { "waits" } else { "wait" };
        let text = format!("  {} {verb}: {text}", fold(hosts));
        colour(lines, &text, palette.yellow, palette, picture.width);
    }
    if let Some(more @ 1..) = reasons.len().checked_sub(REASONS) {
        let plural = if more == 1 { "" } else { "s" };
        lines.push(cut(
            &format!("  and {more} more reason{plural} to wait; see `metalform plan`"),
            picture.width,
        ));
    }
}

/// A text over as many lines as it takes, within limits.
fn colour(lines: &mut Vec<String>, text: &str, colour: &str, palette: Palette, width: usize) {
    for line in wrap(text, width) {
        lines.push(format!("{colour}{line}{}", palette.off));
    }
}

/// Widths of the columns whose contents the fleet chooses.
struct Columns {
    name: usize,
    pool: usize,
}

impl Columns {
    /// As wide as what is shown, within what leaves room for the reason.
    fn of(shown: &[&HostLine], width: usize) -> Self {
        let widest = |text: &dyn Fn(&HostLine) -> usize, most: usize| {
            let all = shown.iter().map(|line| text(line));
            all.max().unwrap_or(4).clamp(4, most.max(4))
        };
        Self {
            name: widest(&|line| line.host.key().name.chars().count(), width / 3),
            pool: widest(
                &|line| line.pool().map_or(1, |pool| pool.chars().count()),
                width / 6,
            ),
        }
    }

    fn row(&self, [name, state, power, pool, since, reason]: [&str; 6]) -> String {
        format!(
            "{:<name_width$}  {state:<13} {power:<5} {:<pool_width$} {since:>5}  {reason}",
            cut(name, self.name),
            cut(pool, self.pool),
            name_width = self.name,
            pool_width = self.pool,
        )
    }
}

fn row(line: &HostLine, columns: &Columns, picture: &Picture<'_>) -> String {
    let palette = picture.palette;
    let why = line.why.as_ref();
    let colour = match rank(line) {
        0 => palette.red,
        1 => "",
        _ => palette.dim,
    };
    let off = if colour.is_empty() { "" } else { palette.off };
    let since = line.since.map(|since| age(since, picture.now));
    let text = columns.row([
        &line.host.key().name,
        named(&line.state()),
        power(line),
        line.pool().unwrap_or("-"),
        &since.unwrap_or_default(),
        &why.map(|why| one_line(&why.text)).unwrap_or_default(),
    ]);
    format!("{colour}{}{off}", cut(&text, picture.width))
}

/// How important a host is to somebody who looks: blocked, then under way, then settled.
fn rank(line: &HostLine) -> u8 {
    match (
        line.why.as_ref().is_some_and(|why| why.blocked),
        line.settled,
    ) {
        (true, _) => 0,
        (false, false) => 1,
        (false, true) => 2,
    }
}

/// At most `width` columns; what is cut is marked.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Lines of at most `width` columns, broken between words, those after the first indented.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let indent = text.len() - text.trim_start().len();
    let mut line = " ".repeat(indent);
    for word in text.split_whitespace() {
        let long = line.chars().count() + 1 + word.chars().count() > width;
        if long && !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent + 2)));
        }
        if !line.trim().is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    if lines.len() > LINES {
        lines.truncate(LINES);
        if let Some(last) = lines.last_mut() {
            last.push_str(" …");
        }
    }
    lines.iter().map(|line| cut(line, width)).collect()
}

#[cfg(test)]
mod tests;
