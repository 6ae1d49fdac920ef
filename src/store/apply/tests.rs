//! Laws of apply on random objects, and the cases that once were wrong.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::store::conformance::Widget;

fn schema() -> Schema {
    Schema::of::<Widget>()
}

/// Objects whose fields meet: few names, few values, every sort of list and map.
fn spec() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0..3_u8).prop_map(Value::from),
        prop::collection::vec(0..3_u8, 0..3).prop_map(Value::from),
        Just(json!({})),
    ];
    let map = leaf.prop_recursive(3, 12, 3, |inner| {
        prop::collection::btree_map("[ab]", inner, 1..3).prop_map(|map| json!(map))
    });
    let ports = prop::collection::btree_map("[xyz]", 0..3_u8, 0..3).prop_map(|ports| {
        let port = |(name, port)| json!({ "name": name, "port": port });
        Value::Array(ports.into_iter().map(port).collect())
    });
    let reference = prop::collection::btree_map("[ab]", 0..3_u8, 0..2).prop_map(|map| json!(map));
    (
        prop::option::of(map),
        prop::option::of(ports),
        prop::option::of(reference),
        prop::collection::btree_set("[fg]", 0..3),
    )
        .prop_map(|(map, ports, reference, finalizers)| {
            let mut spec = Map::new();
            for (name, value) in [("map", map), ("ports", ports), ("reference", reference)] {
                if let Some(value) = value {
                    spec.insert(name.into(), value);
                }
            }
            let mut object = Map::new();
            if !spec.is_empty() {
                object.insert("spec".into(), Value::Object(spec));
            }
            if !finalizers.is_empty() {
                object.insert("metadata".into(), json!({ "finalizers": finalizers }));
            }
            Value::Object(object)
        })
}

/// What an object is after these applies, each by the owner of that number.
fn lived(applies: &[(u8, Value)]) -> (Value, Vec<Claim>) {
    applies.iter().fold(
        (json!({}), Vec::new()),
        |(live, claims), (owner, wanted)| {
            let owner = owner.to_string();
            let applied = apply(&live, &claims, wanted, &owner, true, schema()).unwrap();
            (applied.value, applied.claims)
        },
    )
}

fn life() -> impl Strategy<Value = Vec<(u8, Value)>> {
    prop::collection::vec((0..3_u8, spec()), 0..5)
}

fn same_claims(left: &[Claim], right: &[Claim]) -> bool {
    left.len() == right.len() && left.iter().all(|claim| right.contains(claim))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_forced_is_there_and_again_changes_nothing(life in life(), wanted in spec()) {
        let (live, claims) = lived(&life);
        let once = apply(&live, &claims, &wanted, "0", true, schema()).unwrap();
        let again = apply(&once.value, &once.claims, &wanted, "0", false, schema()).unwrap();
        prop_assert_eq!(&again.value, &once.value);
        prop_assert!(same_claims(&again.claims, &once.claims));
        // Laying it over once more changes nothing: all of it is there.
        let mut merged = once.value.clone();
        merge(&mut merged, &wanted, schema(), &mut String::new());
        prop_assert_eq!(merged, once.value);
    }

    #[test]
    fn who_gives_all_up_leaves_what_others_own(life in life(), wanted in spec()) {
        let (live, claims) = lived(&life);
        let others: Vec<_> = claims.iter().filter(|claim| claim.manager != "new").collect();
        if let Ok(with) = apply(&live, &claims, &wanted, "new", false, schema()) {
            let without =
                apply(&with.value, &with.claims, &json!({}), "new", false, schema()).unwrap();
            let left: Vec<_> = without.claims.iter().collect();
            prop_assert_eq!(left, others);
            // Nothing of the others moved.
            let difference = Difference::between(&live, &without.value, schema());
            for claim in &claims {
                prop_assert!(claim.fields.intersection(&difference.modified).is_empty());
                prop_assert!(claim.fields.intersection(&difference.removed).is_empty());
            }
        }
    }

    #[test]
    fn without_force_nobody_elses_value_changes(life in life(), wanted in spec()) {
        let (live, claims) = lived(&life);
        if let Ok(applied) = apply(&live, &claims, &wanted, "new", false, schema()) {
            let difference = Difference::between(&live, &applied.value, schema());
            for claim in &claims {
                prop_assert!(claim.fields.intersection(&difference.modified).is_empty());
                prop_assert!(claim.fields.intersection(&difference.removed).is_empty());
            }
        }
    }

    #[test]
    fn sets_are_sets(a in spec(), b in spec()) {
        let (a, b) = (FieldSet::of(&a, schema()), FieldSet::of(&b, schema()));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
        prop_assert!(a.difference(&a).is_empty());
        prop_assert_eq!(FieldSet::from_json(&json!(a)), Some(a));
    }

    #[test]
    fn a_difference_is_what_differs(a in spec(), b in spec()) {
        let difference = Difference::between(&a, &b, schema());
        let touched = difference.touched().union(&difference.removed);
        prop_assert_eq!(FieldSet::from_json(&json!(touched)), Some(touched.clone()));
        let back = Difference::between(&b, &a, schema());
        prop_assert_eq!(&difference.added, &back.removed);
        prop_assert_eq!(&difference.modified, &back.modified);
        prop_assert_eq!(touched.is_empty(), same(&a, &b));
    }
}

/// Equal but for the order of lists that are merged item by item.
fn same(a: &Value, b: &Value) -> bool {
    fn sorted(value: &Value) -> Value {
        let mut value = value.clone();
        for path in ["/spec/ports", "/metadata/finalizers"] {
            if let Some(list) = value.pointer_mut(path).and_then(Value::as_array_mut) {
                list.sort_by_key(ToString::to_string);
            }
        }
        value
    }
    sorted(a) == sorted(b)
}

fn text(set: &FieldSet) -> String {
    serde_json::to_string(set).unwrap()
}

#[test]
fn an_update_owns_the_parents_that_came_with_it() {
    let new = json!({
        "apiVersion": "v1",
        "metadata": { "name": "a", "labels": { "l": "x" } },
        "spec": { "map": { "a": 1 }, "ports": [{ "name": "x" }] },
        "status": { "phase": "x" },
    });
    let difference = Difference::between(&json!({}), &new, schema());
    insta::assert_snapshot!(text(&difference.added), @r#"{"f:metadata":{"f:labels":{".":{},"f:l":{}}},"f:spec":{".":{},"f:map":{".":{},"f:a":{}},"f:ports":{".":{},"k:{\"name\":\"x\"}":{".":{},"f:name":{}}}}}"#);
    insta::assert_snapshot!(text(&FieldSet::of(&new, schema())), @r#"{"f:metadata":{"f:labels":{"f:l":{}}},"f:spec":{"f:map":{"f:a":{}},"f:ports":{"k:{\"name\":\"x\"}":{".":{},"f:name":{}}}}}"#);
}

#[test]
fn paths_read_well() {
    let set = FieldSet::of(
        &json!({
            "metadata": { "finalizers": ["f"], "annotations": { "a.b/c": "" } },
            "spec": { "ports": [{ "name": "x", "port": 1 }] },
        }),
        schema(),
    );
    insta::assert_snapshot!(set.paths().join("\n"), @r#"
    .metadata.annotations.a.b/c
    .metadata.finalizers["f"]
    .spec.ports[{"name":"x"}]
    .spec.ports[{"name":"x"}].name
    .spec.ports[{"name":"x"}].port
    "#);
}
