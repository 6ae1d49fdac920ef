//! Every form of an address, and what BMO made of 25 of them.

use serde_json::{Map, Value, json};

use super::*;

fn parse(text: &str) -> Result<BmcAddress, BmcAddressError> {
    text.parse()
}

/// What BMO asked Ironic to create for each address, less what is not the address's.
#[test]
fn every_recorded_address_enrols_the_same() {
    let text = include_str!("../../../tests/data/peer-ironic/enrol-by-scheme.jsonl");
    let mut seen = 0;
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let address = row["address"].as_str().unwrap();
        seen += 1;
        let parsed = match parse(address) {
            Ok(parsed) => parsed,
            Err(error) => {
                assert!(row["post"].is_null(), "{address}: {error}");
                assert_eq!(error.to_string(), row["errorMessage"].as_str().unwrap());
                continue;
            }
        };
        let driver = parsed.driver();
        let keys = parsed.credential_keys().unwrap();
        let mut info: Map<_, _> = parsed
            .driver_info()
            .into_iter()
            .map(|(k, v)| (k.to_owned(), json!(v)))
            .collect();
        info.insert(keys.username.into(), json!("admin"));
        info.insert(keys.password.into(), json!("password"));
        if row["disableCertificateVerification"] == json!(true) {
            info.insert(keys.verify_ca.into(), json!(false));
        }
        let mut post = json!({
            "boot_interface": driver.boot,
            "disable_power_off": false,
            "driver": driver.name,
            "driver_info": info,
            "inspect_interface": "agent",
            "name": row["post"]["name"],
            "properties": row["post"]["properties"],
            "raid_interface": driver.raid,
        });
        for (key, value) in [
            ("bios_interface", driver.bios),
            ("firmware_interface", driver.firmware),
            ("management_interface", driver.management),
            ("power_interface", driver.power),
            ("vendor_interface", driver.vendor),
        ] {
            if let Some(value) = value {
                post[key] = json!(value);
            }
        }
        assert_eq!(post, row["post"], "{address}");
    }
    assert_eq!(seen, 25);
}

#[test]
fn there_are_23_keys_and_ours() {
    assert_eq!(Scheme::keys().count(), 24);
    for key in Scheme::keys() {
        let address = parse(&format!("{}://h/redfish/v1/Systems/1", key.to_uppercase()));
        let address = address.unwrap();
        assert_eq!(
            address.key().trim_end_matches("+https"),
            key.trim_end_matches("+https")
        );
    }
    for bad in [
        "ipmi+http",
        "libvirt+https",
        "fake-hardware+http",
        "redfish+ftp",
        "redfish+",
    ] {
        assert!(
            matches!(
                parse(&format!("{bad}://h")),
                Err(BmcAddressError::UnknownScheme { .. })
            ),
            "{bad}"
        );
    }
}

/// Scheme, host, port, path, bare.
#[test]
fn forms() {
    let table = [
        "10.0.0.1",
        "10.0.0.1:6233",
        "host.example.net",
        "host.example.net:6233",
        "[fe80::5]",
        "[fe80::5]:6233",
        "ipmi:10.0.0.1",
        "ipmi:10.0.0.1:6233",
        "ipmi:[fe80::5]:6233",
        "ipmi://10.0.0.1/?privilegelevel=USER",
        "libvirt://10.0.0.1:6233/",
        "redfish:10.0.0.1/redfish/v1/Systems/1",
        "idrac-virtualmedia+http://[2001:db8::1]/redfish/v1/Systems/System.Embedded.1#x",
        "fake-hardware://r01_n01",
        "",
        "ipmi://",
        "fe80::5",
        "::1",
        "ipmi://fe80::5",
        "redfish://u:p@h/redfish/v1/Systems/1",
        "refish://u:p@h/redfish/v1/Systems/1",
        "root:calvin@10.0.0.1",
        "redfish://h:70000",
        "redfish://h:0",
        "redfish://[fe80::5%25eth0]/x",
        "redfish://[fe80::5",
        "redfish://[fe80::5]x",
        "redfish://-bad-.example",
        "redfish://under_score",
        "redfish://h /x",
        "refdish://h",
        "redfish+htp://h",
        "ilo4://h",
    ];
    let text: Vec<_> = table
        .into_iter()
        .map(|address| match parse(address) {
            Ok(it) => format!(
                "{address} = {} {}{}{} {}",
                it.key(),
                it.host,
                it.port
                    .map(|port| format!(" port {port}"))
                    .unwrap_or_default(),
                if it.bare { " bare" } else { "" },
                it.path,
            ),
            Err(error) => {
                let near = error.nearest().map(|near| format!(" ({near}?)"));
                format!("{address} ! {error}{}", near.unwrap_or_default())
            }
        })
        .map(|line| line.trim_end().to_owned())
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    10.0.0.1 = ipmi 10.0.0.1 bare
    10.0.0.1:6233 = ipmi 10.0.0.1 port 6233 bare
    host.example.net = ipmi host.example.net bare
    host.example.net:6233 = ipmi host.example.net port 6233 bare
    [fe80::5] = ipmi fe80::5 bare
    [fe80::5]:6233 = ipmi fe80::5 port 6233 bare
    ipmi:10.0.0.1 = ipmi 10.0.0.1
    ipmi:10.0.0.1:6233 = ipmi 10.0.0.1 port 6233
    ipmi:[fe80::5]:6233 = ipmi fe80::5 port 6233
    ipmi://10.0.0.1/?privilegelevel=USER = ipmi 10.0.0.1 /
    libvirt://10.0.0.1:6233/ = libvirt 10.0.0.1 port 6233 /
    redfish:10.0.0.1/redfish/v1/Systems/1 = redfish 10.0.0.1 /redfish/v1/Systems/1
    idrac-virtualmedia+http://[2001:db8::1]/redfish/v1/Systems/System.Embedded.1#x = idrac-virtualmedia+http 2001:db8::1 /redfish/v1/Systems/System.Embedded.1
    fake-hardware://r01_n01 = fake-hardware r01_n01
     ! missing BMC address
    ipmi:// ! failed to parse BMC address information: no host in the address ipmi://
    fe80::5 ! failed to parse BMC address information: an IPv6 address goes in brackets: write ipmi://[fe80::5]
    ::1 ! failed to parse BMC address information: an IPv6 address goes in brackets: write ipmi://[::1]
    ipmi://fe80::5 ! failed to parse BMC address information: an IPv6 address goes in brackets: [fe80::5]
    redfish://u:p@h/redfish/v1/Systems/1 ! failed to parse BMC address information: credentials in the address; put them into the Secret that credentialsName names
    refish://u:p@h/redfish/v1/Systems/1 ! failed to parse BMC address information: credentials in the address; put them into the Secret that credentialsName names
    root:calvin@10.0.0.1 ! failed to parse BMC address information: credentials in the address; put them into the Secret that credentialsName names
    redfish://h:70000 ! failed to parse BMC address information: the port "70000" is not a number from 1 to 65535
    redfish://h:0 ! failed to parse BMC address information: the port "0" is not a number from 1 to 65535
    redfish://[fe80::5%25eth0]/x ! failed to parse BMC address information: BMC address hostname/IP : [fe80::5%25eth0] is invalid
    redfish://[fe80::5 ! failed to parse BMC address information: no closing bracket in the address redfish://[fe80::5
    redfish://[fe80::5]x ! failed to parse BMC address information: "x" after the bracket in redfish://[fe80::5]x
    redfish://-bad-.example ! failed to parse BMC address information: BMC address hostname/IP : [-bad-.example] is invalid
    redfish://under_score ! failed to parse BMC address information: BMC address hostname/IP : [under_score] is invalid
    redfish://h /x ! failed to parse BMC address information: ' ' in the address; take it out
    refdish://h ! failed to parse BMC address information: Unknown BMC type 'refdish' for address refdish://h (redfish?)
    redfish+htp://h ! failed to parse BMC address information: Unknown BMC type 'redfish+htp' for address redfish+htp://h (redfish+http?)
    ilo4://h ! failed to parse BMC address information: Unknown BMC type 'ilo4' for address ilo4://h
    "#);
}

#[test]
fn two_ways_to_write_one_machine_are_one() {
    fn id(text: &str) -> String {
        text.parse::<BmcAddress>().unwrap().identity()
    }
    let same = |a: &str, b: &str| assert_eq!(id(a), id(b), "{a} {b}");
    let other = |a: &str, b: &str| assert_ne!(id(a), id(b), "{a} {b}");
    same("10.0.0.1", "ipmi://10.0.0.1:623");
    same(
        "redfish://A/redfish/v1/Systems/1",
        "redfish-virtualmedia+https://a:443/redfish/v1/Systems/1/",
    );
    other(
        "redfish://a/redfish/v1/Systems/1",
        "redfish://a/redfish/v1/Systems/2",
    );
    other("libvirt://a:6230", "libvirt://a:6231");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        let _result = parse(&text);
    }

    #[test]
    fn near_addresses_do_not_either(text in "(ipmi|redfish(-virtualmedia)?|libvirt)?(\\+https?)?(:|://)?[\\[\\]a-f0-9.:@/?#%-]{0,24}") {
        if let Ok(address) = parse(&text) {
            proptest::prop_assert!(!address.host.is_empty());
        }
    }
}
