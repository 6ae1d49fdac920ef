//! When a command that waits has waited enough: all is settled, or nothing goes on before a person
//! did something.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::diag::one_line;
use crate::engine::{Overview, Standing};
use crate::eval::range::fold;
use crate::plan::Grants;
use crate::serve::client::{Following, Reason};
use crate::store::{Key, Object as _};

use super::Term;

/// How long nothing may move before a host that only a person can help ends the wait. A secret may
/// be about to be written; a roll's next machine, or one that waits for another's, goes within
/// moments.
const QUIET: Duration = Duration::from_secs(10);

/// What is left to do, as seen at one moment.
#[derive(Debug, Default)]
pub(super) struct Picture {
    /// Hosts there are.
    pub hosts: usize,
    /// Something goes on by itself, or it is not known yet: the text that counts was not compared.
    pub moving: bool,
    /// What waits, when nothing moves.
    pub waits: Vec<Wait>,
}

/// A host or a change that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wait {
    /// The host's name.
    pub host: String,
    /// For people.
    pub text: String,
    /// Stable code.
    pub code: String,
    /// A change of the plan that nothing but a person lets go: that does not change within moments.
    pub guarded: bool,
}

/// Says what is waited for, the same for several hosts once.
pub(super) fn say(term: &Term, waits: &[Wait]) {
    for line in lines(waits) {
        term.error(&line);
    }
}

/// A line for each reason, with its hosts.
pub(super) fn lines(waits: &[Wait]) -> Vec<String> {
    let mut said: Vec<(&Wait, Vec<&str>)> = Vec::new();
    let mut known: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for wait in waits {
        let at = *known.entry((&wait.code, &wait.text)).or_insert(said.len());
        match said.get_mut(at) {
            Some((_, hosts)) => hosts.push(&wait.host),
            None => said.push((wait, vec![&wait.host])),
        }
    }
    let line = |(wait, hosts): (&Wait, Vec<&str>)| {
        format!("{}: {} [{}]", fold(&hosts), one_line(&wait.text), wait.code)
    };
    said.into_iter().map(line).collect()
}

/// Says that the time is over, and what was left.
pub(super) fn out_of_time(term: &Term, took: Duration, left: &[Wait]) {
    /// The most lines that help.
    const MOST: usize = 20;
    term.error(&format!("not settled after {} s", took.as_secs()));
    let lines = lines(left);
    for line in lines.iter().take(MOST) {
        term.error(line);
    }
    if lines.len() > MOST {
        term.error(&format!("and {} more like these", lines.len() - MOST));
    }
}

/// What is left to do: hosts that are not settled, those in trouble first, and changes that wait.
pub(super) fn left(overview: &Overview, standing: &Standing) -> Vec<Wait> {
    let hosts = overview.hosts.iter().filter(|line| !line.settled);
    let hosts = hosts.map(|line| {
        let why = line.why.as_ref();
        let wait = Wait {
            host: line.host.key().name.to_string(),
            text: why.map_or("", |why| &why.text).to_owned(),
            code: why.map_or("New", |why| why.code).to_owned(),
            guarded: false,
        };
        (!why.is_some_and(|why| why.blocked), wait)
    });
    worst_first(hosts).chain(held(standing)).collect()
}

/// The same, as the running process tells it.
pub(super) fn left_told(following: &Following, reasons: &[Reason]) -> Vec<Wait> {
    let hosts = reasons.iter().filter(|reason| !reason.settled);
    let hosts = hosts.map(|reason| (!reason.blocked, wait_of(reason)));
    let held = following.held.iter().map(|held| Wait {
        host: held.host.rsplit('/').next().unwrap_or_default().to_owned(),
        text: held.text.clone(),
        code: held.code.clone(),
        guarded: held.needs_person,
    });
    worst_first(hosts).chain(held).collect()
}

/// The changes that wait.
fn held(standing: &Standing) -> impl Iterator<Item = Wait> + '_ {
    standing.held.iter().map(|(action, hold)| Wait {
        host: action.host.name.to_string(),
        text: hold.text.to_string(),
        code: hold.code.to_string(),
        guarded: hold.code.needs_person(),
    })
}

fn worst_first(hosts: impl Iterator<Item = (bool, Wait)>) -> impl Iterator<Item = Wait> {
    let mut hosts: Vec<(bool, Wait)> = hosts.collect();
    hosts.sort_by_key(|(fine, _)| *fine);
    hosts.into_iter().map(|(_, wait)| wait)
}

/// What a host waits for.
pub(super) fn wait_of(reason: &Reason) -> Wait {
    Wait {
        host: reason.name.clone(),
        text: reason.text.clone(),
        code: reason.code.clone(),
        guarded: false,
    }
}

impl Picture {
    /// Of this process. `current` says that the standing is that of the text that counts.
    pub fn of(overview: &Overview, standing: &Standing, current: bool) -> Self {
        let free = |line: &crate::engine::HostLine| !line.settled && !line.needs_person;
        let moving = !current
            || standing.trouble.is_some()
            || standing.pending
            || overview.in_flight > 0
            || overview.hosts.iter().any(free);
        let mut waits = Vec::new();
        if !moving {
            waits.extend(held(standing));
            let stuck = overview.hosts.iter().filter(|line| line.needs_person);
            waits.extend(stuck.filter_map(|line| {
                let why = line.why.as_ref()?;
                Some(Wait {
                    host: line.host.key().name.to_string(),
                    text: why.text.clone(),
                    code: why.code.to_owned(),
                    guarded: false,
                })
            }));
        }
        Self {
            hosts: overview.hosts.len(),
            moving,
            waits,
        }
    }

    /// Of the running process, as it tells. `following` was asked for before `reasons`. What was
    /// granted goes as soon as that process looks, which may take it a few seconds.
    pub fn told(following: &Following, reasons: &[Reason], granted: &Grants) -> Self {
        let free = |reason: &Reason| !reason.settled && !reason.needs_person;
        let moving = following.round == 0
            || !following.written
            || following.in_flight > 0
            || reasons.iter().any(free);
        let mut waits = Vec::new();
        if !moving {
            waits.extend(following.held.iter().map(|held| {
                let key = held.host.rsplit_once('/');
                let key = key.map(|(namespace, name)| Key::new(namespace, name));
                let granted = key
                    .as_ref()
                    .is_some_and(|key| granted.tokens.contains_key(key));
                Wait {
                    host: key.map_or_else(|| held.host.clone(), |key| key.name.to_string()),
                    text: held.text.clone(),
                    code: held.code.clone(),
                    guarded: held.needs_person && !granted,
                }
            }));
            let stuck = reasons.iter().filter(|reason| reason.needs_person);
            waits.extend(stuck.map(wait_of));
        }
        Self {
            hosts: reasons.len(),
            moving,
            waits,
        }
    }
}

/// What to do after a look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Something is left to do.
    Wait,
    /// It looks like the end: look once more, soon.
    LookAgain,
    /// Nothing is left to do.
    Settled,
    /// Nothing goes on before a person did something about these.
    Stuck(Vec<Wait>),
}

/// Judges one picture after the other. What the engine and the follower tell is a moment apart, so
/// nothing ends on one picture.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// What waited at the last look, and since when nothing else did.
    still: Option<(Vec<Wait>, Instant)>,
}

impl Ending {
    /// The verdict on a picture of this moment.
    pub fn judge(&mut self, picture: Picture, now: Instant) -> Verdict {
        if picture.moving {
            self.still = None;
            return Verdict::Wait;
        }
        let guarded = picture.waits.iter().all(|wait| wait.guarded);
        match &self.still {
            Some((waits, since)) if *waits == picture.waits => {
                if waits.is_empty() {
                    Verdict::Settled
                } else if guarded || now.duration_since(*since) >= QUIET {
                    Verdict::Stuck(picture.waits)
                } else {
                    Verdict::Wait
                }
            }
            _ => {
                self.still = Some((picture.waits, now));
                if guarded {
                    Verdict::LookAgain
                } else {
                    Verdict::Wait
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::{Held, Reading};

    fn wait(host: &str, code: &str, guarded: bool) -> Wait {
        Wait {
            host: host.to_owned(),
            text: String::new(),
            code: code.to_owned(),
            guarded,
        }
    }

    fn still(waits: &[Wait]) -> Picture {
        Picture {
            hosts: 3,
            moving: false,
            waits: waits.to_vec(),
        }
    }

    fn moving() -> Picture {
        Picture {
            moving: true,
            ..still(&[])
        }
    }

    /// Verdicts on pictures that are so many seconds apart.
    fn verdicts(pictures: Vec<(u64, Picture)>) -> Vec<Verdict> {
        let (mut ending, mut now) = (Ending::default(), Instant::now());
        pictures
            .into_iter()
            .map(|(seconds, picture)| {
                now += Duration::from_secs(seconds);
                ending.judge(picture, now)
            })
            .collect()
    }

    #[test]
    fn what_was_granted_a_moment_ago_is_waited_for() {
        let held = |host: &str| Held {
            host: host.to_owned(),
            disruption: "destroy".to_owned(),
            code: "NeedsAllowDestroy".to_owned(),
            text: String::new(),
            needs_person: true,
        };
        let following = Following {
            reading: Reading::default(),
            digest: String::new(),
            round: 1,
            written: true,
            trouble: None,
            in_flight: 0,
            held: vec![held("metal3/n1"), held("metal3/n2")],
        };
        let granted = Grants {
            tokens: [(Key::new("metal3", "n1"), "delete:1".to_owned())].into(),
            ..Grants::default()
        };
        let picture = Picture::told(&following, &[], &granted);
        assert_eq!(
            picture.waits,
            [
                wait("n1", "NeedsAllowDestroy", false),
                wait("n2", "NeedsAllowDestroy", true)
            ]
        );
    }

    #[test]
    fn settled_is_what_is_so_twice() {
        use Verdict::{LookAgain, Settled, Wait};
        let pictures = vec![
            (0, moving()),
            (1, still(&[])),
            (1, moving()),
            (1, still(&[])),
            (1, still(&[])),
        ];
        assert_eq!(
            verdicts(pictures),
            [Wait, LookAgain, Wait, LookAgain, Settled]
        );
    }

    #[test]
    fn what_only_a_word_lets_go_ends_at_the_second_look() {
        let guard = wait("n1", "NeedsAllowDestroy", true);
        let one = std::slice::from_ref(&guard);
        let pictures = vec![(0, still(one)), (1, still(one))];
        assert_eq!(verdicts(pictures)[1], Verdict::Stuck(vec![guard]));
    }

    #[test]
    fn what_waits_for_a_machine_that_is_at_rest_ends_after_a_while() {
        let all = [
            wait("n1", "NeedsAllowDestroy", true),
            wait("m1", "MachineTaken", false),
        ];
        let pictures = vec![(0, still(&all)), (9, still(&all)), (1, still(&all))];
        let verdicts = verdicts(pictures);
        assert_eq!(
            verdicts[1],
            Verdict::Wait,
            "a host that is renamed comes by itself"
        );
        assert_eq!(verdicts[2], Verdict::Stuck(all.to_vec()));
    }

    #[test]
    fn a_host_that_goes_on_begins_the_while_anew() {
        let secret = [wait("n1", "CredentialsMissing", false)];
        let other = [wait("n2", "RetryLimit", false)];
        let pictures = vec![
            (0, still(&secret)),
            (9, moving()),
            (9, still(&secret)),
            (9, still(&other)),
            (9, still(&other)),
            (1, still(&other)),
        ];
        let verdicts = verdicts(pictures);
        assert!(
            verdicts[..5]
                .iter()
                .all(|verdict| *verdict == Verdict::Wait)
        );
        assert_eq!(verdicts[5], Verdict::Stuck(other.to_vec()));
    }
}
