//! The generated CRDs against the facts of BMO's, and against the files in `crds/`.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// Where we differ on purpose: kind, path, and why. Nothing at present.
const DIFFERENCES: &[(&str, &str, &str)] = &[];

/// The facts of BMO's CRDs, in the order of [`crds`].
const TOLD: [&str; 8] = [
    include_str!("../../../tests/data/crds/metal3.io_v1alpha1_BareMetalHost.tsv"),
    include_str!("../../../tests/data/crds/metal3.io_v1alpha1_HardwareData.tsv"),
    include_str!("../../../tests/data/crds/metal3.io_v1alpha1_HostFirmwareSettings.tsv"),
    include_str!("../../../tests/data/crds/metal3.io_v1alpha1_FirmwareSchema.tsv"),
    include_str!("../../../tests/data/crds/metal3.io_v1alpha1_HostFirmwareComponents.tsv"),
    include_str!("../../../tests/data/crds/metal3.io_v1alpha1_HostUpdatePolicy.tsv"),
    include_str!("../../../tests/data/crds/metal3.io_v1alpha1_PreprovisioningImage.tsv"),
    include_str!("../../../tests/data/crds/metal3.io_v1alpha1_DataImage.tsv"),
];

/// Fails where a schema requires what it has not.
fn keeps_its_word(path: &str, schema: &Value) {
    let properties = &schema["properties"];
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        let is_there = properties.get(name).is_some();
        assert!(
            properties.is_null() || is_there,
            "{path} requires {name}, which is not there"
        );
    }
    for (name, property) in properties.as_object().into_iter().flatten() {
        keeps_its_word(&format!("{path}.{name}"), property);
    }
    for (key, each) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(inner) = schema.get(key) {
            keeps_its_word(&format!("{path}{each}"), inner);
        }
    }
}

/// The facts of a CRD of ours.
fn made(crd: &CustomResourceDefinition) -> Facts {
    let mut schema = schema_of(crd).unwrap();
    whole_numbers(&mut schema);
    keeps_its_word("", &schema);
    facts(&schema)
}

/// The rows of a list of facts below its head line.
fn told(tsv: &str) -> Facts {
    tsv.lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("path\t"))
        .map(|line| {
            let mut cells = line.split('\t');
            let mut cell = || cells.next().unwrap_or_default().to_owned();
            let (path, kind, required, constraints) = (cell(), cell(), cell(), cell());
            let constraints = match constraints.trim() {
                "" => json!({}),
                text => serde_json::from_str(text).unwrap(),
            };
            let required = required == "required";
            let fact = Fact {
                kind,
                required,
                constraints,
            };
            (path, fact)
        })
        .collect()
}

/// The head lines: names, scope, flags, columns.
fn head(crd: &CustomResourceDefinition) -> Vec<String> {
    let (spec, names) = (&crd.spec, &crd.spec.names);
    let [version] = spec.versions.as_slice() else {
        panic!("one version")
    };
    let capital = |yes: bool| if yes { "True" } else { "False" };
    let list = |names: &Option<Vec<String>>| names.clone().unwrap_or_default().join(",");
    let status = version
        .subresources
        .as_ref()
        .is_some_and(|it| it.status.is_some());
    let mut lines = vec![format!(
        "# group={} version={} kind={} plural={} singular={} shortNames={} categories={} scope={} \
         storage={} served={} deprecated={} subresources={}",
        spec.group,
        version.name,
        names.kind,
        names.plural,
        names.singular.as_deref().unwrap_or_default(),
        list(&names.short_names),
        list(&names.categories),
        spec.scope,
        capital(version.storage),
        capital(version.served),
        capital(version.deprecated.unwrap_or_default()),
        if status { "status" } else { "" },
    )];
    for column in version.additional_printer_columns.iter().flatten() {
        lines.push(format!(
            "# column {}\t{}\t{}\tpriority={}",
            column.name,
            column.type_,
            column.json_path,
            column.priority.unwrap_or_default()
        ));
    }
    lines
}

#[test]
fn they_say_the_same_as_bmo() {
    let mut wrong = Vec::new();
    for (crd, tsv) in crds().unwrap().iter().zip(TOLD) {
        let said: Vec<&str> = tsv.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(head(crd), said);
        let kind = &crd.spec.names.kind;
        let (made, told) = (made(crd), told(tsv));
        for path in made.keys().chain(told.keys()).collect::<BTreeSet<_>>() {
            let known = |(of, at, _): &(&str, &str, &str)| of == kind && at == path;
            if !DIFFERENCES.iter().any(known) && made.get(path) != told.get(path) {
                wrong.push(format!(
                    "{kind} {path}\n   ours {:?}\n  BMO's {:?}",
                    made.get(path),
                    told.get(path)
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// `UPDATE_CRDS=1 cargo test --lib api::crd` writes them.
#[test]
fn the_files_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    for (name, text) in files().unwrap() {
        let path = folder.join(&name);
        if std::env::var_os("UPDATE_CRDS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == text,
            "crds/{name} is out of date: run the test with UPDATE_CRDS=1"
        );
    }
}

#[test]
fn every_field_is_described() {
    fn look(path: &str, schema: &Value, bare: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if property.get("description").is_none() && path.matches('.').count() > 1 {
                bare.push(path.clone());
            }
            look(&path, property, bare);
            look(&path, &property["items"], bare);
            look(&path, &property["additionalProperties"], bare);
        }
    }
    for crd in crds().unwrap() {
        let mut bare = Vec::new();
        look("", &schema_of(&crd).unwrap(), &mut bare);
        assert!(bare.is_empty(), "no description: {bare:?}");
    }
}

/// Nobody else has a Fleet: what it says to whom is agreed on here. A field may come; none may go
/// or become another one while there is only this version.
#[test]
fn a_fleet_is_what_was_agreed_on() {
    let all = crds().unwrap();
    let fleet = all.iter().find(|crd| crd.spec.names.kind == "Fleet");
    let fleet = fleet.unwrap();
    let labels = fleet.metadata.labels.as_ref().unwrap();
    // KEP-3659: or kubectl does not take one for the parent of an ApplySet.
    assert_eq!(labels["applyset.kubernetes.io/is-parent-type"], "true");
    let of_condition = |path: &str| path.starts_with(".status.conditions[].");
    let lines = made(fleet).into_iter();
    let lines = lines
        .filter(|(path, _)| !of_condition(path))
        .map(|(path, fact)| {
            let mark = if fact.required { "!" } else { "" };
            let Fact {
                kind, constraints, ..
            } = fact;
            match constraints.as_object().unwrap().is_empty() {
                true => format!("{path} {kind}{mark}"),
                false => format!("{path} {kind}{mark} {constraints}"),
            }
        });
    let head = head(fleet).into_iter().map(|line| line.replace('\t', " "));
    let lines: Vec<_> = head.chain(lines).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    # group=metalform.dev version=v1alpha1 kind=Fleet plural=fleets singular=fleet shortNames=mff categories= scope=Namespaced storage=True served=True deprecated=False subresources=status
    # column Ready string .status.conditions[?(@.type=='Ready')].status priority=0
    # column Reason string .status.conditions[?(@.type=='Ready')].reason priority=0
    # column Hosts integer .status.hosts.total priority=0
    # column Failed integer .status.hosts.failed priority=0
    # column Held integer .status.hosts.held priority=0
    # column Errors integer .status.errors priority=0
    # column Source string .status.source.path priority=1
    # column Digest string .status.digest priority=1
    # column Age date .metadata.creationTimestamp priority=0
    . object
    .apiVersion string
    .kind string
    .metadata object
    .spec object
    .spec.paused boolean
    .status object
    .status.conditions array {"x-kubernetes-list-map-keys":["type"],"x-kubernetes-list-type":"map"}
    .status.conditions[] object
    .status.digest string
    .status.errors integer {"format":"int64","minimum":0}
    .status.findings array {"maxItems":100,"x-kubernetes-list-type":"atomic"}
    .status.findings[] object
    .status.findings[].code string!
    .status.findings[].column integer {"format":"int64","minimum":1}
    .status.findings[].file string
    .status.findings[].line integer {"format":"int64","minimum":1}
    .status.findings[].message string!
    .status.findings[].severity string! {"enum":["error","warning"]}
    .status.hosts object
    .status.hosts.failed integer! {"format":"int64","minimum":0}
    .status.hosts.held integer! {"format":"int64","minimum":0}
    .status.hosts.progressing integer! {"format":"int64","minimum":0}
    .status.hosts.ready integer! {"format":"int64","minimum":0}
    .status.hosts.total integer! {"format":"int64","minimum":0}
    .status.lastGood object
    .status.lastGood.digest string!
    .status.lastGood.time string! {"format":"date-time"}
    .status.observedGeneration integer {"format":"int64","minimum":0}
    .status.source object
    .status.source.digest string
    .status.source.path string!
    .status.warnings integer {"format":"int64","minimum":0}
    "#);
}
