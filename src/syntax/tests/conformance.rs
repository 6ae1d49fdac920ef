//! The official KDL 2 cases, all of them.

use super::{canonical, cases, inputs, kdl};

#[test]
fn official_cases_are_read_as_expected() {
    let expected = cases().join("expected_kdl");
    let mut wrong = Vec::new();
    let (mut accepted, mut refused) = (0, 0);
    for (name, text) in inputs() {
        let parse = kdl(text);
        if name.ends_with("_fail.kdl") {
            refused += 1;
            if !parse.has_errors() {
                wrong.push(format!("{name}: accepted\n{text}"));
            }
            continue;
        }
        accepted += 1;
        if parse.has_errors() {
            wrong.push(format!(
                "{name}: refused: {}\n{text}",
                parse.diagnostics[0].message
            ));
            continue;
        }
        // One case has no expectation but to be accepted.
        if let Ok(wanted) = std::fs::read_to_string(expected.join(name)) {
            let found = canonical(parse.tree.nodes());
            if found.trim_end() != wanted.replace("\r\n", "\n").trim_end() {
                wrong.push(format!(
                    "{name}:\n{text}\nwanted:\n{wanted}\nfound:\n{found}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n---\n")
    );
    assert!(
        accepted >= 233 && refused >= 87,
        "{accepted} and {refused}: cases are missing"
    );
}
