//! Every `kdl` block in the documentation is a spec of its own that evaluates without errors. A
//! block that is there to show a mistake says which: `kdl must-fail MF2002`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use metalform::diag::render::render_concise;
use metalform::eval::{Cache, Inputs, Limits, evaluate};
use metalform::vfs::RealDisk;

/// A fenced block.
struct Block {
    /// `README.md:8`.
    place: String,
    /// The code that it has to give.
    must_fail: Option<String>,
    text: String,
}

/// All KDL blocks of a document. Fences may be indented, as in lists.
fn blocks(name: &str, text: &str) -> Vec<Block> {
    let mut all = Vec::new();
    let mut open: Option<(usize, Option<Block>)> = None;
    for (index, line) in text.lines().enumerate() {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        match (&mut open, body.strip_prefix("```")) {
            (None, Some(info)) => {
                let mut words = info.split_whitespace();
                let block = (words.next() == Some("kdl")).then(|| {
                    let place = format!("{name}:{}", index + 1);
                    let must_fail = match (words.next(), words.next(), words.next()) {
                        (None, ..) => None,
                        (Some("must-fail"), Some(code), None) => Some(code.to_owned()),
                        _ => panic!("{place}: not understood: {info}"),
                    };
                    Block {
                        place,
                        must_fail,
                        text: String::new(),
                    }
                });
                open = Some((indent, block));
            }
            (Some(_), Some("")) => all.extend(open.take().and_then(|(_, block)| block)),
            (Some((indent, Some(block))), _) => {
                block.text.push_str(line.get(*indent..).unwrap_or_default());
                block.text.push('\n');
            }
            (Some((_, None)) | None, _) => {}
        }
    }
    assert!(open.is_none(), "{name}: a block is not closed");
    all
}

/// README, CONTRIBUTING and all of `docs`, in order.
fn documents() -> Vec<PathBuf> {
    fn below(dir: &Path, all: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, all);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                all.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    below(&root.join("docs"), &mut all);
    all.sort();
    all
}

/// What is wrong with a block; nothing when it is as it says.
fn wrong(block: &Block) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("fleet.kdl"), &block.text).unwrap();
    let inputs = Inputs {
        disk: &RealDisk,
        root: dir.path(),
        params: None,
        limits: Limits::default(),
    };
    let evaluation = evaluate(&inputs, &mut Cache::default());
    let mut found = String::new();
    render_concise(&mut found, &evaluation.files, &evaluation.diagnostics).unwrap();
    match &block.must_fail {
        None if !evaluation.has_errors() && evaluation.complete => None,
        None => Some(format!("{}: has to evaluate:\n{found}", block.place)),
        Some(code) => {
            let gives = evaluation
                .diagnostics
                .iter()
                .any(|one| one.code.to_string() == *code);
            (!gives).then(|| format!("{}: has to give {code}, gives:\n{found}", block.place))
        }
    }
}

#[test]
fn blocks_are_as_they_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut report = String::new();
    let mut count = 0;
    for path in documents() {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        for block in blocks(&name, &fs::read_to_string(&path).unwrap()) {
            count += 1;
            if let Some(wrong) = wrong(&block) {
                writeln!(report, "{wrong}").unwrap();
            }
        }
    }
    assert!(report.is_empty(), "{report}");
    assert!(count >= 2, "the README has blocks, {count} were found");
}

#[test]
fn blocks_are_found_and_judged() {
    let text = "a\n```kdl\nspec a { simulated; }\n```\n- b\n  ```kdl must-fail MF2002\n  spec a { simulated; }\n  \
                host h { onlin #true; }\n  ```\n```sh\n```\n";
    let all = blocks("a.md", text);
    let places: Vec<_> = all.iter().map(|block| block.place.as_str()).collect();
    assert_eq!(places, ["a.md:2", "a.md:6"]);
    assert!(all.iter().all(|block| wrong(block).is_none()));
    assert!(
        wrong(&Block {
            must_fail: None,
            ..blocks("a.md", text).pop().unwrap()
        })
        .is_some()
    );
}
