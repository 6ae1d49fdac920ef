//! `apply --wait`: what was agreed to is written as it may go, until all hosts are settled or only a
//! person can go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::BareMetalHost;
use crate::cli::apply::through::Progress;
use crate::cli::cluster::{Remote, failed};
use crate::cli::ending::{self, Ending, Picture, Verdict, Wait};
use crate::cli::plan::Made;
use crate::cli::{Exit, Failure};
use crate::desired::Desired;
use crate::plan::{Action, Comparer, Hold, Live, Verb};
use crate::serve::client::Reason;
use crate::store::{Key, Object as _, Store, Version};

use super::Work;
use super::report::Report;

/// How often the cluster is looked at.
const PACE: Duration = Duration::from_secs(1);
/// When to say that nobody seems to look at new hosts.
const NOBODY: Duration = Duration::from_secs(15);

/// What a person agreed to, by host.
pub(super) struct Agreed {
    actions: BTreeMap<Key, Arc<Action>>,
    /// Of a saved plan, the version that each host has to have still.
    versions: Option<BTreeMap<Key, Version>>,
}

impl Agreed {
    pub fn of(made: &Made, strict: bool) -> Self {
        let actions = made.plan.actions.iter();
        let live = Live::of(&made.observed);
        let version = |action: &Arc<Action>| {
            let host = live.get(&action.host)?;
            Some((action.host.clone(), host.version()))
        };
        Self {
            versions: strict.then(|| actions.clone().filter_map(version).collect()),
            actions: actions
                .map(|action| (action.host.clone(), Arc::clone(action)))
                .collect(),
        }
    }

    /// False for a host that changed since a saved plan was made: its status counts, too. One that
    /// went and comes again has none to compare.
    pub fn is_current(&self, action: &Action, live: &Live<'_>) -> bool {
        let Some(versions) = self
            .versions
            .as_ref()
            .filter(|_| action.verb != Verb::Create)
        else {
            return true;
        };
        let host = live.get(&action.host);
        host.map(|host| host.version()) == versions.get(&action.host).copied()
    }

    /// True for an action that does what was agreed to for its host, or a part of it, and no harm
    /// beyond that.
    pub fn has(&self, action: &Action) -> bool {
        let Some(agreed) = self.actions.get(&action.host) else {
            return false;
        };
        let is_said = |change: &crate::plan::FieldChange| {
            let mut said = agreed.changes.iter();
            said.any(|one| one.path == change.path && one.after == change.after)
        };
        let guard = |action: &Action| action.guard.as_ref().map(|guard| guard.token.clone());
        action.verb == agreed.verb
            && action.disruption <= agreed.disruption
            && (action.guard.is_none() || guard(action) == guard(agreed))
            && action.changes.iter().all(is_said)
    }
}

/// What waits.
pub(super) struct Held(Vec<Wait>);

impl Held {
    pub fn of(held: &[(&Action, Hold)]) -> Self {
        let wait = |(action, hold): &(&Action, Hold)| Wait {
            host: action.host.name.to_string(),
            text: hold.text.to_string(),
            code: hold.code.to_string(),
            guarded: hold.code.needs_person(),
        };
        Self(held.iter().map(wait).collect())
    }

    /// Changes that nobody agreed to: somebody changed these hosts meanwhile.
    pub fn unplanned(&mut self, actions: &[&Action]) {
        let wait = |action: &&Action| Wait {
            host: action.host.name.to_string(),
            text: "somebody changed it since the plan was shown; say `apply` again".to_owned(),
            code: "NotPlanned".to_owned(),
            guarded: true,
        };
        self.0.extend(actions.iter().map(wait));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn lines(&self) -> Vec<String> {
        let lines = ending::lines(&self.0);
        lines
            .into_iter()
            .map(|line| format!("waits: {line}"))
            .collect()
    }
}

impl Work<'_> {
    /// Goes on until all is settled, nothing goes on without a person, or the time is over.
    pub(super) async fn wait(
        &self,
        made: Made,
        agreed: &Agreed,
        mut report: Report,
    ) -> Result<Exit, Failure> {
        let term = self.term;
        term.say(&report.summary());
        term.say("waiting for the controller; Ctrl-C ends the wait, not its work");
        let limit = self.args.timeout.map(Duration::from_secs);
        let (started, mut ending) = (Instant::now(), Ending::default());
        let (mut progress, mut hinted) = (Progress::default(), false);
        let (mut desired, mut trouble) = (made.desired, String::new());
        loop {
            let is_over = || limit.is_some_and(|limit| started.elapsed() > limit);
            let made = match look(&self.remote, &desired).await {
                Ok(made) => made,
                Err(failure) if is_over() => return Err(failure),
                // The controller goes on, whether this one can see it or not.
                Err(failure) => {
                    if trouble != failure.text {
                        term.say(&format!("{}; asking again", failure.text));
                        trouble = failure.text;
                    }
                    tokio::time::sleep(PACE).await;
                    continue;
                }
            };
            trouble.clear();
            let (held, wrote) = self.round(&made, agreed, &mut report).await;
            if self.strict && report.is_late() {
                report.say(term);
                return Ok(report.exit());
            }
            let hosts = of_fleet(&made);
            let reasons = Remote::reasons(&hosts);
            progress.say(term, held.0.len(), &reasons);
            let mut picture = picture(&reasons, held, wrote > 0 || report.is_late());
            if !picture.moving {
                picture.waits.extend(report.waits());
            }
            let waits = picture.waits.clone();
            match ending.judge(picture, Instant::now()) {
                Verdict::Settled => {
                    report.say(term);
                    return Ok(report.exit());
                }
                Verdict::Stuck(waits) => {
                    ending::say(term, &waits);
                    return Ok(Exit::No);
                }
                Verdict::Wait | Verdict::LookAgain => {}
            }
            if is_over() {
                report.say(term);
                let mut left = unsettled(&reasons);
                left.extend(waits);
                ending::out_of_time(term, started.elapsed(), &left);
                return Ok(Exit::No);
            }
            if !hinted && started.elapsed() > NOBODY && nobody_looks(&reasons) {
                hinted = true;
                term.say(
                    "no controller has looked at the new hosts: does one run for this namespace \
                     (`metalform controller`, or the Bare Metal Operator)?",
                );
            }
            desired = made.desired;
            tokio::time::sleep(PACE).await;
        }
    }
}

/// The plan of the same text as hosts are now: seats in pools may have gone to others.
async fn look(remote: &Remote, desired: &Desired) -> Result<Made, Failure> {
    let snapshot = Store::<BareMetalHost>::snapshot(&remote.store).await;
    let observed = snapshot.map_err(|error| failed(&error))?.objects;
    let desired = desired.again(&observed).unwrap_or_else(|| desired.clone());
    let mut comparer = Comparer::new(&desired);
    let owned = remote.owned(comparer.differing(&observed)).await?;
    let plan = comparer.diff(&observed, &owned);
    Ok(Made {
        desired,
        plan,
        observed,
    })
}

/// Hosts of the fleet, those that are going too.
fn of_fleet(made: &Made) -> Vec<Arc<BareMetalHost>> {
    let ours = |host: &&Arc<BareMetalHost>| {
        made.desired.hosts.contains_key(&host.key()) || made.desired.owns(host)
    };
    made.observed.iter().filter(ours).cloned().collect()
}

fn picture(reasons: &[Reason], held: Held, writing: bool) -> Picture {
    let free = |reason: &Reason| !reason.settled && !reason.needs_person;
    let moving = writing || reasons.iter().any(free);
    let mut waits = Vec::new();
    if !moving {
        waits.extend(held.0);
        let stuck = reasons.iter().filter(|reason| reason.needs_person);
        waits.extend(stuck.map(ending::wait_of));
    }
    Picture {
        hosts: reasons.len(),
        moving,
        waits,
    }
}

fn unsettled(reasons: &[Reason]) -> Vec<Wait> {
    let left = reasons.iter().filter(|reason| !reason.settled);
    left.map(ending::wait_of).collect()
}

fn nobody_looks(reasons: &[Reason]) -> bool {
    let mut left = reasons.iter().filter(|reason| !reason.settled).peekable();
    left.peek().is_some() && left.all(|reason| reason.code == "New")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{Lab, workers};

    #[test]
    fn what_was_agreed_to_is_the_same_change_or_a_part_of_it() {
        let mut lab = Lab::provisioned(&workers(2, ""));
        let plan = lab.edit(&workers(2, "refine n01 { description d; labels a=b; }"));
        let made = Made {
            desired: lab.desired.clone(),
            observed: lab.hosts(),
            plan,
        };
        let agreed = Agreed::of(&made, false);
        let action = &made.plan.actions[0];
        assert!(agreed.has(action));
        let mut part = Action::clone(action);
        part.changes.truncate(1);
        assert!(agreed.has(&part));
        let mut other = Action::clone(action);
        other.changes[0].after = Some("another".into());
        assert!(!agreed.has(&other));
        let mut worse = Action::clone(action);
        worse.disruption = crate::plan::Disruption::Destroy;
        assert!(!agreed.has(&worse));
        let mut elsewhere = Action::clone(action);
        elsewhere.host = Lab::key("n02");
        assert!(!agreed.has(&elsewhere));
    }

    #[test]
    fn a_host_of_a_saved_plan_has_to_be_as_it_was() {
        let mut lab = Lab::provisioned(&workers(2, ""));
        let plan = lab.edit(&workers(1, "refine n01 { description d; }"));
        let mut made = Made {
            desired: lab.desired.clone(),
            observed: lab.hosts(),
            plan,
        };
        let (shown, saved) = (Agreed::of(&made, false), Agreed::of(&made, true));
        let actions = made.plan.actions.clone();
        let current = |agreed: &Agreed, made: &Made| -> Vec<bool> {
            let (all, live) = (actions.iter(), Live::of(&made.observed));
            all.map(|action| agreed.is_current(action, &live)).collect()
        };
        assert_eq!(current(&saved, &made), [true, true]);
        lab.fail("n01", "its BMC is away");
        made.observed = lab.hosts();
        let moved = actions.iter().map(|action| &*action.host.name != "n01");
        assert_eq!(current(&saved, &made), moved.collect::<Vec<_>>());
        assert_eq!(current(&shown, &made), [true, true]);
    }
}
