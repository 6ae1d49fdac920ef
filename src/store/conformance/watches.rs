//! Watching.

use serde_json::json;

use super::{Backend, Outcome, Place, check, same, status, suite};
use crate::store::{Change, Object as _, Store as _, Version};

suite![
    a_watch_tells_what_comes_after_the_snapshot_in_order,
    versions_of_changes_grow,
    a_watch_from_an_old_version_replays,
    a_watch_from_a_write_sees_the_next,
    a_deletion_tells_the_last_state,
    a_mark_and_the_end_of_it_are_two_changes,
    what_changes_nothing_is_not_told,
    a_refused_write_is_not_told,
    all_watchers_see_the_same,
    a_change_that_is_told_can_be_read,
    a_watcher_that_lost_its_place_is_told_all,
    a_version_from_the_future_is_reset,
];

async fn a_watch_tells_what_comes_after_the_snapshot_in_order<B: Backend>(
    at: Place<'_, B>,
) -> Outcome {
    at.create("before", json!({})).await?;
    let mut watch = at.watch(at.snapshot().await?.version);
    at.create("a", json!({})).await?;
    at.create("b", json!({})).await?;
    at.phase("a", "one").await?;
    at.phase("b", "one").await?;
    at.phase("a", "two").await?;
    at.delete("b").await?;
    for expected in ["+a", "+b", "+a one", "+b one", "+a two", "-b"] {
        same!(watch.text().await?, expected);
    }
    Ok(())
}

async fn versions_of_changes_grow<B: Backend>(at: Place<'_, B>) -> Outcome {
    let mut last = at.snapshot().await?.version;
    let mut watch = at.watch(last);
    for name in ["a", "b", "c"] {
        at.create(name, json!({})).await?;
    }
    at.phase("b", "one").await?;
    at.delete("a").await?;
    for _ in 0..5 {
        let (Change::Applied(widget) | Change::Deleted(widget)) = watch.next().await? else {
            return Err("a reset".to_owned().into());
        };
        check!(
            widget.version() > last,
            "{:?} came after {last:?}",
            widget.version()
        );
        last = widget.version();
    }
    Ok(())
}

async fn a_watch_from_an_old_version_replays<B: Backend>(at: Place<'_, B>) -> Outcome {
    let old = at.snapshot().await?.version;
    at.create("a", json!({})).await?;
    at.phase("a", "one").await?;
    at.phase("a", "two").await?;
    at.delete("a").await?;
    let mut watch = at.watch(old);
    for expected in ["+a", "+a one", "+a two", "-a"] {
        same!(watch.text().await?, expected);
    }
    Ok(())
}

async fn a_watch_from_a_write_sees_the_next<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({})).await?;
    let one = at.phase("a", "one").await?;
    at.phase("a", "two").await?;
    let mut watch = at.watch(one.version());
    same!(watch.text().await?, "+a two");
    Ok(())
}

async fn a_deletion_tells_the_last_state<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({ "color": "red" })).await?;
    let ready = at.phase("a", "ready").await?;
    let mut watch = at.watch(ready.version());
    at.delete("a").await?;
    let Change::Deleted(last) = watch.next().await? else {
        return Err("not a deletion".to_owned().into());
    };
    same!(last.metadata.uid, made.metadata.uid);
    same!(last.spec, made.spec);
    same!(status(&last, "phase"), json!("ready"));
    check!(
        last.version() > ready.version(),
        "the deletion has no version of its own"
    );
    Ok(())
}

async fn a_mark_and_the_end_of_it_are_two_changes<B: Backend>(at: Place<'_, B>) -> Outcome {
    let mut widget = at.widget("a", &json!({}))?;
    widget.metadata.finalizers = Some(vec!["example.com/keep".into()].into());
    let made = at.store.create(widget).await?;
    let mut watch = at.watch(made.version());
    at.delete("a").await?;
    at.change("a", |widget| widget.metadata.finalizers = None)
        .await?;
    let Change::Applied(marked) = watch.next().await? else {
        return Err("the mark was not told".to_owned().into());
    };
    check!(
        marked.metadata.deletion_timestamp.is_some(),
        "no deletionTimestamp"
    );
    same!(watch.text().await?, "-a");
    Ok(())
}

async fn what_changes_nothing_is_not_told<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.apply("a", "me", json!({ "spec": { "color": "red" } }))
        .await?;
    let ready = at.phase("a", "ready").await?;
    let mut watch = at.watch(ready.version());
    at.phase("a", "ready").await?;
    at.merge("a", json!({ "spec": { "color": "red" } })).await?;
    at.apply("a", "me", json!({ "spec": { "color": "red" } }))
        .await?;
    at.phase("a", "end").await?;
    same!(watch.text().await?, "+a end");
    Ok(())
}

async fn a_refused_write_is_not_told<B: Backend>(at: Place<'_, B>) -> Outcome {
    let made = at.create("a", json!({})).await?;
    let ready = at.phase("a", "ready").await?;
    let mut watch = at.watch(ready.version());
    at.store
        .update_status(made.as_ref().clone(), made.version())
        .await
        .err();
    at.create("a", json!({})).await.err();
    at.merge("a", json!({ "spec": 1 })).await.err();
    at.phase("a", "end").await?;
    same!(watch.text().await?, "+a end");
    Ok(())
}

async fn all_watchers_see_the_same<B: Backend>(at: Place<'_, B>) -> Outcome {
    let from = at.snapshot().await?.version;
    let mut watches: Vec<_> = (0..3).map(|_| at.watch(from)).collect();
    for name in ["a", "b", "c"] {
        at.create(name, json!({})).await?;
        at.phase(name, "one").await?;
    }
    for watch in &mut watches {
        for expected in ["+a", "+a one", "+b", "+b one", "+c", "+c one"] {
            same!(watch.text().await?, expected);
        }
    }
    Ok(())
}

async fn a_change_that_is_told_can_be_read<B: Backend>(at: Place<'_, B>) -> Outcome {
    let mut watch = at.watch(at.snapshot().await?.version);
    for round in 0..10 {
        let name = format!("a{round}");
        let (made, told) = futures::join!(at.create(&name, json!({})), async {
            let Change::Applied(told) = watch.next().await? else {
                return Err("not a new object".to_owned().into());
            };
            check!(
                at.get(&name)?.version() >= told.version(),
                "told before it can be read"
            );
            Ok::<_, super::Failure>(told)
        });
        same!(told?, made?);
    }
    Ok(())
}

async fn a_watcher_that_lost_its_place_is_told_all<B: Backend>(at: Place<'_, B>) -> Outcome {
    let Some(window) = at.backend.window() else {
        return Ok(());
    };
    let old = at.snapshot().await?.version;
    at.create("gone", json!({})).await?;
    at.delete("gone").await?;
    at.create("a", json!({})).await?;
    for round in 0..=window {
        at.phase("a", &format!("{round}")).await?;
    }
    let mut watch = at.watch(old);
    let Change::Reset(all) = watch.next().await? else {
        return Err("not a reset".to_owned().into());
    };
    let names: Vec<_> = all
        .objects
        .iter()
        .filter_map(|widget| at.name(widget))
        .collect();
    same!(names, ["a"]);
    at.phase("a", "end").await?;
    same!(watch.text().await?, "+a end");
    Ok(())
}

async fn a_version_from_the_future_is_reset<B: Backend>(at: Place<'_, B>) -> Outcome {
    if at.backend.window().is_none() {
        return Ok(());
    }
    let made = at.create("a", json!({})).await?;
    let mut watch = at.watch(Version(made.version().0 + 1_000_000));
    same!(watch.text().await?, "reset");
    at.phase("a", "end").await?;
    same!(watch.text().await?, "+a end");
    Ok(())
}
