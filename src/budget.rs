//! Slots per Ironic: how many machines may inspect, clean and deploy at once.
//!
//! (Types first; the queue is being written.)

/// What a slot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SlotKind {
    /// Inspecting.
    Inspect,
    /// Cleaning: preparing, becoming available, deprovisioning.
    Clean,
    /// Deploying.
    Deploy,
}

/// How much may be under way at once in one provisioner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Machines that inspect.
    pub inspect: usize,
    /// Machines that clean.
    pub clean: usize,
    /// Machines that deploy.
    pub deploy: usize,
}
