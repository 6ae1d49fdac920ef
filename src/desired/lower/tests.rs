use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value as Json;

use super::*;
use crate::desired::spec_value;
use crate::diag::{FileId, Span};
use crate::fleet::{Digest, Facts, Image, Item, RefKind, Text};
use crate::plan::testing::spec;
use crate::schema::{Entity, Field, Type};

/// Fields by hand: what the rules of the language would refuse together is fine here.
struct Sketch {
    paths: Paths,
    items: Vec<(PathId, Value)>,
}

impl Sketch {
    fn new() -> Self {
        Self {
            paths: Paths::new(),
            items: Vec::new(),
        }
    }

    fn set(&mut self, path: PathId, value: Value) {
        if !self.items.iter().any(|(known, _)| *known == path) {
            self.items.push((path, value));
        }
    }

    fn fields(&self) -> Fields {
        let mut items: Vec<Item> = self
            .items
            .iter()
            .enumerate()
            .map(|(index, (path, value))| Item {
                path: *path,
                value: value.clone(),
                origin: origin(index as u32),
            })
            .collect();
        items.sort_by(|a, b| {
            self.paths
                .get(a.path)
                .text
                .cmp(&self.paths.get(b.path).text)
        });
        Fields {
            paths: Arc::new(self.paths.clone()),
            items: items.into(),
        }
    }

    fn host(&self) -> Host {
        Host {
            name: Arc::from("h"),
            rack: None,
            facts: Facts::default(),
            fields: self.fields(),
            pool: None,
            origin: origin(0),
            digest: Digest([0; 32]),
        }
    }
}

fn origin(start: u32) -> Origin {
    Origin {
        file: FileId(0),
        span: Span {
            start,
            end: start + 1,
        },
    }
}

/// A leaf of the table with the records and variants that it needs around it.
struct Leaf {
    path: PathId,
    field: &'static Field,
    around: Vec<(PathId, Value)>,
}

/// All leaves of an entity; keyed records appear with one key.
fn leaves_of(paths: &mut Paths, entity: Entity) -> Vec<Leaf> {
    let mut found = Vec::new();
    walk(paths, Paths::root(entity), &[], &mut found);
    found
}

fn walk(paths: &mut Paths, at: PathId, around: &[(PathId, Value)], found: &mut Vec<Leaf>) {
    for field in paths.fields(at) {
        let path = paths.child(at, field.name).unwrap();
        match field.kind {
            Kind::Leaf(_) => found.push(Leaf {
                path,
                field,
                around: around.to_vec(),
            }),
            Kind::Map(_) => {
                let key = paths.key_or_add(path, "example.org/key");
                found.push(Leaf {
                    path: key,
                    field,
                    around: around.to_vec(),
                });
            }
            Kind::Record { .. } => walk(paths, path, around, found),
            Kind::Union(variants) => {
                for variant in variants {
                    let mut around = around.to_vec();
                    around.push((path, Value::Text(variant.name.into())));
                    walk(
                        paths,
                        paths.child(path, variant.name).unwrap(),
                        &around,
                        found,
                    );
                }
            }
            Kind::Keyed { .. } => {
                let key = paths.key_or_add(path, "root");
                let mut around = around.to_vec();
                around.push((key, Value::Present));
                if let Some(level) = paths.child(key, "level") {
                    around.push((level, Value::Text("1".into())));
                }
                if !matches!(field.lower, Lower::None) {
                    found.push(Leaf {
                        path: key,
                        field,
                        around: around.clone(),
                    });
                }
                walk(paths, key, &around, found);
            }
            Kind::Selector(_) | Kind::Later => {}
        }
    }
}

/// Example values: all words of an enum, one of everything else.
fn examples(field: &Field) -> Vec<Value> {
    let text = |text: &str| vec![Value::Text(text.into())];
    let reference = |kind| {
        vec![Value::Ref(Ref {
            kind,
            name: Text::from("name"),
        })]
    };
    let kind = match &field.kind {
        Kind::Leaf(kind) | Kind::Map(kind) => kind,
        _ => return vec![Value::Present],
    };
    match kind {
        Type::Bool => vec![Value::Bool(true)],
        Type::Int(min, _) => vec![Value::Int((*min).max(1))],
        Type::Enum(words) => words
            .iter()
            .map(|word| Value::Text((*word).into()))
            .collect(),
        Type::Size => match field.lower {
            Lower::Gigabytes(_) => vec![Value::Size(480_000_000_000)],
            _ => vec![Value::Size(446 << 30)],
        },
        Type::Duration => vec![Value::Duration(Duration::from_secs(5))],
        Type::Mac => text("52:54:00:00:00:01"),
        Type::Url(schemes) => text(&format!("{}://images.lab/os", schemes[0])),
        Type::BmcAddress => text("redfish://10.0.0.1/redfish/v1/Systems/1"),
        Type::Secret | Type::Bundle => reference(RefKind::Secret),
        Type::Texts => vec![Value::List(Arc::from([Text::from("a"), Text::from("b")]))],
        Type::CountOrAll => vec![Value::Int(3)],
        Type::Text | Type::LabelValue => match field.lower {
            Lower::Checksum(_) => text("sha512:00ff"),
            _ if field.name == "time-added" => text("2026-01-02T03:04:05Z"),
            _ => text("text"),
        },
        Type::ImageRef | Type::IronicRef | Type::File => text("name"),
    }
}

/// What has to be at the field's place.
fn expected(field: &Field, value: &Value) -> Option<(String, Json)> {
    let at = field.crd_path()?.replace("[]", "[0]");
    let json = match (field.lower, value) {
        (Lower::Not(_), Value::Bool(value)) => Json::Bool(!value),
        (Lower::Gigabytes(_), _) => Json::from(480),
        (Lower::Gibibytes(_), _) => Json::from(446),
        (Lower::SecretRef(_), _) => json!({ "name": "name" }),
        (Lower::SecretName(_), _) => Json::from("name"),
        (Lower::Key(_), _) => Json::from("root"),
        (Lower::Checksum(_), _) => Json::from("00ff"),
        (Lower::None | Lower::Image(_) | Lower::Entry(_), _) => return None,
        (_, value) => plain(value),
    };
    Some((at, json))
}

fn pointer(at: &str) -> String {
    at.trim_start_matches(".spec")
        .replace('[', ".")
        .replace(']', "")
        .replace('.', "/")
}

fn lowered(host: &Host, deployment: &Deployment<'_>) -> (Lowered, Json) {
    let lowered = lower(host, deployment).unwrap();
    let json = spec_value(&lowered.spec);
    // A path that the type does not know would end there, a word in `Other`.
    let shown = format!("{:?}", lowered.spec);
    assert!(
        lowered.spec.extra.is_empty() && lowered.spec.bmc.extra.is_empty(),
        "{shown}"
    );
    assert!(
        lowered
            .spec
            .image
            .as_ref()
            .is_none_or(|image| image.extra.is_empty()),
        "{shown}"
    );
    assert!(!shown.contains("Other("), "{shown}");
    (lowered, json)
}

fn nothing(host: &Host) -> Deployment<'_> {
    static EMPTY: LazyLock<Fleet> = LazyLock::new(Fleet::empty);
    host.deployment(&EMPTY, false)
}

/// A deployment of this image, by hand.
fn with<'a>(host: &'a Host, image: &'a Image) -> Deployment<'a> {
    Deployment {
        image: Some(image),
        ..nothing(host)
    }
}

#[test]
fn every_field_of_a_host_lands_at_its_place() {
    let mut paths = Paths::new();
    let leaves = leaves_of(&mut paths, Entity::Host);
    assert!(leaves.len() > 60, "the table has {} leaves", leaves.len());
    let mut lowering = 0;
    for leaf in &leaves {
        for value in examples(leaf.field) {
            let mut sketch = Sketch {
                paths: paths.clone(),
                items: Vec::new(),
            };
            sketch.set(leaf.path, value.clone());
            leaf.around
                .iter()
                .for_each(|(path, value)| sketch.set(*path, value.clone()));
            let host = sketch.host();
            let text = &paths.get(leaf.path).text;
            let (lowered, json) = lowered(&host, &nothing(&host));
            match leaf.field.lower {
                Lower::Entry(".metadata.labels") => {
                    assert_eq!(lowered.labels["example.org/key"], "text", "{text}");
                }
                Lower::Entry(_) => {
                    assert_eq!(lowered.annotations["example.org/key"], "text", "{text}");
                }
                _ => {
                    let Some((at, expected)) = expected(leaf.field, &value) else {
                        continue;
                    };
                    let pointer = pointer(&at);
                    // What is not written is the zero value of its type.
                    let found = json.pointer(&pointer).cloned().unwrap_or(Json::Bool(false));
                    assert_eq!(found, expected, "{text} at {pointer} in {json}");
                }
            }
            lowering += 1;
        }
    }
    assert!(lowering > 70, "{lowering} values were lowered");
}

#[test]
fn every_field_of_an_image_lands_at_its_place() {
    let mut paths = Paths::new();
    for leaf in leaves_of(&mut paths, Entity::Image) {
        for value in examples(leaf.field) {
            let mut sketch = Sketch {
                paths: paths.clone(),
                items: Vec::new(),
            };
            sketch.set(leaf.path, value.clone());
            let image = Image {
                name: Arc::from("i"),
                fields: sketch.fields(),
                digest: Digest([0; 32]),
                origin: origin(0),
            };
            let host = Sketch::new().host();
            let (_, json) = lowered(&host, &with(&host, &image));
            let (at, expected) = expected(leaf.field, &value).unwrap();
            assert_eq!(
                json.pointer(&pointer(&at)),
                Some(&expected),
                "{at} in {json}"
            );
        }
    }
}

#[test]
fn all_fields_together_are_a_host() {
    let mut paths = Paths::new();
    let leaves = leaves_of(&mut paths, Entity::Host);
    let mut sketch = Sketch {
        paths,
        items: Vec::new(),
    };
    for leaf in &leaves {
        leaf.around
            .iter()
            .for_each(|(path, value)| sketch.set(*path, value.clone()));
        sketch.set(leaf.path, examples(leaf.field).remove(0));
    }
    let host = sketch.host();
    let (lowered, _) = lowered(&host, &nothing(&host));
    assert!(lowered.spec.image.is_some() && lowered.spec.raid.is_some());
}

#[test]
fn every_place_of_the_table_is_below_spec_or_metadata() {
    let mut paths = Paths::new();
    let leaves = [Entity::Host, Entity::Image].map(|entity| leaves_of(&mut paths, entity));
    for at in leaves
        .iter()
        .flatten()
        .filter_map(|leaf| leaf.field.crd_path())
    {
        assert!(
            at.starts_with(".spec.") || at == ".metadata.labels" || at == ".metadata.annotations",
            "{at}"
        );
    }
}

/// The spec of host `h` in a text.
fn host_spec(text: &str) -> Json {
    let spec = spec(text);
    let desired = spec.desired(&[]);
    let wanted = desired.hosts.values().next().unwrap();
    spec_value(&wanted.spec)
}

const BMC: &str = r#"spec lab { simulated; }
host h { bmc address="redfish://10.0.0.1/redfish/v1/Systems/1" credentials=(secret)bmc; boot mac="52:54:00:00:00:01"; "#;

#[test]
fn defaults_that_the_api_would_fill_in_are_written() {
    let spec = host_spec(&format!("{BMC} }}"));
    insta::assert_json_snapshot!(spec, @r#"
    {
      "automatedCleaningMode": "metadata",
      "bmc": {
        "address": "redfish://10.0.0.1/redfish/v1/Systems/1",
        "credentialsName": "bmc"
      },
      "bootMACAddress": "52:54:00:00:00:01",
      "online": true
    }
    "#);
}

#[test]
fn a_checksum_is_split_from_its_type() {
    assert_eq!(checksum("sha256:00ff"), ("00ff", Some("sha256")));
    assert_eq!(checksum("sha512:00ff"), ("00ff", Some("sha512")));
    assert_eq!(checksum("md5:00ff"), ("00ff", Some("md5")));
    assert_eq!(
        checksum("https://images.lab/SHA256SUMS"),
        ("https://images.lab/SHA256SUMS", None)
    );
    assert_eq!(checksum("00ff"), ("00ff", None));
}

#[test]
fn the_root_volume_of_a_software_raid_comes_first() {
    let spec = host_spec(&format!(
        r#"{BMC}
        raid software {{
            volume data {{ level "0"; disk hctl="0:0:0:10"; disk hctl="0:0:0:9" }}
            volume os {{ level "1"; root #true; size "100GiB"; disk serial="b"; disk serial="a" }}
        }} }}"#
    ));
    insta::assert_json_snapshot!(spec["raid"], @r#"
    {
      "hardwareRAIDVolumes": null,
      "softwareRAIDVolumes": [
        {
          "level": "1",
          "physicalDisks": [
            {
              "serialNumber": "a"
            },
            {
              "serialNumber": "b"
            }
          ],
          "rootVolume": true,
          "sizeGibibytes": 100
        },
        {
          "level": "0",
          "physicalDisks": [
            {
              "hctl": "0:0:0:9"
            },
            {
              "hctl": "0:0:0:10"
            }
          ]
        }
      ]
    }
    "#);
}

#[test]
fn hardware_volumes_stand_in_natural_order_of_their_names() {
    let spec = host_spec(&format!(
        r#"{BMC} raid hardware {{ volume v10 {{ level "0" }}; volume v9 {{ level "1"; size "1TiB" }} }} }}"#
    ));
    let volumes = spec["raid"]["hardwareRAIDVolumes"].as_array().unwrap();
    let names: Vec<&str> = volumes
        .iter()
        .map(|volume| volume["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["v9", "v10"]);
    assert_eq!(volumes[0]["sizeGibibytes"], 1024);
}

#[test]
fn a_raid_without_volumes_asks_for_none() {
    let mut sketch = Sketch::new();
    let raid = sketch.paths.find(Entity::Host, "raid").unwrap();
    sketch.set(raid, Value::Text("hardware".into()));
    let host = sketch.host();
    let (_, json) = lowered(&host, &nothing(&host));
    assert_eq!(json["raid"]["hardwareRAIDVolumes"], json!([]));
    assert_eq!(json["raid"]["softwareRAIDVolumes"], Json::Null, "as it is");
}

#[test]
fn an_image_by_name_shuts_out_one_at_the_host() {
    let mut sketch = Sketch::new();
    for (path, text) in [
        ("image.url", "http://own/os"),
        ("image.checksum", "sha256:aa"),
    ] {
        let path = sketch.paths.find(Entity::Host, path).unwrap();
        sketch.set(path, Value::Text(text.into()));
    }
    let host = sketch.host();
    let mut named = Sketch::new();
    let url = named.paths.find(Entity::Image, "url").unwrap();
    named.set(url, Value::Text("http://named/os".into()));
    let image = Image {
        name: Arc::from("i"),
        fields: named.fields(),
        digest: Digest([0; 32]),
        origin: origin(0),
    };
    let (_, json) = lowered(&host, &with(&host, &image));
    assert_eq!(json["image"], json!({"url": "http://named/os"}));
}

#[test]
fn marks_of_ours_in_the_text_are_not_written() {
    let mut sketch = Sketch::new();
    let map = sketch.paths.find(Entity::Host, "annotations").unwrap();
    for key in [annotation::ALLOW_DESTROY, "example.org/note"] {
        let path = sketch.paths.key_or_add(map, key);
        sketch.set(path, Value::Text("x".into()));
    }
    let host = sketch.host();
    let (lowered, _) = lowered(&host, &nothing(&host));
    assert_eq!(
        lowered.annotations,
        BTreeMap::from([("example.org/note".into(), "x".into())])
    );
}

#[test]
fn secrets_are_names() {
    let spec = host_spec(&format!(
        r#"{BMC}
        deploy a {{ user-data (secret)user; meta-data (secret)meta }}
        network-data (secret)net
        preprovisioning-network-data (secret)ramdisk
        }}
        image a {{ url "oci://r.io/os"; auth (secret)pull }}"#
    ));
    assert_eq!(spec["bmc"]["credentialsName"], "bmc");
    assert_eq!(spec["userData"], json!({"name": "user"}));
    assert_eq!(spec["metaData"], json!({"name": "meta"}));
    assert_eq!(spec["networkData"], json!({"name": "net"}));
    assert_eq!(spec["preprovisioningNetworkDataName"], "ramdisk");
    assert_eq!(
        spec["image"],
        json!({"url": "oci://r.io/os", "ociAuthSecretName": "pull"})
    );
}
