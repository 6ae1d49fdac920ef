//! How single values look on the wire: what Go's `omitempty` omits, times, floats.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::Timestamp;

/// Fields that this version does not know, kept as they came.
pub type Extra = Map<String, Value>;

/// True for the zero value, which Go's `omitempty` leaves out.
pub(crate) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The time without its fraction of a second: what is left of it once written.
///
/// Give this to a status field that will be compared with what comes back from a store.
pub fn whole_seconds(time: Timestamp) -> Timestamp {
    // Both ends of the range of a timestamp are whole seconds, so this cannot leave it.
    let floor = time.as_nanosecond().div_euclid(1_000_000_000);
    Timestamp::from_second(floor as i64).unwrap_or(time)
}

fn text(time: Timestamp) -> String {
    let text = whole_seconds(time).to_string();
    debug_assert!(text.ends_with('Z'));
    text
}

/// A time that is always there: `2026-01-02T03:04:05Z`.
pub(crate) mod time {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    pub(crate) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::text(*time))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(from)
    }
}

/// A time that is null when not set, as Go writes a zero `metav1.Time`.
pub(crate) mod optional_time {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(crate) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.serialize_str(&super::text(*time)),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Option::<Timestamp>::deserialize(from)
    }
}

/// A float as Go writes it: without a fraction when it has none (`2500`, not `2500.0`).
pub(crate) mod float {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    /// Above this Go writes an exponent, and an integer would no longer be exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde asks for"
    )]
    pub(crate) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        if value.fract() == 0.0 && value.abs() < EXACT {
            (*value as i64).serialize(to)
        } else {
            value.serialize(to)
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        f64::deserialize(from)
    }
}

/// Schema of a time.
pub(crate) fn time_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "format": "date-time" })
}

/// Schema of a time that may be null.
pub(crate) fn nullable_time_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "format": "date-time", "x-go": { "nullable": true } })
}
