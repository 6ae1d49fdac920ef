//! What is seen, and when.

use super::*;

#[tokio::test]
async fn a_mac_address_of_another_node_is_refused() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    fake.books(|books| {
        let other = books.add(&json!({ "name": "other" }));
        books.ports.insert("52:54:00:00:00:01".into(), other);
        let nameless = books.add(&json!({ "name": null }));
        books.ports.insert("52:54:00:00:00:03".into(), nameless);
    });
    next(&mut ticks).await;
    let text = "MAC address 52:54:00:00:00:01 conflicts with existing node other";
    assert!(matches!(ironic.sight(&host("a")), Sight::Taken(found) if &*found == text));
    // Without a name it is ours to take, and its changes are ours to know.
    let host3 = host("abc");
    let Sight::Present(facts) = ironic.sight(&host3) else {
        panic!("not found")
    };
    assert!(
        ironic.drift(&host3, &facts).settings,
        "it is to get our name"
    );
    fake.books(|books| books.set(&facts.id, "power_state", "power on".into()));
    ironic.hurry();
    assert_eq!(names(&news(&mut ticks).await), ["m/abc"]);
    // One that appeared since the last look.
    let late = host("ab");
    fake.books(|books| {
        let other = books.add(&json!({ "name": "late" }));
        books.ports.insert("52:54:00:00:00:02".into(), other);
    });
    let Err(Fault::Taken(text)) = run(&ironic, &late, enroll()).await else {
        panic!()
    };
    assert!(
        text.starts_with("MAC address 52:54:00:00:00:02 conflicts with existing node"),
        "{text}"
    );
}

#[tokio::test]
async fn all_pages_are_read() {
    let fake = Fake::start().await;
    fake.books(|books| {
        for n in 0..1203 {
            let node = books.add(&json!({ "name": format!("m~n{n}") }));
            books
                .ports
                .insert(format!("52:54:00:01:{:02x}:{:02x}", n / 256, n % 256), node);
        }
    });
    let ironic = ironic(&fake);
    let tick = next(&mut ironic.ticks()).await;
    assert!(tick.all && tick.as_of.is_some());
    assert_eq!(ironic.nodes(), 1203);
    // One look, two pages of nodes, one of ports (the fake has no pages of those).
    assert_eq!(
        ironic.requests(),
        Requests {
            greeting: 2,
            looks: 4,
            reads: 0,
            writes: 0
        }
    );
}

#[tokio::test]
async fn changes_are_told_once_and_only_they() {
    let fake = Fake::start().await;
    let ids = fake.books(|books| {
        (0..60)
            .map(|n| books.add(&json!({ "name": format!("m~n{n:02}") })))
            .collect::<Vec<_>>()
    });
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    fake.books(|books| books.set(&ids[3], "provision_state", "manageable".into()));
    ironic.hurry();
    assert_eq!(names(&news(&mut ticks).await), ["m/n03"]);
    // A lock that came and went changes nothing that anybody decides by.
    fake.books(|books| books.set(&ids[4], "reservation", Value::Null));
    ironic.hurry();
    assert!(next(&mut ticks).await.changed.is_empty());
    // More than a page of changes: all of them at once.
    fake.take();
    fake.books(|books| {
        for id in &ids {
            books.set(id, "maintenance", true.into());
        }
    });
    ironic.hurry();
    assert_eq!(news(&mut ticks).await.changed.len(), 60);
    let looks = fake
        .take()
        .into_iter()
        .filter(|seen| seen.path.contains("detail"));
    let rows: Vec<_> = looks.map(|seen| seen.param("limit").unwrap()).collect();
    assert_eq!(rows, ["8", "16", "32", "64"]);
}

#[tokio::test]
async fn deletions_by_others_are_noticed() {
    let fake = Fake::start().await;
    let ids = fake.books(|books| {
        let ids: Vec<_> = (0..40)
            .map(|n| books.add(&json!({ "name": format!("m~n{n:02}") })))
            .collect();
        for id in &ids {
            books.set(id, "power_state", "power off".into());
        }
        ids
    });
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    // The newest one is missed at once, and the sweep that follows finds what else is gone.
    fake.books(|books| {
        books.nodes.remove(&ids[39]);
        books.nodes.remove(&ids[0]);
    });
    ironic.hurry();
    assert_eq!(names(&news(&mut ticks).await), ["m/n39"]);
    assert_eq!(names(&news(&mut ticks).await), ["m/n00"]);
    // Everything gone, another node in its place under the same name.
    let again = fake.books(|books| {
        books.nodes.clear();
        books.add(&json!({ "name": "m~n05", "uuid": "00000000-0000-4000-9000-000000000001" }))
    });
    ironic.hurry();
    let tick = news(&mut ticks).await;
    assert_eq!(tick.changed.len(), 38);
    assert!(matches!(ironic.sight(&host("n06")), Sight::Absent));
    assert!(matches!(ironic.sight(&host("n05")), Sight::Present(facts) if *facts.id == *again));
    assert_eq!(ironic.nodes(), 1);
}

/// Ironic answers 404 when the node that a page begins after is gone: no reason to take it for down.
#[tokio::test]
async fn a_sweep_survives_a_deletion_between_two_pages() {
    let fake = Fake::start().await;
    let ids = fake.books(|books| {
        (0..1203)
            .map(|n| books.add(&json!({ "name": format!("m~n{n}") })))
            .collect::<Vec<_>>()
    });
    let (marker, gone) = (ids[999].clone(), Arc::new(AtomicBool::new(false)));
    let told = Arc::clone(&gone);
    fake.before(move |seen| {
        let first = seen.param("marker").as_deref() == Some(&marker);
        (first && !told.swap(true, Ordering::Relaxed))
            .then(|| Answer::fault(404, &format!("Node {marker} could not be found.")))
    });
    let ironic = ironic(&fake);
    let tick = next(&mut ironic.ticks()).await;
    assert!(tick.as_of.is_some() && gone.load(Ordering::Relaxed));
    assert_eq!(ironic.nodes(), 1203);
}

#[tokio::test]
async fn a_page_that_is_never_there_is_an_outage() {
    let fake = Fake::start().await;
    fake.books(|books| {
        for n in 0..1203 {
            books.add(&json!({ "name": format!("m~n{n}") }));
        }
    });
    fake.before(|seen| {
        seen.param("marker")
            .map(|_| Answer::fault(404, "Node x could not be found."))
    });
    let ironic = ironic(&fake);
    assert!(next(&mut ironic.ticks()).await.as_of.is_none());
    assert!(down(&ironic).starts_with("Ironic at URL answers: Node x could not be found."));
}

/// A conductor whose clock is behind, a clock that was set, a database that was restored.
#[tokio::test]
async fn a_node_whose_time_went_back_is_not_taken_for_deleted() {
    let fake = Fake::start().await;
    let ids = fake.books(|books| {
        let ids: Vec<_> = (0..40)
            .map(|n| books.add(&json!({ "name": format!("m~n{n:02}") })))
            .collect();
        for id in &ids {
            books.set(id, "power_state", "power off".into());
        }
        ids
    });
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    fake.books(|books| {
        let node = books.nodes.get_mut(&ids[39]).unwrap();
        node.insert("updated_at".into(), "2020-01-01T00:00:00+00:00".into());
        node.insert("maintenance".into(), true.into());
    });
    fake.take();
    ironic.hurry();
    assert_eq!(names(&news(&mut ticks).await), ["m/n39"]);
    assert!(matches!(ironic.sight(&host("n39")), Sight::Present(facts) if facts.maintenance));
    // Asked for once, and without a sweep.
    ironic.hurry();
    next(&mut ticks).await;
    let asked: Vec<_> = fake.take().iter().map(Seen::what).collect();
    assert_eq!(
        asked,
        [
            "GET /v1/nodes/detail".to_owned(),
            format!("GET /v1/nodes/{}", ids[39]),
            "GET /v1/nodes/detail".to_owned(),
        ]
    );
}

/// `[{"op": "remove", "path": "/disable_power_off"}]` on any node makes it null for good.
#[tokio::test]
async fn one_odd_node_hides_no_other() {
    let fake = Fake::start().await;
    fake.books(|books| {
        books.add(&json!({ "name": 7, "disable_power_off": null, "maintenance": "no" }));
        books.add(&json!({ "name": "m~a" }));
    });
    let ironic = ironic(&fake);
    assert!(next(&mut ironic.ticks()).await.as_of.is_some());
    assert!(matches!(ironic.sight(&host("a")), Sight::Present(_)));
}
