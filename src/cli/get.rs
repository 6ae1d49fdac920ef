//! `metalform get`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use clap::builder::{PathBufValueParser, TypedValueParser as _};
use serde_json::json;

use crate::api::names::annotation;
use crate::api::{BareMetalHost, Timestamp};
use crate::diag::one_line;
use crate::diag::suggest::similar;
use crate::eval::ROOT_FILE;
use crate::serve::client::Reason;
use crate::store::Object as _;

use super::home::{self, Home};
use super::source::Source;
use super::{Exit, Failure, Term, screen};

/// Show hosts: state, power, pool, age, reason
///
/// Reads the store beside the spec, through the running `metalform run` where there is one. Exits
/// with 1 when a host that was named is not there.
#[derive(Debug, clap::Args)]
pub struct GetArgs {
    /// What to show: hosts, host/NAME, or a host's name
    #[arg(default_value = "hosts", value_name = "WHAT")]
    what: String,
    /// More names, ranges or patterns: "r01-n[01-04]", "r01-*"
    #[arg(value_name = "NAMES")]
    names: Vec<String>,
    /// Folder of the spec
    #[arg(
        long,
        short = 'C',
        default_value = ".",
        value_name = "SPEC",
        value_parser = PathBufValueParser::new().map(home::as_seen)
    )]
    spec: std::path::PathBuf,
    /// Format
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Wide,
    Json,
    Yaml,
    Name,
}

pub(super) fn get(term: &Term, args: &GetArgs) -> Result<Exit, Failure> {
    show(term, args).inspect_err(|failure| {
        // Hosts that are not there are an answer, which was given.
        if args.output == Output::Json && failure.exit != Exit::No {
            let status = json!({
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "message": failure.text,
            });
            term.out(&format!("{status:#}\n"));
        }
    })
}

fn show(term: &Term, args: &GetArgs) -> Result<Exit, Failure> {
    let mut names = args.names.clone();
    match args.what.split_once('/') {
        Some(("host" | "hosts" | "bmh", name)) => names.push(name.to_owned()),
        None if matches!(args.what.as_str(), "host" | "hosts" | "bmh") => {}
        // A name alone can only be a host's.
        None => names.push(args.what.clone()),
        Some(_) => {
            let text = format!("cannot show `{}`", args.what);
            return Err(Failure::new(Exit::Usage, text).help(where_is(&args.what)));
        }
    }
    if !args.spec.exists() {
        let text = format!("no spec at {}", args.spec.display());
        return Err(Failure::new(Exit::Usage, text).help("-C names the folder of the spec"));
    }
    if args.spec.is_dir()
        && !args.spec.join(ROOT_FILE).exists()
        && !Home::of(&args.spec).store().exists()
    {
        let text = format!("no `{ROOT_FILE}` in {}", args.spec.display());
        return Err(Failure::new(Exit::Usage, text).help("-C names the folder of the spec"));
    }
    let patterns: Vec<_> = names
        .iter()
        .map(|name| super::pattern(name))
        .collect::<Result<_, _>>()?;
    let (hosts, reasons, driven) = read(args)?;
    let all: Vec<Arc<str>> = hosts.iter().map(|host| host.key().name).collect();
    let missing: Vec<&str> = names
        .iter()
        .zip(&patterns)
        .filter(|(_, pattern)| !hosts.iter().any(|host| pattern.matches(&host.key().name)))
        .map(|(name, _)| name.as_str())
        .collect();
    let mut hosts: Vec<_> = hosts
        .into_iter()
        .filter(|host| {
            let name = host.key().name;
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(&name))
        })
        .collect();
    hosts.sort_by(|a, b| crate::eval::range::natural_cmp(&a.key().name, &b.key().name));
    if hosts.is_empty() && names.is_empty() {
        term.say(&format!(
            "no hosts in the store beside {0}; `metalform run {0}` makes those of the spec",
            args.spec.display()
        ));
    }
    if !driven && !hosts.is_empty() && matches!(args.output, Output::Table | Output::Wide) {
        term.say("no `metalform run` drives these hosts: this is how they were last seen");
    }
    let now = jiff::Timestamp::now();
    let text = match args.output {
        Output::Name => {
            let names: Vec<String> = hosts
                .iter()
                .map(|host| format!("host/{}\n", host.key().name))
                .collect();
            names.concat()
        }
        Output::Json => {
            // One object where one host was named, a list for whatever a pattern finds.
            let value = match (names.as_slice(), hosts.as_slice()) {
                ([name], [host]) if *name == *host.key().name => serde_json::to_value(&**host),
                _ => Ok(json!({"apiVersion": "v1", "kind": "List", "items": hosts})),
            };
            format!("{:#}\n", value.unwrap_or_default())
        }
        Output::Yaml => {
            let documents = hosts
                .iter()
                .map(|host| serde_yaml_ng::to_string(&**host).map(|yaml| format!("---\n{yaml}")));
            documents.collect::<Result<String, _>>().map_err(|error| {
                Failure::new(Exit::Remote, format!("cannot write YAML: {error}"))
            })?
        }
        Output::Table | Output::Wide if hosts.is_empty() => String::new(),
        Output::Table | Output::Wide => table(&hosts, &reasons, now, args.output == Output::Wide),
    };
    term.out(&text);
    if missing.is_empty() {
        return Ok(Exit::Success);
    }
    let text = format!("no host matches {}", missing.join(" "));
    let failure = Failure::new(Exit::No, text);
    let near = |name: &&str| similar(name, all.iter().map(|name| &**name));
    Err(match missing.iter().find_map(near) {
        Some(near) => failure.help(format!("did you mean `{}`?", near.word)),
        None => match missing.iter().find(|name| Path::new(name).exists()) {
            Some(folder) => failure.help(where_is(folder)),
            None => failure,
        },
    })
}

/// What to do with an argument that is no host.
fn where_is(what: &str) -> String {
    if Path::new(what).exists() {
        format!("`metalform get -C {what}` shows the hosts of that spec")
    } else {
        "`hosts` and `host/NAME` can be shown".to_owned()
    }
}

/// The hosts, why each is where it is, and whether somebody drives them.
fn read(args: &GetArgs) -> Result<(Vec<Arc<BareMetalHost>>, Vec<Reason>, bool), Failure> {
    let home = Home::of(&args.spec);
    super::runtime()?.block_on(Source::read(&home, async |source| {
        let driven = matches!(source, Source::Running(_));
        Ok((source.hosts().await?, source.reasons().await?, driven))
    }))
}

fn table(hosts: &[Arc<BareMetalHost>], reasons: &[Reason], now: Timestamp, wide: bool) -> String {
    let mut rows: Vec<Vec<String>> = Vec::with_capacity(hosts.len() + 1);
    let mut head = vec!["NAME", "STATE", "POWER", "POOL", "AGE", "REASON"];
    if wide {
        head.splice(5..5, ["RACK", "BMC", "IMAGE", "ID"]);
    }
    rows.push(head.into_iter().map(str::to_owned).collect());
    let reasons: BTreeMap<(&str, &str), &Reason> = reasons
        .iter()
        .map(|reason| ((&*reason.namespace, &*reason.name), reason))
        .collect();
    for host in hosts {
        let key = host.key();
        let reason = reasons.get(&(&*key.namespace, &*key.name)).copied();
        rows.push(row(host, reason, now, wide));
    }
    let columns = rows[0].len();
    let widths: Vec<usize> = (0..columns)
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
    wide: bool,
) -> Vec<String> {
    let key = host.key();
    let status = host.status.as_ref();
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
    if wide {
        let image = status.map(|status| status.provisioning.image.url.as_str());
        let id = status.map(|status| status.provisioning.id.as_str());
        cells.push(mark(host.annotation(annotation::RACK).unwrap_or_default()));
        cells.push(mark(&host.spec.bmc.address));
        cells.push(mark(image.unwrap_or_default()));
        cells.push(mark(id.unwrap_or_default()));
    }
    cells.push(reason.unwrap_or_default());
    cells.iter().map(|cell| one_line(cell)).collect()
}
