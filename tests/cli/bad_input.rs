//! Bad input: each is a finding at its place, never a crash, and nothing outside is read.

use std::fs;

use insta::assert_snapshot;

use crate::project::Project;

/// What `check` finds, one line each.
fn found(project: &Project) -> String {
    project
        .run(&["check", "--output-format", "concise"])
        .code(1)
        .out
}

#[test]
fn a_folder_in_the_place_of_a_file() {
    let project = Project::empty();
    fs::create_dir(project.path("fleet.kdl")).unwrap();
    assert_snapshot!(found(&project), @"fleet.kdl:1:1: error[MF2207] the spec cannot be read: `[project]/fleet.kdl` is a folder; name a file, or `[project]/fleet.kdl/*.kdl` for the files in it");
}

#[test]
fn a_file_that_is_not_utf8() {
    let project = Project::empty();
    fs::write(project.path("fleet.kdl"), b"spec a\xff { simulated; }\n").unwrap();
    assert_snapshot!(found(&project), @"fleet.kdl:1:1: error[MF1040] the spec cannot be read: `[project]/fleet.kdl` is not UTF-8: byte 6 begins no character; save it as UTF-8");
}

#[test]
fn a_file_of_100_mb() {
    let project = Project::empty();
    let file = fs::File::create(project.path("fleet.kdl")).unwrap();
    file.set_len(100 << 20).unwrap();
    assert_snapshot!(found(&project), @"fleet.kdl:1:1: error[MF9001] the spec cannot be read: `[project]/fleet.kdl` is larger than 16777216 bytes; split it");
}

#[test]
fn an_import_that_is_not_there() {
    let project = Project::of("spec a { simulated; }\nimport \"gone.kdl\"\n");
    assert_snapshot!(found(&project), @"fleet.kdl:3:8: error[MF2207] no file at `gone.kdl`");
}

#[test]
fn imports_in_a_circle() {
    let project = Project::of("spec a { simulated; }\nimport \"b.kdl\"\n");
    project.write("b.kdl", "/- kdl-version 2\nimport \"fleet.kdl\"\n");
    assert_snapshot!(found(&project), @"b.kdl:2:8: error[MF2207] imports in a circle: fleet.kdl -> b.kdl -> fleet.kdl");
}

#[test]
fn a_link_out_of_the_project() {
    let project = Project::of("spec a { simulated; }\nimport \"b.kdl\"\n");
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("b.kdl"), "/- kdl-version 2\nhost h1\n").unwrap();
    std::os::unix::fs::symlink(outside.path().join("b.kdl"), project.path("b.kdl")).unwrap();
    assert_snapshot!(found(&project), @"fleet.kdl:3:8: error[MF2207] `b.kdl` leads outside the project, and nothing there is read");
}

#[test]
fn a_range_of_a_billion() {
    let project = Project::of("spec a { simulated; }\nhost \"h[1-1000000000]\"\n");
    assert_snapshot!(found(&project), @"fleet.kdl:3:8: error[MF9004] the range makes 1,000,000,000 names, the limit is 65,536");
}

#[test]
fn two_hosts_with_one_name_mac_or_bmc() {
    let host = |name: &str, bmc: u8, mac: u8| {
        format!(
            "host {name} {{ bmc address=\"redfish://10.0.0.{bmc}/a\" credentials=(secret)b; \
             boot mac=\"52:54:00:00:00:{mac:02}\"; }}\n"
        )
    };
    let hosts = [
        host("h1", 1, 1),
        host("h1", 2, 2),
        host("h2", 3, 3),
        host("h3", 4, 3),
        host("h4", 3, 5),
    ];
    let project = Project::of(&format!("spec a {{ simulated; }}\n{}", hosts.concat()));
    assert_snapshot!(found(&project), @r#"
        fleet.kdl:4:6: error[MF2102] host `h1` is declared twice
        fleet.kdl:6:78: error[MF3505] hosts `h[2-3]` share the boot MAC address "52:54:00:00:00:03"
        fleet.kdl:7:23: error[MF3203] hosts `h[2,4]` share the BMC address "redfish://10.0.0.3/a"
        "#);
}

#[test]
fn a_spec_that_names_no_machines_is_refused() {
    let project = Project::workers();
    project.edit("fleet.kdl", "simulated pace=50; ", "");
    project.run(&["check"]).code(0);
    let done = project.run(&["run", "--until-settled"]).code(3);
    assert_snapshot!(done.err, @r#"
        error: the spec does not say what drives its machines
          help: add `ironic NAME { url "http://…" }` (or give --ironic URL); for machines that are only simulated say so in the spec: `spec NAME { simulated }`
        "#);
    assert!(project.names().is_empty());
}
