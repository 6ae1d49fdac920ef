//! In a pod: a cluster is at hand, and no kubeconfig names another one.

use crate::project::Project;

/// What `get` says with these variables.
fn get(project: &Project, variables: &[(&str, &str)]) -> String {
    let done = project.start_with(&["get"], variables).end();
    format!("{:?} {}", done.code, done.err)
}

/// What the Bare Metal Operator reads, all of it empty, which is as if nothing were set.
#[test]
fn an_empty_variable_is_not_set() {
    let names = [
        "WATCH_NAMESPACE",
        "POD_NAMESPACE",
        "LEASE_DURATION_SECONDS",
        "RENEW_DEADLINE_SECONDS",
        "RETRY_PERIOD_SECONDS",
        "BMO_CONCURRENCY",
        "IRONIC_NAME",
        "IRONIC_NAMESPACE",
        "IRONIC_CACERT_FILE",
        "IRONIC_CLIENT_CERT_FILE",
        "IRONIC_CLIENT_PRIVATE_KEY_FILE",
        "IRONIC_INSECURE",
        "METAL3_AUTH_ROOT_DIR",
        "DEPLOY_KERNEL_URL",
        "DEPLOY_RAMDISK_URL",
        "DEPLOY_ISO_URL",
        "PROVISIONING_LIMIT",
    ];
    let mut variables: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
    variables.push(("KUBECONFIG", "/nowhere"));
    let project = Project::empty();
    for verb in ["controller", "adopt"] {
        let end = |variables: &[(&str, &str)]| {
            let done = project.start_with(&[verb], variables).end();
            format!("{:?} {}", done.code, done.err)
        };
        let said = end(&variables);
        assert!(said.contains("--ironic <URL>"), "{said}");
        // Read to the end of what is said, it looks for a cluster.
        variables.push(("IRONIC_ENDPOINT", "http://127.0.0.1:6385"));
        let said = end(&variables);
        assert!(said.contains("/nowhere"), "{said}");
        variables.push(("PROVISIONING_LIMIT", "0"));
        let said = end(&variables);
        assert!(said.contains("with 0 no machine is ever"), "{said}");
        variables.truncate(variables.len() - 2);
    }
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
