//! Server-side apply: who owns what, and what becomes of it.

use serde_json::{Value, json};

use super::{
    Backend, Outcome, Place, annotation, check, finalizers, refused, same, spec, status, suite,
};
use crate::store::{Object as _, Store as _, StoreError};

suite![
    an_apply_creates,
    an_apply_again_costs_nothing,
    what_is_no_longer_applied_goes,
    what_others_added_stays,
    a_field_of_another_is_refused,
    a_refusal_names_field_and_owner,
    force_takes_a_field_over,
    what_was_taken_over_is_not_removed_by_its_first_owner,
    the_same_value_has_two_owners,
    a_patch_takes_fields_over,
    what_a_patch_removed_can_be_applied_again,
    a_map_goes_with_its_last_field,
    a_map_with_fields_of_others_stays,
    lists_are_replaced_whole,
    lists_with_keys_are_merged_by_key,
    an_item_that_stands_twice_is_refused,
    finalizers_are_owned_one_by_one,
    atomic_maps_are_replaced_whole,
    an_apply_leaves_the_status,
    an_apply_of_an_old_version_conflicts,
    an_apply_of_metadata_costs_no_generation,
    nulls_are_not_applied,
    what_is_applied_names_the_object_or_nothing,
    nonsense_is_refused,
    labels_and_annotations_are_owned_one_by_one,
    owners_are_listed_as_managed_fields,
    owners_of_patches_are_listed_too,
    an_empty_apply_gives_all_up,
    two_owners_of_many_fields_live_side_by_side,
];

async fn an_apply_creates<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at
        .apply("a", "me", json!({ "spec": { "color": "red" } }))
        .await?;
    same!(spec(&made), json!({ "color": "red" }));
    same!(made.metadata.generation, Some(1));
    check!(made.metadata.uid.is_some(), "no uid");
    same!(at.get("a")?, made);
    Ok(())
}

async fn an_apply_again_costs_nothing<B: Backend>(at: Place<'_, B>) -> Outcome {
    let wanted = json!({
        "metadata": { "labels": { "rack": "r1" } },
        "spec": { "color": "red", "list": [1, 2], "ports": [{ "name": "a", "port": 1 }] },
    });
    let made = at.apply("a", "me", wanted.clone()).await?;
    same!(at.apply("a", "me", wanted.clone()).await?, made);
    at.phase("a", "ready").await?;
    let ready = at.get("a")?;
    same!(at.apply("a", "me", wanted).await?, ready);
    Ok(())
}

async fn what_is_no_longer_applied_goes<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.apply("a", "me", json!({ "spec": { "color": "red", "size": 1 } }))
        .await?;
    let applied = at
        .apply("a", "me", json!({ "spec": { "size": 2 } }))
        .await?;
    same!(spec(&applied), json!({ "size": 2 }));
    same!(applied.metadata.generation, Some(2));
    Ok(())
}

async fn what_others_added_stays<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.apply("a", "me", json!({ "spec": { "color": "red" } }))
        .await?;
    let patch =
        json!({ "metadata": { "annotations": { "note": "mine" } }, "spec": { "extra": 1 } });
    at.merge("a", patch).await?;
    let applied = at
        .apply("a", "me", json!({ "spec": { "size": 1 } }))
        .await?;
    same!(annotation(&applied, "note"), Some("mine"));
    same!(spec(&applied), json!({ "extra": 1, "size": 1 }));
    Ok(())
}

async fn a_field_of_another_is_refused<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at
        .apply("a", "me", json!({ "spec": { "color": "red" } }))
        .await?;
    refused!(
        at.apply("a", "you", json!({ "spec": { "color": "blue" } }))
            .await,
        StoreError::Owned { .. }
    );
    same!(at.get("a")?, made);
    Ok(())
}

async fn a_refusal_names_field_and_owner<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.apply(
        "a",
        "me",
        json!({ "spec": { "deep": { "color": "red", "size": 1 } } }),
    )
    .await?;
    let wanted = json!({ "spec": { "deep": { "color": "blue", "size": 1 } } });
    match at.apply("a", "you", wanted).await {
        Err(StoreError::Owned {
            fields, owner, key, ..
        }) => {
            check!(fields.contains(".spec.deep.color"), "fields are {fields}");
            check!(!fields.contains("size"), "fields are {fields}");
            check!(owner.contains("me"), "owner is {owner}");
            same!(key, at.key("a"));
            Ok(())
        }
        other => Err(format!("not refused: {other:?}").into()),
    }
}

async fn force_takes_a_field_over<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.apply("a", "me", json!({ "spec": { "color": "red" } }))
        .await?;
    let forced = at
        .force("a", "you", json!({ "spec": { "color": "blue" } }))
        .await?;
    same!(spec(&forced), json!({ "color": "blue" }));
    refused!(
        at.apply("a", "me", json!({ "spec": { "color": "red" } }))
            .await,
        StoreError::Owned { .. }
    );
    Ok(())
}

async fn what_was_taken_over_is_not_removed_by_its_first_owner<B: Backend>(
    at: Place<'_, B>,
) -> Outcome {
    at.apply("a", "me", json!({ "spec": { "color": "red", "size": 1 } }))
        .await?;
    at.force("a", "you", json!({ "spec": { "color": "blue" } }))
        .await?;
    let applied = at
        .apply("a", "me", json!({ "spec": { "size": 1 } }))
        .await?;
    same!(spec(&applied), json!({ "color": "blue", "size": 1 }));
    Ok(())
}

async fn the_same_value_has_two_owners<B: Backend>(at: Place<'_, B>) -> Outcome {
    let both = json!({ "spec": { "color": "red" } });
    at.apply("a", "me", both.clone()).await?;
    at.apply("a", "you", both.clone()).await?;
    let mine_gone = at
        .apply("a", "me", json!({ "spec": { "size": 1 } }))
        .await?;
    same!(spec(&mine_gone), json!({ "color": "red", "size": 1 }));
    let both_gone = at
        .apply("a", "you", json!({ "spec": { "shape": "round" } }))
        .await?;
    same!(spec(&both_gone), json!({ "size": 1, "shape": "round" }));
    Ok(())
}

async fn a_patch_takes_fields_over<B: Backend>(at: Place<'_, B>) -> Outcome {
    let wanted = json!({ "spec": { "color": "red", "size": 1 } });
    at.apply("a", "me", wanted.clone()).await?;
    at.merge("a", json!({ "spec": { "color": "blue" } }))
        .await?;
    refused!(
        at.apply("a", "me", wanted.clone()).await,
        StoreError::Owned { .. }
    );
    let other = at
        .apply("a", "me", json!({ "spec": { "size": 2 } }))
        .await?;
    same!(spec(&other), json!({ "color": "blue", "size": 2 }));
    let forced = at.force("a", "me", wanted.clone()).await?;
    same!(spec(&forced), json!({ "color": "red", "size": 1 }));
    at.apply("a", "me", wanted).await?;
    Ok(())
}

async fn what_a_patch_removed_can_be_applied_again<B: Backend>(at: Place<'_, B>) -> Outcome {
    let wanted = json!({ "spec": { "color": "red", "size": 1 } });
    at.apply("a", "me", wanted.clone()).await?;
    at.merge("a", json!({ "spec": { "color": null } })).await?;
    let applied = at.apply("a", "me", wanted.clone()).await?;
    same!(spec(&applied), json!({ "color": "red", "size": 1 }));
    Ok(())
}

async fn a_map_goes_with_its_last_field<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.apply(
        "a",
        "me",
        json!({ "spec": { "image": { "url": "u", "sum": "s" }, "size": 1 } }),
    )
    .await?;
    let applied = at
        .apply("a", "me", json!({ "spec": { "size": 1 } }))
        .await?;
    same!(spec(&applied), json!({ "size": 1 }));
    Ok(())
}

async fn a_map_with_fields_of_others_stays<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.apply("a", "me", json!({ "spec": { "image": { "url": "u" } } }))
        .await?;
    at.apply("a", "you", json!({ "spec": { "image": { "sum": "s" } } }))
        .await?;
    let applied = at
        .apply("a", "me", json!({ "spec": { "size": 1 } }))
        .await?;
    same!(
        spec(&applied),
        json!({ "image": { "sum": "s" }, "size": 1 })
    );
    let applied = at
        .apply("a", "you", json!({ "spec": { "shape": "round" } }))
        .await?;
    same!(spec(&applied), json!({ "shape": "round", "size": 1 }));
    Ok(())
}

async fn lists_are_replaced_whole<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.apply(
        "a",
        "me",
        json!({ "spec": { "list": [{ "x": 1 }, { "x": 2 }] } }),
    )
    .await?;
    let applied = at
        .apply("a", "me", json!({ "spec": { "list": [{ "x": 3 }] } }))
        .await?;
    same!(spec(&applied), json!({ "list": [{ "x": 3 }] }));
    refused!(
        at.apply(
            "a",
            "you",
            json!({ "spec": { "list": [{ "x": 3 }, { "x": 4 }] } })
        )
        .await,
        StoreError::Owned { .. }
    );
    let applied = at
        .apply("a", "me", json!({ "spec": { "size": 1 } }))
        .await?;
    same!(spec(&applied), json!({ "size": 1 }));
    Ok(())
}

async fn lists_with_keys_are_merged_by_key<B: Backend>(at: Place<'_, B>) -> Outcome {
    let ports = |ports: Value| json!({ "spec": { "ports": ports } });
    let mine = json!([{ "name": "a", "port": 1 }, { "name": "b", "port": 2 }]);
    at.apply("a", "me", ports(mine)).await?;
    let both = at
        .apply("a", "you", ports(json!([{ "name": "c", "port": 3 }])))
        .await?;
    same!(
        spec(&both),
        json!({ "ports": [
            { "name": "a", "port": 1 }, { "name": "b", "port": 2 }, { "name": "c", "port": 3 },
        ] })
    );
    refused!(
        at.apply("a", "you", ports(json!([{ "name": "a", "port": 9 }])))
            .await,
        StoreError::Owned { .. }
    );
    let at_b = at
        .apply("a", "me", ports(json!([{ "name": "b", "port": 5 }])))
        .await?;
    same!(
        spec(&at_b),
        json!({ "ports": [{ "name": "b", "port": 5 }, { "name": "c", "port": 3 }] })
    );
    let more = json!([{ "name": "b", "extra": true }, { "name": "c", "port": 3 }]);
    let more = at.apply("a", "you", ports(more)).await?;
    same!(
        spec(&more),
        json!({ "ports": [
            { "name": "b", "port": 5, "extra": true }, { "name": "c", "port": 3 },
        ] })
    );
    Ok(())
}

async fn an_item_that_stands_twice_is_refused<B: Backend>(at: Place<'_, B>) -> Outcome {
    let wanted = json!({ "spec": { "ports": [{ "name": "a" }, { "name": "a", "port": 1 }] } });
    refused!(
        at.apply("a", "me", wanted).await,
        StoreError::Invalid { .. }
    );
    check!(at.store.get(&at.key("a")).is_none(), "it was made");
    Ok(())
}

async fn finalizers_are_owned_one_by_one<B: Backend>(at: Place<'_, B>) -> Outcome {
    let with = |finalizers: Value| json!({ "metadata": { "finalizers": finalizers } });
    at.apply("a", "me", with(json!(["example.com/mine"])))
        .await?;
    at.change("a", |widget| {
        widget
            .metadata
            .finalizers
            .get_or_insert_default()
            .push("example.com/theirs".into());
    })
    .await?;
    let applied = at
        .apply("a", "me", with(json!(["example.com/mine"])))
        .await?;
    same!(
        finalizers(&applied),
        ["example.com/mine", "example.com/theirs"]
    );
    let applied = at.apply("a", "me", json!({})).await?;
    same!(finalizers(&applied), ["example.com/theirs"]);
    Ok(())
}

async fn atomic_maps_are_replaced_whole<B: Backend>(at: Place<'_, B>) -> Outcome {
    let with = |reference: Value| json!({ "spec": { "reference": reference } });
    at.apply("a", "me", with(json!({ "kind": "x", "name": "one" })))
        .await?;
    let applied = at.apply("a", "me", with(json!({ "name": "two" }))).await?;
    same!(spec(&applied), json!({ "reference": { "name": "two" } }));
    refused!(
        at.apply("a", "you", with(json!({ "name": "two", "extra": 1 })))
            .await,
        StoreError::Owned { .. }
    );
    Ok(())
}

async fn an_apply_leaves_the_status<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at
        .apply(
            "a",
            "me",
            json!({ "spec": { "a": 1 }, "status": { "phase": "lie" } }),
        )
        .await?;
    check!(made.status.is_none(), "status is {:?}", made.status);
    at.phase("a", "ready").await?;
    let wanted = json!({ "spec": { "a": 2 }, "status": { "phase": "lie" } });
    let applied = at.apply("a", "me", wanted).await?;
    same!(status(&applied, "phase"), json!("ready"));
    Ok(())
}

async fn an_apply_of_an_old_version_conflicts<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.apply("a", "me", json!({ "spec": { "a": 1 } })).await?;
    at.phase("a", "ready").await?;
    let wanted = json!({
        "metadata": { "resourceVersion": made.metadata.resource_version },
        "spec": { "a": 2 },
    });
    refused!(
        at.apply("a", "me", wanted).await,
        StoreError::Conflict { .. }
    );
    same!(spec(at.get("a")?.as_ref()), json!({ "a": 1 }));
    Ok(())
}

async fn an_apply_of_metadata_costs_no_generation<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.apply("a", "me", json!({ "spec": { "a": 1 } })).await?;
    let wanted = json!({ "metadata": { "annotations": { "n": "1" } }, "spec": { "a": 1 } });
    let applied = at.apply("a", "me", wanted).await?;
    same!(applied.metadata.generation, Some(1));
    check!(
        applied.version() > made.version(),
        "the version did not grow"
    );
    Ok(())
}

async fn nulls_are_not_applied<B: Backend>(at: Place<'_, B>) -> Outcome {
    let wanted = json!({ "metadata": { "labels": null }, "spec": { "deep": { "x": 1 } } });
    let made = at.apply("a", "me", wanted).await?;
    same!(spec(&made), json!({ "deep": { "x": 1 } }));
    Ok(())
}

async fn what_is_applied_names_the_object_or_nothing<B: Backend>(at: Place<'_, B>) -> Outcome {
    let right = json!({
        "apiVersion": "conformance.metalform.dev/v1",
        "kind": "Widget",
        "metadata": { "name": "a", "namespace": at.namespace },
    });
    at.apply("a", "me", right).await?;
    for wrong in [
        json!({ "metadata": { "name": "b" } }),
        json!({ "metadata": { "namespace": "elsewhere" } }),
        json!({ "kind": "Gadget" }),
        json!({ "apiVersion": "conformance.metalform.dev/v0" }),
    ] {
        refused!(at.apply("a", "me", wrong).await, StoreError::Invalid { .. });
    }
    Ok(())
}

async fn nonsense_is_refused<B: Backend>(at: Place<'_, B>) -> Outcome {
    for wrong in [
        json!({ "spec": 1 }),
        json!({ "metadata": { "labels": { "a": 1 } } }),
        json!({ "metadata": { "managedFields": [{ "manager": "x" }] } }),
    ] {
        refused!(at.apply("a", "me", wrong).await, StoreError::Invalid { .. });
    }
    check!(at.store.get(&at.key("a")).is_none(), "it was made");
    Ok(())
}

async fn labels_and_annotations_are_owned_one_by_one<B: Backend>(at: Place<'_, B>) -> Outcome {
    let with = |labels: Value| json!({ "metadata": { "labels": labels } });
    at.apply("a", "me", with(json!({ "one": "1", "two": "2" })))
        .await?;
    at.apply("a", "you", with(json!({ "three": "3" }))).await?;
    let applied = at.apply("a", "me", with(json!({ "one": "x" }))).await?;
    let labels: Vec<_> = applied.metadata.labels.iter().flatten().collect();
    same!(labels, [("one", "x"), ("three", "3")]);
    refused!(
        at.apply("a", "you", with(json!({ "one": "y" }))).await,
        StoreError::Owned { .. }
    );
    Ok(())
}

/// What an owner owns, and by which operation.
async fn owned<B: Backend>(
    at: &Place<'_, B>,
    manager: &str,
    operation: &str,
) -> Result<Value, super::Failure> {
    let entries = at.store.managed_fields(&at.key("a")).await?;
    let entry = entries.into_iter().find(|entry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some(operation)
            && entry.subresource.is_none()
    });
    let entry = entry.ok_or_else(|| format!("no entry of {manager} by {operation}"))?;
    check!(entry.time.is_some(), "the entry has no time");
    same!(entry.fields_type.as_deref(), Some("FieldsV1"));
    same!(
        entry.api_version.as_deref(),
        Some("conformance.metalform.dev/v1")
    );
    Ok(entry.fields_v1.map(|fields| fields.0).unwrap_or_default())
}

async fn owners_are_listed_as_managed_fields<B: Backend>(at: Place<'_, B>) -> Outcome {
    let wanted = json!({
        "metadata": {
            "labels": { "rack": "r1" },
            "finalizers": ["example.com/keep"],
        },
        "spec": {
            "color": "red",
            "list": [1],
            "empty": {},
            "ports": [{ "name": "a", "port": 1 }],
            "reference": { "name": "x" },
        },
    });
    at.apply("a", "me", wanted).await?;
    same!(
        owned(&at, "me", "Apply").await?,
        json!({
            "f:metadata": {
                "f:finalizers": { "v:\"example.com/keep\"": {} },
                "f:labels": { "f:rack": {} },
            },
            "f:spec": {
                "f:color": {},
                "f:list": {},
                "f:empty": {},
                "f:ports": { "k:{\"name\":\"a\"}": { ".": {}, "f:name": {}, "f:port": {} } },
                "f:reference": {},
            },
        })
    );
    Ok(())
}

async fn owners_of_patches_are_listed_too<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.apply("a", "me", json!({ "spec": { "color": "red", "size": 1 } }))
        .await?;
    let user = at.backend.by(&at.store, "user");
    let patch = json!({ "metadata": { "annotations": { "n": "1" } }, "spec": { "color": "blue" } });
    user.patch(&at.key("a"), super::super::Patch::Merge(patch), None)
        .await?;
    same!(
        owned(&at, "user", "Update").await?,
        json!({
            "f:metadata": { "f:annotations": { ".": {}, "f:n": {} } },
            "f:spec": { "f:color": {} },
        })
    );
    same!(
        owned(&at, "me", "Apply").await?,
        json!({ "f:spec": { "f:size": {} } })
    );
    match at
        .apply("a", "me", json!({ "spec": { "color": "red", "size": 1 } }))
        .await
    {
        Err(StoreError::Owned { owner, .. }) => check!(owner.contains("user"), "owner is {owner}"),
        other => return Err(format!("not refused: {other:?}").into()),
    }
    Ok(())
}

async fn an_empty_apply_gives_all_up<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.apply("a", "me", json!({ "spec": { "color": "red" } }))
        .await?;
    at.apply("a", "you", json!({ "spec": { "size": 1 } }))
        .await?;
    let applied = at.apply("a", "me", json!({})).await?;
    same!(spec(&applied), json!({ "size": 1 }));
    check!(
        owned(&at, "me", "Apply").await.is_err(),
        "the owner of nothing is listed"
    );
    Ok(())
}

async fn two_owners_of_many_fields_live_side_by_side<B: Backend>(at: Place<'_, B>) -> Outcome {
    let wanted = |owner: &str, round: usize| {
        let mut spec = serde_json::Map::new();
        for n in 0..10 {
            if !(n + round).is_multiple_of(3) {
                spec.insert(format!("{owner}{n}"), json!(round));
            }
        }
        json!({ "spec": spec })
    };
    for round in 0..6 {
        at.apply("a", "me", wanted("me", round)).await?;
        at.apply("a", "you", wanted("you", round)).await?;
    }
    let now = at.get("a")?;
    let (mine, yours) = (wanted("me", 5), wanted("you", 5));
    let mut both = mine.get("spec").cloned().unwrap_or_default();
    if let (Value::Object(both), Some(Value::Object(yours))) = (&mut both, yours.get("spec")) {
        both.extend(yours.clone());
    }
    same!(spec(&now), both);
    Ok(())
}
