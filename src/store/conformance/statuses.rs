//! Writing metadata and status, compare and set.

use futures::future::join_all;
use serde_json::json;

use super::{
    Backend, Outcome, Place, annotation, check, finalizers, refused, same, set, spec, status, suite,
};
use crate::store::{Object as _, Store as _, StoreError, Version};

suite![
    a_status_is_written_and_costs_a_version_and_no_generation,
    a_status_write_leaves_the_spec,
    a_status_write_brings_metadata_along,
    a_status_write_leaves_what_the_server_sets,
    a_status_can_go,
    large_parts_of_the_status_come_stay_and_go,
    a_status_write_at_an_old_version_conflicts,
    a_conflict_says_which_versions,
    a_status_write_of_nothing_is_not_found,
    the_same_status_costs_nothing,
    a_spec_change_alone_is_no_status_write,
    one_of_two_writers_wins,
    no_write_of_many_is_lost,
    writers_of_many_objects_do_not_meet,
    writes_keep_the_order_of_their_first_polls_where_it_is_said,
];

async fn a_status_is_written_and_costs_a_version_and_no_generation<B: Backend>(
    at: Place<'_, B>,
) -> Outcome {
    let made = at.create("a", json!({})).await?;
    let ready = at.phase("a", "ready").await?;
    same!(status(&ready, "phase"), json!("ready"));
    same!(ready.metadata.generation, Some(1));
    check!(ready.version() > made.version(), "the version did not grow");
    same!(at.get("a")?, ready);
    Ok(())
}

async fn a_status_write_leaves_the_spec<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({ "color": "red" })).await?;
    let written = at
        .change("a", |widget| {
            widget.spec.insert("color".into(), "blue".into());
            set(&mut widget.status, "phase", "ready".into());
        })
        .await?;
    same!(spec(&written), json!({ "color": "red" }));
    same!(written.metadata.generation, Some(1));
    Ok(())
}

async fn a_status_write_brings_metadata_along<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({})).await?;
    let written = at
        .change("a", |widget| {
            widget.metadata.finalizers = Some(vec!["example.com/keep".into()].into());
            widget.metadata.annotations = Some([("one", "1")].into());
            set(&mut widget.status, "phase", "ready".into());
        })
        .await?;
    same!(finalizers(&written), ["example.com/keep"]);
    same!(annotation(&written, "one"), Some("1"));
    let written = at
        .change("a", |widget| {
            widget.metadata.annotations = None;
            widget.metadata.finalizers = None;
        })
        .await?;
    same!(annotation(&written, "one"), None);
    same!(status(&written, "phase"), json!("ready"));
    same!(written.metadata.generation, Some(1));
    same!(at.get("a")?, written);
    Ok(())
}

async fn a_status_write_leaves_what_the_server_sets<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({})).await?;
    let written = at
        .change("a", |widget| {
            widget.metadata.generation = Some(9);
            widget.metadata.creation_timestamp = None;
            widget
                .metadata
                .deletion_timestamp
                .clone_from(&made.metadata.creation_timestamp);
            set(&mut widget.status, "phase", "ready".into());
        })
        .await?;
    same!(written.metadata.uid, made.metadata.uid);
    same!(written.metadata.generation, Some(1));
    same!(
        written.metadata.creation_timestamp,
        made.metadata.creation_timestamp
    );
    same!(written.metadata.deletion_timestamp, None);
    Ok(())
}

async fn a_status_can_go<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({})).await?;
    at.phase("a", "ready").await?;
    let written = at.change("a", |widget| widget.status = None).await?;
    check!(written.status.is_none(), "status is {:?}", written.status);
    same!(at.get("a")?, written);
    Ok(())
}

async fn large_parts_of_the_status_come_stay_and_go<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({})).await?;
    let inventory = json!({ "disks": ["x".repeat(3000)] });
    at.change("a", |widget| {
        set(&mut widget.status, "inventory", inventory.clone());
    })
    .await?;
    at.phase("a", "ready").await?;
    same!(status(at.get("a")?.as_ref(), "inventory"), inventory);
    let other = json!({ "disks": [] });
    at.change("a", |widget| {
        set(&mut widget.status, "inventory", other.clone());
    })
    .await?;
    same!(status(at.get("a")?.as_ref(), "inventory"), other);
    at.change("a", |widget| {
        widget
            .status
            .as_mut()
            .map(|status| status.remove("inventory"));
    })
    .await?;
    let last = at.get("a")?;
    same!(status(&last, "inventory"), json!(null));
    same!(status(&last, "phase"), json!("ready"));
    Ok(())
}

async fn a_status_write_at_an_old_version_conflicts<B: Backend>(at: Place<'_, B>) -> Outcome {
    let old = at.create("a", json!({})).await?;
    let ready = at.phase("a", "ready").await?;
    let mut widget = old.as_ref().clone();
    set(&mut widget.status, "phase", "late".into());
    refused!(
        at.store.update_status(widget, old.version()).await,
        StoreError::Conflict { .. }
    );
    same!(at.get("a")?, ready);
    Ok(())
}

async fn a_conflict_says_which_versions<B: Backend>(at: Place<'_, B>) -> Outcome {
    let old = at.create("a", json!({})).await?;
    let ready = at.phase("a", "ready").await?;
    match at
        .store
        .update_status(old.as_ref().clone(), old.version())
        .await
    {
        Err(StoreError::Conflict {
            expected,
            found,
            key,
            ..
        }) => {
            same!((expected, found), (old.version(), ready.version()));
            same!(key, at.key("a"));
            Ok(())
        }
        other => Err(format!("no conflict: {other:?}").into()),
    }
}

async fn a_status_write_of_nothing_is_not_found<B: Backend>(at: Place<'_, B>) -> Outcome {
    let widget = at.widget("a", &json!({}))?;
    refused!(
        at.store.update_status(widget, Version(1)).await,
        StoreError::NotFound { .. }
    );
    Ok(())
}

async fn the_same_status_costs_nothing<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({})).await?;
    let ready = at.phase("a", "ready").await?;
    let again = at.phase("a", "ready").await?;
    same!(again, ready);
    same!(at.get("a")?.version(), ready.version());
    Ok(())
}

async fn a_spec_change_alone_is_no_status_write<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({ "color": "red" })).await?;
    let same = at
        .change("a", |widget| {
            drop(widget.spec.insert("color".into(), "blue".into()));
        })
        .await?;
    same!(same, made);
    Ok(())
}

async fn one_of_two_writers_wins<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({})).await?;
    let writes = (0..8).map(|writer| {
        let mut widget = made.as_ref().clone();
        set(&mut widget.status, "writer", writer.into());
        at.store.update_status(widget, made.version())
    });
    let mut won = Vec::new();
    for result in join_all(writes).await {
        match result {
            Ok(widget) => won.push(widget),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    same!(won.len(), 1);
    same!(Some(&at.get("a")?), won.first());
    Ok(())
}

async fn no_write_of_many_is_lost<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({})).await?;
    let writers = (0..8).map(|_| async {
        let mut written = 0;
        while written < 5 {
            let now = at.get("a")?;
            let count = status(&now, "count").as_u64().unwrap_or_default();
            let mut widget = now.as_ref().clone();
            set(&mut widget.status, "count", (count + 1).into());
            match at.store.update_status(widget, now.version()).await {
                Ok(_) => written += 1,
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(super::Failure::from(error)),
            }
        }
        Ok(())
    });
    for result in join_all(writers).await {
        result?;
    }
    same!(status(at.get("a")?.as_ref(), "count"), json!(40));
    Ok(())
}

async fn writers_of_many_objects_do_not_meet<B: Backend>(at: Place<'_, B>) -> Outcome {
    let names: Vec<String> = (0..40).map(|n| format!("a{n}")).collect();
    let place = &at;
    let lives = names.iter().map(|name| async move {
        place.create(name, json!({ "name": name })).await?;
        for phase in ["one", "two", "three"] {
            place.phase(name, phase).await?;
        }
        Ok::<_, super::Failure>(())
    });
    for result in join_all(lives).await {
        result?;
    }
    let mut versions = Vec::new();
    for name in &names {
        let widget = at.get(name)?;
        same!(status(&widget, "phase"), json!("three"));
        versions.push(widget.version());
    }
    versions.sort_unstable();
    versions.dedup();
    same!(versions.len(), names.len());
    Ok(())
}

async fn writes_keep_the_order_of_their_first_polls_where_it_is_said<B: Backend>(
    at: Place<'_, B>,
) -> Outcome {
    if !at.store.keeps_order() {
        return Ok(());
    }
    let mut made = Vec::new();
    for n in 0..20 {
        made.push(at.create(&format!("a{n}"), json!({})).await?);
    }
    let writes = made.iter().map(|made| {
        let mut widget = made.as_ref().clone();
        set(&mut widget.status, "phase", "ready".into());
        at.store.update_status(widget, made.version())
    });
    // So few are polled in order.
    let mut versions = Vec::new();
    for written in join_all(writes).await {
        versions.push(written?.version());
    }
    check!(versions.is_sorted(), "{versions:?}");
    Ok(())
}
