//! The theorems of language.md section 7, on random specs: order freedom, determinism, locality,
//! closure, fault isolation.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::fleet::to_kdl;

/// A spec in pieces that may stand in any order.
#[derive(Debug, Clone)]
struct Pieces {
    /// At the top of any file.
    top: Vec<String>,
    /// Racks with what stands in them.
    racks: Vec<(String, Vec<String>)>,
}

impl Pieces {
    /// As files: pieces by turns in `files` files, imported by the first.
    fn files(&self, files: usize) -> Vec<(String, String)> {
        let mut out: Vec<(String, String)> = (0..files)
            .map(|index| {
                let name = if index == 0 {
                    "fleet.kdl".into()
                } else {
                    format!("part{index}.kdl")
                };
                (name, "/- kdl-version 2\n".to_owned())
            })
            .collect();
        for index in (1..files).rev() {
            writeln!(out[0].1, "import \"part{index}.kdl\"").unwrap();
        }
        let racks = self.racks.iter().map(|(head, inner)| {
            let mut text = format!("{head} {{\n");
            for piece in inner {
                text.push_str(piece);
            }
            text.push_str("}\n");
            text
        });
        for (index, piece) in self.top.iter().cloned().chain(racks).enumerate() {
            out[index % files].1.push_str(&piece);
        }
        out
    }

    fn evaluate(&self, files: usize) -> Evaluation {
        let files = self.files(files);
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        evaluate_files(&files)
    }
}

/// What must not depend on order: digests, who is held, and which rules fired.
fn essence(evaluation: &Evaluation) -> (Vec<String>, Vec<String>, BTreeSet<u16>) {
    let fleet = &evaluation.fleet;
    (
        fleet
            .hosts
            .iter()
            .map(|host| format!("{} {}", host.name, host.digest))
            .collect(),
        fleet
            .held
            .iter()
            .map(|held| held.name.to_string())
            .collect(),
        codes(evaluation).into_iter().collect(),
    )
}

fn line() -> impl Strategy<Value = String> {
    let strength = select(vec![
        "",
        "",
        "",
        "(default)",
        "(default)",
        "(force)",
        "(final)",
    ]);
    let field = select(vec![
        "boot mode=UEFI",
        "boot mode=legacy",
        "description a",
        "description \"${rack.name}\"",
        "description #null",
        "labels role=worker",
        "labels role=storage",
        "labels rack=\"${rack.name}\" slot=\"${host.slot}\"",
        "labels #null",
        "root-device vendor=acme",
        "root-device vendor=other rotational=#true",
        "root-device #null",
        "raid hardware { volume root level=\"1\"; }",
        "raid hardware { volume root #null; volume data level=\"5\" size=(GiB)10; }",
        "raid software { volume a level=\"1\" { disk hctl=\"0:0:0:0\"; disk hctl=\"0:0:0:1\"; }; }",
        "raid #null",
        "taint a effect=NoSchedule",
        "online #false",
        "boot mac=\"${mac('52:54:00:00:00:00', rack.index * 100 + host.slot)}\"",
    ]);
    (strength, field).prop_map(|(strength, field)| format!("    {strength}{field}\n"))
}

fn body() -> impl Strategy<Value = String> {
    let extra = prop_oneof![
        6 => Just(String::new()),
        2 => select(vec!["    use p0\n", "    use p1\n", "    use p2 a=x\n"]).prop_map(String::from),
        1 => line().prop_map(|line| format!("    when \"host.slot > 1\" {{\n{line}    }}\n")),
    ];
    (prop::collection::vec(line(), 0..4), extra).prop_map(|(lines, extra)| lines.concat() + &extra)
}

fn block(head: &'static str) -> impl Strategy<Value = String> {
    body().prop_map(move |body| format!("{head} {{\n{body}}}\n"))
}

fn rack(index: usize) -> impl Strategy<Value = (String, Vec<String>)> {
    let hosts =
        body().prop_map(move |body| format!("host \"r{index}-n[slot=1-3]\" {{\n{body}}}\n"));
    let eaches = prop::collection::vec(block("each"), 0..3);
    let refine = select(vec![
        format!("refine r{index}-n2"),
        format!("refine \"r{index}-n[1-2]\""),
        "refine \"*-n3\"".to_owned(),
    ]);
    let refines = prop::collection::vec(
        (refine, body()).prop_map(|(head, body)| format!("{head} {{\n{body}}}\n")),
        0..3,
    );
    (hosts, eaches, refines).prop_map(move |(hosts, eaches, refines)| {
        let inner = std::iter::once(hosts)
            .chain(eaches)
            .chain(refines)
            .collect();
        (format!("rack r{index} index={index}"), inner)
    })
}

fn pieces() -> impl Strategy<Value = Pieces> {
    let lines = || prop::collection::vec(line(), 0..3).prop_map(|lines| lines.concat());
    let profiles = (lines(), lines(), lines()).prop_map(|(a, b, c)| {
        vec![
            format!("profile p0 {{\n{a}}}\n"),
            format!("profile p1 {{\n    use p0\n{b}}}\n"),
            format!("profile p2 {{\n    param a\n    param b \"${{a}}-${{host.slot}}\"\n    annotations note=\"${{b}}\"\n{c}}}\n"),
        ]
    });
    let eaches = prop::collection::vec(block("each"), 0..3);
    let pool = "pool workers {\n    select role=worker\n    deploy image {\n        user-data (secret)\"u-${host.name}\"\n    }\n}\nimage image {\n    url \"oci://example.net/a\"\n}\n";
    (profiles, eaches, rack(1), rack(2)).prop_map(move |(profiles, eaches, first, second)| Pieces {
        top: profiles
            .into_iter()
            .chain(eaches)
            .chain([pool.to_owned()])
            .collect(),
        racks: vec![first, second],
    })
}

/// The same pieces in another order.
fn shuffled(pieces: Pieces) -> impl Strategy<Value = (Pieces, Pieces)> {
    let Pieces { top, racks } = pieces.clone();
    let racks: Vec<_> = racks
        .into_iter()
        .map(|(head, inner)| {
            Just(inner)
                .prop_shuffle()
                .prop_map(move |inner| (head.clone(), inner))
        })
        .collect();
    (Just(top).prop_shuffle(), racks.prop_shuffle_pair())
        .prop_map(move |(top, racks)| (pieces.clone(), Pieces { top, racks }))
}

/// Racks in either order.
trait ShufflePair<T> {
    fn prop_shuffle_pair(self) -> BoxedStrategy<Vec<T>>;
}

impl<T: std::fmt::Debug + Clone + 'static, S: Strategy<Value = T> + 'static> ShufflePair<T>
    for Vec<S>
{
    fn prop_shuffle_pair(self) -> BoxedStrategy<Vec<T>> {
        (self, any::<bool>())
            .prop_map(|(mut all, turn)| {
                if turn {
                    all.reverse();
                }
                all
            })
            .boxed()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn order_and_files_do_not_matter((one, other) in pieces().prop_flat_map(shuffled), files in 1usize..4) {
        let (first, second) = (one.evaluate(1), other.evaluate(files));
        prop_assert_eq!(essence(&first), essence(&second), "{:?}\n{:?}", findings(&first), findings(&second));
    }

    #[test]
    fn saying_it_twice_changes_nothing(spec in pieces()) {
        let mut twice = spec.clone();
        let again: Vec<String> =
            spec.top.iter().filter(|piece| piece.starts_with("each")).cloned().collect();
        twice.top.extend(again);
        for (_, inner) in &mut twice.racks {
            let again: Vec<String> =
                inner.iter().filter(|piece| !piece.starts_with("host")).cloned().collect();
            inner.extend(again);
        }
        prop_assert_eq!(essence(&spec.evaluate(1)), essence(&twice.evaluate(1)));
    }

    #[test]
    fn the_same_text_gives_the_same_result(spec in pieces()) {
        let (first, second) = (spec.evaluate(2), spec.evaluate(2));
        prop_assert_eq!(&first.diagnostics, &second.diagnostics);
        prop_assert_eq!(essence(&first), essence(&second));
    }

    #[test]
    fn a_weaker_definition_changes_nothing(spec in pieces()) {
        // Every host says its architecture itself; what a scope around it says is weaker.
        let mut strong = spec.clone();
        for (_, inner) in &mut strong.racks {
            inner.push("refine \"*\" {\n    architecture x86_64\n}\n".to_owned());
        }
        let mut weak = strong.clone();
        weak.top.push("each {\n    architecture aarch64\n    (default)architecture riscv\n}\n".to_owned());
        prop_assert_eq!(essence(&strong.evaluate(1)).0, essence(&weak.evaluate(1)).0);
    }

    #[test]
    fn force_in_an_exact_refine_decides(spec in pieces()) {
        let mut forced = spec.clone();
        forced.racks[0].1.push("refine r1-n1 {\n    (force)architecture riscv\n}\n".to_owned());
        let evaluation = forced.evaluate(1);
        if let Some(host) = evaluation.fleet.host("r1-n1") {
            let text = host.fields.text("architecture").map(ToString::to_string);
            prop_assert_eq!(text.as_deref(), Some("riscv"));
        }
    }

    #[test]
    fn rendered_and_evaluated_again_it_is_the_same(spec in pieces()) {
        let evaluation = spec.evaluate(1);
        let text = to_kdl(&evaluation.fleet);
        let again = one(text.strip_prefix("/- kdl-version 2\n").unwrap());
        let all = |evaluation: &Evaluation| -> Vec<String> {
            let fleet = &evaluation.fleet;
            fleet
                .hosts
                .iter()
                .map(|host| {
                    let digest = host.deployment(fleet, true).digest;
                    format!("{} {digest} {:?}", host.name, host.rack)
                })
                .collect()
        };
        prop_assert_eq!(all(&evaluation), all(&again), "{}\n{:?}", text, findings(&again));
        prop_assert!(again.fleet.held.is_empty());
        prop_assert_eq!(to_kdl(&again.fleet), text);
    }

    #[test]
    fn a_bad_host_hides_no_other(spec in pieces()) {
        let mut bad = spec.clone();
        bad.top.push("host bad index=1 slot=1 {\n    online yes\n    bot mode=UEFI\n}\n".to_owned());
        let before = spec.evaluate(1);
        let after = bad.evaluate(1);
        let (mut hosts, mut held, _) = essence(&after);
        hosts.retain(|host| !host.starts_with("bad "));
        held.retain(|host| host != "bad");
        prop_assert_eq!((hosts, held), (essence(&before).0, essence(&before).1));
        prop_assert!(after.fleet.is_held("bad"));
    }
}

/// Lines that are wrong in one way or another, for any block of hosts.
fn wrong() -> impl Strategy<Value = String> {
    select(vec![
        "description \"${host.nope}\"",
        "description \"${param.nope}\"",
        "let a \"${b}\"\n    let b \"${a}\"\n    description \"${a}\"",
        "use nope",
        "use p2",
        "use p2 a=\"${host.nope}\"",
        "boot mac=\"no\"",
        "boot {\n        host lost\n    }",
        "when \"host.nope > 1\" {\n        online #true\n    }",
        "when \"true\" {\n        except n1\n    }",
        "labels role=1",
        "bot mode=UEFI",
        "host lost",
        "image lost",
        "(final)root-device #null\n    root-device serial=x",
        "}",
        "{",
    ])
    .prop_map(|line| format!("    {line}\n"))
}

/// What may stand at the top of a file and be wrong.
fn wrong_piece() -> impl Strategy<Value = String> {
    prop_oneof![
        wrong().prop_map(|line| format!("each {{\n{line}}}\n")),
        wrong().prop_map(|line| format!("refine \"*-n[1-2]\" {{\n{line}}}\n")),
        wrong().prop_map(|line| format!("profile wrong {{\n{line}}}\neach {{\n    use wrong\n}}\n")),
        wrong().prop_map(|line| format!("host odd index=1 slot=1 {{\n{line}}}\n")),
        select(vec![
            "spec x region=\"${param.nope}\"\n",
            "spec x region=\"${fleet.name}\" {\n    let a 1\n}\n",
            "rack \"${nope}\" {\n    host lost\n}\n",
            "rack r9 nope=\"${nope}\" {\n    host r9-n1\n}\n",
            "when \"param.nope\" {\n    host lost\n}\n",
            "group g {\n    facts slot from=\"gone.csv\"\n    host g-n1 slot=1\n}\n",
            "group g {\n    facts slot from=1\n    host g-n1 slot=1\n}\n",
            "import \"gone/*.kdl\"\n",
            "pool storage {\n    select role=storage\n    deploy nope\n}\n",
            "pool other {\n    select role=worker\n    when \"host.slot > 1\" {\n        replicas 1\n    }\n}\n",
            "pool other {\n    replicas many\n}\n",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whoever is held, and whatever is not there, has a finding that says why.
    #[test]
    fn nothing_is_held_or_lost_without_an_error(spec in pieces(), bad in prop::collection::vec(wrong_piece(), 0..3)) {
        let mut spec = spec;
        spec.top.extend(bad);
        let evaluation = spec.evaluate(2);
        let silent = !evaluation.has_errors();
        prop_assert!(evaluation.fleet.held.is_empty() || !silent, "{:?}", evaluation.fleet.held);
        prop_assert!(evaluation.complete || !silent, "{:?}", spec);
    }
}

/// The laws would say little if random specs were all wrong.
#[test]
fn random_specs_have_hosts() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut good, mut held) = (0, 0);
    for _ in 0..64 {
        let spec = pieces().new_tree(&mut runner).unwrap().current();
        let fleet = spec.evaluate(1).fleet;
        good += fleet.hosts.len();
        held += fleet.held.len();
    }
    assert!(good > held && held > 0, "{good} hosts, {held} held");
}
