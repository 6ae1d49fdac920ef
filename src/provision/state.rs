//! Provision states under Ironic's own names.

use std::fmt;

/// Declares the states with their names on the wire, so that both directions come from one table.
macro_rules! states {
    ($( $(#[$meta:meta])* $name:ident = $text:literal, )+) => {
        /// Where a machine is in its life. [`fmt::Display`] and `From<&str>` use Ironic's names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum NodeState {
            $( $(#[$meta])* $name, )+
            /// A state of a newer Ironic: nothing is decided in it.
            Unknown,
        }

        impl NodeState {
            /// All states that have a name.
            pub const ALL: &'static [Self] = &[$( Self::$name, )+];

            /// Ironic's name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$name => $text, )+
                    Self::Unknown => "unknown",
                }
            }
        }

        impl From<&str> for NodeState {
            fn from(text: &str) -> Self {
                match text {
                    $( $text => Self::$name, )+
                    _ => Self::Unknown,
                }
            }
        }
    };
}

states! {
    /// Known, its BMC not yet tried.
    Enroll = "enroll",
    /// The BMC is being tried.
    Verifying = "verifying",
    /// The BMC answers; nothing is deployed.
    Manageable = "manageable",
    /// Being inspected, the conductor at work.
    Inspecting = "inspecting",
    /// Being inspected, the ramdisk at work.
    InspectWait = "inspect wait",
    /// The inspection failed.
    InspectFailed = "inspect failed",
    /// Being cleaned, the conductor at work.
    Cleaning = "cleaning",
    /// Being cleaned, the ramdisk at work.
    CleanWait = "clean wait",
    /// Cleaning failed.
    CleanFailed = "clean failed",
    /// Cleaning stops at a hold step.
    CleanHold = "clean hold",
    /// Clean and ready for a deployment.
    Available = "available",
    /// Being deployed, the conductor at work.
    Deploying = "deploying",
    /// Being deployed, the ramdisk at work.
    DeployWait = "wait call-back",
    /// The deployment failed.
    DeployFailed = "deploy failed",
    /// The deployment stops at a hold step.
    DeployHold = "deploy hold",
    /// Deployed.
    Active = "active",
    /// The deployment is being taken off.
    Deleting = "deleting",
    /// Taking the deployment off failed.
    Error = "error",
    /// Being taken over with what is deployed.
    Adopting = "adopting",
    /// Taking over failed.
    AdoptFailed = "adopt failed",
    /// Being rebuilt.
    Rebuild = "rebuild",
    /// In the rescue system.
    Rescue = "rescue",
    /// Going to the rescue system.
    Rescuing = "rescuing",
    /// Going to the rescue system, the ramdisk at work.
    RescueWait = "rescue wait",
    /// Going to the rescue system failed.
    RescueFailed = "rescue failed",
    /// Leaving the rescue system.
    Unrescuing = "unrescuing",
    /// Leaving the rescue system failed.
    UnrescueFailed = "unrescue failed",
    /// Being serviced, the conductor at work.
    Servicing = "servicing",
    /// Being serviced, the ramdisk at work.
    ServiceWait = "service wait",
    /// Servicing failed.
    ServiceFailed = "service failed",
    /// Servicing stops at a hold step.
    ServiceHold = "service hold",
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What can be asked of a machine in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Footing {
    /// The conductor works on it and holds its lock: writes are answered with 409.
    Busy,
    /// The ramdisk works on it; it can be told to stop.
    Waiting,
    /// Somebody asked it to stop there and has to let it go on.
    Held,
    /// It rests: settings, power and verbs are open.
    Settled,
    /// It rests after a failure.
    Failed,
    /// Not known.
    Unknown,
}

impl NodeState {
    /// What can be asked of a machine in this state.
    pub const fn footing(self) -> Footing {
        match self {
            Self::Verifying
            | Self::Inspecting
            | Self::Cleaning
            | Self::Deploying
            | Self::Deleting
            | Self::Adopting
            | Self::Rebuild
            | Self::Rescuing
            | Self::Unrescuing
            | Self::Servicing => Footing::Busy,
            Self::InspectWait
            | Self::CleanWait
            | Self::DeployWait
            | Self::RescueWait
            | Self::ServiceWait => Footing::Waiting,
            Self::CleanHold | Self::DeployHold | Self::ServiceHold => Footing::Held,
            Self::Enroll | Self::Manageable | Self::Available | Self::Active | Self::Rescue => {
                Footing::Settled
            }
            Self::InspectFailed
            | Self::CleanFailed
            | Self::DeployFailed
            | Self::Error
            | Self::AdoptFailed
            | Self::RescueFailed
            | Self::UnrescueFailed
            | Self::ServiceFailed => Footing::Failed,
            Self::Unknown => Footing::Unknown,
        }
    }

    /// True when nothing is under way: settings may be written.
    pub const fn is_at_rest(self) -> bool {
        matches!(self.footing(), Footing::Settled | Footing::Failed)
    }

    /// True where the machine rests with something deployed on it, or with what is left of that.
    pub const fn holds_image(self) -> bool {
        match self {
            Self::Active
            | Self::DeployFailed
            | Self::Error
            | Self::Rescue
            | Self::RescueFailed
            | Self::UnrescueFailed
            | Self::ServiceFailed => true,
            Self::Enroll
            | Self::Verifying
            | Self::Manageable
            | Self::Inspecting
            | Self::InspectWait
            | Self::InspectFailed
            | Self::Cleaning
            | Self::CleanWait
            | Self::CleanFailed
            | Self::CleanHold
            | Self::Available
            | Self::Deploying
            | Self::DeployWait
            | Self::DeployHold
            | Self::Deleting
            | Self::Adopting
            | Self::AdoptFailed
            | Self::Rebuild
            | Self::Rescuing
            | Self::RescueWait
            | Self::Unrescuing
            | Self::Servicing
            | Self::ServiceWait
            | Self::ServiceHold
            | Self::Unknown => false,
        }
    }

    /// True where Ironic lets a machine be removed without maintenance mode.
    pub const fn is_removable(self) -> bool {
        matches!(
            self,
            Self::Enroll | Self::Manageable | Self::Available | Self::AdoptFailed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for state in NodeState::ALL {
            assert_eq!(NodeState::from(state.to_string().as_str()), *state);
        }
        assert_eq!(NodeState::from("wait call-back"), NodeState::DeployWait);
        assert_eq!(NodeState::from("nothing we know"), NodeState::Unknown);
    }
}
