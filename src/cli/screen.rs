//! The live picture of a run: a table that updates in place on a terminal, plain lines otherwise.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::json;

use crate::api::Timestamp;
use crate::diag::one_line;
use crate::engine::{HostLine, Overview, Standing};
use crate::plan::HoldCode;
use crate::store::{Key, Object as _};

use super::Term;
use table::{Picture, table};

/// Remembers what was shown.
pub(super) struct Screen {
    term: Term,
    title: String,
    /// State and reason of each host as last printed, for plain lines.
    printed: BTreeMap<Key, (String, &'static str)>,
    /// The pools whose roll stopped, as last printed.
    stopped: BTreeSet<Arc<str>>,
    /// When the first picture was shown.
    began: Option<Timestamp>,
}

/// Rows of the table that are there whatever else is to be seen.
const LEAST: usize = 10;

impl Screen {
    /// A screen for one run; `title` names fleet and machines.
    pub fn new(term: &Term, title: String) -> Self {
        Self {
            term: term.clone(),
            title,
            printed: BTreeMap::new(),
            stopped: BTreeSet::new(),
            began: None,
        }
    }

    /// Shows the picture. `kept` says why what was last read of the spec is not followed.
    pub fn show(
        &mut self,
        overview: &Overview,
        standing: &Standing,
        kept: Option<&str>,
        now: Timestamp,
    ) {
        if self.term.quiet() {
            return;
        }
        if self.term.live() {
            let all = self.term.height().saturating_sub(2);
            // What was said last (a plan, diagnostics) stays in sight above the table.
            let height = all.saturating_sub(self.term.said()).max(LEAST.min(all));
            let text = table(&Picture {
                title: &self.title,
                overview,
                standing,
                kept,
                now,
                palette: self.term.palette_err(),
                width: self.term.width(),
                height,
            });
            self.term.redraw(&text);
        } else {
            self.stops(standing, now);
            self.lines(overview, now);
        }
    }

    /// A line for every roll that stopped: no plan says so, for it comes later.
    fn stops(&mut self, standing: &Standing, now: Timestamp) {
        let held = standing.held.iter();
        let stopped: BTreeMap<Arc<str>, Arc<str>> = held
            .filter(|(_, hold)| hold.code == HoldCode::RollStopped)
            .filter_map(|(action, hold)| Some((action.pool.clone()?, Arc::clone(&hold.text))))
            .collect();
        // The text changes with each of the machine's errors.
        for (_, text) in stopped
            .iter()
            .filter(|(pool, _)| !self.stopped.contains(*pool))
        {
            if self.term.json() {
                let fields = json!({ "code": HoldCode::RollStopped.as_str(), "blocked": true });
                self.term.event("WARN", text, fields);
            } else {
                let line = format!("{} {:<16} {text}\n", clock(now), "a roll stopped:");
                self.term.err(&line);
            }
        }
        self.stopped = stopped.into_keys().collect();
    }

    /// One line for every host whose state or reason is not the printed one.
    fn lines(&mut self, overview: &Overview, now: Timestamp) {
        let mut text = String::new();
        let began = *self.began.get_or_insert(now);
        let mut gone = std::mem::take(&mut self.printed);
        for line in &overview.hosts {
            let key = line.host.key();
            let before = gone.remove(&key);
            // In the midst of its turn the reason is of another state.
            if !line.current {
                self.printed.extend(before.map(|before| (key, before)));
                continue;
            }
            // Before its first turn nothing is known of a host that was not there before.
            let Some(code) = line.why.as_ref().map(|why| why.code) else {
                continue;
            };
            let shown = (line.state(), code);
            // Who rested before this command began has no news.
            let rested = line.settled && before.is_none() && is_older(line, began);
            let news = before.as_ref() != Some(&shown) && (!rested || self.term.json());
            let why = line.why.as_ref();
            let blocked = why.is_some_and(|why| why.blocked);
            // A new host's first step says little; that it cannot begin says much.
            let worth = !shown.0.is_empty() || blocked;
            if news && worth {
                let reason = why.map(|why| why.text.as_str()).unwrap_or_default();
                let state = named(&shown.0);
                if self.term.json() {
                    let fields = json!({
                        "namespace": *key.namespace, "host": *key.name,
                        "state": state, "code": code, "blocked": blocked,
                    });
                    self.term.event("INFO", reason, fields);
                } else {
                    let (time, reason) = (clock(now), one_line(reason));
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

/// True for a host that was made before then. Its time has whole seconds.
fn is_older(line: &HostLine, then: Timestamp) -> bool {
    let made = line.host.metadata.creation_timestamp;
    made.is_some_and(|made| then.duration_since(made).as_secs() >= 1)
}

/// A state in words.
fn named(state: &str) -> &str {
    if state.is_empty() { "new" } else { state }
}

fn clock(now: Timestamp) -> String {
    let text = now.to_string();
    text.get(11..19).unwrap_or(&text).to_owned()
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
}
