//! In a pod: a cluster is at hand, and no kubeconfig names another one.

use crate::project::Project;

/// What `get` says with these variables.
fn get(project: &Project, variables: &[(&str, &str)]) -> String {
    let done = project.start_with(&["get"], variables).end();
    format!("{:?} {}", done.code, done.err)
}

#[test]
fn get_without_a_spec_means_the_cluster() {
    let host = ("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    let said = get(&Project::empty(), &[host]);
    assert!(
        said.contains("cannot use the cluster that this pod runs in"),
        "{said}"
    );
    // A spec, or a kubeconfig, is nearer.
    let said = get(&Project::workers(), &[host]);
    assert!(said.contains("no hosts in the store beside"), "{said}");
    let said = get(&Project::empty(), &[host, ("KUBECONFIG", "/nowhere")]);
    assert!(said.contains("no `fleet.kdl` in"), "{said}");
    let said = get(&Project::empty(), &[]);
    assert!(said.contains("no `fleet.kdl` in"), "{said}");
}
