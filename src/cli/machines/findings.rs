//! What is wrong with what a spec says of its machines, found without reaching for any of them: so
//! that `check` refuses what `run` would.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::diag::suggest::similar;
use crate::diag::{Code, Diagnostic, Place, Span, Subject};
use crate::eval::Evaluation;
use crate::fleet::{Fields, Fleet, Host, Origin, RefKind, Value};
use crate::provision::sim::{Options, OptionsError, ScriptError};

/// MF7120 and MF7121.
pub(in crate::cli) fn findings(evaluation: &Evaluation) -> Vec<Diagnostic> {
    let fleet = &evaluation.fleet;
    let (Some(simulation), Some(origin)) = (&fleet.simulation, fleet.simulation_origin) else {
        return Vec::new();
    };
    if let Some(ironic) = fleet.ironics.first() {
        let finding = Diagnostic::error(
            Code(7120),
            format!(
                "the machines are simulated, and those of ironic `{}`",
                ironic.name
            ),
            origin.place(),
            "simulated",
        )
        .label(ironic.origin.place(), "in the books of an Ironic")
        .help("leave one of them out: invented machines have no place in an Ironic");
        return vec![finding];
    }
    match Options::from_spec(simulation) {
        Ok(_) => Vec::new(),
        Err(OptionsError::Fault { index, error }) => {
            let written = fleet.faults.get(index).copied().unwrap_or(origin);
            vec![fault(&error, written)]
        }
        Err(error) => vec![Diagnostic::error(
            Code(7121),
            error.to_string(),
            origin.place(),
            "",
        )],
    }
}

/// MF7122, for those who ask before anything runs. `folder` is where the spec's secrets are; one that
/// is not there is no mistake: secrets are not in git.
pub(in crate::cli) fn absent_secrets(fleet: &Fleet, folder: &Path) -> Vec<Diagnostic> {
    if !folder.is_dir() {
        return Vec::new();
    }
    let there: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let mut named = named_secrets(fleet);
    named.retain(|name, _| !folder.join(name).is_dir());
    absent(named, &there, |name| {
        folder.join(name).display().to_string()
    })
}

/// Secrets that hosts name: where first, and which hosts.
pub(in crate::cli) type NamedSecrets<'a> = BTreeMap<&'a str, (Origin, BTreeSet<&'a str>)>;

/// The Secrets that the hosts of a fleet name.
pub(in crate::cli) fn named_secrets(fleet: &Fleet) -> NamedSecrets<'_> {
    fn of_host(host: &Host) -> impl Iterator<Item = &Fields> {
        let pool = host.pool.as_ref().map(|pool| &pool.fields);
        [Some(&host.fields), pool].into_iter().flatten()
    }
    let mut named = NamedSecrets::new();
    for host in &fleet.hosts {
        for found in of_host(host).flat_map(Fields::iter) {
            let Value::Ref(wanted) = found.value else {
                continue;
            };
            if wanted.kind == RefKind::Secret {
                let place = || (found.origin, BTreeSet::new());
                let (_, hosts) = named.entry(&wanted.name).or_insert_with(place);
                hosts.insert(&host.name);
            }
        }
    }
    named
}

/// MF7122 for Secrets that are not where `tried` tells. `there` are those that are.
pub(in crate::cli) fn absent(
    absent: NamedSecrets<'_>,
    there: &[String],
    tried: impl Fn(&str) -> String,
) -> Vec<Diagnostic> {
    let finding = |(name, (origin, hosts)): (&str, (Origin, BTreeSet<&str>))| {
        let near = similar(name, there.iter().map(String::as_str));
        let text = format!("the secret `{name}` is not there");
        let finding = Diagnostic::warning(Code(7122), text, origin.place(), "wanted here")
            .note(format!("tried {}", tried(name)));
        // No fix: the name may be written as an expression.
        let finding = match near {
            Some(near) => finding.help(format!("did you mean `{}`?", near.word)),
            None => finding,
        };
        finding.subject(Subject {
            kind: "host",
            names: hosts.into_iter().map(str::to_owned).collect(),
            path: None,
        })
    };
    absent.into_iter().map(finding).collect()
}

/// A line that cannot be read, at the word that is wrong.
fn fault(error: &ScriptError, written: Origin) -> Diagnostic {
    let place = written.place();
    let place = word(error, place).unwrap_or(place);
    Diagnostic::error(Code(7121), error.message.as_str(), place, "").help(error.help.as_str())
}

/// `None` where the line does not stand as it is (with escapes, or several in one text), or ends too
/// early.
fn word(error: &ScriptError, line: Place) -> Option<Place> {
    let before = error.text.chars().take(error.column - 1);
    let at: usize = before.map(char::len_utf8).sum();
    let as_it_is = error.line == 1 && line.span.len() as usize == error.text.len();
    let rest = error.text.get(at..).filter(|_| as_it_is)?;
    let len = rest.split_whitespace().next().map_or(0, str::len);
    let start = line.span.start + at as u32;
    (len > 0).then(|| Span::new(start, start + len as u32).in_file(line.file))
}
