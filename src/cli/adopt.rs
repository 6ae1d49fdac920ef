//! `metalform adopt`: what a controller would do with the hosts of a cluster, without doing it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::Timestamp;
use crate::diag::one_line;
use crate::engine::{self, Clock, Engine, Metrics, Preview};
use crate::fence::Fence;
use crate::reconcile::{Code, Policy};
use crate::secrets::ClusterSecrets;
use crate::store::kube::Cluster;
use crate::store::{Kube, Object as _};

use super::controller::{DriveArgs, unused};
use super::{Exit, Failure, Term};

/// Kinds of the other operator that nothing is done about yet.
const NOT_YET: [(&str, &str); 6] = [
    ("dataimages", "images are not attached"),
    ("preprovisioningimages", "images are not built"),
    (
        "bmceventsubscriptions",
        "events of BMCs are not subscribed to",
    ),
    ("hostclaims", "hosts are not claimed"),
    ("hostdeploypolicies", "they are for HostClaims"),
    ("baremetalswitches", "switches are not configured"),
];

/// Show what a controller would do with this cluster's hosts, and do nothing
///
/// For a cluster where the Bare Metal Operator ran, or for a look before an upgrade: reads hosts,
/// Secrets and the Ironic, and decides on each host as `metalform controller` would at its start.
/// Ends with 1 when something would be done.
#[derive(Debug, clap::Args)]
pub struct AdoptArgs {
    /// Context of the kubeconfig; in a pod that pod's cluster
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Namespaces, comma separated or repeated; none is all
    #[arg(
        long,
        value_name = "NS",
        value_delimiter = ',',
        env = "WATCH_NAMESPACE"
    )]
    namespace: Vec<String>,
    #[command(flatten)]
    drive: DriveArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn adopt(term: &Term, args: &AdoptArgs) -> Result<Exit, Failure> {
    super::runtime()?.block_on(look(term, args))
}

async fn look(term: &Term, args: &AdoptArgs) -> Result<Exit, Failure> {
    let remote = |text: String| Failure::new(Exit::Remote, text);
    let cluster = Cluster::infer(args.context.as_deref()).await;
    let cluster = cluster.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let named = args.namespace.iter().filter(|name| !name.is_empty());
    let cluster = cluster.within(named.map(String::as_str));
    let clock = Clock::starting_at(jiff::Timestamp::now());
    // Closed for good: whatever this does, nothing is written.
    let store = Arc::new(Kube::new(&cluster, "metalform-adopt").behind(Fence::closed()));
    let secrets = ClusterSecrets::new(cluster.clone(), Kube::clone(&store)).only_reading();
    let engine = Engine::new(
        store,
        args.drive.connect(&cluster, clock)?,
        Arc::new(secrets.clone()),
        clock,
        Arc::new(Metrics::default()),
        engine::Options {
            policy: Policy {
                simulated: args.drive.simulates(),
                ..Policy::default()
            },
            fence: Fence::closed(),
            ..engine::Options::default()
        },
    );
    let previews = engine.preview().await;
    let previews = previews.map_err(|error| remote(error.to_string()))?;
    if let Some(blind) = previews.iter().find(|preview| is_blind(preview)) {
        return Err(remote(format!("nothing can be told: {}", blind.why.text)));
    }
    let rows: Vec<Row> = previews
        .iter()
        .map(|preview| Row::of(preview, &secrets))
        .collect();
    let notes = surroundings(&cluster, clock.now()).await;
    let busy = rows.iter().filter(|row| !row.would.is_empty()).count();
    if args.json {
        term.out(&format!("{:#}\n", to_json(&rows, &notes)));
    } else {
        print(term, &rows, &notes, busy);
    }
    Ok(if busy == 0 { Exit::Success } else { Exit::No })
}

/// The machines were not seen.
fn is_blind(preview: &Preview) -> bool {
    let blind = [
        Code::ProvisionerDown,
        Code::ProvisionerUnauthorized,
        Code::ProvisionerStarting,
    ];
    blind.iter().any(|code| preview.why.code == code.as_str())
}

/// One host.
struct Row {
    host: String,
    state: String,
    /// What would be done; empty for nothing.
    would: Vec<String>,
    why: String,
}

impl Row {
    fn of(preview: &Preview, secrets: &ClusterSecrets) -> Self {
        let status = preview.host.status.as_ref();
        let state = status.map(|status| status.provisioning.state.to_string());
        let mut would = Vec::new();
        if let Some(effect) = &preview.effect {
            would.push(format!("Ironic: {}", effect.name()));
        }
        would.extend(preview.writes.iter().map(|line| format!("write {line}")));
        let unmarked = secrets.unmarked(&preview.host);
        would.extend(unmarked.iter().map(|name| format!("mark Secret {name}")));
        Self {
            host: preview.host.key().to_string(),
            state: state
                .filter(|state| !state.is_empty())
                .unwrap_or_else(|| "-".to_owned()),
            would,
            why: format!("{}: {}", preview.why.code, one_line(&preview.why.text)),
        }
    }
}

fn print(term: &Term, rows: &[Row], notes: &[String], busy: usize) {
    let width = |of: fn(&Row) -> &str, head: &str| {
        let longest = rows.iter().map(|row| of(row).chars().count()).max();
        longest.unwrap_or_default().max(head.len())
    };
    let (hosts, states) = (
        width(|row| &row.host, "HOST"),
        width(|row| &row.state, "STATE"),
    );
    let mut text = format!("{:hosts$}  {:states$}  WOULD\n", "HOST", "STATE");
    for row in rows {
        let mut lines = row.would.iter();
        let first = lines.next().map_or("nothing", String::as_str);
        text.push_str(&format!(
            "{:hosts$}  {:states$}  {first}\n",
            row.host, row.state
        ));
        let most = 8;
        for line in lines.clone().take(most) {
            text.push_str(&format!("{:hosts$}  {:states$}  {line}\n", "", ""));
        }
        if lines.len() > most {
            text.push_str(&format!(
                "{:hosts$}  {:states$}  … {} more\n",
                "",
                "",
                lines.len() - most
            ));
        }
        if !row.would.is_empty() {
            text.push_str(&format!("{:hosts$}  {:states$}  ({})\n", "", "", row.why));
        }
    }
    if !rows.is_empty() {
        term.out(&text);
    }
    for note in notes {
        term.help(note);
    }
    let all = rows.len();
    let are = if all == 1 { "host" } else { "hosts" };
    term.say(&match busy {
        0 => format!("{all} {are}: nothing would be done"),
        some => format!("{all} {are}: something would be done for {some}"),
    });
}

fn to_json(rows: &[Row], notes: &[String]) -> Value {
    let hosts: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({ "host": row.host, "state": row.state, "would": row.would, "why": row.why })
        })
        .collect();
    json!({ "format_version": "1.0", "hosts": hosts, "notes": notes })
}

/// What else there is that matters: the other operator at work, kinds that nobody would look after.
async fn surroundings(cluster: &Cluster, now: Timestamp) -> Vec<String> {
    let mut notes: Vec<String> = unused::here()
        .into_iter()
        .map(|(name, instead)| format!("{name} changes nothing here: {instead}"))
        .collect();
    let leases =
        "/apis/coordination.k8s.io/v1/leases?fieldSelector=metadata.name%3Dbaremetal-operator";
    for lease in items(cluster, leases).await.unwrap_or_default() {
        let spec = &lease["spec"];
        let holder = spec["holderIdentity"].as_str().unwrap_or_default();
        let renewed = spec["renewTime"]
            .as_str()
            .and_then(|time| time.parse::<Timestamp>().ok());
        let seconds = spec["leaseDurationSeconds"].as_i64().unwrap_or(15);
        let fresh = renewed.is_some_and(|at| now.duration_since(at).as_secs() <= seconds);
        if !holder.is_empty() && fresh {
            let namespace = lease["metadata"]["namespace"].as_str().unwrap_or_default();
            notes.push(format!(
                "the Bare Metal Operator runs: {holder} holds the lease {namespace}/baremetal-operator; stop it \
                 before a controller starts, or give the controller that lease (--lease-name \
                 baremetal-operator --lease-namespace {namespace})"
            ));
        }
    }
    let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    match items(cluster, path).await {
        Some(all) => notes.extend(all.iter().filter_map(in_the_way)),
        None => notes.push(
            "webhooks that the Bare Metal Operator left were not looked for: this account may not list \
             validatingwebhookconfigurations"
                .to_owned(),
        ),
    }
    for (plural, what) in NOT_YET {
        let path = format!("/apis/metal3.io/v1alpha1/{plural}?limit=500");
        let found = items(cluster, &path).await.unwrap_or_default().len();
        if found > 0 {
            notes.push(format!(
                "{found} {plural} are there, which are not looked after yet: {what}"
            ));
        }
    }
    notes
}

/// What to say of a webhook that judges hosts: without the operator behind it, each write of a host
/// is refused, and a controller can do nothing.
fn in_the_way(webhooks: &Value) -> Option<String> {
    let judged = |webhook: &&Value| {
        let fails = webhook["failurePolicy"].as_str() != Some("Ignore");
        let has = |rule: &Value, name: &str, word: &str| {
            let words = rule[name].as_array();
            words.is_some_and(|words| words.iter().any(|one| one == word || one == "*"))
        };
        let rules = webhook["rules"].as_array();
        let hosts = rules.into_iter().flatten().any(|rule| {
            let of_hosts = has(rule, "resources", "baremetalhosts");
            of_hosts && has(rule, "apiGroups", "metal3.io") && has(rule, "operations", "UPDATE")
        });
        fails && hosts
    };
    let webhook = webhooks["webhooks"].as_array()?.iter().find(judged)?;
    let name = webhooks["metadata"]["name"].as_str()?;
    let service = &webhook["clientConfig"]["service"];
    let behind = match (service["namespace"].as_str(), service["name"].as_str()) {
        (Some(namespace), Some(name)) => format!("the service {namespace}/{name}"),
        _ => "what its URL names".to_owned(),
    };
    Some(format!(
        "the webhook {name} judges every change of a host: when {behind} is gone, all of them are refused; \
         once that operator is stopped, delete it (kubectl delete validatingwebhookconfiguration {name})"
    ))
}

/// The items of a list; nothing where it cannot be read or the kind is not there.
async fn items(cluster: &Cluster, path: &str) -> Option<Vec<Value>> {
    let request = http::Request::get(path).body(Vec::new()).ok()?;
    let list: Value = cluster.client().request(request).await.ok()?;
    list["items"].as_array().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhooks(change: impl FnOnce(&mut Value)) -> Value {
        let mut all = json!({
            "metadata": { "name": "validating-webhook-configuration" },
            "webhooks": [{
                "failurePolicy": "Fail",
                "clientConfig": { "service": { "name": "webhook-service", "namespace": "bmo" } },
                "rules": [{
                    "apiGroups": ["metal3.io"], "operations": ["CREATE", "UPDATE"],
                    "resources": ["baremetalhosts"],
                }],
            }],
        });
        change(&mut all);
        all
    }

    #[test]
    fn a_webhook_that_refuses_hosts_is_named() {
        insta::assert_snapshot!(in_the_way(&webhooks(|_| {})).unwrap(), @"the webhook validating-webhook-configuration judges every change of a host: when the service bmo/webhook-service is gone, all of them are refused; once that operator is stopped, delete it (kubectl delete validatingwebhookconfiguration validating-webhook-configuration)");
        let by_url =
            webhooks(|all| all["webhooks"][0]["clientConfig"] = json!({ "url": "https://h" }));
        assert!(in_the_way(&by_url).unwrap().contains("what its URL names"));
    }

    #[test]
    fn one_that_is_not_in_the_way_is_not() {
        let ignores = webhooks(|all| all["webhooks"][0]["failurePolicy"] = "Ignore".into());
        let other = webhooks(|all| all["webhooks"][0]["rules"][0]["resources"][0] = "pods".into());
        let creates =
            webhooks(|all| all["webhooks"][0]["rules"][0]["operations"] = json!(["CREATE"]));
        for one in [ignores, other, creates] {
            assert_eq!(in_the_way(&one), None);
        }
    }
}
