//! `metalform crd`.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser as _};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::api::crd;
use crate::diag::suggest::similar;

use super::{Exit, Failure, Term, home};

/// Print the CRDs that a cluster needs, as YAML
///
/// Those of the Bare Metal Operator's kinds have its fields, defaults and columns: it is no matter
/// whose a cluster has.
///
/// Example: metalform crd | kubectl apply --server-side -f -
#[derive(Debug, clap::Args)]
pub struct CrdArgs {
    /// Only these, by plural, kind or short name in any case, e.g. fleets or bmh
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Write one file a CRD into this folder instead
    #[arg(
        long,
        value_name = "DIR",
        value_parser = PathBufValueParser::new().map(home::as_seen)
    )]
    dir: Option<PathBuf>,
}

pub(super) fn crd(term: &Term, args: &CrdArgs) -> Result<Exit, Failure> {
    let all = crd::crds().map_err(|error| internal(&error))?;
    let chosen = choose(&all, &args.names)?;
    let mut texts = Vec::with_capacity(chosen.len());
    for crd in chosen {
        texts.push((
            crd::file_name(crd),
            crd::to_yaml(crd).map_err(|error| internal(&error))?,
        ));
    }
    match &args.dir {
        Some(dir) => {
            write(dir, &texts)?;
            let files = if texts.len() == 1 { "file" } else { "files" };
            term.say(&format!(
                "wrote {} {files} to {}",
                texts.len(),
                dir.display()
            ));
        }
        None => {
            let documents = texts.iter().map(|(_, text)| format!("---\n{text}"));
            term.out(&documents.collect::<String>());
        }
    }
    Ok(Exit::Success)
}

/// Those that are named, all where none is; in the order of [`crd::crds`], each once.
fn choose<'a>(
    all: &'a [CustomResourceDefinition],
    names: &[String],
) -> Result<Vec<&'a CustomResourceDefinition>, Failure> {
    let is_unknown = |name: &&String| !all.iter().any(|crd| is_called(crd, name));
    if let Some(name) = names.iter().find(is_unknown) {
        let near = similar(name, all.iter().flat_map(known_as));
        let near = near.map(|found| format!("; did you mean `{}`?", found.word));
        let text = format!("no CRD is called `{name}`{}", near.unwrap_or_default());
        let plurals: Vec<_> = all.iter().map(|crd| &*crd.spec.names.plural).collect();
        return Err(Failure::new(Exit::No, text).help(format!("there are {}", plurals.join(", "))));
    }
    let chosen = |crd: &&CustomResourceDefinition| {
        names.is_empty() || names.iter().any(|name| is_called(crd, name))
    };
    Ok(all.iter().filter(chosen).collect())
}

fn is_called(crd: &CustomResourceDefinition, name: &str) -> bool {
    known_as(crd).any(|known| known.eq_ignore_ascii_case(name))
}

/// Plural, kind, full name, singular and short names.
fn known_as(crd: &CustomResourceDefinition) -> impl Iterator<Item = &str> {
    let names = &crd.spec.names;
    let short = names.short_names.iter().flatten().map(String::as_str);
    [names.plural.as_str(), names.kind.as_str()]
        .into_iter()
        .chain(crd.metadata.name.as_deref())
        .chain(names.singular.as_deref())
        .chain(short)
}

fn write(dir: &Path, texts: &[(String, String)]) -> Result<(), Failure> {
    let failed = |path: &Path, error: std::io::Error| {
        Failure::new(
            Exit::Usage,
            format!("cannot write {}: {error}", path.display()),
        )
    };
    std::fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    for (name, text) in texts {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

/// A mistake in the types, which the tests of [`crd`](crate::api::crd) would show.
fn internal(error: &serde_json::Error) -> Failure {
    Failure::new(Exit::Remote, format!("cannot make the CRDs: {error}"))
}
