//! Which namespaces the objects of a followed spec may go to: those that the controller works in. In
//! any other it sees nothing and has no rights.

use std::sync::Arc;

use crate::diag::{Code, Diagnostic, Span};
use crate::eval::Evaluation;
use crate::store::kube::Cluster;

/// The namespaces that the controller works in.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Empty: all.
    namespaces: Vec<Arc<str>>,
    own: Arc<str>,
}

impl Places {
    pub fn of(cluster: &Cluster) -> Self {
        Self {
            namespaces: cluster.namespaces().to_vec(),
            own: Arc::clone(cluster.own_namespace()),
        }
    }

    /// Where the objects of a spec go that says nothing: the one namespace that is worked in, or the
    /// controller's own where it works in all. Of several none is meant: empty.
    pub fn default(&self) -> Arc<str> {
        match self.namespaces.as_slice() {
            [] => Arc::clone(&self.own),
            [only] => Arc::clone(only),
            _ => Arc::from(""),
        }
    }

    /// True for a namespace that is worked in.
    pub fn has(&self, namespace: &str) -> bool {
        let mut all = self.namespaces.iter();
        self.namespaces.is_empty() || all.any(|one| **one == *namespace)
    }

    /// An error for a spec whose objects would go elsewhere. One that has errors may only have
    /// misspelt its namespace.
    pub fn finding(&self, evaluation: &Evaluation) -> Option<Diagnostic> {
        if evaluation.has_errors() {
            return None;
        }
        let fleet = &evaluation.fleet;
        let text = self.fault(&fleet.namespace)?;
        let place = match fleet.origin {
            Some(origin) => origin.place(),
            None => Span::point(0).in_file(evaluation.files.iter().next()?.0),
        };
        let finding = Diagnostic::error(Code(7123), text, place, "");
        Some(finding.help("say `spec NAME namespace=…`, or give the controller this --namespace"))
    }

    fn fault(&self, namespace: &str) -> Option<String> {
        if self.has(namespace) {
            return None;
        }
        let works = self.namespaces.join(", ");
        Some(match namespace {
            "" => format!(
                "the spec names no namespace, and this controller works in several: {works}"
            ),
            namespace => {
                format!("this controller does not work in namespace `{namespace}` but in {works}")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(namespaces: &[&str]) -> Places {
        Places {
            namespaces: namespaces.iter().map(|name| Arc::from(*name)).collect(),
            own: "system".into(),
        }
    }

    #[test]
    fn a_spec_without_a_namespace_goes_where_it_is_clear() {
        assert_eq!(&*places(&[]).default(), "system");
        assert_eq!(&*places(&["a"]).default(), "a");
        let several = places(&["a", "b"]);
        let fault = several.fault(&several.default()).unwrap();
        assert!(fault.ends_with("works in several: a, b"), "{fault}");
    }

    #[test]
    fn a_namespace_that_is_not_worked_in_is_a_fault() {
        assert_eq!(places(&[]).fault("c"), None);
        assert_eq!(places(&["a", "b"]).fault("b"), None);
        let fault = places(&["a"]).fault("c").unwrap();
        assert_eq!(
            fault,
            "this controller does not work in namespace `c` but in a"
        );
    }
}
