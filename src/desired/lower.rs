//! Lowering: a host's fields to the spec of a BareMetalHost, driven by the schema table.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use crate::api::BareMetalHostSpec;
use crate::fleet::{Deployment, Found, Host, Ref, Value};
use crate::schema::{Kind, Lower, PathId, Paths};

use super::Wanted;

/// The spec, labels and annotations of one host with what it is deployed with.
///
/// Fields land where the schema says ([`Lower`]); `online` and the cleaning mode are written out
/// with their defaults, since the API's own default would otherwise look like a difference.
pub(super) fn lower(host: &Host, deployment: &Deployment<'_>) -> Wanted {
    let mut spec = Map::new();
    spec.insert("online".to_owned(), Json::Bool(host.online()));
    spec.insert("automatedCleaningMode".to_owned(), Json::from("metadata"));
    let paths = host.fields.paths();
    let order = Order::of(host, paths);
    let mut wanted = Wanted::default();
    for found in host.fields.iter() {
        put(&mut spec, &mut wanted, &found, paths, &order);
    }
    if let Some(image) = deployment.image {
        for found in image.fields.iter() {
            put(&mut spec, &mut wanted, &found, image.fields.paths(), &Order::default());
        }
    }
    let data = [
        ("userData", deployment.user_data),
        ("metaData", deployment.meta_data),
        ("networkData", deployment.network_data),
    ];
    for (name, reference) in data {
        if let Some(reference) = reference {
            spec.insert(name.to_owned(), secret_ref(reference));
        }
    }
    // The table's paths are those of the type, which a test checks for every field; a value that
    // did not fit would be left out whole rather than written wrong.
    wanted.spec = serde_json::from_value::<BareMetalHostSpec>(Json::Object(spec))
        .unwrap_or_else(|_| BareMetalHostSpec { online: host.online(), ..Default::default() });
    wanted.digest = deployment.digest.to_string().into();
    wanted.rack.clone_from(&host.rack);
    wanted
}

fn secret_ref(reference: &Ref) -> Json {
    json!({ "name": &*reference.name })
}

/// The place of each keyed record among its siblings: natural order, but a software RAID's root
/// volume comes first, as the API wants it.
#[derive(Default)]
struct Order(HashMap<PathId, usize>);

impl Order {
    fn of(host: &Host, paths: &Paths) -> Self {
        let mut siblings: HashMap<PathId, Vec<Found<'_>>> = HashMap::new();
        for found in host.fields.iter() {
            if matches!(found.value, Value::Present)
                && let Some(parent) = found.path.parent
            {
                siblings.entry(parent).or_default().push(found);
            }
        }
        let mut order = HashMap::new();
        #[expect(clippy::iter_over_hash_type, reason = "each entry is ordered by itself")]
        for mut records in siblings.into_values() {
            records.sort_by(|a, b| {
                let root = |found: &Found<'_>| {
                    let root = format!("{}.root", found.path.text);
                    host.fields.bool(&root) != Some(true)
                };
                let key = |found: &Found<'_>| found.path.key.clone().unwrap_or_default();
                root(a)
                    .cmp(&root(b))
                    .then_with(|| crate::eval::range::natural_cmp(&key(a), &key(b)))
            });
            order.extend(records.iter().enumerate().map(|(index, found)| (found.id, index)));
        }
        debug_assert!(order.keys().all(|id| paths.get(*id).key.is_some()));
        Self(order)
    }

    /// The places of the keyed records on the way to a path, outermost first.
    fn places(&self, paths: &Paths, id: PathId) -> Vec<usize> {
        let mut places = Vec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            let path = paths.get(id);
            let keyed = path.field.is_some_and(|field| matches!(field.kind, Kind::Keyed { .. }));
            if keyed && path.key.is_some() {
                places.push(self.0.get(&id).copied().unwrap_or_default());
            }
            at = path.parent;
        }
        places.reverse();
        places
    }
}

fn put(
    spec: &mut Map<String, Json>,
    wanted: &mut Wanted,
    found: &Found<'_>,
    paths: &Paths,
    order: &Order,
) {
    let mut set = |at: &str, value: Json| {
        let places = if at.contains("[]") { order.places(paths, found.id) } else { Vec::new() };
        if let Some(at) = at.strip_prefix(".spec.") {
            insert(spec, at, &mut places.into_iter(), value);
        }
    };
    match found.schema.lower {
        // An image by name is lowered with its own fields.
        Lower::None | Lower::Image(_) => {}
        Lower::At(at) => set(at, plain(found.value)),
        Lower::Not(at) => {
            if let Value::Bool(value) = found.value {
                set(at, Json::Bool(!value));
            }
        }
        Lower::Gigabytes(at) => set(at, size(found.value, 1_000_000_000)),
        Lower::Gibibytes(at) => set(at, size(found.value, 1 << 30)),
        Lower::SecretName(at) => {
            if let Value::Ref(reference) = found.value {
                set(at, Json::from(&*reference.name));
            }
        }
        Lower::SecretRef(at) => {
            if let Value::Ref(reference) = found.value {
                set(at, secret_ref(reference));
            }
        }
        Lower::Key(at) => {
            if let (Value::Present, Some(key)) = (found.value, &found.path.key) {
                set(at, Json::from(&**key));
            }
        }
        Lower::Entry(at) => {
            let Some(key) = &found.path.key else { return };
            let Value::Text(text) = found.value else { return };
            let map = if at == ".metadata.labels" {
                &mut wanted.labels
            } else {
                &mut wanted.annotations
            };
            map.insert(key.to_string(), text.to_string());
        }
        Lower::Checksum(at) => {
            let Value::Text(text) = found.value else { return };
            match checksum(text) {
                (value, Some(kind)) => {
                    set(at, Json::from(value));
                    set(&format!("{at}Type"), Json::from(kind));
                }
                (value, None) => set(at, Json::from(value)),
            }
        }
    }
}

/// `sha256:…` as the API has it: the value and its type.
pub(crate) fn checksum(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((kind @ ("md5" | "sha256" | "sha512"), value)) => (value, Some(kind)),
        _ => (text, None),
    }
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Present => json!({}),
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(number) => Json::from(*number),
        Value::Text(text) => Json::from(&**text),
        Value::Size(bytes) => Json::from(*bytes),
        Value::Duration(time) => Json::from(time.as_secs()),
        Value::Ref(reference) => Json::from(&*reference.name),
        Value::List(items) => items.iter().map(|item| Json::from(&**item)).collect(),
    }
}

/// Whole units; the evaluator refused sizes that are none (MF3317).
fn size(value: &Value, unit: u64) -> Json {
    match value {
        Value::Size(bytes) => Json::from(bytes / unit),
        other => plain(other),
    }
}

/// Puts a value at a dotted path below `.spec`; `[]` takes the next place.
fn insert(
    into: &mut Map<String, Json>,
    at: &str,
    places: &mut dyn Iterator<Item = usize>,
    value: Json,
) {
    let (head, rest) = at.split_once('.').map_or((at, None), |(head, rest)| (head, Some(rest)));
    let Some(name) = head.strip_suffix("[]") else {
        match rest {
            None => {
                into.insert(head.to_owned(), value);
            }
            Some(rest) => {
                let inner = into.entry(head).or_insert_with(|| json!({}));
                if let Json::Object(inner) = inner {
                    insert(inner, rest, places, value);
                }
            }
        }
        return;
    };
    let place = places.next().unwrap_or_default();
    let list = into.entry(name).or_insert_with(|| json!([]));
    let Json::Array(list) = list else { return };
    while list.len() <= place {
        list.push(json!({}));
    }
    match rest {
        None => list[place] = value,
        Some(rest) => {
            if let Json::Object(inner) = &mut list[place] {
                insert(inner, rest, places, value);
            }
        }
    }
}
