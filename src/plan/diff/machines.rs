//! Which host has which machine.

use std::collections::BTreeMap;

use crate::api::BareMetalHost;
use crate::desired::Wanted;
use crate::store::{Key, Object as _};

/// Who has which machine now, by the addresses that tell machines apart: of hosts that the spec
/// does not say (any more).
pub(super) struct Machines(BTreeMap<String, Key>);

impl Machines {
    /// `wanted` is false where nobody is going to ask.
    pub fn of<'a>(hosts: impl Iterator<Item = &'a BareMetalHost>, wanted: bool) -> Self {
        let mut known = BTreeMap::new();
        for host in hosts.filter(|_| wanted) {
            for address in addresses(&host.spec.bmc.address, &host.spec.boot_mac_address) {
                known.entry(address).or_insert_with(|| host.key());
            }
        }
        Self(known)
    }

    /// The host that has the machine which a new host wants.
    pub fn owner(&self, wanted: &Wanted) -> Option<&Key> {
        let spec = &wanted.spec;
        addresses(&spec.bmc.address, &spec.boot_mac_address)
            .find_map(|address| self.0.get(&address))
    }
}

fn addresses(bmc: &str, mac: &str) -> impl Iterator<Item = String> {
    let known = [bmc, mac].map(str::to_lowercase);
    known.into_iter().filter(|address| !address.is_empty())
}
