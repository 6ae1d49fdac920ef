//! Profiles that a block uses.

use std::collections::HashMap;
use std::sync::atomic::Ordering as Atomic;

use super::{Chain, Collector, Gathered, Spot};
use crate::diag::{Code, Diagnostic, Place};
use crate::eval::compile::{Step, Use};
use crate::eval::expr::Val;
use crate::eval::merge::Strength;

/// Uses of profiles that one block may come to, those in profiles included. A block that means
/// this many was not written by hand; the bound keeps what a few lines can ask for finite in time.
const MOST_USES: usize = 1024;

/// A use of a profile whose lines are still to be added.
pub(super) struct Used {
    profile: usize,
    args: HashMap<String, Option<Val>>,
    strength: Option<Strength>,
    /// Index of its chain.
    chain: u16,
}

impl<'t> Collector<'_, 't> {
    /// Adds the definitions of a block, whose first site has the number `sites`, and of the profiles
    /// that it uses.
    ///
    /// Profiles are gone through by the length of their chain, so that of several ways to the same
    /// profile with the same arguments and strength the shortest comes first; the others would say
    /// the same with less rank. Using twice is using once, and fifteen profiles that each use the
    /// next three times are fifteen profiles.
    pub(in crate::eval) fn body(
        &mut self,
        steps: &[Step<'t>],
        sites: u32,
        at: Spot<'_>,
        into: &mut Gathered,
    ) {
        let mut uses: Vec<Used> = Vec::new();
        self.lines(steps, sites, at, &mut uses, into);
        let profiles = self.profiles;
        let mut next = 0;
        while let Some(used) = uses.get_mut(next) {
            let profile = &profiles[used.profile];
            // Taken out while its lines may add to the list, and put back to be compared with: a
            // profile never leads to itself, so nobody looks for it meanwhile.
            let args = std::mem::take(&mut used.args);
            let within = Spot {
                frame: profile.frame,
                args: &args,
                chain: Some(used.chain),
                strength: used.strength,
                ..at
            };
            self.lines(&profile.steps, profile.sites, within, &mut uses, into);
            uses[next].args = args;
            next += 1;
        }
    }

    /// Puts a use on the list, unless the same one is there.
    pub(super) fn use_profile(
        &mut self,
        used: &Use<'t>,
        at: Spot<'_>,
        uses: &mut Vec<Used>,
        into: &mut Gathered,
    ) {
        let profiles = self.profiles;
        let profile = &profiles[used.profile];
        // Looked at first: writing what is there already would slow the other threads down.
        if !profile.used.load(Atomic::Relaxed) {
            profile.used.store(true, Atomic::Relaxed);
        }
        if profile.cyclic {
            into.broken = true;
            return;
        }
        let length = at
            .chain
            .map_or(0, |index| into.chains[index as usize].length);
        if length >= self.depth_limit {
            let message = format!(
                "profiles are nested deeper than {}, the limit",
                self.depth_limit
            );
            return self.too_many(message, used.place, into);
        }
        let mut args = HashMap::with_capacity(profile.params.len());
        for (name, arg) in &used.args {
            let value = self.arg(arg, at);
            into.broken |= value.is_none();
            args.insert((*name).to_owned(), value);
        }
        for param in &profile.params {
            if args.contains_key(param.name) {
                continue;
            }
            let value = match &param.default {
                None => None,
                Some(default) => {
                    let within = Spot {
                        frame: profile.frame,
                        args: &args,
                        ..at
                    };
                    self.arg(default, within)
                }
            };
            into.broken |= value.is_none();
            args.insert(param.name.to_owned(), value);
        }
        let strength = used.strength.or(at.strength);
        let same = |known: &Used| {
            known.profile == used.profile && known.strength == strength && known.args == args
        };
        if uses.iter().any(same) {
            return;
        }
        if uses.len() >= MOST_USES || into.chains.len() >= usize::from(u16::MAX) {
            let message = format!("more than {MOST_USES} uses of profiles come together here");
            return self.too_many(message, used.place, into);
        }
        let chain = into.chains.len() as u16;
        into.chains.push(Chain {
            profile: used.profile,
            place: used.place,
            before: at.chain,
            length: length + 1,
        });
        uses.push(Used {
            profile: used.profile,
            args,
            strength,
            chain,
        });
    }

    fn too_many(&mut self, message: String, place: Place, into: &mut Gathered) {
        into.broken = true;
        self.findings
            .add(Diagnostic::error(Code(9006), message, place, ""));
    }
}
