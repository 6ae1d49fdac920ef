//! Events about a host.

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use sha2::{Digest, Sha256};

use super::{API_VERSION, BareMetalHost, Timestamp};

/// `reportingComponent` of every event, BMO's own, so that whoever filters by it finds ours.
pub const REPORTING_CONTROLLER: &str = "metal3.io/baremetal-controller";
/// `source.component` of every event.
pub const SOURCE: &str = "metal3-baremetal-controller";

/// The event that something happened to a host, as BMO makes it; reasons are in
/// [`super::names::reason`].
///
/// `warning` makes it a Warning, which BMO's never are. The name is made from the host, what
/// happened and when, so that the same event made twice is one object.
pub fn event(
    host: &BareMetalHost,
    reason: &str,
    message: &str,
    warning: bool,
    now: Timestamp,
) -> Event {
    let meta = &host.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let mut digest = Sha256::new();
    for part in [
        meta.uid.as_deref().unwrap_or_default(),
        name,
        reason,
        message,
    ] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.update(now.as_nanosecond().to_be_bytes());
    let unique = digest
        .finalize()
        .iter()
        .take(8)
        .fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{name}.{unique:016x}")),
            namespace: meta.namespace.clone(),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some("BareMetalHost".to_owned()),
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            ..ObjectReference::default()
        },
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        type_: Some(if warning { "Warning" } else { "Normal" }.to_owned()),
        count: Some(1),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        source: Some(EventSource {
            component: Some(SOURCE.to_owned()),
            host: None,
        }),
        reporting_component: Some(REPORTING_CONTROLLER.to_owned()),
        related: host.spec.consumer_ref.as_deref().cloned(),
        ..Event::default()
    }
}

/// True when both tell the same of the same host, only at other times: one event with a count.
pub fn is_repeat(earlier: &Event, later: &Event) -> bool {
    earlier.involved_object == later.involved_object
        && earlier.reason == later.reason
        && earlier.message == later.message
        && earlier.type_ == later.type_
}

/// Counts more occurrences in an event.
pub fn repeat(event: &mut Event, times: i32, now: Timestamp) {
    event.count = Some(event.count.unwrap_or(1).saturating_add(times));
    event.last_timestamp = Some(Time(now));
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn host(name: &str) -> BareMetalHost {
        let mut host = BareMetalHost::new(name, crate::api::BareMetalHostSpec::default());
        host.metadata.namespace = Some("m".to_owned());
        host.metadata.uid = Some("u-1".to_owned());
        host
    }

    #[test]
    fn they_are_as_recorded() {
        let now: Timestamp = "2026-08-20T10:00:00Z".parse().unwrap();
        let text = include_str!("../../tests/data/peer-hosts/events.jsonl");
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| row[key].as_str().unwrap();
            let event = event(
                &host(text("name")),
                text("reason"),
                text("message"),
                false,
                now,
            );
            let made = serde_json::to_value(&event).unwrap();
            assert_eq!(made["involvedObject"]["kind"], row["kind"]);
            assert_eq!(made["involvedObject"]["name"], row["name"]);
            assert_eq!(made["reportingComponent"], row["reportingController"]);
            for same in ["type", "reason", "message", "count"] {
                assert_eq!(made[same], row[same]);
            }
        }
    }

    #[test]
    fn the_same_twice_is_one_and_a_later_one_a_repeat() {
        let now: Timestamp = "2026-08-20T10:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-08-20T10:00:01Z".parse().unwrap();
        let mut first = event(&host("a"), "PowerOn", "Host powered on", false, now);
        let again = event(&host("a"), "PowerOn", "Host powered on", false, later);
        assert_eq!(
            first,
            event(&host("a"), "PowerOn", "Host powered on", false, now)
        );
        assert_ne!(first.metadata.name, again.metadata.name);
        assert!(is_repeat(&first, &again));
        repeat(&mut first, 2, later);
        assert_eq!(first.count, Some(3));
        assert_eq!(first.last_timestamp, Some(Time(later)));
        assert!(!is_repeat(
            &first,
            &event(&host("b"), "PowerOn", "Host powered on", false, now)
        ));
    }
}
