//! `check`: exit codes and formats.

use insta::assert_snapshot;
use serde_json::Value;

use crate::project::Project;

const MISSPELLED: &str = "spec small { simulated; }\nhost h1 { onlin #true; }\n";

#[test]
fn a_good_spec_is_0() {
    let done = Project::workers().run(&["check"]).code(0);
    assert_eq!(done.out, "");
    assert!(
        done.err.starts_with("no findings; 4 hosts in 1 file,"),
        "{}",
        done.err
    );
    let done = Project::lab(1)
        .run(&["check", "--deny-warnings", "--quiet"])
        .code(0);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("", ""));
}

#[test]
fn an_error_is_1_in_all_formats() {
    let project = Project::of(MISSPELLED);
    let full = project.run(&["check"]).code(1);
    assert_snapshot!(full.out, @r"
        error[MF2002]: a host has no field `onlin`
           ╭─[fleet.kdl:3:11]
         2 │ spec small { simulated; }
         3 │ host h1 { onlin #true; }
           ·           ─────
           ╰────
          help: did you mean `online`?
          fix: write `online`
        ");
    let concise = project
        .run(&["check", "--output-format", "concise"])
        .code(1);
    assert_snapshot!(concise.out, @"fleet.kdl:3:11: error[MF2002] a host has no field `onlin`");
    assert_eq!(concise.err, "");
    let json = project.run(&["check", "--output-format", "json"]).code(1);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["format_version"], "1.0");
    assert_eq!(json["diagnostics"][0]["primary"]["start"]["line"], 3);
}

#[test]
fn a_warning_is_0_and_1_when_denied() {
    let project = Project::empty();
    project.write("fleet.kdl", "spec small { simulated; }\n");
    let done = project
        .run(&["check", "--output-format", "concise"])
        .code(0);
    assert_snapshot!(done.out, @"fleet.kdl:1:1: warning[MF1031] the file does not say which KDL it is");
    project.run(&["check", "--deny-warnings"]).code(1);
}

#[test]
fn no_spec_is_2_and_json_all_the_same() {
    let done = Project::empty()
        .run(&["check", "nowhere", "--output-format", "json"])
        .code(2);
    let json: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(json["failure"], "no spec at nowhere");
    assert_snapshot!(done.err, @r"
        error: no spec at nowhere
          help: name a folder with a `fleet.kdl`, or a KDL file; `specs/single` is an example
        ");
}

#[test]
fn wrong_usage_is_2() {
    let project = Project::empty();
    project.run(&["check", "--output-format", "xml"]).code(2);
    project.run(&["destroy-everything"]).code(2);
    project.run(&["check", "--params", "nowhere.kdl"]).code(2);
    project.run(&["--version"]).code(0);
}

#[test]
fn rules_and_reasons_are_explained() {
    let project = Project::empty();
    for subject in ["MF1001", "CredentialsMissing"] {
        let done = project.run(&["explain", subject]).code(0);
        assert!(done.out.starts_with(subject), "{}", done.out);
    }
    project.run(&["explain", "MF9999"]).code(1);
    project.run(&["explain", "something"]).code(2);
}

#[test]
fn a_folder_without_a_root_file_is_no_spec() {
    let project = Project::empty();
    project.write("nodes.kdl", "host n1\n");
    for verb in ["check", "plan", "render", "run"] {
        insta::allow_duplicates! {
        let done = project.run(&[verb, "."]).code(2);
        assert_snapshot!(done.err, @r"
        error: no `fleet.kdl` in .
          help: if ./nodes.kdl is the root file, name it, or call it `fleet.kdl`
        ");
        }
    }
}

#[test]
fn what_run_would_not_play_is_found_before() {
    let said = |spec: &str| {
        let project = Project::of(spec);
        project.write("faults.txt", "limit inspect 3\n\nfail power");
        project.run(&["run"]).code(3);
        let done = project.run(&["check"]).code(1);
        done.out
    };
    assert_snapshot!(said("spec a { simulated { faults \"limit inspect 3\" \"fail powr r1\"; }; }\n"), @r#"
    error[MF7121]: `powr` is not known here
       ╭─[fleet.kdl:2:53]
     1 │ /- kdl-version 2
     2 │ spec a { simulated { faults "limit inspect 3" "fail powr r1"; }; }
       ·                                                     ────
       ╰────
      help: it is one of `verify`, `inspect`, `clean`, `deploy`, `undeploy`, `adopt` and `power`
    "#);
    assert_snapshot!(said("spec a { simulated { script \"faults.txt\"; }; }\n"), @r#"
    error[MF7121]: the line ends too early
       ╭─[faults.txt:3:1]
     2 │ 
     3 │ fail power
       · ──────────
       ╰────
      help: name the hosts, e.g. `r01-n03`, `r01-n[01-04]` or `*`
    "#);
    assert_snapshot!(said("spec a { simulated; }\nironic i { url \"http://127.0.0.1:1\"; }\n"), @r#"
    error[MF7120]: the machines are simulated, and those of ironic `i`
       ╭─[fleet.kdl:2:10]
     1 │ /- kdl-version 2
     2 │ spec a { simulated; }
       ·          ────┬────
       ·              ╰── simulated
     3 │ ironic i { url "http://127.0.0.1:1"; }
       ·        ┬
       ·        ╰── in the books of an Ironic
       ╰────
      help: leave one of them out: invented machines have no place in an Ironic
    "#);
}

#[test]
fn a_password_in_a_spec_is_not_shown() {
    let project = Project::of(
        "spec a { simulated; }\nhost n1 {\n    bmc address=\"ipmi://127.0.0.1\" username=root password=\"calvin\"\n    onlin #true\n}\nhost n2 {\n    bmc address=\"ipmi://root:calvin@127.0.0.1\" credentials=(secret)bmc\n}\n",
    );
    for format in ["full", "concise", "json"] {
        let done = project.run(&["check", "--output-format", format]).code(1);
        assert!(!done.out.contains("calvin"), "{}", done.out);
        assert!(!done.err.contains("calvin"), "{}", done.err);
    }
}
