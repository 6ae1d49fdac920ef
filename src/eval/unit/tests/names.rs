//! Names and labels of Kubernetes.

use super::*;

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
