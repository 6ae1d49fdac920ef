//! Faults of simulated machines: where they are read from, and where each stands.

use super::*;

const HEAD: &str = "/- kdl-version 2\n";

fn spec(simulated: &str) -> String {
    format!("{HEAD}spec a {{ simulated {{ {simulated}; }}; }}\n")
}

/// Each fault, and the text at its place.
fn faults(found: &Evaluation) -> Vec<(String, String)> {
    let simulation = found.fleet.simulation.as_ref().unwrap();
    assert_eq!(simulation.faults.len(), found.fleet.faults.len());
    let faults = simulation.faults.iter().zip(&found.fleet.faults);
    let written = |origin: &crate::fleet::Origin| {
        let place = origin.place();
        let text = &found.files.text(place.file)[place.span.range()];
        format!("{}: {text}", origin.show(&found.files))
    };
    faults
        .map(|(fault, origin)| (fault.to_string(), written(origin)))
        .collect()
}

#[test]
fn lines_of_a_script_come_first_each_with_its_place() {
    let root = spec("script \"sim/faults.txt\"; faults \"fail power n1\" \"fail power\"");
    let script = "# what happens\n\n  limit deploy 3 # few\nfail deploy * once\r\n";
    let found = evaluate_files(&[("fleet.kdl", &root), ("sim/faults.txt", script)]);
    assert_eq!(findings(&found), [""; 0]);
    let pair = |fault: &str, at: &str| (fault.to_owned(), format!("{at}: {fault}"));
    assert_eq!(
        faults(&found),
        [
            pair("limit deploy 3", "sim/faults.txt:3"),
            pair("fail deploy * once", "sim/faults.txt:4"),
            pair("fail power n1", "fleet.kdl:2"),
            pair("fail power", "fleet.kdl:2"),
        ]
    );
    let second = found.fleet.faults[3].span;
    assert!(second.start > found.fleet.faults[2].span.end);
    assert!(found.watched.contains(&"/spec/sim/faults.txt".into()));
    // Written out, all of it is in one text.
    let kdl = crate::fleet::to_kdl(&found.fleet);
    let again = evaluate_files(&[("fleet.kdl", &kdl)]);
    assert_eq!(again.fleet.digest(), found.fleet.digest());
}

#[test]
fn a_fault_that_is_escaped_stands_where_all_of_them_do() {
    let found = evaluate_files(&[("fleet.kdl", &spec(r#"faults "fail \u{70}ower n1""#))]);
    assert_eq!(faults(&found)[0].0, "fail power n1");
    assert!(faults(&found)[0].1.ends_with(r#""fail \u{70}ower n1""#));
}

#[test]
fn what_is_commented_out_is_no_fault() {
    let list = r#"faults "limit deploy 3" /-"fail power n1 once" "fail power n1""#;
    let found = evaluate_files(&[("fleet.kdl", &spec(list))]);
    let said: Vec<String> = faults(&found).into_iter().map(|(fault, _)| fault).collect();
    assert_eq!(said, ["limit deploy 3", "fail power n1"]);
    let whole = &found.fleet.faults;
    assert_eq!(whole[0].span, whole[1].span, "which is which is not told");
    // One line is the beginning of the other.
    let list = r#"faults "fail power n1 once" "fail power n1""#;
    let found = evaluate_files(&[("fleet.kdl", &spec(list))]);
    let written = |fault: &str| (fault.to_owned(), format!("fleet.kdl:2: {fault}"));
    assert_eq!(
        faults(&found),
        [written("fail power n1 once"), written("fail power n1")]
    );
}

#[test]
fn a_script_stands_beside_the_file_that_names_it() {
    let found = evaluate_files(&[
        ("fleet.kdl", &format!("{HEAD}import \"common/*.kdl\"\n")),
        ("common/spec.kdl", &spec("script \"faults.txt\"")),
        ("common/faults.txt", "limit deploy 3\n"),
    ]);
    assert_eq!(findings(&found), [""; 0]);
    assert_eq!(faults(&found).len(), 1);
}

#[test]
fn the_name_of_a_script_is_no_expression() {
    let found = evaluate_files(&[("fleet.kdl", &spec("script \"${param.stage}.txt\""))]);
    let said = findings(&found).join("\n");
    assert!(
        said.contains("MF2302 fleet.kdl:2: a script is read before"),
        "{said}"
    );
    assert!(!said.contains("MF2207"), "{said}");
}

#[test]
fn a_script_is_read_as_all_files_of_a_spec_are() {
    let found = |script: &str, disk: &dyn Fn(&mut MemoryDisk)| {
        let mut files = MemoryDisk::new();
        files.write("/spec/fleet.kdl", spec(&format!("script \"{script}\"")));
        files.write("/elsewhere/netrc", "machine a password b");
        disk(&mut files);
        let inputs = Inputs {
            disk: &files,
            root: Path::new("/spec/fleet.kdl"),
            params: None,
            limits: Limits::default(),
        };
        let found = evaluate(&inputs, &mut Cache::default());
        assert!(!found.complete);
        // What mends an import mends no script.
        assert!(
            found
                .diagnostics
                .iter()
                .all(|finding| finding.fixes.is_empty())
        );
        found
    };
    let said =
        |script: &str, disk: &dyn Fn(&mut MemoryDisk)| findings(&found(script, disk)).join("\n");
    insta::assert_snapshot!(said("gone.txt", &|_| ()), @"MF2207 fleet.kdl:2: no file at `gone.txt`");
    insta::assert_snapshot!(said("../elsewhere/netrc", &|_| ()), @"MF2207 fleet.kdl:2: `../elsewhere/netrc` leads outside the project, and nothing there is read");
    let link = |disk: &mut MemoryDisk| disk.link("/spec/link.txt", "/elsewhere/netrc");
    insta::assert_snapshot!(said("link.txt", &link), @"MF2207 fleet.kdl:2: `link.txt` leads outside the project, and nothing there is read");
    let folder = |disk: &mut MemoryDisk| disk.write("/spec/sim/a.txt", "");
    insta::assert_snapshot!(said("sim", &folder), @"MF2207 fleet.kdl:2: `sim` is a folder");
}
