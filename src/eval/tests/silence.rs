//! Nothing is lost, held or ignored without a word.

use super::*;
use crate::fleet::Value;

/// Evaluates a disk with its root file at `/spec/fleet.kdl`.
fn evaluate_disk(disk: &MemoryDisk) -> Evaluation {
    evaluate_at(disk, "/spec/fleet.kdl")
}

fn evaluate_at(disk: &MemoryDisk, root: &str) -> Evaluation {
    let inputs = Inputs {
        disk,
        root: Path::new(root),
        params: None,
        limits: Limits::default(),
    };
    evaluate(&inputs, &mut Cache::default())
}

fn names(evaluation: &Evaluation) -> Vec<String> {
    let hosts = evaluation.fleet.hosts.iter();
    hosts.map(|host| host.name.to_string()).collect()
}

#[test]
fn a_file_that_a_pattern_means_and_that_cannot_be_had_is_missed() {
    let mut disk = MemoryDisk::new()
        .with(
            "/spec/fleet.kdl",
            "/- kdl-version 2\nimport \"racks/*.kdl\"\nimport \"sites/*/site.kdl\"\n",
        )
        .with("/spec/racks/r1.kdl", "/- kdl-version 2\nhost r1\n")
        .with("/spec/sites/a/site.kdl", "/- kdl-version 2\nhost a1\n")
        .with("/spec/sites/b/site.kdl", "/- kdl-version 2\nhost b1\n");
    disk.link("/spec/racks/r2.kdl", "../gone/r2.kdl");
    disk.forbid("/spec/sites/b");
    let evaluation = evaluate_disk(&disk);
    insta::assert_snapshot!(findings(&evaluation).join("\n"), @r"
    MF2207 fleet.kdl:2: `racks/r2.kdl` is a link that leads nowhere
    MF2207 fleet.kdl:3: `sites/b/site.kdl` cannot be read: permission denied
    ");
    assert_eq!(names(&evaluation), ["a1", "r1"], "the others stand");
    assert!(!evaluation.complete);
    // So that its target is seen when it comes back.
    assert!(evaluation.watched.contains(&"/spec/racks/r2.kdl".into()));
}

/// The root file may be the same in the next folder, and the one before may stay.
#[test]
fn what_is_imported_is_watched_by_the_path_that_was_given_too() {
    let root = "/- kdl-version 2\nimport \"racks/*.kdl\"\nimport \"pools.kdl\"\n";
    let mut disk = MemoryDisk::new()
        .with("/sync/a/lab/fleet.kdl", root)
        .with("/sync/a/lab/pools.kdl", "/- kdl-version 2\n// none\n")
        .with("/sync/a/lab/racks/r1.kdl", "/- kdl-version 2\nhost r1\n");
    disk.link("/sync/current", "a");
    let evaluation = evaluate_at(&disk, "/sync/current/lab");
    assert_eq!(names(&evaluation), ["r1"]);
    for folder in ["/sync/a/lab", "/sync/current/lab"] {
        for path in ["pools.kdl", "racks", "racks/r1.kdl"] {
            let path = Path::new(folder).join(path);
            let watched = &evaluation.watched;
            assert!(watched.contains(&path), "{}: {watched:?}", path.display());
        }
    }
}

#[test]
fn a_file_with_nothing_in_it_removes_nothing() {
    for empty in ["", "\n \t\r\n", "\u{feff}"] {
        let evaluation = evaluate_files(&[
            (
                "fleet.kdl",
                "/- kdl-version 2\nimport \"*/r*.kdl\"\nhost n0\n",
            ),
            ("racks/r1.kdl", empty),
            ("racks/r2.kdl", "// no hosts yet\n"),
        ]);
        assert_eq!(
            findings(&evaluation),
            ["MF2209 racks/r1.kdl:1: `racks/r1.kdl` is empty"]
        );
        assert!(!evaluation.complete);
        assert!(evaluation.fleet.host("n0").is_some());
        let root = evaluate_files(&[("fleet.kdl", empty)]);
        assert_eq!(
            findings(&root),
            ["MF2209 fleet.kdl:1: `fleet.kdl` is empty"]
        );
        assert!(!root.complete);
        let params = evaluate_with(
            &[("fleet.kdl", "/- kdl-version 2\nparam a 1\nhost n0\n")],
            Some(empty),
        );
        assert_eq!(codes(&params), [2209]);
    }
}

#[test]
fn a_pattern_without_a_file_is_an_error() {
    let evaluation = one("import \"racks/*.kdl\"\nhost n1\n");
    assert_eq!(
        findings(&evaluation),
        ["MF2208 fleet.kdl:2: `racks/*.kdl` matches no file"]
    );
    assert!(!evaluation.complete && evaluation.has_errors());
}

#[test]
fn properties_of_the_fleet_may_be_expressions() {
    let evaluation = one(
        "param r fra\nspec x region=\"${param.r}1\" site=\"${fleet.name}-${fleet.namespace}\"\nhost n1 {\n    description \"${fleet.region} ${fleet.site}\"\n}\n",
    );
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    assert_eq!(show(&evaluation, "n1"), "description = \"fra1 x-metal3\"");
    let evaluation = one("let a b\nspec x region=\"${a}\"\nhost n1\n");
    assert_eq!(
        findings(&evaluation),
        ["MF2301 fleet.kdl:3: unknown name `a`"]
    );
}

/// `let l0`, and `count` more of which each reads the one before.
fn chain(count: usize) -> String {
    let lets = (1..=count).map(|index| format!("let l{index} \"${{l{}}}\"\n", index - 1));
    format!("let l0 1\n{}", lets.collect::<String>())
}

#[test]
fn a_chain_of_lets_ends_at_its_limit_and_says_so() {
    let host = |last: usize| format!("host n1 {{\n    description \"${{l{last}}}\"\n}}\n");
    let evaluation = one(&(chain(64) + &host(64)));
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    let evaluation = one(&(chain(200) + &host(200)));
    assert_eq!(
        findings(&evaluation),
        ["MF9006 fleet.kdl:67: `let`s read one another more than 64 deep, the limit"]
    );
    assert!(evaluation.fleet.is_held("n1"));
    // Blocks inside count on from those around them.
    let inner = format!(
        "{}host n1 {{\n    let a \"${{l64}}\"\n    description \"${{a}}\"\n}}\n",
        chain(64)
    );
    assert_eq!(codes(&one(&inner)), [9006]);
    // Long enough to overflow a stack that followed it.
    assert_eq!(codes(&one(&chain(50_000))), [9006]);
}

#[test]
fn scopes_and_their_tables_may_stand_as_deep_as_blocks_may() {
    let deep = 126;
    let open: Vec<String> = (0..deep)
        .map(|index| format!("group g{index} {{\n"))
        .collect();
    let open = open.concat();
    let evaluation = evaluate_files(&[
        (
            "fleet.kdl",
            &format!(
                "/- kdl-version 2\n{open}facts slot from=\"t.csv\"\nhost n slot=1 {{\n    description \"${{host.mac}}\"\n}}\n{}",
                "}\n".repeat(deep)
            ),
        ),
        ("t.csv", "slot,mac\n1,52:54:00:00:00:01\n"),
    ]);
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    assert_eq!(
        show(&evaluation, "n"),
        "description = \"52:54:00:00:00:01\""
    );
}

#[test]
fn a_word_in_the_wrong_place_is_never_ignored() {
    let cases = [
        (2001, "each {\n    except n3\n}\nhost \"n[1-4]\"\n"),
        (2001, "profile p {\n    except n3\n}\nhost n1\n"),
        (
            2001,
            "host \"n[1-4]\" {\n    when \"true\" {\n        except n3\n    }\n}\n",
        ),
        (2001, "spec a {\n    except n3\n}\nhost n1\n"),
        (
            2001,
            "image i {\n    except n3\n    url \"oci://example.net/i\"\n}\nhost n1\n",
        ),
        (2001, "spec a {\n    let x 1\n}\nhost n1\n"),
        (
            2001,
            "host n1 {\n    when \"true\" {\n        let x 1\n    }\n}\n",
        ),
        (
            2001,
            "profile p {\n    when \"true\" {\n        param x 1\n    }\n}\nhost n1 {\n    use p\n}\n",
        ),
        (
            2001,
            "spec a {\n    when \"true\" {\n        limits instances=3\n    }\n}\nhost n1\n",
        ),
        (
            2302,
            "param n 3\nspec a {\n    limits instances=\"${param.n}\"\n}\nhost n1\n",
        ),
        (2010, "(force)when \"true\" {\n    host n1\n}\n"),
        (
            2010,
            "rack r1 {\n    (force)facts slot {\n        - 1 mac=a\n    }\n    host n1\n}\n",
        ),
        (
            2010,
            "rack r1 {\n    facts slot {\n        (force)- 1 mac=a\n    }\n    host n1\n}\n",
        ),
        (2010, "host \"n[1-3]\" {\n    (force)except n3\n}\n"),
        (2010, "host (mac)n1\n"),
        (
            2002,
            "rack r1 {\n    facts slot {\n        - 1 mac=a {\n            serial b\n        }\n    }\n    host n1\n}\n",
        ),
        (2005, "rack r1 {\n    facts slot from=1\n    host n1\n}\n"),
        (2004, "param a 1 2\nhost n1\n"),
        (2002, "param a 1 {\n    b 2\n}\nhost n1\n"),
        (2002, "profile p {\n    param a 1 unit=mm\n}\nhost n1\n"),
    ];
    for (code, text) in cases {
        assert_eq!(codes(&one(text)), [code], "{text}");
    }
    let limits = evaluate_files(&[
        (
            "fleet.kdl",
            "/- kdl-version 2\nimport \"a.kdl\"\nhost \"n[1-10]\"\n",
        ),
        (
            "a.kdl",
            "/- kdl-version 2\nspec a {\n    limits instances=3\n}\n",
        ),
    ]);
    assert_eq!(codes(&limits), [2001]);
}

#[test]
fn what_would_declare_hosts_where_none_are_declared_leaves_nothing_to_remove() {
    for text in [
        "each {\n    host n6\n}\nhost n1\n",
        "host n1 {\n    host n6\n}\n",
        "host \"n[1-2]\" {\n    boot mode=UEFI {\n        host n6\n    }\n}\n",
        "pool p {\n    host n6\n}\nhost n1\n",
        "each {\n    import \"racks/*.kdl\"\n}\nhost n1\n",
        "rack r1 {\n    facts slot {\n        host n6\n    }\n}\n",
    ] {
        let evaluation = one(text);
        assert!(evaluation.has_errors(), "{text}");
        assert!(!evaluation.complete, "{text}");
    }
}

const HOSTS: &str =
    "image i {\n    url \"oci://example.net/i\"\n}\nhost \"n[slot=1-3]\" {\n    labels role=w\n}\n";

#[test]
fn what_a_pool_is_does_not_depend_on_one_of_its_hosts() {
    let pool = |lines: &str| one(&format!("{HOSTS}pool p {{\n    select role=w\n{lines}}}\n"));
    let evaluation = pool(
        "    when \"host.slot > 1\" {\n        replicas 2\n        lifecycle prevent-destroy=#true\n        deploy i\n    }\n",
    );
    insta::assert_snapshot!(findings(&evaluation).join("\n"), @"MF2301 fleet.kdl:10: `host.slot` differs from host to host, and a pool's own fields do not");
    assert_eq!(evaluation.diagnostics[0].secondary.len(), 2);
    assert_eq!(evaluation.fleet.held.len(), 3);
    // Through a `let` as well.
    let evaluation =
        pool("    let big \"${host.slot > 1}\"\n    when \"big\" {\n        replicas 2\n    }\n");
    assert_eq!(codes(&evaluation), [2301]);
    let evaluation = pool(
        "    let big \"${host.slot > 1}\"\n    when \"big\" {\n        when \"true\" {\n            deploy i\n        }\n    }\n    replicas 3\n",
    );
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    let deploys: Vec<bool> = (1..=3)
        .map(|slot| {
            let host = evaluation.fleet.host(&format!("n{slot}")).unwrap();
            !host.pool.as_ref().unwrap().fields.items.is_empty()
        })
        .collect();
    assert_eq!(deploys, [false, true, true]);
}

#[test]
fn labels_of_a_selector_may_be_expressions() {
    let evaluation = one(&format!(
        "param q quarantine\nparam r role\n{HOSTS}refine n1 {{\n    labels quarantine=\"true\"\n}}\npool p {{\n    select {{\n        match \"${{param.r}}\" w\n        lacks \"${{param.q}}\"\n    }}\n    deploy i\n}}\n"
    ));
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    let pool = evaluation.fleet.pool("p").unwrap();
    assert_eq!(
        pool.lacks.iter().map(|key| &**key).collect::<Vec<_>>(),
        ["quarantine"]
    );
    let members: Vec<&str> = pool.candidates.iter().map(|name| &**name).collect();
    assert_eq!(members, ["n2", "n3"]);
}

#[test]
fn a_clash_in_what_is_removed_is_one_finding_and_can_be_decided() {
    let spec = |host: &str| {
        one(&format!(
            "profile a {{\n    root-device #null\n}}\nprofile b {{\n    root-device model=x vendor=v\n}}\nrack r1 {{\n    each {{\n        use a\n        use b\n    }}\n    host n1 {{\n{host}}}\n}}\nhost n2 {{\n    use b\n}}\n"
        ))
    };
    let evaluation = spec("");
    assert_eq!(codes(&evaluation), [2401]);
    assert_eq!(evaluation.diagnostics[0].secondary.len(), 2);
    let evaluation = spec("    (force)root-device model=y vendor=w\n");
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    assert_eq!(
        show(&evaluation, "n1"),
        "root-device.model = \"y\"\nroot-device.vendor = \"w\""
    );
    assert_eq!(
        findings(&spec("    root-device #null\n")),
        Vec::<String>::new()
    );
}

#[test]
fn a_sealed_removal_is_an_error_for_whoever_says_anything_below_it() {
    let evaluation = one(
        "each {\n    (final)root-device #null\n}\nhost n1 {\n    root-device serial=x\n}\nhost n2 {\n    (force)root-device serial=x\n}\nhost n3\n",
    );
    insta::assert_snapshot!(findings(&evaluation).join("\n"), @r"
    MF2402 fleet.kdl:6: `root-device` is sealed and cannot be anything else for host `n1`
    MF2402 fleet.kdl:9: `root-device` is sealed and cannot be anything else for host `n2`
    ");
    assert_eq!(names(&evaluation), ["n3"]);
}

#[test]
fn a_conflict_in_a_variant_that_lost_is_none() {
    let profile = |name: &str, level: &str| {
        format!(
            "profile {name} {{\n    (default)raid hardware {{\n        volume root level=\"{level}\" size=(GiB)10\n    }}\n}}\n"
        )
    };
    let evaluation = one(&format!(
        "{}{}host n1 {{\n    use a\n    use b\n    raid software {{\n        volume root level=\"1\"\n    }}\n}}\n",
        profile("a", "1"),
        profile("b", "5")
    ));
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    let host = evaluation.fleet.host("n1").unwrap();
    assert!(
        matches!(host.fields.get("raid").unwrap().value, Value::Text(text) if **text == *"software")
    );
}
