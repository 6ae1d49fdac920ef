//! The kinds that metalform keeps.

use std::time::Duration;

use crate::api::Metadata;

use super::{Object, Retention};
use crate::api::{BareMetalHost, Event, HardwareData, HardwareJson};

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

    fn compact(&mut self) {
        self.metadata.compact();
    }
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
