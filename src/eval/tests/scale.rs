//! What evaluation costs grows with the text and with what it brings, not with their square.
//!
//! Where a count shows it, it is counted. Elsewhere a spec four times as large has to be done in
//! well under the sixteen times that a square would take.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::*;

fn took(text: &str) -> (Evaluation, Duration) {
    let start = Instant::now();
    let evaluation = one(text);
    (evaluation, start.elapsed())
}

/// `spec(n)` is a spec of size n, of which `check` says whether it means what it should.
fn grows_with_its_size(
    what: &str,
    size: usize,
    spec: impl Fn(usize) -> String,
    check: impl Fn(&Evaluation) -> bool,
) {
    let (small, large) = (spec(size), spec(4 * size));
    let mut seen = Vec::new();
    // Others use this machine, too: a few chances.
    for _ in 0..4 {
        let (few, short) = took(&small);
        let (many, long) = took(&large);
        for evaluation in [few, many] {
            let found = findings(&evaluation);
            assert!(check(&evaluation), "{what}: {:?}", found.first());
        }
        if long < short * 9 {
            return;
        }
        seen.push((short, long));
    }
    panic!("{what}: {seen:?}");
}

fn clean(evaluation: &Evaluation) -> bool {
    !evaluation.has_errors()
}

/// `part(0)` to `part(n - 1)`, one after another.
fn lines(count: usize, mut part: impl FnMut(usize) -> String) -> String {
    let mut all = String::new();
    for number in 0..count {
        writeln!(all, "{}", part(number)).unwrap();
    }
    all
}

#[test]
fn profiles_that_use_one_another_many_times_are_used_once() {
    let fan = lines(15, |n| {
        let next = format!("use p{}\n", n + 1).repeat(3);
        format!("profile p{n} {{\n{next}}}")
    });
    let evaluation = one(&format!(
        "{fan}profile p15 {{\n    description deep\n}}\nhost n1 {{\n    use p0\n}}\n"
    ));
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    assert_eq!(show(&evaluation, "n1"), "description = \"deep\"");
}

#[test]
fn of_two_ways_to_a_profile_the_shorter_counts() {
    let spec = |uses: &str| {
        format!(
            "profile c {{\n    param x 1\n    description \"c${{x}}\"\n}}\nprofile b {{\n    use c\n}}\nprofile a {{\n    use b\n}}\nprofile d {{\n    description d\n}}\nprofile e {{\n    use d\n}}\nhost n1 {{\n{uses}}}\n"
        )
    };
    for uses in ["use a\nuse e\nuse c\n", "use c\nuse e\nuse a\n"] {
        let evaluation = one(&spec(uses));
        assert_eq!(show(&evaluation, "n1"), "description = \"c1\"", "{uses}");
    }
    // Other arguments, another strength: another use.
    assert_eq!(
        codes(&one(&spec("use c x=1\nuse c x=2\nuse a\nuse e\n"))),
        [2400]
    );
    let forced = one(&spec("use d\n(force)use a\nuse a\nuse e\n"));
    assert_eq!(show(&forced, "n1"), "description = \"c1\"");
}

#[test]
fn uses_beyond_their_bounds_are_told_apart() {
    let chain = lines(20, |n| format!("profile p{n} {{\n    use p{}\n}}", n + 1));
    let deep = one(&format!("{chain}profile p20\nhost n1 {{\n    use p0\n}}\n"));
    let message = &findings(&deep)[0];
    assert!(message.contains("nested deeper than 16"), "{message}");
    let fan = lines(12, |n| {
        let next = format!("use p{0} x=\"${{x}}a\"\nuse p{0} x=\"${{x}}b\"\n", n + 1);
        format!("profile p{n} {{\n    param x\n{next}}}")
    });
    let wide = one(&format!(
        "{fan}profile p12 {{\n    param x\n}}\nhost n1 {{\n    use p0 x=a\n}}\n"
    ));
    let message = &findings(&wide)[0];
    assert!(message.contains("more than 1024 uses"), "{message}");
    assert!(wide.fleet.is_held("n1"));
}

#[test]
fn what_stands_in_a_range_of_racks_is_read_once() {
    grows_with_its_size(
        "racks and labels",
        300,
        |n| {
            let labels = lines(n, |n| format!("l{n} v"));
            format!(
                "rack \"r[1-{n}]\" {{\n    each {{\n    labels {{\n{labels}}}\n    }}\n}}\nhost n1\n"
            )
        },
        clean,
    );
    // Each rack has its own facts and `let`s all the same.
    let evaluation = one(
        "rack \"r[n=1-3]\" {\n    let here \"in ${rack.name}\"\n    facts name {\n        - r2-a seat=7\n    }\n    each {\n        description \"${here}\"\n    }\n    host \"${rack.name}-[slot=1-2]\"\n    refine \"*-2\" {\n        labels last=\"${rack.name}\"\n    }\n    host \"${rack.name}-a\" {\n        labels seat=\"${coalesce(host.seat, 0)}\"\n    }\n}\n",
    );
    assert_eq!(findings(&evaluation), Vec::<String>::new());
    let all: Vec<String> = ["r1-1", "r3-2", "r2-a", "r3-a"]
        .iter()
        .map(|host| show(&evaluation, host).replace('\n', "; "))
        .collect();
    insta::assert_snapshot!(all.join("\n"), @r#"
    description = "in r1"
    description = "in r3"; labels.last = "r3"
    description = "in r2"; labels.seat = "7"
    description = "in r3"; labels.seat = "0"
    "#);
}

#[test]
fn profiles_that_all_use_each_other_are_one_finding() {
    let knot = lines(40, |n| {
        let uses = lines(40, |other| format!("use p{other}"));
        format!("profile p{n} {{\n{uses}}}")
    });
    assert_eq!(codes(&one(&format!("{knot}host n1\n"))), [2203]);
    let knot = lines(40, |n| {
        let reads: Vec<String> = (0..40).map(|other| format!("a{other}")).collect();
        format!("let a{n} \"${{{}}}\"", reads.join(" + "))
    });
    assert_eq!(codes(&one(&format!("{knot}host n1\n"))), [2304]);
}

#[test]
fn refines_look_their_hosts_up() {
    for pattern in ["n[{}]", "n{}-*", "*x{}"] {
        grows_with_its_size(
            pattern,
            300,
            |n| {
                let refines = lines(n, |n| {
                    let pattern = pattern.replace("{}", &n.to_string());
                    format!("refine \"{pattern}\" {{\n    labels a=\"{n}\"\n}}")
                });
                let name = pattern.replace("n[{}]", "n[0-M]");
                let name = name.replace("n{}-*", "n[0-M]-x").replace("*x{}", "nx[0-M]");
                format!(
                    "host \"{}\"\n{refines}",
                    name.replace('M', &(n - 1).to_string())
                )
            },
            clean,
        );
    }
    // In each of many racks, for the hosts of that rack.
    grows_with_its_size(
        "racks",
        200,
        |n| {
            format!(
                "rack \"r[1-{n}]\" {{\n    host \"${{rack.name}}-[1-2]\"\n    refine \"*-1\" {{\n        online #true\n    }}\n}}\n"
            )
        },
        clean,
    );
}

#[test]
fn what_except_takes_out_is_looked_up() {
    grows_with_its_size(
        "one list",
        800,
        |n| {
            let odd: Vec<String> = (0..n).map(|n| (2 * n + 1).to_string()).collect();
            format!(
                "host \"n[0-{}]\" {{\n    except \"n[{}]\"\n}}\n",
                2 * n,
                odd.join(",")
            )
        },
        clean,
    );
    grows_with_its_size(
        "many names",
        800,
        |n| {
            let odd: Vec<String> = (0..n).map(|n| format!("n{}", 2 * n + 1)).collect();
            format!(
                "host \"n[0-{}]\" {{\n    except {}\n}}\n",
                2 * n,
                odd.join(" ")
            )
        },
        clean,
    );
}

#[test]
fn many_records_of_one_host_are_no_more_than_their_number() {
    grows_with_its_size(
        "volumes",
        500,
        |n| {
            let volumes = lines(n, |n| format!("volume v{n} level=\"0\" disks=1"));
            format!("host n1 {{\n    raid hardware {{\n{volumes}}}\n}}\n")
        },
        clean,
    );
    grows_with_its_size(
        "taints",
        800,
        |n| {
            let taints = lines(n, |n| format!("taint t{n} effect=NoSchedule"));
            format!("host n1 {{\n{taints}}}\n")
        },
        clean,
    );
    grows_with_its_size(
        "properties and children",
        800,
        |n| {
            let props: Vec<String> = (0..n).map(|n| format!("a{n}=x")).collect();
            let props = props.join(" ");
            let children = lines(n, |n| format!("b{n} x"));
            format!("host n1 {{\n    labels {props} {{\n{children}}}\n}}\n")
        },
        clean,
    );
}

#[test]
fn a_label_that_differs_on_every_host_is_lacked_at_once() {
    grows_with_its_size(
        "lacks",
        500,
        |n| {
            format!(
                "image a {{\n    url \"oci://example.net/a\"\n}}\nhost \"n[id=1-{n}]\" {{\n    labels serial=\"${{host.id}}\"\n}}\nhost \"m[1-{n}]\" {{\n    labels a=b\n}}\npool p {{\n    select a=b {{\n        lacks serial\n    }}\n    deploy a\n}}\n"
            )
        },
        |evaluation| clean(evaluation) && !evaluation.fleet.pools[0].candidates.is_empty(),
    );
}

#[test]
fn removals_are_looked_up_from_what_stands_below_them() {
    grows_with_its_size(
        "removals",
        800,
        |n| {
            let labels = lines(n, |n| format!("l{n} v"));
            let removals = lines(n, |n| format!("l{n} #null"));
            format!(
                "each {{\n    labels {{\n{labels}}}\n}}\nhost n1 {{\n    labels {{\n{removals}}}\n}}\n"
            )
        },
        clean,
    );
}

#[test]
fn the_name_that_was_meant_is_not_looked_for_without_end() {
    let told = |evaluation: &Evaluation| -> usize {
        let helps = evaluation
            .diagnostics
            .iter()
            .filter_map(|f| f.help.as_ref());
        helps.filter(|help| help.contains("did you mean")).count()
    };
    grows_with_its_size(
        "profiles",
        300,
        |n| {
            let profiles = lines(n, |n| format!("profile p{n:04}"));
            let uses = lines(n, |n| format!("use p{n:04}x"));
            format!("{profiles}host n1 {{\n{uses}}}\n")
        },
        |evaluation| told(evaluation) > 200,
    );
    let refines = lines(150, |n| format!("refine n{n}x {{\n    online #true\n}}"));
    let evaluation = one(&format!("host \"n[0-150]\"\n{refines}"));
    assert_eq!(
        (evaluation.diagnostics.len(), told(&evaluation)),
        (150, 100)
    );
}
