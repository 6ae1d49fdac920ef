//! Functions of addresses: IPv4 and IPv6 alike.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{Args, Fault};
use crate::eval::expr::Val;
use crate::eval::unit::{self, Mac, UnitError};

fn fault(arg: usize, error: UnitError) -> Fault {
    let mut fault = Fault::argument(arg, error.message).help(error.help);
    fault.suggestion = error.fix;
    fault
}

fn cidr(args: &Args<'_>, nth: usize) -> Result<IpNet, Fault> {
    unit::cidr(args.text(nth)?).map_err(|error| fault(nth, error))
}

/// The address as a number, and how many bits it has.
fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// The address of a number that fits `bits`.
fn address(number: u128, bits: u32) -> IpAddr {
    if bits == 32 {
        IpAddr::V4(Ipv4Addr::from_bits(number as u32))
    } else {
        IpAddr::V6(Ipv6Addr::from_bits(number))
    }
}

/// The largest number of `bits` bits.
fn ones(bits: u32) -> u128 {
    if bits == 0 {
        0
    } else {
        u128::MAX >> (128 - bits)
    }
}

pub(super) fn subnet(args: &Args<'_>) -> Result<Val, Fault> {
    let net = cidr(args, 0)?;
    let (length, n) = (args.int(1)?, args.int(2)?);
    let (base, bits) = number(net.network());
    let own = u32::from(net.prefix_len());
    let Some(length) = u32::try_from(length)
        .ok()
        .filter(|l| (own..=bits).contains(l))
    else {
        return Err(Fault::argument(
            1,
            format!("the prefix length {length} is outside {own}–{bits}"),
        )
        .help(format!(
            "subnets of {net} have prefix lengths from {own} to {bits}"
        )));
    };
    let last = ones(length - own);
    let Some(index) = u128::try_from(n).ok().filter(|index| *index <= last) else {
        return Err(
            Fault::argument(2, format!("{net} has no /{length} subnet {n}"))
                .help(format!("its /{length} subnets are numbered 0 to {last}")),
        );
    };
    let start = if bits == length {
        base | index
    } else {
        base | index << (bits - length)
    };
    Ok(Val::from(format!("{}/{length}", address(start, bits))))
}

pub(super) fn ip(args: &Args<'_>) -> Result<Val, Fault> {
    let net = cidr(args, 0)?;
    let n = args.int(1)?;
    let (base, bits) = number(net.network());
    let host_bits = bits - u32::from(net.prefix_len());
    let last = ones(host_bits);
    // Two or fewer addresses (RFC 3021, RFC 6164) have neither a network nor a broadcast one.
    let (first_usable, last_usable) = match (host_bits, bits) {
        (0 | 1, _) => (0, last),
        (_, 32) => (1, last - 1),
        _ => (1, last),
    };
    let refuse = |what: &str| {
        Err(Fault::argument(1, format!("{n} {what} {net}"))
            .help(format!("usable are {first_usable} to {last_usable}")))
    };
    let Ok(index) = u128::try_from(n) else {
        return refuse("is outside");
    };
    if index > last {
        return refuse("is outside");
    }
    if index < first_usable {
        return refuse("is the network address of");
    }
    if index > last_usable {
        return refuse("is the broadcast address of");
    }
    Ok(Val::from(address(base | index, bits).to_string()))
}

pub(super) fn ip_add(args: &Args<'_>) -> Result<Val, Fault> {
    let start = unit::ip(args.text(0)?).map_err(|error| fault(0, error))?;
    let n = args.int(1)?;
    let (base, bits) = number(start);
    let sum = base
        .checked_add_signed(i128::from(n))
        .filter(|sum| *sum <= ones(bits));
    match sum {
        Some(sum) => Ok(Val::from(address(sum, bits).to_string())),
        None => Err(Fault::argument(
            1,
            format!("{start} plus {n} is no address"),
        )),
    }
}

pub(super) fn prefix(args: &Args<'_>) -> Result<Val, Fault> {
    let net = unit::interface(args.text(0)?).map_err(|error| fault(0, error))?;
    Ok(Val::Int(i64::from(net.prefix_len())))
}

pub(super) fn mac(args: &Args<'_>) -> Result<Val, Fault> {
    let base: Mac = args.text(0)?.parse().map_err(|error| fault(0, error))?;
    let n = args.int(1)?;
    let sum = base.number().checked_add_signed(n);
    if let Some(sum) = sum.filter(|sum| sum >> 24 == base.number() >> 24) {
        return Ok(Val::from(Mac::from_number(sum).to_string()));
    }
    let used = (base.number() & 0xff_ffff) as i64;
    Err(
        Fault::argument(1, format!("{base} plus {n} leaves the vendor's block")).help(format!(
            "from here {} to {} are in it",
            -used,
            0xff_ffff - used
        )),
    )
}
