//! `metalform plan`.

use std::sync::Arc;

use crate::api::{BareMetalHost, ProvisioningState};
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
    let read = Source::read(&home, async |source| {
        let made = make(source, &spec).await?;
        let mut told = under_way(source, &made.2).await?.unwrap_or_default();
        if let Some(kept) = source.kept().await? {
            told += &format!("`metalform run` keeps the last good fleet, not this one: {kept}\n");
        }
        Ok((made, told))
    });
    let ((desired, plan, observed), told) = super::runtime()?.block_on(read)?;
    let rulings = plan::gate(&plan, &desired, &observed, &Grants::default());
    if args.json {
        term.out(&format!("{:#}\n", plan::to_json(&plan, &rulings)));
    } else {
        term.out(&plan::render(
            &plan,
            &rulings,
            term.palette(),
            term.width_out(),
        ));
        for line in plan::strangers(&desired.fleet, &observed) {
            term.out(&format!("{line}\n"));
        }
        term.out(&told);
    }
    Ok(if args.exit_code && !plan.is_empty() {
        Exit::No
    } else {
        Exit::Success
    })
}

/// A line that says how many machines are not yet as their hosts say: no plan tells it.
pub(super) async fn under_way(
    source: &Source,
    observed: &[Arc<BareMetalHost>],
) -> Result<Option<String>, Failure> {
    let (count, driven) = match source {
        Source::Running(_) => {
            let reasons = source.reasons().await?;
            (
                reasons.iter().filter(|reason| !reason.settled).count(),
                true,
            )
        }
        Source::Stored(_) | Source::Nothing => {
            (observed.iter().filter(|host| !rests(host)).count(), false)
        }
    };
    let hosts = if count == 1 { "host is" } else { "hosts are" };
    Ok(match (count, driven) {
        (0, _) => None,
        (_, true) => Some(format!(
            "{count} {hosts} under way or held up: `metalform get` says at what.\n"
        )),
        (_, false) => Some(format!(
            "{count} {hosts} under way or held up as last seen, and no `metalform run` drives them.\n"
        )),
    })
}

/// True for a host that had come to rest when it was last written.
fn rests(host: &BareMetalHost) -> bool {
    use ProvisioningState as State;
    let well = host
        .status
        .as_ref()
        .is_some_and(|status| status.error_message.is_empty());
    let resting = matches!(
        host.state(),
        State::Available
            | State::Ready
            | State::Provisioned
            | State::ExternallyProvisioned
            | State::Unmanaged
    );
    well && resting
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
