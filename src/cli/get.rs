//! `metalform get`.

mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use clap::builder::{PathBufValueParser, TypedValueParser as _};
use serde_json::json;

use crate::api::BareMetalHost;
use crate::diag::suggest::similar;
use crate::eval::ROOT_FILE;
use crate::serve::client::Reason;
use crate::store::Object as _;

use super::cluster::{self, ClusterArgs, Leads, Remote};
use super::home::{self, Home};
use super::source::Source;
use super::{Exit, Failure, Term};

use self::table::{Columns, table};

/// Show hosts: state, power, pool, age, reason
///
/// Reads the store beside the spec, through the running `metalform run` where there is one; or a
/// cluster (`--context`, `--namespace`, and in a pod where no spec is named). Exits with 1 when a host
/// that was named is not there.
#[derive(Debug, clap::Args)]
pub struct GetArgs {
    /// What to show: hosts, host/NAME, or a host's name
    #[arg(default_value = "hosts", value_name = "WHAT")]
    what: String,
    /// More names, ranges or patterns: "r01-n[01-04]", "r01-*"
    #[arg(value_name = "NAMES")]
    names: Vec<String>,
    /// Folder of the spec
    #[arg(
        long,
        short = 'C',
        value_name = "SPEC",
        value_parser = PathBufValueParser::new().map(home::as_seen)
    )]
    spec: Option<PathBuf>,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    /// Hosts of all namespaces of the cluster
    #[arg(
        long,
        short = 'A',
        conflicts_with = "namespace",
        help_heading = "Cluster"
    )]
    all_namespaces: bool,
    /// Format
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Wide,
    Json,
    Yaml,
    Name,
}

pub(super) fn get(term: &Term, args: &GetArgs) -> Result<Exit, Failure> {
    show(term, args).inspect_err(|failure| {
        // Hosts that are not there are an answer, which was given.
        if args.output == Output::Json && failure.exit != Exit::No {
            let status = json!({
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "message": failure.text,
            });
            term.out(&format!("{status:#}\n"));
        }
    })
}

fn show(term: &Term, args: &GetArgs) -> Result<Exit, Failure> {
    let mut names = args.names.clone();
    match args.what.split_once('/') {
        Some(("host" | "hosts" | "bmh", name)) => names.push(name.to_owned()),
        None if matches!(args.what.as_str(), "host" | "hosts" | "bmh") => {}
        // A name alone can only be a host's.
        None => names.push(args.what.clone()),
        Some(_) => {
            let text = format!("cannot show `{}`", args.what);
            return Err(Failure::new(Exit::Usage, text).help(where_is(&args.what)));
        }
    }
    let patterns: Vec<_> = names
        .iter()
        .map(|name| super::pattern(name))
        .collect::<Result<_, _>>()?;
    let Found {
        hosts,
        reasons,
        place,
        leads,
    } = read(args)?;
    let all: Vec<Arc<str>> = hosts.iter().map(|host| host.key().name).collect();
    let missing: Vec<&str> = names
        .iter()
        .zip(&patterns)
        .filter(|(_, pattern)| !hosts.iter().any(|host| pattern.matches(&host.key().name)))
        .map(|(name, _)| name.as_str())
        .collect();
    let mut hosts: Vec<_> = hosts
        .into_iter()
        .filter(|host| {
            let name = host.key().name;
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(&name))
        })
        .collect();
    hosts.sort_by(|a, b| crate::eval::range::natural_cmp(&a.key().name, &b.key().name));
    if hosts.is_empty() && names.is_empty() {
        term.say(&match &place {
            Place::Cluster(remote) => format!("no hosts in {}", remote.place()),
            Place::Driven | Place::Stored => format!(
                "no hosts in the store beside {0}; `metalform run {0}` makes those of the spec",
                args.beside().display()
            ),
        });
    }
    let undriven = matches!(place, Place::Stored);
    if undriven && !hosts.is_empty() && matches!(args.output, Output::Table | Output::Wide) {
        term.say("no `metalform run` drives these hosts: this is how they were last seen");
    }
    let now = jiff::Timestamp::now();
    if let Place::Cluster(remote) = &place
        && !hosts.is_empty()
        && matches!(args.output, Output::Table | Output::Wide)
    {
        let shown = hosts.iter().map(|host| &**host);
        for line in leads.lines(remote.namespace.as_deref(), shown, now) {
            term.say(&line);
        }
    }
    let columns = Columns {
        wide: args.output == Output::Wide,
        since: matches!(place, Place::Cluster(_)),
        namespace: args.all_namespaces,
    };
    let text = match args.output {
        Output::Name => {
            let names: Vec<String> = hosts
                .iter()
                .map(|host| format!("host/{}\n", host.key().name))
                .collect();
            names.concat()
        }
        Output::Json => {
            // One object where one host was named, a list for whatever a pattern finds.
            let value = match (names.as_slice(), hosts.as_slice()) {
                ([name], [host]) if *name == *host.key().name => serde_json::to_value(&**host),
                _ => Ok(json!({"apiVersion": "v1", "kind": "List", "items": hosts})),
            };
            format!("{:#}\n", value.unwrap_or_default())
        }
        Output::Yaml => {
            let documents = hosts
                .iter()
                .map(|host| serde_yaml_ng::to_string(&**host).map(|yaml| format!("---\n{yaml}")));
            documents.collect::<Result<String, _>>().map_err(|error| {
                Failure::new(Exit::Remote, format!("cannot write YAML: {error}"))
            })?
        }
        Output::Table | Output::Wide if hosts.is_empty() => String::new(),
        Output::Table | Output::Wide => table(&hosts, &reasons, now, columns),
    };
    term.out(&text);
    if missing.is_empty() {
        return Ok(Exit::Success);
    }
    let text = format!("no host matches {}", missing.join(" "));
    let failure = Failure::new(Exit::No, text);
    let near = |name: &&str| similar(name, all.iter().map(|name| &**name));
    Err(match missing.iter().find_map(near) {
        Some(near) => failure.help(format!("did you mean `{}`?", near.word)),
        None => match missing.iter().find(|name| Path::new(name).exists()) {
            Some(folder) => failure.help(where_is(folder)),
            None => failure,
        },
    })
}

/// What to do with an argument that is no host.
fn where_is(what: &str) -> String {
    if Path::new(what).exists() {
        format!("`metalform get -C {what}` shows the hosts of that spec")
    } else {
        "`hosts` and `host/NAME` can be shown".to_owned()
    }
}

/// Hosts, and why each is where it is.
struct Found {
    hosts: Vec<Arc<BareMetalHost>>,
    reasons: Vec<Reason>,
    place: Place,
    /// In a cluster: who drives them.
    leads: Leads,
}

/// Where they were found.
enum Place {
    /// A process drives them.
    Driven,
    /// In a store that nobody holds, or nowhere.
    Stored,
    /// In a cluster.
    Cluster(Box<Remote>),
}

impl GetArgs {
    /// The spec that is named, or the one that would be.
    fn beside(&self) -> PathBuf {
        self.spec
            .clone()
            .unwrap_or_else(|| home::as_seen(".".into()))
    }

    /// True when the hosts of a cluster are meant: it is said, or there is nothing else in a pod.
    fn means_cluster(&self) -> bool {
        let beside = self.beside();
        let nothing_here = || !Home::has_spec(&beside) && !Home::of(&beside).store().exists();
        self.cluster.is_meant()
            || self.all_namespaces
            || (self.spec.is_none() && nothing_here() && cluster::in_pod())
    }
}

fn read(args: &GetArgs) -> Result<Found, Failure> {
    let spec = args.beside();
    let runtime = super::runtime()?;
    if args.means_cluster() {
        return runtime.block_on(in_cluster(args, &spec));
    }
    if !spec.exists() {
        let text = format!("no spec at {}", spec.display());
        return Err(Failure::new(Exit::Usage, text).help("-C names the folder of the spec"));
    }
    if !Home::has_spec(&spec) && !Home::of(&spec).store().exists() {
        let text = format!("no `{ROOT_FILE}` in {}", spec.display());
        return Err(Failure::new(Exit::Usage, text).help(
            "-C names the folder of the spec; --context or --namespace shows the hosts of a cluster",
        ));
    }
    runtime.block_on(Source::read(&Home::of(&spec), async |source| {
        let hosts = source.hosts().await?;
        Ok(Found {
            reasons: source.reasons(&hosts).await?,
            hosts,
            place: match source {
                Source::Running(_) => Place::Driven,
                Source::Stored(_) | Source::Cluster(_) | Source::Nothing => Place::Stored,
            },
            leads: Leads::default(),
        })
    }))
}

async fn in_cluster(args: &GetArgs, spec: &Path) -> Result<Found, Failure> {
    let reached = args.cluster.reach().await?;
    let remote = if args.all_namespaces {
        reached.within(None)
    } else {
        reached.within(Some(&reached.namespace(spec)))
    };
    let leads = async {
        Ok(match args.output {
            Output::Table | Output::Wide => remote.leads().await,
            Output::Json | Output::Yaml | Output::Name => Leads::default(),
        })
    };
    let (hosts, leads) = tokio::try_join!(remote.hosts(), leads)?;
    let mut reasons = Remote::reasons(&hosts);
    let now = jiff::Timestamp::now();
    for (reason, host) in reasons.iter_mut().zip(&hosts) {
        leads.amend(reason, host, now);
    }
    Ok(Found {
        reasons,
        hosts,
        place: Place::Cluster(Box::new(remote)),
        leads,
    })
}
