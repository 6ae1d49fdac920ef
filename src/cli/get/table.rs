//! Hosts as a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::names::annotation;
use crate::api::{BareMetalHost, Timestamp};
use crate::cli::screen;
use crate::diag::one_line;
use crate::serve::client::Reason;
use crate::store::Object as _;

/// What a table has beside what every one has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Columns {
    /// Rack, BMC, image and id.
    pub wide: bool,
    /// Since when the reason holds: hosts of a cluster tell it.
    pub since: bool,
    /// Hosts of several namespaces.
    pub namespace: bool,
}

/// The hosts, one a line, with why each is where it is.
pub(super) fn table(
    hosts: &[Arc<BareMetalHost>],
    reasons: &[Reason],
    now: Timestamp,
    columns: Columns,
) -> String {
    let mut rows: Vec<Vec<String>> = Vec::with_capacity(hosts.len() + 1);
    let mut head = vec!["NAME", "STATE", "POWER", "POOL", "AGE"];
    if columns.wide {
        head.extend(["RACK", "BMC", "IMAGE", "ID"]);
    }
    if columns.since {
        head.push("SINCE");
    }
    head.push("REASON");
    if columns.namespace {
        head.insert(0, "NAMESPACE");
    }
    rows.push(head.into_iter().map(str::to_owned).collect());
    let reasons: BTreeMap<(&str, &str), &Reason> = reasons
        .iter()
        .map(|reason| ((&*reason.namespace, &*reason.name), reason))
        .collect();
    for host in hosts {
        let key = host.key();
        let reason = reasons.get(&(&*key.namespace, &*key.name)).copied();
        rows.push(row(host, reason, now, columns));
    }
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(
    host: &Arc<BareMetalHost>,
    reason: Option<&Reason>,
    now: Timestamp,
    columns: Columns,
) -> Vec<String> {
    let key = host.key();
    let status = host.status.as_ref();
    let since = reason.and_then(|reason| reason.since);
    let reason = reason
        .map(|reason| match &reason.held {
            Some(held) => held.text.clone(),
            None => reason.text.clone(),
        })
        .or_else(|| status.map(|status| status.error_message.clone()));
    let line = crate::engine::HostLine {
        host: Arc::clone(host),
        why: None,
        since: None,
        settled: false,
        needs_person: false,
        current: true,
    };
    let created = host.metadata.creation_timestamp;
    let age = created
        .map(|time| screen::age(time, now))
        .unwrap_or_default();
    let mark = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text.to_owned()
        }
    };
    let mut cells = vec![
        key.name.to_string(),
        mark(&line.state()),
        screen::power(&line).to_owned(),
        mark(host.annotation(annotation::POOL).unwrap_or_default()),
        age,
    ];
    if columns.wide {
        let image = status.map(|status| status.provisioning.image.url.as_str());
        let id = status.map(|status| status.provisioning.id.as_str());
        cells.push(mark(host.annotation(annotation::RACK).unwrap_or_default()));
        cells.push(mark(&host.spec.bmc.address));
        cells.push(mark(image.unwrap_or_default()));
        cells.push(mark(id.unwrap_or_default()));
    }
    if columns.since {
        cells.push(mark(
            &since
                .map(|since| screen::age(since, now))
                .unwrap_or_default(),
        ));
    }
    cells.push(reason.unwrap_or_default());
    if columns.namespace {
        cells.insert(0, key.namespace.to_string());
    }
    cells.iter().map(|cell| one_line(cell)).collect()
}
