#![allow(clippy::format_push_string, reason = "tests may be slow")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn names(text: &str) -> Vec<String> {
    expand(text, 1000)
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

/// The error with its place marked, and its fix applied.
fn error(text: &str) -> String {
    let error = expand(text, 65_536).unwrap_err();
    let mut out = format!(
        "{text}\n{}{} MF{} {}",
        " ".repeat(text[..error.range.start].chars().count()),
        "^".repeat(text[error.range.clone()].chars().count().max(1)),
        error.code,
        error.message
    );
    if let Some(help) = error.help {
        out.push_str(&format!("\nhelp: {help}"));
    }
    if let Some((range, with)) = error.fix {
        let mut fixed = text.to_owned();
        fixed.replace_range(range, &with);
        out.push_str(&format!("\nfix: {fixed}"));
        assert!(
            expand(&fixed, 65_536).is_ok(),
            "the fix `{fixed}` has errors"
        );
    }
    out
}

#[test]
fn a_plain_name_is_itself() {
    let one = expand("r01-n07", 1).unwrap();
    assert!(one.is_exact());
    assert_eq!(
        one.into_iter().collect::<Vec<_>>(),
        [("r01-n07".to_owned(), vec![])]
    );
}

#[test]
fn the_width_of_the_first_number_pads() {
    assert_eq!(names("n[8-11]"), ["n8", "n9", "n10", "n11"]);
    assert_eq!(names("n[08-11]"), ["n08", "n09", "n10", "n11"]);
    assert_eq!(names("n[0-2]"), ["n0", "n1", "n2"]);
    assert_eq!(names("n[98-101]"), ["n98", "n99", "n100", "n101"]);
    assert_eq!(names("n[01,99,100]"), ["n01", "n99", "n100"]);
}

#[test]
fn items_steps_and_order_as_written() {
    assert_eq!(
        names("n[5,01-03,09-20/4]x".replace('5', "05").as_str()),
        ["n05x", "n01x", "n02x", "n03x", "n09x", "n13x", "n17x"]
    );
    assert_eq!(names("n[1-3/9]"), ["n1"]);
}

#[test]
fn brackets_multiply_and_the_last_runs_fastest() {
    let expansion = expand("r[rack=1-2]-n[slot=01-02]", 4).unwrap();
    assert_eq!(expansion.captures().collect::<Vec<_>>(), ["rack", "slot"]);
    assert_eq!(expansion.len(), 4);
    let all: Vec<String> = expansion
        .iter()
        .map(|(name, facts)| {
            let facts: Vec<String> = facts.iter().map(|(key, n)| format!("{key}={n}")).collect();
            format!("{name} {}", facts.join(" "))
        })
        .collect();
    assert_eq!(
        all,
        [
            "r1-n01 rack=1 slot=1",
            "r1-n02 rack=1 slot=2",
            "r2-n01 rack=2 slot=1",
            "r2-n02 rack=2 slot=2",
        ]
    );
}

#[test]
fn sizes_are_refused_before_anything_is_expanded() {
    insta::assert_snapshot!(error("n[1-1000000000]"), @r"
    n[1-1000000000]
     ^^^^^^^^^^^^^^ MF9004 the range makes 1,000,000,000 names, the limit is 65,536
    help: narrow the range, or raise `range` in `spec { limits … }`
    ");
    insta::assert_snapshot!(error("r[1-999]-n[1-999]"), @r"
    r[1-999]-n[1-999]
    ^^^^^^^^^^^^^^^^^ MF9004 the range makes 998,001 names, the limit is 65,536
    help: narrow the range, or raise `range` in `spec { limits … }`
    ");
    insta::assert_snapshot!(error(&"[0-999999999999999999]".repeat(20)[..22 * 3]), @r"
    [0-999999999999999999][0-999999999999999999][0-999999999999999999]
                                                ^^^^^^^^^^^^^^^^^^^^^^ MF9004 the range makes far too many names, the limit is 65,536
    help: narrow the range, or raise `range` in `spec { limits … }`
    ");
    insta::assert_snapshot!(error("n[1-1000000000000000000]"), @r"
    n[1-1000000000000000000]
        ^^^^^^^^^^^^^^^^^^^ MF9004 the number has 19 digits, at most 18 fit
    ");
    assert_eq!(
        expand(&"a".repeat(MAX_TEXT + 1), 1).unwrap_err().code,
        STRING_LIMIT
    );
    assert_eq!(
        expand(&"a".repeat(MAX_NAME + 1), 1).unwrap_err().code,
        BAD_NAME
    );
    assert_eq!(expand("n[1-3]", 2).unwrap_err().code, RANGE_LIMIT);
    assert!(expand("n[1-2]", 2).is_ok());
}

#[test]
fn mistakes_are_pointed_at() {
    insta::assert_snapshot!(error("n[18-01]"), @r"
    n[18-01]
      ^^^^^ MF2104 the range runs backwards, from 18 to 01
    fix: n[01-18]
    ");
    insta::assert_snapshot!(error("n[01-100]"), @r"
    n[01-100]
      ^^^^^^ MF2104 `01` and `100` have different widths
    help: the width of the first number pads all of them: write both equally wide
    fix: n[001-100]
    ");
    insta::assert_snapshot!(error("n[1-018]"), @r"
    n[1-018]
      ^^^^^ MF2104 `1` and `018` have different widths
    help: the width of the first number pads all of them: write both equally wide
    fix: n[001-018]
    ");
    insta::assert_snapshot!(error("n[05-18,1-4]"), @r"
    n[05-18,1-4]
            ^^^ MF2104 `1-4` is narrower than `05-18`
    help: write all numbers of a bracket equally wide
    fix: n[05-18,01-04]
    ");
    insta::assert_snapshot!(error("n[05,001-004/3]"), @r"
    n[05,001-004/3]
         ^^^^^^^^^ MF2104 `001-004/3` is wider than `05`
    help: write all numbers of a bracket equally wide
    fix: n[005,001-004/3]
    ");
    insta::assert_snapshot!(error("n[1-9/0]"), @r"
    n[1-9/0]
          ^ MF2104 the step is zero
    help: leave `/0` out, or write `/1`
    ");
    insta::assert_snapshot!(error("n[5/2]"), @r"
    n[5/2]
      ^^^ MF2104 a step needs a range in front of it
    help: write `lo-hi/step`, such as `01-17/2`
    ");
    insta::assert_snapshot!(error("n[]"), @r"
    n[]
     ^^ MF2104 the range is empty
    help: write `[01-18]`
    ");
    insta::assert_snapshot!(error("n[slot=]"), @r"
    n[slot=]
     ^^^^^^^ MF2104 the range is empty
    help: write `[01-18]`
    ");
    insta::assert_snapshot!(error("n[1,,2]"), @r"
    n[1,,2]
       ^ MF2104 a number is missing
    help: items are `n`, `lo-hi` or `lo-hi/step`, separated by commas
    ");
    insta::assert_snapshot!(error("n[1-]"), @r"
    n[1-]
       ^ MF2104 the last number is missing
    help: items are `n`, `lo-hi` or `lo-hi/step`, separated by commas
    ");
    insta::assert_snapshot!(error("n[-3]"), @r"
    n[-3]
     ^ MF2104 the first number is missing
    help: items are `n`, `lo-hi` or `lo-hi/step`, separated by commas
    ");
    insta::assert_snapshot!(error("n[1-b]"), @r"
    n[1-b]
        ^ MF2104 `b` is not a number
    help: items are `n`, `lo-hi` or `lo-hi/step`, in decimal digits
    ");
    insta::assert_snapshot!(error("n[1 - 3, 5]"), @r"
    n[1 - 3, 5]
       ^ MF2104 a range has no spaces
    fix: n[1-3,5]
    ");
    insta::assert_snapshot!(error("n[1-5,3]"), @r"
    n[1-5,3]
          ^ MF2104 `3` is listed twice
    help: each name is declared once: narrow one of the two
    ");
    insta::assert_snapshot!(error("n[Rack-Slot=1-3]"), @r"
    n[Rack-Slot=1-3]
      ^^^^^^^^^ MF2104 `Rack-Slot` cannot name a capture
    help: a capture is a fact: lower-case letters, digits and `_`, as in `[slot=01-18]`
    fix: n[rack_slot=1-3]
    ");
    insta::assert_snapshot!(error("r[n=1]-n[n=1]"), @r"
    r[n=1]-n[n=1]
             ^ MF2104 two brackets capture `n`
    help: give each capture its own name, such as `[row=1-3]` and `[slot=01-18]`
    ");
    insta::assert_snapshot!(error("n[1-3"), @r"
    n[1-3
     ^^^^ MF2104 `[` is never closed
    help: write `[01-18]`
    ");
    insta::assert_snapshot!(error("n[1[2]]"), @r"
    n[1[2]]
       ^ MF2104 a bracket inside a bracket
    help: several brackets stand side by side: `r[01-02]-n[01-18]`
    ");
    insta::assert_snapshot!(error("n1-3]"), @r"
    n1-3]
        ^ MF2104 `]` without `[`
    ");
    insta::assert_snapshot!(error("n*"), @r"
    n*
     ^ MF2104 `*` matches names that exist, it cannot make new ones
    help: write the numbers as a range, such as `r01-n[01-18]`
    ");
    insta::assert_snapshot!(error(""), @r"

    ^ MF2104 the name is empty
    ");
}

#[test]
fn names_fold_as_people_write_them() {
    let names = (1..=18)
        .filter(|n| ![7, 13].contains(n))
        .map(|n| format!("r01-n{n:02}"));
    let more = ["r02-n02", "r02-n01", "r01-c19", "r01-c20", "r02-c01"].map(str::to_owned);
    assert_eq!(
        fold(names.chain(more)),
        "r01-c[19-20] r01-n[01-06,08-12,14-18] r02-c01 r02-n[01-02]"
    );
    assert_eq!(
        fold(["r1-n1", "r1-n2", "r2-n1", "r2-n2", "r3-n1"]),
        "r[1-2]-n[1-2] r3-n1"
    );
    assert_eq!(
        fold(["n1", "n2", "n01", "n02", "n10", "n100"]),
        "n[01-02,10,100] n[1-2]"
    );
    assert_eq!(
        fold((1..=120).map(|n| format!("n{n:02}"))),
        "n[01-99,100-120]"
    );
    assert_eq!(fold((8..=120).map(|n| format!("n{n}"))), "n[8-120]");
    assert_eq!(fold(["b", "a", "b"]), "a b");
    assert_eq!(fold([""; 0]), "");
    let long = "n".to_owned() + &"9".repeat(30);
    assert_eq!(fold([long.as_str(), "n1"]), format!("n1 {long}"));
}

#[test]
fn ten_thousand_names_fold_to_one_group() {
    let all = expand("r[001-250]-n[01-40]", 10_000).unwrap();
    assert_eq!(
        fold(all.iter().map(|(name, _)| name)),
        "r[001-250]-n[01-40]"
    );
}

#[test]
fn order_is_natural() {
    let mut names = vec![
        "n10", "n2", "n02", "n", "r2-n1", "r1-n11", "r1-n9", "N1", "n1a", "n1",
    ];
    names.sort_by(|a, b| natural_cmp(a, b));
    assert_eq!(
        names,
        [
            "N1", "n", "n1", "n1a", "n02", "n2", "n10", "r1-n9", "r1-n11", "r2-n1"
        ]
    );
}

#[test]
fn patterns_pick_existing_names() {
    assert!(matches("r01-n[01-18]", "r01-n07"));
    assert!(!matches("r01-n[01-18]", "r01-n7"));
    assert!(!matches("r01-n[01-18]", "r01-n19"));
    assert!(matches("n[1-9/2]", "n7"));
    assert!(!matches("n[1-9/2]", "n8"));
    assert!(matches("r*-n0*", "r01-n07"));
    assert!(matches("*", ""));
    assert!(!matches("r*-n0*", "r01-c07"));
    assert!(matches("n[1-2][1-20]", "n111"));
    assert!(matches("*[0-9]b", "xé12b"));
    assert!(matches("n[1-999999999999999999]", "n123456789"));
    assert!(!matches("n[", "n["));
    assert_eq!(
        Pattern::compile("r01-n07").unwrap().exact(),
        Some("r01-n07")
    );
    assert_eq!(Pattern::compile("r01-n*").unwrap().exact(), None);
    // Would take exponential time with backtracking.
    assert!(!matches(&"*a".repeat(1000), &"a".repeat(250)));
}

/// Texts that are often nearly ranges.
fn rangeish() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        "[0-9]{1,3}",
        "[a-z]{1,2}",
        prop::sample::select(vec![
            "[", "]", "-", ",", "/", "=", "*", " ", "slot=", "é", "[1-3]"
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat())
}

/// Sets of names with some structure to find.
fn sets() -> impl Strategy<Value = BTreeSet<String>> {
    let name =
        (0..3u8, 0..4u32, 1..3usize, 0..130u32, 1..4usize).prop_map(
            |(kind, a, w, b, v)| match kind {
                0 => format!("r{a:0w$}-n{b:0v$}"),
                1 => format!("n{b:0v$}"),
                _ => format!("r{a:0w$}-n{:0v$}x{}", b % 4, b % 3),
            },
        );
    prop::collection::btree_set(name, 0..60)
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in ".{0,80}", name in ".{0,20}") {
        drop(expand(&text, 100));
        matches(&text, &name);
        fold([text.as_str(), name.as_str()]);
    }

    #[test]
    fn errors_point_into_the_text_and_fixes_apply(text in rangeish()) {
        if let Err(error) = expand(&text, 100) {
            prop_assert!(text.get(error.range.clone()).is_some(), "{error:?}");
            if let Some((range, _)) = error.fix {
                prop_assert!(text.get(range).is_some());
            }
        }
    }

    #[test]
    fn a_pattern_matches_what_it_expands_to(text in rangeish(), other in rangeish()) {
        let Ok(expansion) = expand(&text, 2000) else { return Ok(()) };
        let all: BTreeSet<String> = expansion.iter().map(|(name, _)| name).collect();
        for name in &all {
            prop_assert!(matches(&text, name), "{name}");
        }
        prop_assert_eq!(matches(&text, &other), all.contains(&other));
    }

    #[test]
    fn at_agrees_with_the_iterator(text in rangeish()) {
        let Ok(expansion) = expand(&text, 500) else { return Ok(()) };
        prop_assert_eq!(expansion.iter().count(), expansion.len());
        prop_assert_eq!(expansion.iter().nth(7), expansion.at(7));
    }

    #[test]
    fn expanding_a_folded_set_gives_the_set(set in sets()) {
        let folded = fold(&set);
        let mut back = Vec::new();
        for group in folded.split_whitespace() {
            back.extend(expand(group, 10_000).unwrap().into_iter().map(|(name, _)| name));
        }
        prop_assert_eq!(back.len(), set.len());
        prop_assert_eq!(back.into_iter().collect::<BTreeSet<_>>(), set);
    }

    #[test]
    fn folding_ignores_order_and_repeats(set in sets()) {
        let backwards: Vec<&String> = set.iter().rev().chain(&set).collect();
        prop_assert_eq!(fold(&set), fold(backwards));
    }

    #[test]
    fn natural_order_is_total(a in "[n0-9]{0,5}", b in "[n0-9]{0,5}", c in "[n0-9]{0,5}") {
        prop_assert_eq!(natural_cmp(&a, &b), natural_cmp(&b, &a).reverse());
        prop_assert_eq!(natural_cmp(&a, &b).is_eq(), a == b);
        if natural_cmp(&a, &b).is_le() && natural_cmp(&b, &c).is_le() {
            prop_assert!(natural_cmp(&a, &c).is_le());
        }
    }
}
