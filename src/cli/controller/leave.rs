//! What the Fleet object of a fleet permits the controller to do with its hosts.

use crate::api::Fleet;
use crate::api::fleet::applyset;
use crate::store::Key;

/// Whether hosts may be written. As long as the object was not seen they may not: it could be paused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Leave {
    /// The object is not there or not yet the parent of the fleet's set, which goes before any
    /// member (KEP-3659).
    #[default]
    Unwritten,
    /// `spec.paused`.
    Paused,
    /// The set is kept by this tool.
    Foreign(String),
    /// The spec is followed.
    Given,
}

impl Leave {
    /// What the object says, if it is there.
    pub fn of(fleet: Option<&Fleet>, key: &Key) -> Self {
        let Some(fleet) = fleet else {
            return Self::Unwritten;
        };
        if fleet.spec.paused {
            return Self::Paused;
        }
        if let Some(tool) = applyset::foreign(fleet) {
            return Self::Foreign(tool.to_owned());
        }
        match applyset::is_parent(fleet, &key.name, &key.namespace) {
            true => Self::Given,
            false => Self::Unwritten,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_written_once_the_parent_is_there_and_not_paused() {
        let key = Key::new("metal3", "lab");
        let leave = |fleet: &Fleet| Leave::of(Some(fleet), &key);
        assert_eq!(Leave::of(None, &key), Leave::Unwritten);
        assert_eq!(leave(&Fleet::default()), Leave::Unwritten);
        let parent = applyset::parent("lab", "metal3");
        let parent: Fleet = serde_json::from_value(parent).unwrap();
        assert_eq!(leave(&parent), Leave::Given);
        let other = Key::new("elsewhere", "lab");
        assert_eq!(Leave::of(Some(&parent), &other), Leave::Unwritten);
        let mut paused = parent.clone();
        paused.spec.paused = true;
        assert_eq!(leave(&paused), Leave::Paused);
        let mut foreign = parent;
        let annotations = foreign.metadata.annotations.as_mut().unwrap();
        annotations.insert("applyset.kubernetes.io/tooling", "kubectl/v1.33");
        assert_eq!(leave(&foreign), Leave::Foreign("kubectl/v1.33".to_owned()));
    }
}
