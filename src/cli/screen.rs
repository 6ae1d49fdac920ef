//! The live picture of a run: a table that updates in place on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use crate::api::Timestamp;
use crate::engine::{HostLine, Overview, Standing};
use crate::plan::Palette;
use crate::store::{Key, Object as _};

use super::Term;

/// Remembers what was shown.
pub(super) struct Screen {
    term: Term,
    title: String,
    /// State and reason of each host as last printed, for plain lines.
    printed: BTreeMap<Key, (String, &'static str)>,
}

impl Screen {
    /// A screen for one run; `title` names fleet and machines.
    pub fn new(term: &Term, title: String) -> Self {
        Self {
            term: term.clone(),
            title,
            printed: BTreeMap::new(),
        }
    }

    /// Shows the picture.
    pub fn show(&mut self, overview: &Overview, standing: &Standing, now: Timestamp) {
        if self.term.quiet() {
            return;
        }
        if self.term.live() {
            let height = self.term.height().saturating_sub(2);
            let text = table(
                &self.title,
                overview,
                standing,
                now,
                self.term.palette_err(),
                (self.term.width(), height),
            );
            self.term.redraw(&text);
        } else {
            self.lines(overview, now);
        }
    }

    /// One line for every host whose state or reason is not the printed one.
    fn lines(&mut self, overview: &Overview, now: Timestamp) {
        let mut text = String::new();
        let mut gone = std::mem::take(&mut self.printed);
        for line in &overview.hosts {
            let key = line.host.key();
            // Before its first turn nothing is known of a host that was not there before.
            let Some(code) = line.why.as_ref().map(|why| why.code) else {
                gone.remove(&key);
                continue;
            };
            let shown = (line.state(), code);
            let why = line.why.as_ref();
            let blocked = why.is_some_and(|why| why.blocked);
            // A new host's first step says little; that it cannot begin says much.
            let worth = !shown.0.is_empty() || blocked;
            if gone.remove(&key).as_ref() != Some(&shown) && worth {
                let reason = why.map(|why| why.text.as_str()).unwrap_or_default();
                let state = named(&shown.0);
                if self.term.json() {
                    let fields = json!({
                        "namespace": *key.namespace, "host": *key.name,
                        "state": state, "code": code, "blocked": blocked,
                    });
                    self.term.event("INFO", reason, fields);
                } else {
                    let time = clock(now);
                    let _ = writeln!(text, "{time} {:<16} {state:<14} {reason}", key.name);
                }
            }
            self.printed.insert(key, shown);
        }
        for key in gone.keys() {
            if self.term.json() {
                let fields = json!({
                    "namespace": *key.namespace, "host": *key.name, "state": "gone",
                });
                self.term.event("INFO", "gone", fields);
            } else {
                let _ = writeln!(text, "{} {:<16} {:<14}", clock(now), key.name, "gone");
            }
        }
        if !text.is_empty() {
            self.term.err(&text);
        }
    }
}

/// A state in words.
fn named(state: &str) -> &str {
    if state.is_empty() { "new" } else { state }
}

fn clock(now: Timestamp) -> String {
    let text = now.to_string();
    text.get(11..19).unwrap_or(&text).to_owned()
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

/// The table: a summary line, the column heads, as many hosts as fit, what was left out.
fn table(
    title: &str,
    overview: &Overview,
    standing: &Standing,
    now: Timestamp,
    palette: Palette,
    (width, height): (usize, usize),
) -> String {
    let states = overview.states();
    let summary: Vec<String> = states
        .iter()
        .map(|(state, count)| format!("{count} {}", named(state)))
        .collect();
    let mut lines = vec![cut(&format!("{title}: {}", summary.join(", ")), width)];
    let mut held: BTreeMap<&str, usize> = BTreeMap::new();
    standing
        .held
        .iter()
        .for_each(|(_, hold)| *held.entry(&*hold.text).or_default() += 1);
    for (text, count) in held.iter().take(3) {
        let line = cut(&format!("  waits ({count}): {text}"), width);
        lines.push(format!("{}{line}{}", palette.yellow, palette.off));
    }
    if held.len() > 3 {
        lines.push(format!(
            "  and {} more reasons to wait; see `metalform plan`",
            held.len() - 3
        ));
    }
    let mut order: Vec<&HostLine> = overview.hosts.iter().collect();
    let room = height.saturating_sub(lines.len() + 2).max(3);
    if order.len() > room {
        order.sort_by_key(|line| rank(line));
    }
    let name = order
        .iter()
        .take(room)
        .map(|line| line.host.key().name.len())
        .max()
        .unwrap_or(4);
    let name = name.clamp(4, 32);
    lines.push(format!(
        "{}{:<name$}  {:<13} {:<5} {:<14} {:>5}  REASON{}",
        palette.dim, "NAME", "STATE", "POWER", "POOL", "SINCE", palette.off
    ));
    for line in order.iter().take(room) {
        lines.push(row(line, now, name, palette, width));
    }
    if order.len() > room {
        let rest = &order[room..];
        let settled = rest.iter().filter(|line| line.settled).count();
        lines.push(format!(
            "… and {} more hosts, {settled} of them settled",
            rest.len()
        ));
    }
    lines.join("\n") + "\n"
}

fn row(line: &HostLine, now: Timestamp, name: usize, palette: Palette, width: usize) -> String {
    let why = line.why.as_ref();
    let colour = match rank(line) {
        0 => palette.red,
        1 => "",
        _ => palette.dim,
    };
    let off = if colour.is_empty() { "" } else { palette.off };
    let power = power(line);
    let since = line.since.map(|since| age(since, now)).unwrap_or_default();
    let text = format!(
        "{:<name$}  {:<13} {power:<5} {:<14} {since:>5}  {}",
        line.host.key().name,
        named(&line.state()),
        line.pool().unwrap_or("-"),
        why.map(|why| why.text.as_str()).unwrap_or_default(),
    );
    format!("{colour}{}{off}", cut(&text, width))
}

/// `on`, `off`, or what it is and will be.
pub(super) fn power(line: &HostLine) -> &'static str {
    let Some(status) = line.host.status.as_ref() else {
        return "-";
    };
    match (status.powered_on, line.host.spec.online) {
        (true, true) => "on",
        (false, false) => "off",
        (true, false) => "on!",
        (false, true) => "off!",
    }
}

/// `5s`, `3m`, `2h`, `4d`.
pub(super) fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        let age = |seconds: i64| age(at(0), at(seconds));
        assert_eq!(
            [age(0), age(119), age(120), age(7200)],
            ["0s", "119s", "2m", "2h"]
        );
        assert_eq!([age(-5), age(172_800)], ["0s", "2d"]);
    }

    #[test]
    fn long_lines_are_cut_with_a_mark() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
