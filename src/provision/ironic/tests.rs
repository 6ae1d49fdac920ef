//! The provisioner against an Ironic in this process.

mod faults;
mod fenced;
mod kept;
mod looks;
mod outages;
mod settings;

use serde_json::{Value, json};

use super::fake::{Answer, Fake, Seen};
use super::*;
use crate::provision::{Effect, PowerTarget};
use crate::secrets::{JobSecrets, Sealed};

const CANARY: &str = "c4n4ry-in-the-mine";

fn host(name: &str) -> BareMetalHost {
    serde_json::from_value(json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "namespace": "m", "name": name },
        "spec": {
            "online": true, "bootMACAddress": format!("52:54:00:00:00:{:02x}", name.len()),
            "bmc": { "address": "redfish://192.0.2.1/redfish/v1/Systems/1", "credentialsName": "bmc" },
        },
    }))
    .unwrap()
}

fn options(fake: &Fake) -> Options {
    let endpoint = Endpoint::parse(&fake.url)
        .unwrap()
        .timeout(Duration::from_secs(5));
    Options {
        clock: || Timestamp::UNIX_EPOCH,
        ..Options::new(endpoint)
    }
}

fn ironic(fake: &Fake) -> Ironic {
    Ironic::new(options(fake)).unwrap()
}

/// Ticks that come within a short time, which they do here.
async fn next(ticks: &mut BoxStream<'static, Tick>) -> Tick {
    tokio::time::timeout(Duration::from_secs(10), ticks.next())
        .await
        .expect("a tick")
        .unwrap()
}

/// Ticks until one has changes or is for all.
async fn news(ticks: &mut BoxStream<'static, Tick>) -> Tick {
    for _ in 0..20 {
        let tick = next(ticks).await;
        if tick.all || !tick.changed.is_empty() {
            return tick;
        }
    }
    panic!("nothing new in twenty ticks");
}

fn names(tick: &Tick) -> Vec<String> {
    tick.changed.iter().map(ToString::to_string).collect()
}

async fn run(ironic: &Ironic, host: &BareMetalHost, effect: Effect) -> Result<Ack, Fault> {
    let facts = match ironic.sight(host) {
        Sight::Present(facts) => Some(facts),
        _ => None,
    };
    let secrets = JobSecrets {
        bmc: Some((Sealed::new("admin"), Sealed::new(CANARY))),
        user_data: Some(Sealed::new(format!("#cloud-config\npassword: {CANARY}2\n"))),
        ..JobSecrets::default()
    };
    ironic
        .run(Job {
            host: Arc::new(host.clone()),
            effect,
            secrets,
            facts,
            fence: crate::fence::Fence::none(),
        })
        .await
}

fn enroll() -> Effect {
    Effect::Enroll {
        credentials: "1".into(),
    }
}

/// Answers one kind of request so, and all others from the books.
fn always(what: &'static str, answer: Answer) -> impl FnMut(&Seen) -> Option<Answer> + Send {
    move |seen| seen.what().starts_with(what).then(|| answer.clone())
}

fn down(ironic: &Ironic) -> String {
    match ironic.sight(&host("a")) {
        Sight::Down(outage) => {
            let endpoint = ironic.core.client.endpoint();
            outage.text.replace(endpoint.url(), "URL")
        }
        other => panic!("not down: {other:?}"),
    }
}
