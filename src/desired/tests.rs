use serde_json::json;

use super::*;
use crate::plan::testing::{HOST, IMAGES, Lab, spec, spec_of, workers};

fn key(name: &str) -> Key {
    Lab::key(name)
}

#[test]
fn an_object_has_what_the_spec_says_and_our_marks() {
    let text = format!(
        r#"spec lab {{ simulated; }}
{IMAGES}
pool workers {{ select role=worker; deploy a {{ user-data (secret)cloud-init; }}; lifecycle prevent-destroy=#true; }}
rack r01 {{ host "n[slot=01]" {{ {HOST}; labels role=worker "example.org/x"=y; annotations note=hello; }} }}"#
    );
    let desired = spec(&text).desired(&[]);
    let object = desired.object(&key("n01"), &desired.hosts[&key("n01")]);
    insta::assert_json_snapshot!(object, {
        r#".metadata.annotations["metalform.dev/spec-digest"]"# => "[digest]",
    }, @r#"
    {
      "apiVersion": "metal3.io/v1alpha1",
      "kind": "BareMetalHost",
      "metadata": {
        "annotations": {
          "metalform.dev/fleet": "lab",
          "metalform.dev/origin": "fleet.kdl:7",
          "metalform.dev/pool": "workers",
          "metalform.dev/prevent-destroy": "true",
          "metalform.dev/rack": "r01",
          "metalform.dev/spec-digest": "[digest]",
          "note": "hello"
        },
        "labels": {
          "example.org/x": "y",
          "role": "worker"
        },
        "name": "n01",
        "namespace": "metal3"
      },
      "spec": {
        "automatedCleaningMode": "metadata",
        "bmc": {
          "address": "redfish://10.0.0.1/redfish/v1/Systems/1",
          "credentialsName": "bmc"
        },
        "bootMACAddress": "52:54:00:00:00:01",
        "image": {
          "checksum": "aa010e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1",
          "checksumType": "sha256",
          "url": "https://images.lab/os-20260701.qcow2"
        },
        "online": true,
        "userData": {
          "name": "cloud-init"
        }
      }
    }
    "#);
}

#[test]
fn a_host_names_its_ironic() {
    let text = format!(
        r#"spec lab
ironic north {{ url "http://10.0.0.1:6385"; }}
ironic south {{ url "http://10.0.0.2:6385"; }}
host "n[slot=01]" {{ {HOST}; driven-by south; }}"#
    );
    let desired = spec(&text).desired(&[]);
    let wanted = &desired.hosts[&key("n01")];
    assert_eq!(wanted.ironic.as_deref(), Some("south"));
    let object = desired.object(&key("n01"), wanted);
    assert_eq!(
        object["metadata"]["annotations"]["metalform.dev/ironic"],
        "south"
    );
}

#[test]
fn the_only_ironic_needs_no_mark() {
    let text = format!(
        r#"spec lab
ironic north {{ url "http://10.0.0.1:6385"; }}
host "n[slot=01]" {{ {HOST}; driven-by north; }}"#
    );
    let desired = spec(&text).desired(&[]);
    assert_eq!(desired.hosts[&key("n01")].ironic, None);
}

#[test]
fn equal_hosts_are_shared_with_the_last_result() {
    let first = spec(&workers(3, "")).desired(&[]);
    let edited = spec(&workers(3, "refine n02 { description changed; }"));
    let second = desired(&edited.fleet, &edited.files, true, &[], Some(&first));
    let shared = |name: &str| Arc::ptr_eq(&first.hosts[&key(name)], &second.hosts[&key(name)]);
    assert!(shared("n01") && shared("n03") && !shared("n02"));
}

#[test]
fn what_is_applied_is_in_memory_once() {
    let lab = Lab::provisioned(&workers(3, "refine n03 { labels own=yes; }"));
    lab.patch("n02", json!({"spec": {"online": false}}));
    let hosts = lab.hosts();
    let shared = lab.desired.shared(&hosts);
    assert_eq!(shared.hosts, lab.desired.hosts, "nothing else changes");
    for host in &hosts {
        let wanted = &shared.hosts[&host.key()];
        let differs = host.key() == key("n02");
        assert_ne!(wanted.spec.is_shared_with(&host.spec), differs);
    }
    let labels = |name: &str| &shared.hosts[&key(name)].labels;
    assert!(labels("n01").is_shared_with(labels("n02")));
    assert_ne!(labels("n02"), labels("n03"));
}

#[test]
fn members_keep_their_seats() {
    let pool = |replicas: usize| {
        format!(
            r#"spec lab {{ simulated; }}
{IMAGES}
pool workers {{ select role=worker; replicas {replicas}; deploy a; }}
host "n[slot=01-04]" {{ {HOST}; labels role=worker; }}"#
        )
    };
    let mut lab = Lab::provisioned(&pool(2));
    let seated = |lab: &Lab| -> Vec<String> {
        let members = lab
            .desired
            .hosts
            .iter()
            .filter(|(_, wanted)| wanted.pool.is_some());
        members.map(|(key, _)| key.name.to_string()).collect()
    };
    assert_eq!(seated(&lab), ["n01", "n02"]);
    // Somebody swaps them by hand: what is there counts.
    lab.patch(
        "n01",
        json!({"metadata": {"annotations": {"metalform.dev/pool": null}}}),
    );
    lab.patch(
        "n04",
        json!({"metadata": {"annotations": {"metalform.dev/pool": "workers"}}}),
    );
    lab.edit(&pool(2));
    assert_eq!(seated(&lab), ["n02", "n04"]);
    // A host that goes gives up its seat; others stay whatever the order of what is seen.
    lab.finalizer("n04", true);
    lab.carry_out(&crate::plan::Action {
        host: key("n04"),
        verb: crate::plan::Verb::Delete,
        disruption: crate::plan::Disruption::None,
        changes: Vec::new(),
        pool: None,
        rack: None,
        machine_of: None,
        guard: None,
        refusal: None,
    });
    let mut hosts = lab.hosts();
    let spec = spec(&pool(2));
    let forward = spec.desired(&hosts);
    hosts.reverse();
    let backward = spec.desired(&hosts);
    let members = |desired: &Desired| -> Vec<String> {
        let all = desired
            .hosts
            .iter()
            .filter(|(_, wanted)| wanted.pool.is_some());
        all.map(|(key, _)| key.name.to_string()).collect()
    };
    assert_eq!(members(&forward), ["n01", "n02"]);
    assert_eq!(members(&forward), members(&backward));
}

/// A pool of two out of four.
fn two_of_four(more: &str) -> String {
    format!(
        r#"spec lab {{ simulated; }}
{IMAGES}
pool workers {{ select role=worker; replicas 2; deploy a; }}
host "n[slot=01-04]" {{ {HOST}; labels role=worker; }}
{more}"#
    )
}

fn members(desired: &Desired) -> Vec<&str> {
    let all = desired.hosts.iter();
    let seated = all.filter(|(_, wanted)| wanted.pool.is_some());
    seated.map(|(key, _)| &*key.name).collect()
}

#[test]
fn who_leaves_by_mistake_finds_the_seat_again() {
    let mut lab = Lab::provisioned(&two_of_four(""));
    let mistake = two_of_four("refine n01 { labels role=wrker; }");
    lab.edit(&mistake);
    assert_eq!(members(&lab.desired), ["n02"], "nobody is given the seat");
    let find = |lab: &Lab| {
        let hosts = lab.hosts();
        move |key: &Key| hosts.iter().find(|host| host.key() == *key).cloned()
    };
    assert!(!lab.desired.has_free_seat(find(&lab)));
    lab.edit(&two_of_four(""));
    assert!(lab.plan().is_empty(), "undone");
    // It does leave: now there is a seat.
    lab.edit(&mistake);
    lab.apply();
    assert!(lab.desired.has_free_seat(find(&lab)));
    lab.edit(&mistake);
    assert_eq!(members(&lab.desired), ["n02", "n03"]);
    assert!(!lab.desired.has_free_seat(find(&lab)));
}

#[test]
fn a_seat_that_was_given_is_kept_before_it_is_seen() {
    let lab = Lab::new(&two_of_four("refine n01 { labels role=none; }"));
    assert_eq!(members(&lab.desired), ["n02", "n03"]);
    // Saved again before the first was written.
    let edited = spec(&two_of_four(""));
    let next = desired(&edited.fleet, &edited.files, true, &[], Some(&lab.desired));
    assert_eq!(members(&next), ["n02", "n03"]);
}

#[test]
fn a_host_with_an_error_is_held() {
    let text = format!(
        r#"spec lab {{ simulated; }}
host "n[slot=01-02]" {{ {HOST}; }}
refine n02 {{ boot mac=nonsense; }}"#
    );
    let spec = spec_of(&[("fleet.kdl", &text)]);
    let desired = spec.desired(&[]);
    assert!(desired.hosts.contains_key(&key("n01")));
    assert_eq!(desired.held, BTreeSet::from([key("n02")]));
}

#[test]
fn every_field_has_the_place_of_its_winner() {
    let fleet = r#"spec lab { simulated; }
import "images.kdl"
import "r01.kdl"
pool workers {
    select role=worker
    deploy a {
        user-data (secret)cloud-init
    }
    lifecycle prevent-destroy=#true
}
each {
    (default)boot mode=UEFI
    labels site=lab
}
"#
    .to_string();
    let images = r#"image a {
    url "https://images.lab/os.qcow2"
    checksum "sha256:aa010e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1"
}
"#;
    let rack = r#"rack r01 {
    each {
        bmc {
            address "redfish://10.0.0.${host.slot}/redfish/v1/Systems/1"
            credentials (secret)bmc
        }
        boot mac="${mac('52:54:00:00:00:00', host.slot)}"
    }
    host "n[slot=01-02]" {
        labels role=worker "example.org/zone"=a
    }
    refine n02 {
        boot mode=legacy
        deploy a
        network-data (secret)net
        raid software {
            volume os {
                level "1"
                root #true
                disk serial=a
                disk serial=b
            }
        }
    }
}
"#;
    let spec = spec_of(&[
        ("fleet.kdl", &fleet),
        ("images.kdl", images),
        ("r01.kdl", rack),
    ]);
    assert!(spec.fleet.held.is_empty());
    let desired = spec.desired(&[]);
    let at = |host: &str, path: &str| {
        let sites = desired.sites.of(host, &desired.hosts[&key(host)]);
        sites.at(path).unwrap_or_default()
    };
    assert_eq!(desired.sites.origin("n01").as_deref(), Some("r01.kdl:10"));
    // Of the image, of the pool, of the rack, of the host; the nearer one wins.
    assert_eq!(at("n01", "spec.image.url"), "images.kdl:3");
    assert_eq!(at("n01", "spec.image.checksum"), "images.kdl:4");
    assert_eq!(at("n01", "spec.image.checksumType"), "images.kdl:4");
    assert_eq!(at("n01", "spec.userData.name"), "fleet.kdl:8");
    assert_eq!(at("n01", "spec.userData"), "fleet.kdl:8");
    assert_eq!(at("n01", "spec.bmc.address"), "r01.kdl:5");
    assert_eq!(at("n01", "spec.bmc.credentialsName"), "r01.kdl:6");
    assert_eq!(at("n01", "spec.bootMACAddress"), "r01.kdl:8");
    assert_eq!(at("n01", "spec.bootMode"), "fleet.kdl:13");
    assert_eq!(at("n02", "spec.bootMode"), "r01.kdl:14");
    assert_eq!(at("n02", "spec.networkData"), "r01.kdl:16");
    assert_eq!(at("n01", "metadata.labels.site"), "fleet.kdl:14");
    assert_eq!(
        at("n01", "metadata.labels['example.org/zone']"),
        "r01.kdl:11"
    );
    assert_eq!(at("n01", "pool"), "fleet.kdl:5");
    assert_eq!(at("n01", "rack"), "r01.kdl:2");
    assert_eq!(at("n01", "prevent-destroy"), "fleet.kdl:5");
    // Within a list, and of the list as a whole.
    let volumes = "spec.raid.softwareRAIDVolumes";
    assert_eq!(at("n02", &format!("{volumes}[0].level")), "r01.kdl:19");
    assert_eq!(
        at(
            "n02",
            &format!("{volumes}[0].physicalDisks[1].serialNumber")
        ),
        "r01.kdl:22"
    );
    assert_eq!(at("n02", volumes), "r01.kdl:17");
    // Nothing says these.
    assert_eq!(at("n01", "spec.online"), "");
    assert_eq!(at("n01", "spec.automatedCleaningMode"), "");
    assert_eq!(at("n01", "spec.architecture"), "");
}
