//! Hosts that are the very same value as when the fleet was last lowered.

use std::iter::Peekable;
use std::slice::Iter;
use std::sync::Arc;

use super::Desired;
use crate::fleet::{Fleet, Host, natural};

/// The hosts of the last fleet; none where what is not theirs but lowered with them differs.
pub(super) struct Unmoved<'d>(Peekable<Iter<'d, Arc<Host>>>);

impl<'d> Unmoved<'d> {
    pub(super) fn of(fleet: &Fleet, previous: Option<&'d Desired>) -> Self {
        let last = previous.and_then(|previous| previous.sites.parts());
        let last = last.filter(|(last, _)| has_same_around(fleet, last));
        let hosts = last.map_or(&[][..], |(last, _)| &last.hosts);
        Self(hosts.iter().peekable())
    }

    /// Whether this is one of them; asked in the order of the fleet.
    pub(super) fn has(&mut self, host: &Arc<Host>) -> bool {
        let precedes =
            |last: &&Arc<Host>| last.name != host.name && natural(&last.name, &host.name).is_lt();
        while self.0.next_if(precedes).is_some() {}
        let found = self.0.next_if(|last| last.name == host.name);
        found.is_some_and(|last| Arc::ptr_eq(last, host))
    }
}

/// Whether a host of both fleets is lowered to the same in both, if it is a member of its pool in
/// both or in none: whose it is, which image a name means, what its pool protects.
fn has_same_around(fleet: &Fleet, last: &Fleet) -> bool {
    let images = |fleet: &Fleet| -> Vec<_> {
        let images = fleet.images.iter();
        images
            .map(|image| (Arc::clone(&image.name), image.digest))
            .collect()
    };
    let pools = |fleet: &Fleet| -> Vec<_> {
        let pools = fleet.pools.iter();
        pools
            .map(|pool| (Arc::clone(&pool.name), pool.prevent_destroy))
            .collect()
    };
    fleet.namespace == last.namespace
        && (fleet.ironics.len() > 1) == (last.ironics.len() > 1)
        && images(fleet) == images(last)
        && pools(fleet) == pools(last)
}
