//! Merge and JSON patches.

use serde_json::json;

use super::{
    Backend, Failure, Outcome, Place, annotation, check, refused, same, spec, status, suite,
};
use crate::store::{Object as _, Patch, Store as _, StoreError, Version};

suite![
    a_merge_patch_of_the_spec_costs_a_generation,
    a_merge_patch_of_metadata_costs_none,
    a_null_removes,
    a_json_patch_changes_one_place,
    a_json_patch_that_does_not_fit_is_refused,
    a_patch_leaves_the_status,
    a_patch_of_an_old_version_conflicts,
    a_patch_that_changes_nothing_costs_nothing,
    a_patch_renames_nothing,
    a_patch_to_nonsense_is_refused,
    a_patch_of_nothing_is_not_found,
];

async fn a_merge_patch_of_the_spec_costs_a_generation<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({ "color": "red", "size": 1 })).await?;
    let patched = at
        .merge("a", json!({ "spec": { "color": "blue" } }))
        .await?;
    same!(spec(&patched), json!({ "color": "blue", "size": 1 }));
    same!(patched.metadata.generation, Some(2));
    check!(
        patched.version() > made.version(),
        "the version did not grow"
    );
    same!(at.get("a")?, patched);
    Ok(())
}

async fn a_merge_patch_of_metadata_costs_none<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({})).await?;
    let patch = json!({ "metadata": { "annotations": { "one": "1" }, "labels": { "l": "x" } } });
    let patched = at.merge("a", patch).await?;
    same!(annotation(&patched, "one"), Some("1"));
    same!(patched.metadata.generation, Some(1));
    check!(
        patched.version() > made.version(),
        "the version did not grow"
    );
    Ok(())
}

async fn a_null_removes<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create(
        "a",
        json!({ "color": "red", "deep": { "one": 1, "two": 2 } }),
    )
    .await?;
    at.merge(
        "a",
        json!({ "metadata": { "annotations": { "one": "1" } } }),
    )
    .await?;
    let patch = json!({
        "metadata": { "annotations": { "one": null } },
        "spec": { "color": null, "deep": { "one": null } },
    });
    let patched = at.merge("a", patch).await?;
    same!(spec(&patched), json!({ "deep": { "two": 2 } }));
    same!(annotation(&patched, "one"), None);
    Ok(())
}

fn json_patch(patch: serde_json::Value) -> Result<Patch, Failure> {
    let patch = serde_json::from_value(patch).map_err(|error| Failure(error.to_string()))?;
    Ok(Patch::Json(patch))
}

async fn a_json_patch_changes_one_place<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({ "list": ["x", "y"] })).await?;
    let patch = json_patch(json!([
        { "op": "test", "path": "/spec/list/0", "value": "x" },
        { "op": "replace", "path": "/spec/list/1", "value": "z" },
        { "op": "add", "path": "/spec/color", "value": "red" },
    ]))?;
    let patched = at.store.patch(&at.key("a"), patch, None).await?;
    same!(
        spec(&patched),
        json!({ "list": ["x", "z"], "color": "red" })
    );
    same!(patched.metadata.generation, Some(2));
    Ok(())
}

async fn a_json_patch_that_does_not_fit_is_refused<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({ "color": "red" })).await?;
    let patch = json_patch(json!([
        { "op": "replace", "path": "/spec/color", "value": "green" },
        { "op": "test", "path": "/spec/color", "value": "blue" },
    ]))?;
    refused!(
        at.store.patch(&at.key("a"), patch, None).await,
        StoreError::Invalid { .. }
    );
    same!(at.get("a")?, made);
    Ok(())
}

async fn a_patch_leaves_the_status<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({})).await?;
    at.phase("a", "ready").await?;
    let patch = json!({ "spec": { "color": "red" }, "status": { "phase": "lost" } });
    let patched = at.merge("a", patch).await?;
    same!(status(&patched, "phase"), json!("ready"));
    same!(spec(&patched), json!({ "color": "red" }));
    Ok(())
}

async fn a_patch_of_an_old_version_conflicts<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({})).await?;
    let ready = at.phase("a", "ready").await?;
    let patch = || Patch::Merge(json!({ "spec": { "color": "red" } }));
    refused!(
        at.store
            .patch(&at.key("a"), patch(), Some(made.version()))
            .await,
        StoreError::Conflict { .. }
    );
    let in_patch = json!({
        "metadata": { "resourceVersion": made.metadata.resource_version },
        "spec": { "color": "red" },
    });
    refused!(at.merge("a", in_patch).await, StoreError::Conflict { .. });
    same!(at.get("a")?, ready);
    at.store
        .patch(&at.key("a"), patch(), Some(ready.version()))
        .await?;
    Ok(())
}

async fn a_patch_that_changes_nothing_costs_nothing<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({ "color": "red" })).await?;
    let patched = at.merge("a", json!({ "spec": { "color": "red" } })).await?;
    same!(patched, made);
    let patched = at.merge("a", json!({})).await?;
    same!(patched, made);
    Ok(())
}

async fn a_patch_renames_nothing<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({})).await?;
    for patch in [
        json!({ "metadata": { "name": "b" } }),
        json!({ "metadata": { "uid": "00000000-0000-0000-0000-000000000000" } }),
    ] {
        let result = at.merge("a", patch).await;
        check!(
            matches!(
                result,
                Err(StoreError::Invalid { .. } | StoreError::Conflict { .. })
            ),
            "it was not refused: {result:?}"
        );
    }
    same!(at.get("a")?, made);
    same!(at.names(), ["a"]);
    Ok(())
}

async fn a_patch_to_nonsense_is_refused<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({})).await?;
    refused!(
        at.merge("a", json!({ "spec": "text" })).await,
        StoreError::Invalid { .. }
    );
    refused!(
        at.merge("a", json!({ "metadata": { "labels": { "a": 1 } } }))
            .await,
        StoreError::Invalid { .. }
    );
    same!(at.get("a")?, made);
    Ok(())
}

async fn a_patch_of_nothing_is_not_found<B: Backend>(at: Place<'_, B>) -> Outcome {
    refused!(
        at.merge("a", json!({ "spec": {} })).await,
        StoreError::NotFound { .. }
    );
    let patch = Patch::Merge(json!({}));
    refused!(
        at.store.patch(&at.key("a"), patch, Some(Version(1))).await,
        StoreError::NotFound { .. }
    );
    Ok(())
}
