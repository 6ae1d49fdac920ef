//! The six conditions of a host.

use super::text::text_enum;

text_enum! {
    schema: open;
    /// Reason of a condition.
    pub enum Reason {
        /// See Manageable.
        Manageable = "Manageable",
        /// Not looked at, or without a BMC.
        NotManaged = "NotManaged",
        /// On the way.
        Registering = "Registering",
        /// The BMC could not be verified.
        RegistrationFailed = "RegistrationFailed",
        /// The BMC does not answer to power commands.
        PowerFailure = "PowerFailure",
        /// Can be given an image.
        Available = "Available",
        /// Cannot.
        NotAvailable = "NotAvailable",
        /// Has an image.
        Provisioned = "Provisioned",
        /// Has none.
        NotProvisioned = "NotProvisioned",
        /// In a stable state.
        NotProgressing = "NotProgressing",
        /// On the way.
        Inspecting = "Inspecting",
        /// On the way.
        Preparing = "Preparing",
        /// On the way.
        Provisioning = "Provisioning",
        /// On the way.
        Deprovisioning = "Deprovisioning",
        /// On the way.
        PoweringOffBeforeDelete = "PoweringOffBeforeDelete",
        /// On the way.
        Deleting = "Deleting",
        /// Something failed.
        Error = "Error",
        /// Firmware is being changed.
        Servicing = "Servicing",
        /// Left alone, by annotation.
        Detached = "Detached",
        /// The BMC reports no fault.
        Healthy = "Healthy",
        /// The BMC does not tell.
        Unknown = "Unknown",
        /// The BMC warns.
        Warning = "Warning",
        /// The BMC reports a fault.
        CriticalError = "CriticalError",
    }
}
