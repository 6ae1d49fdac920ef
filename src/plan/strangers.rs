//! Hosts that another fleet owns: no plan touches them, so nothing would be said of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::BareMetalHost;
use crate::api::names::annotation;
use crate::diag::one_line;
use crate::fleet::fold;
use crate::store::Object as _;

/// A line for each other fleet that has hosts here, in order of its name. A spec that was renamed
/// leaves its machines behind without a word otherwise.
pub fn strangers(fleet: &str, observed: &[Arc<BareMetalHost>]) -> Vec<String> {
    let mut owners: BTreeMap<&str, Vec<Arc<str>>> = BTreeMap::new();
    for host in observed {
        let owner = host.annotation(annotation::FLEET);
        if let Some(owner) = owner.filter(|owner| *owner != fleet) {
            owners.entry(owner).or_default().push(host.key().name);
        }
    }
    let line = |(owner, names): (&str, Vec<Arc<str>>)| {
        let (count, names) = (names.len(), fold(&names));
        let hosts = match count {
            1 => "1 host here, which stays as it is".to_owned(),
            count => format!("{count} hosts here, which stay as they are"),
        };
        let owner = one_line(owner);
        format!("fleet `{owner}` has {hosts}: {names}")
    };
    owners.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_others_are_named_and_nobodys_are_not() {
        let host = |name: &str, owner: Option<&str>| {
            let mut annotations = serde_json::Map::new();
            annotations.extend(owner.map(|owner| (annotation::FLEET.to_owned(), owner.into())));
            let host = serde_json::json!({
                "apiVersion": "metal3.io/v1alpha1",
                "kind": "BareMetalHost",
                "metadata": { "name": name, "namespace": "metal3", "annotations": annotations },
                "spec": {},
            });
            Arc::new(serde_json::from_value::<BareMetalHost>(host).unwrap())
        };
        let observed = [
            host("a1", Some("old")),
            host("a2", Some("old")),
            host("b1", Some("new")),
            host("c1", None),
            host("d1", Some("other")),
        ];
        assert_eq!(
            strangers("new", &observed),
            [
                "fleet `old` has 2 hosts here, which stay as they are: a[1-2]",
                "fleet `other` has 1 host here, which stays as it is: d1",
            ]
        );
        assert!(strangers("new", &observed[2..4]).is_empty());
    }
}
