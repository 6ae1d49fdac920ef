//! An object as rows: what changes often apart from what does not.
//!
//! An object is kept in pieces: `main` (all but status), `status` (without its large children) and
//! one piece for each name in [`Object::LARGE_STATUS`]. A step of a host's life writes `status`
//! alone. The pieces come from one pass of a serialiser that sends each field its way; nothing
//! goes over a tree of values.

use serde::Serialize;
use serde::ser::{Error as _, Impossible, SerializeMap, SerializeStruct, Serializer};
use serde_json::Value;

use super::Object;

/// Name of the piece with all but status.
pub(super) const MAIN: &str = "";
/// Name of the piece with the status.
pub(super) const STATUS: &str = "status";

type Json = serde_json::Error;

/// An object in pieces, each one JSON text. Absent pieces are `None`.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// All but status; `{…}`.
    pub main: Vec<u8>,
    /// Status without its large children; `{…}`.
    pub status: Option<Vec<u8>>,
    /// The large children that there are.
    pub large: Vec<(&'static str, Vec<u8>)>,
}

/// Which pieces are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All.
    All,
    /// Status and its large children.
    Status,
    /// Status without its large children.
    Small,
    /// Large children only.
    Large,
}

/// Cuts an object up.
pub(super) fn cut<K: Object>(object: &K, wanted: Wanted) -> Result<Pieces, Json> {
    let mut top = Top {
        wanted,
        large: K::LARGE_STATUS,
        pieces: Pieces::default(),
    };
    object.serialize(Fields(&mut top))?;
    let mut pieces = top.pieces;
    if wanted == Wanted::All {
        close(&mut pieces.main);
    }
    Ok(pieces)
}

/// The text of an object from its pieces.
pub(super) fn join(main: &[u8], status: Option<&[u8]>, large: &[(&str, &[u8])]) -> Vec<u8> {
    let size = main.len() + status.map_or(0, <[u8]>::len);
    let mut text =
        Vec::with_capacity(size + large.iter().map(|(_, l)| l.len() + 32).sum::<usize>());
    let Some(status) = status else {
        text.extend_from_slice(main);
        return text;
    };
    append(&mut text, main, "status", |text| {
        text.extend_from_slice(status.strip_suffix(b"}").unwrap_or(status));
        let mut first = status.len() <= 2;
        for (name, piece) in large {
            if !first {
                text.push(b',');
            }
            first = false;
            text.push(b'"');
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b"\":");
            text.extend_from_slice(piece);
        }
        text.push(b'}');
    });
    text
}

/// `{…}` with one more field.
fn append(text: &mut Vec<u8>, object: &[u8], name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    text.extend_from_slice(object.strip_suffix(b"}").unwrap_or(object));
    if object.len() > 2 {
        text.push(b',');
    }
    text.push(b'"');
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b"\":");
    value(text);
    text.push(b'}');
}

fn close(object: &mut Vec<u8>) {
    if object.is_empty() {
        object.push(b'{');
    }
    object.push(b'}');
}

fn field<T: Serialize + ?Sized>(object: &mut Vec<u8>, name: &[u8], value: &T) -> Result<(), Json> {
    object.push(if object.is_empty() { b'{' } else { b',' });
    object.extend_from_slice(name);
    object.push(b':');
    value.serialize(&mut serde_json::Serializer::new(object))
}

/// Where the fields of one level go. Names come quoted, as in the text.
trait Route {
    fn field<T: Serialize + ?Sized>(&mut self, name: &[u8], value: &T) -> Result<(), Json>;
}

struct Top {
    wanted: Wanted,
    large: &'static [&'static str],
    pieces: Pieces,
}

impl Route for Top {
    fn field<T: Serialize + ?Sized>(&mut self, name: &[u8], value: &T) -> Result<(), Json> {
        if name != b"\"status\"" {
            return match self.wanted {
                Wanted::All => field(&mut self.pieces.main, name, value),
                Wanted::Status | Wanted::Small | Wanted::Large => Ok(()),
            };
        }
        let mut status = Status {
            wanted: self.wanted,
            large: self.large,
            text: Vec::new(),
            pieces: Vec::new(),
        };
        if value.serialize(Fields(&mut status))? {
            close(&mut status.text);
            self.pieces.status = Some(status.text);
            self.pieces.large = status.pieces;
        }
        Ok(())
    }
}

struct Status {
    wanted: Wanted,
    large: &'static [&'static str],
    text: Vec<u8>,
    pieces: Vec<(&'static str, Vec<u8>)>,
}

impl Route for Status {
    fn field<T: Serialize + ?Sized>(&mut self, name: &[u8], value: &T) -> Result<(), Json> {
        let bare = name
            .get(1..name.len().saturating_sub(1))
            .unwrap_or_default();
        if let Some(large) = self.large.iter().find(|large| large.as_bytes() == bare) {
            if self.wanted == Wanted::Small {
                return Ok(());
            }
            let text = serde_json::to_vec(value)?;
            if text != b"null" {
                self.pieces.push((large, text));
                return Ok(());
            }
        }
        match self.wanted {
            Wanted::Large => Ok(()),
            Wanted::All | Wanted::Status | Wanted::Small => field(&mut self.text, name, value),
        }
    }
}

/// A serialiser of one level: fields go to the route, anything but an object is refused. Its
/// result is false for null.
struct Fields<'a, R>(&'a mut R);

struct Level<'a, R> {
    route: &'a mut R,
    name: Vec<u8>,
}

impl<R: Route> SerializeStruct for Level<'_, R> {
    type Ok = bool;
    type Error = Json;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Json> {
        SerializeMap::serialize_entry(self, name, value)
    }

    fn end(self) -> Result<bool, Json> {
        Ok(true)
    }
}

impl<R: Route> SerializeMap for Level<'_, R> {
    type Ok = bool;
    type Error = Json;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Json> {
        self.name.clear();
        key.serialize(&mut serde_json::Serializer::new(&mut self.name))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Json> {
        self.route.field(&self.name, value)
    }

    fn end(self) -> Result<bool, Json> {
        Ok(true)
    }
}

macro_rules! refuse {
    ($($method:ident($($type:ty),*))*) => {
        $(fn $method(self, $(_: $type),*) -> Result<bool, Json> {
            Err(Json::custom("expected an object"))
        })*
    };
}

type No = Impossible<bool, Json>;

impl<'a, R: Route> Serializer for Fields<'a, R> {
    type Ok = bool;
    type Error = Json;
    type SerializeSeq = No;
    type SerializeTuple = No;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = Level<'a, R>;
    type SerializeStruct = Level<'a, R>;
    type SerializeStructVariant = No;

    refuse! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32)
        serialize_i64(i64) serialize_u8(u8) serialize_u16(u16) serialize_u32(u32)
        serialize_u64(u64) serialize_f32(f32) serialize_f64(f64) serialize_char(char)
        serialize_str(&str) serialize_bytes(&[u8])
        serialize_unit_variant(&'static str, u32, &'static str)
    }

    fn serialize_none(self) -> Result<bool, Json> {
        Ok(false)
    }

    fn serialize_unit(self) -> Result<bool, Json> {
        Ok(false)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<bool, Json> {
        Ok(false)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<bool, Json> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<bool, Json> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<bool, Json> {
        Err(Json::custom("expected an object"))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<No, Json> {
        Err(Json::custom("expected an object"))
    }

    fn serialize_tuple(self, _: usize) -> Result<No, Json> {
        Err(Json::custom("expected an object"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<No, Json> {
        Err(Json::custom("expected an object"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<No, Json> {
        Err(Json::custom("expected an object"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Level<'a, R>, Json> {
        Ok(Level {
            route: self.0,
            name: Vec::new(),
        })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Level<'a, R>, Json> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<No, Json> {
        Err(Json::custom("expected an object"))
    }
}

// ---- the way over values, for kinds that have no better one

/// What to take from another object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All but metadata and status.
    Spec,
    /// The status.
    Status,
}

fn value<K: Object>(object: &K) -> serde_json::Map<String, Value> {
    match serde_json::to_value(object) {
        Ok(Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    }
}

/// All but metadata and status.
pub(super) fn without_meta_and_status<K: Object>(object: &K) -> Value {
    let mut map = value(object);
    map.remove("metadata");
    if K::HAS_STATUS {
        map.remove("status");
    }
    Value::Object(map)
}

/// The status.
pub(super) fn status_of<K: Object>(object: &K) -> Option<Value> {
    value(object)
        .remove("status")
        .filter(|status| !status.is_null())
}

/// Takes a part of `from`.
pub(super) fn take<K: Object>(object: &mut K, from: &K, part: Part) {
    let (mut spec, mut status) = (value(from), value(object));
    if part == Part::Status {
        std::mem::swap(&mut spec, &mut status);
    }
    spec.remove("status");
    if let Some(status) = status.remove("status") {
        spec.insert("status".into(), status);
    }
    become_value(object, spec);
}

/// Drops the status.
pub(super) fn drop_status<K: Object>(object: &mut K) {
    let mut map = value(object);
    if map.remove("status").is_some() {
        become_value(object, map);
    }
}

/// Reads the object from a value, but keeps its metadata. A value that came from an object of the
/// kind reads as one; should it not, the object stays.
fn become_value<K: Object>(object: &mut K, map: serde_json::Map<String, Value>) {
    if let Ok(mut new) = serde_json::from_value::<K>(Value::Object(map)) {
        std::mem::swap(new.meta_mut(), object.meta_mut());
        *object = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::Widget;

    fn widget(status: &Value) -> Widget {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "conformance.metalform.dev/v1",
            "kind": "Widget",
            "metadata": { "name": "a", "namespace": "n" },
            "spec": { "color": "red" },
            "status": status,
        }))
        .unwrap()
    }

    fn joined(object: &Widget) -> Value {
        let pieces = cut(object, Wanted::All).unwrap();
        let large: Vec<_> = pieces
            .large
            .iter()
            .map(|(name, text)| (*name, text.as_slice()))
            .collect();
        let text = join(&pieces.main, pieces.status.as_deref(), &large);
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn pieces_make_the_object_again() {
        for status in [
            serde_json::json!(null),
            serde_json::json!({}),
            serde_json::json!({ "phase": "ready" }),
            serde_json::json!({ "phase": "ready", "inventory": { "disks": [1, 2] } }),
            serde_json::json!({ "inventory": { "disks": [1, 2] } }),
        ] {
            let object = widget(&status);
            assert_eq!(
                joined(&object),
                serde_json::to_value(&object).unwrap(),
                "{status}"
            );
        }
    }

    #[test]
    fn large_children_of_the_status_stand_alone() {
        let object = widget(&serde_json::json!({ "phase": "ready", "inventory": { "a": 1 } }));
        let pieces = cut(&object, Wanted::Status).unwrap();
        assert_eq!(pieces.main, b"");
        assert_eq!(pieces.status.unwrap(), br#"{"phase":"ready"}"#);
        assert_eq!(pieces.large, [("inventory", br#"{"a":1}"#.to_vec())]);
    }
}
