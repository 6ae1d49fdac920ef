//! A lease that runs out while an effect waits for its turn.

use super::*;
use crate::fence::Fence;

/// Enrolls host `a`, behind this fence.
async fn enroll_behind(ironic: &Ironic, fence: Fence) -> Result<Ack, Fault> {
    let secrets = JobSecrets {
        bmc: Some((Sealed::new("admin"), Sealed::new(CANARY))),
        ..JobSecrets::default()
    };
    let job = Job {
        host: Arc::new(host("a")),
        effect: enroll(),
        secrets,
        facts: None,
        fence,
    };
    ironic.run(job).await
}

#[tokio::test]
async fn nothing_is_changed_once_the_lease_ran_out() {
    let fake = Fake::start().await;
    let ironic = ironic(&fake);
    next(&mut ironic.ticks()).await;
    let fence = Fence::closed();
    fence.open_until(tokio::time::Instant::now() + Duration::from_mins(1));
    // All connections are in use, so the effect waits, having found the fence open.
    let mut held = Vec::new();
    for _ in 0..super::super::client::CONCURRENT {
        let slot = ironic.core.gate.enter(Duration::from_secs(5)).await;
        held.push(slot.unwrap());
    }
    let over = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        fence.close();
        held.clear();
    };
    let (result, ()) = tokio::join!(enroll_behind(&ironic, fence.clone()), over);
    let fault = result.unwrap_err();
    assert!(!fault.may_be_done(), "{fault}");
    let text = fault.to_string();
    assert!(text.starts_with("the lease ran out"), "{text}");
    assert!(fake.take_writes().is_empty());
    fence.open_until(tokio::time::Instant::now() + Duration::from_mins(1));
    enroll_behind(&ironic, fence).await.unwrap();
    assert!(!fake.take_writes().is_empty());
}
