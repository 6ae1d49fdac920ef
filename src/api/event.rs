//! Events about a host.

use std::borrow::Cow;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::wire::{Extra, optional_time, whole_seconds};
use super::{API_VERSION, BareMetalHost, Metadata, Timestamp};

/// `reportingComponent` of every event, BMO's own, so that whoever filters by it finds ours.
pub const REPORTING_CONTROLLER: &str = "metal3.io/baremetal-controller";
/// `source.component` of every event.
pub const SOURCE: &str = "metal3-baremetal-controller";

/// An `Event` of `v1`, as far as events about hosts go; the rest is kept. Its texts are those of the
/// host: thousands of events are in memory.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its name and what a store notes of it.
    #[serde(default)]
    pub metadata: Metadata,
    /// What it is about.
    #[serde(default)]
    pub involved_object: About,
    /// Why, in one CamelCase word.
    pub reason: Option<Cow<'static, str>>,
    /// What happened, for people.
    pub message: Option<Arc<str>>,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub type_: Option<Cow<'static, str>>,
    /// How often.
    pub count: Option<i32>,
    /// The first time.
    #[serde(default, with = "optional_time")]
    pub first_timestamp: Option<Timestamp>,
    /// The last time.
    #[serde(default, with = "optional_time")]
    pub last_timestamp: Option<Timestamp>,
    /// Who saw it.
    pub source: Option<Source>,
    /// The controller that reports it.
    pub reporting_component: Option<Cow<'static, str>>,
    /// What else it is about: the consumer of the host.
    pub related: Option<Box<ObjectReference>>,
    /// Fields that are not used here, kept as they are.
    #[serde(flatten, deserialize_with = "others")]
    pub extra: Extra,
}

/// The fields that are neither used nor written here anyway.
fn others<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Extra, D::Error> {
    let mut all = Extra::deserialize(deserializer)?;
    all.remove("apiVersion");
    all.remove("kind");
    Ok(all)
}

/// What an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// `apiVersion` of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<Cow<'static, str>>,
    /// A part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_path: Option<Arc<str>>,
    /// Its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cow<'static, str>>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// Its version then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<Arc<str>>,
    /// Its uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Arc<str>>,
}

/// Who saw what an event tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Cow<'static, str>>,
    /// The node on which it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Arc<str>>,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            api_version: &'static str,
            kind: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            count: Option<i32>,
            #[serde(with = "optional_time", skip_serializing_if = "Option::is_none")]
            first_timestamp: Option<Timestamp>,
            involved_object: &'a About,
            #[serde(with = "optional_time", skip_serializing_if = "Option::is_none")]
            last_timestamp: Option<Timestamp>,
            #[serde(skip_serializing_if = "Option::is_none")]
            message: Option<&'a str>,
            metadata: &'a Metadata,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            related: Option<&'a ObjectReference>,
            #[serde(skip_serializing_if = "Option::is_none")]
            reporting_component: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            source: Option<&'a Source>,
            #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
            type_: Option<&'a str>,
            #[serde(flatten)]
            extra: &'a Extra,
        }
        let wire = Wire {
            api_version: "v1",
            kind: "Event",
            count: self.count,
            first_timestamp: self.first_timestamp,
            involved_object: &self.involved_object,
            last_timestamp: self.last_timestamp,
            message: self.message.as_deref(),
            metadata: &self.metadata,
            reason: self.reason.as_deref(),
            related: self.related.as_deref(),
            reporting_component: self.reporting_component.as_deref(),
            source: self.source.as_ref(),
            type_: self.type_.as_deref(),
            extra: &self.extra,
        };
        wire.serialize(serializer)
    }
}

/// The event that something happened to a host, as BMO makes it; reasons are in
/// [`super::names::reason`].
///
/// `warning` makes it a Warning, which BMO's never are. The name is made from the host, what
/// happened and when, so that the same event made twice is one object.
pub fn event(
    host: &BareMetalHost,
    reason: impl Into<Cow<'static, str>>,
    message: &str,
    warning: bool,
    now: Timestamp,
) -> Event {
    let (at, now) = (now, whole_seconds(now));
    let reason = reason.into();
    let meta = &host.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let mut digest = Sha256::new();
    for part in [
        meta.uid.as_deref().unwrap_or_default(),
        name,
        &reason,
        message,
    ] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.update(at.as_nanosecond().to_be_bytes());
    let unique = digest
        .finalize()
        .iter()
        .take(8)
        .fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
    Event {
        metadata: Metadata {
            name: Some(format!("{name}.{unique:016x}").into()),
            namespace: meta.namespace.clone(),
            ..Metadata::default()
        },
        involved_object: About {
            api_version: Some(API_VERSION.into()),
            kind: Some("BareMetalHost".into()),
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            ..About::default()
        },
        reason: Some(reason),
        message: Some(message.into()),
        type_: Some(if warning { "Warning" } else { "Normal" }.into()),
        count: Some(1),
        first_timestamp: Some(now),
        last_timestamp: Some(now),
        source: Some(Source {
            component: Some(SOURCE.into()),
            host: None,
        }),
        reporting_component: Some(REPORTING_CONTROLLER.into()),
        related: host.spec.consumer_ref.clone(),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn host(name: &str) -> BareMetalHost {
        let mut host = BareMetalHost::new(name, crate::api::BareMetalHostSpec::default());
        host.metadata.namespace = Some("m".into());
        host.metadata.uid = Some("u-1".into());
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
                text("reason").to_owned(),
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
    fn it_is_read_and_written_as_the_api_machinery_does() {
        let whole = serde_json::json!({
            "apiVersion": "v1", "kind": "Event",
            "action": "Binding", "count": 2, "eventTime": "2026-01-01T00:00:00.000001Z",
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:05Z",
            "involvedObject": {
                "apiVersion": "metal3.io/v1alpha1", "fieldPath": "spec", "kind": "BareMetalHost",
                "name": "a", "namespace": "m", "resourceVersion": "3", "uid": "u",
            },
            "message": "m", "metadata": { "name": "a.1", "namespace": "m" }, "reason": "R",
            "related": { "kind": "Machine", "name": "c" },
            "reportingComponent": "c", "reportingInstance": "c-1",
            "source": { "component": "c", "host": "h" }, "type": "Normal",
        });
        let bare = serde_json::json!({
            "apiVersion": "v1", "kind": "Event", "involvedObject": {}, "metadata": {},
        });
        for value in [whole, bare] {
            let theirs: k8s_openapi::api::core::v1::Event =
                serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&theirs).unwrap(), value);
            let ours: Event = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&ours).unwrap(), value);
            assert!(!ours.extra.contains_key("kind"), "written twice");
        }
    }

    #[test]
    fn the_same_twice_is_one_and_a_later_one_another() {
        let now: Timestamp = "2026-08-20T10:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-08-20T10:00:01Z".parse().unwrap();
        let at = |now| event(&host("a"), "PowerOn", "Host powered on", false, now);
        assert_eq!(at(now), at(now));
        assert_ne!(at(now).metadata.name, at(later).metadata.name);
    }
}
