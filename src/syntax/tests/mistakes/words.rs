//! Words: what needs quotes, and what is not repeated.

use super::*;

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
