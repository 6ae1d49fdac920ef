//! `metalform explain`: a rule, a reason, or where a value comes from.

mod host;

use std::fmt::Write as _;
use std::path::Path;

use crate::diag::Code;
use crate::diag::codes;
use crate::diag::suggest::similar;
use crate::eval::{self, Ladder, Rung};
use crate::fleet::Fleet;
use crate::plan::{HoldCode, Palette};
use crate::reconcile::why;
use crate::schema::Entity;

use super::cluster::ClusterArgs;
use super::{Exit, Failure, SpecArgs, Term, home, spec};

/// Explain a rule (MF2400), a reason (CredentialsMissing, NeedsAllowDestroy), or a host's value
///
/// For a value: who wins, who loses, where each is written, and what it compiles to.
///
/// Without a field: all values of the host, and where each is written. With a cluster (`--context`,
/// `--namespace`): where the host is, what it waits for, and what a person could do.
///
/// Example: metalform explain host/r01-n07 boot.mac specs/lab
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// A rule's code, the code of what a host or a plan waits for, or host/NAME
    #[arg(value_name = "SUBJECT")]
    subject: String,
    /// The field, e.g. boot.mac
    #[arg(value_name = "FIELD")]
    field: Option<String>,
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
}

pub(super) fn explain(term: &Term, args: &ExplainArgs) -> Result<Exit, Failure> {
    let palette = term.palette();
    if let Some(("host" | "hosts" | "bmh", name)) = args.subject.split_once('/') {
        return match &args.field {
            // `explain host/NAME SPEC`: a path that is there and no field.
            Some(path)
                if args.spec.spec == home::as_seen(".".into())
                    && !is_field(path)
                    && Path::new(path).exists() =>
            {
                let spec = SpecArgs {
                    spec: path.into(),
                    ..args.spec.clone()
                };
                of_host(term, args, &spec, name)
            }
            Some(field) => value(term, &args.spec, name, field),
            None => of_host(term, args, &args.spec, name),
        };
    }
    if let Ok(code) = args.subject.parse::<Code>() {
        let Some(entry) = codes::find(code) else {
            return Err(Failure::new(Exit::No, format!("there is no rule {code}")));
        };
        term.out(&page(entry, palette));
        return Ok(Exit::Success);
    }
    let found = reasons(&args.subject);
    if !found.is_empty() {
        term.out(&found);
        return Ok(Exit::Success);
    }
    let text = format!(
        "`{}` is neither a rule, nor a reason, nor host/NAME",
        args.subject
    );
    Err(Failure::new(Exit::Usage, text).help("e.g. MF2400, CredentialsMissing, host/r01-n07"))
}

/// A host of a cluster where one is meant; else what the spec says of one.
fn of_host(term: &Term, args: &ExplainArgs, spec: &SpecArgs, name: &str) -> Result<Exit, Failure> {
    if args.cluster.is_meant_for(&spec.spec) {
        return super::runtime()?.block_on(host::explain(term, &args.cluster, spec, name));
    }
    values(term, spec, name)
}

/// What a code means for a host and for a change of a plan; `MachineTaken` is said of both.
fn reasons(code: &str) -> String {
    let hosts = why::Code::ALL.iter().map(|one| (one.as_str(), one.doc()));
    let plans = HoldCode::ALL.iter().map(|one| (one.as_str(), one.doc()));
    let hosts = hosts.map(|(name, doc)| (name, "what a host waits for", doc));
    let plans = plans.map(|(name, doc)| (name, "what a change of a plan waits for", doc));
    let pages = hosts
        .chain(plans)
        .filter(|(name, ..)| name.eq_ignore_ascii_case(code));
    let page = |(name, of, doc): (&str, &str, &str)| {
        let lines: Vec<&str> = doc.lines().map(str::trim).collect();
        format!("{name} ({of})\n\n{}\n", lines.join("\n"))
    };
    pages.map(page).collect::<Vec<_>>().join("\n")
}

/// A rule's page.
fn page(entry: &codes::Entry, palette: Palette) -> String {
    let Palette { dim, off, .. } = palette;
    let mut text = format!(
        "{} ({}, {})\n\n{}\n",
        entry.code, entry.slug, entry.severity, entry.summary
    );
    let mut part = |title: &str, body: &str, code: bool| {
        if body.is_empty() {
            return;
        }
        let _ = write!(text, "\n{dim}{title}{off}\n");
        for line in body.trim_end().lines() {
            let _ = writeln!(text, "{}{line}", if code { "    " } else { "" });
        }
    };
    part("Why", entry.why, false);
    part("Bad", entry.bad, true);
    part("Good", entry.good, true);
    part("Fix", entry.fix, false);
    text
}

/// True for a field of a host, or something in one.
fn is_field(path: &str) -> bool {
    let first = path.split('.').next().unwrap_or(path);
    let mut fields = Entity::Host.fields().iter();
    fields.any(|field| field.name == first)
}

/// Where a host's value comes from.
fn value(term: &Term, args: &SpecArgs, host: &str, field: &str) -> Result<Exit, Failure> {
    let spec = spec::load_busy(term, args, &mut eval::Cache::default())?;
    match eval::explain(&spec.evaluation, host, field) {
        Ok(ladder) => {
            let text = show(&ladder, term.palette());
            let of_pool = field.split('.').next() == Some("deploy");
            let seats = of_pool.then(|| seats(&spec.fleet, host)).flatten();
            term.out(&(text + &seats.unwrap_or_default()));
            Ok(Exit::Success)
        }
        Err(error) => {
            // A spec that does not parse may be why the host is not there.
            spec::show(term, &spec);
            Err(Failure::new(Exit::No, error.to_string()))
        }
    }
}

/// All that is said of a host: field, value, where.
fn values(term: &Term, args: &SpecArgs, name: &str) -> Result<Exit, Failure> {
    let spec = spec::load_busy(term, args, &mut eval::Cache::default())?;
    let Some(host) = spec.fleet.host(name) else {
        spec::show(term, &spec);
        if spec.fleet.held.iter().any(|held| &*held.name == name) {
            let text = format!("`{name}` has errors, so not all of its values are known");
            return Err(Failure::new(Exit::No, text).help(format!(
                "ask for one of them: `metalform explain host/{name} FIELD`"
            )));
        }
        let names = spec.fleet.hosts.iter().map(|host| &*host.name);
        let near = similar(name, names).map(|found| format!("; did you mean `{}`?", found.word));
        let text = format!("no host is called `{name}`{}", near.unwrap_or_default());
        return Err(Failure::new(Exit::No, text));
    };
    let own = host.fields.iter();
    let pool = host.pool.iter().flat_map(|pool| pool.fields.iter());
    let rows: Vec<[String; 3]> = own
        .chain(pool)
        .map(|found| {
            let path = found.path.text.to_string();
            [
                path,
                found.value.to_string(),
                found.origin.show(&spec.files),
            ]
        })
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let (path, value) = (width(0), width(1).min(60));
    let Palette { dim, off, .. } = term.palette();
    let mut text = String::new();
    for [field, said, site] in &rows {
        let _ = writeln!(text, "{field:<path$}  {said:<value$}  {dim}{site}{off}");
    }
    text.push_str(&seats(&spec.fleet, name).unwrap_or_default());
    term.out(&text);
    Ok(Exit::Success)
}

/// A line for a host that a pool selects which takes only some of those it selects: who is in it is
/// no matter of the spec alone.
fn seats(fleet: &Fleet, name: &str) -> Option<String> {
    let pool = &fleet.host(name)?.pool.as_ref()?.pool;
    let replicas = fleet
        .pools
        .iter()
        .find(|other| other.name == *pool)?
        .replicas?;
    let select = fleet.hosts.iter().filter_map(|host| host.pool.as_ref());
    let all = select.filter(|candidate| candidate.pool == *pool).count();
    (all > replicas as usize).then(|| {
        format!(
            "pool `{pool}` takes {replicas} of the {all} hosts that it selects: `metalform get` \
             shows who is in it\n"
        )
    })
}

/// The ladder of definitions, as columns.
fn show(ladder: &Ladder, palette: Palette) -> String {
    let Palette {
        dim, green, off, ..
    } = palette;
    let value = ladder
        .value
        .as_deref()
        .or(ladder.default)
        .unwrap_or("#null");
    let mut text = format!("{} = {value}", ladder.path);
    if ladder.rungs.is_empty() {
        text.push_str(if ladder.default.is_some() {
            "   (default; the spec says nothing)"
        } else {
            "   (the spec says nothing)"
        });
    }
    text.push('\n');
    let width = |of: fn(&Rung) -> &str| {
        ladder
            .rungs
            .iter()
            .map(|rung| of(rung).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (site, from, rank) = (
        width(|rung| &rung.site),
        width(|rung| &rung.from),
        width(|rung| &rung.rank),
    );
    for rung in &ladder.rungs {
        let (word, colour) = if rung.wins {
            ("wins", green)
        } else {
            ("loses", dim)
        };
        let _ = write!(
            text,
            "  {colour}{word:<5}{off} {:<site$}   {:<from$}   {:<rank$}   {}",
            rung.site, rung.from, rung.rank, rung.value
        );
        if let Some(expression) = &rung.expression {
            let _ = write!(text, "  {dim}= {expression}{off}");
        }
        text.push('\n');
    }
    if let Some(path) = ladder.compiles_to {
        let _ = writeln!(
            text,
            "compiles to BareMetalHost/{} {path}   disruption: {}",
            ladder.host, ladder.disruption
        );
    }
    let _ = writeln!(text, "{dim}{}{off}", ladder.doc);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_a_plan_or_a_host_shows_has_a_page() {
        for code in HoldCode::ALL {
            assert!(
                reasons(code.as_str()).contains("a change of a plan waits for"),
                "{code}"
            );
        }
        for code in why::Code::ALL {
            assert!(
                reasons(code.as_str()).contains("a host waits for"),
                "{code:?}"
            );
        }
        assert_eq!(reasons("MachineTaken").matches("MachineTaken (").count(), 2);
        assert_eq!(reasons("Nonsense"), "");
    }
}
