//! What needs a person's word: losing what runs on a machine, or taking a machine that is deployed
//! out of its pool. And what no word allows: `lifecycle prevent-destroy=#true`.

use crate::api::names::annotation;
use crate::api::{BareMetalHost, Payload, ProvisioningState};
use crate::desired::{Desired, Wanted};
use crate::fleet::Digest;
use crate::plan::class::{deletion, is_deployed};
use crate::plan::{Disruption, Guard, Refusal};

/// The guard of a deletion.
pub(super) fn of_deletion(desired: &Desired, host: &BareMetalHost) -> Option<Guard> {
    if !is_deployed(host) || host.is_given_away() {
        return None;
    }
    let more = match host.state() {
        ProvisioningState::ExternallyProvisioned => "; its machine is powered off",
        _ => "",
    };
    Some(Guard {
        text: format!("{}, and in the spec no more{more}", host.state()),
        token: token("delete", desired, host, &[]),
    })
}

/// The guard of an update: the deployment goes for good, or the host leaves its pool. A new image
/// in the same pool needs none; it rolls.
pub(super) fn of_update(
    desired: &Desired,
    wanted: &Wanted,
    host: &BareMetalHost,
    disruption: Disruption,
) -> Option<Guard> {
    if !is_deployed(host) {
        return None;
    }
    let pool = host.annotation(annotation::POOL);
    let next = wanted.pool.as_deref();
    let lost = match disruption {
        Disruption::Destroy => ", what is deployed on it goes",
        Disruption::Reprovision => ", it is deployed anew there",
        Disruption::None | Disruption::Reboot | Disruption::Clean => "",
    };
    let what = match (pool, next) {
        (Some(pool), None) => format!("leaves pool `{pool}`{lost}"),
        (Some(pool), Some(next)) if pool != next => {
            format!("moves from pool `{pool}` to `{next}`{lost}")
        }
        _ if disruption == Disruption::Destroy => "loses what is deployed on it".to_owned(),
        _ => return None,
    };
    Some(Guard {
        text: format!("{}, and {what}", host.state()),
        token: token(
            "leave",
            desired,
            host,
            &[next.unwrap_or_default(), &wanted.digest.to_string()],
        ),
    })
}

/// A deletion of a host that was protected when it was last applied: taking the host out of the
/// spec takes the protection out of the text with it, but not off the machine.
pub(super) fn prevented_deletion(host: &BareMetalHost) -> Option<Refusal> {
    let disturbs = deletion(host) > Disruption::None;
    (disturbs && is_protected(host))
        .then(|| refusal(&format!("{}, and in the spec no more", host.state())))
}

fn is_protected(host: &BareMetalHost) -> bool {
    host.annotation(annotation::PREVENT_DESTROY) == Some("true")
}

/// An update that a guard would only hold: of a host that is protected by the text, or was when it
/// was last applied. A pool protects its members, and one that leaves takes the pool's protection
/// out of its text, but not off the machine.
pub(super) fn prevented_update(
    wanted: &Wanted,
    host: &BareMetalHost,
    guard: &Guard,
) -> Option<Refusal> {
    (wanted.prevent_destroy || is_protected(host)).then(|| refusal(&guard.text))
}

fn refusal(what: &str) -> Refusal {
    Refusal {
        code: "MF7101",
        text: format!(
            "{what}; `lifecycle prevent-destroy=#true` forbids it: apply the spec without that \
             line first"
        ),
    }
}

/// What a grant has to say: it names this host, what is on it now, what becomes of it, and the text
/// that says so. A word that was given for one text says nothing of another, even if that one comes
/// to the same for this host.
fn token(kind: &str, desired: &Desired, host: &BareMetalHost, next: &[&str]) -> String {
    let applied = host
        .status
        .as_ref()
        .map(Payload::applied)
        .map(|applied| format!("{} {}", applied.url, applied.method));
    let text = desired.digest.to_string();
    let mut parts = vec![
        text.as_str(),
        host.metadata.uid.as_deref().unwrap_or_default(),
        applied.as_deref().unwrap_or_default(),
        host.annotation(annotation::POOL).unwrap_or_default(),
    ];
    parts.extend(next);
    let digest = Digest::of(parts.join("\n").as_bytes()).to_string();
    format!("{kind}:{}", &digest[..16])
}
