//! What is written down of the machines, and read again.

use std::sync::Arc;

use jiff::SignedDuration;

use super::super::journal::{self, Entry, JournalError, Line, Lines};
use super::super::machine::Machine;
use super::{Slot, World};
use crate::api::Timestamp;
use crate::store::Key;

impl World {
    /// Takes over what a journal says.
    pub(super) fn remember(
        &mut self,
        lines: &mut Lines,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        while let Some(line) = lines.next() {
            let line = line?;
            match line {
                Line::Machines { began, .. } => self.began = began,
                Line::Machine(entry) => {
                    let known = self
                        .slot(entry)
                        .ok_or_else(|| lines.corrupt("a word that is not known"))?;
                    let at = self.racks.get(&known.rack).copied();
                    match at.and_then(|at| self.slots.get_mut(at as usize)) {
                        Some(slot) => *slot = known,
                        None => {
                            self.racks
                                .insert(Arc::clone(&known.rack), self.slots.len() as u32);
                            self.slots.push(known);
                        }
                    }
                }
                Line::Fault { .. } => self.given.push(line),
                Line::Happened { rule } => self.happened.push(rule),
            }
        }
        // A wall clock that was set back: time stood still meanwhile.
        let seen = |slot: &Slot| slot.machine.facts().and_then(|facts| facts.updated_at);
        let latest = self.slots.iter().filter_map(seen).chain([self.began]).max();
        let ahead = latest.map_or(SignedDuration::ZERO, |latest| latest.duration_since(now));
        if ahead > SignedDuration::ZERO {
            self.began = self.began.checked_sub(ahead).unwrap_or(now);
            self.slots
                .iter_mut()
                .for_each(|slot| slot.machine.set_back(ahead));
        }
        for index in 0..self.slots.len() {
            self.book(index as u32);
        }
        Ok(())
    }

    fn slot(&self, mut entry: Entry) -> Option<Slot> {
        // Nearly all machines have these in common.
        if let Some(last) = self.slots.last() {
            if last.host.namespace == entry.namespace {
                entry.namespace = Arc::clone(&last.host.namespace);
            }
            if last.first == entry.first {
                entry.first.clone_from(&last.first);
            }
        }
        Some(Slot {
            machine: Machine::from_record(entry.machine, Arc::clone(&self.pace))?,
            rack: entry.rack,
            host: Key::new(entry.namespace, entry.host),
            settings: entry.settings,
            place: entry.place,
            ports: entry.ports,
            orders: entry.orders,
            first: entry.first,
            struck: entry.struck,
            began: entry.began,
            due: None,
        })
    }

    pub(super) fn write(&mut self, lines: &[Line]) -> Result<(), JournalError> {
        // Before and not after: what these lines tell is not in the machines yet.
        if self
            .journal
            .as_ref()
            .is_some_and(|journal| journal.is_long())
        {
            self.compact()?;
        }
        match &mut self.journal {
            Some(journal) => journal.append(lines),
            None => Ok(()),
        }
    }

    pub(super) fn compact(&mut self) -> Result<(), JournalError> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        let happened = |rule: &u64| Line::Happened { rule: *rule };
        let lines = std::iter::once(journal::first(self.began))
            .chain(self.given.iter().cloned())
            .chain(self.happened.iter().map(happened))
            .chain(self.slots.iter().map(Self::entry));
        journal.rewrite(lines)
    }

    pub(super) fn entry(slot: &Slot) -> Line {
        Line::Machine(Entry {
            rack: Arc::clone(&slot.rack),
            namespace: Arc::clone(&slot.host.namespace),
            host: Arc::clone(&slot.host.name),
            settings: slot.settings,
            place: slot.place,
            ports: slot.ports,
            orders: slot.orders,
            first: slot.first.clone(),
            struck: slot.struck.clone(),
            began: slot.began,
            machine: slot.machine.record(),
        })
    }
}
