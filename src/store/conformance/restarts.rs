//! What is acknowledged outlives the store.

use futures::future::join_all;
use serde_json::json;

use super::{Backend, Change, Outcome, Place, check, same, spec, status, suite};
use crate::store::{Object as _, Store as _};

suite![
    objects_and_versions_outlive_a_restart,
    what_was_deleted_stays_deleted,
    owners_outlive_a_restart,
    versions_grow_over_a_restart,
    a_watch_goes_on_or_is_reset_after_a_restart,
    many_restarts_lose_nothing,
];

impl<'a, B: Backend> Place<'a, B> {
    /// The same place after a restart; `None` when the backend cannot.
    async fn restarted(self) -> Option<Place<'a, B>> {
        let store = self.backend.restart(self.store).await?;
        Some(Place { store, ..self })
    }
}

/// Ends the case where there is no restart.
macro_rules! restart {
    ($at:ident) => {
        match $at.restarted().await {
            Some(again) => again,
            None => return Ok(()),
        }
    };
}

async fn objects_and_versions_outlive_a_restart<B: Backend>(at: Place<'_, B>) -> Outcome {
    for name in ["a", "b", "c"] {
        at.create(
            name,
            json!({ "name": name, "deep": { "list": [1, null, "x"] } }),
        )
        .await?;
        at.change(name, |widget| {
            super::set(&mut widget.status, "phase", "ready".into());
            super::set(
                &mut widget.status,
                "inventory",
                json!({ "big": "y".repeat(2000) }),
            );
        })
        .await?;
    }
    at.change("b", |widget| {
        widget.metadata.finalizers = Some(vec!["example.com/keep".into()].into());
        widget
            .status
            .as_mut()
            .map(|status| status.remove("inventory"));
    })
    .await?;
    at.change("c", |widget| widget.status = None).await?;
    at.delete("b").await?;
    let before = [at.get("a")?, at.get("b")?, at.get("c")?];
    let at = restart!(at);
    same!([at.get("a")?, at.get("b")?, at.get("c")?], before);
    Ok(())
}

async fn what_was_deleted_stays_deleted<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({ "life": 1 })).await?;
    at.phase("a", "old").await?;
    at.create("b", json!({})).await?;
    at.delete("a").await?;
    at.delete("b").await?;
    at.create("a", json!({ "life": 2 })).await?;
    let at = restart!(at);
    same!(at.names(), ["a"]);
    let a = at.get("a")?;
    same!(spec(&a), json!({ "life": 2 }));
    same!(status(&a, "phase"), json!(null));
    Ok(())
}

async fn owners_outlive_a_restart<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.apply("a", "me", json!({ "spec": { "color": "red", "size": 1 } }))
        .await?;
    at.apply("a", "you", json!({ "spec": { "shape": "round" } }))
        .await?;
    let before = at.store.managed_fields(&at.key("a")).await?;
    let at = restart!(at);
    same!(at.store.managed_fields(&at.key("a")).await?, before);
    let applied = at
        .apply("a", "me", json!({ "spec": { "color": "red" } }))
        .await?;
    same!(spec(&applied), json!({ "color": "red", "shape": "round" }));
    Ok(())
}

async fn versions_grow_over_a_restart<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({})).await?;
    at.create("b", json!({})).await?;
    at.delete("b").await?;
    let before = at.snapshot().await?.version;
    let at = restart!(at);
    let made = at.create("c", json!({})).await?;
    check!(made.version() > before, "a version was given twice");
    Ok(())
}

async fn a_watch_goes_on_or_is_reset_after_a_restart<B: Backend>(at: Place<'_, B>) -> Outcome {
    at.create("a", json!({})).await?;
    let seen = at.create("b", json!({})).await?;
    at.phase("a", "late").await?;
    at.delete("b").await?;
    let at = restart!(at);
    let mut watch = at.watch(seen.version());
    match watch.next().await? {
        Change::Reset(all) => {
            let names: Vec<_> = all
                .objects
                .iter()
                .filter_map(|widget| at.name(widget))
                .collect();
            same!(names, ["a"]);
        }
        Change::Applied(a) => {
            same!(status(&a, "phase"), json!("late"));
            same!(watch.text().await?, "-b");
        }
        Change::Deleted(_) => return Err("the deletion came first".to_owned().into()),
    }
    at.phase("a", "end").await?;
    same!(watch.text().await?, "+a end");
    Ok(())
}

async fn many_restarts_lose_nothing<B: Backend>(at: Place<'_, B>) -> Outcome {
    let mut at = at;
    for round in 0..5 {
        let writes = (0..10).map(|n| at.create_numbered(round, n));
        for result in join_all(writes).await {
            result?;
        }
        at = restart!(at);
        same!(at.names().len(), (round + 1) * 10);
    }
    Ok(())
}

impl<B: Backend> Place<'_, B> {
    async fn create_numbered(&self, round: usize, n: usize) -> Outcome {
        self.create(&format!("a{round}-{n}"), json!({ "round": round }))
            .await?;
        Ok(())
    }
}
