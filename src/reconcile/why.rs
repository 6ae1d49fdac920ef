//! Every reason why a host is where it is, in one table.

/// A reason: a stable code for machines and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// CamelCase, stable, e.g. `WaitingForInspectSlot`. One of [`Code::ALL`].
    pub code: &'static str,
    /// What is waited for and, where one can do something, what to do.
    pub text: String,
    /// True when a person has to act or something is wrong: shown in red.
    pub blocked: bool,
    /// True when nothing is left to do for the host until somebody changes something.
    pub settled: bool,
}

impl Why {
    /// A reason of the table with its text.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        let kind = code.kind();
        Self {
            code: code.as_str(),
            text: text.into(),
            blocked: matches!(kind, Kind::Blocked | Kind::SharedBlocked),
            settled: kind == Kind::Settled,
        }
    }

    /// True when nothing goes on before a person did something.
    pub fn needs_person(&self) -> bool {
        self.blocked && self.row().is_some_and(Code::needs_person)
    }

    /// The row of the table.
    pub fn row(&self) -> Option<Code> {
        Code::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == self.code)
    }
}

/// What a reason means for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On its way; nobody has to do anything.
    Progress,
    /// Nothing is left to do.
    Settled,
    /// Held up by something that all hosts share; nobody has to look at this host.
    Shared,
    /// Held up by something that all hosts share and that a person has to see to.
    SharedBlocked,
    /// This host is held up: shown as the condition `metalform.dev/Waiting`.
    Blocked,
}

macro_rules! codes {
    ($( $(#[doc = $doc:literal])+ $name:ident: $kind:ident, )+) => {
        /// The codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $( $(#[doc = $doc])+ $name, )+
        }

        impl Code {
            /// All codes, in the order of a host's life.
            pub const ALL: &'static [Self] = &[$( Self::$name, )+];

            /// The text on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$name => stringify!($name), )+
                }
            }

            /// What it means for the host.
            pub const fn kind(self) -> Kind {
                match self {
                    $( Self::$name => Kind::$kind, )+
                }
            }

            /// What is waited for and what to do, for `explain` and the documentation.
            pub const fn doc(self) -> &'static str {
                match self {
                    $( Self::$name => concat!($($doc, "\n"),+).trim_ascii(), )+
                }
            }
        }
    };
}

impl Code {
    /// True when nothing goes on before a person did something. Held up, but not for a person, is
    /// what is tried again by itself and what may come back without anybody's doing.
    pub const fn needs_person(self) -> bool {
        match self.kind() {
            Kind::Blocked => !matches!(self, Self::BackingOff | Self::PowerFault),
            Kind::SharedBlocked => !matches!(self, Self::StoreFailed),
            Kind::Progress | Kind::Settled | Kind::Shared => false,
        }
    }
}

codes! {
    /// The host is left alone because of the annotation `baremetalhost.metal3.io/paused`.
    /// Remove the annotation to go on.
    Paused: Settled,
    /// The host went on to its next state; what to do there is decided next.
    NextState: Progress,
    /// The host has no BMC address. Give it `bmc` to have it registered.
    Unmanaged: Settled,
    /// The state in the host's status is one that this version does not know.
    UnknownState: Blocked,
    /// The host came with a status annotation (`baremetalhost.metal3.io/status`) that cannot be read, so
    /// nobody knows what runs on its machine. Correct the annotation, or remove it if the host is new.
    StatusUnreadable: Blocked,

    /// The host names an Ironic that is not configured. Correct the name, or configure that Ironic.
    NoProvisioner: Blocked,
    /// What was decided cannot be written. Goes on when the store takes writes again.
    StoreFailed: SharedBlocked,
    /// metalform itself failed at this host, which is a mistake in it: its log has the place. Nothing is
    /// done with the host but a try a minute.
    TurnBroken: Blocked,
    /// The spec has BMC credentials but no BMC address.
    AddressMissing: Blocked,
    /// The Secret with the BMC credentials is missing or cannot be read. Goes on as soon as it is
    /// there.
    CredentialsMissing: Blocked,
    /// The Secret with the BMC credentials lacks a user name or a password. Goes on as soon as it
    /// is changed.
    CredentialsInvalid: Blocked,
    /// The provisioner has not yet seen all its machines since the start.
    ProvisionerStarting: Shared,
    /// The provisioner does not answer. Goes on when it does.
    ProvisionerDown: Shared,
    /// The provisioner refuses our own credentials: see to those of the `ironic` node.
    ProvisionerUnauthorized: SharedBlocked,
    /// An effect was sent and its result is not seen yet.
    Confirming: Progress,
    /// The machine is locked by something that is under way; asked again in a few seconds.
    Busy: Progress,
    /// The boot MAC address or the name belongs to another machine. Correct the address, or remove
    /// the other machine.
    MachineTaken: Blocked,
    /// The BMC address or the boot MAC address in the spec is not the one with which the machine was
    /// registered: it would be taken for another machine. Put it back, or detach the host, change it,
    /// and attach the host again.
    AddressChanged: Blocked,
    /// The hardware profile in the spec does not exist.
    ProfileInvalid: Blocked,

    /// The machine is being made known to the provisioner.
    Enrolling: Progress,
    /// Settings or credentials of the machine are being written.
    Amending: Progress,
    /// Ports of the machine are being written.
    CreatingPorts: Progress,
    /// Access to the BMC is being verified.
    Verifying: Progress,

    /// The hardware is being inspected.
    Inspecting: Progress,
    /// What the inspection found is being read.
    ReadingInventory: Progress,
    /// BIOS settings and firmware versions of the machine are being read.
    ReadingFirmware: Progress,
    /// RAID volumes are being made, or BIOS settings or firmware are being changed.
    Preparing: Progress,
    /// Disks are being cleaned so that the machine can be deployed.
    Cleaning: Progress,
    /// The image is being deployed.
    Deploying: Progress,
    /// The image is being taken off.
    Undeploying: Progress,
    /// A machine that is already deployed is being taken over.
    Adopting: Progress,
    /// A wait state is being ended.
    Aborting: Progress,
    /// Power is being changed.
    ChangingPower: Progress,
    /// Maintenance mode is being cleared.
    Unlocking: Progress,
    /// The machine is being forgotten by the provisioner.
    Forgetting: Progress,
    /// The machine is going back to manageable, from where the next try starts.
    Recovering: Progress,
    /// The machine is at something that this host did not start; waits until it has ended.
    MachineBusy: Progress,

    /// All slots for inspecting are in use; woken when it is this host's turn.
    WaitingForInspectSlot: Shared,
    /// All slots for cleaning are in use; woken when it is this host's turn.
    WaitingForCleanSlot: Shared,
    /// All slots for deploying are in use; woken when it is this host's turn.
    WaitingForDeploySlot: Shared,

    /// Something that the spec refers to (user-data, network-data, meta-data, a pull secret) cannot
    /// be read. Goes on as soon as it is there.
    ReferenceMissing: Blocked,
    /// Something failed and is tried again after a pause. An edit of the host tries at once.
    BackingOff: Blocked,
    /// Provisioning failed too often with this image. Change the image, or set
    /// `status.provisioningFailCount` to 0.
    RetryLimit: Blocked,
    /// The provisioner lost the BMC of the machine (`fault` is `power failure`); goes on when it
    /// answers again.
    PowerFault: Blocked,
    /// The machine was stopped at a hold step and waits for somebody to let it go on.
    OnHold: Blocked,
    /// The machine is in a state that does not fit the host's and that is not left on its own, for
    /// fear of destroying something: see the text.
    UnexpectedMachineState: Blocked,
    /// `externallyProvisioned` was set for a machine that has, or is given, an image of the spec's:
    /// nothing is taken off while it is set. Take it back, or put the image back.
    ExternalTooLate: Blocked,
    /// The host is to be off, but its power must not be turned off (`disablePowerOff`).
    PowerOffDisabled: Blocked,
    /// Deleting waits because the annotation `detached` says `delay`. Remove it to go on.
    DeleteDelayed: Blocked,

    /// Available: waits for an image.
    Available: Settled,
    /// There is an image, but nothing is provisioned while `online` is false.
    Offline: Settled,
    /// As wanted.
    Provisioned: Settled,
    /// As wanted; provisioned by somebody else.
    ExternallyProvisioned: Settled,
    /// Power is held off by a `reboot.metal3.io/…` annotation until it is removed.
    PowerHeldOff: Settled,
    /// Left alone, and unknown to the provisioner, because of the annotation `detached`.
    Detached: Settled,
    /// Forgotten by the provisioner; the object goes with its finalizer.
    Gone: Progress,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_reasons_of_conditions_and_have_a_doc() {
        for code in Code::ALL {
            assert!(code.as_str().chars().all(|c| c.is_ascii_alphanumeric()));
            assert!(
                code.doc().ends_with('.'),
                "{}: {}",
                code.as_str(),
                code.doc()
            );
            assert_eq!(Why::new(*code, "").row(), Some(*code));
        }
    }

    #[test]
    fn what_blocks_one_host_is_red_and_what_all_share_is_not() {
        assert!(Why::new(Code::BackingOff, "").blocked);
        assert!(Why::new(Code::ProvisionerUnauthorized, "").blocked);
        assert!(!Why::new(Code::ProvisionerDown, "").blocked);
        assert!(!Why::new(Code::WaitingForDeploySlot, "").blocked);
        assert!(Why::new(Code::Provisioned, "").settled);
    }

    #[test]
    fn what_is_tried_again_by_itself_needs_nobody() {
        let persons = |code: &&Code| Why::new(**code, "").needs_person();
        let codes: Vec<_> = Code::ALL
            .iter()
            .filter(persons)
            .map(|code| code.as_str())
            .collect();
        insta::assert_snapshot!(codes.join(" "), @"UnknownState StatusUnreadable NoProvisioner TurnBroken AddressMissing CredentialsMissing CredentialsInvalid ProvisionerUnauthorized MachineTaken AddressChanged ProfileInvalid ReferenceMissing RetryLimit OnHold UnexpectedMachineState ExternalTooLate PowerOffDisabled DeleteDelayed");
    }
}
