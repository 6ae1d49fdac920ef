//! Every spec in the guide evaluates, or fails as it says; so do the specs that ship.

use super::*;
use crate::vfs::RealDisk;

/// `kdl` blocks with their line and what is said after the word.
fn blocks(text: &str) -> Vec<(usize, String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match &mut open {
            Some(_) if line.starts_with("```") => blocks.extend(open.take()),
            Some((_, _, body)) => {
                body.push_str(line);
                body.push('\n');
            }
            None => {
                if let Some(info) = line.strip_prefix("```kdl") {
                    open = Some((index + 1, info.trim().to_owned(), String::new()));
                }
            }
        }
    }
    blocks
}

#[test]
fn the_guide_means_what_it_says() {
    check(
        "docs/language.md",
        include_str!("../../../docs/language.md"),
        15,
    );
    check("docs/plan.md", include_str!("../../../docs/plan.md"), 2);
}

fn check(path: &str, text: &str, least: usize) {
    let blocks = blocks(text);
    assert!(blocks.len() > least);
    for (line, info, text) in blocks {
        let evaluation = evaluate_files(&[("fleet.kdl", &text)]);
        match info.strip_prefix("must-fail ") {
            None => {
                assert_eq!(findings(&evaluation), Vec::<String>::new(), "{path}:{line}");
                let names: Vec<_> = evaluation
                    .fleet
                    .hosts
                    .iter()
                    .map(|host| &host.name)
                    .collect();
                assert!(!names.is_empty(), "{path}:{line} has no host");
            }
            Some(code) => {
                let found: Vec<String> = evaluation
                    .diagnostics
                    .iter()
                    .map(|f| f.code.to_string())
                    .collect();
                assert_eq!(found, [code], "{path}:{line}");
            }
        }
    }
}

#[test]
fn the_specs_that_ship_are_clean() {
    for (folder, hosts) in [("specs/lab", 40), ("specs/single", 1)] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let inputs = Inputs {
            disk: &RealDisk,
            root: &root,
            params: None,
            limits: Limits::default(),
        };
        let evaluation = evaluate(&inputs, &mut Cache::default());
        assert_eq!(findings(&evaluation), Vec::<String>::new(), "{folder}");
        assert_eq!(evaluation.fleet.hosts.len(), hosts, "{folder}");
        assert!(evaluation.complete);
    }
}
