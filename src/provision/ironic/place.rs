//! Which machine a node is: its BMC, and the system behind it. Compared as what they are and not as they
//! are written, for to write another machine's into a node has that one cleaned.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value};

use super::wire;

/// Which BMC a `driver_info` names, and which system behind it, however either is written; zero for
/// what it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    bmc: u64,
    system: u64,
}

impl Place {
    /// The place in this `driver_info`.
    pub fn of(info: &Map<String, Value>) -> Self {
        let text = |key: &str| {
            wire::str_of(info, key)
                .trim_end_matches('/')
                .to_ascii_lowercase()
        };
        let bmc = match (text("redfish_address"), text("ipmi_address")) {
            (address, _) if !address.is_empty() => match reqwest::Url::parse(&address) {
                Ok(url) => {
                    let port = url.port_or_known_default().unwrap_or_default();
                    format!("{} {port}", url.host_str().unwrap_or_default())
                }
                Err(_) => address,
            },
            (_, address) if !address.is_empty() => {
                let port = match info.get("ipmi_port") {
                    None | Some(Value::Null) => "623".to_owned(),
                    Some(Value::String(port)) => port.clone(),
                    Some(port) => port.to_string(),
                };
                format!("{} {port}", address.trim_matches(['[', ']']))
            }
            _ => String::new(),
        };
        Self {
            bmc: hash_of(&bmc),
            system: hash_of(&text("redfish_system_id")),
        }
    }

    /// True when both are known and not the same. A BMC with one system need not name it.
    pub fn is_another(self, other: Self) -> bool {
        let differ = |a: u64, b: u64| a != 0 && b != 0 && a != b;
        differ(self.bmc, other.bmc) || differ(self.system, other.system)
    }
}

/// Zero for an empty text.
fn hash_of(text: &str) -> u64 {
    if text.is_empty() {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_however_it_is_written() {
        let of = |address: &str, system: &str| {
            let info =
                serde_json::json!({ "redfish_address": address, "redfish_system_id": system });
            Place::of(info.as_object().unwrap())
        };
        let place = of("https://bmc:443", "/redfish/v1/Systems/1");
        for same in [
            of("https://BMC", "/redfish/v1/Systems/1/"),
            of("https://bmc/", ""),
            Place::default(),
        ] {
            assert!(!place.is_another(same) && !same.is_another(place));
        }
        for other in [
            of("https://bmc:8443", "/redfish/v1/Systems/1"),
            of("https://other", ""),
            of("https://bmc", "/redfish/v1/Systems/2"),
        ] {
            assert!(place.is_another(other) && other.is_another(place));
        }
        let ipmi = |info: Value| Place::of(info.as_object().unwrap());
        let usual = ipmi(serde_json::json!({ "ipmi_address": "10.0.0.1" }));
        let written = ipmi(serde_json::json!({ "ipmi_address": "10.0.0.1", "ipmi_port": 623 }));
        let other = ipmi(serde_json::json!({ "ipmi_address": "10.0.0.1", "ipmi_port": "6230" }));
        assert!(usual == written && usual.is_another(other));
        let six = |address: &str| ipmi(serde_json::json!({ "ipmi_address": address }));
        assert_eq!(six("[FE80::1]"), six("fe80::1"));
    }
}
