//! Rows of a plan in columns: word, count, hosts, what changes, where it is written.

use std::fmt;

/// Columns before the hosts: the word, the count and the spaces around it.
const HEAD: usize = 18;
/// Hosts that are wider than this have a line of their own.
const MOST_HOSTS: usize = 36;
/// Details that are wider than this do not push the places of others to the right.
const MOST_DETAIL: usize = 52;
/// Hosts are wrapped at this width.
const WIDTH: usize = 100;

#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Row>,
}

struct Row {
    word: String,
    count: usize,
    hosts: String,
    details: Vec<Detail>,
}

struct Detail {
    text: String,
    width: usize,
    site: String,
}

impl Table {
    /// Begins a row.
    pub fn head(&mut self, word: String, count: usize, hosts: String) {
        self.rows.push(Row {
            word,
            count,
            hosts,
            details: Vec::new(),
        });
    }

    /// Adds a line to the row that was begun last.
    pub fn detail(&mut self, text: String, site: &str) {
        let width = console::measure_text_width(&text);
        if let Some(row) = self.rows.last_mut() {
            row.details.push(Detail {
                text,
                width,
                site: site.to_owned(),
            });
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.rows.iter().map(|row| row.hosts.len());
        let hosts = widths
            .filter(|width| *width <= MOST_HOSTS)
            .max()
            .unwrap_or_default();
        let details = self.rows.iter().flat_map(|row| &row.details);
        let placed = details.filter(|detail| !detail.site.is_empty());
        let detail = placed
            .map(|detail| detail.width)
            .filter(|width| *width <= MOST_DETAIL)
            .max();
        for row in &self.rows {
            row.write(f, hosts, detail.unwrap_or_default())?;
        }
        Ok(())
    }
}

impl Row {
    fn write(&self, f: &mut fmt::Formatter<'_>, hosts: usize, detail: usize) -> fmt::Result {
        let lines = wrap(&self.hosts, WIDTH - HEAD);
        write!(f, "{} {:>4}  ", self.word, self.count)?;
        let mut at = HEAD;
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                write!(f, "\n{:HEAD$}", "")?;
            }
            f.write_str(line)?;
            at = HEAD + line.len();
        }
        let column = HEAD + hosts + 2;
        for one in &self.details {
            if at + 2 > column {
                f.write_str("\n")?;
                at = 0;
            }
            write!(f, "{:1$}{2}", "", column - at, one.text)?;
            if !one.site.is_empty() {
                write!(
                    f,
                    "{:1$}  {2}",
                    "",
                    detail.saturating_sub(one.width),
                    one.site
                )?;
            }
            at = usize::MAX - 2;
        }
        f.write_str("\n")
    }
}

/// Breaks a text at its spaces; what has none stays whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
