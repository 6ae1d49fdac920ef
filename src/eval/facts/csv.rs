//! Tables of facts in files of comma-separated values.

use super::*;

/// Comma-separated values as RFC 4180 has them, with a header of fact names.
pub(super) fn read(
    file: FileId,
    files: &Files,
    table: &mut Table,
    findings: &mut Findings,
) -> bool {
    let text = files.text(file);
    let start = text
        .strip_prefix('\u{feff}')
        .map_or(0, |_| '\u{feff}'.len_utf8());
    let mut records = Records {
        text,
        at: start,
        unclosed: None,
    };
    let place = |span: Span| span.in_file(file);
    let Some(header) = records.next() else {
        findings.add(Diagnostic::error(
            Code(2005),
            "the table is empty: its first line has to name the facts",
            place(Span::point(0)),
            "",
        ));
        return false;
    };
    let mut fine = true;
    let mut names: Vec<Arc<str>> = Vec::new();
    for (span, name) in &header {
        if let Err(finding) = cell_name(name.trim(), place(*span)) {
            findings.add(finding);
            fine = false;
        }
        names.push(Arc::from(name.trim()));
    }
    table.columns.extend(names.iter().map(Arc::clone));
    let Some(key) = names.iter().position(|name| **name == *table.key) else {
        findings.add(
            Diagnostic::error(
                Code(2301),
                format!("the table has no column `{}`", table.key),
                place(header[0].0),
                "",
            )
            .note(format!("it has {}", names.join(", "))),
        );
        return false;
    };
    for record in &mut records {
        if record.len() == 1 && record[0].1.trim().is_empty() {
            continue;
        }
        if record.len() != names.len() {
            findings.add(Diagnostic::error(
                Code(2004),
                format!(
                    "this line has {} values, the header has {}",
                    record.len(),
                    names.len()
                ),
                place(record[0].0),
                "",
            ));
            fine = false;
            continue;
        }
        let mut cells = Vec::new();
        for (name, (span, cell)) in names.iter().zip(&record) {
            let cell = cell.trim();
            if **name == *table.key || cell.is_empty() {
                continue;
            }
            cells.push((Arc::clone(name), typed(cell), place(*span)));
        }
        let (span, value) = &record[key];
        fine &= add_row(
            table,
            &plain(&typed(value.trim())),
            cells,
            place(*span),
            findings,
        );
    }
    if let Some(span) = records.unclosed {
        findings.add(
            Diagnostic::error(
                Code(2005),
                "the quote of this value never ends",
                place(span),
                "",
            )
            .help("close it with `\"`; a quote inside a quoted value is written twice"),
        );
        fine = false;
    }
    fine
}

/// Whole numbers are numbers; what only looks like one (`007`, `+1`) stays text.
fn typed(cell: &str) -> Val {
    match cell.parse::<i64>() {
        Ok(number) if number.to_string() == cell => Val::Int(number),
        _ => Val::from(cell),
    }
}

/// Lines of a CSV text.
struct Records<'a> {
    text: &'a str,
    at: usize,
    /// The quote that nothing closes; the rest of the text is its value.
    unclosed: Option<Span>,
}

impl Iterator for Records<'_> {
    type Item = Vec<(Span, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        if self.at >= bytes.len() {
            return None;
        }
        let mut record = Vec::new();
        loop {
            let start = self.at;
            let mut cell = String::new();
            if bytes.get(self.at) == Some(&b'"') {
                self.at += 1;
                loop {
                    let Some(offset) = self.text[self.at..].find('"') else {
                        cell.push_str(&self.text[self.at..]);
                        self.at = bytes.len();
                        self.unclosed = Some(Span::new(start as u32, start as u32 + 1));
                        break;
                    };
                    cell.push_str(&self.text[self.at..self.at + offset]);
                    self.at += offset + 1;
                    if bytes.get(self.at) != Some(&b'"') {
                        break;
                    }
                    cell.push('"');
                    self.at += 1;
                }
            }
            let rest = &self.text[self.at..];
            let end = rest.find([',', '\n', '\r']).unwrap_or(rest.len());
            cell.push_str(&rest[..end]);
            self.at += end;
            record.push((Span::new(start as u32, self.at as u32), cell));
            match bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'\r') if bytes.get(self.at + 1) == Some(&b'\n') => {
                    self.at += 2;
                    return Some(record);
                }
                Some(_) => {
                    self.at += 1;
                    return Some(record);
                }
                None => return Some(record),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Records<'_> {
        Records {
            text,
            at: 0,
            unclosed: None,
        }
    }

    #[test]
    fn csv_is_read_with_quotes_and_both_line_ends() {
        let text = "slot,mac\r\n1,\"a,\"\"b\"\n2,c";
        let records: Vec<Vec<String>> = records(text)
            .map(|record| record.into_iter().map(|(_, cell)| cell).collect())
            .collect();
        assert_eq!(
            records,
            [vec!["slot", "mac"], vec!["1", "a,\"b"], vec!["2", "c"]]
        );
    }

    #[test]
    fn a_quote_that_nothing_closes_takes_all_that_follows() {
        let mut records = records("a,\"b\nc,d\n");
        let found: Vec<_> = records.by_ref().collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0][1].1, "b\nc,d\n");
        assert_eq!(records.unclosed, Some(Span::new(2, 3)));
    }

    #[test]
    fn numbers_are_numbers_only_if_they_are_written_as_one() {
        assert_eq!(typed("12"), Val::Int(12));
        assert_eq!(typed("012"), Val::from("012"));
        assert_eq!(typed("-"), Val::from("-"));
    }
}
