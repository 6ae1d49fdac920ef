//! The annotation `baremetalhost.metal3.io/detached`.

use serde::Deserialize;

use super::names::annotation;
use super::{BareMetalHost, OperationalStatus};

/// What the annotation asks for.
#[derive(Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Detached {
    /// `delay` or `delete`: what a deletion of the host does meanwhile.
    #[serde(default)]
    pub delete_action: String,
    /// Also while the machine is being worked on.
    #[serde(default)]
    pub force: bool,
}

impl Detached {
    /// A deletion waits until the annotation goes, and then does what it does to any host.
    pub fn delays_deletion(&self) -> bool {
        self.delete_action == "delay"
    }
}

impl BareMetalHost {
    /// What the detached annotation asks for, if it is there. A value that cannot be read asks for
    /// nothing special.
    pub fn detached(&self) -> Option<Detached> {
        let value = self.annotation(annotation::DETACHED)?;
        Some(serde_json::from_str(value).unwrap_or_default())
    }

    /// True when the machine was taken out of our hands for good, as far as anybody has said: a
    /// deletion of the host leaves it as it is. Without the annotation, or with one that delays
    /// deletions, the machine comes back first.
    pub fn is_given_away(&self) -> bool {
        let status = self.status.as_ref();
        let detached =
            status.is_some_and(|status| status.operational_status == OperationalStatus::Detached);
        detached && self.detached().is_some_and(|wish| !wish.delays_deletion())
    }
}
