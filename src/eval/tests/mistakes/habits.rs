//! What people write by habit, and what it is answered with.

use super::*;

/// What a line in a host and one in a pool is answered with.
fn helped(host: &str, pool: &str) -> String {
    let found = one(&format!(
        "host n1 {{\n    {host}\n}}\npool p {{\n    select role=worker\n    {pool}\n}}\n"
    ));
    let lines = found.diagnostics.iter().map(|finding| {
        let fix = finding.fixes.first().map_or("", |fix| &fix.title);
        let help = finding.help.as_deref().unwrap_or_default();
        format!("{}: {help} [{fix}]", finding.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_image_by_name_is_deployed() {
    insta::assert_snapshot!(helped("image debian", "image debian"), @r"
    `image` takes no value of its own: to write an image that is declared at the top of a file, say `deploy debian` [write `deploy debian`]
    `image` cannot stand inside `pool`: to write an image that is declared at the top of a file, say `deploy debian` [write `deploy debian`]
    ");
    insta::assert_snapshot!(helped("labels role=worker", "image { url \"https://127.0.0.1/a\"; }"), @"`image` cannot stand inside `pool`: declare it at the top of a file (`image NAME { … }`), and write `deploy NAME` here []");
}

#[test]
fn a_login_belongs_to_the_secrets_and_an_attribute_to_the_labels() {
    insta::assert_snapshot!(helped("bmc { password \"x\"; }", ""), @"`bmc` has no field `password`: a login does not stand in a spec: write `credentials=(secret)NAME` in `bmc`, and put it in the files `username` and `password` of the folder NAME among the secrets []");
    assert!(helped("role: worker", "").contains("`labels role=…`"));
    insta::assert_snapshot!(helped("role worker", ""), @"a host has no field `role`: what a host is chosen by is a label: `labels role=…` []");
    insta::assert_snapshot!(helped("mac \"52:54:00:00:00:01\"", ""), @"a host has no field `mac`: did you mean `boot mac`? [write `boot mac=…`]");
}

#[test]
fn what_controllers_write_is_refused_as_label_and_as_annotation() {
    let found = one(
        "host n1 {\n    labels \"metalform.dev/pool\"=p \"reboot.metal3.io\"=x\n    annotations \"metalform.dev/fleet\"=f\n}\n",
    );
    insta::assert_snapshot!(findings(&found).join("\n"), @r"
    MF3104 fleet.kdl:3: labels of `metalform.dev` are written by controllers
    MF3104 fleet.kdl:4: annotations of `metalform.dev` are written by controllers
    ");
    let keys: Vec<_> = found
        .diagnostics
        .iter()
        .map(|one| pointed(&found, one))
        .collect();
    assert_eq!(keys, ["\"metalform.dev/pool\"", "\"metalform.dev/fleet\""]);
}

#[test]
fn a_number_that_is_a_word_is_quoted() {
    insta::assert_snapshot!(helped("raid hardware { volume a level=1; }", ""), @"expected one of 0, 1, 2, 5, 6, 1+0, 5+0, 6+0, found a number:  [quote it]");
    insta::assert_snapshot!(helped("labels vlan=120", ""), @"expected a string, found a number: names and texts are strings: quote it [quote it]");
    insta::assert_snapshot!(helped("raid hardware { volume a level=7; }", ""), @"expected one of 0, 1, 2, 5, 6, 1+0, 5+0, 6+0, found a number:  []");
}

#[test]
fn a_secret_is_named_and_not_written() {
    let help = |line: &str| helped(line, "");
    insta::assert_snapshot!(help("user-data \"#cloud-config\""), @"a secret by name is wanted here, found a plain string: a spec never holds a secret, only its name: put the text in a file of a secret's folder (`userData`, `networkData`, …), and write `(secret)NAME` []");
    let fixed = |line: &str| {
        let found = one(&format!("host n1 {{\n    {line}\n}}\n"));
        found.diagnostics[0].fixes[0].edits[0].text.clone()
    };
    assert_eq!(fixed("user-data \"(secret)ud\""), "(secret)ud");
    assert_eq!(fixed("user-data ud"), "(secret)ud");
    assert_eq!(fixed("user-data \"u.d\""), "(secret)\"u.d\"");
}

#[test]
fn words_of_other_tools_are_known() {
    let fix = |text: &str| {
        let found = one(text);
        let fix = found.diagnostics[0].fixes.first();
        fix.map(|fix| fix.title.clone()).unwrap_or_default()
    };
    assert_eq!(fix("node n1\n"), "write `host`");
    assert_eq!(fix("BareMetalHost n1\n"), "write `host`");
    assert_eq!(fix("host n1 {\n    boot mode=BIOS\n}\n"), "write `legacy`");
    assert_eq!(fix("host \"web-[n=1..3]\"\n"), "write `1-3`");
    assert_eq!(fix("host \"web-[1:3]\"\n"), "write `1-3`");
}

#[test]
fn raid_10_is_1_and_0() {
    let said = helped("raid hardware { volume a level=\"10\"; }", "");
    assert!(said.contains("did you mean `1+0`? [write `1+0`]"), "{said}");
}

#[test]
fn a_setting_that_is_the_other_way_round_has_no_safe_fix() {
    let said = helped("bmc disableCertificateVerification=#true", "");
    assert!(said.ends_with("[]"), "{said}");
}

#[test]
fn an_unknown_name_of_a_host_leads_to_named_ranges() {
    let found = one("host \"n[1-3]\" {\n    description \"${host.n}\"\n}\n");
    let help = found.diagnostics[0].help.as_deref();
    insta::assert_snapshot!(help.unwrap(), @"in scope: `host.name`; a range in the host's name gives more when it is named, as in `n[slot=1-8]`");
}

#[test]
fn a_bad_name_of_a_range_is_one_finding() {
    let found = one("host \"web_[n=1-40]\"\n");
    insta::assert_snapshot!(findings(&found).join("\n"), @"MF3101 fleet.kdl:2: `web_1` cannot be the name of a host");
    insta::assert_snapshot!(found.diagnostics[0].notes.join("\n"), @"also affects 39 more hosts: web_[2-40]");
}

#[test]
fn ranges_that_run_alike_clash_host_by_host() {
    let text = "host \"web-[n=1-3]\" {\n    boot mac=\"${mac('52:54:00:00:00:00', host.n)}\"\n}\nhost \"db-[n=1-3]\" {\n    boot mac=\"${mac('52:54:00:00:00:00', host.n)}\"\n}\n";
    let found = one(text);
    insta::assert_snapshot!(findings(&found).join("\n"), @r#"MF3505 fleet.kdl:3: hosts `db-1 web-1` share the boot MAC address "52:54:00:00:00:01", and so do 2 more pairs of these ranges"#);
    let found = one("host \"web-[n=1-3]\" {\n    boot mac=\"52:54:00:00:00:01\"\n}\n");
    insta::assert_snapshot!(findings(&found).join("\n"), @r#"MF3505 fleet.kdl:3: hosts `web-[1-3]` share the boot MAC address "52:54:00:00:00:01""#);
    assert!(
        found.diagnostics[0]
            .help
            .as_deref()
            .unwrap()
            .contains("${mac(")
    );
}
