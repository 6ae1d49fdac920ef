//! Whole files: each rule and each fix, the first line, and what a finding looks like.

use super::*;

#[test]
fn eight_mistakes_are_eight_findings() {
    let text = r#"/- kdl-version 2
spec fra1 edition="2026
rack r01 row=b index= {
    each {
        bmc verify-ca=true
        boot mac=52:54:00:12:34:56
    }
    host r01-n[01-04] {
        root-device serial="a"model=b
    }
    image url https://images.example.net/x.qcow2
    host r01-n05 {
        online #true
}
"#;
    let (files, parse) = read(text);
    let mut out = String::new();
    render_concise(&mut out, &files, &parse.diagnostics).expect("a string");
    assert_snapshot!(out, @r"
    f.kdl:2:19: error[MF1003] the string is not closed
    f.kdl:3:16: error[MF1005] property `index` has no value
    f.kdl:5:23: error[MF1004] `true` needs a `#` in KDL 2
    f.kdl:6:18: error[MF1008] the MAC address `52:54:00:12:34:56` needs quotes
    f.kdl:8:10: error[MF1025] `r01-n[01-04]` needs quotes
    f.kdl:9:31: error[MF1006] a space is missing between two values
    f.kdl:11:15: error[MF1020] the URL `https://images.example.net/x.qcow2` needs quotes
    f.kdl:12:18: error[MF1001] the block of `host` is not closed
    ");
    assert_snapshot!(canonical(parse.tree.nodes()), @r#"
    spec fra1 edition="2026"
    rack r01 row=b {
        each {
            bmc verify-ca=#true
            boot mac="52:54:00:12:34:56"
        }
        host "r01-n[01-04]" {
            root-device serial=a model=b
        }
        image url "https://images.example.net/x.qcow2"
        host r01-n05 {
            online #true
        }
    }
    "#);
}

#[test]
fn each_rule_has_an_example_that_it_alone_is_found_in() {
    let is_ours = |code: u16| (1000..2000).contains(&code);
    for entry in codes::all().filter(|entry| is_ours(entry.code.0) && !entry.bad.is_empty()) {
        let bare = entry.bad.contains("kdl-version") || entry.good.contains("kdl-version");
        let text = |example: &str| {
            if bare {
                example.to_owned()
            } else {
                marked(example)
            }
        };
        let (_, parse) = read(&text(entry.bad));
        let codes: Vec<_> = parse
            .diagnostics
            .iter()
            .map(|finding| finding.code)
            .collect();
        assert!(
            !codes.is_empty() && codes.iter().all(|code| *code == entry.code),
            "{}: {codes:?}",
            entry.code
        );
        assert!(
            parse
                .diagnostics
                .iter()
                .all(|finding| finding.severity == entry.severity)
        );
        let (_, parse) = read(&text(entry.good));
        assert!(
            parse.diagnostics.is_empty(),
            "{}: {:?}",
            entry.code,
            parse.diagnostics
        );
        // Where a rule offers a safe fix, that is the way out.
        let repaired = fixed(&text(entry.bad), Applicability::Safe);
        if repaired != text(entry.bad) {
            let (_, parse) = read(&repaired);
            assert!(
                parse.diagnostics.is_empty(),
                "{}: {repaired:?} {:?}",
                entry.code,
                parse.diagnostics
            );
        }
    }
}

#[test]
fn fixes_lead_to_a_text_without_findings() {
    for text in [
        "a 480GiB 1.2.3 10.0.0.0/24 0xZZ .5 5. 2026-07-30 60s 1e 99a 1, 52:54:00:00:00:01",
        "a ./x.kdl ~/y /dev/sda [a, b] f(x, y) racks/*.kdl C:\\x",
        "a https://x/y?a=b&c=d; b { url oci://x/y }",
        "a ${x} {\n b\n}\na foo-${x}-bar\na ${x + \"y\"}",
        "when a != b {\n c\n}\nwhen n == 3\nwhen host.slot>=3",
        "true 1\na true=1 b=false -inf\n12 3\na 1=2",
        "a #yes #TRUE #off",
        "a \"\"\"one\"\"\"\nb \"\"\"\n   text\"\"\"\nc \"\"\"\n\ttab\n  space\n  \"\"\"",
        "rack r01\n{\n  host a\n}",
        "# comment\na 1 # comment",
        "a \"x\"y \"x\"#true",
        "a;; b",
        "a //\u{202e}x\nb \"\u{202e}\" \u{feff}c",
        "topology.kubernetes.io/zone 1\nlabels topology.kubernetes.io/zone=x",
    ] {
        let before = marked(text);
        // A fix of what is left may follow: one finding a node for spaces.
        let mut after = before.clone();
        for _ in 0..3 {
            after = fixed(&after, Applicability::Unsafe);
        }
        let (_, parse) = read(&after);
        assert!(
            parse.diagnostics.is_empty(),
            "{before}\n{after}\n{:?}",
            parse.diagnostics
        );
        let (_, guess) = read(&before);
        assert_eq!(
            canonical(guess.tree.nodes()),
            canonical(parse.tree.nodes()),
            "{before}"
        );
    }
}

#[test]
fn a_file_of_comments_need_not_say_which_kdl_it_is() {
    assert_eq!(
        read("// no hosts yet\n\n/* nor racks */\n").1.diagnostics,
        []
    );
}

#[test]
fn a_first_line_says_which_kdl_it_is() {
    assert_snapshot!(full("host r01-n01\n"), @r"
    warning[MF1031]: the file does not say which KDL it is
       ╭─[f.kdl:1:1]
     1 │ host r01-n01
       · ▲
       · ╰── `/- kdl-version 2` is expected as the first line
       ╰────
      fix: add `/- kdl-version 2`
    ");
    assert_snapshot!(full("/- kdl-version 1\nhost r\"01\" {\n    online true\n}\n"), @r##"
    error[MF1030]: the file says that it is KDL 1, and KDL 2 is read
       ╭─[f.kdl:1:16]
     1 │ /- kdl-version 1
       ·                ┬
       ·                ╰── not version 2
     2 │ host r"01" {
       ╰────
      help: set the version to 2 and make the fixes that are offered
      note: the file is read as KDL 2; what else is reported is what has changed
      fix: set the version to 2 (have a look before you take it)

    error[MF1030]: `r"…"` is a raw string of KDL 1
       ╭─[f.kdl:2:6]
     1 │ /- kdl-version 1
     2 │ host r"01" {
       ·      ──┬──
       ·        ╰── KDL 2 writes `#"…"#`
     3 │     online true
       ╰────
      fix: write it as KDL 2 does (have a look before you take it)

    error[MF1004]: `true` needs a `#` in KDL 2
       ╭─[f.kdl:3:12]
     2 │ host r"01" {
     3 │     online true
       ·            ──┬─
       ·              ╰── write `#true`
     4 │ }
       ╰────
      help: write `#true`, or `"true"` if text is meant
      fix: write `#true`
    "##);
    for fine in [
        "",
        "\n",
        "// a comment\n".trim_start_matches("// a comment"),
        "\u{feff}/- kdl-version 2\na",
        "/-kdl-version  2\r\na",
    ] {
        assert!(read(fine).1.diagnostics.is_empty(), "{fine:?}");
    }
}

#[test]
fn findings_show_the_lines_they_are_about() {
    let text = marked(
        "rack r01 {\n    host a {\n        url https://images.example.net/x.qcow2\n        motd \"\"\"\n            Hello\n          you\n            \"\"\"\n    }\n    host b {\n        boot mode=UEFI mode=legacy\n}\n",
    );
    assert_snapshot!(full(&text), @r#"
    error[MF1020]: the URL `https://images.example.net/x.qcow2` needs quotes
       ╭─[f.kdl:4:13]
     3 │     host a {
     4 │         url https://images.example.net/x.qcow2
       ·             ─────────────────┬────────────────
       ·                              ╰── without quotes, a comment starts at `//`
     5 │         motd """
       ╰────
      note: KDL would read only `https:`
      fix: quote it

    error[MF1011]: a line does not start with the white space of the closing quotes
       ╭─[f.kdl:7:1]
     6 │             Hello
     7 │           you
       · ──────┬──────
       ·       ╰── is indented less than the closing quotes
     8 │             """
       · ───────┬───────
       ·        ╰── every line has to start with the white space before these quotes
     9 │     }
       ╰────
      fix: indent as the closing quotes are

    error[MF1001]: the block of `host` is not closed
        ╭─[f.kdl:10:12]
      9 │     }
     10 │     host b {
        ·     ──┬─   ┬
        ·       │    ╰── this `{` has no `}`
        ·       ╰── the node it belongs to
     11 │         boot mode=UEFI mode=legacy
     12 │ }
        · ┬
        · ╰── this `}` closes it, but stands further left and looks like another block's
        ╰────
      help: add the missing `}`

    error[MF1023]: property `mode` is written twice
        ╭─[f.kdl:11:24]
     10 │     host b {
     11 │         boot mode=UEFI mode=legacy
        ·              ──┬─      ──┬─
        ·                │         ╰── again here
        ·                ╰── first here
     12 │ }
        ╰────
      help: KDL would silently keep the last; remove one
    "#);
}
