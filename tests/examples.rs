//! The programs under `examples/` do what they say.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::{Command, Output};

/// Runs an example on a spec; cargo builds it where that was not done yet.
fn example(name: &str, spec: &str) -> Output {
    Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--example", name, "--", spec])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_engine_runs_inside_another_program() {
    // A copy with faster machines.
    let dir = tempfile::tempdir().unwrap();
    let single = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/single");
    let text_of = |name: &str| std::fs::read_to_string(single.join(name)).unwrap();
    let fleet = text_of("fleet.kdl").replace("{ simulated; ", "{ simulated pace=50; ");
    std::fs::write(dir.path().join("fleet.kdl"), fleet).unwrap();
    std::fs::create_dir_all(dir.path().join("secrets/bmc")).unwrap();
    for key in ["username", "password"] {
        std::fs::write(dir.path().join("secrets/bmc").join(key), "lab").unwrap();
    }
    let done = example("embed", dir.path().to_str().unwrap());
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(text(&done.stdout), "web-1 provisioned\n");
}

#[test]
fn a_lint_of_ones_own_finds_what_it_is_for() {
    let done = example("lint", "specs/single");
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
    assert!(
        text(&done.stdout).contains("MF60001"),
        "{}",
        text(&done.stdout)
    );
    let done = example("lint", "specs/lab");
    assert!(done.status.success(), "{}", text(&done.stdout));
}
