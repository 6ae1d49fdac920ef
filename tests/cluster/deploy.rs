//! What `deploy/` installs, with kustomize and with Helm: the API server takes it, both grant the same rights, what is
//! generated is current, and the controller knows what it is started with.
//!
//! Most is applied as a dry run, for its objects have names that all tests would share.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use metalform::store::kube::Cluster;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::server::Server;

/// Where the manifests of the repository install to, and whose hosts they drive where they name a namespace.
const HOME: &str = "metalform-system";
const WATCHED: &str = "metal3";

/// Values of the chart that say nearly all that can be said.
const EVERYTHING: &str = r"
image: { tag: '1', pullSecrets: [pull] }
ironic:
  endpoint: https://ironic.metal3.svc:8443
  authSecret: login
  ca: { configMap: ca, key: ca.crt }
  insecure: true
  deployKernelURL: http://127.0.0.1/kernel
  deployRamdiskURL: http://127.0.0.1/ramdisk
  deployISOURL: http://127.0.0.1/iso
  provisioningLimit: 30
namespaces: [metal3]
specs: { volume: { emptyDir: {} }, path: current/fra1, params: values.kdl }
maxProvisioningRetries: 0
leaderElection: { leaseName: baremetal-operator, leaseDuration: 30, renewDeadline: 20, retryPeriod: 5 }
metrics: { auth: true, serviceMonitor: { enabled: true } }
networkPolicy:
  apiServer: { to: [{ ipBlock: { cidr: 192.0.2.0/28 } }] }
  extraEgress: [{ ports: [{ port: 22 }] }]
priorityClassName: system-cluster-critical
podAnnotations: { example.org/a: b }
podLabels: { example.org/c: d }
nodeSelector: { kubernetes.io/os: linux }
tolerations: [{ operator: Exists }]
extraEnv: [{ name: BMO_CONCURRENCY, value: '8' }]
extraEnvFrom: [{ secretRef: { name: more } }]
extraArgs: [--verbose]
extraVolumes: [{ name: more, emptyDir: {} }]
extraVolumeMounts: [{ name: more, mountPath: /more }]
sidecars:
- name: git-sync
  image: git-sync:4
  volumeMounts: [{ name: specs, mountPath: /specs }]
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
";

/// A kustomization of one's own, as docs/install.md has it, with the component that no overlay has.
const OWN: &str = r"
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- ../kustomize/overlays/ironic
components:
- ../kustomize/components/metrics-auth
images:
- name: metalform
  newName: images.example.org/metalform
configMapGenerator:
- name: metalform-ironic
  namespace: metalform-system
  behavior: merge
  literals:
  - IRONIC_ENDPOINT=http://127.0.0.1:6385
  - DEPLOY_ISO_URL=http://127.0.0.1/iso
";

/// A path of the repository.
fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(at(path)).unwrap()
}

/// The documents of a YAML stream.
fn documents(yaml: &str) -> Vec<Value> {
    let all = serde_yaml_ng::Deserializer::from_str(yaml);
    let all = all.map(|document| Value::deserialize(document).unwrap());
    all.filter(|document| !document.is_null()).collect()
}

fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

fn of_kind<'a>(objects: &'a [Value], wanted: &str) -> Vec<&'a Value> {
    let all = objects.iter().filter(|object| kind(object) == wanted);
    all.collect()
}

/// By kind and name: what is the same in whatever order it comes.
fn unordered(objects: Vec<Value>) -> BTreeMap<(String, String), Value> {
    let count = objects.len();
    let keyed = objects
        .into_iter()
        .map(|object| ((kind(&object).to_owned(), name(&object).to_owned()), object));
    let all: BTreeMap<_, _> = keyed.collect();
    assert_eq!(all.len(), count, "one name twice");
    all
}

fn run(program: &mut Command, input: &str) -> Output {
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who does not read it has failed already and says why.
    stdin.write_all(input.as_bytes()).ok();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// `metalform`; what it printed.
#[track_caller]
fn metalform(arguments: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_metalform"));
    let done = run(program.args(arguments), "");
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "metalform {arguments:?}: {err}");
    String::from_utf8(done.stdout).unwrap()
}

fn kustomized(server: &Server, folder: &str) -> String {
    let folder = at(folder);
    server.kubectl(&["kustomize", folder.to_str().unwrap()])
}

/// [`OWN`] beside a copy of what it builds on: kustomize takes relative paths only.
fn kustomized_own(server: &Server) -> String {
    let folder = tempfile::tempdir().unwrap();
    for part in ["deploy/kustomize", "deploy/rbac", "deploy/admission"] {
        let copied = Command::new("cp")
            .arg("-r")
            .arg(at(part))
            .arg(folder.path())
            .status();
        assert!(copied.unwrap().success());
    }
    let own = folder.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("kustomization.yaml"), OWN).unwrap();
    let rendered = server.kubectl(&["kustomize", own.to_str().unwrap()]);
    for said in [
        "image: images.example.org/metalform:",
        "IRONIC_ENDPOINT: http://127.0.0.1:6385\n",
        "- --metrics-auth\n",
    ] {
        assert!(rendered.contains(said), "{said}");
    }
    rendered
}

/// Helm, with a home of its own.
struct Helm {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Helm {
    /// The cluster's, where there is one.
    fn of(server: &Server) -> Option<Self> {
        let about = std::env::var_os("METALFORM_KUBE").unwrap();
        let about: Value = serde_json::from_slice(&std::fs::read(about).unwrap()).unwrap();
        let Some(program) = about["helm"].as_str() else {
            println!("skipped: there is no Helm");
            return None;
        };
        Some(Self {
            program: program.into(),
            kubeconfig: server.kubeconfig(),
        })
    }

    /// What it printed, or what it complained of. Values come on standard input where `arguments` say so.
    fn try_run(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
        let mut program = Command::new(&self.program);
        program
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HELM_CACHE_HOME", home.join("cache"))
            .env("HELM_CONFIG_HOME", home.join("config"))
            .env("HELM_DATA_HOME", home.join("data"))
            .args(arguments);
        let done = run(&mut program, input);
        match done.status.success() {
            true => Ok(String::from_utf8(done.stdout).unwrap()),
            false => Err(String::from_utf8(done.stderr).unwrap()),
        }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let done = self.try_run(arguments, "");
        done.unwrap_or_else(|error| panic!("helm {arguments:?}: {error}"))
    }

    fn try_template(&self, values: &str) -> Result<String, String> {
        let chart = at("deploy/chart");
        let chart = chart.to_str().unwrap();
        let arguments = [
            "template",
            "metalform",
            chart,
            "--namespace",
            HOME,
            "--values=-",
        ];
        self.try_run(&arguments, values)
    }

    /// The chart with these values, installed under the names that the manifests have.
    #[track_caller]
    fn template(&self, values: &str) -> String {
        let rendered = self.try_template(values);
        rendered.unwrap_or_else(|error| panic!("{values}: {error}"))
    }
}

/// Each way to install that there is, as YAML.
fn ways(server: &Server, helm: &Helm) -> Vec<(&'static str, String)> {
    let overlay = |name: &str| kustomized(server, &format!("deploy/kustomize/overlays/{name}"));
    vec![
        ("simulated", overlay("simulated")),
        ("ironic", overlay("ironic")),
        ("ironic-object", overlay("ironic-object")),
        ("namespaced", overlay("namespaced")),
        ("fleet", overlay("fleet")),
        ("one's own", kustomized_own(server)),
        (
            "chart, simulated",
            helm.template("simulate: { enabled: true, pace: 10 }"),
        ),
        (
            "chart, ironic",
            helm.template("ironic: { endpoint: 'http://127.0.0.1' }"),
        ),
        (
            "chart, an Ironic object",
            helm.template("{ ironic: { name: ironic, namespace: metal3 }, namespaces: [metal3] }"),
        ),
        (
            "chart, that operator's ConfigMap",
            helm.template("extraEnvFrom: [{ configMapRef: { name: ironic } }]"),
        ),
        ("chart, everything", helm.template(EVERYTHING)),
    ]
}

/// Server and Helm, or neither.
fn both() -> Option<(Server, Helm)> {
    let server = Server::shared()?;
    let helm = Helm::of(&server)?;
    Some((server, helm))
}

/// The definitions of the repository, on the server.
fn define(server: &Server) {
    let folder = at("crds");
    let folder = folder.to_str().unwrap();
    server.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", folder]);
    server.kubectl(&[
        "wait",
        "--for=condition=Established",
        "--timeout=30s",
        "-f",
        folder,
    ]);
}

/// What is generated from something else. `UPDATE_INSTALL=1` writes it anew.
#[test]
fn generated_files_are_current() {
    let Some(server) = Server::shared() else {
        return;
    };
    let update = std::env::var_os("UPDATE_INSTALL").is_some();
    let again = "is out of date: run the test with UPDATE_INSTALL=1";

    let path = "deploy/kustomize/crds/crds.yaml";
    let crds = metalform(&["crd"]);
    if update {
        std::fs::write(at(path), &crds).unwrap();
    }
    assert!(read(path) == crds, "{path} {again}");

    let path = "deploy/install.yaml";
    let overlay = "deploy/kustomize/overlays/simulated";
    let rendered = kustomized(&server, overlay);
    if update {
        let head =
            format!("# Generated by `kubectl kustomize {overlay}`, see tests/cluster/deploy.rs.\n");
        std::fs::write(at(path), head + &rendered).unwrap();
    }
    // Versions of kustomize differ in how they write the same.
    assert!(
        unordered(documents(&read(path))) == unordered(documents(&rendered)),
        "{path} {again}"
    );
}

#[test]
fn the_chart_brings_the_definitions_of_the_repository() {
    let Some((_, helm)) = both() else {
        return;
    };
    let mut wanted = BTreeMap::new();
    for file in std::fs::read_dir(at("crds")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for mut crd in documents(&text) {
            // They hold all hosts: an uninstallation leaves them.
            crd["metadata"]["annotations"] = json!({ "helm.sh/resource-policy": "keep" });
            wanted.insert(name(&crd).to_owned(), crd);
        }
    }
    let rendered = documents(&helm.template("simulate: { enabled: true }"));
    let crds = of_kind(&rendered, "CustomResourceDefinition").into_iter();
    let crds: BTreeMap<_, _> = crds
        .map(|crd| (name(crd).to_owned(), crd.clone()))
        .collect();
    assert!(crds == wanted, "{:?}", crds.keys());

    let values = "{ simulate: { enabled: true }, crds: { install: false } }";
    let without = documents(&helm.template(values));
    assert!(of_kind(&without, "CustomResourceDefinition").is_empty());
}

/// Roles with their rules, and bindings with who is bound to what. Labels are left out.
fn rights(objects: &[Value]) -> BTreeMap<String, Value> {
    let roles = objects.iter().filter(|object| {
        object["apiVersion"]
            .as_str()
            .unwrap()
            .starts_with("rbac.authorization.k8s.io/")
    });
    let keyed = roles.map(|role| {
        let place = role["metadata"]["namespace"].as_str().unwrap_or("*");
        let key = format!("{} {place}/{}", kind(role), name(role));
        let what = json!([role["rules"], role["roleRef"], role["subjects"]]);
        (key, what)
    });
    keyed.collect()
}

#[test]
fn rights_are_the_same_either_way() {
    let Some((server, helm)) = both() else {
        return;
    };
    for (overlay, values) in [
        ("simulated", "simulate: { enabled: true }"),
        ("ironic", "ironic: { endpoint: 'http://127.0.0.1' }"),
        (
            "fleet",
            "{ simulate: { enabled: true }, specs: { configMap: metalform-fleet } }",
        ),
        (
            "namespaced",
            "{ ironic: { endpoint: 'http://127.0.0.1' }, namespaces: [metal3] }",
        ),
        (
            "ironic-object",
            "ironic: { name: ironic, namespace: metal3 }",
        ),
    ] {
        let folder = format!("deploy/kustomize/overlays/{overlay}");
        let plain = rights(&documents(&kustomized(&server, &folder)));
        let chart = rights(&documents(&helm.template(values)));
        assert_eq!(plain, chart, "{overlay}");
        let reach = plain.keys().any(|key| key.starts_with("Cluster"));
        assert_eq!(reach, overlay != "namespaced", "{plain:?}");
        for (role, what) in plain {
            assert!(!what.to_string().contains("\"*\""), "{role}: {what}");
        }
    }
    // What no overlay has.
    let values = "{ simulate: { enabled: true }, metrics: { auth: true } }";
    let chart = rights(&documents(&helm.template(values)));
    let plain = rights(&documents(&kustomized(&server, "deploy/rbac/metrics")));
    for (role, what) in plain {
        assert_eq!(chart.get(&role), Some(&what), "{role}");
    }
    // The object of an Ironic is read where it is, and hosts where they are.
    let values = "{ ironic: { name: i }, namespaces: [watched] }";
    let chart = rights(&documents(&helm.template(values)));
    let places: Vec<&String> = chart
        .keys()
        .filter(|key| key.starts_with("Role "))
        .collect();
    assert_eq!(
        places,
        [
            &format!("Role {HOME}/metalform-ironic"),
            &format!("Role {HOME}/metalform-lease"),
            "Role watched/metalform",
        ]
    );
}

/// With the namespaces of the test in place of those of the repository.
fn moved(yaml: &str, home: &str, watched: &str) -> Vec<Value> {
    let yaml = yaml.replace(HOME, home);
    let there = format!("namespace: {WATCHED}\n");
    documents(&yaml.replace(&there, &format!("namespace: {watched}\n")))
}

/// The namespace that the manifests make, under another name: it takes only pods that pass Pod Security.
async fn strict_namespace(server: &Server, cluster: &Cluster) -> String {
    let own = server.namespace(cluster, "deploy").await;
    let mut namespace = documents(&read("deploy/kustomize/base/namespace.yaml")).remove(0);
    let label = "pod-security.kubernetes.io/enforce";
    assert_eq!(namespace["metadata"]["labels"][label], "restricted");
    namespace["metadata"]["name"] = json!(own);
    server.install(&namespace);
    own
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_takes_it() {
    let Some((server, helm)) = both() else {
        return;
    };
    let cluster = server.admin().await;
    let home = strict_namespace(&server, &cluster).await;
    let watched = server.namespace(&cluster, "watched").await;
    let pods: Api<Pod> = Api::namespaced(cluster.client(), &home);
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    for (way, yaml) in ways(&server, &helm) {
        let mut objects = moved(&yaml, &home, &watched);
        // Its definition is the Prometheus operator's.
        objects.retain(|object| kind(object) != "ServiceMonitor");
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        let arguments = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            "-",
        ];
        server.kubectl_with(&arguments, &list.to_string());

        let deployment = of_kind(&objects, "Deployment")[0];
        let template = &deployment["spec"]["template"];
        let mut pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": "metalform", "labels": template["metadata"]["labels"] },
            "spec": template["spec"],
        }))
        .unwrap();
        let taken = pods.create(&dry, &pod).await;
        taken.unwrap_or_else(|error| panic!("{way}: {error}"));
        // It is looked at, and not waved through.
        pod.spec.as_mut().unwrap().security_context = None;
        let refused = pods.create(&dry, &pod).await.unwrap_err().to_string();
        assert!(refused.contains("violates PodSecurity"), "{way}: {refused}");
    }
}

/// Selectors are not looked at by the server: with an error in one everything is accepted, and nothing works.
#[test]
fn all_that_selects_pods_selects_the_controllers() {
    let Some((server, helm)) = both() else {
        return;
    };
    for (way, yaml) in ways(&server, &helm) {
        let objects = documents(&yaml);
        let template = &of_kind(&objects, "Deployment")[0]["spec"]["template"];
        let labels = template["metadata"]["labels"].as_object().unwrap();
        for (kind, pointer) in [
            ("Deployment", "/spec/selector/matchLabels"),
            (
                "Deployment",
                "/spec/template/spec/topologySpreadConstraints/0/labelSelector/matchLabels",
            ),
            ("Service", "/spec/selector"),
            ("PodDisruptionBudget", "/spec/selector/matchLabels"),
            ("NetworkPolicy", "/spec/podSelector/matchLabels"),
        ] {
            let selector = of_kind(&objects, kind)[0].pointer(pointer);
            let selector = selector.and_then(Value::as_object);
            let selector = selector.unwrap_or_else(|| panic!("{way}: {kind} selects nothing"));
            assert!(!selector.is_empty(), "{way}: {kind}");
            for (key, value) in selector {
                assert_eq!(labels.get(key), Some(value), "{way}: {kind} {key}");
            }
        }
        let account = &template["spec"]["serviceAccountName"];
        let accounts = of_kind(&objects, "ServiceAccount");
        assert_eq!(&accounts[0]["metadata"]["name"], account, "{way}");
        for (role, what) in rights(&objects) {
            let subjects = what[2].as_array().into_iter().flatten();
            for subject in subjects {
                assert_eq!(&subject["name"], account, "{way}: {role}");
            }
        }
    }
}

/// The names in a text: flags, variables.
fn words(text: &str) -> BTreeSet<&str> {
    let within = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.split(|c| !within(c)).collect()
}

#[test]
fn the_controller_knows_what_it_is_started_with() {
    let Some((server, helm)) = both() else {
        return;
    };
    for (way, yaml) in ways(&server, &helm) {
        let objects = documents(&yaml);
        let template = &of_kind(&objects, "Deployment")[0]["spec"]["template"];
        let container = &template["spec"]["containers"][0];
        let given = container["args"].as_array().unwrap().iter();
        let mut arguments: Vec<&str> = given.map(|text| text.as_str().unwrap()).collect();
        // Everything before it is read, and refused if it is not known.
        arguments.push("--help");
        let help = metalform(&arguments);
        let known = words(&help);

        let mut variables: Vec<&str> = Vec::new();
        for variable in container["env"].as_array().unwrap() {
            variables.push(variable["name"].as_str().unwrap());
        }
        for source in container["envFrom"].as_array().into_iter().flatten() {
            let Some(wanted) = source["configMapRef"]["name"].as_str() else {
                continue;
            };
            let maps = of_kind(&objects, "ConfigMap").into_iter();
            let map = maps.filter(|map| name(map) == wanted);
            let keys = map.flat_map(|map| map["data"].as_object().unwrap().keys());
            variables.extend(keys.map(String::as_str));
        }
        assert!(variables.len() < 20 && variables.contains(&"POD_NAMESPACE"));
        for variable in variables {
            assert!(known.contains(variable), "{way}: {variable}");
        }
    }
}

#[test]
fn one_version_is_named_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = &documents(&read("deploy/chart/Chart.yaml"))[0];
    assert_eq!(chart["appVersion"], version);
    let deployment = &documents(&read("deploy/kustomize/base/deployment.yaml"))[0];
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], format!("metalform:{version}"));
}

#[test]
fn examples_are_valid() {
    metalform(&[
        "check",
        at("deploy/kustomize/overlays/fleet").to_str().unwrap(),
    ]);
    let Some(server) = Server::shared() else {
        return;
    };
    define(&server);
    let objects = documents(&read("deploy/examples/three-hosts.yaml"));
    // The namespace is not there in a dry run: the rest goes to one that is.
    let apply = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
    ];
    for mut object in objects {
        if kind(&object) != "Namespace" {
            assert_eq!(object["metadata"]["namespace"], WATCHED);
            object["metadata"]["namespace"] = json!("default");
        }
        server.kubectl_with(&apply, &object.to_string());
    }
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let Some((_, helm)) = both() else {
        return;
    };
    let chart = at("deploy/chart");
    helm.run(&["lint", "--strict", chart.to_str().unwrap()]);
    for (values, answer) in [
        (
            "{}",
            "say where Ironic is (--set ironic.endpoint=URL, or ironic.name",
        ),
        (
            "{ simulate: { enabled: true }, ironic: { endpoint: 'http://127.0.0.1' } }",
            "exclude each other",
        ),
        (
            "ironic: { endpoint: 'http://127.0.0.1', name: ironic }",
            "ironic.name and ironic.endpoint exclude each other",
        ),
        (
            "{ simulate: { enabled: true }, ironic: { namespace: metal3 } }",
            "say both",
        ),
        (
            "{ ironic: { endpoint: '127.0.0.1:6385' } }",
            "/ironic/endpoint",
        ),
        (
            "{ ironic: { endpoint: 'http://127.0.0.1', deployKernelURL: 'http://127.0.0.1/k' } }",
            "belong together",
        ),
        (
            "{ simulate: { enabled: true }, specs: { params: values.kdl } }",
            "specs.params is a file beside a spec",
        ),
        (
            "{ simulate: { enabled: true }, replica: 3 }",
            "'replica' not allowed",
        ),
    ] {
        let refused = helm.try_template(values).unwrap_err();
        assert!(refused.contains(answer), "{values}: {refused}");
    }
}

/// Whether the ServiceAccount of `home` may do so.
async fn may(cluster: &Cluster, home: &str, what: Value) -> bool {
    let review: SubjectAccessReview = serde_json::from_value(json!({
        "metadata": {},
        "spec": {
            "user": format!("system:serviceaccount:{home}:metalform"),
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "resourceAttributes": what,
        },
    }))
    .unwrap();
    let api: Api<SubjectAccessReview> = Api::all(cluster.client());
    let answer = api.create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().allowed
}

/// One release for real, without what all tests would share.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_lives_and_goes() {
    let Some((server, helm)) = both() else {
        return;
    };
    let cluster = server.admin().await;
    let home = strict_namespace(&server, &cluster).await;
    let watched = server.namespace(&cluster, "watched").await;
    let chart = at("deploy/chart");
    let chart = chart.to_str().unwrap();
    let install = |verb: &str, more: &str| {
        let spaces = format!("--set=namespaces={{{watched}}}");
        let values = format!("--set=crds.install=false,crds.policy=false,{more}");
        helm.run(&[verb, "metalform", chart, "-n", &home, &spaces, &values]);
    };
    install("install", "ironic.endpoint=http://127.0.0.1:6385");

    let bmh = |verb: &str, namespace: &str| {
        json!({
            "verb": verb, "group": "metal3.io", "resource": "baremetalhosts", "namespace": namespace,
        })
    };
    let lease = |verb: &str, name: &str, namespace: &str| {
        json!({
            "verb": verb, "group": "coordination.k8s.io", "resource": "leases", "name": name,
            "namespace": namespace,
        })
    };
    let secret =
        |namespace: &str| json!({ "verb": "get", "resource": "secrets", "namespace": namespace });
    for (allowed, what) in [
        (true, bmh("watch", &watched)),
        (false, bmh("watch", &home)),
        (false, bmh("list", "")),
        (false, bmh("create", &watched)),
        (false, bmh("delete", &watched)),
        (true, secret(&watched)),
        (false, secret(&home)),
        (true, lease("patch", "metalform", &home)),
        (false, lease("patch", "other", &home)),
        (false, lease("update", "metalform", &home)),
        (false, lease("delete", "metalform", &home)),
        (false, lease("get", "metalform", &watched)),
    ] {
        let answer = may(&cluster, &home, what.clone()).await;
        assert_eq!(answer, allowed, "{what}");
    }

    // With a spec it makes hosts and takes them away.
    install("upgrade", "simulate.enabled=true,specs.configMap=fleet");
    for verb in ["create", "delete"] {
        assert!(may(&cluster, &home, bmh(verb, &watched)).await, "{verb}");
        assert!(!may(&cluster, &home, bmh(verb, &home)).await, "{verb}");
    }
    helm.run(&["uninstall", "metalform", "-n", &home]);
    assert!(!may(&cluster, &home, bmh("watch", &watched)).await);
    let left = server.kubectl(&["get", "deployment,service,role", "-n", &home, "-o", "name"]);
    assert_eq!(left, "");
}
