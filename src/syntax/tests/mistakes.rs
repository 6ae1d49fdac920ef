//! Mistakes: each is reported once, at its place, with its way out.

use std::fmt::Write as _;

use insta::assert_snapshot;

use super::super::{Limits, Parse, parse};
use super::canonical;
use crate::diag::json::render_json;
use crate::diag::render::{Look, render_concise, render_full};
use crate::diag::{Applicability, Edit, codes};
use crate::vfs::Files;

fn read(text: &str) -> (Files, Parse) {
    let mut files = Files::new();
    let id = files.add("f.kdl", text);
    let parse = parse(id, files.text(id), &Limits::default());
    (files, parse)
}

/// With the version marker, as line 0 of what follows.
fn marked(text: &str) -> String {
    format!("/- kdl-version 2\n{text}")
}

/// What is found in a text behind the version marker: a line each, and then what could be read.
fn found(text: &str) -> String {
    let (_, parse) = read(&marked(text));
    format!("{}\n{}", said(text), canonical(parse.tree.nodes()))
}

/// What is found in a text behind the version marker, a line each.
fn said(text: &str) -> String {
    let (files, parse) = read(&marked(text));
    let mut out = String::new();
    render_concise(&mut out, &files, &parse.diagnostics).expect("a string");
    let mut shown = String::new();
    for line in out.lines() {
        // Count lines as the test's text does.
        let mut parts = line.splitn(3, ':');
        let (_, line, rest) = (parts.next(), parts.next(), parts.next());
        let number: u32 = line.and_then(|line| line.parse().ok()).expect("a line");
        writeln!(shown, "{}:{}", number - 1, rest.unwrap_or_default()).expect("a string");
    }
    shown
}

fn full(text: &str) -> String {
    let (files, parse) = read(text);
    let mut out = String::new();
    render_full(&mut out, &files, &parse.diagnostics, Look::default()).expect("a string");
    out
}

/// The text after all fixes up to `most`, made together as far as they do not overlap.
fn fixed(text: &str, most: Applicability) -> String {
    let (_, parse) = read(text);
    let mut edits: Vec<&Edit> = Vec::new();
    for finding in &parse.diagnostics {
        let Some(fix) = finding
            .fixes
            .first()
            .filter(|fix| fix.applicability <= most)
        else {
            continue;
        };
        edits.extend(&fix.edits);
    }
    edits.sort_by_key(|edit| edit.place);
    let mut out = String::new();
    let mut at = 0;
    for edit in edits {
        let range = edit.place.span.range();
        if range.start >= at {
            out += &text[at..range.start];
            out += &edit.text;
            at = range.end;
        }
    }
    out + &text[at..]
}

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
fn strings_without_an_end_cost_no_more_than_themselves() {
    assert_snapshot!(found("host \"r01-n01 {\n    boot mode=UEFI\n}\nafter 1\n"), @r"
    1:6: error[MF1003] the string is not closed

    host r01-n01 {
        boot mode=UEFI
    }
    after 1
    ");
    assert_snapshot!(found("a \"line one\nline two\"\nafter\n"), @r#"
    1:3: error[MF1003] the string goes on over the end of its line

    a "line one\nline two"
    after
    "#);
    assert_snapshot!(found("a { b \"foo }\nc \"x ${y}\nd\n"), @r#"
    1:7: error[MF1003] the string is not closed
    2:3: error[MF1003] the string is not closed

    a {
        b foo
    }
    c "x ${y}"
    d
    "#);
    assert_snapshot!(found("a #\"raw\nb \"\"\"\n  text\nc \"\"\"\n  more\n  \"\"\"\nd\n"), @r#"
    1:3: error[MF1003] the raw string is not closed
    2:3: error[MF1003] the multi-line string is not closed

    a raw
    b "  text"
    c more
    d
    "#);
    assert_snapshot!(found("a \"\"\"\n  text\nb c=1\n"), @r#"
    1:3: error[MF1003] the multi-line string is not closed

    a "  text\nb c=1\n"
    "#);
    assert_snapshot!(found("a {\n  b\n  /* comment\n  c\n}\nd\n"), @r"
    3:3: error[MF1003] the comment is not closed

    a {
        b
    }
    ");
    assert_snapshot!(found("a \"he said \"hi\" to\"\nb x\" y\n"), @r#"
    1:13: error[MF1006] a space is missing between two values
    2:4: error[MF1003] the string is not closed

    a "he said " hi " to"
    b x " y"
    "#);
}

#[test]
fn braces_are_blamed_where_they_are_missing() {
    assert_snapshot!(found("a {\n  b {\n    c\n}\nd {\n}\n"), @r"
    2:5: error[MF1001] the block of `b` is not closed

    a {
        b {
            c
        }
        d
    }
    ");
    assert_snapshot!(found("a {\n  b {\n    c\n  }\n"), @r"
    1:3: error[MF1001] the block of `a` is not closed

    a {
        b {
            c
        }
    }
    ");
    assert_snapshot!(found("a\n}\n} }\nb\n}\n"), @r"
    2:1: error[MF1002] `}` closes nothing
    5:1: error[MF1002] `}` closes nothing

    a
    b
    ");
    assert_snapshot!(found("rack r01\n{\n  host a\n}\n{\n  x\n}\n"), @r"
    2:1: error[MF1016] a `{` must stand on the line of its node
    5:1: error[MF1016] a block needs a node that it belongs to

    rack r01 {
        host a
    }
    ");
    assert_snapshot!(found("a { b } c d\na { b } { c }\na /-{ x } y\na { b } k=1 {\n  c\n}\n"), @r"
    1:9: error[MF1015] nothing can follow a child block on its line
    2:9: error[MF1015] a node has one child block at most
    3:11: error[MF1015] nothing can follow a child block on its line
    4:9: error[MF1015] nothing can follow a child block on its line

    a {
        b
    }
    c d
    a {
        b
        c
    }
    a
    a {
        b
        c
    }
    ");
}

#[test]
fn words_that_need_quotes_are_taken_whole() {
    assert_snapshot!(found("a ./x ~/y /dev/sda [a, b] f(x, y) C:\\x\n"), @r#"
    1:3: error[MF1025] `./x` needs quotes
    1:7: error[MF1025] `~/y` needs quotes
    1:11: error[MF1025] `/dev/sda` needs quotes
    1:20: error[MF1025] `[a, b]` needs quotes
    1:27: error[MF1025] `f(x, y)` needs quotes
    1:35: error[MF1025] `C:\x` needs quotes

    a "./x" "~/y" "/dev/sda" "[a, b]" "f(x, y)" "C:\\x"
    "#);
    assert_snapshot!(found("import racks/*.kdl\n/* comment */\nhost a\n"), @r#"
    1:8: error[MF1025] `racks/*.kdl` needs quotes

    import "racks/*.kdl"
    host a
    "#);
    assert_snapshot!(found("labels topology.kubernetes.io/zone=x b=c=d\nx.y/z=1\n"), @r#"
    1:8: error[MF1025] `topology.kubernetes.io/zone` needs quotes
    1:40: error[MF1025] `c=d` needs quotes
    2:1: error[MF1025] `x.y/z` needs quotes

    labels "topology.kubernetes.io/zone"=x b="c=d"
    "x.y/z" 1
    "#);
    assert_snapshot!(found("let x subnet(param.net, 24, 1)\n"), @r#"
    1:7: error[MF1025] `subnet(param.net, 24, 1)` needs quotes

    let x "subnet(param.net, 24, 1)"
    "#);
}

#[test]
fn traps_are_sprung() {
    assert_snapshot!(found("url https://x/y?a=b&c=d; b\na { url oci://x/y }\na x //comment\nb x//comment\n"), @r#"
    1:5: error[MF1020] the URL `https://x/y?a=b&c=d` needs quotes
    2:9: error[MF1020] the URL `oci://x/y` needs quotes

    url "https://x/y?a=b&c=d"
    b
    a {
        url "oci://x/y"
    }
    a x
    b x
    "#);
    assert_snapshot!(found("a ${x} {\n b\n}\na foo-${x}-bar\na ${x + \"y\"}\na ${\nb\n}\n"), @r#"
    1:3: error[MF1021] an expression needs quotes
    4:3: error[MF1021] an expression needs quotes
    5:3: error[MF1021] an expression needs quotes
    6:3: error[MF1021] an expression needs quotes

    a "${x}" {
        b
    }
    a "foo-${x}-bar"
    a "${x + \"y\"}"
    a $ {
        b
    }
    "#);
    assert_snapshot!(found("when a != b {\n c\n}\nwhen n == 3\nwhen a<b\nwhen host.slot>=3 { b; }\n"), @r#"
    1:6: error[MF1022] a comparison needs quotes
    4:6: error[MF1022] a comparison needs quotes
    6:6: error[MF1022] a comparison needs quotes

    when "a != b" {
        c
    }
    when "n == 3"
    when a<b
    when "host.slot>=3" {
        b
    }
    "#);
    assert_snapshot!(found("a k=1 k=2 /-k=3 k=4\n"), @r"
    1:7: error[MF1023] property `k` is written twice
    1:17: error[MF1023] property `k` is written twice

    a k=4
    ");
    assert_snapshot!(said("h\u{43e}st a\u{200b}b \u{441}\u{43e}\n"), @r"
    1:1: warning[MF1014] `hоst` mixes Latin letters with Cyrillic ones
    1:6: warning[MF1014] `a\u{200b}b` has a character that does not show: U+200B
    1:10: warning[MF1014] `со` looks Latin but is Cyrillic
    ");
}

#[test]
fn punctuation_out_of_place_is_named() {
    assert_snapshot!(found("mode = UEFI\n=x\n; ;\na b= c=1\na b=\na { b=; }\n"), @r"
    1:6: error[MF1016] `mode` is the node's name here, so `=` has no key
    2:1: error[MF1016] there is no name before this `=`
    3:1: error[MF1016] there is no node before this `;`
    3:3: error[MF1016] there is no node before this `;`
    4:3: error[MF1005] property `b` has no value
    5:3: error[MF1005] property `b` has no value
    6:6: error[MF1016] `b` is the node's name here, so `=` has no key

    mode UEFI
    a c=1
    a
    a {
        b
    }
    ");
    assert_snapshot!(found("() a\n(x a\na (x)\na (x)(y)b\na (x y)z\na (x)k=1\n(x)/-a\n"), @r#"
    1:1: error[MF1017] an annotation is empty
    2:1: error[MF1017] an annotation is not closed
    3:3: error[MF1017] an annotation needs a value after it
    4:6: error[MF1017] a value has one annotation at most
    5:3: error[MF1017] an annotation holds one name
    6:3: error[MF1017] an annotation cannot stand before a key
    7:4: error[MF1019] `/-` cannot stand here

    ("")a
    a
    a
    a ("")z
    a (x)k 1
    (x)a
    "#);
    assert_snapshot!(found("a { /- }\na k=/-v\n/- /- b\nc \\ d\n/-\n"), @r"
    1:5: error[MF1019] `/-` comments out nothing
    2:5: error[MF1019] `/-` cannot stand here
    3:4: error[MF1019] `/-` cannot stand here
    4:3: error[MF1018] `\` must be the last thing on its line
    5:1: error[MF1019] `/-` comments out nothing

    a
    a
    c d
    ");
    assert_snapshot!(found("# comment { \na 1 # comment\n#comment\nb #comment #yes #TRUE\n"), @r"
    1:1: error[MF1009] comments start with `//`, not with `#`
    2:5: error[MF1009] comments start with `//`, not with `#`
    3:1: error[MF1009] comments start with `//`, not with `#`
    4:3: error[MF1009] there is no keyword `#comment`
    4:12: error[MF1009] there is no keyword `#yes`
    4:17: error[MF1009] there is no keyword `#TRUE`

    a 1
    b #null #true #true
    ");
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

#[test]
fn quotes_of_a_word_processor_are_no_quotes() {
    assert_snapshot!(said("pool “db” {\n    select role=“db one”\n}"), @r"
    1:6: warning[MF1014] `“db”` has `“`, which is no quotation mark to KDL
    2:17: warning[MF1014] `“db` has `“`, which is no quotation mark to KDL
    2:21: warning[MF1014] `one”` has `”`, which is no quotation mark to KDL
    ");
    let text = marked("pool “db”");
    assert_eq!(fixed(&text, Applicability::Unsafe), marked("pool \"db\""));
}

#[test]
fn what_looks_like_a_password_is_in_no_finding() {
    for text in [
        "bmc password=0penSesame",
        "bmc password=0.penSesame",
        "bmc password=.5",
        "bmc password=0penSesame,",
        "bmc { password 0penSesame; }",
        "bmc { password: \"0penSesame\\q\"; }",
        "bmc password=penSesame/x",
        "bmc password=#penSesame",
        "bmc password=[penSesame]",
        "bmc password=r\"penSesame\"",
        "bmc password=\"\"\"penSesame\"\"\"",
        "bmc password=\"penSesame",
        "bmc password=penSesame\"x\"",
        "bmc address=redfish://admin:penSesame@127.0.0.1/1",
        "bmc password=\"${penSesame}\"x",
        "bmc password=1 password=2 password=penSesame/x",
    ] {
        let text = marked(text);
        let (files, parse) = read(&text);
        assert!(!parse.diagnostics.is_empty(), "{text}");
        let mut out = full(&text);
        render_concise(&mut out, &files, &parse.diagnostics).expect("a string");
        render_json(&mut out, &files, &parse.diagnostics).expect("a string");
        assert!(!out.contains("penSesame"), "{text}: {out}");
    }
}
