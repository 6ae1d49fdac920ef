//! Properties that are written more than once.

use std::collections::HashMap;

use super::Reader;
use crate::diag::{Diagnostic, Span};
use crate::syntax::tree::{DASHED, EntryRecord, NONE};

impl Reader<'_> {
    /// Reports live properties that are written more than once.
    pub(super) fn duplicates(&mut self, node: u32) {
        /// Up to here, comparing all with all beats hashing.
        const FEW: usize = 12;
        let first = self.tree.nodes[node as usize].first_entry as usize;
        let live = |entry: &&EntryRecord| entry.key != NONE && entry.flags & DASHED == 0;
        let records = &self.tree.entries[first..];
        let key_text = |key: u32| self.tree.str(self.tree.keys[key as usize]);
        let mut twice: Vec<(u32, u32)> = Vec::new();
        if records.len() <= FEW {
            for (index, entry) in records.iter().enumerate().filter(|(_, entry)| live(entry)) {
                let key = key_text(entry.key);
                let before = records[..index]
                    .iter()
                    .filter(live)
                    .find(|other| key_text(other.key) == key);
                if let Some(before) = before {
                    twice.push((entry.key, before.key));
                }
            }
        } else {
            let mut seen = HashMap::new();
            for entry in records.iter().filter(live) {
                let first = *seen.entry(key_text(entry.key)).or_insert(entry.key);
                if first != entry.key {
                    twice.push((entry.key, first));
                }
            }
        }
        let span = |key: u32| {
            let text = self.tree.keys[key as usize];
            Span::new(text.start, text.end)
        };
        let found: Vec<Diagnostic> = twice
            .iter()
            .take(self.limits.diagnostics)
            .map(|&(again, first)| {
                self.source
                    .duplicate_property(key_text(again), span(again), span(first))
            })
            .collect();
        for found in found {
            self.report(found);
            self.mark_broken(node);
        }
    }
}
