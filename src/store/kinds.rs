//! The kinds that metalform keeps.

use std::time::Duration;

use crate::api::Metadata;

use super::{Object, Retention};
use crate::api::{
    BareMetalHost, DataImage, Event, FirmwareSchema, Fleet, HardwareData, HardwareJson,
    HostFirmwareComponents, HostFirmwareSettings, HostUpdatePolicy, PreprovisioningImage, fleet,
};

/// How a store gets at the parts of a kind: of its spec, or of its spec and its status. With
/// `compact` the kind says itself how it becomes small.
macro_rules! parts {
    (spec) => {
        parts!(@spec);

        fn compact(&mut self) {
            self.metadata.compact();
        }
    };
    (spec, status) => {
        parts!(spec);
        parts!(@status);
    };
    (spec, status, compact) => {
        parts!(@spec);
        parts!(@status);

        fn compact(&mut self) {
            Self::compact(self);
        }
    };
    (@spec) => {
        fn meta(&self) -> &Metadata {
            &self.metadata
        }

        fn meta_mut(&mut self) -> &mut Metadata {
            &mut self.metadata
        }

        fn same_spec(&self, other: &Self) -> bool {
            self.spec == other.spec
        }

        fn set_spec(&mut self, other: &Self) {
            self.spec.clone_from(&other.spec);
        }
    };
    (@status) => {
        fn same_status(&self, other: &Self) -> bool {
            self.status == other.status
        }

        fn set_status(&mut self, other: Option<&Self>) {
            self.status = other.and_then(|other| other.status.clone());
        }
    };
}

impl Object for BareMetalHost {
    const GROUP: &'static str = "metal3.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "BareMetalHost";
    const PLURAL: &'static str = "baremetalhosts";
    const HAS_STATUS: bool = true;
    const LARGE_STATUS: &'static [&'static str] = &["hardware"];
    const ATOMIC: &'static [&'static str] = &[
        "spec.consumerRef",
        "spec.metaData",
        "spec.networkData",
        "spec.userData",
    ];
    const KEYED: &'static [(&'static str, &'static [&'static str])] =
        &[("status.conditions", &["type"])];

    fn meta(&self) -> &Metadata {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec
    }

    fn set_spec(&mut self, other: &Self) {
        self.spec.clone_from(&other.spec);
    }

    fn same_status(&self, other: &Self) -> bool {
        self.status == other.status
    }

    fn set_status(&mut self, other: Option<&Self>) {
        self.status = other.and_then(|other| other.status.clone());
    }

    fn shares_large_status(&self, other: &Self) -> bool {
        fn hardware(host: &BareMetalHost) -> Option<&HardwareJson> {
            host.status.as_ref()?.hardware.as_ref()
        }
        match (hardware(self), hardware(other)) {
            (Some(one), Some(other)) => one.is_same(other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    fn compact(&mut self) {
        BareMetalHost::compact(self);
    }
}

impl Object for HardwareData {
    const GROUP: &'static str = "metal3.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "HardwareData";
    const PLURAL: &'static str = "hardwaredata";
    const HAS_STATUS: bool = false;
    const CACHED: bool = false;

    parts!(spec);
}

impl Object for HostFirmwareSettings {
    const GROUP: &'static str = "metal3.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "HostFirmwareSettings";
    const PLURAL: &'static str = "hostfirmwaresettings";
    const HAS_STATUS: bool = true;
    const LARGE_STATUS: &'static [&'static str] = &["settings"];
    const KEYED: &'static [(&'static str, &'static [&'static str])] =
        &[("status.conditions", &["type"])];

    parts!(spec, status, compact);

    fn shares_large_status(&self, other: &Self) -> bool {
        match (&self.status, &other.status) {
            (Some(one), Some(other)) => one.settings.is_same(&other.settings),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

impl Object for FirmwareSchema {
    const GROUP: &'static str = "metal3.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "FirmwareSchema";
    const PLURAL: &'static str = "firmwareschemas";
    const HAS_STATUS: bool = false;

    parts!(spec);
}

impl Object for HostFirmwareComponents {
    const GROUP: &'static str = "metal3.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "HostFirmwareComponents";
    const PLURAL: &'static str = "hostfirmwarecomponents";
    const HAS_STATUS: bool = true;
    const KEYED: &'static [(&'static str, &'static [&'static str])] =
        &[("status.conditions", &["type"])];

    parts!(spec, status, compact);
}

/// Its status is no subresource, and so a part of what is wanted.
impl Object for HostUpdatePolicy {
    const GROUP: &'static str = "metal3.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "HostUpdatePolicy";
    const PLURAL: &'static str = "hostupdatepolicies";
    const HAS_STATUS: bool = false;

    fn meta(&self) -> &Metadata {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn same_spec(&self, other: &Self) -> bool {
        self.spec == other.spec && self.status == other.status
    }

    fn set_spec(&mut self, other: &Self) {
        self.spec.clone_from(&other.spec);
        self.status.clone_from(&other.status);
    }

    fn compact(&mut self) {
        self.metadata.compact();
    }
}

impl Object for PreprovisioningImage {
    const GROUP: &'static str = "metal3.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "PreprovisioningImage";
    const PLURAL: &'static str = "preprovisioningimages";
    const HAS_STATUS: bool = true;
    const KEYED: &'static [(&'static str, &'static [&'static str])] =
        &[("status.conditions", &["type"])];

    parts!(spec, status);
}

impl Object for DataImage {
    const GROUP: &'static str = "metal3.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "DataImage";
    const PLURAL: &'static str = "dataimages";
    const HAS_STATUS: bool = true;

    parts!(spec, status);
}

impl Object for Fleet {
    const GROUP: &'static str = fleet::GROUP;
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "Fleet";
    const PLURAL: &'static str = "fleets";
    const HAS_STATUS: bool = true;
    const KEYED: &'static [(&'static str, &'static [&'static str])] =
        &[("status.conditions", &["type"])];

    parts!(spec, status);
}

impl Object for Event {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Event";
    const PLURAL: &'static str = "events";
    const HAS_STATUS: bool = false;
    /// An hour as on a server; the bounds on the number keep ten thousand hosts within 5 MB.
    const RETENTION: Option<Retention> = Some(Retention {
        each: 32,
        total: 2048,
        age: Duration::from_hours(1),
    });
    /// They tell what happened and decide nothing. In a roll they were more than half of all writes.
    const DURABLE: bool = false;
    const CACHED: bool = false;

    fn meta(&self) -> &Metadata {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn about(&self) -> Option<String> {
        let about = &self.involved_object;
        Some(format!(
            "{} {}/{}",
            about.kind.as_deref().unwrap_or_default(),
            about.namespace.as_deref().unwrap_or_default(),
            about.name.as_deref().unwrap_or_default(),
        ))
    }
}

#[cfg(test)]
mod tests;
