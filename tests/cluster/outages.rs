//! The API server is away, or silent.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::controller::{Site, until};

/// Long enough for every request and every watch to fail some times.
const OUTAGE: Duration = Duration::from_secs(12);
/// Long enough for every wait between two tries to be at its longest.
const LONG: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_is_away_in_the_middle_of_work() {
    let Some(site) = Site::own("away", &[]).await else {
        return;
    };
    site.crowd(40);
    let controller = site.start("away", &["--simulate=4"]);
    site.provisions(5);
    site.server.is_to("pause");
    controller.says("cannot reach the API server");
    std::thread::sleep(LONG);
    site.server.is_to("resume");
    let back = Instant::now();
    site.provisions(40);
    site.is_whole(40);
    // Each answer that was lost was looked up, and not asked for anew.
    for effect in ["enroll", "inspect", "deploy"] {
        controller.did_once(effect, 40);
    }
    controller.says("tells of baremetalhosts again");
    println!("settled {:?} after the outage", back.elapsed());
    // The watch of Secrets is back, too.
    let version = || site.get("bmh/h1")["status"]["goodCredentials"]["credentialsVersion"].clone();
    let before = version();
    site.patch(
        "secret/bmc",
        &json!({ "stringData": { "password": "hobbes" } }),
    );
    let rotated = Instant::now();
    until(|| version() != before, || "the rotation is not seen".into());
    assert!(rotated.elapsed() < Duration::from_secs(15));
    controller.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_starts_before_the_api_server_does() {
    let Some(site) = Site::own("early", &[]).await else {
        return;
    };
    site.crowd(3);
    site.server.is_to("pause");
    let controller = site.simulate("early", &[]);
    controller.says("cannot reach the API server");
    std::thread::sleep(Duration::from_secs(5));
    assert!(
        !controller.log().contains("hosts read"),
        "{}",
        controller.log()
    );
    site.server.is_to("resume");
    site.provisions(3);
    site.is_whole(3);
    controller.stop();
    // One that is asked to end while nobody answers ends, too.
    site.server.is_to("pause");
    let controller = site.simulate("again", &[]);
    controller.says("cannot reach the API server");
    let took = controller.stop();
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_takes_requests_and_answers_nothing() {
    let Some(site) = Site::own("frozen", &[]).await else {
        return;
    };
    site.crowd(20);
    let controller = site.start("frozen", &["--simulate=4"]);
    site.provisions(3);
    site.server.is_to("freeze");
    std::thread::sleep(OUTAGE);
    site.server.is_to("thaw");
    site.provisions(20);
    site.is_whole(20);
    for effect in ["enroll", "inspect", "deploy"] {
        controller.did_once(effect, 20);
    }
    // An end in the middle of silence is an end all the same.
    site.server.is_to("freeze");
    let took = controller.stop();
    site.server.is_to("thaw");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// A renewal that is not answered does not keep the leader from seeing that its lease ran out.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_gets_no_answer_ends_in_time() {
    let Some(site) = Site::own("hung", &[]).await else {
        return;
    };
    site.crowd(1);
    let times = [
        "--leader-elect",
        "--lease-duration=4",
        "--renew-deadline=3",
        "--retry-period=1",
    ];
    let mut controller = site.simulate("hung", &times);
    site.provisions(1);
    site.server.is_to("freeze");
    let frozen = Instant::now();
    let ended = controller.ends();
    let took = frozen.elapsed();
    site.server.is_to("thaw");
    assert_eq!(ended.code(), Some(5), "{}", controller.log());
    assert!(took < Duration::from_secs(10), "{took:?}");
    controller.says("was not renewed for 3 s");
}
