//! Strings, braces and punctuation.

use super::*;

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
