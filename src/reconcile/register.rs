//! Registering: the machine is known to the provisioner, with our settings, and its BMC answers.
//!
//! This is looked after in every state, so that a provisioner that lost its machines gets them
//! back without anything else being done again.

use std::time::Duration;

use super::draft::{Draft, Flow};
use super::phase::Phase;
use super::{Code, Credentials, Wake, deploy, firmware, inspect, profile, remove};
use crate::api::names::reason;
use crate::api::{BareMetalHost, ErrorType, Nic, OperationalStatus, Payload};
use crate::provision::{Effect, Facts, Footing, NodeState, Other, Sight};

/// `fault` of a machine whose BMC the provisioner lost.
pub(super) const POWER_FAILURE: &str = "power failure";
/// How often to look whether a machine is still another host's.
const TAKEN: Duration = Duration::from_secs(10);

/// A host that was not looked at, or that has no BMC.
pub(super) fn begin(draft: &mut Draft<'_>, phase: Phase) -> Flow {
    if draft.view.host.has_bmc_details() {
        return draft.enter(Phase::Registering);
    }
    if phase == Phase::New {
        draft.note(reason::DISCOVERED, "Discovered host with no BMC details");
        draft.enter(Phase::Unmanaged);
    }
    draft.status.operational_status = OperationalStatus::Discovered;
    draft.wait(
        Code::Unmanaged,
        "has no BMC; give it an address and credentials",
    )
}

/// Notes the machine's id.
pub(super) fn identify(draft: &mut Draft<'_>, id: &str) {
    if draft.status.provisioning.id != id {
        id.clone_into(&mut draft.status.provisioning.id);
        // What was prepared was prepared on a machine that is no more known; see `prepare`.
        if Phase::of(&draft.status.provisioning.state) == Some(Phase::Preparing) {
            super::prepare::doubt(draft);
            firmware::is_lost(draft);
        }
    }
    let status = &mut draft.status.operational_status;
    if matches!(
        status,
        OperationalStatus::None | OperationalStatus::Discovered
    ) {
        *status = OperationalStatus::Ok;
    }
}

/// Sees to it that the machine is registered. `Err` when there is something to do or to wait for
/// first.
pub(super) fn ensure<'a>(draft: &mut Draft<'a>, phase: Phase) -> Result<&'a Facts, Flow> {
    let view = draft.view;
    if let Some(flow) = remove::give_up(draft, phase) {
        return Err(flow);
    }
    let version = match view.credentials {
        // A deletion does not wait for what would only be written to be removed.
        Credentials::Present { .. } if draft.is_deleted() && view.unregistrable.is_some() => None,
        Credentials::Present { version } => Some(version.as_str()),
        // Ironic has the credentials with which the machine was enrolled: good enough to remove it.
        Credentials::Missing(_) | Credentials::Invalid(_) if draft.is_deleted() => None,
        Credentials::Missing(text) => {
            draft.show_error(ErrorType::Registration, text);
            return Err(draft.wait(Code::CredentialsMissing, text));
        }
        Credentials::Invalid(text) => {
            draft.show_error(ErrorType::Registration, text);
            return Err(draft.wait(Code::CredentialsInvalid, text));
        }
    };
    if view.host.spec.bmc.address.is_empty() && !draft.is_deleted() {
        let text = "the spec has no BMC address";
        draft.show_error(ErrorType::Registration, text);
        return Err(draft.wait(Code::AddressMissing, text));
    }
    let facts = match view.sight {
        Sight::Unsynced | Sight::Down(_) | Sight::Unconfirmed(_) => return Err(unseen(draft)),
        Sight::Taken(_) if draft.is_deleted() => return Err(draft.enter(Phase::Deleting)),
        Sight::Taken(text) => {
            draft.show_error(ErrorType::Registration, &**text);
            let flow = draft.wait(Code::MachineTaken, &**text);
            // News of a machine wakes the host that it belongs to, and this is another one's.
            draft.wake = Wake::After(TAKEN);
            return Err(flow);
        }
        Sight::Absent => {
            return Err(match (version, view.unregistrable) {
                (Some(_), Some(text)) => draft.wait(Code::ReferenceMissing, text),
                (Some(version), None) => {
                    let effect = Effect::Enroll {
                        credentials: version.into(),
                    };
                    draft.send(
                        effect,
                        Code::Enrolling,
                        "is being made known to the provisioner",
                    )
                }
                (None, _) => draft.enter(Phase::Deleting),
            });
        }
        Sight::Present(facts) => facts,
    };
    identify(draft, &facts.id);
    if facts.state == NodeState::Verifying {
        draft.clear_error();
        return Err(draft.wait(Code::Verifying, "access to the BMC is being verified"));
    }
    if !facts.state.is_at_rest() {
        return Ok(facts);
    }
    if let Some(flow) = other_machine(draft, facts, phase) {
        return Err(flow);
    }
    if let Some(flow) = settings(draft, version) {
        return Err(flow);
    }
    if facts.state == NodeState::Enroll {
        return Err(verify(draft, facts));
    }
    registered(draft, version.is_some())?;
    match firmware::read_first(draft, facts, phase) {
        Some(flow) => Err(flow),
        None => Ok(facts),
    }
}

/// Waits until the machine is seen. What the host holds of slots it keeps meanwhile.
pub(super) fn unseen(draft: &mut Draft<'_>) -> Flow {
    match draft.view.sight {
        Sight::Down(outage) => {
            let code = if outage.unauthorized {
                Code::ProvisionerUnauthorized
            } else {
                Code::ProvisionerDown
            };
            draft.wait(code, &*outage.text)
        }
        Sight::Unconfirmed(effect) => {
            let text = format!("waits to see what became of: {}", effect.name());
            draft.wait(Code::Confirming, text)
        }
        Sight::Unsynced | Sight::Absent | Sight::Taken(_) | Sight::Present(_) => {
            let text = "the provisioner has not seen all its machines yet";
            draft.wait(Code::ProvisionerStarting, text)
        }
    }
}

/// Waits while the spec names another machine than the one that was registered: its BMC would make
/// that one carry out what is meant for this, at worst have its disks cleaned. What the Bare Metal
/// Operator's webhook refuses; a mistake in a new host's address is free to be corrected.
fn other_machine(draft: &mut Draft<'_>, facts: &Facts, phase: Phase) -> Option<Flow> {
    let what = draft.view.drift.other?;
    let is_free = phase == Phase::Registering && !facts.state.holds_image();
    if is_free || draft.is_deleted() {
        return None;
    }
    let text = format!(
        "the {what} in the spec is not the one with which the machine was registered; put it back, or \
         detach the host (annotation baremetalhost.metal3.io/detached), change it, and attach the host \
         again"
    );
    draft.show_error(ErrorType::Registration, &*text);
    Some(draft.wait(Code::AddressChanged, text))
}

/// The version that `status.triedCredentials` has after credentials of this version could not be
/// written: not equal to any version, so that writing them is tried again, with a pause that grows.
pub(super) fn refused_version(version: &str) -> String {
    format!("{version} (not written)")
}

/// Writes what differs.
fn settings(draft: &mut Draft<'_>, version: Option<&str>) -> Option<Flow> {
    let view = draft.view;
    if draft.is_deleted() && view.drift.other == Some(Other::Bmc) {
        // The machine that was registered is the one to be removed.
        return None;
    }
    if let Some(version) = version {
        let host = view.host;
        let namespace = host.metadata.namespace.as_deref().unwrap_or_default();
        let name = &host.spec.bmc.credentials_name;
        if !draft
            .status
            .tried_credentials
            .matches(namespace, name, version)
        {
            // What failed with other credentials does not hold these up; what failed while just
            // these were written does.
            if !draft
                .status
                .tried_credentials
                .matches(namespace, name, &refused_version(version))
            {
                draft.status.error_count = 0;
            }
            if let Some(text) = view.unregistrable {
                return Some(draft.wait(Code::ReferenceMissing, text));
            }
            let effect = Effect::Amend {
                credentials: Some(version.into()),
            };
            return Some(draft.send(effect, Code::Amending, "new credentials are being written"));
        }
    }
    if draft.is_deleted() && version.is_none() {
        return None;
    }
    if view.drift.settings {
        if let Some(text) = view.unregistrable {
            return Some(draft.wait(Code::ReferenceMissing, text));
        }
        let effect = Effect::Amend { credentials: None };
        return Some(draft.send(effect, Code::Amending, "changed settings are being written"));
    }
    if view.drift.ports && !(draft.is_deleted() && view.drift.other.is_some()) {
        return Some(draft.send(
            Effect::Ports,
            Code::CreatingPorts,
            "ports are being written",
        ));
    }
    None
}

/// Tries the BMC of an enrolled machine.
fn verify(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    if facts.target.is_some() {
        return draft.wait(Code::Verifying, "access to the BMC is being verified");
    }
    // A failed verification falls back to enroll with a text and no target.
    if let Some(text) = &facts.last_error
        && !draft.has_error(&ErrorType::Registration)
    {
        draft.fail(ErrorType::Registration, &**text);
    }
    draft.send(
        Effect::Manage,
        Code::Verifying,
        "access to the BMC is being verified",
    )
}

/// The BMC answers: notes what follows from it. Nothing follows for credentials that are not `known`.
fn registered(draft: &mut Draft<'_>, known: bool) -> Result<(), Flow> {
    profile_and_hints(draft)?;
    if draft.has_error(&ErrorType::Registration) {
        draft.succeed();
    }
    let now = draft.now();
    let status = &mut draft.status;
    if known && status.good_credentials != status.tried_credentials {
        status.good_credentials = status.tried_credentials.clone();
        status.operation_history.register.end = Some(now);
        draft.note(reason::BMC_ACCESS_VALIDATED, "Verified access to BMC");
    }
    Ok(())
}

/// The hardware profile, and the root device hints that may follow from it.
pub(super) fn profile_and_hints(draft: &mut Draft<'_>) -> Result<(), Flow> {
    if draft.is_deleted() {
        return Ok(());
    }
    let spec = &draft.view.host.spec;
    let before = std::mem::take(&mut draft.status.hardware_profile);
    match profile::of(spec, &before) {
        Ok(profile) => {
            draft.status.hardware_profile = profile.to_owned();
            if profile != before {
                draft.note(
                    reason::PROFILE_SET,
                    format!("Hardware profile set: {profile}"),
                );
            }
        }
        Err(unknown) => {
            let text = format!("the hardware profile `{unknown}` does not exist");
            draft.status.hardware_profile = before;
            draft.show_error(ErrorType::Registration, &*text);
            return Err(draft.wait(Code::ProfileInvalid, text));
        }
    }
    let provisioning = &mut draft.status.provisioning;
    if provisioning.root_device_hints.is_none() {
        let profile = &draft.status.hardware_profile;
        provisioning.root_device_hints = profile::root_device_hints(spec, profile);
    }
    Ok(())
}

/// The BMC of a new host answers: on to what comes next.
pub(super) fn finish(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let external = draft.view.host.spec.externally_provisioned;
    match facts.state.footing() {
        Footing::Settled | Footing::Failed => {}
        Footing::Busy | Footing::Waiting => return busy(draft, facts),
        Footing::Held => return held(draft, facts),
        Footing::Unknown => return unexpected(draft, facts),
    }
    if external {
        return draft.enter(Phase::ExternallyProvisioned);
    }
    if facts.state.holds_image() {
        return found_deployed(draft, facts);
    }
    if draft.view.host.inspection_disabled() {
        return draft.enter(Phase::Preparing);
    }
    if let Some(flow) = draft.queue(crate::budget::SlotKind::Inspect) {
        return flow;
    }
    draft.enter(Phase::Inspecting)
}

/// The host has nothing deployed and its machine has: the host's status went with a store that was lost,
/// or is that of a store's old backup. Goes on with what runs if it is what is wanted; waits otherwise.
pub(super) fn found_deployed(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let carries = carries_wanted(draft.view.host, facts);
    if carries && let Some(flow) = inspect::read_first(draft, facts) {
        return flow;
    }
    if carries && has_boot_mac(draft) {
        return deploy::carries(draft, facts);
    }
    let image = facts.image.as_deref().unwrap_or("nothing that is known");
    let why = if carries {
        "; that is what the host wants, but the machine was found by its name, and no inventory \
         shows the host's boot MAC address"
    } else {
        ", which is not what the host wants"
    };
    let text = format!(
        "the provisioner has this machine as `{}` with {image}{why}; undeploy it there, or take \
         it over as it is: take the host out of the spec, and when it is gone put it back with \
         externally-provisioned #true",
        facts.state
    );
    draft.wait(Code::UnexpectedMachineState, text)
}

/// True when the machine runs the image that the host wants. By which method it was given is not
/// told, so it is only looked at where no method is wanted.
fn carries_wanted(host: &BareMetalHost, facts: &Facts) -> bool {
    let wanted = Payload::wanted(&host.spec);
    facts.state == NodeState::Active
        && wanted.method.is_empty()
        && !wanted.is_none()
        && facts.image.as_deref() == Some(wanted.url)
}

/// True when the machine's inventory has the host's boot MAC address. A node is found by its name,
/// too, which may be another machine's: of another spec, or of one that was replaced.
fn has_boot_mac(draft: &Draft<'_>) -> bool {
    let wanted = draft.view.host.spec.boot_mac_address.as_str();
    let hardware = draft.status.hardware.as_ref();
    let details = hardware.and_then(|hardware| hardware.get().ok());
    let is_it = |nic: &Nic| nic.mac.eq_ignore_ascii_case(wanted);
    !wanted.is_empty() && details.is_some_and(|details| details.nics.iter().any(is_it))
}

/// Waits for what somebody else started.
pub(super) fn busy(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    draft.wait(
        Code::MachineBusy,
        format!("the machine is busy: {}", facts.state),
    )
}

/// Waits for a hold to be ended.
pub(super) fn held(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let text = format!(
        "somebody stopped the machine in `{}`; let it go on there",
        facts.state
    );
    draft.wait(Code::OnHold, text)
}

/// The machine is where this host did not bring it.
pub(super) fn unexpected(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    let text = format!(
        "the machine is in `{}`, which does not fit a host that is {}; bring it back in the \
         provisioner",
        facts.state, draft.status.provisioning.state
    );
    draft.wait(Code::UnexpectedMachineState, text)
}

/// Clears maintenance mode, in which nothing can be done. While the provisioner itself holds the
/// machine because its BMC is lost, waits.
pub(super) fn unlock(draft: &mut Draft<'_>, facts: &Facts) -> Option<Flow> {
    if !facts.maintenance {
        return None;
    }
    if facts.fault.as_deref() == Some(POWER_FAILURE) {
        let text = "the provisioner lost the BMC (power failure); goes on when it answers";
        if !draft.is_deleted() {
            return Some(draft.wait(Code::PowerFault, text));
        }
        // Each look after a pause counts, so that a BMC that never answers does not keep the host.
        if draft.rest().is_none() {
            draft.fail(ErrorType::PowerManagement, text);
        }
        return Some(draft.rest().unwrap_or(Flow::Done));
    }
    Some(draft.send(
        Effect::Unlock,
        Code::Unlocking,
        "maintenance mode is being cleared",
    ))
}

/// Brings a machine back from a failure to manageable.
pub(super) fn recover(draft: &mut Draft<'_>, facts: &Facts) -> Flow {
    if let Some(flow) = unlock(draft, facts) {
        return flow;
    }
    let text = format!("goes back from `{}` to be tried again", facts.state);
    draft.send(Effect::Manage, Code::Recovering, text)
}
