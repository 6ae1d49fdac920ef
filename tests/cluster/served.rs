//! Every kind as the API server serves it: an object with every field that its definition names, and
//! with fields that only a newer definition names.

use std::fmt::Debug;

use metalform::api::crd::crds;
use metalform::api::{
    BareMetalHost, DataImage, FirmwareSchema, HardwareData, HostFirmwareComponents,
    HostFirmwareSettings, HostUpdatePolicy, PreprovisioningImage, fleet::Fleet,
};
use metalform::store::kube::Cluster;
use metalform::store::{Key, Kube, Object, Store};
use serde_json::{Map, Value, json};

use crate::controller::{Site, until};

/// A field that we do not know.
const NEWER: &str = "newer";

/// The schema of a definition.
fn schema(crd: &mut Value) -> &mut Value {
    &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

fn definition(kind: &str) -> Value {
    let all = crds().unwrap();
    let found = all.iter().find(|crd| crd.spec.names.kind == kind);
    serde_json::to_value(found.unwrap()).unwrap()
}

/// How many turns it takes for each word of each enumeration to have one.
fn turns(schema: &Value) -> usize {
    let words = schema["enum"].as_array().map_or(1, Vec::len);
    let inner = match schema {
        Value::Object(fields) => fields.values().map(turns).max(),
        Value::Array(items) => items.iter().map(turns).max(),
        _ => None,
    };
    words.max(inner.unwrap_or_default())
}

/// A value with every field that a schema names, none of them empty: Go writes no empty ones.
fn filled(schema: &Value, name: &str, turn: usize) -> Value {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<&Value> = words.iter().filter(|word| **word != "").collect();
        return words[turn % words.len()].clone();
    }
    if schema["x-kubernetes-int-or-string"] == true && turn.is_multiple_of(2) {
        return turn.into();
    }
    let text = |name: &str| schema[name].as_str().unwrap_or_default();
    match text("type") {
        "object" if schema["additionalProperties"].is_object() => {
            let value = |turn| filled(&schema["additionalProperties"], name, turn);
            json!({ "One": value(turn), "Two": value(turn + 1) })
        }
        "object" => fields(schema, turn).into(),
        "array" => json!([
            filled(&schema["items"], name, turn),
            filled(&schema["items"], name, turn + 1),
        ]),
        "integer" => (turn + 1).into(),
        "number" => json!(turn as f64 + 0.5),
        "boolean" => true.into(),
        _ if text("format") == "date-time" => format!("2026-08-20T10:00:{turn:02}Z").into(),
        _ if text("pattern").contains("a-fA-F") => format!("52:54:00:00:00:{turn:02x}").into(),
        _ if !text("pattern").is_empty() => format!("Word{turn}").into(),
        _ => format!("{name} {turn}").into(),
    }
}

fn fields(schema: &Value, turn: usize) -> Map<String, Value> {
    let all = schema["properties"].as_object().into_iter().flatten();
    all.map(|(name, field)| (name.clone(), filled(field, name, turn)))
        .collect()
}

/// An object with every field of its kind.
fn whole(crd: &mut Value, namespace: &str, turn: usize) -> Value {
    let group = crd["spec"]["group"].as_str().unwrap().to_owned();
    let kind = crd["spec"]["names"]["kind"].clone();
    let mut object = fields(schema(crd), turn);
    object.insert("apiVersion".into(), format!("{group}/v1alpha1").into());
    object.insert("kind".into(), kind);
    let metadata = json!({
        "name": format!("a{turn}"),
        "namespace": namespace,
        "labels": { "example.com/role": "worker" },
        "annotations": { "example.com/note": "of a person" },
        "finalizers": ["example.com/keep"],
    });
    object.insert("metadata".into(), metadata);
    object.into()
}

/// What was written is there as it was written, and nothing besides.
#[track_caller]
fn is_same(what: &str, found: &Value, wanted: &Value) {
    for part in ["apiVersion", "kind", "spec", "status"] {
        assert_eq!(found[part], wanted[part], "{what}: {part}");
    }
    for part in ["name", "namespace", "labels", "annotations", "finalizers"] {
        let (found, wanted) = (&found["metadata"][part], &wanted["metadata"][part]);
        assert_eq!(found, wanted, "{what}: metadata.{part}");
    }
}

fn json_of<K: Object>(object: &K) -> Value {
    serde_json::to_value(object).unwrap()
}

struct Served<'a> {
    site: &'a Site,
    cluster: Cluster,
}

impl Served<'_> {
    /// A store that knows nothing yet.
    fn store(&self) -> Kube {
        Kube::new(&self.cluster, "served")
    }

    /// The object as the server has it, and as a store reads it in each of its ways.
    async fn is<K: Object>(&self, what: &str, wanted: &Value) -> K {
        let name = wanted["metadata"]["name"].as_str().unwrap();
        let what = format!("{} {name} {what}", K::KIND);
        let raw = self.site.get(&format!("{}.{}/{name}", K::PLURAL, K::GROUP));
        is_same(&format!("{what}, on the server"), &raw, wanted);
        let (store, key) = (self.store(), Key::new(self.site.namespace.as_str(), name));
        let read: K = K::clone(&*store.read(&key).await.unwrap());
        is_same(&format!("{what}, read"), &json_of(&read), wanted);
        let all = store.list_now::<K>().await.unwrap();
        let listed = all.iter().find(|object| object.key() == key).unwrap();
        is_same(&format!("{what}, listed"), &json_of(listed), wanted);
        if K::CACHED {
            let store = self.store();
            let all = Store::<K>::snapshot(&store).await.unwrap().objects;
            let watched = all.iter().find(|object| object.key() == key).unwrap();
            is_same(&format!("{what}, watched"), &json_of(&**watched), wanted);
        }
        read
    }

    /// Objects of a kind come back as they were written, in each turn.
    async fn keeps<K: Object + Debug>(&self) {
        let mut crd = definition(K::KIND);
        for turn in 0..turns(schema(&mut crd)) {
            let wanted = whole(&mut crd, &self.site.namespace, turn);
            let object: K = serde_json::from_value(wanted.clone()).unwrap();
            is_same("our type", &json_of(&object), &wanted);
            let store = self.store();
            let made = store.create(object.clone()).await.unwrap();
            if !K::HAS_STATUS {
                is_same("made", &json_of(&*made), &wanted);
                self.is::<K>("made", &wanted).await;
                continue;
            }
            let mut bare = wanted.clone();
            bare.as_object_mut().unwrap().remove("status");
            is_same("made", &json_of(&*made), &bare);
            let mut next = K::clone(&made);
            next.set_status(Some(&object));
            let told = store.update_status(next, made.version()).await.unwrap();
            is_same("told", &json_of(&*told), &wanted);
            let read = self.is::<K>("with a status", &wanted).await;
            // One who only read it writes another status, and nothing of the first is left.
            let mut other = wanted.clone();
            other["status"] = whole(&mut crd, "", turn + 1)["status"].take();
            let version = read.version();
            let mut next = read;
            next.set_status(Some(&serde_json::from_value(other.clone()).unwrap()));
            let told = self.store().update_status(next, version).await.unwrap();
            is_same("told again", &json_of(&*told), &other);
            self.is::<K>("with another status", &other).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_of_every_kind_comes_back_as_it_was() {
    let Some(site) = Site::shared("served").await else {
        return;
    };
    let cluster = site.server.admin().await;
    let cluster = cluster.within([site.namespace.as_str()]);
    let served = Served {
        site: &site,
        cluster,
    };
    let mut kinds: Vec<String> = Vec::new();
    for crd in crds().unwrap() {
        let kind = crd.spec.names.kind;
        match kind.as_str() {
            "BareMetalHost" => served.keeps::<BareMetalHost>().await,
            "HardwareData" => served.keeps::<HardwareData>().await,
            "HostFirmwareSettings" => served.keeps::<HostFirmwareSettings>().await,
            "FirmwareSchema" => served.keeps::<FirmwareSchema>().await,
            "HostFirmwareComponents" => served.keeps::<HostFirmwareComponents>().await,
            "HostUpdatePolicy" => served.keeps::<HostUpdatePolicy>().await,
            "PreprovisioningImage" => served.keeps::<PreprovisioningImage>().await,
            "DataImage" => served.keeps::<DataImage>().await,
            "Fleet" => served.keeps::<Fleet>().await,
            other => panic!("what is {other}?"),
        }
        kinds.push(kind);
    }
    assert_eq!(kinds.len(), 9, "{kinds:?}");
}

/// Adds the field that we do not know to an object, and to all that are in it.
fn add_everywhere(schema: &mut Value) {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.values_mut().for_each(add_everywhere);
        add(schema);
    } else if schema["items"].is_object() {
        add_everywhere(&mut schema["items"]);
    }
}

fn add(schema: &mut Value) {
    schema["properties"][NEWER] = json!({
        "type": "object",
        "properties": { "size": { "type": "integer" }, "words": {
            "type": "array", "items": { "type": "string" },
        } },
    });
}

/// Our definition of hosts as a newer version may have it. In a spec there is one more field
/// everywhere. In a status, which is written as a whole, only where its parts keep what they do not
/// know.
fn newer() -> Value {
    let mut crd = definition("BareMetalHost");
    let properties = &mut schema(&mut crd)["properties"];
    add_everywhere(&mut properties["spec"]);
    let status = &mut properties["status"];
    add_everywhere(&mut status["properties"]["hardware"]);
    add(&mut status["properties"]["lastAttemptedImage"]);
    let provisioning = &mut status["properties"]["provisioning"];
    add(&mut provisioning["properties"]["image"]);
    add(provisioning);
    add(status);
    crd
}

/// Has the server serve that definition.
fn serve(site: &Site, crd: &Value) {
    site.server.install(crd);
    let mut probe = Site::host("probe", 9);
    probe["metadata"]["namespace"] = site.namespace.as_str().into();
    probe["spec"][NEWER] = json!({ "size": 1 });
    until(
        || site.server.takes(&probe),
        || "the newer definition is not served".into(),
    );
}

/// Somebody writes these parts of a status.
fn says(site: &Site, host: &str, status: &Value) {
    let patch = json!({ "status": status }).to_string();
    let merge = ["--subresource=status", "--type=merge", "-p", &patch];
    site.kubectl(&[&["patch", host][..], &merge].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_newer_definition_names_is_kept() {
    let Some(site) = Site::own("newer", &[]).await else {
        return;
    };
    let mut crd = newer();
    serve(&site, &crd);
    let mut wanted = whole(&mut crd, &site.namespace, 0);
    assert_eq!(wanted["spec"]["raid"][NEWER]["size"], 1);
    site.create(&wanted);
    says(&site, "bmh/a0", &wanted["status"]);
    is_same("by hand", &site.get("bmh/a0"), &wanted);

    let cluster = site.server.admin().await;
    let cluster = cluster.within([site.namespace.as_str()]);
    let store = Kube::new(&cluster, "served");
    let snapshot = Store::<BareMetalHost>::snapshot(&store).await.unwrap();
    let host = &snapshot.objects[0];
    // All three requests that a status may be: metadata gains, a status, metadata loses.
    let mut next = BareMetalHost::clone(host);
    next.metadata.finalizers =
        Some(vec!["example.com/keep".into(), "example.com/two".into()].into());
    next.metadata.annotations = None;
    let told = next.status.as_mut().unwrap();
    told.error_message = "something else".to_owned();
    told.provisioning.id = "another node".to_owned();
    store.update_status(next, host.version()).await.unwrap();
    wanted["metadata"]["finalizers"] = json!(["example.com/keep", "example.com/two"]);
    wanted["metadata"]["annotations"] = Value::Null;
    wanted["status"]["errorMessage"] = "something else".into();
    wanted["status"]["provisioning"]["ID"] = "another node".into();
    is_same("after a status of ours", &site.get("bmh/a0"), &wanted);
    // A spec is only ever written field by field.
    let key = host.key();
    let off = json!({ "spec": { "online": false, "image": { "url": "http://127.0.0.1/b" } } });
    Store::<BareMetalHost>::apply(&store, &key, off, "metalform", true)
        .await
        .unwrap();
    wanted["spec"]["online"] = false.into();
    wanted["spec"]["image"]["url"] = "http://127.0.0.1/b".into();
    is_same("after an apply of ours", &site.get("bmh/a0"), &wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_keeps_through_its_life_what_only_a_newer_definition_names() {
    let Some(site) = Site::own("newer-life", &[]).await else {
        return;
    };
    serve(&site, &newer());
    let more = json!({ "size": 7, "words": ["a", "b"] });
    let mut host = Site::host("a", 1);
    host["spec"][NEWER] = more.clone();
    host["spec"]["bmc"][NEWER] = more.clone();
    host["spec"]["image"][NEWER] = more.clone();
    site.credentials("bmc", "calvin");
    site.create(&host);
    let controller = site.simulate("newer", &[]);
    site.comes_to("a", "provisioned");
    // Somebody else's word on where it stands.
    let status = json!({ NEWER: more, "provisioning": { NEWER: more } });
    says(&site, "bmh/a", &status);
    site.patch("bmh/a", &json!({ "spec": { "online": false } }));
    site.is_powered("a", false);
    let url = "http://127.0.0.1/debian-2.qcow2";
    let image = json!({ "spec": { "online": true, "image": { "url": url } } });
    site.patch("bmh/a", &image);
    let deployed = || site.get("bmh/a")["status"]["provisioning"]["image"]["url"].clone();
    until(|| deployed() == url, || format!("{} is there", deployed()));
    site.comes_to("a", "provisioned");
    let host = site.get("bmh/a");
    for kept in [
        &host["spec"],
        &host["spec"]["bmc"],
        &host["spec"]["image"],
        &host["status"],
        &host["status"]["provisioning"],
        // What is deployed is the image of the spec, with all that it says.
        &host["status"]["provisioning"]["image"],
    ] {
        assert_eq!(kept[NEWER], more, "{kept}");
    }
    controller.stop();
}
