//! `metalform render`.

use std::sync::Arc;

use clap::ValueEnum;

use crate::api::BareMetalHost;
use crate::desired::{self, Desired};
use crate::eval::Namespace;
use crate::fleet;

use super::cluster::ClusterArgs;
use super::spec::{self, Spec};
use super::{Exit, Failure, SpecArgs, Term};

/// Print what a spec compiles to
///
/// YAML and JSON hold the BareMetalHost objects; KDL holds the evaluated fleet, one plain block a
/// host, which evaluates to the same fleet again. Pools choose their members as for an empty
/// store; with --context, as for the hosts of that cluster.
#[derive(Debug, clap::Args)]
pub struct RenderArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// Format
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    format: Format,
    /// Only hosts whose name matches, e.g. "r01-n[01-04]" or "r01-*"
    #[arg(long, value_name = "NAMES")]
    host: Option<String>,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Json,
    Kdl,
}

pub(super) fn render(term: &Term, args: &RenderArgs) -> Result<Exit, Failure> {
    let rendered = show(term, args);
    if args.format == Format::Json
        && let Err(failure) = &rendered
    {
        term.out(&failure.json());
    }
    rendered
}

fn show(term: &Term, args: &RenderArgs) -> Result<Exit, Failure> {
    if args.format == Format::Kdl && args.host.is_some() {
        // A part of a fleet is no fleet: its pools would choose others.
        return Err(Failure::new(
            Exit::Usage,
            "--format kdl is of the whole fleet; --host goes with yaml and json",
        ));
    }
    let (spec, hosts) = load(term, args)?;
    if args.format == Format::Kdl {
        term.out(&fleet::to_kdl(&spec.fleet));
        return Ok(Exit::Success);
    }
    let desired = desired::desired(
        &spec.fleet,
        &spec.files,
        spec.evaluation.complete,
        &hosts,
        None,
    );
    let objects = objects(&desired, args.host.as_deref())?;
    let text = if args.format == Format::Json {
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
        format!("{list:#}\n")
    } else {
        let mut text = String::new();
        for object in &objects {
            text.push_str("---\n");
            let yaml = serde_yaml_ng::to_string(object).map_err(|error| {
                Failure::new(Exit::Remote, format!("cannot write YAML: {error}"))
            })?;
            text.push_str(&yaml);
        }
        text
    };
    term.out(&text);
    Ok(Exit::Success)
}

/// The spec, and the hosts among which its pools choose. A namespace alone says only how objects are named:
/// no server is asked for that.
fn load(term: &Term, args: &RenderArgs) -> Result<(Spec, Vec<Arc<BareMetalHost>>), Failure> {
    if !args.cluster.is_named() {
        let spec = SpecArgs {
            namespace: Namespace {
                wins: args.cluster.namespace.as_deref().map(Arc::from),
                default: None,
            },
            ..args.spec.clone()
        };
        return Ok((spec::load_valid(term, &spec)?, Vec::new()));
    }
    super::runtime()?.block_on(async {
        let reached = args.cluster.reach().await?;
        let spec = spec::load_valid(term, &reached.naming(&args.spec))?;
        let hosts = reached.within(Some(&spec.fleet.namespace)).hosts().await?;
        Ok((spec, hosts))
    })
}

fn objects(desired: &Desired, only: Option<&str>) -> Result<Vec<serde_json::Value>, Failure> {
    let pattern = only.map(super::pattern).transpose()?;
    let objects: Vec<_> = desired
        .hosts
        .iter()
        .filter(|(key, _)| {
            pattern
                .as_ref()
                .is_none_or(|pattern| pattern.matches(&key.name))
        })
        .map(|(key, wanted)| desired.object(key, wanted))
        .collect();
    if objects.is_empty() && only.is_some() {
        let text = format!("no host matches `{}`", only.unwrap_or_default());
        return Err(Failure::new(Exit::No, text));
    }
    Ok(objects)
}
