//! `metalform plan`.

mod saved;

use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::{PathBufValueParser, TypedValueParser as _};

use crate::api::fleet::applyset;
use crate::api::{BareMetalHost, ProvisioningState};
use crate::desired::{self, Desired};
use crate::plan::{self, Comparer, Grants, Plan};

use super::cluster::{ClusterArgs, Parent};
use super::home::{self, Home};
use super::source::Source;
use super::spec::{self, Spec};
use super::{Exit, Failure, SpecArgs, Term};

pub(super) use self::saved::{Moved, Saved, Target, stale};

/// Show what has to change, worst first
///
/// Compares the spec with the store beside it (through the running `metalform run` where there is
/// one), or with a cluster (`--context`, `--namespace`), and changes nothing.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// Print JSON (format_version 1.0)
    #[arg(long)]
    json: bool,
    /// Save the plan: `metalform apply --plan FILE` carries out this very one, or nothing
    #[arg(
        long,
        short,
        value_name = "FILE",
        value_parser = PathBufValueParser::new().map(home::as_seen)
    )]
    out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
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

/// What a plan was made of, and the plan.
pub(super) struct Made {
    pub desired: Desired,
    pub plan: Plan,
    pub observed: Vec<Arc<BareMetalHost>>,
}

fn show(term: &Term, args: &PlanArgs) -> Result<Exit, Failure> {
    let looked = if args.cluster.is_meant_for(&args.spec.spec) {
        super::runtime()?.block_on(in_cluster(term, args))?
    } else {
        beside_spec(term, args)?
    };
    let Looked { made, target, told } = looked;
    let Made {
        desired,
        plan,
        observed,
    } = &made;
    let rulings = plan::gate(plan, desired, observed, &Grants::default());
    if let Some(path) = &args.out {
        Saved::of(&made, target).write(path)?;
    }
    if args.json {
        term.out(&format!("{:#}\n", plan::to_json(plan, &rulings)));
    } else {
        term.out(&plan::render(
            plan,
            &rulings,
            term.palette(),
            term.width_out(),
        ));
        for line in notes(&made) {
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

/// Lines below a plan: whose hosts there are, and whose they become.
pub(super) fn notes(made: &Made) -> Vec<String> {
    let mut lines = plan::adopted(&made.desired, &made.plan, &made.observed);
    lines.extend(plan::strangers(&made.desired.fleet, &made.observed));
    lines
}

/// A plan, where it was made, and what else there is to say.
struct Looked {
    made: Made,
    target: Target,
    told: String,
}

fn beside_spec(term: &Term, args: &PlanArgs) -> Result<Looked, Failure> {
    let spec = spec::load_valid(term, &args.spec)?;
    let home = Home::of(&args.spec.spec);
    let read = Source::read(&home, async |source| {
        let made = make(source, &spec).await?;
        let mut told = under_way(source, &made.observed).await?.unwrap_or_default();
        if let Some(kept) = source.kept().await? {
            told += &format!("`metalform run` keeps the last good fleet, not this one: {kept}\n");
        }
        Ok((made, told))
    });
    let (made, told) = super::runtime()?.block_on(read)?;
    let target = Target::store(&home);
    Ok(Looked { made, target, told })
}

async fn in_cluster(term: &Term, args: &PlanArgs) -> Result<Looked, Failure> {
    let reached = args.cluster.reach().await?;
    let spec = spec::load_valid(term, &reached.naming(&args.spec))?;
    let remote = reached.within(Some(&spec.fleet.namespace));
    let parent = Parent::read(&remote, &spec.fleet.name).await?;
    let target = Target::cluster(&remote);
    let flags = remote.flags();
    let source = Source::Cluster(remote);
    let made = make(&source, &spec).await?;
    let mut told = under_way(&source, &made.observed)
        .await?
        .map(|line| line.replace("`metalform get`", &format!("`metalform get{flags}`")))
        .unwrap_or_default();
    if let Some(others) = parent.others() {
        told += &format!("Fleet {}: {others}\n", spec.fleet.name);
    }
    Ok(Looked { made, target, told })
}

/// A line that says how many machines are not yet as their hosts say: no plan tells it.
pub(super) async fn under_way(
    source: &Source,
    observed: &[Arc<BareMetalHost>],
) -> Result<Option<String>, Failure> {
    let (count, driven) = match source {
        Source::Running(_) | Source::Cluster(_) => {
            let reasons = source.reasons(observed).await?;
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
pub(super) async fn make(source: &Source, spec: &Spec) -> Result<Made, Failure> {
    let observed = source.hosts().await?;
    let desired = desired::desired(
        &spec.fleet,
        &spec.files,
        spec.evaluation.complete,
        &observed,
        None,
    );
    let desired = match source {
        Source::Cluster(_) => {
            desired.in_set(&applyset::id(&spec.fleet.name, &spec.fleet.namespace))
        }
        Source::Running(_) | Source::Stored(_) | Source::Nothing => desired,
    };
    let mut comparer = Comparer::new(&desired);
    let owned = source.owned(comparer.differing(&observed)).await?;
    let plan = comparer.diff(&observed, &owned);
    Ok(Made {
        desired,
        plan,
        observed,
    })
}
