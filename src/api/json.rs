//! A value kept as its JSON text.

mod texts;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use serde_json::value::RawValue;

use self::texts::Text;

/// A `T` that is kept as its canonical JSON text (keys sorted, no spaces) and parsed on demand.
///
/// For large values that are carried around far more often than looked at: ten thousand hosts
/// keep their inventories at the cost of what differs in them, equal ones share the text, and
/// equality compares text.
/// Fields that `T` does not know stay in the text.
pub struct Json<T> {
    text: Arc<Text>,
    of: PhantomData<fn() -> T>,
}

/// A kept JSON text is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the {kind} in {start:?}…: {source}")]
pub struct JsonError {
    kind: &'static str,
    start: String,
    source: serde_json::Error,
}

impl JsonError {
    /// A stable label for logs and metrics.
    pub fn code(&self) -> &'static str {
        "MalformedJson"
    }
}

impl<T> Json<T> {
    /// The canonical text.
    pub fn text(&self) -> Cow<'_, str> {
        self.text.get()
    }

    /// Keeps any JSON; `get` tells later whether it is a `T`. Fails never in practice: a `Value`
    /// has no keys but text.
    pub fn from_value(value: &Value) -> Result<Self, serde_json::Error> {
        // `serde_json::Map` sorts its keys (the feature preserve_order is off, see the test), so
        // this text is canonical.
        let text = serde_json::to_string(value)?;
        Ok(Self {
            text: texts::kept(&text),
            of: PhantomData,
        })
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// Parses the text. Fails only when an object on the server has a field of another type than
    /// the CRD says.
    pub fn get(&self) -> Result<T, JsonError> {
        serde_json::from_str(&self.text()).map_err(|source| JsonError {
            kind: std::any::type_name::<T>()
                .rsplit("::")
                .next()
                .unwrap_or("value"),
            start: self.text().chars().take(40).collect(),
            source,
        })
    }
}

impl<T> Json<T> {
    /// True when it is the very same text in memory.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text)
    }
}

impl<T: Serialize> Json<T> {
    /// Keeps a value. Fails when the value cannot be JSON (a map with keys that are not text).
    pub fn new(value: &T) -> Result<Self, serde_json::Error> {
        Self::from_value(&serde_json::to_value(value)?)
    }
}

impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        Self {
            text: Arc::clone(&self.text),
            of: PhantomData,
        }
    }
}

/// The object without a field.
impl<T> Default for Json<T> {
    fn default() -> Self {
        Self {
            text: texts::kept("{}"),
            of: PhantomData,
        }
    }
}

impl<T> PartialEq for Json<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.text() == other.text()
    }
}

impl<T> Eq for Json<T> {}

impl<T> fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl<T> Serialize for Json<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.text();
        // The text goes through unparsed where the target is JSON text itself: hosts are written
        // often and their inventory is most of them. Only speed hangs on this name: every other
        // target (a Value, YAML), and JSON too should the name change, takes the way below.
        if std::any::type_name::<S>().starts_with("&mut serde_json::ser::Serializer<") {
            let text: &RawValue = serde_json::from_str(&text).map_err(serde::ser::Error::custom)?;
            return text.serialize(serializer);
        }
        let value: Value = serde_json::from_str(&text).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if !value.is_object() {
            return Err(de::Error::custom("expected an object"));
        }
        Self::from_value(&value).map_err(de::Error::custom)
    }
}

impl<T: JsonSchema> JsonSchema for Json<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::HardwareDetails;

    #[test]
    fn the_text_is_canonical_and_shared() {
        let one: Json<HardwareDetails> = serde_json::from_str(
            r#"{ "ramMebibytes": 1, "hostname": "a", "new": {"b":1, "a":2} }"#,
        )
        .unwrap();
        assert_eq!(
            one.text(),
            r#"{"hostname":"a","new":{"a":2,"b":1},"ramMebibytes":1}"#
        );
        let other = serde_json::from_value(json!({
            "new": { "a": 2, "b": 1 }, "ramMebibytes": 1, "hostname": "a"
        }));
        assert_eq!(one, other.unwrap());
        assert!(Arc::ptr_eq(&one.text, &one.clone().text));
        assert_eq!(one.get().unwrap().ram_mebibytes, 1);
    }

    #[test]
    fn it_is_an_object_in_every_format() {
        let it = Json::new(&HardwareDetails {
            hostname: "a".into(),
            ..Default::default()
        })
        .unwrap();
        let value =
            json!({ "cpu": {}, "firmware": { "bios": {} }, "hostname": "a", "systemVendor": {} });
        assert_eq!(serde_json::to_value(&it).unwrap(), value);
        assert_eq!(serde_json::to_string(&it).unwrap(), it.text());
        assert_eq!(
            serde_json::to_vec(&Some(&it)).unwrap(),
            it.text().as_bytes()
        );
        let pretty = serde_json::to_string_pretty(&it).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&pretty).unwrap(), value);
        let yaml = serde_yaml_ng::to_string(&it).unwrap();
        assert_eq!(
            yaml,
            "cpu: {}\nfirmware:\n  bios: {}\nhostname: a\nsystemVendor: {}\n"
        );
        assert_eq!(
            serde_yaml_ng::from_str::<Json<HardwareDetails>>(&yaml).unwrap(),
            it
        );
    }

    /// The way that the text takes into JSON text must stay the quick one: see `serialize`.
    #[test]
    fn it_goes_into_json_text_unparsed() {
        let spaced: Json<HardwareDetails> = Json {
            text: texts::kept(r#"{ "as": "it is" }"#),
            of: PhantomData,
        };
        assert_eq!(
            serde_json::to_string(&spaced).unwrap(),
            r#"{ "as": "it is" }"#
        );
        assert_eq!(
            serde_json::to_vec(&vec![&spaced]).unwrap(),
            br#"[{ "as": "it is" }]"#
        );
    }

    #[test]
    fn what_is_no_inventory_is_told() {
        assert!(serde_json::from_str::<Json<HardwareDetails>>("[]").is_err());
        let it: Json<HardwareDetails> = serde_json::from_str(r#"{"nics": 3}"#).unwrap();
        let error = it.get().unwrap_err();
        assert_eq!(error.code(), "MalformedJson");
        assert!(
            error
                .to_string()
                .starts_with("cannot read the HardwareDetails in"),
            "{error}"
        );
    }
}
