//! Deleting, with finalizers and without.

use std::sync::Arc;

use serde_json::json;

use super::{Backend, Failure, Outcome, Place, check, finalizers, refused, same, set, suite};
use crate::store::{Deleted, Object as _, Store as _, StoreError};

const KEEP: &str = "example.com/keep";
const TOO: &str = "example.com/too";

suite![
    what_is_deleted_is_gone,
    what_is_not_there_cannot_be_deleted,
    a_delete_of_an_old_version_conflicts,
    a_finalizer_holds,
    a_second_delete_costs_nothing,
    the_last_finalizer_lets_go_by_status,
    the_last_finalizer_lets_go_by_patch,
    the_last_finalizer_lets_go_by_apply,
    one_of_two_finalizers_does_not_let_go,
    a_marked_object_takes_no_new_finalizer,
    a_marked_object_still_lives,
    a_marked_object_keeps_its_name,
];

async fn held<B: Backend>(at: &Place<'_, B>, finalizers: &[&str]) -> Outcome {
    let mut widget = at.widget("a", &json!({}))?;
    let finalizers: Vec<_> = finalizers.iter().map(|name| Arc::from(*name)).collect();
    widget.metadata.finalizers = Some(finalizers.into());
    at.store.create(widget).await?;
    Ok(())
}

fn gone<B: Backend>(at: &Place<'_, B>) -> Outcome {
    check!(at.store.get(&at.key("a")).is_none(), "it is still there");
    same!(at.names(), Vec::<String>::new());
    Ok(())
}

async fn what_is_deleted_is_gone<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({})).await?;
    at.phase("a", "ready").await?;
    same!(at.delete("a").await?, Deleted::Gone);
    gone(&at)
}

async fn what_is_not_there_cannot_be_deleted<B: Backend>(at: Place<'_, B>) -> Outcome {
    refused!(at.delete("a").await, StoreError::NotFound { .. });
    at.create("a", json!({})).await?;
    at.delete("a").await?;
    refused!(at.delete("a").await, StoreError::NotFound { .. });
    Ok(())
}

async fn a_delete_of_an_old_version_conflicts<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({})).await?;
    let ready = at.phase("a", "ready").await?;
    refused!(
        at.store.delete(&at.key("a"), Some(made.version())).await,
        StoreError::Conflict { .. }
    );
    same!(at.get("a")?, ready);
    same!(
        at.store.delete(&at.key("a"), Some(ready.version())).await?,
        Deleted::Gone
    );
    gone(&at)
}

async fn a_finalizer_holds<B: Backend>(at: Place<'_, B>) -> Outcome {
    held(&at, &[KEEP]).await?;
    let before = at.get("a")?;
    same!(at.delete("a").await?, Deleted::Marked);
    let marked = at.get("a")?;
    check!(
        marked.metadata.deletion_timestamp.is_some(),
        "no deletionTimestamp"
    );
    same!(marked.metadata.deletion_grace_period_seconds, Some(0));
    same!(marked.metadata.generation, Some(2));
    check!(
        marked.version() > before.version(),
        "the version did not grow"
    );
    Ok(())
}

async fn a_second_delete_costs_nothing<B: Backend>(at: Place<'_, B>) -> Outcome {
    held(&at, &[KEEP]).await?;
    at.delete("a").await?;
    let marked = at.get("a")?;
    same!(at.delete("a").await?, Deleted::Marked);
    same!(at.get("a")?, marked);
    Ok(())
}

async fn the_last_finalizer_lets_go_by_status<B: Backend>(at: Place<'_, B>) -> Outcome {
    held(&at, &[KEEP]).await?;
    at.delete("a").await?;
    at.change("a", |widget| widget.metadata.finalizers = None)
        .await?;
    gone(&at)
}

async fn the_last_finalizer_lets_go_by_patch<B: Backend>(at: Place<'_, B>) -> Outcome {
    held(&at, &[KEEP]).await?;
    at.delete("a").await?;
    at.merge("a", json!({ "metadata": { "finalizers": [] } }))
        .await?;
    gone(&at)
}

async fn the_last_finalizer_lets_go_by_apply<B: Backend>(at: Place<'_, B>) -> Outcome {
    let with = json!({ "metadata": { "finalizers": [KEEP] }, "spec": { "color": "red" } });
    at.apply("a", "me", with).await?;
    same!(at.delete("a").await?, Deleted::Marked);
    at.apply("a", "me", json!({ "spec": { "color": "red" } }))
        .await?;
    gone(&at)
}

async fn one_of_two_finalizers_does_not_let_go<B: Backend>(at: Place<'_, B>) -> Outcome {
    held(&at, &[KEEP, TOO]).await?;
    at.delete("a").await?;
    at.change("a", |widget| {
        widget.metadata.finalizers = Some(vec![TOO.into()].into());
    })
    .await?;
    same!(finalizers(at.get("a")?.as_ref()), [TOO]);
    at.change("a", |widget| widget.metadata.finalizers = None)
        .await?;
    gone(&at)
}

async fn a_marked_object_takes_no_new_finalizer<B: Backend>(at: Place<'_, B>) -> Outcome {
    held(&at, &[KEEP]).await?;
    at.delete("a").await?;
    let result = at
        .merge("a", json!({ "metadata": { "finalizers": [KEEP, TOO] } }))
        .await;
    refused!(result, StoreError::Invalid { .. });
    same!(finalizers(at.get("a")?.as_ref()), [KEEP]);
    Ok(())
}

async fn a_marked_object_still_lives<B: Backend>(at: Place<'_, B>) -> Outcome {
    held(&at, &[KEEP]).await?;
    at.delete("a").await?;
    let marked = at.get("a")?;
    let written = at
        .change("a", |widget| {
            widget.metadata.deletion_timestamp = None;
            set(&mut widget.status, "phase", "deleting".into());
        })
        .await?;
    same!(
        written.metadata.deletion_timestamp,
        marked.metadata.deletion_timestamp
    );
    Ok(())
}

async fn a_marked_object_keeps_its_name<B: Backend>(at: Place<'_, B>) -> Outcome {
    held(&at, &[KEEP]).await?;
    at.delete("a").await?;
    match at.create("a", json!({})).await {
        Err(Failure(text)) if text.contains("AlreadyExists") => Ok(()),
        other => Err(Failure(format!(
            "it was not refused as existing: {other:?}"
        ))),
    }
}
