//! MAC and IP addresses.

use super::*;

#[test]
fn macs_are_normalised() {
    let read = |text: &str| text.parse::<Mac>();
    for text in ["b0:7b:25:01:00:10", "B0-7B-25-01-00-10"] {
        assert_eq!(read(text).unwrap().to_string(), "b0:7b:25:01:00:10");
    }
    assert!(read("01:00:5e:00:00:01").unwrap().is_multicast());
    assert!(read("52:54:00:00:00:01").unwrap().is_local());
    insta::assert_snapshot!(told(read, "b07b.2501.0010"), @r"
    MF2005 `b07b.2501.0010` is not a MAC address
    help: a MAC address is six pairs of hexadecimal digits, such as `b0:7b:25:01:00:10`
    fix: b0:7b:25:01:00:10
    ");
    insta::assert_snapshot!(told(read, "b07b25010010"), @r"
    MF2005 `b07b25010010` is not a MAC address
    help: a MAC address is six pairs of hexadecimal digits, such as `b0:7b:25:01:00:10`
    fix: b0:7b:25:01:00:10
    ");
    insta::assert_snapshot!(told(read, "b0:7b-25:01:00:10"), @r"
    MF2005 `b0:7b-25:01:00:10` is not a MAC address
    help: a MAC address is six pairs of hexadecimal digits, such as `b0:7b:25:01:00:10`
    fix: b0:7b:25:01:00:10
    ");
    insta::assert_snapshot!(told(read, "b0:7b:25:01:00"), @r"
    MF2005 `b0:7b:25:01:00` is not a MAC address
    help: a MAC address is six pairs of hexadecimal digits, such as `b0:7b:25:01:00:10`
    ");
    insta::assert_snapshot!(told(read, "b0:7b:25:01:00:1g"), @r"
    MF2005 `b0:7b:25:01:00:1g` is not a MAC address
    help: a MAC address is six pairs of hexadecimal digits, such as `b0:7b:25:01:00:10`
    ");
    insta::assert_snapshot!(told(read, "80:00:02:08:fe:80:00:00:00:00:00:00:00:02"), @r"
    MF2005 `80:00:02:08:fe:80:00:00:00:00:00:00:00:02` has 28 digits, a MAC address has 12
    help: a MAC address is six pairs of hexadecimal digits, such as `b0:7b:25:01:00:10`
    ");
}

#[test]
fn addresses_of_both_families() {
    assert_eq!(ip("10.20.1.11").unwrap().to_string(), "10.20.1.11");
    assert_eq!(ip("FD00:0::11").unwrap().to_string(), "fd00::11");
    assert_eq!(ipv4("10.0.0.1").unwrap().to_string(), "10.0.0.1");
    assert_eq!(ipv6("::1").unwrap().to_string(), "::1");
    assert_eq!(cidr("10.20.0.0/16").unwrap().to_string(), "10.20.0.0/16");
    assert_eq!(
        interface("172.22.1.11/20").unwrap().to_string(),
        "172.22.1.11/20"
    );
    insta::assert_snapshot!(told(ip, "10.20.1.011"), @r"
    MF2005 `10.20.1.011` has leading zeros, which some read as octal
    help: an address is written like `10.20.1.11` or `fd00::11`
    fix: 10.20.1.11
    ");
    insta::assert_snapshot!(told(ip, "10.20.1.300"), @r"
    MF2005 `10.20.1.300` is not an address: 300 is above 255
    help: an address is written like `10.20.1.11` or `fd00::11`
    ");
    insta::assert_snapshot!(told(ip, "10.20.1"), @r"
    MF2005 `10.20.1` has 3 of four numbers
    help: an address is written like `10.20.1.11` or `fd00::11`
    ");
    insta::assert_snapshot!(told(ip, "10.20.1.11/24"), @r"
    MF2005 `10.20.1.11/24` has a prefix length, an address has none
    help: an address is written like `10.20.1.11` or `fd00::11`
    fix: 10.20.1.11
    ");
    insta::assert_snapshot!(told(ip, "[fd00::1]"), @r"
    MF2005 `[fd00::1]` has brackets, which only URLs need
    help: an address is written like `10.20.1.11` or `fd00::11`
    fix: fd00::1
    ");
    insta::assert_snapshot!(told(ip, "bmc-07"), @r"
    MF2005 `bmc-07` is not an IP address
    help: an address is written like `10.20.1.11` or `fd00::11`
    ");
    insta::assert_snapshot!(told(ipv4, "fd00::1"), @r"
    MF2005 `fd00::1` is an IPv6 address, IPv4 is expected
    help: an IPv4 address is four numbers up to 255, such as `10.20.1.11`
    ");
    insta::assert_snapshot!(told(ipv6, "10.0.0.1"), @r"
    MF2005 `10.0.0.1` is an IPv4 address, IPv6 is expected
    help: an IPv6 address is written like `fd00:20::11`
    ");
    insta::assert_snapshot!(told(cidr, "10.20.1.11/24"), @r"
    MF2005 `10.20.1.11/24` is an address in a subnet, not a subnet
    help: a subnet is an address and a prefix length, such as `10.20.0.0/16`
    fix: 10.20.1.0/24
    ");
    insta::assert_snapshot!(told(cidr, "10.20.0.0"), @r"
    MF2005 `10.20.0.0` has no prefix length
    help: a subnet is an address and a prefix length, such as `10.20.0.0/16`
    ");
    insta::assert_snapshot!(told(cidr, "10.20.0.0/255.255.0.0"), @r"
    MF2005 `255.255.0.0` is a netmask, not a prefix length
    help: a subnet is an address and a prefix length, such as `10.20.0.0/16`
    fix: 10.20.0.0/16
    ");
    insta::assert_snapshot!(told(cidr, "10.20.0.0/33"), @r"
    MF2005 the prefix length 33 is above 32
    help: a subnet is an address and a prefix length, such as `10.20.0.0/16`
    ");
    insta::assert_snapshot!(told(cidr, "10.20.00.0/16"), @r"
    MF2005 `10.20.00.0` has leading zeros
    help: a subnet is an address and a prefix length, such as `10.20.0.0/16`
    fix: 10.20.0.0/16
    ");
    insta::assert_snapshot!(told(cidr, "lan/16"), @r"
    MF2005 `lan` is not an address
    help: a subnet is an address and a prefix length, such as `10.20.0.0/16`
    ");
    insta::assert_snapshot!(told(interface, "fd00::1/x"), @r"
    MF2005 `x` is not a prefix length
    help: an interface address is an address and its prefix length, such as `172.22.1.11/20`
    ");
    insta::assert_snapshot!(told(interface, "nothing"), @r"
    MF2005 `nothing` is not a subnet
    help: an interface address is an address and its prefix length, such as `172.22.1.11/20`
    ");
}
