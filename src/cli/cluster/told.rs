//! What a host's object says of where the host is: of one that metalform drives and of one that the
//! Bare Metal Operator does. Nobody else has to be asked.
//!
//! metalform says what a host waits for in the condition `metalform.dev/Waiting`; that operator says
//! it in `errorMessage` and nowhere else.

use crate::api::names::annotation;
use crate::api::{
    BareMetalHost, BareMetalHostStatus, ConditionStatus, ConditionType, ErrorType,
    OperationalStatus, Payload, ProvisioningState as State, Timestamp,
};
use crate::reconcile::why;
use crate::serve::client::Reason;
use crate::store::Object as _;

/// What is said of a host.
struct Told {
    code: String,
    text: String,
    since: Option<Timestamp>,
    kind: Kind,
}

enum Kind {
    /// Nothing is left to do.
    Settled,
    /// On its way.
    Moving,
    /// Held up, and tried again by itself.
    Held,
    /// Nothing goes on before a person did something.
    Person,
}

impl Told {
    fn new(kind: Kind, code: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            text: text.into(),
            since: None,
            kind,
        }
    }

    fn since(self, since: Option<Timestamp>) -> Self {
        Self { since, ..self }
    }
}

/// Why a host is where it is.
pub(in crate::cli) fn reason(host: &BareMetalHost) -> Reason {
    let told = told(host);
    let key = host.key();
    Reason {
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
        code: told.code,
        text: told.text,
        blocked: matches!(told.kind, Kind::Held | Kind::Person),
        settled: matches!(told.kind, Kind::Settled),
        needs_person: matches!(told.kind, Kind::Person),
        since: told.since,
        held: None,
    }
}

fn told(host: &BareMetalHost) -> Told {
    let going = host.metadata.deletion_timestamp;
    if host.annotation(annotation::PAUSED).is_some() {
        let text = format!("left alone: annotation {}", annotation::PAUSED);
        return Told::new(Kind::Settled, "Paused", text);
    }
    let Some(status) = host
        .status
        .as_ref()
        .filter(|_| *host.state() != State::None)
    else {
        return match going {
            Some(since) => gone(host, since),
            None => Told::new(Kind::Moving, "New", "no controller has looked at it yet")
                .since(host.metadata.creation_timestamp),
        };
    };
    if let Some(told) = waiting(status).or_else(|| failed(status)) {
        return told;
    }
    if let Some(since) = going {
        return gone(host, since);
    }
    match status.operational_status {
        OperationalStatus::Detached => {
            return Told::new(
                Kind::Settled,
                "Detached",
                "not managed: detached by annotation",
            );
        }
        OperationalStatus::Delayed => {
            let text = "waits for a free slot: as many machines as are allowed are under way";
            return Told::new(Kind::Moving, "Delayed", text).since(progressing(status));
        }
        OperationalStatus::Servicing => {
            return Told::new(Kind::Moving, "Servicing", "its firmware is being changed")
                .since(progressing(status));
        }
        _ => {}
    }
    if is_stable(host.state()) {
        return at_rest(host, status);
    }
    let doing = doing(host.state());
    Told::new(Kind::Moving, camel(host.state().as_str()), doing).since(began(host.state(), status))
}

/// What is done to a machine in a state that it does not stay in. How far that is only its Ironic knows.
fn doing(state: &State) -> &'static str {
    match state {
        State::Registering => "it is being made known to Ironic, and its BMC tried",
        State::Inspecting => "its hardware is being inspected",
        State::Preparing => "RAID, BIOS and firmware are being set up, and its disks cleaned",
        State::Provisioning => "its image is being deployed",
        State::Deprovisioning => "its image is being taken off, and its disks cleaned",
        State::PoweringOffBeforeDelete => "it is being powered off",
        State::Deleting => "it is being taken out of Ironic",
        _ => "",
    }
}

/// The condition of ours.
fn waiting(status: &BareMetalHostStatus) -> Option<Told> {
    let waiting = status.condition(&ConditionType::Waiting)?;
    if waiting.status != ConditionStatus::True {
        return None;
    }
    let code = waiting.reason.as_str();
    let row = why::Code::ALL.iter().find(|row| row.as_str() == code);
    let kind = match row {
        Some(row) if !row.needs_person() => Kind::Held,
        // One of a newer version is as bad as it says.
        _ => Kind::Person,
    };
    Some(Told::new(kind, code, &*waiting.message).since(Some(waiting.last_transition_time)))
}

/// An error, which whoever drives the host tries again by itself.
fn failed(status: &BareMetalHostStatus) -> Option<Told> {
    let is_error = status.operational_status == OperationalStatus::Error;
    if status.error_message.is_empty() && !is_error {
        return None;
    }
    let code = match &status.error_type {
        Some(kind) => camel(kind.as_str()),
        None => "Error".to_owned(),
    };
    let ready = status.condition(&ConditionType::Ready);
    let since = ready.map(|ready| ready.last_transition_time);
    let text = &status.error_message;
    Some(Told::new(Kind::Held, code, &**text).since(since.or(status.last_updated)))
}

fn gone(host: &BareMetalHost, since: Timestamp) -> Told {
    let finalizers = host.metadata.finalizers();
    let text = format!("is being deleted; waits for {}", finalizers.join(", "));
    Told::new(Kind::Moving, "Deleting", text).since(Some(since))
}

fn is_stable(state: &State) -> bool {
    matches!(
        state,
        State::Available
            | State::Ready
            | State::Provisioned
            | State::ExternallyProvisioned
            | State::Unmanaged
    )
}

/// A host in a state that it stays in, unless it is wanted otherwise.
fn at_rest(host: &BareMetalHost, status: &BareMetalHostStatus) -> Told {
    let seen = status.conditions.iter().map(|one| one.observed_generation);
    let behind = |seen: i64| seen > 0 && host.metadata.generation.is_some_and(|now| seen < now);
    // Healthy keeps the generation of the day when it was told: the newest counts.
    if seen.max().is_some_and(behind) {
        return Told::new(
            Kind::Moving,
            "Changed",
            "no controller has looked at its change yet",
        );
    }
    let managed = !matches!(host.state(), State::Unmanaged);
    if !managed && host.has_bmc_details() {
        return Told::new(Kind::Moving, "Changed", "is to be registered");
    }
    let wanted = Payload::wanted(&host.spec);
    let external = matches!(host.state(), State::ExternallyProvisioned);
    // Nothing is deployed on a machine that is wanted off.
    let is_kept_off = matches!(host.state(), State::Available | State::Ready) && !host.spec.online;
    if managed && !external && !is_kept_off && wanted != Payload::applied(status) {
        let text = match wanted.is_none() {
            true => "what is deployed on it is to go".to_owned(),
            false => format!("is to get {}", wanted.name()),
        };
        return Told::new(Kind::Moving, "Changed", text);
    }
    if managed
        && has_power(host.state())
        && let Some(told) = power(host, status)
    {
        return told;
    }
    let code = match host.state() {
        State::Ready => "Available".to_owned(),
        state => camel(state.as_str()),
    };
    let kind = match host.state() {
        State::Provisioned | State::ExternallyProvisioned => ConditionType::Provisioned,
        _ => ConditionType::AvailableForProvisioning,
    };
    let since = status.condition(&kind).map(|one| one.last_transition_time);
    let since = since.or(status.operation_history.provision.end);
    Told::new(Kind::Settled, code, "").since(since)
}

/// True where the power of a machine at rest follows its spec at once. An available one is powered
/// off after cleaning and stays as it is with some drivers.
fn has_power(state: &State) -> bool {
    matches!(state, State::Provisioned | State::ExternallyProvisioned)
}

/// What becomes of the power, and why it is not as the spec says; `None` where it is.
fn power(host: &BareMetalHost, status: &BareMetalHostStatus) -> Option<Told> {
    let annotations = host.metadata.annotations.iter().flatten();
    let mut names = annotations.map(|(name, _)| name);
    let held = names.any(|name| name.starts_with(annotation::REBOOT_PREFIX));
    // Off is all that this one asks for.
    let once = status.powered_on && host.annotation(annotation::REBOOT).is_some();
    let text = match (status.powered_on, host.spec.online) {
        (false, true) if held => {
            let text = "held off by a reboot annotation (reboot.metal3.io/…) until that is removed";
            return Some(Told::new(Kind::Settled, "PowerHeldOff", text));
        }
        (true, true) if held => "is to be powered off, as a reboot annotation asks",
        (true, true) if once => "is to be rebooted",
        (false, true) => "is to be powered on",
        (true, false) => "is to be powered off",
        (true, true) | (false, false) => return None,
    };
    Some(Told::new(Kind::Moving, "ChangingPower", text))
}

fn progressing(status: &BareMetalHostStatus) -> Option<Timestamp> {
    let progressing = status.condition(&ConditionType::Progressing)?;
    (progressing.status == ConditionStatus::True).then_some(progressing.last_transition_time)
}

/// When a phase began.
fn began(state: &State, status: &BareMetalHostStatus) -> Option<Timestamp> {
    let history = &status.operation_history;
    let own = match state {
        State::Registering => history.register.start,
        State::Inspecting => history.inspect.start,
        State::Provisioning => history.provision.start,
        State::Deprovisioning => history.deprovision.start,
        _ => None,
    };
    own.or_else(|| progressing(status))
}

/// `powering off before delete` as a code.
fn camel(text: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    text.split_whitespace().map(word).collect()
}

/// What a person could do about what is said of a host; nothing where it goes on by itself.
pub(in crate::cli) fn next_steps(host: &BareMetalHost) -> Option<String> {
    let told = told(host);
    if let Some(row) = why::Code::ALL.iter().find(|row| row.as_str() == told.code)
        && matches!(told.kind, Kind::Held | Kind::Person)
    {
        let doc: Vec<&str> = row.doc().lines().map(str::trim).collect();
        return Some(doc.join(" "));
    }
    let status = host.status.as_ref();
    let secret = &host.spec.bmc.credentials_name;
    let text = match status.and_then(|status| status.error_type.as_ref()) {
        Some(ErrorType::Registration | ErrorType::ProvisionedRegistration) => format!(
            "See whether the BMC answers at {} and whether user and password in the Secret `{secret}` \
             are right; a change of either is tried at once.",
            host.spec.bmc.address
        ),
        Some(ErrorType::Inspection) => "Look at the machine's console: the ramdisk did not come up or \
             did not call back. Check the boot MAC address and the network that it boots from."
            .to_owned(),
        Some(ErrorType::Preparation) => "Look at what cleaning failed at: RAID and firmware settings \
             that the machine does not take, or a disk. An edit of `raid` or `firmware` tries again."
            .to_owned(),
        Some(ErrorType::Provisioning) => "See whether the image's URL answers from the provisioning \
             network and whether its checksum is right; an edit of the image tries at once."
            .to_owned(),
        Some(ErrorType::PowerManagement) => "See whether the BMC answers and takes power commands; it \
             is tried again by itself."
            .to_owned(),
        Some(ErrorType::Servicing) => "Look at the firmware settings and components that were asked \
             for; taking them back ends it."
            .to_owned(),
        Some(ErrorType::Other(_)) | None => match told.code.as_str() {
            "Paused" => format!("Remove the annotation {} to go on.", annotation::PAUSED),
            "Detached" => format!("Remove the annotation {} to go on.", annotation::DETACHED),
            "New" => "Nothing, if a controller (metalform's, or the Bare Metal Operator) runs and \
                      looks at this namespace; see whether one does."
                .to_owned(),
            "Unmanaged" => "Give it a BMC address and credentials to have it registered.".to_owned(),
            _ => return None,
        },
    };
    Some(text)
}

#[cfg(test)]
mod tests;
