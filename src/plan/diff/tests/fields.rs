//! Fields that others set beside ours.

use super::*;

#[test]
fn fields_that_others_set_stay() {
    let mut lab = Lab::provisioned(&two(""));
    lab.patch(
        "n01",
        json!({
            "metadata": {"labels": {"team": "x"}, "annotations": {"example.org/note": "y"}},
            "spec": {"architecture": "x86_64", "consumerRef": {"name": "machine-1"}},
        }),
    );
    assert_eq!(brief(&lab.plan()), "2 unchanged");
    // Also when the text changes, and when the plan is carried out.
    let plan = lab.edit(&two("each { labels zone=a; }"));
    assert_eq!(differing(&lab.desired, &lab.hosts()), [Lab::key("n01")]);
    insta::assert_snapshot!(brief(&plan), @r"
    update none n01 metadata.labels.zone
    update none n02 metadata.labels.zone
    0 unchanged
    ");
    lab.apply();
    assert_eq!(brief(&lab.plan()), "2 unchanged");
    let host = lab.host("n01");
    assert_eq!(host.spec.architecture, "x86_64");
    let labels = host.metadata.labels.as_ref().unwrap();
    assert_eq!(labels.get("team"), Some("x"));
}

#[test]
fn fields_that_were_ours_go_with_the_text() {
    let mut lab = Lab::provisioned(&two(
        "each { labels zone=a; annotations note=x; description d; architecture aarch64; }",
    ));
    insta::assert_snapshot!(brief(&lab.edit(&two(""))), @r"
    update none n01 metadata.annotations.note metadata.labels.zone spec.architecture spec.description
    update none n02 metadata.annotations.note metadata.labels.zone spec.architecture spec.description
    0 unchanged
    ");
    lab.apply();
    assert_eq!(brief(&lab.plan()), "2 unchanged");
    assert_eq!(lab.host("n01").spec.architecture, "");
}

#[test]
fn what_somebody_else_set_to_another_value_is_set_back() {
    let mut lab = Lab::provisioned(&two("each { labels zone=a; }"));
    lab.patch(
        "n01",
        json!({"metadata": {"labels": {"zone": "b"}}, "spec": {"online": false}}),
    );
    insta::assert_snapshot!(brief(&lab.plan()), @r"
    update none n01 metadata.labels.zone spec.online
    1 unchanged
    ");
    assert!(!is_as_wanted(&lab.desired, &lab.host("n01")));
    lab.apply();
    assert_eq!(
        brief(&lab.edit(&two("each { labels zone=a; }"))),
        "2 unchanged"
    );
}
