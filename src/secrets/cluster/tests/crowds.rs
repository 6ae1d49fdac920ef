//! Many hosts, and none.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_nobody_holds_is_forgotten_and_not_asked_for() {
    let server = Server::default();
    server.has("bmc", "calvin");
    let secrets = server.secrets();
    for (name, secret) in [("a", "bmc"), ("b", "gone")] {
        let host = host(name, secret);
        secrets.prepare(&host, &alone).await.unwrap();
    }
    let holders = Arc::new(AtomicU64::new(1));
    let is_held = {
        let holders = Arc::clone(&holders);
        Arc::new(move |_: &Key| holders.load(Ordering::Relaxed) > 0)
    };
    let mut looks = crate::secrets::cluster::changes::missing(&secrets, is_held);
    for _ in 0..3 {
        assert_eq!(looks.next().await, Some(vec![]));
    }
    assert_eq!(secrets.known().len(), 2);
    // Its host is about to come, or is gone for good.
    holders.store(0, Ordering::Relaxed);
    assert_eq!(looks.next().await, Some(vec![]));
    assert_eq!(secrets.known().len(), 2);
    server.takes();
    assert_eq!(looks.next().await, Some(vec![]));
    assert_eq!(secrets.known().len(), 0);
    assert_eq!(server.takes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn contents_of_a_deleted_secret_go_though_no_turn_reads_it() {
    let server = Server::default();
    server.has("bmc", "calvin");
    let (secrets, a) = (server.secrets(), host("a", "bmc"));
    secrets.prepare(&a, &alone).await.unwrap();
    let mut looks = crate::secrets::cluster::changes::missing(&secrets, held());
    assert_eq!(looks.next().await, Some(vec![]));
    let last = told(&server, "bmc");
    server.lost("bmc");
    tell(&secrets, Event::Delete(last));
    assert!(
        secrets.read("n", "bmc").is_ok(),
        "it was known a moment ago"
    );
    assert_eq!(looks.next().await, Some(vec![]));
    assert!(secrets.read("n", "bmc").is_err());
}

#[tokio::test]
async fn hosts_that_share_one_read_and_claim_it_once() {
    let server = Server::default();
    server.has("bmc", "calvin");
    let secrets = server.secrets();
    let hosts: Vec<BareMetalHost> = (0..40)
        .map(|number| host(&format!("h{number}"), "bmc"))
        .collect();
    let all = hosts.iter().map(|host| secrets.prepare(host, &shared));
    for done in futures::future::join_all(all).await {
        done.unwrap();
    }
    assert_eq!(server.takes(), ["GET bmc", "PATCH bmc"]);
    // As the other operator leaves it: with one reference a host.
    let owners: Vec<Value> = hosts
        .iter()
        .map(|host| {
            json!({
                "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
                "name": host.metadata.name, "uid": host.metadata.uid,
            })
        })
        .collect();
    server.change("bmc", &json!({ "metadata": { "ownerReferences": owners } }));
    tell(&secrets, Event::Apply(told(&server, "bmc")));
    let all = hosts
        .iter()
        .map(|host| secrets.release(host, "bmc", &shared));
    for done in futures::future::join_all(all).await {
        done.unwrap();
    }
    assert_eq!(server.takes(), ["GET bmc", "PATCH bmc", "GET bmc"]);
    let meta = server.meta("bmc");
    assert_eq!(meta["ownerReferences"], json!([]));
    assert_eq!(
        meta["finalizers"],
        json!(["baremetalhost.metal3.io/secret"])
    );
}

#[tokio::test]
async fn an_answer_that_the_watch_overtook_is_read_again() {
    let server = Server::default();
    server.has("bmc", "calvin");
    let (secrets, a) = (server.secrets(), host("a", "bmc"));
    {
        let turn = secrets.flights.turn(&key("bmc")).await;
        let answer = secrets.store.read_now::<Stored>(&key("bmc")).await.unwrap();
        server.has("bmc", "hobbes");
        assert_eq!(
            tell(&secrets, Event::Apply(told(&server, "bmc"))),
            [key("bmc")],
            "somebody is about to know it"
        );
        secrets.takes(&turn, secrets.held(&key("bmc"), answer));
    }
    assert!(!secrets.is_ready(&a));
    secrets.prepare(&a, &alone).await.unwrap();
    let secret = secrets.read("n", "bmc").unwrap();
    assert_eq!(secret.data["password"].reveal(), "hobbes");
}

/// The first list of the watch may be from before the claim: it has the Secret not yet.
#[tokio::test]
async fn a_list_that_lacks_it_makes_it_be_read_once_and_not_by_each() {
    let server = Server::default();
    server.has("bmc", "calvin");
    let secrets = server.secrets();
    let hosts: Vec<BareMetalHost> = (0..40)
        .map(|number| host(&format!("h{number}"), "bmc"))
        .collect();
    secrets.prepare(&hosts[0], &shared).await.unwrap();
    server.takes();
    let turn = secrets.flights.turn(&key("bmc")).await;
    let first = secrets.prepare(&hosts[0], &shared);
    let all = hosts.iter().map(|host| secrets.prepare(host, &shared));
    let all = futures::future::join_all(all);
    let line = async {
        tell(&secrets, Event::Init);
        tell(&secrets, Event::InitDone);
        tokio::task::yield_now().await;
        drop(turn);
    };
    let (first, all, ()) = tokio::join!(first, all, line);
    first.unwrap();
    all.into_iter().for_each(|done| done.unwrap());
    assert_eq!(server.takes(), ["GET bmc"]);
}
