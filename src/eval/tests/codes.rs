//! Every rule's examples: the bad one has the finding, the good one has none.

use super::*;
use crate::diag::codes;

#[test]
fn examples_of_rules_show_what_they_say() {
    let mut wrong = Vec::new();
    for entry in codes::all().filter(|entry| (2000..7000).contains(&entry.code.0)) {
        if !entry.bad.is_empty() {
            let evaluation = one(entry.bad);
            if !codes(&evaluation).contains(&entry.code.0) {
                wrong.push(format!(
                    "{}: bad has {:?}",
                    entry.code,
                    findings(&evaluation)
                ));
            }
            for finding in evaluation
                .diagnostics
                .iter()
                .filter(|f| f.code == entry.code)
            {
                if finding.severity != entry.severity {
                    wrong.push(format!("{}: is {}", entry.code, finding.severity));
                }
            }
        }
        if !entry.good.is_empty() {
            let evaluation = one(entry.good);
            if !evaluation.diagnostics.is_empty() {
                wrong.push(format!(
                    "{}: good has {:?}",
                    entry.code,
                    findings(&evaluation)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A finding whose code nobody can look up helps nobody.
#[test]
fn every_code_has_a_page() {
    let mut used = std::collections::BTreeSet::new();
    for entry in codes::all() {
        for text in [entry.bad, entry.good] {
            used.extend(codes(&one(text)));
        }
    }
    used.retain(|code| codes::find(crate::diag::Code(*code)).is_none());
    assert!(used.is_empty(), "no page for {used:?}");
}
