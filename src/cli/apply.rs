//! `metalform apply`: shows the plan, asks, carries it out and waits until all is settled.

mod ask;
mod cluster;
mod through;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use clap::builder::{PathBufValueParser, TypedValueParser as _};

use crate::eval::Cache;
use crate::fleet::Digest;
use crate::plan::{self, Grants, Plan};
use crate::serve::client::{Client, ClientError};
use crate::store::Embedded;

use super::cluster::ClusterArgs;
use super::home::{self, HELD_STEP, Home, Others};
use super::machines::MachinesArgs;
use super::plan::{Made, Saved, Target, stale};
use super::run::{self, Order, RunArgs};
use super::source::Source;
use super::{Exit, Failure, SpecArgs, Term, spec};

use self::ask::{CARRY_OUT, GIVE_WORDS, ask};

/// How long a process that holds the store may take until it answers: it reads ten thousand hosts in a
/// second, on a machine that has time for it.
const STARTING: Duration = Duration::from_secs(20);
/// How long a process that ended may take to be there again: a service that is restarted. It goes
/// before one that only waited.
const SUCCESSOR: Duration = Duration::from_secs(5);

/// Carry out what the spec says and wait until it is so
///
/// Shows the plan and asks before anything is changed; what is saved after that is not looked at.
/// Where `metalform run` holds the store it is the one that carries out: `apply` waits until it
/// follows the very same text, hands it what was allowed, and waits until it is done. When that one
/// ends before, `apply` asks (or takes --yes) and goes on with what is left of the plan.
///
/// With a cluster (`--context`, `--namespace`) it writes the resources and ends: what happens to the
/// machines then is the controller's. --wait waits for it. Where a controller follows files for the
/// fleet, --allow-destroy gives words for what it waits with, and nothing else is written.
#[derive(Debug, clap::Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    machines: MachinesArgs,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Do not wait until all is settled (only where `metalform run` goes on with it)
    #[arg(long)]
    no_wait: bool,
    /// Allow the destruction of this host, or of these: r01-n13, "r01-n[13-15]"
    #[arg(long, value_name = "NAME")]
    allow_destroy: Vec<String>,
    /// Give up waiting after this many seconds, with exit code 1
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Carry out the plan that was saved here (`plan -o FILE`), or nothing where something moved
    #[arg(
        long,
        value_name = "FILE",
        value_parser = PathBufValueParser::new().map(home::as_seen)
    )]
    plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    /// Wait until all is settled in the cluster, and write what may go only by then
    #[arg(long, conflicts_with = "no_wait", help_heading = "Cluster")]
    wait: bool,
    /// Have the cluster judge every write, and change nothing
    #[arg(
        long,
        value_enum,
        value_name = "WHERE",
        conflicts_with = "wait",
        help_heading = "Cluster"
    )]
    dry_run: Option<DryRun>,
    /// Write the Secrets that the spec names from this folder: one folder a secret, one file a key
    #[arg(
        long,
        value_name = "DIR",
        value_parser = PathBufValueParser::new().map(home::as_seen),
        help_heading = "Cluster"
    )]
    with_secrets: Option<PathBuf>,
    /// Take fields that somebody else wrote other values to
    #[arg(long, help_heading = "Cluster")]
    force_conflicts: bool,
    /// Write even where a controller follows files for this fleet, or did
    #[arg(long, help_heading = "Cluster")]
    force_beside_controller: bool,
}

/// Where a dry run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DryRun {
    /// The API server judges each write; `metalform plan` asks nobody
    Server,
}

impl ApplyArgs {
    /// An error for flags that mean something for a cluster only.
    fn needs_cluster(&self) -> Result<(), Failure> {
        let given = [
            (self.wait, "--wait"),
            (self.dry_run.is_some(), "--dry-run"),
            (self.with_secrets.is_some(), "--with-secrets"),
            (self.force_conflicts, "--force-conflicts"),
            (self.force_beside_controller, "--force-beside-controller"),
        ];
        match given.into_iter().find(|(given, _)| *given) {
            None => Ok(()),
            Some((_, flag)) => {
                let text =
                    format!("{flag} is for a cluster, and this is the store beside the spec");
                Err(Failure::new(Exit::Usage, text)
                    .help("name a cluster with --context or --namespace"))
            }
        }
    }
}

pub(super) fn apply(term: &Term, args: &ApplyArgs) -> Result<Exit, Failure> {
    let saved = args.plan.as_deref().map(Saved::read).transpose()?;
    let is_of_cluster = |saved: &Saved| matches!(saved.target, Target::Cluster { .. });
    let runtime = super::runtime()?;
    if args.cluster.is_meant_for(&args.spec.spec) || saved.as_ref().is_some_and(is_of_cluster) {
        return runtime.block_on(cluster::apply(term, args, saved));
    }
    args.needs_cluster()?;
    let spec = spec::load_valid(term, &args.spec)?;
    spec::show(term, &spec);
    let home = Home::of(&args.spec.spec);
    if args.no_wait
        && let Err(ClientError::NobodyThere(_)) = runtime.block_on(Client::connect(&home.socket()))
    {
        let text = "nobody runs who would carry it out after this command ends";
        return Err(Failure::new(Exit::Usage, text)
            .help("leave --no-wait out, or start `metalform run` in another terminal"));
    }
    let read = Source::read(&home, async |source| super::plan::make(source, &spec).await);
    let made = runtime.block_on(read)?;
    if let (Some(path), Some(saved)) = (&args.plan, &saved) {
        let moved = saved.moved(&made, Target::store(&home));
        if !moved.is_empty() {
            return Err(stale(path, &moved));
        }
    }
    let Made {
        desired: wanted,
        plan,
        observed,
    } = made;
    let named = Grants::named(args.allow_destroy.iter().cloned());
    for name in without_effect(&plan, &named)? {
        term.say(&format!("--allow-destroy {name}: nothing is left to allow"));
    }
    let grants = named.bound(&plan);
    let rulings = plan::gate(&plan, &wanted, &observed, &grants);
    term.out(&plan::render(
        &plan,
        &rulings,
        term.palette(),
        term.width_out(),
    ));
    let goes = |ruling: &plan::Ruling<'_>| {
        let hold = ruling.hold.as_ref();
        hold.is_none_or(|hold| !hold.code.needs_person())
    };
    let by_itself = rulings.iter().any(goes);
    drop((rulings, observed));
    let others = runtime.block_on(Client::connect(&home.socket())).is_ok();
    let mut agreed = args.yes || plan.is_empty();
    match others {
        _ if plan.is_empty() => {}
        false => {
            ask(term, args, &CARRY_OUT)?;
            agreed = true;
        }
        // What asks for no word is done already, or about to be.
        true if grants.tokens.is_empty() => {}
        true => ask(term, args, &GIVE_WORDS)?,
    }
    let wanted = through::Wanted {
        reading: args.spec.reading(),
        digest: wanted.digest,
        by_itself,
    };
    let mut spec = Some(spec);
    let mut patience = Duration::ZERO;
    loop {
        match runtime.block_on(hands(&home, patience))? {
            Hands::Others(client) => {
                // It may take hours.
                spec = None;
                let through = through::through(term, args, &client, &wanted, &grants);
                match runtime.block_on(through)? {
                    through::Outcome::Ended(exit) => return Ok(exit),
                    through::Outcome::Left => {
                        term.say("the process that carried this out ended");
                        patience = SUCCESSOR;
                    }
                }
            }
            Hands::Own(taken) if agreed => {
                let (spec, plan) = match spec {
                    Some(spec) => (spec, plan),
                    None => {
                        let left = left(term, args, &taken, &plan, wanted.digest);
                        let found = runtime.block_on(left)?;
                        term.say("going on where it was");
                        found
                    }
                };
                return runtime.block_on(carry_out(term, args, taken, spec, plan, grants));
            }
            // Until now another process did it, whose start somebody agreed to.
            Hands::Own((_, store)) => {
                let closed = runtime.block_on(store.close());
                closed.map_err(|error| Failure::new(Exit::Remote, error.to_string()))?;
                drop(store);
                ask(term, args, &CARRY_OUT)?;
                agreed = true;
            }
        }
    }
}

/// What a process left of a plan when it ended. It has to be some of the plan that was agreed to,
/// and nothing else.
async fn left(
    term: &Term,
    args: &ApplyArgs,
    taken: &Taken,
    agreed: &Plan,
    digest: Digest,
) -> Result<(spec::Spec, Plan), Failure> {
    let spec = spec::load_valid(term, &args.spec)?;
    let source = Source::Stored(Arc::clone(&taken.1));
    let Made {
        desired: wanted,
        plan,
        ..
    } = super::plan::make(&source, &spec).await?;
    let is_agreed = |action| agreed.actions.contains(action);
    if wanted.digest != digest || !plan.actions.iter().all(is_agreed) {
        let text = "what is left is another plan than the one that was shown";
        return Err(Failure::new(Exit::Stale, text).help("say `apply` again"));
    }
    Ok((spec, plan))
}

/// Carries out a plan that a person agreed to, in this process.
async fn carry_out(
    term: &Term,
    args: &ApplyArgs,
    taken: Taken,
    spec: spec::Spec,
    plan: Plan,
    grants: Grants,
) -> Result<Exit, Failure> {
    let args = RunArgs {
        spec: args.spec.clone(),
        machines: args.machines.clone(),
        until_settled: true,
        timeout: args.timeout,
        listen: None,
        allow_destroy: Vec::new(),
    };
    let order = Order {
        spec,
        cache: Cache::default(),
        grants,
        agreed: Some(plan),
        taken: Some(taken),
    };
    run::drive(term, &args, order).await
}

/// The store, and what keeps others out.
type Taken = (Others, Arc<Embedded>);

/// Who carries out.
enum Hands {
    /// The process that holds the store.
    Others(Client),
    /// This one, which holds it from here on.
    Own(Taken),
}

/// Finds out who carries out. One who holds the store and does not answer is about to: it starts.
/// For so long another process may come first.
async fn hands(home: &Home, patience: Duration) -> Result<Hands, Failure> {
    home.make()?;
    let started = Instant::now();
    loop {
        match Client::connect(&home.socket()).await {
            Ok(client) => return Ok(Hands::Others(client)),
            Err(ClientError::NobodyThere(_)) => {}
            Err(error) => return Err(Failure::new(Exit::Remote, error.to_string())),
        }
        if started.elapsed() >= patience {
            match home.take() {
                Ok(taken) => return Ok(Hands::Own(taken)),
                Err(failure) if failure.exit == Exit::Stale && started.elapsed() < STARTING => {}
                Err(failure) => return Err(failure),
            }
        }
        tokio::time::sleep(HELD_STEP).await;
    }
}

/// Names that allow nothing. That is as it has to be when what they were for is done; while another
/// host waits for a word it is a slip worth stopping at.
fn without_effect<'a>(plan: &Plan, named: &'a Grants) -> Result<Vec<&'a str>, Failure> {
    let guarded = || plan.actions.iter().filter(|action| action.guard.is_some());
    let idle = |name: &&String| {
        let grant = Grants::named([(*name).clone()]);
        !guarded().any(|action| grant.allows(&action.host.name))
    };
    let idle: Vec<&str> = named
        .names
        .iter()
        .filter(idle)
        .map(String::as_str)
        .collect();
    match idle.first() {
        Some(name) if guarded().any(|action| !named.allows(&action.host.name)) => {
            let text = format!("--allow-destroy {name}: the plan does not destroy that host");
            Err(Failure::new(Exit::Usage, text).help("see `metalform plan`; nothing was changed"))
        }
        _ => Ok(idle),
    }
}
