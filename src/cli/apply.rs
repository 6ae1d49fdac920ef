//! `metalform apply`: shows the plan, asks, carries it out and waits until all is settled.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::names::annotation;
use crate::plan::{self, Grants, Plan};
use crate::serve::client::{Client, ClientError};

use super::home::Home;
use super::machines::MachinesArgs;
use super::run::{self, RunArgs};
use super::source::Source;
use super::{Exit, Failure, SpecArgs, Term, spec};

/// Carry out what the spec says and wait until it is so
///
/// Shows the plan and asks before anything is changed. Where `metalform run` holds the store it is
/// the one that carries out; `apply` hands it what was allowed and waits.
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
}

pub(super) fn apply(term: &Term, args: &ApplyArgs) -> Result<Exit, Failure> {
    let spec = spec::load_valid(term, &args.spec)?;
    spec::show(term, &spec);
    let home = Home::of(&args.spec.spec);
    let runtime = super::runtime()?;
    let (wanted, plan, observed) = runtime.block_on(async {
        let source = Source::open(&home).await?;
        let made = super::plan::make(&source, &spec).await?;
        source.close().await?;
        Ok::<_, Failure>(made)
    })?;
    let names: std::collections::BTreeSet<String> = args.allow_destroy.iter().cloned().collect();
    unknown_names(&plan, &names)?;
    let grants = Grants { names };
    let rulings = plan::gate(&plan, &wanted, &observed, &grants);
    term.out(&plan::render(&plan, &rulings, term.palette()));
    if !plan.is_empty() && !args.yes {
        ask(term)?;
    }
    let client = runtime.block_on(Client::connect(&home.socket()));
    match client {
        Ok(client) => runtime.block_on(through(term, args, &client, &plan, &grants)),
        Err(ClientError::NobodyThere(_)) => {
            if args.no_wait {
                let text = "nobody runs who would carry it out after this command ends";
                return Err(Failure::new(Exit::Usage, text)
                    .help("leave --no-wait out, or start `metalform run` in another terminal"));
            }
            let args = RunArgs {
                spec: args.spec.clone(),
                machines: args.machines.clone(),
                until_settled: true,
                timeout: args.timeout,
                listen: None,
                allow_destroy: args.allow_destroy.clone(),
            };
            runtime.block_on(run::drive(term, &args))
        }
        Err(error) => Err(Failure::new(Exit::Remote, error.to_string())),
    }
}

/// A grant for a host that nothing destroys is a slip worth stopping at.
fn unknown_names(plan: &Plan, names: &std::collections::BTreeSet<String>) -> Result<(), Failure> {
    let guarded = |name: &String| {
        let grant = Grants {
            names: [name.clone()].into(),
        };
        let mut destroyed = plan.actions.iter().filter(|action| action.guard.is_some());
        destroyed.any(|action| grant.allows(&action.host.name))
    };
    match names.iter().find(|name| !guarded(name)) {
        None => Ok(()),
        Some(name) => {
            let text = format!("--allow-destroy {name}: the plan does not destroy that host");
            Err(Failure::new(Exit::Usage, text).help("see `metalform plan`; nothing was changed"))
        }
    }
}

fn ask(term: &Term) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(
            Failure::new(Exit::Usage, "not on a terminal, so nobody can be asked")
                .help("give --yes to carry out the plan as shown"),
        );
    }
    term.err("Carry this out? [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match (read, answer.trim().to_lowercase().as_str()) {
        (Ok(_), "y" | "yes") => Ok(()),
        _ => Err(Failure::new(Exit::No, "not confirmed; nothing was changed")),
    }
}

/// Hands the grants to the running process and waits.
async fn through(
    term: &Term,
    args: &ApplyArgs,
    client: &Client,
    plan: &Plan,
    grants: &Grants,
) -> Result<Exit, Failure> {
    let failed = |error: ClientError| Failure::new(Exit::Remote, error.to_string());
    for action in &plan.actions {
        if let Some(token) = plan::grant_of(action)
            && grants.allows(&action.host.name)
        {
            let patch = json!({"metadata": {"annotations": {annotation::ALLOW_DESTROY: token}}});
            client
                .patch_host(&action.host, &patch)
                .await
                .map_err(failed)?;
            term.say(&format!("allowed: {}", action.host.name));
        }
    }
    if args.no_wait {
        return Ok(Exit::Success);
    }
    let started = Instant::now();
    let mut last = String::new();
    // The running process has to see the saved file first; it looks within a fraction of a second.
    tokio::time::sleep(Duration::from_millis(500)).await;
    loop {
        let reasons = client.reasons().await.map_err(failed)?;
        let held = client.held().await.map_err(failed)?;
        let left = reasons.iter().filter(|reason| !reason.settled).count();
        let line = format!(
            "{left} of {} hosts under way, {} changes held",
            reasons.len(),
            held.len()
        );
        if line != last {
            term.say(&line);
            last = line;
        }
        if left == 0 && held.is_empty() {
            return Ok(Exit::Success);
        }
        let person = held.iter().all(|held| held.code != "Rolling");
        if left == 0 && person {
            for held in &held {
                term.error(&format!("{}: {} [{}]", held.host, held.text, held.code));
            }
            return Ok(Exit::No);
        }
        if args
            .timeout
            .is_some_and(|limit| started.elapsed() > Duration::from_secs(limit))
        {
            term.error(&format!(
                "not settled after {} s: {last}",
                started.elapsed().as_secs()
            ));
            return Ok(Exit::No);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
