use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::api::ProvisioningState;
use crate::plan::testing::{HOST, IMAGES, Lab, workers};
use crate::plan::{FORMAT_VERSION, Grants, diff, gate, to_json};

fn show(lab: &Lab, names: &[&str]) -> String {
    let plan = lab.plan();
    render(&plan, &lab.gate(&plan, names), Palette::default(), WIDTH)
}

/// A fleet with a bit of everything.
fn fleet(image: &str, more: &str) -> String {
    format!(
        r#"spec lab {{ simulated; }}
{IMAGES}
pool workers {{ select role=worker; deploy {image}; }}
pool control {{ select role=control; deploy a; }}
rack r01 {{
    host "r01-n[slot=01-18]" {{ {HOST}; labels role=worker; }}
    host "r01-c[slot=21-22]" {{ {HOST}; labels role=control; }}
}}
rack r02 {{
    host "r02-n[slot=31-32]" {{ {HOST}; labels role=worker; }}
    host "r02-s[slot=41-44]" {{ {HOST}; labels role=storage; }}
}}
{more}"#
    )
}

fn everything() -> Lab {
    let mut lab = Lab::provisioned(&fleet("a", ""));
    for name in ["r02-s41", "r02-s42", "r02-s43", "r02-s44"] {
        lab.state(name, ProvisioningState::Available);
    }
    let text = fleet(
        "b",
        r#"refine "r02-s[43-44]" {
    labels role=ceph
    description "a very long text that nobody would ever want to read in full"
}
refine "r02-s[41-42]" {
    raid hardware { volume v { level "1"; } }
}
refine r01-c22 { online #false; }
refine r01-c21 { boot mac="52:54:00:00:ff:ff"; }
host "r03-n[slot=51-52]" {
    bmc address="redfish://10.0.1.${host.slot}/redfish/v1/Systems/1" credentials=(secret)bmc
    labels role=worker
}"#,
    );
    lab.edit(&text.replace("[slot=01-18]", "[slot=01-12,14-18]"));
    lab
}

#[test]
fn a_plan_reads_worst_first() {
    insta::assert_snapshot!(show(&everything(), &[]), @r##"
    destroy        1  r01-n13                          ! provisioned, and in the spec no more;
                                                         needs --allow-destroy r01-n13
    reprovision   19  r01-n[01-12,14-18] r02-n[31-32]  image.url: …20260701.qcow2 → …20260801.qcow2  fleet.kdl:5
                                                       waits: pool `workers`: 2 of at most 1 out of service:
                                                         r03-n51, r03-n52 [Rolling]
    clean          2  r02-s[41-42]                     raid.hardwareRAIDVolumes: (none) → [{"level":"1","name":"v"}]  fleet.kdl:21
    reboot         1  r01-c22                          online: true → false                          fleet.kdl:23
    create         2  r03-n[51-52]                     pool workers, image https://images.lab/os-20260801.qcow2
    update         1  r01-c21                          bootMACAddress: 52:54:00:00:00:15 → 52:54:00:00:ff:ff  fleet.kdl:24
                                                       refused: the boot MAC address cannot change once it is set:
                                                         take the host out of the spec, and put it back with the new
                                                         address when it is gone [MF7103]
    update         2  r02-s[43-44]                     labels.role: storage → ceph                   fleet.kdl:17
                                                       description: (none) → a very long text that nobody would ever want to…  fleet.kdl:18
    2 to create, 25 to change, 1 to delete, 0 unchanged; 21 of these wait
    "##);
}

#[test]
fn what_was_allowed_is_said() {
    let text = show(&everything(), &["r01-n13"]);
    insta::assert_snapshot!(text.lines().next().unwrap(), @"destroy        1  r01-n13                          ! provisioned, and in the spec no more; allowed");
}

#[test]
fn lines_are_not_wide() {
    for line in show(&everything(), &[]).lines() {
        assert!(line.chars().count() <= 140, "{line}"); // A change and its place are not broken.
    }
}

#[test]
fn nothing_to_do_is_said() {
    insta::assert_snapshot!(show(&Lab::provisioned(&workers(3, "")), &[]), @"No changes: the store has 3 hosts as the spec says.");
    insta::assert_snapshot!(show(&Lab::provisioned(&workers(1, "")), &[]), @"No changes: the store has 1 host as the spec says.");
}

#[test]
fn several_destructions_tell_one_flag() {
    let mut lab = Lab::provisioned(&workers(6, ""));
    lab.edit(&workers(2, ""));
    insta::assert_snapshot!(show(&lab, &[]), @r"
    destroy        4  n[03-06]  ! provisioned, and in the spec no more; needs --allow-destroy 'n[03-06]'
    0 to create, 0 to change, 4 to delete, 2 unchanged; 4 of these wait
    ");
    insta::assert_snapshot!(show(&lab, &["n04"]), @r##"
    destroy        4  n[03-06]  ! 3 of them, n[03,05-06]: provisioned, and in the spec no more;
                                  needs --allow-destroy 'n[03,05-06]'
                                ! n04: provisioned, and in the spec no more; allowed
    0 to create, 0 to change, 4 to delete, 2 unchanged; 3 of these wait
    "##);
}

#[test]
fn moves_and_refusals_say_why() {
    let mut lab = Lab::provisioned(&workers(4, ""));
    let other = "pool storage { select role=storage; deploy b; }";
    lab.edit(&workers(
        4,
        &format!("refine n01 {{ labels role=storage; }}; {other}"),
    ));
    insta::assert_snapshot!(show(&lab, &[]), @r##"
    reprovision    1  n01  labels.role: worker → storage                 fleet.kdl:8
                           pool: workers → storage                       fleet.kdl:8
                           image.url: …20260701.qcow2 → …20260801.qcow2  fleet.kdl:5
                           ! provisioned, and moves from pool `workers` to `storage`, it is deployed anew there;
                             needs --allow-destroy n01
    0 to create, 1 to change, 0 to delete, 3 unchanged; 1 of these waits
    "##);
    let lab = Lab::provisioned(&workers(1, ""));
    lab.patch(
        "n01",
        json!({"metadata": {"annotations": {"metalform.dev/fleet": "other"}}}),
    );
    insta::assert_snapshot!(show(&lab, &[]), @r"
    update         1  n01  refused: it belongs to fleet `other`; if that is what this spec was called, put the
                             name back (`spec other`), or else give one of the two hosts another name [MF7111]
    0 to create, 1 to change, 0 to delete, 0 unchanged; 1 of these waits
    ");
    lab.patch(
        "n01",
        json!({"metadata": {"annotations": {"metalform.dev/fleet": null}}}),
    );
    insta::assert_snapshot!(show(&lab, &[]), @r"
    update         1  n01  adopted: it was there already
    0 to create, 1 to change, 0 to delete, 0 unchanged
    ");
}

#[test]
fn many_changes_that_differ_in_their_values_are_one() {
    let mut lab = Lab::new(&workers(12, ""));
    lab.apply();
    lab.edit(&workers(12, "").replace("10.0.0.", "10.7.0."));
    insta::assert_snapshot!(show(&lab, &[]), @r"
    update        12  n[01-12]  bmc.address: …0.0.1/redfish/v1/Systems/1 → …7.0.1/redfish/v1/Systems/1, and so on  fleet.kdl:7
    0 to create, 12 to change, 0 to delete, 0 unchanged
    ");
}

#[test]
fn many_fields_are_cut_short_but_tell_hosts_apart() {
    let labels = |last: &str| format!("labels a=x b=x c=x d=x e=x f=x g=x h={last}");
    let mut lab = Lab::new(&workers(2, ""));
    lab.apply();
    lab.edit(&workers(
        2,
        &format!(
            "refine n01 {{ {}; }}; refine n02 {{ {}; }}",
            labels("x"),
            labels("y")
        ),
    ));
    insta::assert_snapshot!(show(&lab, &[]), @r"
    update         1  n01  labels.a: (none) → x  fleet.kdl:8
                           labels.b: (none) → x  fleet.kdl:8
                           labels.c: (none) → x  fleet.kdl:8
                           labels.d: (none) → x  fleet.kdl:8
                           labels.e: (none) → x  fleet.kdl:8
                           labels.f: (none) → x  fleet.kdl:8
                           and 2 more fields
    update         1  n02  labels.a: (none) → x  fleet.kdl:8
                           labels.b: (none) → x  fleet.kdl:8
                           labels.c: (none) → x  fleet.kdl:8
                           labels.d: (none) → x  fleet.kdl:8
                           labels.e: (none) → x  fleet.kdl:8
                           labels.f: (none) → x  fleet.kdl:8
                           and 2 more fields
    0 to create, 2 to change, 0 to delete, 0 unchanged
    ");
}

#[test]
fn values_do_not_steer_the_terminal() {
    let mut lab = Lab::provisioned(&workers(1, ""));
    lab.patch("n01", json!({ "spec": { "description": "a\u{1b}[2J\nb" } }));
    lab.edit(&workers(1, "refine n01 { description \"c\"; }"));
    let text = show(&lab, &[]);
    assert!(text.contains(r"a\u{1b}[2J\nb → c"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn what_is_kept_is_said() {
    let mut lab = Lab::provisioned(&workers(3, ""));
    lab.edit(&workers(1, ""));
    lab.desired.complete = false;
    lab.desired.held.insert(Lab::key("n03"));
    insta::assert_snapshot!(show(&lab, &[]), @r"
    kept           1  n02: the spec could not be read whole, so nothing is removed and no machine disturbed
    kept           1  n03: declared with an error, so it stays as it is
    No changes: the store has 1 host as the spec says.
    ");
}

#[test]
fn colours_are_around_words_only() {
    let lab = everything();
    let plan = lab.plan();
    let text = render(&plan, &lab.gate(&plan, &[]), Palette::ANSI, WIDTH);
    assert!(
        text.starts_with("\u{1b}[31mdestroy    \u{1b}[0m    1  r01-n13"),
        "{text:?}"
    );
    assert_eq!(console::strip_ansi_codes(&text), show(&lab, &[]));
}

/// The committed shape: whoever reads version 1 may rely on these fields and their types.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by serde alone")]
struct Shape {
    format_version: String,
    fleet: String,
    complete: bool,
    summary: SummaryShape,
    actions: Vec<ActionShape>,
    kept: Vec<KeptShape>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by serde alone")]
struct SummaryShape {
    create: u64,
    update: u64,
    delete: u64,
    unchanged: u64,
    kept: u64,
    held: u64,
    disruption: ClassesShape,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by serde alone")]
struct ClassesShape {
    none: u64,
    reboot: u64,
    clean: u64,
    reprovision: u64,
    destroy: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by serde alone")]
struct ActionShape {
    host: String,
    verb: VerbShape,
    disruption: ClassShape,
    changes: Vec<ChangeShape>,
    pool: Option<String>,
    rack: Option<String>,
    machine_of: Option<String>,
    guard: Option<GuardShape>,
    refusal: Option<ReasonShape>,
    hold: Option<ReasonShape>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum VerbShape {
    Create,
    Update,
    Delete,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ClassShape {
    None,
    Reboot,
    Clean,
    Reprovision,
    Destroy,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by serde alone")]
struct ChangeShape {
    path: String,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
    site: Option<String>,
    disruption: ClassShape,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by serde alone")]
struct GuardShape {
    text: String,
    token: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by serde alone")]
struct ReasonShape {
    code: String,
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by serde alone")]
struct KeptShape {
    host: String,
    why: WhyShape,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WhyShape {
    Incomplete,
    Error,
}

#[test]
fn json_keeps_its_shape() {
    let mut lab = everything();
    lab.desired.held.insert(Lab::key("r01-n13"));
    let plan = lab.plan();
    let value = to_json(&plan, &lab.gate(&plan, &[]));
    let shape: Shape = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(shape.format_version, FORMAT_VERSION);
    assert_eq!(shape.actions.len(), plan.actions.len());
    assert_eq!(shape.kept.len(), 1);
    // Of another plan, with all that this one does not have.
    let mut lab = Lab::provisioned(&workers(3, "each { lifecycle prevent-destroy=#true; }"));
    lab.edit(&workers(1, "host \"m[slot=02]\" { bmc address=\"redfish://10.0.0.3/redfish/v1/Systems/1\" credentials=(secret)bmc; }"));
    let plan = lab.plan();
    let value = to_json(&plan, &lab.gate(&plan, &[]));
    serde_json::from_value::<Shape>(value.clone()).unwrap();
    insta::assert_json_snapshot!(value, {".actions[].guard.token" => "[token]"}, @r#"
    {
      "actions": [
        {
          "changes": [],
          "disruption": "destroy",
          "guard": {
            "text": "provisioned, and in the spec no more",
            "token": "[token]"
          },
          "hold": {
            "code": "Refused",
            "text": "provisioned, and in the spec no more; `lifecycle prevent-destroy=#true` forbids it: apply the spec without that line first [MF7101]"
          },
          "host": "metal3/n02",
          "pool": "workers",
          "refusal": {
            "code": "MF7101",
            "text": "provisioned, and in the spec no more; `lifecycle prevent-destroy=#true` forbids it: apply the spec without that line first"
          },
          "verb": "delete"
        },
        {
          "changes": [],
          "disruption": "destroy",
          "guard": {
            "text": "provisioned, and in the spec no more",
            "token": "[token]"
          },
          "hold": {
            "code": "Refused",
            "text": "provisioned, and in the spec no more; `lifecycle prevent-destroy=#true` forbids it: apply the spec without that line first [MF7101]"
          },
          "host": "metal3/n03",
          "pool": "workers",
          "refusal": {
            "code": "MF7101",
            "text": "provisioned, and in the spec no more; `lifecycle prevent-destroy=#true` forbids it: apply the spec without that line first"
          },
          "verb": "delete"
        },
        {
          "changes": [
            {
              "after": "metadata",
              "disruption": "none",
              "path": "spec.automatedCleaningMode",
              "site": "fleet.kdl:8"
            },
            {
              "after": "redfish://10.0.0.3/redfish/v1/Systems/1",
              "disruption": "none",
              "path": "spec.bmc.address",
              "site": "fleet.kdl:8"
            },
            {
              "after": "bmc",
              "disruption": "none",
              "path": "spec.bmc.credentialsName",
              "site": "fleet.kdl:8"
            },
            {
              "after": true,
              "disruption": "none",
              "path": "spec.online",
              "site": "fleet.kdl:8"
            }
          ],
          "disruption": "none",
          "hold": {
            "code": "MachineTaken",
            "text": "its machine is that of `n03`; it waits until that host is gone"
          },
          "host": "metal3/m02",
          "machine_of": "metal3/n03",
          "verb": "create"
        },
        {
          "changes": [
            {
              "before": "true",
              "disruption": "none",
              "path": "prevent-destroy"
            }
          ],
          "disruption": "none",
          "host": "metal3/n01",
          "pool": "workers",
          "verb": "update"
        }
      ],
      "complete": true,
      "fleet": "lab",
      "format_version": "1.0",
      "kept": [],
      "summary": {
        "create": 1,
        "delete": 2,
        "disruption": {
          "clean": 0,
          "destroy": 2,
          "none": 2,
          "reboot": 0,
          "reprovision": 0
        },
        "held": 3,
        "kept": 0,
        "unchanged": 0,
        "update": 1
      }
    }
    "#);
}

#[test]
fn json_tells_references_of_secrets_only() {
    let lab = Lab::new(&workers(1, "each { user-data (secret)cloud-init; }"));
    let plan = diff(&lab.desired, &[], &crate::plan::Owned::new());
    let value = to_json(&plan, &gate(&plan, &lab.desired, &[], &Grants::default()));
    let change = |path: &str| {
        let changes = value["actions"][0]["changes"].as_array().unwrap().iter();
        changes.clone().find(|one| one["path"] == path).unwrap()["after"].clone()
    };
    assert_eq!(change("spec.userData.name"), "cloud-init");
    assert_eq!(change("spec.bmc.credentialsName"), "bmc");
}

#[test]
fn notes_fit_into_a_narrow_terminal() {
    let mut lab = Lab::provisioned(&workers(12, ""));
    let plan = lab.edit(&workers(3, ""));
    let text = render(&plan, &lab.gate(&plan, &[]), Palette::default(), 80);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}\n{text}");
    }
}
