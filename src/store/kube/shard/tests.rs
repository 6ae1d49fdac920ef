use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use tokio::time::timeout;

use super::*;
use crate::store::conformance::Widget;
use crate::store::kube::union;
use crate::store::log::watch as follow;

/// `name` at a version; the uid says which of those that had this name.
fn widget(name: &str, uid: &str, version: u64) -> Widget {
    serde_json::from_value(json!({
        "apiVersion": "test.metalform.dev/v1", "kind": "Widget",
        "metadata": {
            "name": name, "namespace": "n", "uid": uid, "resourceVersion": version.to_string(),
        },
        "spec": {},
    }))
    .unwrap()
}

fn key(name: &str) -> Key {
    Key::new("n", name)
}

fn uid(uid: &str) -> Arc<str> {
    uid.into()
}

/// A shard that was told of these in its first list.
fn told(all: &[(&str, u64)]) -> Shard<Widget> {
    let shard = Shard::new(None, 8);
    list(&shard, all);
    shard
}

/// All objects anew; each is of the uid `1`.
fn list(shard: &Shard<Widget>, all: &[(&str, u64)]) {
    shard.begins();
    for (name, version) in all {
        shard.comes(widget(name, "1", *version));
    }
    shard.is_whole();
}

/// Names and versions of all that is shown.
fn shown(shard: &Shard<Widget>) -> Vec<(String, u64)> {
    let all = shard.list();
    for object in &all {
        assert!(Arc::ptr_eq(object, &shard.get(&object.key()).unwrap()));
    }
    names(&all)
}

fn names(all: &[Arc<Widget>]) -> Vec<(String, u64)> {
    let name = |widget: &Arc<Widget>| (widget.key().name.to_string(), widget.version().0);
    all.iter().map(name).collect()
}

fn are(all: &[(&str, u64)]) -> Vec<(String, u64)> {
    let own = |(name, version): &(&str, u64)| ((*name).to_owned(), *version);
    all.iter().map(own).collect()
}

/// True when what is written by now is told.
async fn has_caught_up(shard: &Shard<Widget>) -> bool {
    let soon = Duration::from_millis(1);
    timeout(soon, shard.caught_up()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_synced_before_the_first_list_is_whole() {
    let shard: Shard<Widget> = Shard::new(None, 8);
    let soon = Duration::from_millis(1);
    shard.begins();
    shard.comes(widget("a", "1", 3));
    assert!(timeout(soon, shard.synced()).await.is_err());
    assert_eq!(shown(&shard), []);
    shard.is_whole();
    shard.synced().await;
    assert_eq!(shown(&shard), are(&[("a", 3)]));
    // An empty list is a list.
    let empty = told(&[]);
    empty.synced().await;
    assert!(has_caught_up(&empty).await);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_shown_at_once_and_settles_when_the_watch_tells_it() {
    let shard = told(&[("a", 3)]);
    let answer = Arc::new(widget("a", "1", 5));
    shard.wrote(&answer);
    assert_eq!(shown(&shard), are(&[("a", 5)]));
    assert!(!has_caught_up(&shard).await);
    // What is watched from is what was told.
    assert_eq!(names(&shard.all().0.objects), are(&[("a", 3)]));
    shard.applied(widget("a", "1", 5));
    assert!(has_caught_up(&shard).await);
    let now = shard.get(&key("a")).unwrap();
    assert!(
        Arc::ptr_eq(&now, &answer),
        "it is in memory once, not twice"
    );
    assert!(shard.read().ahead.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_watch_tells_in_between_does_not_hide_an_answer() {
    let shard = told(&[("a", 3)]);
    shard.wrote(&Arc::new(widget("a", "1", 6)));
    shard.applied(widget("a", "1", 5));
    assert_eq!(shown(&shard), are(&[("a", 6)]));
    assert!(!has_caught_up(&shard).await);
    shard.applied(widget("a", "1", 7));
    assert_eq!(shown(&shard), are(&[("a", 7)]));
    assert!(has_caught_up(&shard).await);
}

#[test]
fn late_answers_do_not_go_back_in_time() {
    let shard = told(&[("a", 3)]);
    shard.applied(widget("a", "1", 7));
    shard.wrote(&Arc::new(widget("a", "1", 5)));
    assert_eq!(shown(&shard), are(&[("a", 7)]));
    // Nor do those that overtook each other.
    shard.wrote(&Arc::new(widget("a", "1", 9)));
    shard.wrote(&Arc::new(widget("a", "1", 8)));
    assert_eq!(shown(&shard), are(&[("a", 9)]));
    // Nor those about one that went.
    shard.deleted(widget("a", "1", 10));
    shard.wrote(&Arc::new(widget("a", "1", 9)));
    assert_eq!(shown(&shard), []);
    shard.applied(widget("a", "2", 12));
    shard.removed(&key("a"), Some(&uid("2")));
    shard.wrote(&Arc::new(widget("a", "2", 13)));
    assert_eq!(shown(&shard), []);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_removed_is_gone_before_the_watch_says_so() {
    let shard = told(&[("a", 3), ("b", 4)]);
    shard.removed(&key("a"), Some(&uid("1")));
    assert_eq!(shown(&shard), are(&[("b", 4)]));
    assert!(!has_caught_up(&shard).await);
    // The last that was heard of it before it went.
    shard.applied(widget("a", "1", 5));
    assert_eq!(shown(&shard), are(&[("b", 4)]));
    shard.deleted(widget("a", "1", 6));
    assert!(has_caught_up(&shard).await);
    // Whoever was not known cannot be removed, nor one of another uid.
    shard.removed(&key("c"), Some(&uid("1")));
    shard.removed(&key("b"), Some(&uid("2")));
    assert_eq!(shown(&shard), are(&[("b", 4)]));
    assert!(shard.read().ahead.is_empty());
    shard.missed(&key("b"), &shard.seen(&key("b")));
    assert_eq!(shown(&shard), []);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_there_is_nothing_says_nothing_of_what_came_since() {
    let shard = Arc::new(told(&[("a", 3)]));
    let (first, none) = (shard.seen(&key("a")), shard.seen(&key("b")));
    // Our request is answered 404; before that is taken both names are used (again).
    shard.deleted(widget("a", "1", 4));
    shard.applied(widget("a", "2", 5));
    shard.applied(widget("b", "1", 6));
    shard.missed(&key("a"), &first);
    shard.missed(&key("b"), &none);
    assert_eq!(shown(&shard), are(&[("a", 5), ("b", 6)]));
    assert!(has_caught_up(&shard).await);
    // The one that was known goes, however new it is by then.
    let seen = shard.seen(&key("b"));
    shard.applied(widget("b", "1", 7));
    shard.missed(&key("b"), &seen);
    assert_eq!(shown(&shard), are(&[("a", 5)]));
    assert!(!has_caught_up(&shard).await);
}

#[tokio::test(start_paused = true)]
async fn a_later_list_knows_better_than_an_answer() {
    let shard = Arc::new(told(&[("a", 3), ("b", 4)]));
    shard.removed(&key("a"), Some(&uid("1")));
    shard.begins();
    shard.removed(&key("b"), Some(&uid("1")));
    shard.comes(widget("a", "1", 3));
    shard.comes(widget("b", "1", 4));
    shard.is_whole();
    assert_eq!(shown(&shard), are(&[("a", 3)]), "one was begun before");
    // Whoever lost its place is told all after a while, whatever is never confirmed.
    let mut lost = follow(Arc::clone(&shard), Version(1));
    let Some(Change::Reset(all)) = lost.next().await else {
        panic!("it begins with all");
    };
    assert_eq!(names(&all.objects), are(&[("a", 3), ("b", 4)]));
    shard.deleted(widget("b", "1", 5));
    assert!(matches!(lost.next().await, Some(Change::Deleted(_))));
}

#[tokio::test(start_paused = true)]
async fn a_name_may_be_used_again() {
    let shard = told(&[("a", 3)]);
    shard.removed(&key("a"), Some(&uid("1")));
    shard.wrote(&Arc::new(widget("a", "2", 6)));
    assert_eq!(shown(&shard), are(&[("a", 6)]));
    // The end of the first one says nothing of the second.
    shard.deleted(widget("a", "1", 5));
    assert_eq!(shown(&shard), are(&[("a", 6)]));
    assert!(!has_caught_up(&shard).await);
    shard.applied(widget("a", "2", 6));
    assert!(has_caught_up(&shard).await);
    // Removed here, made anew by somebody else.
    shard.removed(&key("a"), Some(&uid("2")));
    shard.deleted(widget("a", "2", 7));
    shard.applied(widget("a", "3", 8));
    assert_eq!(shown(&shard), are(&[("a", 8)]));
    assert!(shard.read().ahead.is_empty());
}

#[test]
fn a_list_that_misses_an_object_ends_it() {
    let shard = told(&[("a", 3), ("b", 4)]);
    shard.wrote(&Arc::new(widget("a", "1", 5)));
    shard.wrote(&Arc::new(widget("c", "1", 6)));
    // Neither what was told nor what was written before the list is beyond it.
    list(&shard, &[("b", 4)]);
    assert_eq!(shown(&shard), are(&[("b", 4)]));
}

#[test]
fn what_is_written_while_a_list_comes_is_kept() {
    let shard = told(&[("a", 3)]);
    shard.begins();
    shard.wrote(&Arc::new(widget("b", "1", 6)));
    shard.comes(widget("a", "1", 5));
    assert_eq!(shown(&shard), are(&[("a", 3), ("b", 6)]));
    shard.is_whole();
    assert_eq!(shown(&shard), are(&[("a", 5), ("b", 6)]));
    // Unless the list is newer than the write: then it went again.
    shard.begins();
    shard.wrote(&Arc::new(widget("c", "1", 7)));
    shard.comes(widget("a", "1", 9));
    shard.comes(widget("b", "1", 6));
    shard.is_whole();
    assert_eq!(shown(&shard), are(&[("a", 9), ("b", 6)]));
}

#[test]
fn a_list_from_a_server_that_is_behind_takes_no_object_back() {
    let shard = told(&[("a", 3), ("b", 4)]);
    shard.applied(widget("a", "1", 7));
    shard.wrote(&Arc::new(widget("b", "1", 8)));
    list(&shard, &[("a", 3), ("b", 4)]);
    assert_eq!(shown(&shard), are(&[("a", 7), ("b", 8)]));
    // What it tells next is old, too.
    shard.applied(widget("a", "1", 7));
    shard.deleted(widget("a", "1", 6));
    assert_eq!(shown(&shard), are(&[("a", 7), ("b", 8)]));
    assert_eq!(shard.all().0.version, Version(7));
}

#[tokio::test(start_paused = true)]
async fn a_list_with_nothing_new_disturbs_nobody() {
    let shard = Arc::new(told(&[("a", 3)]));
    let mut changes = follow(Arc::clone(&shard), Version(3));
    list(&shard, &[("a", 3)]);
    shard.applied(widget("a", "1", 4));
    let next = changes.next().await.unwrap();
    assert!(matches!(next, Change::Applied(widget) if widget.version() == Version(4)));
    list(&shard, &[("a", 4), ("b", 5)]);
    let Some(Change::Reset(all)) = changes.next().await else {
        panic!("something may have been missed");
    };
    assert_eq!(names(&all.objects), are(&[("a", 4), ("b", 5)]));
}

#[tokio::test(start_paused = true)]
async fn whoever_watches_from_an_answer_is_told_what_comes_after() {
    let shard = Arc::new(told(&[("a", 3)]));
    shard.wrote(&Arc::new(widget("a", "1", 5)));
    let mut changes = follow(Arc::clone(&shard), Version(5));
    for version in 4..=6 {
        shard.applied(widget("a", "1", version));
    }
    let next = changes.next().await.unwrap();
    assert!(matches!(next, Change::Applied(widget) if widget.version() == Version(6)));
    // From a version of the future, everything.
    let mut lost = follow(Arc::clone(&shard), Version(99));
    assert!(matches!(lost.next().await, Some(Change::Reset(_))));
}

#[tokio::test(start_paused = true)]
async fn whoever_falls_behind_is_told_all() {
    let shard = Arc::new(told(&[("a", 3)]));
    let mut changes = follow(Arc::clone(&shard), Version(3));
    for version in 4..=20 {
        shard.applied(widget("a", "1", version));
    }
    let Some(Change::Reset(all)) = changes.next().await else {
        panic!("eight changes are kept");
    };
    assert_eq!(names(&all.objects), are(&[("a", 20)]));
}

fn in_namespace(namespace: &str, version: u64) -> Widget {
    let mut widget = widget("w", "1", version);
    widget.meta_mut().namespace = Some(namespace.into());
    widget
}

#[tokio::test(start_paused = true)]
async fn several_shards_are_one_watch() {
    let shard = |namespace: &str| Arc::new(Shard::<Widget>::new(Some(namespace.into()), 8));
    let shards = Arc::new(vec![shard("one"), shard("two")]);
    let mut changes = union::watch_all(Arc::clone(&shards));
    let own = |namespace: &str| {
        shards
            .iter()
            .find(|shard| shard.namespace() == Some(namespace))
    };
    let (one, two) = (own("one").unwrap(), own("two").unwrap());
    assert!(one.holds(&Key::new("one", "w")) && !one.holds(&Key::new("two", "w")));
    one.begins();
    one.comes(in_namespace("one", 9));
    one.is_whole();
    let soon = Duration::from_millis(1);
    let early = timeout(soon, changes.next()).await;
    assert!(early.is_err(), "one of two is not all");
    two.begins();
    two.is_whole();
    let Some(Change::Reset(first)) = changes.next().await else {
        panic!("it begins with all");
    };
    assert_eq!((first.objects.len(), first.version), (1, Version(9)));
    // Older than what the other one told, and told all the same.
    two.applied(in_namespace("two", 5));
    let next = changes.next().await.unwrap();
    assert!(matches!(next, Change::Applied(widget) if widget.version() == Version(5)));
    // One that lost its place brings all of both.
    two.begins();
    two.comes(in_namespace("two", 12));
    two.is_whole();
    let Some(Change::Reset(all)) = changes.next().await else {
        panic!("something may have been missed");
    };
    let namespaces: Vec<String> = all
        .objects
        .iter()
        .map(|widget| widget.key().namespace.to_string())
        .collect();
    assert_eq!(namespaces, ["one", "two"]);
    assert_eq!(union::all(&shards).version, Version(12));
}
