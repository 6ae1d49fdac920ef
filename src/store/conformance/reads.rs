//! Create, get, list, snapshot.

use serde_json::json;

use super::{Backend, Outcome, Place, annotation, check, finalizers, refused, same, spec, suite};
use crate::store::{Object as _, Store as _, StoreError};

suite![
    a_new_object_gets_its_identity,
    a_new_object_is_kept_as_sent,
    a_second_create_is_refused,
    a_create_brings_no_status,
    a_create_with_a_version_is_refused,
    a_bad_name_is_refused,
    an_object_made_again_is_another,
    nothing_is_read_where_nothing_is,
    lists_are_in_order_of_key,
    a_write_is_seen_by_its_writer,
    a_snapshot_has_all_and_its_version_covers_it,
];

async fn a_new_object_gets_its_identity<B: Backend>(at: Place<'_, B>) -> Outcome {
    let widget = at.create("a", json!({ "color": "red" })).await?;
    let meta = &widget.metadata;
    check!(
        meta.uid.as_ref().is_some_and(|uid| uid.len() == 36),
        "uid is {:?}",
        meta.uid
    );
    check!(meta.creation_timestamp.is_some(), "no creationTimestamp");
    check!(meta.deletion_timestamp.is_none(), "a deletionTimestamp");
    same!(meta.generation, Some(1));
    check!(
        widget.version().0 > 0,
        "resourceVersion is {:?}",
        meta.resource_version
    );
    same!(meta.name.as_deref(), Some("a"));
    same!(meta.namespace.as_deref(), Some(at.namespace.as_str()));
    Ok(())
}

async fn a_new_object_is_kept_as_sent<B: Backend>(at: Place<'_, B>) -> Outcome {
    let sent =
        json!({ "color": "red", "list": [1, { "a": null }], "deep": { "er": { "x": 1.5 } } });
    let mut widget = at.widget("a", &sent)?;
    widget.metadata.annotations = Some([("note", "\u{1f600} ü \" \\")].into());
    widget.metadata.labels = Some([("rack", "r1")].into());
    widget.metadata.finalizers = Some(vec!["example.com/keep".into()].into());
    let made = at.store.create(widget).await?;
    same!(spec(&made), sent);
    let read = at.get("a")?;
    same!(read, made);
    same!(annotation(&read, "note"), Some("\u{1f600} ü \" \\"));
    same!(finalizers(&read), ["example.com/keep"]);
    Ok(())
}

async fn a_second_create_is_refused<B: Backend>(at: Place<'_, B>) -> Outcome {
    let first = at.create("a", json!({})).await?;
    refused!(
        at.store.create(at.widget("a", &json!({}))?).await,
        StoreError::Exists { .. }
    );
    same!(at.get("a")?, first);
    Ok(())
}

async fn a_create_brings_no_status<B: Backend>(at: Place<'_, B>) -> Outcome {
    let mut widget = at.widget("a", &json!({}))?;
    super::set(&mut widget.status, "phase", "ready".into());
    let made = at.store.create(widget).await?;
    check!(made.status.is_none(), "status is {:?}", made.status);
    Ok(())
}

async fn a_create_with_a_version_is_refused<B: Backend>(at: Place<'_, B>) -> Outcome {
    let mut widget = at.widget("a", &json!({}))?;
    widget.metadata.resource_version = Some("1".into());
    refused!(at.store.create(widget).await, StoreError::Invalid { .. });
    Ok(())
}

async fn a_bad_name_is_refused<B: Backend>(at: Place<'_, B>) -> Outcome {
    for name in ["", "A", "a_b", "-a", "a-", "a..b", "a/b", &"a".repeat(254)] {
        let result = at.store.create(at.widget(name, &json!({}))?).await;
        check!(
            matches!(result, Err(StoreError::Invalid { .. })),
            "{name:?} was not refused as invalid: {result:?}"
        );
    }
    for name in ["a", "a.b", "0-1", &"a".repeat(253)] {
        at.create(name, json!({})).await?;
    }
    Ok(())
}

async fn an_object_made_again_is_another<B: Backend>(at: Place<'_, B>) -> Outcome {
    let first = at.create("a", json!({ "color": "red" })).await?;
    at.merge("a", json!({ "spec": { "color": "blue" } }))
        .await?;
    at.delete("a").await?;
    let second = at.create("a", json!({ "color": "red" })).await?;
    check!(
        first.metadata.uid != second.metadata.uid,
        "the uid is the same"
    );
    same!(second.metadata.generation, Some(1));
    check!(
        second.version() > first.version(),
        "the version did not grow"
    );
    Ok(())
}

async fn nothing_is_read_where_nothing_is<B: Backend>(at: Place<'_, B>) -> Outcome {
    check!(at.store.get(&at.key("a")).is_none(), "there is something");
    same!(at.names(), Vec::<String>::new());
    refused!(
        at.store.managed_fields(&at.key("a")).await,
        StoreError::NotFound { .. }
    );
    Ok(())
}

async fn lists_are_in_order_of_key<B: Backend>(at: Place<'_, B>) -> Outcome {
    for name in ["b", "a10", "a", "a2", "c"] {
        at.create(name, json!({})).await?;
    }
    same!(at.names(), ["a", "a10", "a2", "b", "c"]);
    let names: Vec<_> = at
        .snapshot()
        .await?
        .objects
        .iter()
        .filter_map(|widget| at.name(widget))
        .collect();
    same!(names, ["a", "a10", "a2", "b", "c"]);
    Ok(())
}

async fn a_write_is_seen_by_its_writer<B: Backend>(at: Place<'_, B>) -> Outcome {
    for round in 0..20 {
        let name = format!("a{round}");
        let made = at.create(&name, json!({ "round": round })).await?;
        same!(at.get(&name)?, made);
        let changed = at.phase(&name, "ready").await?;
        same!(at.get(&name)?, changed);
        at.delete(&name).await?;
        check!(
            at.store.get(&at.key(&name)).is_none(),
            "{name} is still there"
        );
    }
    Ok(())
}

async fn a_snapshot_has_all_and_its_version_covers_it<B: Backend>(at: Place<'_, B>) -> Outcome {
    let mut last = at.snapshot().await?.version;
    for round in 0..5 {
        let made = at.create(&format!("a{round}"), json!({})).await?;
        let snapshot = at.snapshot().await?;
        check!(
            snapshot.version >= made.version(),
            "the snapshot is older than what it holds"
        );
        check!(snapshot.version > last, "the version did not grow");
        check!(
            snapshot.objects.contains(&made),
            "the snapshot lacks what was written"
        );
        last = snapshot.version;
    }
    Ok(())
}
