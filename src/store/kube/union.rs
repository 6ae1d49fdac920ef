//! Several shards as one.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _};

use crate::store::log::{self, Changes as _};
use crate::store::{Change, Object, Snapshot, Version};

use super::shard::Shard;

/// All objects of some shards, and the newest version of all.
pub(super) fn all<K: Object>(shards: &[Arc<Shard<K>>]) -> Snapshot<K> {
    together(shards.iter().map(|shard| shard.all().0))
}

fn together<K: Object>(all: impl Iterator<Item = Snapshot<K>>) -> Snapshot<K> {
    let mut whole = Snapshot {
        objects: Vec::new(),
        version: Version::default(),
    };
    for own in all {
        whole.objects.extend(own.objects);
        whole.version = whole.version.max(own.version);
    }
    whole.objects.sort_by_cached_key(|object| object.key());
    whole
}

/// The changes of several shards, after all objects of all of them.
pub(super) fn watch_all<K: Object>(
    shards: Arc<Vec<Arc<Shard<K>>>>,
) -> BoxStream<'static, Change<K>> {
    let begin = async move {
        for shard in shards.iter() {
            shard.synced().await;
            shard.settled().await;
        }
        let (parts, places): (Vec<_>, Vec<_>) = shards.iter().map(|shard| shard.all()).unzip();
        let first = Change::Reset(together(parts.into_iter()));
        let each: Vec<_> = shards
            .iter()
            .zip(places)
            .map(|(shard, place)| log::follow(Arc::clone(shard), Some(place.into())))
            .collect();
        // A shard that lost its place knows of its own objects only.
        let whole = move |change| match change {
            Change::Reset(_) => Change::Reset(all(&shards)),
            change => change,
        };
        let rest = stream::select_all(each).map(whole);
        stream::once(std::future::ready(first)).chain(rest)
    };
    stream::once(begin).flatten().boxed()
}
