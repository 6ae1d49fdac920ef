//! The annotations that ask for something.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroU64;

use serde::Deserialize;

use crate::api::BareMetalHost;
use crate::api::names::annotation;

/// True when the host is to be left alone.
pub(super) fn is_paused(host: &BareMetalHost) -> bool {
    host.annotation(annotation::PAUSED).is_some()
}

/// True when another inspection is asked for.
pub(super) fn wants_inspection(host: &BareMetalHost) -> bool {
    host.annotation(annotation::INSPECT)
        .is_some_and(|value| value != "disabled")
}

/// A digest of all annotations that ask for something: another one is a new wish.
pub fn wishes(host: &BareMetalHost) -> NonZeroU64 {
    let names = [
        annotation::DETACHED,
        annotation::INSPECT,
        annotation::REBOOT,
    ];
    let mut hasher = DefaultHasher::new();
    for (name, value) in host.metadata.annotations.iter().flatten() {
        if names.contains(&name) || name.starts_with(annotation::REBOOT_PREFIX) {
            (name, value).hash(&mut hasher);
        }
    }
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN)
}

/// What the reboot annotations ask for, all of them together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent wishes")]
pub(super) struct Reboot {
    /// The annotation without a suffix: off once, then on.
    pub once: bool,
    /// One with a suffix: off until it is gone.
    pub held: bool,
    /// At least one wants the power cut.
    pub hard: bool,
    /// The one without a suffix wants it also while the machine is being worked on. (With a
    /// suffix that would stop and start the same work again and again while it is held.)
    pub force: bool,
}

impl Reboot {
    /// True when the power is to be off because of an annotation.
    pub fn is_wanted(self) -> bool {
        self.once || self.held
    }
}

#[derive(Deserialize, Default)]
struct RebootValue {
    #[serde(default)]
    mode: String,
    #[serde(default)]
    force: bool,
}

/// Which reboot annotations count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// All.
    All,
    /// Only those with `force`: a host that nobody uses is rebooted only on purpose.
    Forced,
}

/// Reads the reboot annotations. A value that is not JSON asks for a soft reboot, as an empty one
/// does: the webhook lets no other in.
pub(super) fn reboot<'a>(
    annotations: impl Iterator<Item = (&'a str, &'a str)>,
    which: Which,
) -> Reboot {
    let mut reboot = Reboot::default();
    for (name, value) in annotations {
        let once = name == annotation::REBOOT;
        if !once && !name.starts_with(annotation::REBOOT_PREFIX) {
            continue;
        }
        let value: RebootValue = serde_json::from_str(value).unwrap_or_default();
        if which == Which::Forced && !value.force {
            continue;
        }
        reboot.once |= once;
        reboot.held |= !once;
        reboot.hard |= value.mode == "hard";
        reboot.force |= once && value.force;
    }
    reboot
}
