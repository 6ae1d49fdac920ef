//! BIOS settings and firmware of machines: what is wanted, judged against what was read.
//!
//! ```text
//!  HostFirmwareSettings ───┐         ┌► its conditions: Valid, ChangeDetected
//!  FirmwareSchema ─────────┼─ judge ─┤
//!  HostFirmwareComponents ─┘         └► Standing: unread, changes ──► reconcile::step
//!  Found (read of a machine) ──► statuses, and a FirmwareSchema
//! ```
//!
//! Pure. A wish is judged when it changes, against the last reading and without asking anybody, so
//! a mistake shows at once and before a machine is touched. A machine is read once, after a
//! cleaning that was for its firmware, and right before one: nothing here is asked for again and
//! again.
//!
//! Machines of one model share a [`FirmwareSchema`](crate::api::FirmwareSchema), named by a digest
//! of what it says. The Bare Metal Operator makes each host's HostFirmwareSettings an owner of it:
//! with ten thousand hosts that is an object of 2 MB, past the limit of etcd, and a write of all of
//! it for each host. Ours has no owners. It never changes (another schema has another name), so it
//! is written once for a model, and it goes with the last HostFirmwareSettings that names it. One
//! that a crash left behind is the next machine's of that model.

mod change;
pub mod components;
pub mod schema;
pub mod settings;

use std::sync::Arc;

use crate::api::{
    Condition, FirmwareConditionType, FirmwareSchema, HostFirmwareComponents, HostFirmwareSettings,
    conditions,
};

pub use self::change::{Changes, Found, FoundSetting, Parts, Reading, Setting, Stamp};

/// What a step has to know of the firmware of its host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Nobody has read it yet.
    pub unread: Parts,
    /// What is wanted, can be done and is not so yet.
    pub changes: Option<Arc<Changes>>,
}

impl Standing {
    /// From the objects of the host, as far as there are such. Costs nothing while nothing is to be
    /// changed.
    pub fn of(
        settings: Option<&HostFirmwareSettings>,
        schema: Option<&FirmwareSchema>,
        components: Option<&HostFirmwareComponents>,
    ) -> Self {
        let unread = Parts {
            settings: settings.is_none_or(|settings| !settings::is_read(settings, schema)),
            // There are none of a machine whose parts nobody can list; that was found out when its
            // settings were read.
            components: components.map_or(
                settings.is_none_or(|settings| !settings::was_read(settings)),
                |components| !components::is_read(components),
            ),
        };
        let changed = settings.map_or_else(Vec::new, |it| settings::changes(it, schema));
        let updates = components.map_or_else(Vec::new, components::changes);
        let generation =
            |there: bool, generation: Option<i64>| there.then_some(generation.unwrap_or_default());
        let of = Stamp {
            settings: generation(
                !changed.is_empty(),
                settings.and_then(|settings| settings.metadata.generation),
            ),
            components: generation(
                !updates.is_empty(),
                components.and_then(|components| components.metadata.generation),
            ),
        };
        let changes = (of != Stamp::default()).then(|| {
            Arc::new(Changes {
                settings: changed,
                updates,
                of,
            })
        });
        Self { unread, changes }
    }
}

/// True when both conditions are of this generation.
fn is_judged<R>(
    conditions: &[Condition<FirmwareConditionType, R>],
    generation: Option<i64>,
) -> bool {
    let generation = generation.unwrap_or_default();
    let kinds = [
        FirmwareConditionType::Valid,
        FirmwareConditionType::ChangeDetected,
    ];
    kinds.iter().all(|kind| {
        conditions::find(conditions, kind)
            .is_some_and(|condition| condition.observed_generation == generation)
    })
}

/// True when what is wanted is judged, can be done and is not so.
fn is_to_change<R>(
    conditions: &[Condition<FirmwareConditionType, R>],
    generation: Option<i64>,
) -> bool {
    let is_true = |kind| {
        conditions::find(conditions, &kind)
            .is_some_and(|condition| condition.status == crate::api::ConditionStatus::True)
    };
    is_judged(conditions, generation)
        && is_true(FirmwareConditionType::Valid)
        && is_true(FirmwareConditionType::ChangeDetected)
}

/// The problems as one message, which has a limit.
fn message(problems: &[String]) -> String {
    /// As many as a person reads.
    const MOST: usize = 10;
    let mut text = problems[..problems.len().min(MOST)].join("; ");
    if problems.len() > MOST {
        text.push_str(&format!("; and {} more", problems.len() - MOST));
    }
    text
}

#[cfg(test)]
mod tests;
