//! What refused and lost requests mean, and what is done about them.

use super::*;

#[tokio::test]
async fn refusals_become_faults() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    let host = host("a");
    run(&ironic, &host, enroll()).await.unwrap();
    let provision = "PUT /v1/nodes";
    let ask = async |answer: Answer| {
        fake.before(always(provision, answer));
        run(&ironic, &host, Effect::Manage).await.unwrap_err()
    };
    let locked =
        "Node x is locked by host y, please retry after the current operation is completed.";
    let Fault::Busy { what, retry } = ask(Answer::fault(409, locked)).await else {
        panic!()
    };
    assert!(what == locked && retry >= Duration::from_secs(1) && retry <= Duration::from_secs(3));
    assert_eq!(
        ask(Answer::fault(503, "no free conductor workers"))
            .await
            .code(),
        "busy"
    );
    assert_eq!(
        ask(Answer::fault(400, "no way")).await,
        Fault::Refused("no way".into())
    );
    assert_eq!(ask(Answer::json(406, &Value::Null)).await.code(), "refused");
    // After a refused version it is agreed on anew.
    assert_eq!(ask(Answer::fault(400, "again")).await.code(), "refused");
    assert!(matches!(ironic.sight(&host), Sight::Present(_)));
    assert_eq!(
        ask(Answer::fault(409, "Node x is associated with instance y."))
            .await
            .code(),
        "refused"
    );
    assert_eq!(
        ask(Answer::fault(404, "Node x could not be found.")).await,
        Fault::Gone
    );
    assert!(matches!(ironic.sight(&host), Sight::Absent));
}

/// Lets a pause pass.
async fn wait(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_failure_of_ironics_is_asked_again_later_and_in_the_end_the_hosts_error() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    let host = host("a");
    run(&ironic, &host, enroll()).await.unwrap();
    fake.before(always(
        "PUT /v1/nodes",
        Answer::fault(500, "no power interface"),
    ));
    fake.take();
    for pause in [5, 10, 20, 40] {
        // It may have been done, so the engine looks first.
        let Err(fault @ Fault::Unclear { .. }) = run(&ironic, &host, Effect::Undeploy).await else {
            panic!()
        };
        assert!(fault.may_be_done(), "{fault}");
        // Until then nothing is asked, whatever it is.
        let Err(Fault::Busy { what, retry }) = run(&ironic, &host, Effect::Manage).await else {
            panic!()
        };
        assert_eq!(what, "Ironic failed: no power interface");
        assert!(retry > Duration::from_secs(pause - 1) && retry < Duration::from_secs(pause + 2));
        wait(pause + 2).await;
    }
    assert_eq!(
        run(&ironic, &host, Effect::Undeploy).await,
        Err(Fault::Refused(
            "Ironic failed: no power interface (5 times in a row)".into()
        ))
    );
    assert_eq!(fake.take_writes().len(), 5);
    // Others are not held up, and what succeeds ends it.
    wait(62).await;
    fake.before(|_| None);
    run(&ironic, &host, Effect::Manage).await.unwrap();
    run(&ironic, &host, Effect::Provide).await.unwrap();
}

#[tokio::test]
async fn a_read_that_failed_changed_nothing() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    let host = host("a");
    run(&ironic, &host, enroll()).await.unwrap();
    fake.before(|seen| {
        let inventory = seen.path.ends_with("/inventory");
        inventory.then(|| Answer::json(504, &Value::Null))
    });
    let fault = run(&ironic, &host, Effect::ReadInventory)
        .await
        .unwrap_err();
    assert_eq!(fault.code(), "busy");
}

const NO_CONDUCTOR: &str = "No valid host was found. Reason: No conductor service registered which \
    supports driver redfish for conductor group \"b\". Ensure the driver is valid and enabled.";

/// The conductor group of one node is down while others live: 404 on verbs, 400 on all else.
#[tokio::test]
async fn a_conductor_that_is_away_is_no_lost_node() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    let host = host("a");
    run(&ironic, &host, enroll()).await.unwrap();
    fake.before(|seen| match seen.method.as_str() {
        "PUT" => Some(Answer::fault(404, NO_CONDUCTOR)),
        "PATCH" => Some(Answer::fault(400, NO_CONDUCTOR)),
        _ => None,
    });
    let amend = Effect::Amend {
        credentials: Some("2".into()),
    };
    for turn in 0..8 {
        let effect = if turn % 2 == 0 {
            Effect::Manage
        } else {
            amend.clone()
        };
        let Err(Fault::Busy { what, .. }) = run(&ironic, &host, effect).await else {
            panic!("turn {turn}")
        };
        assert_eq!(what, NO_CONDUCTOR);
        assert!(matches!(ironic.sight(&host), Sight::Present(_)));
        wait(62).await;
    }
    assert!(!ironic.core.take_sweep_wanted());
}

#[tokio::test]
async fn a_driver_that_no_conductor_has_is_an_error_in_the_end() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    fake.before(always("POST /v1/nodes", Answer::fault(400, NO_CONDUCTOR)));
    let host = host("a");
    for _ in 0..4 {
        assert_eq!(
            run(&ironic, &host, enroll()).await.unwrap_err().code(),
            "busy"
        );
        wait(62).await;
    }
    let refused = Err(Fault::Refused(NO_CONDUCTOR.into()));
    assert_eq!(run(&ironic, &host, enroll()).await, refused);
}

#[tokio::test]
async fn a_slow_answer_is_no_answer() {
    let fake = Fake::start().await;
    let mut options = options(&fake);
    options.endpoint = options.endpoint.timeout(Duration::from_millis(200));
    let ironic = Ironic::new(options).unwrap();
    next(&mut ironic.ticks()).await;
    fake.before(|seen| {
        let answer = Answer::json(200, &Value::Null).after(Duration::from_secs(2));
        (seen.method == "POST").then_some(answer)
    });
    let Err(Fault::Unreachable(text)) = run(&ironic, &host("a"), enroll()).await else {
        panic!()
    };
    assert!(
        text.ends_with("does not answer: no answer within 0.2 s"),
        "{text}"
    );
}

#[tokio::test]
async fn errors_quote_no_secrets() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    // An Ironic that repeats all that it was sent.
    fake.before(|seen| {
        (seen.method != "GET").then(|| Answer::fault(400, &format!("bad request: {}", seen.body)))
    });
    let fault = run(&ironic, &host("a"), enroll()).await.unwrap_err();
    assert!(
        fault.to_string().contains("bad request") && !fault.to_string().contains(CANARY),
        "{fault}"
    );
}

#[tokio::test]
async fn an_answer_that_got_lost_makes_no_second_node() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    let host = host("a");
    let there = fake.books(|books| books.add(&json!({ "name": "m~a" })));
    assert_eq!(
        run(&ironic, &host, enroll()).await,
        Ok(Ack::Enrolled(there.as_str().into()))
    );
    assert_eq!(fake.books(|books| books.nodes.len()), 1);
    assert_eq!(ironic.requests().reads, 1);
    // The lost request may have carried other credentials.
    let (user, password) = fake.books(|books| {
        let info = &books.nodes[&there]["driver_info"];
        (
            info["redfish_username"].clone(),
            info["redfish_password"].clone(),
        )
    });
    assert_eq!((user, password), ("admin".into(), CANARY.into()));
    let Sight::Present(facts) = ironic.sight(&host) else {
        panic!("not there")
    };
    assert_eq!(ironic.drift(&host, &facts), Drift::default());
}

#[tokio::test]
async fn soft_power_off_falls_back_to_hard() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    let host = host("a");
    run(&ironic, &host, enroll()).await.unwrap();
    fake.before(|seen| {
        (seen.body["target"] == "soft power off").then(|| Answer::fault(400, "not supported"))
    });
    fake.take();
    run(&ironic, &host, Effect::Power(PowerTarget::SoftOff))
        .await
        .unwrap();
    let sent: Vec<_> = fake
        .take_writes()
        .into_iter()
        .map(|seen| seen.body)
        .collect();
    let soft = json!({ "target": "soft power off", "timeout": 180 });
    assert_eq!(sent, [soft, json!({ "target": "power off" })]);
}

#[tokio::test]
async fn forgetting_does_what_the_state_asks_for() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    let uid = Some("5b0f4f0a-0000-4000-8000-000000000000");
    for (state, instance, force, calls) in [
        ("enroll", None, true, vec!["DELETE"]),
        ("available", None, false, vec!["DELETE"]),
        ("available", uid, false, vec!["PATCH", "DELETE"]),
        // Enrolled again after its database was lost, with its deployment.
        ("enroll", uid, false, vec!["PATCH", "DELETE"]),
        ("adopt failed", uid, false, vec!["PATCH", "DELETE"]),
        ("active", None, true, vec!["PUT", "DELETE"]),
        ("active", uid, true, vec!["PUT", "DELETE"]),
    ] {
        let host = host("a");
        run(&ironic, &host, enroll()).await.unwrap();
        fake.books(|books| {
            let id = books.nodes.keys().next().unwrap().clone();
            books.set(&id, "instance_uuid", instance.into());
            books.set(&id, "provision_state", state.into());
        });
        ironic.hurry();
        next(&mut ticks).await;
        fake.take();
        assert_eq!(
            run(&ironic, &host, Effect::Forget { force }).await,
            Ok(Ack::Done)
        );
        assert_eq!(methods(&fake), calls, "{state}");
        assert!(matches!(ironic.sight(&host), Sight::Absent));
    }
}

fn methods(fake: &Fake) -> Vec<String> {
    let writes = fake.take_writes().into_iter();
    writes.map(|seen| seen.method).collect()
}

#[tokio::test]
async fn what_ironic_does_not_let_go_is_locked_first() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    let mut ticks = ironic.ticks();
    next(&mut ticks).await;
    let host = host("a");
    let forget = Effect::Forget { force: false };
    // `[conductor]allow_deleting_available_nodes` is off.
    run(&ironic, &host, enroll()).await.unwrap();
    fake.books(|books| {
        books.keeps_available = true;
        let id = books.nodes.keys().next().unwrap().clone();
        books.set(&id, "provision_state", "available".into());
    });
    ironic.hurry();
    news(&mut ticks).await;
    fake.take();
    run(&ironic, &host, forget.clone()).await.unwrap();
    assert_eq!(methods(&fake), ["DELETE", "PUT", "DELETE"]);
    // It got an instance since we looked.
    run(&ironic, &host, enroll()).await.unwrap();
    fake.books(|books| {
        let id = books.nodes.keys().next().unwrap().clone();
        books.set(&id, "instance_uuid", "5b0f4f0a".into());
    });
    fake.take();
    run(&ironic, &host, forget.clone()).await.unwrap();
    assert_eq!(methods(&fake), ["DELETE", "PUT", "DELETE"]);
    // A lock is waited for, and what is gone is gone.
    run(&ironic, &host, enroll()).await.unwrap();
    let locked = Answer::fault(409, "Node x is locked by host y, please retry");
    fake.before(always("DELETE", locked));
    fake.take();
    assert_eq!(
        run(&ironic, &host, forget.clone())
            .await
            .unwrap_err()
            .code(),
        "busy"
    );
    assert_eq!(methods(&fake), ["DELETE"]);
    fake.before(|_| None);
    fake.books(|books| books.nodes.clear());
    assert_eq!(run(&ironic, &host, forget).await, Ok(Ack::Done));
    assert!(!ironic.core.take_sweep_wanted());
}

/// A power fault, or a person, between our look and the request.
#[tokio::test]
async fn maintenance_that_sets_in_is_no_failure() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    let host = host("a");
    run(&ironic, &host, enroll()).await.unwrap();
    let text = "The provisioning operation can't be performed on node x because it's in \
        maintenance mode.";
    fake.before(always("PUT /v1/nodes", Answer::fault(400, text)));
    let fault = run(&ironic, &host, Effect::Provide).await.unwrap_err();
    assert_eq!(fault.code(), "busy");
}
