//! Where in the spec things are written; looked at only for what is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::fleet::{Fleet, Origin};
use crate::vfs::Files;

use super::{Wanted, lower};

/// Where a fleet's hosts and their fields are written.
#[derive(Clone, Default)]
pub struct Sites(Option<(Arc<Fleet>, Arc<Files>)>);

/// Where the fields of one host's object are written.
pub struct HostSites<'a> {
    files: Option<&'a Files>,
    places: BTreeMap<String, Origin>,
}

impl fmt::Debug for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sites")
    }
}

impl fmt::Debug for HostSites<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.places.keys().collect::<Vec<_>>().fmt(f)
    }
}

impl Sites {
    /// Of this fleet, whose texts these are.
    pub fn new(fleet: Arc<Fleet>, files: Arc<Files>) -> Self {
        Self(Some((fleet, files)))
    }

    /// The fleet and the texts, if they are known.
    pub(super) fn parts(&self) -> Option<(&Arc<Fleet>, &Arc<Files>)> {
        self.0.as_ref().map(|(fleet, files)| (fleet, files))
    }

    /// Where the host is declared, e.g. `racks/r01.kdl:28`.
    pub fn origin(&self, host: &str) -> Option<String> {
        let (fleet, files) = self.0.as_ref()?;
        Some(fleet.host(host)?.origin.show(files))
    }

    /// Where the fields of a host's object are written. Costs about as much as lowering the host.
    pub fn of(&self, host: &str, wanted: &Wanted) -> HostSites<'_> {
        let Some((fleet, files)) = &self.0 else {
            return HostSites::nowhere();
        };
        let Some(host) = fleet.host(host) else {
            return HostSites::nowhere();
        };
        HostSites {
            files: Some(files),
            places: lower::places(fleet, host, wanted),
        }
    }
}

impl HostSites<'_> {
    fn nowhere() -> Self {
        Self {
            files: None,
            places: BTreeMap::new(),
        }
    }

    /// Where the winner of the field at this path of the object (`spec.image.url`, `pool`) is
    /// written. For a list or record it is the first of what is written in it; for a part of
    /// something that is written as one (`spec.userData.name`) the whole. `None` where nothing
    /// says it: a default, or a field that the spec does not set.
    pub fn at(&self, path: &str) -> Option<String> {
        let files = self.files?;
        let inside = |key: &str| {
            key.strip_prefix(path)
                .is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        let first_inside = || {
            let keys = self.places.range(path.to_owned()..);
            let keys = keys.take_while(|(key, _)| key.starts_with(path));
            keys.filter(|(key, _)| inside(key))
                .map(|(_, origin)| origin)
                .min()
        };
        let whole = || {
            let mut path = path;
            while let Some(end) = path.rfind(['.', '[']) {
                path = &path[..end];
                if let Some(found) = self.places.get(path) {
                    return Some(found);
                }
            }
            None
        };
        let found = self.places.get(path).or_else(first_inside).or_else(whole)?;
        Some(found.show(files))
    }
}
