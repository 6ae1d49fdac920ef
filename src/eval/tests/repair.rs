//! Fixes: after each, the text is one that no longer has the finding.

use super::*;
use crate::diag::Applicability;

const IMAGE: &str = "image ubuntu-24.04 {\n    url \"https://images.example.net/a.qcow2\"\n    checksum \"sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0\"\n}\n";

/// The first finding of that code.
fn finding(evaluation: &Evaluation, code: u16) -> &Diagnostic {
    let found = evaluation.diagnostics.iter().find(|f| f.code.0 == code);
    found.unwrap_or_else(|| panic!("no MF{code}: {:?}", findings(evaluation)))
}

/// The text after the fix of a finding, which has to mend it; and how sure the fix is.
fn repaired(text: &str, code: u16) -> (String, Applicability) {
    let evaluation = one(text);
    let fix = finding(&evaluation, code)
        .fixes
        .first()
        .unwrap_or_else(|| panic!("no fix for MF{code}: {:?}", findings(&evaluation)));
    let mut edits = fix.edits.clone();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.place.span));
    let mut mended = evaluation.files.text(edits[0].place.file).to_string();
    for edit in edits {
        mended.replace_range(edit.place.span.range(), &edit.text);
    }
    let mended = mended
        .strip_prefix("/- kdl-version 2\n")
        .expect("the version stays")
        .to_owned();
    let left = findings(&one(&mended));
    assert!(
        !left
            .iter()
            .any(|line| line.starts_with(&format!("MF{code}"))),
        "{mended}: {left:?}"
    );
    (mended, fix.applicability)
}

fn has_no_fix(text: &str, code: u16) {
    assert_eq!(finding(&one(text), code).fixes, [], "{text}");
}

fn safe(text: &str, code: u16, mended: &str) {
    assert_eq!(
        repaired(text, code),
        (mended.to_owned(), Applicability::Safe)
    );
}

fn unsafely(text: &str, code: u16, mended: &str) {
    assert_eq!(
        repaired(text, code),
        (mended.to_owned(), Applicability::Unsafe)
    );
}

#[test]
fn the_four_slips_of_acceptance_6_have_one_fix_each() {
    safe(
        "host n1 {\n    bmc adress=\"ipmi://10.0.0.1\" credentials=(secret)b\n}\n",
        2002,
        "host n1 {\n    bmc address=\"ipmi://10.0.0.1\" credentials=(secret)b\n}\n",
    );
    unsafely(
        "host n1 {\n    boot mode=Secureboot\n}\n",
        2007,
        "host n1 {\n    boot mode=UEFISecureBoot\n}\n",
    );
    safe(
        "host n1 {\n    bootMACAddress  \"52:54:00:00:00:01\"\n}\n",
        2002,
        "host n1 {\n    boot mac=\"52:54:00:00:00:01\"\n}\n",
    );
    safe(
        "profile a {\n    param mtu 1\n}\nhost n1 {\n    use a mut=2\n}\n",
        2202,
        "profile a {\n    param mtu 1\n}\nhost n1 {\n    use a mtu=2\n}\n",
    );
}

#[test]
fn a_field_of_elsewhere_is_moved_only_if_it_stands_alone() {
    has_no_fix(
        "host n1 {\n    bootMACAddress \"52:54:00:00:00:01\" \"52:54:00:00:00:02\"\n}\n",
        2002,
    );
    has_no_fix("host n1 {\n    bootMACAddress { a; }\n}\n", 2002);
}

#[test]
fn equally_near_words_are_no_fix_and_always_the_same_suggestion() {
    let text = "profile dell-d\nprofile dell-b\nprofile dell-a\nprofile dell-c\nhost n1 {\n    use dell-x\n}\n";
    for _ in 0..8 {
        let evaluation = one(text);
        let found = finding(&evaluation, 2201);
        assert_eq!(found.help.as_deref(), Some("did you mean `dell-a`?"));
        assert_eq!(found.fixes, []);
    }
}

#[test]
fn the_name_of_another_machine_is_never_a_safe_fix() {
    unsafely(
        "host n1\nrefine n2 {\n    online #true\n}\n",
        2103,
        "host n1\nrefine n1 {\n    online #true\n}\n",
    );
}

#[test]
fn a_bmc_scheme_is_written_in_its_place() {
    let host = |scheme: &str| {
        format!(
            "host \"n[slot=1-2]\" {{\n    bmc address=\"{scheme}://10.0.0.${{host.slot}}/redfish/v1/Systems/1\" credentials=(secret)b\n}}\n"
        )
    };
    safe(&host("redfsh"), 3201, &host("redfish"));
    has_no_fix(
        "param scheme redfsh\nhost n1 {\n    bmc address=\"${param.scheme}://10.0.0.1/\" credentials=(secret)b\n}\n",
        3201,
    );
}

#[test]
fn an_unknown_image_or_ironic_is_written_in_its_place() {
    safe(
        &format!("{IMAGE}host n1 {{\n    deploy ubnutu-24.04\n}}\n"),
        4101,
        &format!("{IMAGE}host n1 {{\n    deploy ubuntu-24.04\n}}\n"),
    );
    unsafely(
        &format!("{IMAGE}host n1 {{\n    deploy \"ubuntu-22.04\"\n}}\n"),
        4101,
        &format!("{IMAGE}host n1 {{\n    deploy \"ubuntu-24.04\"\n}}\n"),
    );
    has_no_fix(
        &format!("{IMAGE}param i ubnutu-24.04\nhost n1 {{\n    deploy \"${{param.i}}\"\n}}\n"),
        4101,
    );
    safe(
        "ironic main {\n    url \"http://127.0.0.1:6385\"\n}\nhost n1 {\n    driven-by mian\n}\n",
        4314,
        "ironic main {\n    url \"http://127.0.0.1:6385\"\n}\nhost n1 {\n    driven-by main\n}\n",
    );
}

#[test]
fn a_label_of_a_selector_is_written_in_its_place() {
    let spec = |select: &str| {
        format!("host n1 {{\n    labels role=a\n}}\npool p {{\n    select {select}\n}}\n")
    };
    safe(&spec("rloe=a"), 4204, &spec("role=a"));
    safe(&spec("\"rloe\"=a"), 4204, &spec("\"role\"=a"));
    safe(
        &spec("{\n        match rloe a b\n    }"),
        4204,
        &spec("{\n        match role a b\n    }"),
    );
}

#[test]
fn annotations_move_to_where_they_belong() {
    safe(
        "host n1 {\n    online (default)#true\n}\n",
        2010,
        "host n1 {\n    (default)online #true\n}\n",
    );
    safe(
        "host n1 {\n    boot mode=(force)UEFI\n}\n",
        2010,
        "host n1 {\n    (force)boot mode=UEFI\n}\n",
    );
    safe(
        "host n1 {\n    (secret)user-data n1\n}\n",
        2010,
        "host n1 {\n    user-data (secret)n1\n}\n",
    );
    safe(
        "host n1 {\n    (GB)root-device min-size=480\n}\n",
        2010,
        "host n1 {\n    root-device min-size=(GB)480\n}\n",
    );
    // With two lines in it, either may be meant.
    has_no_fix(
        "host n1 {\n    boot mode=(force)UEFI mac=\"52:54:00:00:00:01\"\n}\n",
        2010,
    );
    has_no_fix("param p (default)1\nhost n1\n", 2010);
}

#[test]
fn an_input_with_a_unit_becomes_a_text_that_fields_read() {
    safe(
        "param least (GB)480\nhost n1 {\n    root-device min-size=\"${param.least}\"\n}\n",
        2010,
        "param least \"480GB\"\nhost n1 {\n    root-device min-size=\"${param.least}\"\n}\n",
    );
}

#[test]
fn a_second_declaration_becomes_a_refine_where_that_is_all() {
    unsafely(
        "host \"n[1-3]\"\nhost n2 {\n    online #false\n}\n",
        2102,
        "host \"n[1-3]\"\nrefine n2 {\n    online #false\n}\n",
    );
    // The second declares more than the first: it is the first that refines.
    unsafely(
        "host n2 {\n    online #false\n}\nhost \"n[1-3]\"\n",
        2102,
        "refine n2 {\n    online #false\n}\nhost \"n[1-3]\"\n",
    );
    // Facts, hosts that only one of the two has, another rack: a `refine` would not do.
    has_no_fix("host \"n[1-3]\"\nhost n2 slot=2\n", 2102);
    has_no_fix("host \"n[1-3]\"\nhost \"n[2-4]\"\n", 2102);
    has_no_fix("rack a {\n    host n1\n}\nrack b {\n    host n1\n}\n", 2102);
}

#[test]
fn the_format_of_an_image_follows_its_file() {
    let image = |format: &str, file: &str| {
        IMAGE.replace("a.qcow2", file).replace(
            "    checksum",
            &format!("    format {format}\n    checksum"),
        )
    };
    unsafely(
        &image("raw", "a.QCOW2?x=1.raw"),
        4107,
        &image("qcow2", "a.QCOW2?x=1.raw"),
    );
    for (format, file) in [("raw", "a.iso"), ("live-iso", "a.iso"), ("raw", "a.img")] {
        assert_eq!(codes(&one(&image(format, file))), [0; 0], "{format} {file}");
    }
}

#[test]
fn what_is_commented_out_is_put_back() {
    unsafely("host n1\n/-host n2\n", 6006, "host n1\nhost n2\n");
    unsafely("/- host n2 {\n}\n", 6006, "host n2 {\n}\n");
    unsafely(
        "rack r1 {\n    host n1\n    /-group g {\n        host \"n[2-3]\"\n    }\n}\n",
        6006,
        "rack r1 {\n    host n1\n    group g {\n        host \"n[2-3]\"\n    }\n}\n",
    );
    unsafely(
        "rack r1 /-{\n    host n1\n}\n",
        6006,
        "rack r1 {\n    host n1\n}\n",
    );
    for fine in [
        "host n1\n/-host n1 {\n    online #false\n}\n",
        "/-rack r1\n",
        "host n1 {\n    /-online #true\n}\n",
        "/-profile a {\n}\nhost n1\n",
    ] {
        assert_eq!(codes(&one(fine)), [0; 0], "{fine}");
    }
}

#[test]
fn double_quotes_in_an_expression_become_single_ones() {
    let text = |quote: &str| {
        format!(
            "host \"n[n=1-3]\" {{\n    boot mac=\"${{mac({quote}52:54:00:00:00:00{quote}, host.n)}}\"\n}}\n"
        )
    };
    safe(&text("\""), 1006, &text("'"));
    let found = one(&text("\""));
    insta::assert_snapshot!(findings(&found).join("\n"), @"MF1006 fleet.kdl:3: a string inside `${…}` takes single quotes");
}
