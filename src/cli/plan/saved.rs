//! A plan in a file: `plan -o FILE` writes one, `apply --plan FILE` carries out this very one or nothing.
//!
//! The file says where the plan was made, of which text, and which object at which version each of
//! its actions was judged on. The spec is not in it: who carries it out has the same text, or is
//! told so. Nor is any secret: a plan knows secrets by name only.

use std::collections::BTreeMap;
use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::cluster::Remote;
use crate::cli::home::Home;
use crate::cli::{Exit, Failure};
use crate::plan::{self, Grants, Live};
use crate::store::Key;

use super::Made;

/// What the file is.
const FORMAT: &str = "metalform.dev/plan";
/// Version of its shape. Minor: fields were added. Major: an older metalform cannot carry it out.
const FORMAT_VERSION: &str = "1.0";

/// A plan in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::cli) struct Saved {
    format: String,
    format_version: String,
    /// Where it was made.
    pub target: Target,
    /// Digest of the fleet: of which text it was made.
    digest: String,
    /// The objects that the actions are about, those that were there.
    looked_at: Vec<LookedAt>,
    /// As `plan --json` prints it.
    plan: Value,
}

/// Where a plan was made: a cluster or a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Target {
    /// A namespace of a cluster.
    Cluster {
        /// Address of the API server.
        server: String,
        /// The namespace.
        namespace: String,
    },
    /// A store beside a spec.
    Store {
        /// Its file.
        path: String,
    },
}

/// An object as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LookedAt {
    host: String,
    uid: String,
    resource_version: String,
}

/// Something that is not as it was when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Moved {
    /// The host that somebody changed.
    pub host: Option<Key>,
    /// What moved.
    pub text: String,
    /// The plan is of another place: it may well be current there.
    pub elsewhere: bool,
}

impl Target {
    /// A cluster's namespace.
    pub fn cluster(remote: &Remote) -> Self {
        Self::Cluster {
            server: remote.server.to_string(),
            namespace: remote.namespace.as_deref().unwrap_or_default().to_owned(),
        }
    }

    /// The store of a home.
    pub fn store(home: &Home) -> Self {
        let path = home.store();
        let full = std::path::absolute(&path).unwrap_or(path);
        Self::Store {
            path: full.display().to_string(),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Cluster { server, namespace } => format!("namespace {namespace} of {server}"),
            Self::Store { path } => path.clone(),
        }
    }
}

impl Saved {
    /// The plan as it is to be saved.
    pub fn of(made: &Made, target: Target) -> Self {
        let live = Live::of(&made.observed);
        let looked_at = made.plan.actions.iter().filter_map(|action| {
            let meta = &live.get(&action.host)?.metadata;
            Some(LookedAt {
                host: action.host.to_string(),
                uid: meta.uid.as_deref().unwrap_or_default().to_owned(),
                resource_version: meta
                    .resource_version
                    .as_deref()
                    .unwrap_or_default()
                    .to_owned(),
            })
        });
        let grants = Grants::default();
        let rulings = plan::gate(&made.plan, &made.desired, &made.observed, &grants);
        Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION.to_owned(),
            target,
            digest: made.desired.digest.to_string(),
            looked_at: looked_at.collect(),
            plan: plan::to_json(&made.plan, &rulings),
        }
    }

    /// Writes the file, for its owner only: it tells of machines, their BMCs and images.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        write_private(path, &text).map_err(|error| {
            let text = format!("cannot save the plan to {}: {error}", path.display());
            Failure::new(Exit::Usage, text)
        })
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let usage = |text: String| Failure::new(Exit::Usage, text);
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| usage(format!("cannot read the plan {shown}: {error}")))?;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if value["format"] != FORMAT {
            return Err(usage(format!("{shown} is no saved plan"))
                .help("`metalform plan -o FILE` saves one"));
        }
        let version = value["format_version"].as_str().unwrap_or_default();
        let major = |version: &str| version.split('.').next().map(str::to_owned);
        if major(version) != major(FORMAT_VERSION) {
            let text = format!("{shown} is a plan of version {version}; this is {FORMAT_VERSION}");
            return Err(usage(text).help("make the plan with the metalform that carries it out"));
        }
        serde_json::from_value(value)
            .map_err(|error| usage(format!("{shown} is a damaged plan: {error}")))
    }

    /// What is not as it was: nothing, when it is this very plan that would be carried out.
    pub fn moved(&self, made: &Made, target: Target) -> Vec<Moved> {
        let now = Self::of(made, target);
        let of_none = |text: String| Moved {
            host: None,
            text,
            elsewhere: false,
        };
        if self.target != now.target {
            let text = format!(
                "the plan was made for {}, and this is {}",
                self.target.show(),
                now.target.show()
            );
            return vec![Moved {
                elsewhere: true,
                ..of_none(text)
            }];
        }
        let mut moved = Vec::new();
        if self.digest != now.digest || self.plan["fleet"] != now.plan["fleet"] {
            moved.push(of_none(
                "the spec says something else than it did".to_owned(),
            ));
        }
        let (before, after) = (self.actions(), now.actions());
        let (seen, sees) = (self.versions(), now.versions());
        let hosts: std::collections::BTreeSet<&str> =
            before.keys().chain(after.keys()).copied().collect();
        for host in hosts {
            let text = match (before.get(host), after.get(host)) {
                (Some(_), None) => Some("has nothing left to change".to_owned()),
                (None, Some(now)) => {
                    Some(format!("has a change that was not planned: {}", verb(now)))
                }
                (before, after) => difference(seen.get(host).copied(), sees.get(host).copied())
                    .or_else(|| {
                        let differs = before.map(|one| &one.said) != after.map(|one| &one.said);
                        differs.then(|| "has another change than the one planned".to_owned())
                    }),
            };
            moved.extend(text.map(|text| {
                Moved {
                    host: host
                        .split_once('/')
                        .map(|(namespace, name)| Key::new(namespace, name)),
                    text: format!("{host} {text}"),
                    elsewhere: false,
                }
            }));
        }
        moved
    }

    fn versions(&self) -> BTreeMap<&str, &LookedAt> {
        let all = self.looked_at.iter();
        all.map(|one| (one.host.as_str(), one)).collect()
    }

    /// The actions by host, without what holds them: that follows from the hosts around.
    fn actions(&self) -> BTreeMap<&str, Said> {
        let all = self.plan["actions"].as_array().into_iter().flatten();
        all.filter_map(|action| {
            let mut said = action.clone();
            if let Some(fields) = said.as_object_mut() {
                fields.remove("hold");
            }
            Some((action["host"].as_str()?, Said { said }))
        })
        .collect()
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    // One of before keeps its mode otherwise. What is no file (/dev/stdout) has none of its own.
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    file.write_all(text.as_bytes())
}

struct Said {
    said: Value,
}

fn verb(action: &Said) -> &str {
    action.said["verb"].as_str().unwrap_or_default()
}

/// What happened to an object since.
fn difference(before: Option<&LookedAt>, after: Option<&LookedAt>) -> Option<String> {
    match (before, after) {
        (Some(before), Some(after)) if before.uid != after.uid => {
            Some("was deleted and made anew".to_owned())
        }
        (Some(before), Some(after)) if before.resource_version != after.resource_version => {
            Some(format!(
                "changed (version {}, now {})",
                before.resource_version, after.resource_version
            ))
        }
        (Some(_), None) => Some("is gone".to_owned()),
        (None, Some(_)) => Some("was made by somebody".to_owned()),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

/// The failure of a plan that is not current any more.
pub(in crate::cli) fn stale(path: &Path, moved: &[Moved]) -> Failure {
    /// The most lines that help.
    const MOST: usize = 20;
    let shown = path.display();
    if let Some(place) = moved.iter().find(|one| one.elsewhere) {
        let text = format!("{shown} is of another place: {}", place.text);
        return Failure::new(Exit::Stale, text).help(
            "nothing was changed; name the place: --context (`kubectl config get-contexts` shows \
             them) and --namespace for a cluster, the spec for a store beside one",
        );
    }
    let mut text = format!("{shown} is not current any more");
    for line in moved.iter().take(MOST) {
        text += &format!("\n  {}", line.text);
    }
    if moved.len() > MOST {
        text += &format!("\n  and {} more", moved.len() - MOST);
    }
    Failure::new(Exit::Stale, text).help("nothing was changed; make the plan again")
}

#[cfg(test)]
mod tests;
