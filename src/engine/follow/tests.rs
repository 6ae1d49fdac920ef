use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures::stream::BoxStream;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::api::ProvisioningState;
use crate::plan::testing::{Lab, workers};
use crate::plan::{Action, HoldCode};
use crate::store::{Deleted, Embedded, Key, Patch, Version};

/// A store that can be told to refuse.
struct Moody {
    inner: Arc<Embedded>,
    refuses_writes: AtomicBool,
    refuses_reads: AtomicBool,
    writes: AtomicU32,
    times: Mutex<Vec<Instant>>,
    /// Happens once, before the next write.
    before: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Moody {
    fn new(lab: &Lab) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(&lab.store),
            refuses_writes: AtomicBool::new(false),
            refuses_reads: AtomicBool::new(false),
            writes: AtomicU32::new(0),
            times: Mutex::default(),
            before: Mutex::default(),
        })
    }

    fn store(&self) -> &dyn Store<BareMetalHost> {
        self.inner.as_ref()
    }

    fn write<'a, T>(
        &self,
        write: impl FnOnce() -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> BoxFuture<'a, Result<T, StoreError>>
    where
        T: Send + 'a,
    {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.times.lock().unwrap().push(Instant::now());
        let before = self.before.lock().unwrap().take();
        if let Some(event) = before {
            event();
        }
        if self.refuses_writes.load(Ordering::Relaxed) {
            return Box::pin(async { Err(StoreError::Backend("the disk is full".into())) });
        }
        write()
    }

    fn before_a_write(&self, event: impl FnOnce() + Send + 'static) {
        *self.before.lock().unwrap() = Some(Box::new(event));
    }

    fn writes(&self) -> u32 {
        self.writes.load(Ordering::Relaxed)
    }
}

impl Store<BareMetalHost> for Moody {
    fn snapshot(&self) -> BoxFuture<'_, Result<Snapshot<BareMetalHost>, StoreError>> {
        if self.refuses_reads.load(Ordering::Relaxed) {
            return Box::pin(async { Err(StoreError::Backend("no connection".into())) });
        }
        self.store().snapshot()
    }
    fn get(&self, key: &Key) -> Option<Arc<BareMetalHost>> {
        self.store().get(key)
    }
    fn list(&self) -> Vec<Arc<BareMetalHost>> {
        self.store().list()
    }
    fn watch(&self, from: Version) -> BoxStream<'static, Change<BareMetalHost>> {
        self.store().watch(from)
    }
    fn create(
        &self,
        object: BareMetalHost,
    ) -> BoxFuture<'_, Result<Arc<BareMetalHost>, StoreError>> {
        self.write(|| self.store().create(object))
    }
    fn apply<'a>(
        &'a self,
        key: &'a Key,
        wanted: Value,
        owner: &'a str,
        force: bool,
    ) -> BoxFuture<'a, Result<Arc<BareMetalHost>, StoreError>> {
        self.write(|| self.store().apply(key, wanted, owner, force))
    }
    fn patch<'a>(
        &'a self,
        key: &'a Key,
        patch: Patch,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Arc<BareMetalHost>, StoreError>> {
        self.write(|| self.store().patch(key, patch, expected))
    }
    fn update_status(
        &self,
        object: BareMetalHost,
        expected: Version,
    ) -> BoxFuture<'_, Result<Arc<BareMetalHost>, StoreError>> {
        self.store().update_status(object, expected)
    }
    fn delete<'a>(
        &'a self,
        key: &'a Key,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Deleted, StoreError>> {
        self.write(|| self.store().delete(key, expected))
    }
    fn managed_fields<'a>(
        &'a self,
        key: &'a Key,
    ) -> BoxFuture<'a, Result<Vec<ManagedFieldsEntry>, StoreError>> {
        self.store().managed_fields(key)
    }
}

/// A follower at work on a lab.
struct Scene {
    lab: Lab,
    store: Arc<Moody>,
    desired: watch::Sender<Option<Arc<Desired>>>,
    standing: watch::Receiver<Standing>,
    plans: mpsc::UnboundedReceiver<FirstPlan>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Scene {
    fn new(lab: Lab, names: &[&str]) -> Self {
        let store = Moody::new(&lab);
        let (desired, following) = watch::channel(None);
        let (telling, standing) = watch::channel(Standing::default());
        let (showing, plans) = mpsc::unbounded_channel();
        let telling = Telling {
            standing: telling,
            plans: showing,
        };
        let stop = CancellationToken::new();
        let grants = Grants::named(names.iter().map(ToString::to_string));
        let task = tokio::spawn(follow(
            Arc::clone(&store),
            following,
            grants,
            telling,
            stop.clone(),
        ));
        Self {
            lab,
            store,
            desired,
            standing,
            plans,
            stop,
            task,
        }
    }

    /// Another text.
    fn say(&mut self, text: &str) {
        self.lab.edit(text);
        self.desired
            .send_replace(Some(Arc::new(self.lab.desired.clone())));
    }

    /// Nothing is wanted any more.
    fn rest(&mut self) {
        self.desired.send_replace(None);
    }

    /// Waits until the standing is like this.
    async fn until(&mut self, like: impl Fn(&Standing) -> bool) -> Standing {
        let found = timeout(Duration::from_mins(10), self.standing.wait_for(like)).await;
        found
            .expect("it comes to that")
            .expect("it goes on")
            .clone()
    }

    async fn applied(&mut self, round: u64) -> Standing {
        self.until(|now| now.round == round && now.applied()).await
    }

    /// What was told of a round; earlier ones are passed over.
    async fn plan(&mut self, round: u64) -> FirstPlan {
        loop {
            let next = timeout(Duration::from_mins(10), self.plans.recv()).await;
            let next = next.expect("it is told").expect("it goes on");
            if next.round == round {
                return next;
            }
        }
    }

    fn names(&self) -> Vec<String> {
        self.lab
            .hosts()
            .iter()
            .map(|host| host.key().name.to_string())
            .collect()
    }

    fn grant(&self, host: &str, token: &str) {
        self.lab.patch(
            host,
            json!({"metadata": {"annotations": {annotation::ALLOW_DESTROY: token}}}),
        );
    }

    fn granted(&self, host: &str) -> Option<String> {
        self.lab
            .host(host)
            .annotation(annotation::ALLOW_DESTROY)
            .map(str::to_owned)
    }
}

/// Time that passes without anything to wait for.
async fn a_while() {
    tokio::time::sleep(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_is_applied_and_then_nothing_is_written() {
    let mut scene = Scene::new(Lab::new(&workers(3, "")), &[]);
    a_while().await;
    assert_eq!(scene.standing.borrow().round, 0, "nothing is wanted yet");
    scene.say(&workers(3, ""));
    scene.applied(1).await;
    let shown = scene.plan(1).await;
    assert_eq!(
        shown.plan.actions.len(),
        3,
        "the plan is what a person is shown"
    );
    assert_eq!(scene.names(), ["n01", "n02", "n03"]);
    let writes = scene.store.writes();
    // What the engine writes wakes nobody.
    scene.lab.provision("n01");
    a_while().await;
    scene.say(&workers(3, ""));
    scene.applied(2).await;
    assert!(scene.plan(2).await.plan.is_empty());
    assert_eq!(scene.store.writes(), writes);
}

#[tokio::test(start_paused = true)]
async fn a_roll_goes_on_as_machines_are_done() {
    let mut scene = Scene::new(Lab::provisioned(&workers(3, "")), &[]);
    scene.say(&workers(3, "").replace("deploy a", "deploy b"));
    for (index, name) in ["n01", "n02", "n03"].into_iter().enumerate() {
        let left = 2 - index;
        let standing = scene
            .until(|now| now.round == 1 && now.held.len() == left)
            .await;
        let rolling = |(_, hold): &(Arc<Action>, Hold)| hold.code == HoldCode::Rolling;
        assert!(standing.held.iter().all(rolling));
        scene.lab.state(name, ProvisioningState::Deprovisioning);
        a_while().await;
        assert_eq!(
            scene.standing.borrow().held.len(),
            left,
            "it is not done yet"
        );
        scene.lab.provision(name);
    }
    scene.applied(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_grant_by_annotation_frees_a_held_action() {
    let mut scene = Scene::new(Lab::provisioned(&workers(2, "")), &[]);
    scene.say(&workers(1, ""));
    let standing = scene.until(|now| !now.held.is_empty()).await;
    let (action, hold) = &standing.held[0];
    assert_eq!(hold.code, HoldCode::NeedsAllowDestroy);
    scene.grant("n02", "delete:0000000000000000");
    a_while().await;
    assert_eq!(scene.names(), ["n01", "n02"], "that was for another change");
    scene.grant("n02", plan::grant_of(action).unwrap());
    scene.applied(1).await;
    assert_eq!(scene.names(), ["n01"]);
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_used_up() {
    let spare = workers(2, "refine n02 { labels role=spare; }");
    let mut scene = Scene::new(Lab::provisioned(&workers(2, "")), &[]);
    scene.say(&spare);
    let standing = scene.until(|now| !now.held.is_empty()).await;
    scene.grant("n02", plan::grant_of(&standing.held[0].0).unwrap());
    scene.applied(1).await;
    assert_eq!(scene.granted("n02"), None);
    assert_eq!(scene.lab.host("n02").spec.image, None);
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_fits_nothing_goes_at_once() {
    let mut scene = Scene::new(Lab::provisioned(&workers(2, "")), &[]);
    scene.say(&workers(2, ""));
    scene.applied(1).await;
    scene.grant("n02", "delete:0123456789abcdef");
    a_while().await;
    assert_eq!(scene.granted("n02"), None);
    // While something else waits, too.
    scene.say(&workers(1, ""));
    scene.until(|now| !now.held.is_empty()).await;
    scene.grant("n01", "delete:0123456789abcdef");
    a_while().await;
    assert_eq!(scene.granted("n01"), None);
}

#[tokio::test(start_paused = true)]
async fn a_word_for_one_text_says_nothing_of_another() {
    let mut scene = Scene::new(Lab::provisioned(&workers(3, "")), &[]);
    scene.say(&workers(3, ""));
    scene.applied(1).await;
    // Said of a text that is not followed, as `apply` would of another file.
    let plan = scene
        .lab
        .edit(&workers(2, "refine n01 { description other; }"));
    let going = |action: &&Arc<Action>| &*action.host.name == "n03";
    let action = plan.actions.iter().find(going).unwrap();
    scene.grant("n03", plan::grant_of(action).unwrap());
    // Later the text that is followed comes to the same for this host.
    scene.say(&workers(2, ""));
    let standing = scene.until(|now| !now.held.is_empty()).await;
    assert_eq!(standing.held[0].1.code, HoldCode::NeedsAllowDestroy);
    a_while().await;
    assert_eq!(scene.names(), ["n01", "n02", "n03"]);
    assert_eq!(scene.granted("n03"), None);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_changed_since_it_was_judged_is_judged_again() {
    let mut scene = Scene::new(Lab::provisioned(&workers(2, "")), &[]);
    // On its way, so that nothing would be lost with it.
    scene.lab.state("n02", ProvisioningState::Provisioning);
    let lab = Arc::clone(&scene.lab.store);
    scene.store.before_a_write(move || {
        let key = Lab::key("n02");
        let host = Store::<BareMetalHost>::get(lab.as_ref(), &key).unwrap();
        let mut object = BareMetalHost::clone(&host);
        let status = object.status.get_or_insert_default();
        status.provisioning.state = ProvisioningState::Provisioned;
        let written = lab.update_status(object, host.version());
        futures::FutureExt::now_or_never(written).unwrap().unwrap();
    });
    scene.say(&workers(1, ""));
    // It is provisioned by the time of the write.
    let standing = scene.until(|now| !now.held.is_empty()).await;
    assert_eq!(standing.held[0].1.code, HoldCode::NeedsAllowDestroy);
    assert_eq!(standing.trouble, None);
    assert_eq!(scene.names(), ["n01", "n02"]);
}

#[tokio::test(start_paused = true)]
async fn a_grant_by_name_is_for_the_first_plan() {
    let mut scene = Scene::new(Lab::provisioned(&workers(3, "")), &["n03", "n02"]);
    scene.say(&workers(2, ""));
    scene.applied(1).await;
    assert_eq!(scene.names(), ["n01", "n02"]);
    // It was said, but not of this.
    scene.say(&workers(1, ""));
    let standing = scene
        .until(|now| now.round == 2 && !now.held.is_empty())
        .await;
    assert_eq!(&*standing.held[0].0.host.name, "n02");
    a_while().await;
    assert_eq!(scene.names(), ["n01", "n02"]);
}

#[tokio::test(start_paused = true)]
async fn a_grant_by_name_is_for_the_first_text() {
    let refusing = async || {
        let mut scene = Scene::new(Lab::provisioned(&workers(2, "")), &["n02"]);
        scene.store.refuses_writes.store(true, Ordering::Relaxed);
        scene.say(&workers(1, ""));
        let refused = |now: &Standing| now.round == 1 && now.trouble.is_some();
        scene.until(refused).await;
        scene
    };
    // The same text again, as when a seat is given to another: it was said of this one.
    let mut scene = refusing().await;
    scene.say(&workers(1, ""));
    scene.until(|now| now.round == 2).await;
    scene.store.refuses_writes.store(false, Ordering::Relaxed);
    scene.applied(2).await;
    assert_eq!(scene.names(), ["n01"]);
    // Another text, and then the first one again: that was said of something else by now.
    let mut scene = refusing().await;
    scene.say(&workers(2, ""));
    scene.applied(2).await;
    scene.store.refuses_writes.store(false, Ordering::Relaxed);
    scene.say(&workers(1, ""));
    scene
        .until(|now| now.round == 3 && !now.held.is_empty())
        .await;
    a_while().await;
    assert_eq!(scene.names(), ["n01", "n02"]);
}

#[tokio::test(start_paused = true)]
async fn the_next_text_supersedes_what_is_held() {
    let mut scene = Scene::new(Lab::provisioned(&workers(3, "")), &[]);
    scene.say(&workers(1, ""));
    scene.until(|now| now.held.len() == 2).await;
    scene.say(&workers(3, ""));
    scene.applied(2).await;
    assert!(scene.plan(2).await.plan.is_empty());
    assert_eq!(scene.names().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_is_tried_again_with_patience() {
    let mut scene = Scene::new(Lab::new(&workers(1, "")), &[]);
    scene.store.refuses_writes.store(true, Ordering::Relaxed);
    scene.say(&workers(1, ""));
    let standing = scene.until(|now| now.trouble.is_some()).await;
    assert_eq!(standing.trouble.as_deref(), Some("the disk is full"));
    assert!(!standing.applied());
    tokio::time::sleep(Duration::from_mins(5)).await;
    let tries = scene.store.writes();
    assert!((10..=20).contains(&tries), "{tries} tries in five minutes");
    scene.store.refuses_writes.store(false, Ordering::Relaxed);
    scene.applied(1).await;
    assert_eq!(scene.names(), ["n01"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_is_waited_for() {
    let mut scene = Scene::new(Lab::new(&workers(1, "")), &[]);
    scene.store.refuses_reads.store(true, Ordering::Relaxed);
    scene.say(&workers(1, ""));
    let standing = scene.until(|now| now.trouble.is_some()).await;
    assert!(standing.trouble.unwrap().contains("no connection"));
    // The text changes meanwhile.
    scene.say(&workers(2, ""));
    a_while().await;
    scene.store.refuses_reads.store(false, Ordering::Relaxed);
    scene.until(Standing::applied).await;
    assert_eq!(scene.names(), ["n01", "n02"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_being_deleted_is_created_again_once_it_is_gone() {
    let mut scene = Scene::new(Lab::provisioned(&workers(2, "")), &["n02"]);
    scene.lab.finalizer("n02", true);
    scene.say(&workers(1, ""));
    scene.applied(1).await;
    assert!(scene.lab.host("n02").metadata.deletion_timestamp.is_some());
    let old = scene.lab.host("n02").metadata.uid.clone();
    scene.say(&workers(2, ""));
    let standing = scene.until(|now| now.round == 2).await;
    assert_eq!(standing.held[0].1.code, HoldCode::MachineTaken);
    scene.lab.finalizer("n02", false);
    scene.applied(2).await;
    let new = scene.lab.host("n02");
    assert!(new.metadata.deletion_timestamp.is_none() && new.metadata.uid != old);
}

#[tokio::test(start_paused = true)]
async fn what_others_change_or_take_away_comes_back_at_a_modest_pace() {
    let mut scene = Scene::new(Lab::provisioned(&workers(2, "")), &[]);
    scene.say(&workers(2, ""));
    scene.applied(1).await;
    let (store, key) = (Arc::clone(&scene.lab.store), Lab::key("n01"));
    Store::<BareMetalHost>::delete(store.as_ref(), &key, None)
        .await
        .unwrap();
    a_while().await;
    assert_eq!(scene.names(), ["n01", "n02"]);
    for round in 0..20 {
        scene.lab.patch(
            "n02",
            json!({"spec": {"online": false, "description": round.to_string()}}),
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    a_while().await;
    let host = scene.lab.host("n02");
    assert!(host.spec.online, "the spec says so");
    assert_eq!(host.spec.description, "19", "the spec says nothing of it");
    let mends = scene.store.writes();
    assert!(mends <= 8, "{mends} writes against twenty");
    assert_eq!(scene.standing.borrow().round, 1);
}

#[tokio::test(start_paused = true)]
async fn while_nothing_is_wanted_a_roll_stands_still_and_nothing_is_brought_back() {
    let text = workers(4, "").replace("deploy a", "deploy b");
    let mut scene = Scene::new(Lab::provisioned(&workers(4, "")), &[]);
    scene.say(&text);
    scene.until(|now| now.held.len() == 3).await;
    scene.rest();
    let standing = scene.until(|now| now.round == 0).await;
    assert!(!standing.applied() && standing.held.is_empty());
    let writes = scene.store.writes();
    // The machine that was let go is done, somebody changes another host, deletes a third, and leaves
    // a word on a fourth.
    scene.lab.provision("n01");
    scene.lab.patch("n02", json!({"spec": {"online": false}}));
    let (store, key) = (Arc::clone(&scene.lab.store), Lab::key("n03"));
    Store::<BareMetalHost>::delete(store.as_ref(), &key, None)
        .await
        .unwrap();
    scene.grant("n04", "delete:0123456789abcdef");
    a_while().await;
    assert_eq!(scene.store.writes(), writes);
    assert_eq!(scene.names(), ["n01", "n02", "n04"]);
    assert!(!scene.lab.host("n02").spec.online);
    // Wanted again, it is as if it had only begun.
    scene.say(&text);
    scene.until(|now| now.round == 2).await;
    a_while().await;
    assert_eq!(scene.names(), ["n01", "n02", "n03", "n04"]);
    assert!(scene.lab.host("n02").spec.online);
    assert_eq!(scene.granted("n04"), None);
}

#[tokio::test(start_paused = true)]
async fn writes_that_are_not_begun_are_not_done_once_nothing_is_wanted() {
    let mut scene = Scene::new(Lab::new(&workers(3, "")), &[]);
    let desired = scene.desired.clone();
    scene.store.before_a_write(move || {
        desired.send_replace(None);
    });
    scene.say(&workers(3, ""));
    a_while().await;
    assert_eq!(scene.names(), ["n01"], "the one that was under way");
    assert_eq!(scene.standing.borrow().round, 0);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_of_the_same_name_elsewhere_is_another_one() {
    let elsewhere = workers(1, "").replacen("lab", "lab namespace=elsewhere", 1);
    let other = Lab::new(&elsewhere).desired;
    let mut scene = Scene::new(Lab::provisioned(&workers(2, "")), &[]);
    let store: &dyn Store<BareMetalHost> = scene.lab.store.as_ref();
    let key = Key::new("elsewhere", "n01");
    let object = other.object(&key, &other.hosts[&key]);
    store.apply(&key, object, plan::OWNER, true).await.unwrap();
    let word = json!({
        "metadata": { "annotations": { annotation::ALLOW_DESTROY: "delete:0123456789abcdef" } },
    });
    let patch = Patch::Merge(word);
    store.patch(&key, patch, None).await.unwrap();
    scene.lab.edit(&workers(2, ""));
    let ours = scene.lab.desired.clone().in_set("ours");
    scene.desired.send_replace(Some(Arc::new(ours)));
    scene.applied(1).await;
    a_while().await;
    let host = scene.lab.store.get(&key);
    let host: Arc<BareMetalHost> = host.expect("it is not ours to delete");
    assert!(
        host.annotation(annotation::ALLOW_DESTROY).is_some(),
        "nor is the word on it ours"
    );
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_told_and_when_nobody_will_say_more() {
    let scene = Scene::new(Lab::new(&workers(1, "")), &[]);
    scene.stop.cancel();
    timeout(Duration::from_secs(1), scene.task)
        .await
        .unwrap()
        .unwrap();

    let mut scene = Scene::new(Lab::provisioned(&workers(2, "")), &[]);
    scene.say(&workers(1, ""));
    scene.until(|now| !now.held.is_empty()).await;
    drop(scene.desired);
    timeout(Duration::from_secs(1), scene.task)
        .await
        .unwrap()
        .unwrap();
}
