//! Warnings about what does nothing, and the silence about what does something somewhere.

use super::*;

/// The findings of a spec, without the file's name.
fn said(text: &str) -> Vec<String> {
    let found = findings(&one(text));
    found
        .into_iter()
        .map(|line| line.replace(" fleet.kdl:", " "))
        .collect()
}

fn silent(text: &str) {
    assert_eq!(said(text), Vec::<String>::new(), "{text}");
}

/// The text with every fix of its findings taken.
fn fixed(text: &str) -> String {
    let evaluation = one(text);
    let mut edits: Vec<_> = evaluation
        .diagnostics
        .iter()
        .flat_map(|finding| &finding.fixes)
        .flat_map(|fix| &fix.edits)
        .collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.place.span));
    let mut text = evaluation.files.text(edits[0].place.file).to_string();
    for edit in edits {
        text.replace_range(edit.place.span.range(), &edit.text);
    }
    text.replace("/- kdl-version 2\n", "")
}

#[test]
fn a_profile_that_is_named_somewhere_is_used() {
    insta::assert_snapshot!(said("profile a {\n    use b\n}\nprofile b {\n    online #true\n}\nhost n1\n").join("\n"), @"MF2205 2: profile `a` is used nowhere");
    silent(
        "param stage live\nprofile a {\n    online #true\n}\nwhen \"param.stage == 'lab'\" {\n    host n2 {\n        use a\n    }\n}\nhost n1\n",
    );
    silent(
        "profile a {\n    online #true\n}\nhost n1 i=1 {\n    when \"host.i > 1\" {\n        use a\n    }\n}\n",
    );
    silent(
        "profile a {\n    online #true\n}\nrack r1 {\n    each {\n        use a\n    }\n}\nhost n1\n",
    );
    // It may be for hosts that are not there yet.
    silent("profile a {\n    online #true\n}\n");
}

#[test]
fn a_name_that_some_expression_reads_is_read() {
    insta::assert_snapshot!(said("param a 1\nlet b 2\nlet c \"${d}\"\nlet d 3\nprofile p {\n    param e 4\n    let f 5\n    online #true\n}\nhost n1 {\n    let g 6\n    use p e=5\n    description \"a b g e f\"\n}\n").join("\n"), @r"
    MF2206 2: no expression reads parameter `a`
    MF2206 3: no expression reads `let` `b`
    MF2206 4: no expression reads `let` `c`
    MF2206 7: no expression reads parameter `e`
    MF2206 8: no expression reads `let` `f`
    MF2206 12: no expression reads `let` `g`
    ");
    silent(
        "param a 1\nparam b 2\nparam c 3\nparam d 4\nspec x deep=\"${param.a}\" {\n    lab #true\n}\nlet first \"${param.b}\"\nrack \"r${param.c}\" {\n    when \"first > 1\" {\n        host \"n[i=1-2]\" {\n            let last \"${host.i}\"\n            when \"last == param.d\" {\n                labels a=b\n            }\n        }\n    }\n}\nhost n0\n",
    );
    // Each scope has its own; a profile sees nothing around it.
    insta::assert_snapshot!(said("let a 1\nhost n1 {\n    let a 2\n    description \"${a}\"\n}\nprofile p {\n    param a 3\n    description \"${a}\"\n}\nhost n2 {\n    use p\n}\n").join("\n"), @"MF2206 2: no expression reads `let` `a`");
    silent(
        "let a 1\nhost n1 {\n    labels {\n        let x\n        param y\n    }\n    description \"${a}\"\n}\n",
    );
    assert_eq!(
        fixed("let a 1\nparam b 2\nhost n1 {\n    let c 3\n    online #true\n}\n"),
        "host n1 {\n    online #true\n}\n"
    );
}

#[test]
fn force_is_idle_where_nothing_else_is_said() {
    insta::assert_snapshot!(said("each {\n    (force)online #true\n}\nhost n1 {\n    (force)root-device {\n        vendor a\n        model b\n    }\n}\n").join("\n"), @r"
    MF2403 3: `(force)` overrides nothing
    MF2403 6: `(force)` overrides nothing
    ");
    // It decides on one host of forty; of a block one line needs it; it holds against a removal.
    silent(
        "each {\n    (force)online #true\n}\nhost \"n[1-40]\"\nrefine n7 {\n    (default)online #false\n}\nrefine n8 {\n    (force)online #false\n}\n",
    );
    silent(
        "each {\n    root-device vendor=x\n}\nhost n1 {\n    (force)root-device vendor=a model=b\n}\nhost n2\n",
    );
    silent(
        "each {\n    (force)root-device vendor=x\n}\nhost n1 {\n    root-device #null\n}\nhost n2\n",
    );
    silent(
        "profile p {\n    online #false\n}\neach {\n    online #true\n}\nhost n1 {\n    (force)use p\n}\nhost n2\n",
    );
    // (final) forbids, which is something.
    silent("each {\n    (final)online #true\n}\nhost n1\n");
    assert_eq!(
        fixed("host n1 {\n    (force)online #true\n}\n"),
        "host n1 {\n    online #true\n}\n"
    );
}

#[test]
fn what_wins_on_one_host_of_forty_is_alive() {
    let spec = |each: &str, other: &str, hosts: &str| {
        format!(
            "each {{\n    {each}\n}}\nhost \"n[1-40]\"\nrefine \"n[{hosts}]\" {{\n    {other}\n}}\n"
        )
    };
    silent(&spec("description a", "description b", "1-39"));
    let dead = said(&spec("description a", "description b", "1-40"));
    assert!(
        matches!(dead.as_slice(), [only] if only.starts_with("MF2404 3:")),
        "{dead:?}"
    );
    // A default is there to give way; MF2400 says to write one.
    silent(&spec("(default)description a", "description b", "1-40"));
    silent(
        "profile a {\n    description a\n}\nprofile b {\n    description b\n}\nhost n1 {\n    (default)use a\n    use b\n}\n",
    );
    // A host's own line that something stronger overrides; a profile's that wins for one of two.
    insta::assert_snapshot!(said("host n1 {\n    description a\n}\nrefine n1 {\n    description b\n}\n").join("\n"), @"MF2404 3: `description` of host `n1` is never what is said here: something stronger wins");
    silent(
        "profile p {\n    description a\n}\nhost n1 {\n    use p\n    description b\n}\nhost n2 {\n    use p\n}\n",
    );
    // Two lines that say the same are both alive; so is what a removal leaves on another host.
    silent(
        "profile p {\n    description a\n}\nprofile q {\n    description a\n}\nhost n1 {\n    use p\n    use q\n}\n",
    );
    silent("each {\n    root-device vendor=x\n}\nhost n1 {\n    root-device #null\n}\nhost n2\n");
}

#[test]
fn what_has_to_be_written_to_say_something_inside_is_no_repeat() {
    silent(
        "each {\n    raid hardware {\n        volume root level=\"1\"\n    }\n}\nhost n1 {\n    raid hardware {\n        volume root disks=2\n        volume data level=\"0\" disks=1\n    }\n}\nhost n2\n",
    );
    // What stands under the variant that lost is not judged line by line.
    silent(
        "each {\n    (default)raid hardware {\n        volume root level=\"1\"\n    }\n}\nhost n1 {\n    raid software {\n        volume a level=\"1\"\n    }\n}\nhost n2 {\n    raid #null\n}\n",
    );
}

#[test]
fn a_repeat_says_what_is_inherited_on_every_host() {
    insta::assert_snapshot!(said("each {\n    online #true\n    labels a=b c=d\n}\nhost n1 {\n    online #true\n    labels c=d e=f\n}\nhost n2\n").join("\n"), @r"
    MF2405 7: `online` repeats the inherited value
    MF2405 8: `labels.c` repeats the inherited value
    ");
    insta::assert_snapshot!(said("each {\n    online #true\n}\nrack r1 {\n    each {\n        online #true\n    }\n    host \"n[1-3]\"\n}\n").join("\n"), @"MF2405 7: `online` repeats the inherited value");
    // On one host of three it matters.
    silent(
        "each {\n    online #true\n}\nhost \"n[1-3]\"\nrack r1 {\n    each {\n        online #false\n    }\n    host m1\n    host m3\n}\nrefine \"*[1-2]\" {\n    online #true\n}\n",
    );
    // Profiles say what they say; an expression gives the same by chance; a seal adds something.
    silent(
        "profile p {\n    online #true\n}\neach {\n    online #true\n}\nhost n1 {\n    use p\n}\nhost n2\n",
    );
    silent(
        "each {\n    description n1\n}\nhost n1 {\n    description \"${host.name}\"\n}\nhost n2\n",
    );
    silent("each {\n    online #true\n}\nhost n1 {\n    (final)online #true\n}\nhost n2\n");
    // It was removed in between.
    silent(
        "each {\n    description a\n}\nrack r1 {\n    each {\n        description #null\n    }\n    host n1 {\n        description a\n    }\n    host n3\n}\nhost n2\n",
    );
    assert_eq!(
        fixed(
            "each {\n    online #true\n    labels a=b c=d\n}\nhost n1 {\n    online #true\n    labels c=d e=f\n}\nhost n2\n"
        ),
        "each {\n    online #true\n    labels a=b c=d\n}\nhost n1 {\n    labels e=f\n}\nhost n2\n"
    );
}

#[test]
fn a_removal_is_idle_where_nothing_is_there() {
    insta::assert_snapshot!(said("each {\n    raid #null\n    labels a=b\n}\nhost n1 {\n    labels c=#null\n}\n").join("\n"), @r"
    MF2406 3: there is no `raid` to remove
    MF2406 7: there is no `labels.c` to remove
    ");
    silent("each {\n    labels a=b\n}\nhost n1 {\n    labels #null\n}\nhost n2\n");
    silent(
        "profile p {\n    description #null\n}\nhost n1 {\n    use p\n}\nhost n2 {\n    use p\n}\nrack r1 {\n    each {\n        (default)description a\n    }\n    host n3 {\n        use p\n    }\n    host n4\n}\n",
    );
}

#[test]
fn nothing_is_judged_beside_an_error_or_what_is_missing() {
    let idle = "param a 1\nprofile p {\n    online #true\n}\neach {\n    (force)description a\n}\nhost n1 {\n    labels #null\n}\n";
    assert_eq!(codes(&one(idle)), [2206, 2205, 2403, 2406]);
    assert_eq!(
        codes(&one(&format!("{idle}host n2 {{\n    online yes\n}}\n"))),
        [2005]
    );
    let missing = evaluate_files(&[(
        "fleet.kdl",
        &format!("/- kdl-version 2\nimport \"more/*.kdl\"\n{idle}"),
    )]);
    assert!(
        !codes(&missing)
            .iter()
            .any(|code| (2205..2207).contains(code) || *code > 2402)
    );
}

#[test]
fn it_does_not_matter_how_many_threads_saw_it() {
    // More hosts than one thread takes; a line that matters on the last of them only.
    let spec = |last: &str| {
        format!(
            "each {{\n    description a\n}}\nhost \"n[001-600]\"\nrefine \"n[001-{last}]\" {{\n    description b\n}}\n"
        )
    };
    silent(&spec("599"));
    assert_eq!(codes(&one(&spec("600"))), [2404]);
}
