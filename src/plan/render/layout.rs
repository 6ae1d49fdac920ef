//! Rows of a plan in columns: word, count, hosts, what changes, where it is written.

use std::fmt;

/// Columns before the hosts: the word, the count and the spaces around it.
const HEAD: usize = 18;
/// Hosts that are wider than this have a line of their own.
const MOST_HOSTS: usize = 36;
/// Details that are wider than this do not push the places of others to the right.
const MOST_DETAIL: usize = 52;
/// Notes have at least this much room, where the text is wide enough.
const LEAST_NOTE: usize = 60;
/// Where it is not, they begin further left to have this much.
const NARROW_NOTE: usize = 50;

/// A space at which no line is broken.
pub(super) const FIXED: char = '\u{a0}';

pub(super) struct Table {
    rows: Vec<Row>,
    /// Hosts and notes are wrapped at this width.
    width: usize,
}

struct Row {
    word: String,
    count: usize,
    hosts: String,
    lines: Vec<Line>,
}

enum Line {
    /// A change, and where it is written.
    Change { text: String, site: String },
    /// A note, in a colour.
    Note {
        text: String,
        colour: &'static str,
        off: &'static str,
    },
}

impl Table {
    /// An empty table for so many columns.
    pub fn new(width: usize) -> Self {
        Self {
            rows: Vec::new(),
            width,
        }
    }

    /// Begins a row.
    pub fn head(&mut self, word: String, count: usize, hosts: String) {
        self.rows.push(Row {
            word,
            count,
            hosts,
            lines: Vec::new(),
        });
    }

    /// Adds a change to the row that was begun last.
    pub fn change(&mut self, text: &str, site: &str) {
        self.line(Line::Change {
            text: text.to_owned(),
            site: site.to_owned(),
        });
    }

    /// Adds a note to the row that was begun last.
    pub fn note(&mut self, text: String, colour: &'static str, off: &'static str) {
        self.line(Line::Note { text, colour, off });
    }

    fn line(&mut self, line: Line) {
        if let Some(row) = self.rows.last_mut() {
            row.lines.push(line);
        }
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.rows.iter().map(|row| row.hosts.len());
        let hosts = hosts.filter(|width| *width <= MOST_HOSTS).max();
        let placed = self
            .rows
            .iter()
            .flat_map(|row| &row.lines)
            .filter_map(|line| match line {
                Line::Change { text, site } if !site.is_empty() => Some(width(text)),
                Line::Change { .. } | Line::Note { .. } => None,
            });
        let change = placed.filter(|width| *width <= MOST_DETAIL).max();
        for row in &self.rows {
            let column = HEAD + hosts.unwrap_or_default() + 2;
            let narrow = self.width < super::WIDTH;
            let (column, room) = if narrow {
                let column = column.min(self.width.saturating_sub(NARROW_NOTE).max(HEAD + 2));
                // All lines of a note but the first are indented.
                (column, self.width.saturating_sub(column + 2))
            } else {
                (column, self.width.saturating_sub(column).max(LEAST_NOTE))
            };
            let places = Places {
                width: self.width,
                column,
                room,
                change: change.unwrap_or_default(),
            };
            row.write(f, &places)?;
        }
        Ok(())
    }
}

/// Where things stand.
struct Places {
    /// Columns of all.
    width: usize,
    /// Where lines begin, and how wide notes may be there.
    column: usize,
    room: usize,
    /// Where it is written stands so much further right.
    change: usize,
}

impl Row {
    /// Writes the row with its lines.
    fn write(&self, f: &mut fmt::Formatter<'_>, places: &Places) -> fmt::Result {
        let column = places.column;
        write!(f, "{} {:>4}  ", self.word, self.count)?;
        let hosts = wrap(&self.hosts, places.width.saturating_sub(HEAD));
        f.write_str(&hosts.join(&format!("\n{:HEAD$}", "")))?;
        // The first line goes beside the hosts if they leave room for it.
        let mut at = HEAD + hosts.last().map_or(0, String::len);
        for line in &self.lines {
            for text in line.show(places.room, places.change) {
                if at + 2 > column {
                    f.write_str("\n")?;
                    at = 0;
                }
                write!(f, "{:1$}{text}", "", column - at)?;
                at = column;
            }
        }
        f.write_str("\n")
    }
}

impl Line {
    fn show(&self, room: usize, change: usize) -> Vec<String> {
        match self {
            Self::Change { text, site } if site.is_empty() => vec![text.clone()],
            Self::Change { text, site } => {
                let gap = change.saturating_sub(width(text)) + 2;
                vec![format!("{text}{:gap$}{site}", "")]
            }
            Self::Note { text, colour, off } => {
                let lines = wrap(text, room).into_iter().enumerate();
                let show = |(index, line): (usize, String)| {
                    let indent = if index == 0 { "" } else { "  " };
                    format!("{indent}{colour}{}{off}", line.replace(FIXED, " "))
                };
                lines.map(show).collect()
            }
        }
    }
}

/// Breaks a text at its spaces; a word that is wider than a line stays whole.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
