#![allow(clippy::format_push_string, reason = "tests may be slow")]

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// `MFnnnn message | help | fix`, after checking that the fix is a good value.
fn told<T: std::fmt::Debug>(read: impl Fn(&str) -> Result<T, UnitError>, text: &str) -> String {
    let error = read(text).unwrap_err();
    let mut out = format!("MF{} {}\nhelp: {}", error.code, error.message, error.help);
    if let Some(fix) = error.fix {
        out.push_str(&format!("\nfix: {fix}"));
        if let Err(error) = read(&fix) {
            panic!("the fix `{fix}` has an error: {error}");
        }
    }
    out
}

#[test]
fn sizes_are_exact() {
    for (text, bytes, shown) in [
        ("0B", 0, "0B"),
        ("480GB", 480_000_000_000, "480GB"),
        ("480GiB", 515_396_075_520, "480GiB"),
        ("1.5TiB", 1_649_267_441_664, "1536GiB"),
        ("0.5KiB", 512, "512B"),
        ("1000kB", 1_000_000, "1MB"),
        ("1KB", 1000, "1kB"),
        ("1024MiB", 1 << 30, "1GiB"),
        ("18446744073709551615B", u64::MAX, "18446744073709551615B"),
    ] {
        let size = size(text).unwrap();
        assert_eq!(size.bytes(), bytes, "{text}");
        assert_eq!(size.to_string(), shown, "{text}");
    }
    assert_eq!(
        Size::new(446, SizeUnit::GiB).unwrap(),
        size("446GiB").unwrap()
    );
    assert_eq!(size("480GB").unwrap().whole(SizeUnit::GB).unwrap(), 480);
    assert_eq!(size("1TiB").unwrap().whole(SizeUnit::GiB).unwrap(), 1024);
}

#[test]
fn sizes_that_are_none() {
    let told = |text: &str| told(|text| size_for(text, SizeUnit::GB), text);
    insta::assert_snapshot!(told("480"), @r"
    MF2006 `480` has no unit
    help: write `GB` for 1000³ bytes, as disk vendors do, or `GiB` for 1024³
    fix: 480GB
    ");
    insta::assert_snapshot!(told("480 GiB"), @r"
    MF2005 `480 GiB` has a space before its unit
    help: a size is a number and its unit, such as `480GB` or `446GiB`
    fix: 480GiB
    ");
    insta::assert_snapshot!(told("480gib"), @r"
    MF2007 `gib` is not a unit of size
    help: units are `B`, `kB`, `MB`, `GB`, `TB`, `PB`, `KiB`, `MiB`, `GiB`, `TiB`, `PiB`, such as `480GB`
    fix: 480GiB
    ");
    insta::assert_snapshot!(told("480Gi"), @r"
    MF2007 `Gi` is not a unit of size
    help: units are `B`, `kB`, `MB`, `GB`, `TB`, `PB`, `KiB`, `MiB`, `GiB`, `TiB`, `PiB`, such as `480GB`
    fix: 480GiB
    ");
    insta::assert_snapshot!(told("480G"), @r"
    MF2007 `G` is not a unit of size
    help: units are `B`, `kB`, `MB`, `GB`, `TB`, `PB`, `KiB`, `MiB`, `GiB`, `TiB`, `PiB`, such as `480GB`
    fix: 480GB
    ");
    insta::assert_snapshot!(told("1,000GB"), @r"
    MF2005 `1,000GB` has grouped digits
    help: a size is a number and its unit, such as `480GB` or `446GiB`
    fix: 1000GB
    ");
    insta::assert_snapshot!(told("60s"), @r"
    MF2006 `60s` is a duration, a size is expected
    help: a size is a number and its unit, such as `480GB` or `446GiB`
    ");
    insta::assert_snapshot!(told("480 chunks"), @r"
    MF2007 `chunks` is not a unit of size
    help: units are `B`, `kB`, `MB`, `GB`, `TB`, `PB`, `KiB`, `MiB`, `GiB`, `TiB`, `PiB`, such as `480GB`
    ");
    insta::assert_snapshot!(told("0.3KiB"), @r"
    MF2005 `0.3KiB` is not a whole number of bytes
    help: write fewer decimals, or a smaller unit, such as `307B`
    ");
    insta::assert_snapshot!(told("-1GB"), @r"
    MF2008 `-1GB` is negative, no size is
    help: a size is a number and its unit, such as `480GB` or `446GiB`
    ");
    insta::assert_snapshot!(told("99999999PiB"), @r"
    MF2008 `99999999PiB` is too large
    help: sizes go up to 18446744073709551615 bytes, about 16,000 PiB
    ");
    insta::assert_snapshot!(told("large"), @r"
    MF2005 `large` is not a size
    help: a size is a number and its unit, such as `480GB` or `446GiB`
    ");
    insta::assert_snapshot!(told(""), @r"
    MF2005 an empty text is not a size
    help: a size is a number and its unit, such as `480GB` or `446GiB`
    ");
    assert_eq!(size("480").unwrap_err().fix, None);
    let error = size("446GB").unwrap().whole(SizeUnit::GiB).unwrap_err();
    insta::assert_snapshot!(format!("MF{} {}\n{}", error.code, error.message, error.help), @r"
    MF3317 `446GB` is about 415.369 GiB, not a whole number
    this field is kept in whole GiB, and nothing is rounded: write `415GiB` or `416GiB`
    ");
    assert_eq!(Size::new(-1, SizeUnit::B).unwrap_err().code, OUT_OF_RANGE);
    assert_eq!(
        Size::new(i64::MAX, SizeUnit::PiB).unwrap_err().code,
        OUT_OF_RANGE
    );
}

#[test]
fn durations_add_up() {
    for (text, millis, shown) in [
        ("0s", 0, "0s"),
        ("60s", 60_000, "1m"),
        ("90s", 90_000, "1m30s"),
        ("1h30m", 5_400_000, "1h30m"),
        ("1.5h", 5_400_000, "1h30m"),
        ("2d", 172_800_000, "48h"),
        ("1d1h1m1s1ms", 90_061_001, "25h1m1s1ms"),
        ("250ms", 250, "250ms"),
    ] {
        let duration = duration(text).unwrap();
        assert_eq!(duration, Duration::from_millis(millis), "{text}");
        assert_eq!(show_duration(duration), shown, "{text}");
    }
    assert_eq!(
        DurationUnit::Minutes.times(5).unwrap(),
        Duration::from_mins(5)
    );
}

#[test]
fn durations_that_are_none() {
    let told = |text: &str| told(|text| duration_for(text, DurationUnit::Seconds), text);
    insta::assert_snapshot!(told("60"), @r"
    MF2006 `60` has no unit
    help: a duration is written like `60s`, `5m` or `1h30m`
    fix: 60s
    ");
    insta::assert_snapshot!(told("5 min"), @r"
    MF2007 `min` is not a unit of time
    help: units are `ms`, `s`, `m`, `h` and `d`, such as `60s` or `1h30m`
    fix: 5m
    ");
    insta::assert_snapshot!(told("1h 30m"), @r"
    MF2005 `1h 30m` has spaces in it
    help: a duration is written like `60s`, `5m` or `1h30m`
    fix: 1h30m
    ");
    insta::assert_snapshot!(told("30m1h"), @r"
    MF2005 `30m1h` does not run from large units to small ones
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
    insta::assert_snapshot!(told("1h30"), @r"
    MF2006 `1h30` has no unit
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
    insta::assert_snapshot!(told("PT1H30M"), @r"
    MF2005 `PT1H30M` is in ISO 8601 form
    help: a duration is written like `60s`, `5m` or `1h30m`
    fix: 1h30m
    ");
    insta::assert_snapshot!(told("60GB"), @r"
    MF2006 `60GB` is a size, a duration is expected
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
    insta::assert_snapshot!(told("3 fortnights"), @r"
    MF2007 `fortnights` is not a unit of time
    help: units are `ms`, `s`, `m`, `h` and `d`, such as `60s` or `1h30m`
    ");
    insta::assert_snapshot!(told("0.0001s"), @r"
    MF2005 `0.0001s` is not a whole number of milliseconds
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
    insta::assert_snapshot!(told("-5s"), @r"
    MF2008 `-5s` is negative, no duration is
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
    insta::assert_snapshot!(told("999999999d"), @r"
    MF2008 `999999999d` is too long
    help: durations go up to about 290 years
    ");
    insta::assert_snapshot!(told("soon"), @r"
    MF2005 `soon` is not a duration
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
    insta::assert_snapshot!(told(""), @r"
    MF2005 an empty text is not a duration
    help: a duration is written like `60s`, `5m` or `1h30m`
    ");
}

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

const IMAGE: &[&str] = &["https", "http", "oci"];
const BMC: &[&str] = &[
    "redfish-virtualmedia",
    "redfish",
    "idrac-virtualmedia",
    "ipmi",
];

#[test]
fn urls_have_parts() {
    let url = |text| url(text, &[]).unwrap();
    let full = url("redfish+https://[fd00::7]:8443/redfish/v1?x=1");
    assert_eq!(
        (full.scheme, full.host, full.port),
        ("redfish+https", "fd00::7", Some(8443))
    );
    assert_eq!(full.path, "/redfish/v1?x=1");
    let image = url("oci://registry.example.net/flatcar:4230.2.1");
    assert_eq!(
        (image.host, image.port, image.path),
        ("registry.example.net", None, "/flatcar:4230.2.1")
    );
    assert_eq!(url("file:///srv/images/a.raw").path, "/srv/images/a.raw");
    assert_eq!(url("fake-hardware://r01-n07").host, "r01-n07");
}

#[test]
fn urls_that_are_none() {
    let image = |text: &str| told(|text| url(text, IMAGE).map(|url| url.text.to_owned()), text);
    let bmc = |text: &str| told(|text| url(text, BMC).map(|url| url.text.to_owned()), text);
    insta::assert_snapshot!(image("images.example.net/a.qcow2"), @r"
    MF2005 `images.example.net/a.qcow2` has no scheme
    help: a URL is expected, such as `https://host.example.net/path`; schemes are `https`, `http`, `oci`
    ");
    insta::assert_snapshot!(image("htps://images.example.net/a.qcow2"), @r"
    MF2007 unknown scheme `htps`
    help: a URL is expected, such as `https://host.example.net/path`; schemes are `https`, `http`, `oci`
    fix: https://images.example.net/a.qcow2
    ");
    insta::assert_snapshot!(image("HTTPS://images.example.net/a.qcow2"), @r"
    MF2007 the scheme `HTTPS` is not in lower case
    help: a URL is expected, such as `https://host.example.net/path`; schemes are `https`, `http`, `oci`
    fix: https://images.example.net/a.qcow2
    ");
    insta::assert_snapshot!(image("ftp://images.example.net/a.qcow2"), @r"
    MF2007 unknown scheme `ftp`
    help: a URL is expected, such as `https://host.example.net/path`; schemes are `https`, `http`, `oci`
    ");
    insta::assert_snapshot!(image("https:///a.qcow2"), @r"
    MF2005 `https:///a.qcow2` has no host
    help: a URL is expected, such as `https://host.example.net/path`
    ");
    insta::assert_snapshot!(image("https://images example/a"), @r"
    MF2005 `https://images example/a` holds ` `
    help: a URL is expected, such as `https://host.example.net/path`
    ");
    insta::assert_snapshot!(image("https://ops:hunter2@images.example.net/a"), @r"
    MF3403 `https://…@images.example.net/a` has a user name or password in it
    help: put credentials into a secret, and refer to it with `(secret)name`
    fix: https://images.example.net/a
    ");
    insta::assert_snapshot!(bmc("redfish-virtual-media://10.20.1.11"), @r"
    MF2007 unknown scheme `redfish-virtual-media`
    help: a URL is expected, such as `redfish-virtualmedia://host.example.net/path`; schemes are `redfish-virtualmedia`, `redfish`, `idrac-virtualmedia`, `ipmi`
    fix: redfish-virtualmedia://10.20.1.11
    ");
    insta::assert_snapshot!(bmc("redfish://10.20.1.300/redfish/v1"), @r"
    MF2005 `10.20.1.300` is not an IPv4 address
    help: a URL is expected, such as `redfish-virtualmedia://host.example.net/path`
    ");
    insta::assert_snapshot!(bmc("redfish://fd00::1/redfish/v1"), @r"
    MF2005 IPv6 in a URL stands in brackets: `redfish://fd00::1/redfish/v1`
    help: a URL is expected, such as `redfish-virtualmedia://host.example.net/path`
    fix: redfish://[fd00::1]/redfish/v1
    ");
    insta::assert_snapshot!(bmc("redfish://[10.0.0.1]/"), @r"
    MF2005 `10.0.0.1` is not an IPv6 address
    help: a URL is expected, such as `redfish-virtualmedia://host.example.net/path`
    ");
    insta::assert_snapshot!(bmc("redfish://[fd00::1"), @r"
    MF2005 `redfish://[fd00::1` has `[` without `]`
    help: a URL is expected, such as `redfish-virtualmedia://host.example.net/path`
    ");
    insta::assert_snapshot!(bmc("redfish://bmc_07/"), @r"
    MF2005 `bmc_07` is not a host name
    help: a URL is expected, such as `redfish-virtualmedia://host.example.net/path`
    ");
    insta::assert_snapshot!(bmc("redfish://bmc:70000/"), @r"
    MF2008 the port `70000` is not 1 to 65535
    help: a URL is expected, such as `redfish-virtualmedia://host.example.net/path`
    ");
    insta::assert_snapshot!(bmc("redfish://bmc:https/"), @r"
    MF2005 `https` is not a port
    help: a URL is expected, such as `redfish-virtualmedia://host.example.net/path`
    ");
}

#[test]
fn passwords_stay_out_of_errors() {
    for text in [
        "https://ops:hunter2@host/x",
        "https://ops:hunter2@host/x y",
        "ops:hunter2@host",
        "https://ops:hunt/hunter2@host",
        "HTTPS://ops:hunter2@[bad",
        "https://ops:hunter2/x@host",
        "ops:hunter2@host://x",
        "https://hunter2@:x/",
        "1://ops:hunter2@host",
    ] {
        let error = url(text, &["https"]).map(|url| url.text.to_owned());
        assert!(
            !format!("{:?}", error.unwrap_err()).contains("hunter2"),
            "{text}"
        );
    }
}

#[test]
fn names_of_kubernetes() {
    for text in ["r01-n07", "a.b-c.d", "0", &"a".repeat(253)] {
        assert_eq!(name(text).unwrap(), text);
    }
    assert!(host_name("r01-n07").is_ok());
    assert!(name_label("metal3").is_ok());
    assert!(secret_key("tls.crt").is_ok());
    assert!(hostname("BMC-07.example.net").is_ok());
    assert!(label_key("topology.kubernetes.io/zone").is_ok());
    assert!(label_key("Role_x.y").is_ok());
    assert!(label_value("").is_ok());
    assert_eq!(
        uuid("1BE26C0B-03F2-4D2E-AE87-C02D7F33C123").unwrap(),
        "1be26c0b-03f2-4d2e-ae87-c02d7f33c123"
    );
    let own = |check: fn(&str) -> Result<&str, UnitError>| {
        move |text: &str| check(text).map(str::to_owned)
    };
    insta::assert_snapshot!(told(own(name), "R01_N07"), @r"
    MF3101 `R01_N07` is not a name
    help: a name has lower-case letters, digits, `-` and `.`, a letter or digit at both ends, such as `r01-n07`
    fix: r01-n07
    ");
    insta::assert_snapshot!(told(own(name), "-"), @r"
    MF3101 `-` is not a name
    help: a name has lower-case letters, digits, `-` and `.`, a letter or digit at both ends, such as `r01-n07`
    ");
    insta::assert_snapshot!(told(own(name), ""), @r"
    MF3101 a name cannot be empty
    help: a name has lower-case letters, digits, `-` and `.`, a letter or digit at both ends, such as `r01-n07`
    ");
    insta::assert_snapshot!(told(own(name), &"a".repeat(254)), @r"
    MF3101 `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…` is longer than 253 characters
    help: a name has lower-case letters, digits, `-` and `.`, a letter or digit at both ends, such as `r01-n07`
    ");
    insta::assert_snapshot!(told(own(host_name), "1be26c0b-03f2-4d2e-ae87-c02d7f33c123"), @r"
    MF3101 `1be26c0b-03f2-4d2e-ae87-c02d7f33c123` is a UUID, which cannot name a host
    help: name a host by its place, such as `r01-n07`
    ");
    insta::assert_snapshot!(told(own(name_label), "metal3.io"), @r"
    MF3101 `metal3.io` is not a name
    help: lower-case letters, digits and `-`, such as `metal3`
    fix: metal3-io
    ");
    insta::assert_snapshot!(told(own(secret_name), "bmc/r01"), @r"
    MF3406 `bmc/r01` is not a Secret's name
    help: a Secret's name has lower-case letters, digits, `-` and `.`, a letter or digit at both ends, such as `r01-n07`
    fix: bmc-r01
    ");
    insta::assert_snapshot!(told(own(secret_key), "pass word"), @r"
    MF3406 `pass word` is not a key of a Secret
    help: letters, digits, `-`, `_` and `.`, at most 253 of them, such as `password`
    ");
    insta::assert_snapshot!(told(own(hostname), "host.example.net."), @r"
    MF2005 `host.example.net.` ends in a dot
    help: labels of letters, digits and `-`, separated by dots, such as `bmc-07.fra1.example`
    fix: host.example.net
    ");
    insta::assert_snapshot!(told(own(hostname), "bmc_07"), @r"
    MF2005 `bmc_07` is not a host name
    help: labels of letters, digits and `-`, separated by dots, such as `bmc-07.fra1.example`
    ");
    insta::assert_snapshot!(told(own(label_key), "Example.org/role"), @r"
    MF3103 `Example.org` is not a domain
    help: a key is a name, or a domain and a name, such as `topology.kubernetes.io/zone`
    fix: example.org/role
    ");
    insta::assert_snapshot!(told(own(label_key), "a/b/c"), @r"
    MF3103 `a/b/c` has more than one `/`
    help: a key is a name, or a domain and a name, such as `topology.kubernetes.io/zone`
    ");
    insta::assert_snapshot!(told(own(label_key), "a/"), @r"
    MF3103 `a/` has no name in it
    help: a key is a name, or a domain and a name, such as `topology.kubernetes.io/zone`
    ");
    insta::assert_snapshot!(told(own(label_key), "my role"), @r"
    MF3103 `my role` is not a key
    help: a key is a name, or a domain and a name, such as `topology.kubernetes.io/zone`
    fix: my-role
    ");
    insta::assert_snapshot!(told(own(label_value), "rack: 7"), @r"
    MF3103 `rack: 7` is not a label value
    help: letters, digits, `-`, `_` and `.`, a letter or digit at both ends, such as `r650`
    fix: rack--7
    ");
    insta::assert_snapshot!(told(own(label_value), &"a".repeat(64)), @r"
    MF3103 `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…` is longer than 63 characters
    help: letters, digits, `-`, `_` and `.`, a letter or digit at both ends, such as `r650`
    ");
    insta::assert_snapshot!(told(uuid, "{1be26c0b03f24d2eae87c02d7f33c123}"), @r"
    MF2005 `{1be26c0b03f24d2eae87c02d7f33c123}` is not a UUID
    help: 32 hexadecimal digits in groups, such as `1be26c0b-03f2-4d2e-ae87-c02d7f33c123`
    fix: 1be26c0b-03f2-4d2e-ae87-c02d7f33c123
    ");
    insta::assert_snapshot!(told(uuid, "1be26c0b"), @r"
    MF2005 `1be26c0b` is not a UUID
    help: 32 hexadecimal digits in groups, such as `1be26c0b-03f2-4d2e-ae87-c02d7f33c123`
    ");
}

/// Calls every reader and gives the errors with a fix, beside the reader for that fix.
fn fixes(text: &str) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    let mut add = |what, error: Option<UnitError>| {
        if let Some(fix) = error.and_then(|error| error.fix) {
            out.push((what, fix));
        }
    };
    add("size", size_for(text, SizeUnit::GiB).err());
    add("duration", duration_for(text, DurationUnit::Seconds).err());
    add("mac", text.parse::<Mac>().err());
    add("ip", ip(text).err());
    add("ipv4", ipv4(text).err());
    add("ipv6", ipv6(text).err());
    add("cidr", cidr(text).err());
    add("interface", interface(text).err());
    add("url", url(text, &[]).err());
    add("bmc", url(text, BMC).err());
    add("name", name(text).err());
    add("host_name", host_name(text).err());
    add("name_label", name_label(text).err());
    add("hostname", hostname(text).err());
    add("label_key", label_key(text).err());
    add("label_value", label_value(text).err());
    add("secret_name", secret_name(text).err());
    add("secret_key", secret_key(text).err());
    add("uuid", uuid(text).err());
    out
}

/// Texts that are often nearly values.
fn valueish() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        "[0-9]{1,4}",
        "[0-9a-fA-F]{2}",
        prop::sample::select(vec![
            ".", ":", "-", "/", "GB", "GiB", "Gi", "s", "m", "ms", "h", "d", " ", "_", ",", "[",
            "]", "::", "://", "http", "redfish", "@", "10.0.0.1", "fd00::", "PT", "host", "é",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(token, 0..8).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        fixes(&text);
    }

    /// A fix may leave another mistake, but it is always a step on: fixing ends.
    #[test]
    fn fixes_lead_somewhere(text in valueish()) {
        for (what, fix) in fixes(&text) {
            prop_assert_ne!(&fix, &text, "{}", what);
            // A blank, the case and the brackets of ` AA://::` are three.
            let mut steps = vec![fix];
            while let Some((_, next)) = fixes(&steps[steps.len() - 1])
                .into_iter()
                .find(|(other, _)| *other == what)
            {
                steps.push(next);
                prop_assert!(steps.len() <= 4, "{} {:?}", what, steps);
            }
        }
    }

    #[test]
    fn a_size_reads_back(bytes in any::<u64>(), unit in 0..11usize) {
        let unit = SizeUnit::ALL[unit];
        for size_of in [Size::from_bytes(bytes), Size::from_bytes(bytes / unit.bytes() * unit.bytes())] {
            prop_assert_eq!(size(&size_of.to_string()).unwrap(), size_of);
        }
    }

    #[test]
    fn a_duration_reads_back(millis in 0..=i64::MAX as u64 / 1_000_000) {
        let length = Duration::from_millis(millis);
        prop_assert_eq!(duration(&show_duration(length)).unwrap(), length);
    }

    #[test]
    fn a_mac_reads_back(bytes in any::<[u8; 6]>()) {
        let mac = Mac(bytes);
        prop_assert_eq!(mac.to_string().parse::<Mac>().unwrap(), mac);
        prop_assert_eq!(mac.to_string().to_uppercase().replace(':', "-").parse::<Mac>().unwrap(), mac);
        prop_assert_eq!(Mac::from_number(mac.number()), mac);
    }
}
