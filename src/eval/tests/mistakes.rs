//! What is said about mistakes: once, at the right place, and nothing that only follows from
//! another one.

mod habits;

use super::*;
use crate::diag::Applicability;

fn said(text: &str) -> Vec<String> {
    findings(&one(text))
}

/// The text that a finding points at.
fn pointed(evaluation: &Evaluation, finding: &Diagnostic) -> String {
    let place = finding.primary.place;
    evaluation.files.text(place.file)[place.span.range()].to_owned()
}

fn held(evaluation: &Evaluation) -> Vec<&str> {
    let held = evaluation.fleet.held.iter();
    held.map(|held| &*held.name).collect()
}

// ---- software RAID

#[test]
fn ipmi_makes_no_hardware_volumes_and_minds_no_software_ones() {
    let host = |raid: &str| {
        format!(
            "host n1 {{\n    bmc address=\"ipmi://10.0.0.1\" credentials=(secret)b\n    raid {raid} {{\n        volume a level=\"1\"\n    }}\n}}\n"
        )
    };
    assert_eq!(codes(&one(&host("hardware"))), [3301]);
    assert_eq!(codes(&one(&host("software"))), [0; 0]);
}

#[test]
fn the_first_software_volume_is_raid_1_whether_or_not_it_says_that_it_is_the_root() {
    let raid = |volumes: &str| {
        one(&format!(
            "host n1 {{\n    raid software {{\n{volumes}\n    }}\n}}\n"
        ))
    };
    insta::assert_snapshot!(findings(&raid("volume b level=\"1\"\nvolume a level=\"0\"")).join("\n"), @"MF3306 fleet.kdl:5: the first volume `a` has to be RAID 1");
    insta::assert_snapshot!(findings(&raid("volume a level=\"1+0\"")).join("\n"), @"MF3306 fleet.kdl:4: the first volume `a` has to be RAID 1");
    insta::assert_snapshot!(findings(&raid("volume b level=\"0\" root=#true\nvolume a level=\"1\"")).join("\n"), @"MF3306 fleet.kdl:4: the root volume `b` has to be RAID 1");
    let fine = raid("volume b level=\"1\" root=#true\nvolume a level=\"0\"");
    assert_eq!(codes(&fine), [0; 0]);
}

// ---- pinned types

#[test]
fn an_annotation_pins_an_input_to_its_type() {
    for (value, codes_of_it) in [
        ("(u16)120", &[][..]),
        ("(u8)255", &[]),
        ("(u8)300", &[2008]),
        ("(u32)-1", &[2008]),
        ("(i8)-128", &[]),
        ("(u16)\"120\"", &[2005]),
        ("(string)\"a\"", &[]),
        ("(string)1", &[2005]),
        ("(regex)\"a.*\"", &[]),
        ("(duration)\"5m\"", &[]),
        ("(duration)\"5\"", &[2006]),
        ("(size)\"4GiB\"", &[]),
        ("(size)\"4m\"", &[2006]),
        ("(ipv4)\"10.0.0.1\"", &[]),
        ("(ipv4)\"garbage\"", &[2005]),
        ("(GiB)4", &[2010]),
        ("(s)4", &[2010]),
        ("(secret)a", &[2010]),
    ] {
        let found = one(&format!(
            "param p {value}\nhost n1 {{\n    description \"p ${{param.p}}\"\n}}\n"
        ));
        assert_eq!(codes(&found), codes_of_it, "{value}");
        let found = one(&format!("host n1 p={value}\n"));
        assert_eq!(codes(&found), codes_of_it, "{value} as a fact");
    }
}

#[test]
fn what_replaces_a_parameter_has_its_pinned_type() {
    let files = [(
        "fleet.kdl",
        "/- kdl-version 2\nparam vlan (u16)120\nhost n1 {\n    description \"vlan ${param.vlan}\"\n}\n",
    )];
    let given = |value: &str| {
        evaluate_with(
            &files,
            Some(&format!("/- kdl-version 2\nparam vlan {value}\n")),
        )
    };
    assert_eq!(codes(&given("130")), [0; 0]);
    insta::assert_snapshot!(findings(&given("\"not a number\"")).join("\n"), @"MF2005 params.kdl:2: `(u16)` needs a whole number");
    insta::assert_snapshot!(findings(&given("70000")).join("\n"), @"MF2008 params.kdl:2: 70000 is out of range: `(u16)` is from 0 to 65535");
}

#[test]
fn an_annotation_on_a_field_is_checked_as_well() {
    for (field, codes_of_it) in [
        ("description (ipv4)\"10.0.0.1\"", &[][..]),
        ("description (ipv4)\"garbage\"", &[2005]),
        ("description (ipv4)\"${host.name}\"", &[2005]),
        ("description (u8)\"a\"", &[2005]),
        ("description (GiB)\"a\"", &[2005]),
        ("boot mode=(string)UEFI", &[]),
        ("boot mode=(ipv4)UEFI", &[2005]),
        ("labels ip=(ipv4)\"garbage\"", &[2005]),
        ("raid hardware { volume a level=\"1\" disks=(u8)2; }", &[]),
        (
            "raid hardware { volume a level=\"1\" disks=(u8)300; }",
            &[2008],
        ),
        (
            "raid hardware { volume a level=\"1\" disks=(ipv4)2; }",
            &[2005],
        ),
        (
            "raid hardware { volume a level=\"1\" { controller c; physical-disks (uuid)\"a\" \"b\"; }; }",
            &[2005],
        ),
    ] {
        let found = one(&format!("host n1 {{\n    {field}\n}}\n"));
        assert_eq!(codes(&found), codes_of_it, "{field}");
    }
    let pool = "host n1 {\n    labels a=b\n}\npool p {\n    select a=b\n    replicas (ipv4)1\n}\n";
    assert_eq!(codes(&one(pool)), [2005]);
}

// ---- what a pool deploys

#[test]
fn a_pool_that_deploys_something_has_an_image() {
    let found = one(
        "host \"n[1-2]\" {\n    labels role=w\n}\npool p {\n    select role=w\n    deploy {\n        user-data (secret)x\n    }\n}\n",
    );
    insta::assert_snapshot!(findings(&found).join("\n"), @"MF2009 fleet.kdl:8: pool `p` has no `deploy.image`");
    assert_eq!(held(&found), ["n1", "n2"]);
}

#[test]
fn a_member_whose_deployment_cannot_be_read_is_held() {
    let found = one(
        "image i {\n    url \"oci://registry.example.net/i:1\"\n}\nhost n1 kind=a {\n    labels role=w\n}\nhost n2 {\n    labels role=w\n}\npool p {\n    select role=w\n    when \"host.kind == 'a'\" {\n        deploy i\n    }\n}\n",
    );
    assert_eq!(codes(&found), [2301]);
    assert_eq!(held(&found), ["n2"]);
}

// ---- the same in every run

#[test]
fn the_trouble_of_a_shared_let_names_all_who_read_it() {
    let text = "let size \"${10 / 0}\"\nhost \"n[1-600]\" {\n    description \"${size}\"\n}\n";
    for _ in 0..4 {
        let found = one(text);
        assert_eq!(codes(&found), [2305]);
        let names = &found.diagnostics[0].subject.as_ref().unwrap().names;
        assert_eq!(names.len(), 600);
        assert_eq!(held(&found).len(), 600);
    }
}

#[test]
fn the_trouble_of_a_let_is_one_finding_wherever_it_is_read() {
    let found = one(
        "let size \"${10 / 0}\"\nwhen \"size > 1\" {\n    host n0\n}\nrack r1 size=\"${size}\" {\n    host n1 {\n        description \"${size}\"\n    }\n}\n",
    );
    assert_eq!(codes(&found), [2305]);
    assert_eq!(found.diagnostics[0].subject.as_ref().unwrap().names, ["n1"]);
}

// ---- places

#[test]
fn an_expression_in_a_disk_without_a_name_is_reported_where_it_stands() {
    for disk in [
        "disk serial=\"${host.nope}\"",
        "disk vendor=\"aaaaaaaaaaaaaaaaaaaaaaaa\" serial=\"${host.nope}\"",
    ] {
        let found = one(&format!(
            "host n1 {{\n    raid software {{\n        volume a level=\"1\" {{\n            {disk}\n            disk serial=b\n        }}\n    }}\n}}\n"
        ));
        assert_eq!(codes(&found), [2301], "{disk}");
        assert_eq!(
            pointed(&found, &found.diagnostics[0]),
            "host.nope",
            "{disk}"
        );
    }
}

#[test]
fn a_disk_whose_content_is_computed_is_the_one_that_is_written_out() {
    let raid = |disk: &str| {
        let text = format!(
            "host n1 s=\"x${{1}}y\" n=7 {{\n    raid software {{\n        volume a level=\"1\" {{\n            disk {disk}\n            disk serial=b\n        }}\n    }}\n}}\n"
        );
        let found = one(&text);
        assert_eq!(codes(&found), [0; 0]);
        show(&found, "n1")
    };
    assert_eq!(
        raid("vendor=\"$${a}\" serial=\"${host.s}\" model=\"${host.n}\""),
        raid("vendor=#\"${a}\"# serial=x1y model=\"7\"")
    );
}

#[test]
fn a_wrong_key_is_pointed_at_and_not_its_value() {
    let found = one("host n1 {\n    labels \"not a key!\"=fine role=\"not a value!\"\n}\n");
    let places: Vec<String> = found
        .diagnostics
        .iter()
        .map(|finding| pointed(&found, finding))
        .collect();
    assert_eq!(codes(&found), [3103, 3103]);
    assert_eq!(places, ["\"not a key!\"", "\"not a value!\""]);
}

// ---- consequences

#[test]
fn what_could_not_be_read_is_not_missing_as_well() {
    for (text, only) in [
        (
            "image i {\n    url \"https://images.example.net/a.raw\"\n    checksum 5\n}\n",
            2005,
        ),
        (
            "image i {\n    url \"https://images.example.net/a.raw\"\n    chekcsum \"https://images.example.net/sums\"\n}\n",
            2002,
        ),
        (
            "host n1 {\n    bmc address=\"redfish-virtualmedia://10.0.0.1/redfish/v1/Systems/1\" credentials=(secret)b\n    inspection disabled\n    boot mac=\"52:54\"\n}\n",
            3504,
        ),
        (
            "host n1 {\n    boot mode=UEFI {\n        mode legacy\n    }\n}\n",
            1024,
        ),
        ("host n1 {\n    labels a=b {\n        a c\n    }\n}\n", 1024),
        ("ironic a url=\"http://127.0.0.1:6385\"\n", 2003),
    ] {
        assert_eq!(codes(&one(text)), [only], "{text}");
    }
}

#[test]
fn what_a_missing_file_may_declare_is_not_reported_as_unknown() {
    let text = "import \"gone.kdl\"\nprofile worker\nhost n1 {\n    use far-away\n    driven-by elsewhere\n    labels role=w\n}\nrefine \"r02-n[1-2]\" {\n    online #true\n}\npool p {\n    select role=w\n    replicas 9\n    deploy other-image\n}\n";
    let found = one(text);
    assert_eq!(said(text), ["MF2207 fleet.kdl:2: no file at `gone.kdl`"]);
    assert_eq!(held(&found), ["n1"]);
    assert!(!found.complete);
    // A slip of the pen is one with or without the missing file.
    let slip = text.replace("use far-away", "use wroker");
    assert_eq!(codes(&one(&slip)), [2207, 2201]);
    // Without the import all of it is wrong.
    let alone = text.replace("import \"gone.kdl\"\n", "");
    assert_eq!(codes(&one(&alone)), [2201, 4314, 2103, 4203, 4101]);
    let pools = "import \"gone.kdl\"\nhost n1 {\n    labels role=w\n}\npool q {\n    select tier=x\n}\npool r {\n    select role=z\n}\n";
    assert_eq!(codes(&one(pools)), [2207]);
    let alone = pools.replace("import \"gone.kdl\"\n", "");
    assert_eq!(codes(&one(&alone)), [4204, 4202]);
}

#[test]
fn two_ranges_that_are_padded_differently_are_one_warning() {
    insta::assert_snapshot!(said("host \"n[1-12]\"\nhost \"n[001-012]\"\n").join("\n"), @"MF2106 fleet.kdl:2: `n[001-012]` and `n[1-12]` differ only by case or padding");
}

// ---- order

#[test]
fn parameters_of_a_profile_may_read_each_other_in_any_order() {
    let with = |params: &str| {
        one(&format!(
            "profile p {{\n{params}    description \"${{a}}\"\n}}\nhost n1 {{\n    use p\n}}\n"
        ))
    };
    let lines = [
        "    param a \"${twice} and ${c}\"\n",
        "    let twice \"${b + b}\"\n",
        "    param b 2\n",
        "    param c \"${b}\"\n",
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let found = with(&order.map(|index| lines[index]).concat());
        assert_eq!(findings(&found), Vec::<String>::new());
        assert_eq!(show(&found, "n1"), "description = \"4 and 2\"");
    }
    let circle = with("    param a \"${l}\"\n    let l \"${b}\"\n    param b \"${a}\"\n");
    insta::assert_snapshot!(findings(&circle).join("\n"), @"MF2304 fleet.kdl:3: parameters in a circle: a -> b -> a");
    assert_eq!(held(&circle), ["n1"]);
}

#[test]
fn a_rack_sees_its_captures_in_its_properties() {
    let found = one(
        "group g tier=cold {\n    rack \"r[row=1-2]\" index=\"${rack.row * 10}\" {\n        group \"${rack.name}-g\" tier=\"${group.tier}\" {\n            host \"${rack.name}-n1\" {\n                description \"${rack.index} ${group.tier} ${group.name}\"\n            }\n        }\n    }\n}\n",
    );
    assert_eq!(findings(&found), Vec::<String>::new());
    assert_eq!(show(&found, "r2-n1"), "description = \"20 cold r2-g\"");
}

#[test]
fn a_column_that_is_called_like_a_field_may_be_empty() {
    let found = evaluate_files(&[
        (
            "fleet.kdl",
            "/- kdl-version 2\nfacts slot from=\"t.csv\"\nhost \"n[slot=1-2]\" {\n    labels note=\"${coalesce(host.description, 'none')}\"\n}\n",
        ),
        ("t.csv", "slot,description\n1,first\n2,\n"),
    ]);
    assert_eq!(findings(&found), Vec::<String>::new());
    assert_eq!(show(&found, "n2"), "labels.note = \"none\"");
    // Without such a table it is configuration.
    let text = "host n1 {\n    labels note=\"${coalesce(host.description, 'none')}\"\n}\n";
    assert_eq!(codes(&one(text)), [2308]);
}

// ---- limits

#[test]
fn the_limit_on_strings_holds_for_expressions() {
    let long = |limits: &str, times: usize| {
        let text = "a".repeat(times);
        one(&format!(
            "spec s {{\n{limits}\n}}\nhost n1 {{\n    description \"${{replace('{text}', 'a', 'aaaaaaaaaa')}}\"\n}}\n"
        ))
    };
    assert_eq!(codes(&long("", 10)), [0; 0]);
    insta::assert_snapshot!(findings(&long("limits string=\"64B\"", 10)).join("\n"), @"MF9005 fleet.kdl:6: the text becomes 100 bytes long, the limit is 64");
}

#[test]
fn a_tree_that_is_kept_is_read_anew_under_other_limits() {
    let mut disk = MemoryDisk::new();
    let part = format!(
        "/- kdl-version 2\nhost n1 {{\n    description \"{}\"\n}}\n",
        r"\u{61}".repeat(100)
    );
    disk.write(Path::new("/spec/part.kdl"), &part);
    let mut cache = Cache::default();
    let mut codes_under = |limit: &str| {
        let root = format!(
            "/- kdl-version 2\nspec s {{\n    limits string=\"{limit}\"\n}}\nimport \"part.kdl\"\n"
        );
        disk.write(Path::new("/spec/fleet.kdl"), &root);
        let inputs = Inputs {
            disk: &disk,
            root: Path::new("/spec"),
            params: None,
            limits: Limits::default(),
        };
        codes(&evaluate(&inputs, &mut cache))
    };
    assert_eq!(codes_under("64B"), [9005]);
    assert_eq!(codes_under("1KiB"), [0; 0]);
}

// ---- names

#[test]
fn a_node_name_that_ironic_cannot_store_is_refused() {
    let label = "n".repeat(60);
    let name = [&*label, &*label, &*label, &*label].join(".");
    let spec = |namespace: &str| format!("spec s namespace={namespace}\nhost \"{name}\"\n");
    assert_eq!(codes(&one(&spec("short"))), [0; 0]);
    assert_eq!(codes(&one(&spec("much-longer-namespace"))), [3102]);
}

#[test]
fn a_disk_is_in_one_machine() {
    let found = one(
        "host n1 {\n    root-device serial=abc wwn=\"0xA1\"\n}\nhost n2 {\n    root-device serial=ABC\n}\nhost n3 {\n    root-device serial=def wwn=\"0xa1\"\n}\n",
    );
    insta::assert_snapshot!(findings(&found).join("\n"), @r#"
    MF3315 fleet.kdl:6: hosts `n[1-2]` share the serial number "ABC"
    MF3315 fleet.kdl:9: hosts `n[1,3]` share the WWN "0xa1"
    "#);
    assert_eq!(held(&found), ["n1", "n2", "n3"]);
}

// ---- nothing is silent

#[test]
fn mistakes_under_a_false_condition_are_reported_and_values_are_not_judged() {
    let text = |inner: &str| format!("param n 0\nwhen \"param.n > 0\" {{\n{inner}\n}}\n");
    for (inner, code) in [
        ("hots n1", 2001),
        ("host n1 {\n    onlin #true\n}", 2002),
        ("each {\n    use nobody\n}", 2201),
        (
            "rack r1 {\n    host n1 {\n        description \"${1 +}\"\n    }\n}",
            2302,
        ),
        ("pool p {\n    slect a=b\n}", 2002),
        ("when \"1 +\" {\n}", 2302),
        ("import \"a.kdl\"", 2001),
    ] {
        assert_eq!(codes(&one(&text(inner))), [code], "{inner}");
    }
    let fine = text("host \"n[1-${param.n}]\" {\n    description \"${10 / param.n}\"\n}");
    assert_eq!(codes(&one(&fine)), [0; 0]);
}

#[test]
fn an_exception_from_a_refine_that_takes_out_nobody_is_reported() {
    let text = "host \"n[1-3]\"\nrefine \"n[1-2]\" {\n    except n2 n3\n    online #true\n}\n";
    let found = one(text);
    assert_eq!(codes(&found), [2105]);
    assert_eq!(pointed(&found, &found.diagnostics[0]), "n3");
}

#[test]
fn a_quote_that_nothing_closes_is_reported_in_a_table() {
    let found = evaluate_files(&[
        (
            "fleet.kdl",
            "/- kdl-version 2\nfacts slot from=\"t.csv\"\nhost \"n[slot=1-2]\"\n",
        ),
        ("t.csv", "slot,note\n1,\"first\n2,second\n"),
    ]);
    insta::assert_snapshot!(findings(&found).join("\n"), @"MF2005 t.csv:2: the quote of this value never ends");
    assert_eq!(held(&found), ["n1", "n2"]);
}

#[test]
fn a_password_in_the_url_of_a_checksum_is_refused_and_not_repeated() {
    let found = one(
        "image i {\n    url \"https://images.example.net/a.raw\"\n    checksum \"https://user:hunter2@images.example.net/sums\"\n}\n",
    );
    assert_eq!(codes(&found), [3403]);
    assert!(!format!("{:?}", found.diagnostics).contains("hunter2"));
}

#[test]
fn equal_disks_are_one_and_the_finding_says_how_to_have_two() {
    let found = one(
        "host n1 {\n    raid software {\n        volume a level=\"1\" {\n            disk vendor=acme\n            disk vendor=acme\n        }\n    }\n}\n",
    );
    assert_eq!(codes(&found), [3307]);
    assert!(found.diagnostics[0].notes[0].contains("disk a vendor="));
}

#[test]
fn a_fact_of_the_host_does_not_stand_in_for_one_that_rendering_adds() {
    let found = one(
        "image i {\n    url \"oci://registry.example.net/i:1\"\n}\nhost n1 pool_user_data=mine {\n    labels role=w\n    description \"${host.pool_user_data}\"\n}\nhost n2 {\n    labels role=w\n}\npool p {\n    select role=w\n    deploy i {\n        user-data (secret)\"${host.name}\"\n    }\n}\n",
    );
    assert_eq!(findings(&found), Vec::<String>::new());
    let again = evaluate_files(&[("fleet.kdl", &crate::fleet::to_kdl(&found.fleet))]);
    assert_eq!(findings(&again), Vec::<String>::new());
    let data = |evaluation: &Evaluation| {
        let host = evaluation.fleet.host("n1").unwrap();
        let fields = &host.pool.as_ref().unwrap().fields;
        fields
            .reference("deploy.user-data")
            .unwrap()
            .name
            .to_string()
    };
    assert_eq!((data(&found), data(&again)), ("n1".into(), "n1".into()));
}

#[test]
fn what_a_misspelt_declaration_leads_to_is_not_reported() {
    let hosts = "hots n1 { labels role=a; }\nhost n2 { labels role=b; }\nrefine n1 { online #true; }\n\
                 pool p { select role=a; replicas 1; }\n";
    let profile = "profle base { online #true; }\nhost n1 { use base; }\n";
    let image = "imge debian { url \"https://127.0.0.1/a\"; }\nhost n1 { deploy debian; }\n";
    let param = "parm vlan 7\nhost n1 { description \"${vlan}\"; }\n";
    for text in [hosts, profile, image, param] {
        assert_eq!(codes(&one(text)), [2001], "{text}");
    }
    // What has nothing to do with it is.
    let two = "profle base { online #true; }\nhost n1 { use base; deploy debian; }\n";
    assert_eq!(codes(&one(two)), [2001, 4101]);
}

#[test]
fn a_name_that_is_far_from_the_next_is_no_safe_fix() {
    let fix = |expression: &str| {
        let host = format!(
            "/- kdl-version 2\nspec a {{ simulated; }}\nhost \"n[slot=1-2]\" {{ description \"${{{expression}}}\"; }}\n"
        );
        let found = evaluate_files(&[("fleet.kdl", &host)]);
        let unknown = |finding: &&Diagnostic| finding.code.0 == 2301;
        let fix = &found.diagnostics.iter().find(unknown).unwrap().fixes[0];
        (fix.edits[0].text.clone(), fix.applicability)
    };
    let pair = |text: &str, applicability| (text.to_owned(), applicability);
    assert_eq!(
        fix("fleet.region"),
        pair("fleet.edition", Applicability::Unsafe)
    );
    assert_eq!(fix("host.slto"), pair("host.slot", Applicability::Safe));
    assert_eq!(fix("slot"), pair("host.slot", Applicability::Safe));
}
