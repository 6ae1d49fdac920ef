//! Bombs and long texts: a bounded stack, time linear in the text, few findings.

use std::time::{Duration, Instant};

use super::super::{Node, Parse, parse};
use super::{Limits, fleet, kdl};
use crate::diag::FileId;

/// Runs on the stack that threads have by default.
fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(work)
        .expect("a thread")
        .join()
        .expect("no overflow")
}

fn timed(text: String, limits: Limits) -> (Parse, Duration) {
    on_a_small_stack(move || {
        let text = text.into();
        // The best of three: others use this machine, too.
        let mut best: Option<(Parse, Duration)> = None;
        for _ in 0..3 {
            let start = Instant::now();
            let read = parse(FileId(0), &text, &limits);
            let took = start.elapsed();
            if best.as_ref().is_none_or(|(_, least)| took < *least) {
                best = Some((read, took));
            }
        }
        best.expect("three runs")
    })
}

/// What a bomb may take. Unoptimized code is an order of magnitude slower.
const BRIEF: Duration = Duration::from_millis(if cfg!(debug_assertions) { 500 } else { 50 });

#[test]
fn a_hundred_thousand_levels_are_one_finding_in_no_time() {
    const DEPTH: usize = 100_000;
    for (level, most) in [
        ("a {", 1),
        ("{", 2),
        ("a {\n", 1),
        ("/-{", 2),
        ("a /-{", 1),
        ("/-a {", 1),
        ("/*", 1),
        ("/* ", 1),
        ("/*\n", 1),
        ("(", 1),
        ("a (", 1),
        ("a=(", 2),
        ("}", 1),
        ("};", 1),
        ("}\n", 1),
        ("[", 1),
        ("a[", 1),
        ("/-", 2),
        ("${", 2),
        ("#", 1),
    ] {
        let text = level.repeat(DEPTH);
        let (read, took) = timed(text, Limits::kdl());
        let found: Vec<_> = read
            .diagnostics
            .iter()
            .map(|found| &found.message)
            .collect();
        assert!(
            !found.is_empty() && found.len() <= most,
            "{level:?}: {} {found:?}",
            found.len()
        );
        assert!(took < BRIEF, "{level:?}: {took:?}");
    }
}

#[test]
fn closed_levels_beyond_the_limit_are_skipped_and_the_rest_is_read() {
    let text = format!(
        "{}{}\nafter 1\n",
        "a {".repeat(100_000),
        "}".repeat(100_000)
    );
    let (read, took) = timed(text, Limits::kdl());
    assert_eq!(read.diagnostics.len(), 1);
    assert_eq!(read.diagnostics[0].code.to_string(), "MF1012");
    assert_eq!(read.tree.nodes().last().map(Node::name), Some("after"));
    assert!(took < BRIEF, "{took:?}");
    // At the limit there is nothing to say.
    let text = format!("{}{}", "a {".repeat(128), "}".repeat(128));
    assert!(kdl(&text).diagnostics.is_empty());
}

/// Units that repeat, each a way in which time could grow faster than the text.
#[test]
fn time_is_linear_in_the_text() {
    for unit in [
        " ",
        "\n",
        "a",
        "a ",
        "a\n",
        "a b=1 ",
        "\"",
        "\"\n",
        "\"a\n",
        "\"\"\"",
        "\"\"\"\n",
        "\\\"\"\"\n",
        "#\"",
        "#\"\n",
        "#\"\"\"\n",
        "##",
        "\\",
        "\\\n",
        "a \\\n",
        "//\n",
        "/**/",
        "/*\n*/",
        "a/*",
        "a b/*.k\n",
        "a /*\n",
        "/-a\n",
        "/-a {}\n",
        "a;",
        ";",
        "=",
        "a=",
        "a= ",
        "a!=b ",
        "(a)",
        "(a)b ",
        "a (a)b",
        "a{}",
        "a {};",
        "a {} b\n",
        "a{}{}",
        "}",
        "{}",
        "{\n}\n",
        "1.1.1.1 ",
        "a b/c ",
        "a ${x}",
        "a x://y\n",
        "\u{202e}",
        "a \"\u{202e}\"\n",
        "é",
        "a é ",
        "true ",
        "#x ",
        "r\"x\" ",
        "a \"\\q\" ",
        "a \"\"\"\n  x\n \"\"\"\n",
        "a=1 a=1 ",
        "a[",
        "a(",
        "a \"${",
        "a \"x {\n",
        "a \"x }\n",
        "x \"\"\"\ny \"\"\"\n",
        "a\u{200b} ",
        "\r",
        "\u{85}",
        "a\t{\t}\n",
    ] {
        let text = format!("n {}", unit.repeat(64_000 / unit.len() + 1));
        // Linear is a few milliseconds, quadratic is seconds. Others use this machine, too: a few
        // chances.
        let brief = (0..4).any(|_| timed(text.clone(), Limits::default()).1 < BRIEF);
        assert!(brief, "{unit:?}");
    }
}

#[test]
fn raw_strings_of_many_hashes_take_no_longer() {
    let hashes = "#".repeat(50_000);
    for text in [
        format!("a {hashes}{}", "\"".repeat(50_000)),
        format!("a {hashes}\"\"\"\n{}", "\"\"\"#".repeat(50_000)),
        format!("a {hashes}\"{}\"{hashes}", "\"#".repeat(50_000)),
    ] {
        let (_, took) = timed(text, Limits::kdl());
        assert!(took < BRIEF, "{took:?}");
    }
}

#[test]
fn findings_are_capped() {
    let text = "/- kdl-version 2\n".to_owned() + &"a true\n".repeat(5000);
    let read = fleet(&text);
    assert_eq!(read.diagnostics.len(), 1001);
    assert_eq!(read.diagnostics[1000].code.to_string(), "MF9007");
    assert_eq!(read.tree.nodes().count(), 5000, "the rest is still read");
}

#[test]
fn long_strings_are_refused() {
    let text = format!(
        "/- kdl-version 2\na \"{}\"\nb \"{}\"\n",
        "x".repeat(65_536),
        "x".repeat(65_537)
    );
    let read = fleet(&text);
    let codes: Vec<_> = read
        .diagnostics
        .iter()
        .map(|found| found.code.to_string())
        .collect();
    assert_eq!(codes, ["MF9005"]);
    assert!(kdl(&text).diagnostics.is_empty());
}
