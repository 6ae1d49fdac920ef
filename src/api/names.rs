//! Names that more than one part has to spell the same way.

/// Annotations.
pub mod annotation {
    /// Any value: the host is not looked at.
    pub const PAUSED: &str = "baremetalhost.metal3.io/paused";
    /// Any value, or JSON `{"deleteAction": "delay|delete", "force": bool}`: the machine is taken
    /// out of Ironic and left alone.
    pub const DETACHED: &str = "baremetalhost.metal3.io/detached";
    /// A status as JSON, taken over when the host has none; removed after use.
    pub const STATUS: &str = "baremetalhost.metal3.io/status";
    /// JSON `{"mode": "hard|soft", "force": bool}` or empty: one reboot, then removed.
    pub const REBOOT: &str = "reboot.metal3.io";
    /// With a suffix: holds the power off until the last such annotation is gone.
    pub const REBOOT_PREFIX: &str = "reboot.metal3.io/";
    /// `disabled`: no inspection. Empty: inspect again once available.
    pub const INSPECT: &str = "inspect.metal3.io";
    /// HardwareDetails as JSON, taken instead of an inspection.
    pub const HARDWARE_DETAILS: &str = "inspect.metal3.io/hardwaredetails";

    /// metalform: digest of the wanted spec that this object was applied from.
    pub const SPEC_DIGEST: &str = "metalform.dev/spec-digest";
    /// metalform: where the host is written, as `racks/r01.kdl:28`.
    pub const ORIGIN: &str = "metalform.dev/origin";
    /// metalform: the pool that selected the host.
    pub const POOL: &str = "metalform.dev/pool";
    /// metalform: the rack that the host stands in.
    pub const RACK: &str = "metalform.dev/rack";
    /// metalform: the Ironic that drives the host, by the name of its `ironic` node; absent: the
    /// only one.
    pub const IRONIC: &str = "metalform.dev/ironic";
    /// metalform: grants one destructive change; the value names which (see `plan`).
    pub const ALLOW_DESTROY: &str = "metalform.dev/allow-destroy";
    /// metalform: `true`: no plan may destroy the machine's content, also not by taking the host
    /// out of the spec.
    pub const PREVENT_DESTROY: &str = "metalform.dev/prevent-destroy";
    /// metalform: the host has no real machine; a controller with `--simulate` invented one. One
    /// that drives real machines leaves it alone, and the other way round.
    pub const SIMULATED: &str = "metalform.dev/simulated";
    /// metalform: on a controller's Lease, what it says of all its hosts (see [`crate::api::word`]).
    pub const STANDING: &str = "metalform.dev/standing";
    /// metalform: what all annotations of ours begin with.
    pub const OURS: &str = "metalform.dev/";
    /// metalform: the fleet that the host belongs to; also a label.
    pub const FLEET: &str = "metalform.dev/fleet";
}

/// Finalizers.
pub mod finalizer {
    /// On every host, from the first look at it until its machine is forgotten.
    pub const HOST: &str = "baremetalhost.metal3.io";
    /// On the Secrets that a host uses.
    pub const SECRET: &str = "baremetalhost.metal3.io/secret";
    /// On a HardwareData.
    pub const HARDWARE_DATA: &str = "baremetalhost.metal3.io/hardwareData";
    /// On a PreprovisioningImage, by its host.
    pub const PREPROVISIONING_IMAGE_OF_HOST: &str = "baremetalhost.metal3.io/preprovisioningImage";
    /// On a PreprovisioningImage, by its controller.
    pub const PREPROVISIONING_IMAGE: &str = "preprovisioningimage.metal3.io";
    /// On a DataImage.
    pub const DATA_IMAGE: &str = "dataimage.metal3.io";
    /// On a BMCEventSubscription.
    pub const BMC_EVENT_SUBSCRIPTION: &str = "bmceventsubscription.metal3.io";
    /// On a HostClaim.
    pub const HOST_CLAIM: &str = "metal3.io/hostclaim";
}

/// Labels.
pub mod label {
    /// On the Secrets that hosts use, so that others need not be watched.
    pub const ENVIRONMENT: &str = "environment.metal3.io";
    /// Value of [`ENVIRONMENT`].
    pub const ENVIRONMENT_BAREMETAL: &str = "baremetal";
    /// metalform: the fleet that the object belongs to.
    pub const FLEET: &str = "metalform.dev/fleet";
    /// metalform: the pool that selected the host.
    pub const POOL: &str = "metalform.dev/pool";
    /// metalform: the rack that the host stands in.
    pub const RACK: &str = "metalform.dev/rack";
    /// On the Lease that a controller of metalform's holds or held, so that it is found.
    pub const LEASE: &str = "metalform.dev/lease";
    /// Value of [`LEASE`].
    pub const LEASE_CONTROLLER: &str = "controller";
}

/// Marks of a set of objects that are pruned together (KEP-3659).
pub mod applyset {
    /// Label of the parent: its own id.
    pub const ID: &str = "applyset.kubernetes.io/id";
    /// Label of a member: the id of its set.
    pub const PART_OF: &str = "applyset.kubernetes.io/part-of";
    /// Annotation of the parent: whose set it is, as `NAME/VERSION`. Others keep off.
    pub const TOOLING: &str = "applyset.kubernetes.io/tooling";
    /// Value of [`TOOLING`].
    pub const METALFORM: &str = "metalform/v1";
    /// Annotation of the parent: kinds of its members, as `KIND.GROUP`, sorted, with commas.
    pub const CONTAINS_GROUP_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
    /// Annotation of the parent: namespaces of members beside its own. A fleet has one namespace,
    /// which is that of its parent.
    pub const ADDITIONAL_NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
}

/// Keys in Secrets.
pub mod secret_key {
    /// BMC credentials.
    pub const USERNAME: &str = "username";
    /// BMC credentials.
    pub const PASSWORD: &str = "password";
    /// User-data.
    pub const USER_DATA: &str = "userData";
    /// Network-data.
    pub const NETWORK_DATA: &str = "networkData";
    /// Meta-data.
    pub const META_DATA: &str = "metaData";
    /// Where the key of its own is not there.
    pub const FALLBACK: &str = "value";
}

/// Reasons of events about a BareMetalHost.
pub mod reason {
    /// A host without a BMC was seen.
    pub const DISCOVERED: &str = "Discovered";
    /// "Registered new host".
    pub const REGISTERED: &str = "Registered";
    /// "Verified access to BMC".
    pub const BMC_ACCESS_VALIDATED: &str = "BMCAccessValidated";
    /// The BMC credentials are missing or not usable.
    pub const BMC_CREDENTIAL_ERROR: &str = "BMCCredentialError";
    /// "Hardware profile set: …".
    pub const PROFILE_SET: &str = "ProfileSet";
    /// "Hardware inspection started".
    pub const INSPECTION_STARTED: &str = "InspectionStarted";
    /// Inspection is disabled.
    pub const INSPECTION_SKIPPED: &str = "InspectionSkipped";
    /// "Hardware inspection completed".
    pub const INSPECTION_COMPLETE: &str = "InspectionComplete";
    /// The inventory was taken from elsewhere.
    pub const UPDATE_HARDWARE_DETAILS: &str = "UpdateHardwareDetails";
    /// An annotation was removed after use.
    pub const REMOVE_ANNOTATION: &str = "RemoveAnnotation";
    /// "Image provisioning started for …".
    pub const PROVISIONING_STARTED: &str = "ProvisioningStarted";
    /// "Image provisioning completed for …".
    pub const PROVISIONING_COMPLETE: &str = "ProvisioningComplete";
    /// "Image deprovisioning started".
    pub const DEPROVISIONING_STARTED: &str = "DeprovisioningStarted";
    /// "Image deprovisioning completed".
    pub const DEPROVISIONING_COMPLETE: &str = "DeprovisioningComplete";
    /// "Host powered on".
    pub const POWER_ON: &str = "PowerOn";
    /// "Host powered off", "Host soft powered off".
    pub const POWER_OFF: &str = "PowerOff";
    /// An annotation has a value that it cannot have.
    pub const INVALID_ANNOTATION_VALUE: &str = "InvalidAnnotationValue";
    /// Detaching failed.
    pub const DETACH_ERROR: &str = "DetachError";
    /// A provisioned host could not be registered again.
    pub const PROVISIONED_REGISTRATION_ERROR: &str = "ProvisionedRegistrationError";
    /// Registering failed.
    pub const REGISTRATION_ERROR: &str = "RegistrationError";
    /// Inspecting failed.
    pub const INSPECTION_ERROR: &str = "InspectionError";
    /// Provisioning or deprovisioning failed.
    pub const PROVISIONING_ERROR: &str = "ProvisioningError";
    /// Changing the power failed.
    pub const POWER_MANAGEMENT_ERROR: &str = "PowerManagementError";
    /// Cleaning failed.
    pub const PREPARATION_ERROR: &str = "PreparationError";
    /// Servicing failed.
    pub const SERVICING_ERROR: &str = "ServicingError";
    /// What is wanted of BIOS settings or firmware cannot be done.
    pub const VALIDATION_FAILED: &str = "ValidationFailed";
    /// The pull secret is not of a type that can be read.
    pub const IMAGE_AUTH_FORMAT_UNSUPPORTED: &str = "ImageAuthFormatUnsupported";
    /// The pull secret cannot be parsed.
    pub const IMAGE_AUTH_PARSE_ERROR: &str = "ImageAuthParseError";
}
