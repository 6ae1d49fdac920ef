//! `crd`: all, some, into files.

use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;

use crate::project::{Project, text};

/// Names of the CRDs in a stream of YAML documents.
fn names(yaml: &str) -> Vec<String> {
    let documents = yaml.split("---\n").filter(|document| !document.is_empty());
    let crds = documents.map(|document| serde_yaml_ng::from_str::<Value>(document).unwrap());
    crds.map(|crd| {
        assert_eq!(crd["kind"], "CustomResourceDefinition");
        text(&crd["metadata"]["name"])
    })
    .collect()
}

#[test]
fn all_of_them_are_one_stream() {
    let done = Project::empty().run(&["crd"]).code(0);
    assert!(done.out.starts_with("---\n"), "as `render` begins");
    assert_snapshot!(names(&done.out).join("\n"), @r"
    baremetalhosts.metal3.io
    hardwaredata.metal3.io
    hostfirmwaresettings.metal3.io
    firmwareschemas.metal3.io
    hostfirmwarecomponents.metal3.io
    hostupdatepolicies.metal3.io
    preprovisioningimages.metal3.io
    dataimages.metal3.io
    fleets.metalform.dev
    ");
    assert_eq!(done.err, "");
}

#[test]
fn some_of_them_go_by_any_name() {
    let project = Project::empty();
    let of = |args: &[&str]| {
        let mut all = vec!["crd"];
        all.extend(args);
        names(&project.run(&all).code(0).out).join(" ")
    };
    for fleet in ["fleets", "Fleet", "MFF", "fleet", "fleets.metalform.dev"] {
        assert_eq!(of(&[fleet]), "fleets.metalform.dev", "{fleet}");
    }
    // In one order whatever the order of the names, and each once.
    assert_eq!(
        of(&["mff", "hfs", "Fleet", "bmh"]),
        "baremetalhosts.metal3.io hostfirmwaresettings.metal3.io fleets.metalform.dev"
    );
}

#[test]
fn a_name_that_is_none_is_1_and_prints_nothing() {
    let done = Project::empty()
        .run(&["crd", "fleets", "dataimags"])
        .code(1);
    assert_eq!(done.out, "");
    assert_snapshot!(done.err, @"
    error: no CRD is called `dataimags`; did you mean `DataImage`?
      help: there are baremetalhosts, hardwaredata, hostfirmwaresettings, firmwareschemas, hostfirmwarecomponents, hostupdatepolicies, preprovisioningimages, dataimages, fleets
    ");
}

#[test]
fn files_are_those_of_the_repository() {
    let project = Project::empty();
    let done = project.run(&["crd", "--dir", "out/crds"]).code(0);
    assert_eq!(done.out, "");
    assert_snapshot!(done.err, @"wrote 9 files to out/crds");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let mut count = 0;
    for file in std::fs::read_dir(repository).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let written = project.read(&format!("out/crds/{name}"));
        assert!(
            written == std::fs::read_to_string(&path).unwrap(),
            "{name} differs"
        );
        count += 1;
    }
    let written = std::fs::read_dir(project.path("out/crds")).unwrap();
    assert_eq!((count, written.count()), (9, 9));
}

#[test]
fn a_folder_that_cannot_be_written_is_2() {
    let project = Project::empty();
    project.write("taken", "a file");
    let done = project.run(&["crd", "mff", "--dir", "taken"]).code(2);
    assert_snapshot!(done.err, @"error: cannot write taken: File exists (os error 17)");
}
