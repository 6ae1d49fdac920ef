//! What is taken over from the last evaluation changes nothing but the time it takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::desired::{Desired, desired};
use crate::fleet::{Fields, to_kdl};

/// A project whose files are edited.
struct Project {
    disk: MemoryDisk,
    cache: Cache,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let mut project = Self {
            disk: MemoryDisk::new(),
            cache: Cache::default(),
        };
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    fn write(&mut self, path: &str, text: &str) {
        let path = Path::new("/spec").join(path);
        self.disk.write(path, format!("/- kdl-version 2\n{text}"));
    }

    fn evaluate(&mut self) -> Evaluation {
        let inputs = Inputs {
            disk: &self.disk,
            root: Path::new("/spec/fleet.kdl"),
            params: None,
            limits: Limits::default(),
        };
        evaluate(&inputs, &mut self.cache)
    }

    /// Evaluates with what is kept, and without; compares all that there is.
    fn checked(&mut self) -> Evaluation {
        let kept = std::mem::take(&mut self.cache);
        let fresh = self.evaluate();
        self.cache = kept;
        let evaluation = self.evaluate();
        assert_eq!(said(&evaluation), said(&fresh));
        assert_eq!(evaluation.diagnostics, fresh.diagnostics);
        assert_eq!(evaluation.complete, fresh.complete);
        assert_eq!(evaluation.watched, fresh.watched);
        assert_eq!(evaluation.fleet.digest(), fresh.fleet.digest());
        assert_eq!(to_kdl(&evaluation.fleet), to_kdl(&fresh.fleet));
        evaluation
    }
}

fn fields(out: &mut String, what: &str, fields: &Fields) {
    for found in fields.iter() {
        let (path, value, origin) = (&found.path.text, found.value, found.origin);
        writeln!(out, "  {what} {path} = {value} at {origin:?}").unwrap();
    }
}

/// All that an evaluation says, places included.
fn said(evaluation: &Evaluation) -> String {
    let Fleet {
        pools,
        hosts,
        held,
        racks,
        groups,
        images,
        paths,
        ..
    } = &*evaluation.fleet;
    let mut out = format!(
        "{:#?}\n{held:?}\n{racks:?}\n{groups:?}\n",
        findings(evaluation)
    );
    let mut keys: Vec<&str> = (0..paths.len() as u32)
        .map(|id| &*paths.get(crate::schema::PathId(id)).text)
        .collect();
    keys.sort_unstable();
    writeln!(out, "{keys:?}").unwrap();
    for host in hosts {
        let (name, rack, digest, origin) = (&host.name, &host.rack, host.digest, host.origin);
        writeln!(out, "{name} {rack:?} {digest} {origin:?} {:?}", host.facts).unwrap();
        fields(&mut out, "own", &host.fields);
        if let Some(candidate) = &host.pool {
            fields(&mut out, &candidate.pool, &candidate.fields);
        }
    }
    for pool in pools {
        writeln!(out, "{} {:?} {:?}", pool.name, pool.candidates, pool.origin).unwrap();
        fields(&mut out, "pool", &pool.fields);
    }
    for image in images {
        fields(&mut out, &image.name, &image.fields);
    }
    out
}

fn lowered(evaluation: &Evaluation, last: Option<&Desired>) -> Desired {
    let files = Arc::new(evaluation.files.clone());
    desired(&evaluation.fleet, &files, evaluation.complete, &[], last)
}

/// How many hosts two fleets share.
fn shared(one: &Evaluation, other: &Evaluation) -> usize {
    let is_in = |host: &&Arc<crate::fleet::Host>| {
        let mut others = other.fleet.hosts.iter();
        others.any(|other| Arc::ptr_eq(host, other))
    };
    one.fleet.hosts.iter().filter(is_in).count()
}

const ROOT: &str = r#"spec lab { lab #true; }
import "r*.kdl"
each { labels role=worker; }
image os { url "oci://example.net/a"; }
pool workers { select role=worker; replicas 3; deploy os { user-data (secret)"u-${host.name}"; }; }
"#;

fn rack(index: usize, more: &str) -> String {
    format!(
        "rack r{index} index={index} {{ each {{ labels rack=r{index}; }}; host \"r{index}-n[slot=1-3]\" {{ annotations a=b; }}; host r{index}-m slot=9; {more} }}\n"
    )
}

fn three() -> Project {
    let racks: Vec<String> = (1..=3).map(|index| rack(index, "")).collect();
    Project::new(&[
        ("fleet.kdl", ROOT),
        ("r1.kdl", &racks[0]),
        ("r2.kdl", &racks[1]),
        ("r3.kdl", &racks[2]),
    ])
}

#[test]
fn hosts_of_other_files_are_taken_over() {
    let mut project = three();
    let first = project.checked();
    assert_eq!(shared(&first, &project.checked()), 12);
    project.write("r2.kdl", &rack(2, "refine r2-n1 { annotations a=c; }"));
    let second = project.checked();
    assert_eq!(shared(&first, &second), 8);
    // Sites of what stands after it moved, keys came, and one goes.
    project.write("r1.kdl", &rack(1, "host r1-x slot=7 { labels new=x; }"));
    let third = project.checked();
    assert_eq!(shared(&second, &third), 8);
    project.write("r2.kdl", &rack(2, "each { labels newer=x; }"));
    let third = {
        let next = project.checked();
        assert_eq!(shared(&third, &next), 9);
        next
    };
    project.write("r1.kdl", &rack(1, ""));
    let fourth = project.checked();
    assert_eq!(shared(&third, &fourth), 0);
    // What an edit with an error kept off is there when it is mended.
    project.write("r3.kdl", &rack(3, "refine r3-n9 { online #false; }"));
    assert!(project.checked().has_errors());
    project.write("r3.kdl", &rack(3, "refine r3-n2 { online #false; }"));
    assert_eq!(shared(&fourth, &project.checked()), 8);
}

#[test]
fn what_reaches_hosts_from_elsewhere_has_them_evaluated() {
    let mut project = three();
    let first = project.checked();
    let edits = [
        (
            "r1.kdl",
            rack(1, "") + "refine \"r2-*\" { online #false; }\n",
            4,
        ),
        ("r1.kdl", rack(1, ""), 4),
        ("r1.kdl", rack(1, "") + "each { online #false; }\n", 0),
        ("r1.kdl", rack(1, ""), 0),
        ("fleet.kdl", ROOT.replace("worker", "other"), 0),
        ("fleet.kdl", ROOT.to_owned() + "param p 1\n", 0),
    ];
    let mut last = first;
    for (path, text, taken) in edits {
        project.write(path, &text);
        let next = project.checked();
        assert_eq!(shared(&last, &next), taken, "{text}");
        last = next;
    }
}

#[test]
fn what_is_shared_is_not_lowered_again() {
    let mut project = three();
    let first = lowered(&project.checked(), None);
    project.write("r2.kdl", &rack(2, "refine r2-n1 { annotations a=c; }"));
    let evaluation = project.checked();
    let second = lowered(&evaluation, Some(&first));
    let same = |(key, wanted): &(&crate::store::Key, &Arc<crate::desired::Wanted>)| {
        Arc::ptr_eq(&first.hosts[*key], wanted)
    };
    assert_eq!(second.hosts.iter().filter(same).count(), 11);
    assert_eq!(second.hosts, lowered(&evaluation, None).hosts);
    // An image says the same under another address.
    project.write("fleet.kdl", &ROOT.replace("/a\"", "/b\""));
    let evaluation = project.checked();
    let third = lowered(&evaluation, Some(&second));
    assert_eq!(third.hosts, lowered(&evaluation, None).hosts);
    assert_ne!(third.hosts, second.hosts);
}

/// Lines that do not meet one another, in the ways that each may be.
const LINES: &[&[&str]] = &[
    &[
        "description a",
        "description b",
        "description \"${rack.name}\"",
        "description #null",
    ],
    &[
        "labels role=worker",
        "labels role=storage",
        "labels role=#null",
    ],
    &[
        "labels x=\"1\"",
        "labels y=\"1\"",
        "labels z=\"1\"",
        "labels v=\"1\" x=\"2\"",
    ],
    &[
        "annotations a=\"${host.slot}\"",
        "annotations a=plain",
        "annotations b=two",
    ],
    &["boot mode=UEFI", "boot mode=legacy"],
    &["online #false", "online #true"],
    &["use p0", "use p1 a=x"],
    &[
        "when \"host.slot > 1\" { architecture x86_64; labels w=\"1\"; }",
        "architecture aarch64",
    ],
    &[
        "bmc address=\"10.0.${rack.index}.${host.slot}\" credentials=(secret)b",
        "bmc address=\"redfish://10.0.${rack.index}.${host.slot}/x\" credentials=(secret)b",
        "raid hardware { volume a level=\"1\"; }",
        "raid hardware { volume \"v${host.slot}\" level=\"5\"; }",
    ],
    &[
        "root-device serial=\"S${host.name}\"",
        "root-device rotational=#false",
    ],
];

fn lines() -> impl Strategy<Value = String> {
    let strength = select(vec!["", "", "", "", "(default)", "(force)"]);
    let line = (0usize..4, strength);
    prop::collection::btree_map(0..LINES.len(), line, 0..3).prop_map(|chosen: BTreeMap<_, _>| {
        let mut text = String::new();
        for (slot, (way, strength)) in chosen {
            let line = LINES[slot][way % LINES[slot].len()];
            let plain = line.starts_with("use") || line.starts_with("when");
            let strength = if plain { "" } else { strength };
            writeln!(text, "    {strength}{line}").unwrap();
        }
        text
    })
}

fn block(heads: Vec<String>) -> impl Strategy<Value = String> {
    (select(heads), lines()).prop_map(|(head, lines)| match head.as_str() {
        "" => String::new(),
        "let" => format!("let x {}\n", lines.len()),
        // What stands in no rack has no number of it.
        head if head.contains("loose") => format!("{head} {{\n    description loose\n}}\n"),
        head => format!("{head} {{\n{lines}}}\n"),
    })
}

fn heads(heads: &[&str]) -> Vec<String> {
    heads.iter().map(ToString::to_string).collect()
}

/// The file of a rack.
fn file(index: usize) -> impl Strategy<Value = String> {
    let inner = vec![
        String::new(),
        "refine \"*-n2\"".to_owned(),
        format!("refine \"r{index}*-m\""),
        "each".to_owned(),
        format!("host r{index}-x slot=8"),
    ];
    let loose = format!("host loose{index} slot=1");
    let top = heads(&[
        "",
        "",
        "",
        "",
        "",
        "let",
        "let",
        "refine \"*-n2\"",
        "refine \"*-n2\"",
        "refine \"r2*-m\"",
        "each",
        "profile p2",
        &loose,
        &loose,
    ]);
    let head = select(vec![
        format!("rack r{index} index={index}"),
        format!("rack r{index} index={index}"),
        format!("rack \"r{index}[k=1-2]\" index=\"${{rack.k + {index}0}}\""),
        format!("when \"param.big\" {{\nrack r{index} index={index}"),
    ]);
    (head, lines(), lines(), block(inner), block(top)).prop_map(
        move |(head, range, own, inner, top)| {
            let name = if head.contains("k=") {
                "${rack.name}".to_owned()
            } else {
                format!("r{index}")
            };
            let end = if head.starts_with("when") { "}\n" } else { "" };
            format!(
                "{head} {{\nhost \"{name}-n[slot=1-3]\" {{\n{range}}}\nhost \"{name}-m\" slot=9 {{\n{own}}}\n{inner}}}\n{end}{top}"
            )
        },
    )
}

/// Where all keys are met before the hosts are, edits bring no new ones.
const KEYS: &str = "profile keys {\nlabels role=k v=k w=k x=k y=k z=k p=k\nannotations a=k b=k p=k\nraid hardware { volume a level=\"1\"; volume b level=\"1\"; }\n}\n";

fn root() -> impl Strategy<Value = String> {
    let more = select(vec![
        "pool workers {\n select spare=y\n replicas 1\n deploy os {\n user-data (secret)\"u-${host.name}\"\n }\n}\n",
        "pool workers {\n select spare=y\n}\n",
        "pool workers {\n select role=worker\n}\n",
        "",
    ]);
    (lines(), more, any::<bool>()).prop_map(|(each, more, big)| {
        format!(
            "spec lab {{ lab #true; }}\nimport \"r*.kdl\"\nparam big #{big}\nlet x root\n\
             image os {{ url \"oci://example.net/a\"; }}\n{more}\
             profile p0 {{ labels p=\"0\"; }}\n\
             {}\
             profile p1 {{\nparam a\nannotations p=\"${{a}}\"\n}}\n\
             each {{\nlabels spare=y\n{}}}\n",
            if big { KEYS } else { "" },
            each.replace("use", "/- use")
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn edits_give_what_a_fresh_evaluation_gives(
        roots in prop::collection::vec(root(), 2),
        racks in prop::collection::vec((file(1), file(2), file(3)), 2),
        edits in prop::collection::vec((0usize..12, 0usize..2), 1..8),
    ) {
        let mut project = Project::new(&[
            ("fleet.kdl", &roots[0]),
            ("r1.kdl", &racks[0].0),
            ("r2.kdl", &racks[0].1),
            ("r3.kdl", &racks[0].2),
        ]);
        let mut last = lowered(&project.checked(), None);
        for (file, version) in edits {
            let (first, second, third) = &racks[version];
            match file {
                0 => project.write("fleet.kdl", &roots[version]),
                1..4 => project.write("r1.kdl", first),
                4..8 => project.write("r2.kdl", second),
                _ => project.write("r3.kdl", third),
            }
            let evaluation = project.checked();
            let next = lowered(&evaluation, Some(&last));
            let again = lowered(&evaluation, None);
            for (key, wanted) in &next.hosts {
                let fresh = &again.hosts[key];
                // Who keeps a seat is another matter.
                if wanted.pool == fresh.pool {
                    prop_assert_eq!(wanted, fresh);
                }
            }
            last = next;
        }
    }
}

/// The property would say little if nothing were ever taken over.
#[test]
fn random_edits_take_hosts_over() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let all = (root(), (file(1), file(2), file(3)), file(2));
    let (mut taken, mut warned) = (0, 0);
    for _ in 0..96 {
        let (root, (first, second, third), other) = all.new_tree(&mut runner).unwrap().current();
        let mut project = Project::new(&[
            ("fleet.kdl", &root),
            ("r1.kdl", &first),
            ("r2.kdl", &second),
            ("r3.kdl", &third),
        ]);
        let before = project.checked();
        project.write("r2.kdl", &other);
        let after = project.checked();
        if shared(&before, &after) > 0 {
            taken += 1;
            warned += usize::from(!after.diagnostics.is_empty());
        }
    }
    assert!(
        taken > 8 && warned > 4,
        "{taken} taken over, {warned} of them with warnings"
    );
}
