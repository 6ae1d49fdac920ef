//! `metalform adopt`: what a controller would do with the hosts of a cluster, without doing it.

mod ask;
mod definitions;
mod kinds;
mod lease;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{
    BareMetalHost, FirmwareSchema, HostFirmwareComponents, HostFirmwareSettings, HostUpdatePolicy,
    Timestamp,
};
use crate::diag::one_line;
use crate::engine::{self, Clock, Engine, Metrics, Preview};
use crate::fence::Fence;
use crate::reconcile::Code;
use crate::secrets::ClusterSecrets;
use crate::store::kube::{Cluster, Trouble};
use crate::store::{Kube, Object, Store};

use self::ask::Unknown;
use self::definitions::Lacking;

use super::controller::{DriveArgs, unused};
use super::{Exit, Failure, Term};

/// For how long the API server may fail to tell of what decisions look at before that is the answer.
const REFUSED: Duration = Duration::from_secs(5);

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
    let cluster = Cluster::infer(args.context.as_deref()).await;
    let cluster = cluster.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let named = args.namespace.iter().filter(|name| !name.is_empty());
    let cluster = cluster.within(named.map(String::as_str));
    let clock = Clock::starting_at(jiff::Timestamp::now());
    // Closed for good: whatever this does, nothing is written.
    let store = Arc::new(Kube::new(&cluster, "metalform-adopt").behind(Fence::closed()));
    let secrets = ClusterSecrets::new(cluster.clone(), Kube::clone(&store)).only_reading();
    let engine = Engine::new(
        Arc::clone(&store),
        args.drive.connect(&cluster, clock)?,
        Arc::new(secrets.clone()),
        clock,
        Arc::new(Metrics::default()),
        engine::Options {
            policy: args.drive.policy(),
            fence: Fence::closed(),
            ..engine::Options::default()
        },
    );
    let (previews, around) = tokio::join!(previews(&engine), Around::look(&cluster, clock.now()));
    let previews = previews.inspect_err(|_| {
        // They are what is known all the same.
        around.notes.iter().for_each(|note| term.help(note));
    })?;
    let rows: Vec<Row> = previews
        .iter()
        .map(|preview| Row::of(preview, &secrets))
        .collect();
    let busy = rows.iter().filter(|row| !row.would.is_empty()).count();
    if args.json {
        term.out(&format!("{:#}\n", to_json(&rows, &around)));
    } else {
        print(term, &rows, &around.notes, busy);
    }
    Ok(if busy == 0 { Exit::Success } else { Exit::No })
}

/// What would be done for each host. Ends when that cannot be told.
async fn previews(engine: &Engine<Kube>) -> Result<Vec<Preview>, Failure> {
    let remote = |text: String| Failure::new(Exit::Remote, format!("nothing can be told: {text}"));
    let rights = "adopt reads what a controller reads; the ClusterRole metalform (deploy/rbac/controller) \
                  has the rights to it";
    tokio::select! {
        warm = warm(engine) => warm.map_err(|text| remote(text).help(rights))?,
        text = refused(engine.store()) => return Err(remote(text).help(rights)),
    }
    let previews = engine.preview().await;
    let previews = previews.map_err(|error| remote(error.to_string()).help(rights))?;
    match previews.iter().find(|preview| is_blind(preview)) {
        Some(blind) => Err(remote(blind.why.text.clone())),
        None => Ok(previews),
    }
}

/// Reads all that decisions look at. All of it is asked for at once, so that all that is refused is told
/// at once.
async fn warm(engine: &Engine<Kube>) -> Result<(), String> {
    fn begin<K: Object>(store: &Kube) {
        drop(Store::<K>::list(store));
    }
    let store = engine.store();
    begin::<BareMetalHost>(store);
    begin::<FirmwareSchema>(store);
    begin::<HostFirmwareSettings>(store);
    begin::<HostFirmwareComponents>(store);
    begin::<HostUpdatePolicy>(store);
    let warm = engine.warm().await;
    warm.map(drop).map_err(|error| error.to_string())
}

/// Ready once the API server has failed for a while to tell of something, with all that it fails to tell
/// of. A controller would go on waiting: rights are given, definitions installed.
async fn refused(store: &Kube) -> String {
    let mut trouble = store.trouble();
    loop {
        if trouble.wait_for(|all| !all.is_empty()).await.is_err() {
            return std::future::pending().await;
        }
        let well = tokio::time::timeout(REFUSED, trouble.wait_for(Trouble::is_empty));
        if well.await.is_err() {
            let texts: Vec<String> = trouble
                .borrow()
                .values()
                .map(|text| text.to_string())
                .collect();
            return texts.join("; ");
        }
    }
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

fn to_json(rows: &[Row], around: &Around) -> Value {
    let hosts: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({ "host": row.host, "state": row.state, "would": row.would, "why": row.why })
        })
        .collect();
    // Null: not known, or none are served.
    let definitions = around.definitions.as_ref().ok();
    json!({
        "format_version": "1.0", "hosts": hosts, "notes": around.notes,
        "definitions": definitions,
    })
}

/// What else there is that matters: the other operator at work, what it left, objects that nobody would
/// look after, definitions that are newer than ours.
struct Around {
    /// In words.
    notes: Vec<String>,
    definitions: Result<Option<Lacking>, Unknown>,
}

impl Around {
    async fn look(cluster: &Cluster, now: Timestamp) -> Self {
        let unused = unused::here()
            .into_iter()
            .map(|(name, instead)| format!("{name} changes nothing here: {instead}"));
        let (leases, webhooks, kinds, definitions) = tokio::join!(
            lease::notes(cluster, now),
            webhook::notes(cluster),
            kinds::notes(cluster),
            definitions::look(cluster),
        );
        let all = [leases, webhooks, kinds, definitions::notes(&definitions)];
        Self {
            notes: unused.chain(all.into_iter().flatten()).collect(),
            definitions,
        }
    }
}
