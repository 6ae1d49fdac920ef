//! What happens by itself: machines go on, rules begin and end.

use std::cmp::Reverse;

use super::{Event, News, World};
use crate::api::Timestamp;

impl World {
    /// When something happens next.
    pub(in super::super) fn next_event(&self) -> Option<Timestamp> {
        self.agenda.peek().map(|Reverse((at, _))| *at)
    }

    /// Lets happen what happens until `now`, and tells what changed.
    pub(in super::super) fn advance(&mut self, now: Timestamp) -> News {
        while let Some(Reverse((at, event))) = self.agenda.peek().copied()
            && at <= now
        {
            self.agenda.pop();
            match event {
                // What was planned anew is in the agenda twice.
                Event::Machine(index) if self.slots[index as usize].due == Some(at) => {
                    self.catch_up(index, now);
                }
                Event::Machine(_) => {}
                Event::Rule(index) => self.edge(index as usize, at, now),
            }
        }
        let mut changed = std::mem::take(&mut self.news);
        changed.sort_unstable();
        changed.dedup();
        let up = self.outage(now).is_none();
        News {
            changed,
            all: std::mem::take(&mut self.all),
            up,
        }
    }

    /// Lets a machine go on until `now`.
    pub(super) fn catch_up(&mut self, index: u32, now: Timestamp) {
        let slot = &mut self.slots[index as usize];
        if slot.due.is_some_and(|due| due <= now) {
            slot.machine.advance(now);
            self.news.push(slot.host.clone());
            self.plan(index);
        }
    }

    /// Puts the next event of a machine into the agenda.
    pub(super) fn plan(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let due = slot.machine.next_event();
        if slot.due != due {
            slot.due = due;
            self.agenda
                .extend(due.map(|due| Reverse((due, Event::Machine(index)))));
        }
    }
}
