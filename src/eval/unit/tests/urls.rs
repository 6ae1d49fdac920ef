//! URLs of images and management controllers.

use super::*;

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
