//! Rules of what a host refers to: Secrets and networks.

use std::collections::BTreeSet;

use super::{Found, is_mac};
use crate::api::host::BareMetalHost;

pub(super) fn check(host: &BareMetalHost, found: &mut Found) {
    let spec = &host.spec;
    let namespace = host.metadata.namespace.as_deref().unwrap_or_default();
    for (field, secret) in [
        ("userData", &spec.user_data),
        ("networkData", &spec.network_data),
        ("metaData", &spec.meta_data),
    ] {
        let Some(secret) = secret else { continue };
        if !secret.namespace.is_empty() && secret.namespace != namespace {
            found.add(
                format!("spec.{field}.namespace"),
                format!(
                    "'{}' is not the host's namespace '{namespace}'; a Secret of another one is \
                     not read",
                    secret.namespace
                ),
            );
        }
    }
    interfaces(host, found);
}

fn interfaces(host: &BareMetalHost, found: &mut Found) {
    let mut seen = BTreeSet::new();
    for (index, interface) in host.spec.network_interfaces.iter().enumerate() {
        let at = |field: &str| format!("spec.networkInterfaces[{index}]{field}");
        let (name, mac) = (interface.name.as_str(), interface.mac_address.as_str());
        match (name.is_empty(), mac.is_empty()) {
            (false, false) => found.add(at(""), "has both name and macAddress; one says which NIC"),
            (true, true) => found.add(at(""), "has neither name nor macAddress"),
            _ => {}
        }
        if !name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        {
            found.add(at(".name"), format!("'{name}' is no name of a NIC"));
        }
        if !mac.is_empty() && !is_mac(mac) {
            found.add(at(".macAddress"), format!("'{mac}' is no MAC address"));
        }
        if let Some(port) = &interface.switch_port {
            if !is_mac(&port.switch_id) {
                let message = format!("'{}' is no MAC address", port.switch_id);
                found.add(at(".switchPort.switchID"), message);
            }
            if port.port_id.is_empty() {
                found.add(at(".switchPort.portID"), "is missing");
            }
        }
        for key in [("name", name.to_owned()), ("MAC", mac.to_ascii_lowercase())] {
            if !key.1.is_empty() && !seen.insert(key.clone()) {
                found.add(at(""), format!("{} {} is there twice", key.0, key.1));
            }
        }
    }
}
