//! `metalform plan`.

use std::sync::Arc;

use crate::api::BareMetalHost;
use crate::desired::{self, Desired};
use crate::plan::{self, Comparer, Grants, Plan};

use super::home::Home;
use super::source::Source;
use super::spec::{self, Spec};
use super::{Exit, Failure, SpecArgs, Term};

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
    let planned = show(term, args);
    if args.json
        && let Err(failure) = &planned
    {
        term.out(&failure.json());
    }
    planned
}

fn show(term: &Term, args: &PlanArgs) -> Result<Exit, Failure> {
    let spec = spec::load_valid(term, &args.spec)?;
    let home = Home::of(&args.spec.spec);
    let (desired, plan, observed) = super::runtime()?.block_on(async {
        let source = Source::open(&home).await?;
        let made = make(&source, &spec).await?;
        source.close().await?;
        Ok::<_, Failure>(made)
    })?;
    let rulings = plan::gate(&plan, &desired, &observed, &Grants::default());
    if args.json {
        term.out(&format!("{:#}\n", plan::to_json(&plan, &rulings)));
    } else {
        term.out(&plan::render(&plan, &rulings, term.palette()));
    }
    Ok(if args.exit_code && !plan.is_empty() {
        Exit::No
    } else {
        Exit::Success
    })
}

/// The plan of a spec against what a source has.
pub(super) async fn make(
    source: &Source,
    spec: &Spec,
) -> Result<(Desired, Plan, Vec<Arc<BareMetalHost>>), Failure> {
    let observed = source.hosts().await?;
    let desired = desired::desired(
        &spec.fleet,
        &spec.files,
        spec.evaluation.complete,
        &observed,
        None,
    );
    let mut comparer = Comparer::new(&desired);
    let owned = source.owned(comparer.differing(&observed)).await?;
    let plan = comparer.diff(&observed, &owned);
    Ok((desired, plan, observed))
}
