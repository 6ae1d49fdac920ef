//! Lowering: a host's fields to the spec of a BareMetalHost, driven by the schema table.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value as Json, json};

use crate::api::BareMetalHostSpec;
use crate::api::names::annotation;
use crate::fleet::{Deployment, Fields, Fleet, Found, Host, Origin, Ref, Value, natural};
use crate::schema::{Kind, Lower, PathId, Paths};

use super::{Wanted, path};

/// What a host becomes.
#[derive(Debug)]
pub(super) struct Lowered {
    pub spec: BareMetalHostSpec,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

/// The spec, labels and annotations of one host with what it is deployed with.
///
/// Fields land where the schema says ([`Lower`]); `online` and the cleaning mode are written out
/// with their defaults, since the API's own default would otherwise look like a difference.
///
/// Fails only if the table and the type disagree, which a test over the whole table rules out.
pub(super) fn lower(
    host: &Host,
    deployment: &Deployment<'_>,
) -> Result<Lowered, serde_json::Error> {
    let mut sheet = Sheet::default();
    sheet.spec.insert("online".to_owned(), Json::Bool(true));
    sheet
        .spec
        .insert("automatedCleaningMode".to_owned(), Json::from("metadata"));
    write(&mut sheet, host, deployment);
    let mut spec: BareMetalHostSpec = serde_json::from_value(Json::Object(sheet.spec))?;
    spec.compact();
    Ok(Lowered {
        spec,
        labels: sheet.labels,
        annotations: sheet.annotations,
    })
}

/// Where what `wanted` says is written, by path in the object.
pub(super) fn places(fleet: &Fleet, host: &Host, wanted: &Wanted) -> BTreeMap<String, Origin> {
    let mut sheet = Sheet {
        places: Some(BTreeMap::new()),
        ..Sheet::default()
    };
    write(
        &mut sheet,
        host,
        &host.deployment(fleet, wanted.pool.is_some()),
    );
    let mut places = sheet.places.unwrap_or_default();
    let pool = wanted.pool.as_deref().and_then(|name| fleet.pool(name));
    let rack = wanted.rack.as_deref();
    let rack = rack.map(|name| fleet.racks.iter().find(|rack| *rack.name == *name));
    let own = |field: &str| host.fields.get(field).map(|found| found.origin);
    let prevent = own("lifecycle.prevent-destroy").filter(|_| host.prevent_destroy());
    let marks = [
        ("pool", pool.map(|pool| pool.origin)),
        // A rack that is a fact of the host alone has no place of its own.
        (
            "rack",
            rack.map(|rack| rack.map_or(host.origin, |rack| rack.origin)),
        ),
        ("ironic", own("driven-by")),
        ("prevent-destroy", prevent.or(pool.map(|pool| pool.origin))),
    ];
    places.extend(
        marks
            .into_iter()
            .filter_map(|(path, at)| Some((path.to_owned(), at?))),
    );
    places
}

/// What lowering writes on.
#[derive(Default)]
struct Sheet {
    spec: Map<String, Json>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    /// Where each value is written, if somebody wants to know.
    places: Option<BTreeMap<String, Origin>>,
}

fn write(sheet: &mut Sheet, host: &Host, deployment: &Deployment<'_>) {
    let order = Order::of(&host.fields);
    // An image by name shuts out one that is written at the host.
    let shut_out =
        |found: &Found<'_>| deployment.image.is_some() && found.path.text.starts_with("image.");
    for found in host.fields.iter().filter(|found| !shut_out(found)) {
        put(sheet, &found, host.fields.paths(), &order);
    }
    if let Some(image) = deployment.image {
        for found in image.fields.iter() {
            put(sheet, &found, image.fields.paths(), &Order::default());
        }
    }
    let data = [
        (".spec.userData", deployment.user_data),
        (".spec.metaData", deployment.meta_data),
        (".spec.networkData", deployment.network_data),
    ];
    for (at, reference) in data {
        if let Some(reference) = reference {
            let origin = origin_of(reference, host);
            sheet.set(at, &[], secret_ref(reference), origin);
        }
    }
}

/// Where a reference of a deployment is written: at the host, or at its pool.
fn origin_of(reference: &Ref, host: &Host) -> Origin {
    let pool = host.pool.as_ref().map(|pool| &pool.fields);
    let mut fields = [Some(&host.fields), pool]
        .into_iter()
        .flatten()
        .flat_map(Fields::iter);
    let is_it = |found: &Found<'_>| match found.value {
        Value::Ref(known) => std::ptr::eq(known, reference),
        _ => false,
    };
    fields.find(is_it).map_or(host.origin, |found| found.origin)
}

fn secret_ref(reference: &Ref) -> Json {
    json!({ "name": &*reference.name })
}

/// The place of each keyed record among its siblings: natural order, but a software RAID's root
/// volume comes first, as the API wants it.
#[derive(Default)]
struct Order(HashMap<PathId, usize>);

impl Order {
    fn of(fields: &Fields) -> Self {
        let mut siblings: BTreeMap<PathId, Vec<Found<'_>>> = BTreeMap::new();
        for found in fields.iter() {
            if matches!(found.value, Value::Present)
                && let Some(parent) = found.path.parent
            {
                siblings.entry(parent).or_default().push(found);
            }
        }
        let mut order = HashMap::new();
        for mut records in siblings.into_values() {
            let is_root = |record: &Found<'_>| {
                fields.bool(&format!("{}.root", record.path.text)) == Some(true)
            };
            let key = |record: &Found<'_>| record.path.key.clone().unwrap_or_default();
            records.sort_by(|a, b| {
                is_root(b)
                    .cmp(&is_root(a))
                    .then_with(|| natural(&key(a), &key(b)))
            });
            order.extend(
                records
                    .iter()
                    .enumerate()
                    .map(|(index, record)| (record.id, index)),
            );
        }
        Self(order)
    }

    /// The places of the keyed records on the way to a path, outermost first.
    fn places(&self, paths: &Paths, id: PathId) -> Vec<usize> {
        let mut places = Vec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            let path = paths.get(id);
            let keyed = path
                .field
                .is_some_and(|field| matches!(field.kind, Kind::Keyed { .. }));
            if keyed && path.key.is_some() {
                places.push(self.0.get(&id).copied().unwrap_or_default());
            }
            at = path.parent;
        }
        places.reverse();
        places
    }
}

/// Writes one field where the schema says.
fn put(sheet: &mut Sheet, found: &Found<'_>, paths: &Paths, order: &Order) {
    let mut set = |at: &str, value: Json| {
        let places = if at.contains("[]") {
            order.places(paths, found.id)
        } else {
            Vec::new()
        };
        sheet.set(at, &places, value, found.origin);
    };
    match found.schema.lower {
        // `raid hardware {}` asks for no volumes, which is more than not asking.
        Lower::None => match (found.schema.name, found.value) {
            ("raid", Value::Text(kind)) if &**kind == "hardware" => {
                set(".spec.raid.hardwareRAIDVolumes", json!([]));
            }
            ("raid", Value::Text(kind)) if &**kind == "software" => {
                set(".spec.raid.softwareRAIDVolumes", json!([]));
            }
            _ => {}
        },
        // An image by name is lowered with its own fields.
        Lower::Image(_) => {}
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
            if let (Value::Text(text), Some(key)) = (found.value, &found.path.key) {
                sheet.entry(at, key, text, found.origin);
            }
        }
        Lower::Checksum(at) => {
            let Value::Text(text) = found.value else {
                return;
            };
            let (value, kind) = checksum(text);
            set(at, Json::from(value));
            if let Some(kind) = kind {
                set(&format!("{at}Type"), Json::from(kind));
            }
        }
    }
}

impl Sheet {
    /// Writes `value` at a path of the table (`.spec.taints[].key`), `places` being the items of
    /// the lists on the way. Deeper fields of the same record are left.
    fn set(&mut self, at: &str, places: &[usize], value: Json, origin: Origin) {
        let Some(below) = at.strip_prefix(".spec.") else {
            return;
        };
        if let Some(known) = &mut self.places {
            let mut path = at[1..].to_owned();
            for place in places {
                path = path.replacen("[]", &path::item("", *place), 1);
            }
            known.insert(path, origin);
        }
        insert(&mut self.spec, below, &mut places.iter().copied(), value);
    }

    /// Writes a label or an annotation. Those that begin with `metalform.dev/` are ours to write:
    /// a grant that stood in the spec would be no grant.
    fn entry(&mut self, at: &str, key: &str, text: &str, origin: Origin) {
        if key.starts_with(annotation::OURS) {
            return;
        }
        let labels = at == ".metadata.labels";
        let map = if labels {
            &mut self.labels
        } else {
            &mut self.annotations
        };
        map.insert(key.to_owned(), text.to_owned());
        if let Some(known) = &mut self.places {
            known.insert(path::child(&at[1..], key), origin);
        }
    }
}

/// `sha256:…` as the API has it: the value and its type.
fn checksum(text: &str) -> (&str, Option<&str>) {
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
        Value::List(texts) => texts.iter().map(|text| Json::from(&**text)).collect(),
    }
}

/// A size in whole units; decoding refused those that do not divide (MF3317).
fn size(value: &Value, unit: u64) -> Json {
    match value {
        Value::Size(bytes) => Json::from(bytes / unit),
        other => plain(other),
    }
}

/// Puts a value at a path like `raid.softwareRAIDVolumes[].physicalDisks[].hctl`.
fn insert(
    into: &mut Map<String, Json>,
    at: &str,
    places: &mut impl Iterator<Item = usize>,
    value: Json,
) {
    let (head, rest) = match at.split_once('.') {
        Some((head, rest)) => (head, Some(rest)),
        None => (at, None),
    };
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

#[cfg(test)]
mod tests;
