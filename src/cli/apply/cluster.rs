//! `apply` to a cluster: resources are written by server-side apply, and what happens to the machines
//! then is the controller's.
//!
//! The fleet's own object goes first: it is the parent of the set that all hosts are members of. What
//! was shown is what is written: each host at the version that it was judged at, and nothing that is
//! not in the plan. Where a controller follows files for the fleet, it is the one that writes, and words
//! for its plan are all that is given here (`words`).

mod report;
mod secrets;
mod wait;
mod words;
mod write;

use crate::plan::{self, Action, Grants, Hold, Live};
use crate::store::StoreError;

use super::super::cluster::{ClusterArgs, Parent, Remote};
use super::super::plan::{Made, Moved, Saved, Target, make, notes, stale};
use super::super::source::Source;
use super::super::spec::{self, Spec};
use super::super::{Exit, Failure, Term};
use super::ask::{CARRY_OUT, ask};
use super::{ApplyArgs, without_effect};

use self::report::Report;
use self::secrets::Writing;
use self::write::Came;

/// How often a host is looked at again that its controller changed between looking and writing.
const ROUNDS: usize = 4;

pub(super) async fn apply(
    term: &Term,
    args: &ApplyArgs,
    saved: Option<Saved>,
) -> Result<Exit, Failure> {
    goes_with_cluster(args)?;
    let reached = target(args, saved.as_ref()).reach().await?;
    let spec = spec::load_valid(term, &reached.naming(&args.spec))?;
    spec::show(term, &spec);
    let remote = reached.within(Some(&spec.fleet.namespace));
    let parent = Parent::read(&remote, &spec.fleet.name).await?;
    if let Some(followed) = parent.followed().filter(|_| gives_words(args)) {
        return words::give(term, args, saved.as_ref(), &spec, &remote, &followed).await;
    }
    parent.refuse_others(args.force_beside_controller)?;
    parent.needs_kind()?;
    let made = make(&Source::Cluster(remote.clone()), &spec).await?;
    is_current(args, saved.as_ref(), &made, &remote).await?;
    let work = Work {
        term,
        args,
        grants: named(term, args, &made)?.bound(&made.plan),
        secrets: Writing::of(args, &made, &remote).await?,
        strict: saved.is_some(),
        spec,
        remote,
        parent,
    };
    work.show(&made);
    if args.dry_run.is_some() {
        return work.dry_run(&made).await;
    }
    work.carry_out(made).await
}

/// True where beside a controller that follows files there is something to do.
fn gives_words(args: &ApplyArgs) -> bool {
    !args.allow_destroy.is_empty() && !args.force_beside_controller
}

/// An error where something moved since a saved plan was made.
async fn is_current(
    args: &ApplyArgs,
    saved: Option<&Saved>,
    made: &Made,
    remote: &Remote,
) -> Result<(), Failure> {
    let (Some(path), Some(saved)) = (&args.plan, saved) else {
        return Ok(());
    };
    let mut moved = saved.moved(made, Target::cluster(remote));
    if moved.is_empty() {
        return Ok(());
    }
    name_who(remote, &mut moved).await?;
    Err(stale(path, &moved))
}

/// What the command line allows. A name that has nothing to allow is said.
fn named(term: &Term, args: &ApplyArgs, made: &Made) -> Result<Grants, Failure> {
    let named = Grants::named(args.allow_destroy.iter().cloned());
    for name in without_effect(&made.plan, &named)? {
        term.say(&format!("--allow-destroy {name}: nothing is left to allow"));
    }
    Ok(named)
}

/// Shows the plan with what these grants let go.
fn show(term: &Term, made: &Made, grants: &Grants) {
    let rulings = plan::gate(&made.plan, &made.desired, &made.observed, grants);
    term.out(&plan::render(
        &made.plan,
        &rulings,
        term.palette(),
        term.width_out(),
    ));
    for line in notes(made) {
        term.out(&format!("{line}\n"));
    }
}

/// The cluster that is meant; where only a saved plan says it, the namespace that it was made for.
fn target(args: &ApplyArgs, saved: Option<&Saved>) -> ClusterArgs {
    let mut target = args.cluster.clone();
    if let Some(Target::Cluster { namespace, .. }) = saved.map(|saved| &saved.target) {
        target.namespace.get_or_insert_with(|| namespace.clone());
    }
    target
}

/// An error for flags that mean something only where this process drives machines.
fn goes_with_cluster(args: &ApplyArgs) -> Result<(), Failure> {
    if args.no_wait {
        let text = "--no-wait is what `apply` does with a cluster anyway";
        return Err(Failure::new(Exit::Usage, text).help("leave it out; --wait waits"));
    }
    if args.machines.has_secrets() {
        let text = "--secrets is for machines that this process drives";
        return Err(Failure::new(Exit::Usage, text)
            .help("--with-secrets DIR writes the Secrets that the spec names from a folder"));
    }
    Ok(())
}

/// The exit code of an apply that is over, carried out or tried: what waits is not written.
fn ends(written: Exit, all: bool) -> Exit {
    match written {
        Exit::Success if !all => Exit::No,
        exit => exit,
    }
}

/// Adds who changed each host last, as far as the server tells.
async fn name_who(remote: &Remote, moved: &mut [Moved]) -> Result<(), Failure> {
    let hosts = moved.iter().filter_map(|one| one.host.clone());
    let owned = remote.owned(hosts.collect()).await?;
    for one in moved {
        let fields = one.host.as_ref().and_then(|host| owned.get(host));
        let last = fields.into_iter().flatten().max_by_key(|entry| {
            let time = entry.time.as_ref();
            time.map(|time| time.0.to_string())
        });
        if let Some(who) = last.and_then(|entry| entry.manager.as_deref()) {
            one.text += &format!(", last by {who}");
        }
    }
    Ok(())
}

/// What is applied where.
struct Work<'a> {
    term: &'a Term,
    args: &'a ApplyArgs,
    spec: Spec,
    remote: Remote,
    parent: Parent,
    grants: Grants,
    secrets: Writing,
    /// A saved plan: a host that changed since is not looked at again.
    strict: bool,
}

impl Work<'_> {
    fn show(&self, made: &Made) {
        show(self.term, made, &self.grants);
        self.term.out(&self.secrets.show());
        self.term.say(&format!("in {}", self.remote.place()));
    }

    /// What may go now, and what holds the rest.
    fn judge<'p>(&self, made: &'p Made) -> (Vec<&'p Action>, Vec<(&'p Action, Hold)>) {
        let (mut go, mut held) = (Vec::new(), Vec::new());
        for ruling in plan::gate(&made.plan, &made.desired, &made.observed, &self.grants) {
            match ruling.hold {
                None => go.push(ruling.action),
                Some(hold) => held.push((ruling.action, hold)),
            }
        }
        (go, held)
    }

    /// Asks the server what would come of every write.
    async fn dry_run(&self, made: &Made) -> Result<Exit, Failure> {
        let store = self.remote.store.dry_run();
        let mut report = Report::default();
        if !self.parent.is_written() {
            let written = self.parent.write(&store, self.args.force_conflicts).await;
            let came = match self.parent.is_there() {
                true => Came::Changed,
                false => Came::Created,
            };
            report.parent(&self.spec.fleet.name, written.map(|()| came));
        }
        let (go, held) = self.judge(made);
        let came = write::write(&store, made, &go, self.args.force_conflicts).await;
        report.take(came);
        report.hold(&held);
        self.term.out(&report.table(made.plan.unchanged));
        self.term.say("the server judged this; nothing was changed");
        Ok(ends(report.exit(), held.is_empty()))
    }

    async fn carry_out(&self, made: Made) -> Result<Exit, Failure> {
        let nothing = made.plan.is_empty() && self.secrets.is_empty() && self.parent.is_written();
        if nothing && !self.args.wait {
            return Ok(Exit::Success);
        }
        if !nothing {
            ask(self.term, self.args, &CARRY_OUT)?;
        }
        if !self.parent.is_written() {
            let force = self.args.force_conflicts;
            let written = self.parent.write(&self.remote.store, force).await;
            written.map_err(|error| self.failure(&error))?;
        }
        self.secrets.write(&self.remote).await?;
        let mut report = Report::of(self.strict);
        let agreed = wait::Agreed::of(&made, self.strict);
        let (mut held, _) = self.round(&made, &agreed, &mut report).await;
        let is_moved = self.strict && report.is_late();
        if self.args.wait && !is_moved {
            return self.wait(made, &agreed, report).await;
        }
        for _ in 1..ROUNDS {
            if self.strict || !report.is_late() {
                break;
            }
            let made = make(&Source::Cluster(self.remote.clone()), &self.spec).await?;
            (held, _) = self.round(&made, &agreed, &mut report).await;
        }
        self.term.say(&report.summary());
        report.say(self.term);
        for line in held.lines() {
            self.term.say(&line);
        }
        let exit = ends(report.exit(), held.is_empty());
        if exit == Exit::Success {
            let flags = self.remote.flags();
            self.term.say(&format!(
                "what happens to the machines now is the controller's: `metalform get{flags}` shows it, \
                 `apply --wait` waits for it"
            ));
        }
        Ok(exit)
    }

    /// Writes what of the agreed plan may go now. Answers what waits, and how much was written.
    async fn round(
        &self,
        made: &Made,
        agreed: &wait::Agreed,
        report: &mut Report,
    ) -> (wait::Held, usize) {
        let (go, held) = self.judge(made);
        let mut waits = wait::Held::of(&held);
        let (go, other): (Vec<_>, Vec<_>) = go.into_iter().partition(|action| agreed.has(action));
        let go: Vec<_> = go
            .into_iter()
            .filter(|action| !report.is_refused(&action.host))
            .collect();
        waits.unplanned(&other);
        let live = Live::of(&made.observed);
        let (go, moved): (Vec<_>, Vec<_>) = go
            .into_iter()
            .partition(|action| agreed.is_current(action, &live));
        report.take(moved.into_iter().map(write::moved).collect());
        let came = write::write(&self.remote.store, made, &go, self.args.force_conflicts).await;
        report.take(came);
        (waits, go.len())
    }

    fn failure(&self, error: &StoreError) -> Failure {
        let name = &self.spec.fleet.name;
        match error {
            StoreError::Owned { fields, owner, .. } => Failure::new(
                Exit::No,
                format!("Fleet {name}: {fields} held by {owner}; nothing was changed"),
            )
            .help("--force-conflicts takes these fields"),
            error => Failure::new(Exit::Remote, error.to_string()),
        }
    }
}
