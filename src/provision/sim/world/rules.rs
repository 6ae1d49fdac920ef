//! What goes wrong, as the rules of a script say.

use std::cmp::Reverse;
use std::time::Duration;

use super::super::fault::{self, Active, Rule, Times, What};
use super::super::journal::{JournalError, Line};
use super::super::script::Task;
use super::{Event, Slot, World};
use crate::api::Timestamp;
use crate::dice::Dice;
use crate::provision::Fault;

/// When to ask again after busy.
const BUSY: Duration = Duration::from_secs(1);
/// A credentials version that no secret has.
const REFUSED: &str = "refused by the simulation";

impl World {
    /// Puts all rules in force: those of the script, then those that were given.
    pub(super) fn rule_all(&mut self) {
        let (rules, began) = (std::mem::take(&mut self.options.rules), self.began);
        for rule in rules {
            self.rule(rule, began);
        }
        for line in self.given.clone() {
            if let Line::Fault { rule, at } = line
                && let Ok(rules) = fault::script("fault", &rule)
            {
                rules.into_iter().for_each(|rule| self.rule(rule, at));
            }
        }
    }

    fn rule(&mut self, rule: Rule, base: Timestamp) {
        // Equal lines are told apart by how many there are before.
        let before = self
            .rules
            .iter()
            .filter(|known| known.rule.text == rule.text)
            .count();
        let id = Dice::of(&rule.text, before as u64).roll();
        let active = Active::new(rule, id, base, self.options.pace);
        let event = Event::Rule(self.rules.len() as u32);
        if !self.happened.contains(&id) {
            self.agenda.push(Reverse((active.from, event)));
            self.agenda
                .extend(active.until.map(|until| Reverse((until, event))));
        }
        self.rules.push(active);
    }

    /// Gives a rule now. It is remembered as machines are.
    pub(in super::super) fn give(
        &mut self,
        rule: Rule,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let line = Line::Fault {
            rule: rule.text.clone(),
            at: now,
        };
        self.write(std::slice::from_ref(&line))?;
        self.given.push(line);
        self.rule(rule, now);
        Ok(())
    }

    /// A rule begins or ends.
    pub(super) fn edge(&mut self, index: usize, at: Timestamp, now: Timestamp) {
        let Some(rule) = self.rules.get(index).cloned() else {
            return;
        };
        match &rule.rule.what {
            What::ApiDown | What::ApiUnauthorized => self.all = true,
            What::LoseBmc(hosts) => {
                for index in 0..self.slots.len() {
                    if hosts.has(&self.slots[index].host.name) {
                        self.catch_up(index as u32, now);
                        self.hold_rules(index as u32, now);
                    }
                }
            }
            What::LoseNode(hosts) if at == rule.from => {
                self.happened.push(rule.id);
                let mut lines = vec![Line::Happened { rule: rule.id }];
                for index in 0..self.slots.len() {
                    let slot = &self.slots[index];
                    if !hosts.has(&slot.host.name) || slot.machine.facts().is_none() {
                        continue;
                    }
                    self.unbook(index as u32);
                    let slot = &mut self.slots[index];
                    slot.machine.advance(now);
                    slot.machine.lose();
                    self.news.push(slot.host.clone());
                    lines.push(Self::entry(slot));
                    self.plan(index as u32);
                }
                if let Err(error) = self.write(&lines) {
                    tracing::warn!(code = error.code(), "not written down: {error}");
                }
            }
            What::LoseNode(_)
            | What::Fail { .. }
            | What::Slow { .. }
            | What::WrongCredentials(_)
            | What::Busy { .. }
            | What::ApiSlow(_)
            | What::Limit { .. }
            | What::Take { .. } => {}
        }
    }

    /// Makes a machine's BMC answer or not, as the rules say now.
    pub(super) fn hold_rules(&mut self, index: u32, now: Timestamp) {
        let slot = &mut self.slots[index as usize];
        let lost = |rule: &Active| match &rule.rule.what {
            What::LoseBmc(hosts) => rule.holds(now) && hosts.has(&slot.host.name),
            _ => false,
        };
        let reachable = !self.rules.iter().any(lost);
        if slot.machine.hardware.reachable != reachable {
            slot.machine.set_reachable(reachable, now);
            self.news.push(slot.host.clone());
            self.plan(index);
        }
    }

    /// Why nobody answers, if so.
    pub(super) fn outage(&self, now: Timestamp) -> Option<String> {
        let down = |rule: &&Active| {
            matches!(rule.rule.what, What::ApiDown | What::ApiUnauthorized) && rule.holds(now)
        };
        let rule = self.rules.iter().find(down)?;
        let since = crate::api::whole_seconds(rule.from);
        let what = match rule.rule.what {
            What::ApiUnauthorized => "refuse metalform's credentials",
            _ => "do not answer",
        };
        Some(format!(
            "the simulated machines {what} since {since} (`{}`)",
            rule.rule.text
        ))
    }

    pub(super) fn is_unauthorized(&self, now: Timestamp) -> bool {
        let refuses =
            |rule: &Active| matches!(rule.rule.what, What::ApiUnauthorized) && rule.holds(now);
        self.rules.iter().any(refuses)
    }

    /// How long an effect takes to be accepted.
    pub(in super::super) fn latency(&self, now: Timestamp) -> Duration {
        let slow = self
            .rules
            .iter()
            .filter(|rule| rule.holds(now))
            .map(|rule| match rule.rule.what {
                What::ApiSlow(time) => time / self.options.pace.max(1),
                _ => Duration::ZERO,
            });
        slow.max().unwrap_or_default()
    }

    pub(super) fn check_api(&self, now: Timestamp) -> Result<(), Fault> {
        let Some(text) = self.outage(now) else {
            return Ok(());
        };
        if self.is_unauthorized(now) {
            return Err(Fault::Unauthorized(text));
        }
        Err(Fault::Unreachable(text))
    }

    pub(super) fn check_busy(&mut self, index: u32, now: Timestamp) -> Result<(), Fault> {
        let seed = self.options.seed;
        let slot = &mut self.slots[index as usize];
        for rule in self.rules.iter().filter(|rule| rule.holds(now)) {
            let What::Busy { hosts, times } = &rule.rule.what else {
                continue;
            };
            if hosts.has(&slot.host.name) && slot.strikes(rule.id, *times, seed) {
                let what = format!("the node is locked (`{}`)", rule.rule.text);
                return Err(Fault::Busy { what, retry: BUSY });
            }
        }
        Ok(())
    }

    /// Sets up what goes wrong with the tasks that are about to begin. Answers with the rules whose
    /// strikes are counted, should their task begin.
    pub(super) fn trouble(
        &self,
        slot: &mut Slot,
        tasks: &[Task],
        now: Timestamp,
    ) -> Vec<(Task, u64)> {
        let troubles = &mut slot.machine.troubles;
        troubles.next.clear();
        (troubles.permille, troubles.slow) = (self.options.fault_permille, 1);
        let mut counted = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.holds(now)) {
            match &rule.rule.what {
                What::Slow {
                    tasks: slow,
                    hosts,
                    factor,
                } if tasks.first().is_some_and(|task| slow.has(*task))
                    && hosts.has(&slot.host.name) =>
                {
                    troubles.slow = troubles.slow.saturating_mul(*factor);
                }
                What::Fail { task, hosts, times }
                    if tasks.contains(task) && hosts.has(&slot.host.name) =>
                {
                    let struck = slot.struck.iter().find(|(id, _)| *id == rule.id);
                    match times {
                        Times::Permille(share) => troubles.permille = troubles.permille.max(*share),
                        Times::First(most) if struck.is_some_and(|(_, n)| n >= most) => {}
                        Times::First(_) | Times::Always if troubles.next.contains(task) => {}
                        Times::First(_) => {
                            troubles.next.push_back(*task);
                            counted.push((*task, rule.id));
                        }
                        Times::Always => troubles.next.push_back(*task),
                    }
                }
                _ => {}
            }
        }
        counted
    }

    /// What the BMC accepts: anything, or nothing while a rule refuses what is on the books.
    pub(super) fn password(&self, slot: &Slot, now: Timestamp) -> Option<String> {
        let written = slot.machine.credentials();
        let wrong = |rule: &Active| match &rule.rule.what {
            What::WrongCredentials(hosts) => rule.holds(now) && hosts.has(&slot.host.name),
            _ => false,
        };
        let refused = written.is_some() && written == slot.first.as_deref();
        (refused && self.rules.iter().any(wrong)).then(|| REFUSED.to_owned())
    }
}

impl Slot {
    /// True when a rule strikes now; counts it.
    fn strikes(&mut self, id: u64, times: Times, seed: u64) -> bool {
        match times {
            Times::Always => true,
            Times::First(most) => {
                let struck = self.struck.iter().find(|(known, _)| *known == id);
                let strikes = struck.is_none_or(|(_, count)| *count < most);
                if strikes {
                    self.count(id);
                }
                strikes
            }
            Times::Permille(share) => {
                let count = self.count(id);
                Dice::of(&self.host.name, seed ^ id ^ u64::from(count)).permille(share)
            }
        }
    }

    /// Counts a strike; answers with the count.
    pub(super) fn count(&mut self, id: u64) -> u32 {
        if let Some((_, count)) = self.struck.iter_mut().find(|(known, _)| *known == id) {
            *count += 1;
            return *count;
        }
        self.struck.push((id, 1));
        1
    }
}
