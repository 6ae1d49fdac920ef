//! The language, one rule after another.

use super::*;
use crate::fleet::Value;

#[test]
fn captures_and_tables_are_facts() {
    let evaluation = evaluate_files(&[
        (
            "fleet.kdl",
            "/- kdl-version 2\nrack r1 index=4 {\n    facts slot from=\"r1.csv\"\n    facts asset {\n        - A1 contact=ops\n    }\n    each {\n        boot mac=\"${host.mac}\"\n        description \"${host.asset} ${coalesce(host.contact, 'nobody')}\"\n    }\n    host \"n[slot=1-2]\"\n}\n",
        ),
        (
            "r1.csv",
            "slot,mac,asset\n1,52:54:00:00:00:01,A1\n2,52:54:00:00:00:02,A2\n",
        ),
    ]);
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    insta::assert_snapshot!(show(&evaluation, "n1"), @r#"
    boot.mac = "52:54:00:00:00:01"
    description = "A1 ops"
    "#);
    insta::assert_snapshot!(show(&evaluation, "n2"), @r#"
    boot.mac = "52:54:00:00:00:02"
    description = "A2 nobody"
    "#);
}

#[test]
fn parameters_are_replaced_and_keep_their_type() {
    let spec = "/- kdl-version 2\nparam net (cidr)\"10.0.0.0/24\"\nparam stage\nhost n1 {\n    description \"${param.stage} ${ip(param.net, 5)}\"\n}\n";
    let files = [("fleet.kdl", spec)];
    let given = |params: &str| evaluate_with(&files, Some(params));
    let good = given("/- kdl-version 2\nparam net \"10.1.0.0/24\"\nparam stage live\n");
    assert_eq!(show(&good, "n1"), "description = \"live 10.1.0.5\"");
    insta::assert_snapshot!(findings(&evaluate_with(&files, None)).join("\n"), @"MF2204 fleet.kdl:3: parameter `stage` has no value");
    insta::assert_snapshot!(findings(&given("/- kdl-version 2\nparam net nonsense\nparam stage live\n")).join("\n"), @"MF2005 params.kdl:2: `nonsense` is not a subnet");
    insta::assert_snapshot!(findings(&given("/- kdl-version 2\nparam sage live\n")).join("\n"), @r"
    MF2204 fleet.kdl:3: parameter `stage` has no value
    MF2202 params.kdl:2: no file of the spec has a parameter `sage`
    ");
}

#[test]
fn imports_are_jailed_and_found_once() {
    let mut disk = MemoryDisk::new()
        .with("/spec/fleet.kdl", "/- kdl-version 2\nimport \"a.kdl\" \"b/*.kdl\"\nimport \"../out.kdl\"\nimport \"gone.kdl\"\nimport \"b\"\nhost n0\n")
        .with("/spec/a.kdl", "/- kdl-version 2\nimport \"b/c.kdl\"\nhost n1\n")
        .with("/spec/b/c.kdl", "/- kdl-version 2\nimport \"../a.kdl\"\nhost n2\n")
        .with("/out.kdl", "/- kdl-version 2\nhost n9\n");
    disk.link("/spec/b/out.kdl", "/out.kdl");
    let inputs = Inputs {
        disk: &disk,
        root: Path::new("/spec"),
        params: None,
        limits: Limits::default(),
    };
    let evaluation = evaluate(&inputs, &mut Cache::default());
    insta::assert_snapshot!(findings(&evaluation).join("\n"), @r"
    MF2207 b/c.kdl:2: imports in a circle: a.kdl -> b/c.kdl -> a.kdl
    MF2207 fleet.kdl:2: `b/out.kdl` leads outside the project, and nothing there is read
    MF2207 fleet.kdl:3: `../out.kdl` leads outside the project, and nothing there is read
    MF2207 fleet.kdl:4: no file at `gone.kdl`
    MF2207 fleet.kdl:5: `b` is a folder
    ");
    let names: Vec<&str> = evaluation
        .fleet
        .hosts
        .iter()
        .map(|host| &*host.name)
        .collect();
    assert_eq!(names, ["n0", "n1", "n2"]);
    assert!(!evaluation.complete);
}

#[test]
fn a_file_that_does_not_parse_keeps_the_others() {
    let evaluation = evaluate_files(&[
        ("fleet.kdl", "/- kdl-version 2\nimport \"a.kdl\"\nhost n0\n"),
        (
            "a.kdl",
            "/- kdl-version 2\nhost n1 {\n    online #true\nhost n2\n",
        ),
    ]);
    assert!(!evaluation.complete);
    assert!(evaluation.has_errors());
    assert!(evaluation.fleet.host("n0").is_some());
}

#[test]
fn a_range_of_a_billion_is_refused_at_once() {
    let evaluation = one("host \"n[1-1000000000]\"\nhost n1\n");
    insta::assert_snapshot!(findings(&evaluation).join("\n"), @r"
    MF9004 fleet.kdl:2: the range makes 1,000,000,000 names, the limit is 65,536
    ");
    assert!(!evaluation.complete);
    let evaluation = one("spec a {\n    limits instances=3\n}\nhost \"n[1-4]\"\n");
    insta::assert_snapshot!(findings(&evaluation).join("\n"), @r"
    MF9003 fleet.kdl:5: more than 3 hosts, racks, groups and pools
    ");
}

#[test]
fn a_finding_that_names_no_host_says_which_it_concerns() {
    let evaluation = one("each { description \"${nope}\"; }\nhost \"n[1-3]\"\n");
    let finding = &evaluation.diagnostics[0];
    assert_eq!(finding.message, "unknown name `nope`");
    assert_eq!(finding.notes, ["affects 3 hosts: n[1-3]"]);
}

#[test]
fn forty_hosts_of_one_range_give_one_finding() {
    let evaluation = one(
        "profile a {\n    boot mode=legacy\n}\nprofile b {\n    boot mode=UEFI\n}\nhost \"n[01-40]\" {\n    use a\n    use b\n}\n",
    );
    assert_eq!(codes(&evaluation), [2400]);
    let finding = &evaluation.diagnostics[0];
    assert_eq!(finding.notes, ["also affects 39 more hosts: n[02-40]"]);
    assert_eq!(finding.subject.as_ref().unwrap().names.len(), 40);
    assert_eq!(evaluation.fleet.held.len(), 40);
    let labels: Vec<&str> = finding
        .secondary
        .iter()
        .map(|label| label.text.as_str())
        .collect();
    assert_eq!(
        labels,
        ["\"UEFI\", from profile `b`", "used here", "used here"]
    );
    assert_eq!(finding.primary.text, "\"legacy\", from profile `a`");
}

#[test]
fn a_union_switches_and_tombstones_reach_down() {
    let evaluation = one(
        "each {\n    raid hardware {\n        volume root level=\"1\"\n    }\n    root-device vendor=acme\n}\nhost n1 {\n    raid software {\n        volume a level=\"1\"\n    }\n    root-device #null\n}\nhost n2 {\n    raid hardware {\n        volume root #null\n        volume data level=\"0\"\n    }\n}\n",
    );
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    insta::assert_snapshot!(show(&evaluation, "n1"), @r#"
    raid = "software"
    raid.software.volume.a = there
    raid.software.volume.a.level = "1"
    "#);
    insta::assert_snapshot!(show(&evaluation, "n2"), @r#"
    raid = "hardware"
    raid.hardware.volume.data = there
    raid.hardware.volume.data.level = "0"
    root-device.vendor = "acme"
    "#);
}

#[test]
fn errors_of_a_let_are_told_where_it_stands() {
    let evaluation = one(
        "rack r1 index=300 {\n    let net \"${subnet('10.0.0.0/16', 24, rack.index)}\"\n    host \"n[slot=1-9]\" {\n        description \"${ip(net, host.slot)}\"\n    }\n}\n",
    );
    insta::assert_snapshot!(findings(&evaluation).join("\n"), @"MF2306 fleet.kdl:3: 10.0.0.0/16 has no /24 subnet 300");
    assert_eq!(evaluation.fleet.held.len(), 9);
}

#[test]
fn conditions_choose_hosts_and_lines() {
    let spec = |stage: &str| {
        one(&format!(
            "param stage {stage}\nwhen \"param.stage == 'lab'\" {{\n    host n1\n}}\nwhen \"param.stage != 'lab'\" {{\n    host \"n[1-3]\" {{\n        when \"host.name == 'n2'\" {{\n            online #false\n        }}\n    }}\n}}\n"
        ))
    };
    assert_eq!(spec("lab").fleet.hosts.len(), 1);
    let live = spec("live");
    assert_eq!(live.fleet.hosts.len(), 3);
    assert_eq!(show(&live, "n2"), "online = #false");
    assert_eq!(show(&live, "n1"), "");
}

#[test]
fn nothing_of_a_later_version_is_ignored() {
    for text in [
        "assert \"true\" message=\"x\"\n",
        "policy p {\n    for host\n}\n",
        "allow MF3402 reason=\"x\"\n",
        "moved from=a to=b\n",
        "retired a\n",
        "host n1 {\n    firmware {\n        setting A B\n    }\n}\n",
        "host n1 {\n    network {\n        dns \"10.0.0.1\"\n    }\n}\n",
        "host n1 {\n    attach eno1\n}\n",
        "ironic a {\n    url \"http://a\"\n    version \"38.0\"\n}\n",
        "rack r1 {\n    allow MF3402 reason=\"x\"\n}\n",
    ] {
        assert_eq!(codes(&one(text)), [2014], "{text}");
    }
}

#[test]
fn an_ironic_has_a_ramdisk_of_two_parts_and_says_whom_it_trusts() {
    let text = "ironic a {\n    url \"http://a\"\n    verify-ca #false\n    ramdisk {\n        \
                kernel \"http://i/k\"\n        initramfs \"file:///i/r\"\n    }\n}\n";
    let evaluation = one(text);
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    let ironic = &evaluation.fleet.ironics[0];
    assert!(!ironic.verify_ca);
    let ramdisk = ironic.ramdisk.as_ref().unwrap();
    assert_eq!(
        (&*ramdisk.kernel, &*ramdisk.initramfs),
        ("http://i/k", "file:///i/r")
    );
    let kdl = crate::fleet::to_kdl(&evaluation.fleet);
    let again = evaluate_files(&[("all.kdl", &kdl)]);
    assert_eq!(findings(&again), Vec::<String>::new());
    assert_eq!(crate::fleet::to_kdl(&again.fleet), kdl);
    assert_eq!(again.fleet.ironics[0].ramdisk, ironic.ramdisk);
    // One part alone boots nothing.
    for half in ["kernel", "initramfs"] {
        let text = format!(
            "ironic a {{\n    url \"http://a\"\n    ramdisk {{\n        {half} \"http://i\"\n    }}\n}}\n"
        );
        assert_eq!(codes(&one(&text)).len(), 1, "{half}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let evaluation = one(
        "host n1 {\n    bmc address=\"redfish://root:CANARY@10.0.0.1/redfish\" credentials=CANARY\n    user-data \"CANARY canary\"\n    network-data (secret)\"CANARY!\"\n}\n",
    );
    assert!(evaluation.has_errors());
    for finding in &evaluation.diagnostics {
        assert!(!format!("{finding:?}").contains("CANARY"), "{finding:?}");
    }
}

#[test]
fn a_broken_pool_or_image_holds_its_hosts() {
    let evaluation = one(
        "host n1 {\n    labels role=a\n}\nhost n2 {\n    labels role=b\n}\npool p {\n    select role=a\n    deploy gone\n    replicas many\n}\n",
    );
    assert!(evaluation.fleet.is_held("n1"));
    assert!(evaluation.fleet.host("n2").is_some());
    let evaluation = one(
        "host n1 {\n    labels role=a\n}\nimage i {\n    url \"https://example.net/i\"\n}\npool p {\n    select role=a\n    deploy i\n}\n",
    );
    assert_eq!(codes(&evaluation), [4102]);
    assert!(evaluation.fleet.is_held("n1"));
}

#[test]
fn content_keys_come_from_expressions_too() {
    let evaluation = one(
        "host n1 base=\"0:0:0\" {\n    raid software {\n        volume root level=\"1\" {\n            disk hctl=\"${host.base}:0\"\n            disk hctl=\"${host.base}:1\" min-size=(GB)100\n        }\n        volume \"${host.base}\" level=\"1\"\n    }\n}\n",
    );
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    insta::assert_snapshot!(show(&evaluation, "n1"), @r#"
    raid = "software"
    raid.software.volume."0:0:0" = there
    raid.software.volume."0:0:0".level = "1"
    raid.software.volume.root = there
    raid.software.volume.root.disk."hctl=0:0:0:0" = there
    raid.software.volume.root.disk."hctl=0:0:0:0".hctl = "0:0:0:0"
    raid.software.volume.root.disk."hctl=0:0:0:1,min-size=100GB" = there
    raid.software.volume.root.disk."hctl=0:0:0:1,min-size=100GB".hctl = "0:0:0:1"
    raid.software.volume.root.disk."hctl=0:0:0:1,min-size=100GB".min-size = 100GB
    raid.software.volume.root.level = "1"
    "#);
}

#[test]
fn placement_is_sticky_and_spread() {
    let evaluation = one(
        "image i {\n    url \"oci://example.net/i\"\n}\npool p {\n    select role=a\n    replicas 3\n    spread across=rack\n    deploy i\n}\nrack r1 {\n    host \"a[1-4]\" {\n        labels role=a\n    }\n}\nrack r2 {\n    host \"b[1-4]\" {\n        labels role=a\n    }\n}\n",
    );
    let fleet = &evaluation.fleet;
    let seats = |hosts: &[(&str, Option<&str>)]| -> Seats {
        let seat = |(host, rack): &(&str, Option<&str>)| {
            let seat = Seat {
                rack: rack.map(Arc::from),
                running: rack.is_some(),
            };
            (Arc::from(*host), seat)
        };
        Seats::from([(Arc::from("p"), hosts.iter().map(seat).collect())])
    };
    let members = |current: &[&str]| -> Vec<String> {
        let current: Vec<_> = current.iter().map(|host| (*host, None)).collect();
        place(fleet, &seats(&current))
            .members("p")
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    assert_eq!(members(&[]), ["a1", "a2", "b1"]);
    assert_eq!(members(&["b3", "b4"]), ["a1", "b3", "b4"]);
    assert_eq!(members(&["a2", "a3", "a4", "b4"]), ["a2", "a3", "b4"]);
    // One that the pool selects no more keeps its seat, in its rack, for as long as it runs.
    let placement = place(fleet, &seats(&[("x1", Some("r1")), ("a3", None)]));
    assert_eq!(
        placement.members("p"),
        ["a3", "b1"].map(Arc::from).iter().collect::<Vec<_>>()
    );
    assert_eq!(
        placement
            .leaving
            .keys()
            .map(|host| &**host)
            .collect::<Vec<_>>(),
        ["x1"]
    );
    let placement = place(fleet, &seats(&[("x1", None), ("a3", None)]));
    assert_eq!(placement.members("p").len(), 3);
    assert!(placement.leaving.is_empty());
    assert!(matches!(
        fleet
            .host("a1")
            .unwrap()
            .fields
            .get("labels.role")
            .unwrap()
            .value,
        Value::Text(_)
    ));
}

#[test]
fn the_same_trees_are_used_again() {
    let mut disk = MemoryDisk::new()
        .with(
            "/spec/fleet.kdl",
            "/- kdl-version 2\nimport \"a.kdl\"\nhost n0\n",
        )
        .with("/spec/a.kdl", "/- kdl-version 2\nhost n1\n");
    let mut cache = Cache::default();
    let run = |disk: &MemoryDisk, cache: &mut Cache| {
        let inputs = Inputs {
            disk,
            root: Path::new("/spec/fleet.kdl"),
            params: None,
            limits: Limits::default(),
        };
        evaluate(&inputs, cache)
    };
    let first = run(&disk, &mut cache);
    disk.write(
        "/spec/a.kdl",
        "/- kdl-version 2\nhost n1 {\n    online #false\n}\n",
    );
    let second = run(&disk, &mut cache);
    assert_eq!(
        first.fleet.host("n0").unwrap().digest,
        second.fleet.host("n0").unwrap().digest
    );
    assert_ne!(
        first.fleet.host("n1").unwrap().digest,
        second.fleet.host("n1").unwrap().digest
    );
}

#[test]
fn the_namespace_is_the_commands_then_the_specs_then_the_contexts() {
    let namespace = |text: &str, wins: Option<&str>, default: Option<&str>| {
        let mut disk = MemoryDisk::new();
        disk.write("/spec/fleet.kdl", text);
        let inputs = Inputs {
            disk: &disk,
            root: Path::new("/spec/fleet.kdl"),
            params: None,
            limits: Limits::default(),
        };
        let namespace = Namespace {
            wins: wins.map(Arc::from),
            default: default.map(Arc::from),
        };
        let evaluation = evaluate_in(&inputs, &namespace, &mut Cache::default());
        let host = evaluation.fleet.host("n1").unwrap();
        let said = host.fields.text("description").map(|text| text.to_string());
        (
            evaluation.fleet.namespace.to_string(),
            said.unwrap_or_default(),
        )
    };
    let says =
        "/- kdl-version 2\nspec s namespace=own\nhost n1 { description \"${fleet.namespace}\"; }\n";
    let silent = &says.replace(" namespace=own", "");
    let both = |name: &str| (name.to_owned(), name.to_owned());
    assert_eq!(namespace(says, Some("flag"), Some("context")), both("flag"));
    assert_eq!(namespace(says, None, Some("context")), both("own"));
    assert_eq!(namespace(silent, None, Some("context")), both("context"));
    assert_eq!(namespace(silent, None, None), both("metal3"));
    let nameless = "/- kdl-version 2\nhost n1 { description d; }\n";
    assert_eq!(namespace(nameless, None, Some("context")).0, "context");
}
