//! Scripts and options as they are read.

use super::*;

#[test]
fn scripts_tell_where_they_are_wrong() {
    let wrong = |line: &str| fault::script("faults.txt", line).unwrap_err().to_string();
    assert_snapshot!(wrong("\n# a comment\n  fail deploi r01-n03 once"), @r"
    faults.txt:3:8: `deploi` is not known here
      |   fail deploi r01-n03 once
      = help: it is one of `verify`, `inspect`, `clean`, `deploy`, `undeploy`, `adopt` and `power`
    ");
    assert_snapshot!(wrong("lose node r01-n05 at 20"), @r"
    faults.txt:1:22: `20` is not a time
      | lose node r01-n05 at 20
      = help: a time is a whole number with its unit, e.g. `500ms`, `20s`, `5m` or `1h`
    ");
    assert_snapshot!(wrong("fail deploy r01-n[3-1]"), @r"
    faults.txt:1:19: the range runs backwards, from 3 to 1
      | fail deploy r01-n[3-1]
      = help: name the hosts, e.g. `r01-n03`, `r01-n[01-04]` or `*`
    ");
    assert_snapshot!(wrong("api slow"), @r"
    faults.txt:1:9: the line ends too early
      | api slow
      = help: a time is a whole number with its unit, e.g. `500ms`, `20s`, `5m` or `1h`
    ");
    assert_snapshot!(wrong("api down from 40s to 10s"), @r"
    faults.txt:1:22: it ends before it begins
      | api down from 40s to 10s
      = help: times count from the start
    ");
    assert_snapshot!(wrong("fail power r01-n03 3 days"), @r"
    faults.txt:1:22: `days` is not known here
      | fail power r01-n03 3 days
      = help: how often is `once`, `always`, `3 times` or `2%`
    ");
    assert_snapshot!(wrong("slow bmc r01-n07 10"), @r"
    faults.txt:1:18: `10` is not a factor
      | slow bmc r01-n07 10
      = help: how many times as slow, e.g. `10x`; at most `1000x`
    ");
    assert_snapshot!(wrong("busy r01-n02 2 times more"), @r"
    faults.txt:1:22: `more` is too much
      | busy r01-n02 2 times more
      = help: nothing more is expected; one rule a line, comments begin with `#`
    ");
    assert_snapshot!(wrong("limit deploy 0"), @r"
    faults.txt:1:14: `0` is not a number from 1
      | limit deploy 0
      = help: how many machines at once, e.g. `limit deploy 20`
    ");
    assert_snapshot!(wrong("explode"), @r"
    faults.txt:1:1: `explode` is not known here
      | explode
      = help: a line begins with `fail`, `slow`, `lose`, `wrong`, `busy`, `api`, `limit` or `take`, e.g. `fail deploy r01-n03 once`
    ");
}

#[test]
fn options_come_from_the_spec() {
    let mut spec = crate::fleet::Simulation {
        pace: Some(4),
        seed: 9,
        faults: ["limit deploy 3", "fail deploy * once", "fail power n1"]
            .map(Into::into)
            .to_vec(),
        fault_percent: 2,
    };
    let options = Options::from_spec(&spec).unwrap();
    assert_eq!(
        (options.pace, options.seed, options.fault_permille),
        (4, 9, 20)
    );
    assert_eq!((options.rules.len(), options.limits.deploy), (2, 3));
    let refused =
        |spec: &crate::fleet::Simulation| Options::from_spec(spec).unwrap_err().to_string();
    spec.faults.push("fail power".into());
    assert_snapshot!(refused(&spec), @r"
    fault 4: the spec:1:11: the line ends too early
      | fail power
      = help: name the hosts, e.g. `r01-n03`, `r01-n[01-04]` or `*`
    ");
    spec.pace = Some(0);
    assert_snapshot!(refused(&spec), @r"`pace` is 0: nothing would ever happen; 1 is a lab's pace, 10 is ten times as fast");
}

#[test]
fn every_rule_in_the_guide_can_be_read() {
    let guide = include_str!("../../../../docs/simulation.md");
    let mut blocks = guide.split("\n```\n");
    // The first block without a language is the one with the rules.
    let rules = blocks
        .find(|block| block.starts_with("fail power"))
        .unwrap();
    let read = fault::script("docs/simulation.md", rules).unwrap();
    let lines = rules.lines().filter(|line| !line.trim().is_empty()).count();
    assert_eq!(read.len(), lines);
    assert!(lines > 20);
    // The spec there says what it seems to say.
    let spec = guide
        .split("```kdl\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let disk = crate::vfs::MemoryDisk::new().with("/lab/fleet.kdl", spec);
    let inputs = crate::eval::Inputs {
        disk: &disk,
        root: std::path::Path::new("/lab"),
        params: None,
        limits: crate::eval::Limits::default(),
    };
    let found = crate::eval::evaluate(&inputs, &mut crate::eval::Cache::default());
    assert!(found.diagnostics.is_empty(), "{:?}", found.diagnostics);
    let spec = found.fleet.simulation.clone().unwrap();
    let options = Options::from_spec(&spec).unwrap();
    assert_eq!(
        (options.rules.len(), options.fault_permille, options.pace),
        (2, 20, 1)
    );
    // The grammar there is the one beside the reader.
    let reader = include_str!("../fault/parse.rs");
    let grammar = guide
        .split("```text\n")
        .find(|block| block.starts_with("rule   ="))
        .unwrap();
    for line in grammar.split("```").next().unwrap().lines() {
        assert!(reader.contains(line), "{line}");
    }
}
