//! What a person asks for by an annotation.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_annotation_that_asks_for_something_ends_the_rest_after_an_error_once() {
    let clock = clock();
    let simulation = simulation("fail power h1", clock);
    let bench = Bench::with(simulation.clone(), clock);
    let key = bench.host(1, None).await;
    bench.until("settled", Overview::settled).await;
    let off = store::Patch::Merge(json!({ "spec": { "online": false } }));
    let written: Arc<BareMetalHost> = bench.store.patch(&key, off, None).await.unwrap();
    drop(written);
    let errors = || {
        let host: Option<Arc<BareMetalHost>> = bench.store.get(&key);
        host.unwrap().status.as_ref().unwrap().error_count
    };
    bench.until("tired", |_| errors() >= 6).await;
    let tried = || simulation.hardware(&key.name).unwrap().began[Task::Power as usize].1;
    tokio::time::sleep(Duration::from_mins(5)).await;
    let before = tried();
    bench.annotate(&key, annotation::REBOOT, Some("")).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!((tried(), errors()), (before + 1, 1), "at once, and once");
    // What asks for nothing changes nothing.
    bench.until("tired again", |_| errors() >= 6).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    let before = tried();
    bench.annotate(&key, "example.org/note", Some("")).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!((tried(), errors()), (before, 6));
    bench.stop.cancel();
}
