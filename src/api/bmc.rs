//! BMC addresses, and what their scheme says about the Ironic driver.
//!
//! An address is a URL whose scheme chooses the driver: `redfish-virtualmedia+http://10.0.0.1:8000/
//! redfish/v1/Systems/1`. Also accepted, as BMO does: `ipmi:10.0.0.1` without the slashes, and an
//! address without a scheme (`10.0.0.1`, `host.example.net:6230`, `[fe80::5]:623`), which means
//! IPMI. An IPv6 address stands in brackets wherever a port could follow.
//!
//! Stricter than BMO in two points, both mistakes that would surface only at a machine: an address
//! needs a host, and it must not carry credentials (`user:password@`), since addresses are shown.

mod driver;

use std::net::{IpAddr, Ipv6Addr};

pub use driver::{Driver, Scheme, Transport};

/// A BMC address, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BmcAddress {
    /// Driver family and boot method.
    pub scheme: Scheme,
    /// HTTP or HTTPS, for Redfish.
    pub transport: Transport,
    /// IP address (IPv6 without brackets), DNS name, or the name of a fake machine.
    pub host: String,
    /// Port, where one is written.
    pub port: Option<u16>,
    /// Path as written, with its leading slash; empty when there is none. The system, for Redfish.
    pub path: String,
    /// IPMI privilege level from `?privilegelevel=`.
    pub privilege_level: Option<String>,
    /// No scheme was written; IPMI is meant.
    pub bare: bool,
}

/// Why an address is none. The text is what BMO writes into `status.errorMessage`, where it
/// refuses the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BmcAddressError {
    /// Nothing there.
    #[error("missing BMC address")]
    Empty,
    /// No such scheme.
    #[error(
        "failed to parse BMC address information: Unknown BMC type '{scheme}' for address {address}"
    )]
    UnknownScheme {
        /// The scheme, lower case.
        scheme: String,
        /// The whole address.
        address: String,
    },
    /// The host is neither an IP address nor a DNS name.
    #[error(
        "failed to parse BMC address information: BMC address hostname/IP : [{host}] is invalid"
    )]
    Host {
        /// The host.
        host: String,
    },
    /// Anything else; says what.
    #[error("failed to parse BMC address information: {reason}")]
    Malformed {
        /// What is wrong and what to write.
        reason: String,
    },
}

impl BmcAddressError {
    /// A stable label.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "BmcAddressMissing",
            Self::UnknownScheme { .. } => "BmcSchemeUnknown",
            Self::Host { .. } => "BmcHostInvalid",
            Self::Malformed { .. } => "BmcAddressMalformed",
        }
    }

    /// For an unknown scheme the known one that is nearest, if one is near.
    pub fn nearest(&self) -> Option<String> {
        let Self::UnknownScheme { scheme, .. } = self else {
            return None;
        };
        // A third of the length, as rustc allows for names.
        let most = scheme.len().max(3) / 3;
        Scheme::keys()
            .map(|key| (strsim::damerau_levenshtein(scheme, &key), key))
            .filter(|(distance, _)| *distance <= most)
            .min()
            .map(|(_, key)| key)
    }
}

fn malformed(reason: impl Into<String>) -> BmcAddressError {
    BmcAddressError::Malformed {
        reason: reason.into(),
    }
}

impl std::str::FromStr for BmcAddress {
    type Err = BmcAddressError;

    fn from_str(address: &str) -> Result<Self, BmcAddressError> {
        if address.is_empty() {
            return Err(BmcAddressError::Empty);
        }
        if let Some(bad) = address
            .chars()
            .find(|c| c.is_whitespace() || c.is_control())
        {
            return Err(malformed(format!("{bad:?} in the address; take it out")));
        }
        // Before anything that repeats the address in its text. No Redfish path has the sign either.
        if address.contains('@') {
            return Err(malformed(
                "credentials in the address; put them into the Secret that credentialsName names",
            ));
        }
        let (key, rest) = split_scheme(address)?;
        let (scheme, transport) = match &key {
            None => (Scheme::Ipmi, None),
            Some(key) => Scheme::read(key).ok_or_else(|| BmcAddressError::UnknownScheme {
                scheme: key.clone(),
                address: address.to_owned(),
            })?,
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (host, port) = split_port(authority, address)?;
        if host.is_empty() {
            return Err(malformed(format!("no host in the address {address}")));
        }
        let valid = match scheme {
            Scheme::FakeHardware => is_object_name(host),
            _ => is_ip(host) || is_dns_name(host),
        };
        if !valid {
            return Err(BmcAddressError::Host {
                host: host.to_owned(),
            });
        }
        let privilege_level = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("privilegelevel="))
            .filter(|level| !level.is_empty());
        Ok(Self {
            scheme,
            transport: transport.unwrap_or(Transport::Https),
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            privilege_level: privilege_level.map(str::to_owned),
            bare: key.is_none(),
        })
    }
}

/// The scheme in lower case, if one is written, and what follows it.
fn split_scheme(address: &str) -> Result<(Option<String>, &str), BmcAddressError> {
    if let Some((scheme, rest)) = address.split_once("://") {
        return Ok((Some(scheme.to_ascii_lowercase()), rest));
    }
    if address.starts_with('[') {
        return Ok((None, address));
    }
    if address.parse::<Ipv6Addr>().is_ok() {
        let reason = format!("an IPv6 address goes in brackets: write ipmi://[{address}]");
        return Err(malformed(reason));
    }
    match address.split_once(':') {
        None => Ok((None, address)),
        // A host with a port. BMO takes a name before the colon for a scheme and refuses it.
        Some((head, tail))
            if Scheme::read(&head.to_ascii_lowercase()).is_none()
                && !tail.is_empty()
                && tail.bytes().all(|b| b.is_ascii_digit()) =>
        {
            Ok((None, address))
        }
        Some((head, tail)) => Ok((Some(head.to_ascii_lowercase()), tail)),
    }
}

fn split_port<'a>(
    authority: &'a str,
    address: &str,
) -> Result<(&'a str, Option<u16>), BmcAddressError> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest
            .split_once(']')
            .ok_or_else(|| malformed(format!("no closing bracket in the address {address}")))?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(BmcAddressError::Host {
                host: host.to_owned(),
            });
        }
        match after.strip_prefix(':') {
            Some(port) => (host, port),
            None if after.is_empty() => (host, ""),
            None => {
                return Err(malformed(format!(
                    "{after:?} after the bracket in {address}"
                )));
            }
        }
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        if port.contains(':') {
            let reason = format!("an IPv6 address goes in brackets: [{authority}]");
            return Err(malformed(reason));
        }
        (host, port)
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        _ => Err(malformed(format!(
            "the port {port:?} is not a number from 1 to 65535"
        ))),
    }
}

fn is_ip(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// What the name of a host may be made of.
fn is_object_name(host: &str) -> bool {
    host.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Labels of letters, digits and inner hyphens, 63 at most each.
fn is_dns_name(host: &str) -> bool {
    host.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

impl BmcAddress {
    /// What Ironic is told, and what it can do.
    pub fn driver(&self) -> &'static Driver {
        self.scheme.driver()
    }

    /// The part of `driver_info` that the address decides: where the BMC is, not the credentials.
    /// In the order of keys; values are text, as Ironic keeps them.
    pub fn driver_info(&self) -> Vec<(&'static str, String)> {
        match self.scheme {
            Scheme::FakeHardware => Vec::new(),
            Scheme::Ipmi | Scheme::Libvirt => vec![
                ("ipmi_address", self.host.clone()),
                ("ipmi_port", self.port.unwrap_or(623).to_string()),
                (
                    "ipmi_priv_level",
                    self.privilege_level
                        .clone()
                        .unwrap_or_else(|| "ADMINISTRATOR".to_owned()),
                ),
            ],
            _ => {
                let mut info = vec![("redfish_address", self.redfish_address())];
                // Without a system Ironic takes the only one there is.
                if !matches!(self.path.trim_end_matches('/'), "" | "/redfish/v1") {
                    info.push(("redfish_system_id", self.path.clone()));
                }
                info
            }
        }
    }

    /// The keys of `driver_info` for user, password and certificate verification; `None` for a
    /// machine that has no BMC.
    pub fn credential_keys(&self) -> Option<CredentialKeys> {
        match self.scheme {
            Scheme::FakeHardware => None,
            Scheme::Ipmi | Scheme::Libvirt => Some(CredentialKeys {
                username: "ipmi_username",
                password: "ipmi_password",
                verify_ca: "ipmi_verify_ca",
            }),
            _ => Some(CredentialKeys {
                username: "redfish_username",
                password: "redfish_password",
                verify_ca: "redfish_verify_ca",
            }),
        }
    }

    /// True when the host is an IPv6 address.
    pub fn is_ipv6(&self) -> bool {
        self.host.parse::<Ipv6Addr>().is_ok()
    }

    /// The scheme as written: `redfish+http`, `ipmi`. An absent and an explicit `+https` are one.
    pub fn key(&self) -> String {
        match self.transport {
            Transport::Http => format!("{}+http", self.scheme),
            Transport::Https => self.scheme.to_string(),
        }
    }

    /// What two hosts must not share: the same system behind the same BMC, however its address is
    /// written (letter case, default port, boot method, `+https` or not).
    pub fn identity(&self) -> String {
        let host = self.host.to_ascii_lowercase();
        match self.scheme {
            Scheme::FakeHardware => format!("fake-hardware {}", self.host),
            Scheme::Ipmi | Scheme::Libvirt => {
                format!("ipmi {host} {}", self.port.unwrap_or(623))
            }
            _ => {
                let standard = if self.transport == Transport::Http {
                    80
                } else {
                    443
                };
                let port = self.port.unwrap_or(standard);
                format!("redfish {host} {port} {}", self.path.trim_end_matches('/'))
            }
        }
    }

    fn redfish_address(&self) -> String {
        let transport = if self.transport == Transport::Http {
            "http"
        } else {
            "https"
        };
        let host = if self.is_ipv6() {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match self.port {
            Some(port) => format!("{transport}://{host}:{port}"),
            None => format!("{transport}://{host}"),
        }
    }
}

/// Keys of `driver_info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialKeys {
    /// For the user.
    pub username: &'static str,
    /// For the password.
    pub password: &'static str,
    /// For whether the certificate is verified; written (as false) only when it is not.
    pub verify_ca: &'static str,
}

#[cfg(test)]
mod tests;
