//! Objects of the Bare Metal Operator's that nobody would look after any more.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::UpdatePolicy;
use crate::store::kube::Cluster;

use super::ask::{self, Unknown, key, places};

/// Names of a kind's objects that are said.
const NAMED: usize = 5;

/// A kind of the other operator's that nothing is done about yet, or not about all of its objects.
struct Kind {
    plural: &'static str,
    /// Which of them.
    which: &'static str,
    what: &'static str,
    counts: fn(&Value) -> bool,
}

static NOT_YET: [Kind; 7] = [
    Kind::all("dataimages", "images are not attached"),
    Kind::all("preprovisioningimages", "images are not built"),
    Kind::all(
        "bmceventsubscriptions",
        "events of BMCs are not subscribed to",
    ),
    Kind::all("hostclaims", "hosts are not claimed"),
    Kind::all("hostdeploypolicies", "they are for HostClaims"),
    Kind::all("baremetalswitches", "switches are not configured"),
    Kind {
        plural: "hostupdatepolicies",
        which: " with onReboot",
        what: "firmware of a provisioned machine stays as it is until it is available",
        counts: is_on_reboot,
    },
];

fn is_on_reboot(policy: &Value) -> bool {
    let spec = &policy["spec"];
    let mut said = ["firmwareSettings", "firmwareUpdates"]
        .into_iter()
        .filter_map(|field| spec[field].as_str());
    said.any(|when| when == UpdatePolicy::OnReboot.as_str())
}

/// What is to be said of all of them.
pub(super) async fn notes(cluster: &Cluster) -> Vec<String> {
    let looks = NOT_YET.iter().map(|kind| kind.look(cluster));
    let looks = futures::future::join_all(looks).await;
    let mut notes: Vec<String> = looks.iter().filter_map(Look::found).collect();
    // What is not known for one reason is said at once.
    let mut hidden: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for look in &looks {
        for hides in &look.hidden {
            let name = format!("{}{}", look.kind.plural, look.kind.which);
            hidden.entry(hides).or_default().push(name);
        }
    }
    notes.extend(hidden.into_iter().map(|((why, namespaces), names)| {
        let right = format!("list them (metal3.io) {}", places(namespaces));
        format!(
            "whether there are objects that are not looked after yet ({}) is not known: {}",
            names.join(", "),
            why.because(&right)
        )
    }));
    notes
}

/// What is there of a kind.
struct Look {
    kind: &'static Kind,
    found: Vec<String>,
    /// Why it is not known, and of which namespaces.
    hidden: BTreeMap<Unknown, Vec<String>>,
}

impl Kind {
    const fn all(plural: &'static str, what: &'static str) -> Self {
        Self {
            plural,
            which: "",
            what,
            counts: |_| true,
        }
    }

    async fn look(&'static self, cluster: &Cluster) -> Look {
        let mut look = Look {
            kind: self,
            found: Vec::new(),
            hidden: BTreeMap::new(),
        };
        let group = "/apis/metal3.io/v1alpha1";
        if cluster.namespaces().is_empty() {
            let path = format!("{group}/{}", self.plural);
            look.takes(ask::list(cluster, &path).await, None);
        }
        for namespace in cluster.namespaces() {
            let path = format!("{group}/namespaces/{namespace}/{}", self.plural);
            look.takes(ask::list(cluster, &path).await, Some(namespace));
        }
        look
    }
}

impl Look {
    fn takes(&mut self, answer: Result<Vec<Value>, Unknown>, namespace: Option<&str>) {
        match answer {
            Ok(objects) => {
                let counted = objects.iter().filter(|object| (self.kind.counts)(object));
                self.found.extend(counted.map(key));
            }
            Err(why) => {
                let namespaces = self.hidden.entry(why).or_default();
                namespaces.extend(namespace.map(str::to_owned));
            }
        }
    }

    fn found(&self) -> Option<String> {
        let Kind {
            plural,
            which,
            what,
            ..
        } = self.kind;
        let are = match self.found.len() {
            0 => return None,
            1 => "1 is there".to_owned(),
            some => format!("{some} are there"),
        };
        let mut names = self.found.iter().take(NAMED).cloned().collect::<Vec<_>>();
        if self.found.len() > NAMED {
            names.push(format!("{} more", self.found.len() - NAMED));
        }
        Some(format!(
            "{plural}{which} are not looked after yet ({what}), and {are}: {}",
            names.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_count_that_speak_of_reboots() {
        let policy = |spec: Value| json!({ "spec": spec });
        assert!(is_on_reboot(&policy(
            json!({ "firmwareSettings": "onReboot" })
        )));
        assert!(is_on_reboot(&policy(
            json!({ "firmwareSettings": "onPreparing", "firmwareUpdates": "onReboot" })
        )));
        assert!(!is_on_reboot(&policy(
            json!({ "firmwareUpdates": "onPreparing" })
        )));
        assert!(!is_on_reboot(&json!({})));
    }

    #[test]
    fn some_are_named_and_the_rest_is_counted() {
        let mut look = Look {
            kind: &NOT_YET[0],
            found: Vec::new(),
            hidden: BTreeMap::new(),
        };
        assert_eq!(look.found(), None);
        let image = |name: String| json!({ "metadata": { "namespace": "m", "name": name } });
        look.takes(Ok(vec![image("a".into())]), Some("m"));
        insta::assert_snapshot!(look.found().unwrap(), @"dataimages are not looked after yet (images are not attached), and 1 is there: m/a");
        let more = (0..6).map(|number| image(format!("b{number}")));
        look.takes(Ok(more.collect()), Some("m"));
        insta::assert_snapshot!(look.found().unwrap(), @"dataimages are not looked after yet (images are not attached), and 7 are there: m/a, m/b0, m/b1, m/b2, m/b3, 2 more");
    }
}
