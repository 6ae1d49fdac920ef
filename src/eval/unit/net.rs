//! IP addresses and subnets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{MISMATCH, UnitError, quoted};

const IP: &str = "an address is written like `10.20.1.11` or `fd00::11`";
const IPV4: &str = "an IPv4 address is four numbers up to 255, such as `10.20.1.11`";
const IPV6: &str = "an IPv6 address is written like `fd00:20::11`";
const CIDR: &str = "a subnet is an address and a prefix length, such as `10.20.0.0/16`";
const INTERFACE: &str =
    "an interface address is an address and its prefix length, such as `172.22.1.11/20`";

/// Reads an IPv4 or IPv6 address.
pub fn ip(text: &str) -> Result<IpAddr, UnitError> {
    text.parse().map_err(|_| not_an_ip(text, IP))
}

/// Reads an IPv4 address.
pub fn ipv4(text: &str) -> Result<Ipv4Addr, UnitError> {
    text.parse().map_err(|_| match text.parse::<Ipv6Addr>() {
        Ok(_) => UnitError::new(
            MISMATCH,
            format!("{} is an IPv6 address, IPv4 is expected", quoted(text)),
            IPV4,
        ),
        Err(_) => not_an_ip(text, IPV4),
    })
}

/// Reads an IPv6 address.
pub fn ipv6(text: &str) -> Result<Ipv6Addr, UnitError> {
    text.parse().map_err(|_| match text.parse::<Ipv4Addr>() {
        Ok(_) => UnitError::new(
            MISMATCH,
            format!("{} is an IPv4 address, IPv6 is expected", quoted(text)),
            IPV6,
        ),
        Err(_) => not_an_ip(text, IPV6),
    })
}

/// Reads a subnet. Bits behind the prefix must be zero: `10.20.1.0/16` is an error with a fix.
pub fn cidr(text: &str) -> Result<IpNet, UnitError> {
    let net = with_prefix(text, CIDR)?;
    if net.addr() == net.network() {
        return Ok(net);
    }
    Err(UnitError::new(
        MISMATCH,
        format!("{} is an address in a subnet, not a subnet", quoted(text)),
        CIDR,
    )
    .fix(net.trunc().to_string()))
}

/// Reads an address with the prefix length of its subnet, as interfaces have it.
pub fn interface(text: &str) -> Result<IpNet, UnitError> {
    with_prefix(text, INTERFACE)
}

fn with_prefix(text: &str, expected: &str) -> Result<IpNet, UnitError> {
    // Not ipnet's own parser, which takes `010.0.0.0/08`.
    let read = text.split_once('/').and_then(|(address, prefix)| {
        let plain = prefix.bytes().all(|byte| byte.is_ascii_digit())
            && (prefix == "0" || !prefix.starts_with('0'));
        IpNet::new(
            address.parse().ok()?,
            prefix.parse().ok().filter(|_| plain)?,
        )
        .ok()
    });
    if let Some(net) = read {
        return Ok(net);
    }
    let error = |message: String| UnitError::new(MISMATCH, message, expected);
    let Some((address, prefix)) = text.split_once('/') else {
        return Err(match text.parse::<IpAddr>() {
            Ok(_) => error(format!("{} has no prefix length", quoted(text))),
            Err(_) => error(format!("{} is not a subnet", quoted(text))),
        });
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        let inner = not_an_ip(address, expected);
        return Err(inner.fix.map_or_else(
            || error(format!("{} is not an address", quoted(address))),
            |fixed| {
                error(format!("{} has leading zeros", quoted(address))).maybe_fix(
                    interface(&format!("{fixed}/{prefix}"))
                        .ok()
                        .map(|n| n.to_string()),
                )
            },
        ));
    };
    if let Some(length) = netmask(prefix).filter(|_| address.is_ipv4()) {
        return Err(error(format!(
            "{} is a netmask, not a prefix length",
            quoted(prefix)
        ))
        .fix(format!("{address}/{length}")));
    }
    let most = if address.is_ipv4() { 32 } else { 128 };
    match prefix.parse::<u32>() {
        Ok(length) if length > most => {
            Err(error(format!("the prefix length {length} is above {most}")))
        }
        _ => Err(error(format!("{} is not a prefix length", quoted(prefix)))),
    }
}

/// The prefix length that `255.255.240.0` stands for.
fn netmask(text: &str) -> Option<u32> {
    let bits = text.parse::<Ipv4Addr>().ok()?.to_bits();
    (bits.leading_ones() + bits.trailing_zeros() == 32).then(|| bits.leading_ones())
}

/// Says what stands in the way, where it is one of the usual things.
#[cold]
fn not_an_ip(text: &str, expected: &str) -> UnitError {
    let error = |message: String| UnitError::new(MISMATCH, message, expected);
    if let Some((address, _)) = text.split_once('/')
        && address.parse::<IpAddr>().is_ok()
    {
        return error(format!(
            "{} has a prefix length, an address has none",
            quoted(text)
        ))
        .fix(address);
    }
    let bracketed = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(inner) = bracketed.filter(|inner| inner.parse::<Ipv6Addr>().is_ok()) {
        return error(format!(
            "{} has brackets, which only URLs need",
            quoted(text)
        ))
        .fix(inner);
    }
    let parts: Vec<&str> = text.split('.').collect();
    let numbers: Vec<u64> = parts
        .iter()
        .filter(|part| !part.is_empty() && part.len() <= 9)
        .filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|part| part.parse().ok())
        .collect();
    if numbers.len() == parts.len() && parts.len() == 4 {
        if let Some(large) = numbers.iter().find(|number| **number > 255) {
            return error(format!(
                "{} is not an address: {large} is above 255",
                quoted(text)
            ));
        }
        let plain: Vec<String> = numbers.iter().map(u64::to_string).collect();
        return error(format!(
            "{} has leading zeros, which some read as octal",
            quoted(text)
        ))
        .fix(plain.join("."));
    }
    if numbers.len() == parts.len() && parts.len() > 1 && parts.len() < 4 {
        return error(format!(
            "{} has {} of four numbers",
            quoted(text),
            parts.len()
        ));
    }
    error(format!("{} is not an IP address", quoted(text)))
}
