//! `metalform plan`.

use std::sync::Arc;

use crate::desired;
use crate::plan::{self, Grants};

use super::home::Home;
use super::{Exit, Failure, SpecArgs, Term, get, spec};

/// Show what has to change, worst first
///
/// Compares the spec with the store beside it (through the running `metalform run` where there is
/// one) and changes nothing.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// Print JSON (format_version 1.0)
    #[arg(long)]
    json: bool,
    /// Exit with 1 when something has to change
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn plan(term: &Term, args: &PlanArgs) -> Result<Exit, Failure> {
    let spec = spec::load_valid(term, &args.spec)?;
    let home = Home::of(&args.spec.spec);
    let seen = super::runtime()?.block_on(get::see(&home))?;
    let observed: Vec<Arc<_>> = seen.hosts.into_iter().map(Arc::new).collect();
    let desired = desired::desired(&spec.fleet, &spec.files, spec.complete, &observed, None);
    let plan = plan::diff(&desired, &observed, &|key| seen_fields(&observed, key));
    let rulings = plan::gate(&plan, &desired, &observed, &Grants::default());
    if args.json {
        term.out(&format!("{:#}\n", plan::to_json(&plan, &rulings)));
    } else {
        term.out(&plan::render(&plan, &rulings, term.palette()));
    }
    Ok(if args.exit_code && !plan.is_empty() { Exit::No } else { Exit::Success })
}

/// The managed fields that an object carries.
pub(super) fn seen_fields(
    observed: &[Arc<crate::api::BareMetalHost>],
    key: &crate::store::Key,
) -> Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry> {
    use crate::store::Object as _;
    let host = observed.iter().find(|host| host.key() == *key);
    host.and_then(|host| host.metadata.managed_fields.clone()).unwrap_or_default()
}
