//! Which machines a fleet runs on: those of an Ironic, or simulated ones, never by accident.

use std::path::Path;
use std::sync::Arc;

use crate::engine::{Clock, DEFAULT_MACHINES, Machines};
use crate::fleet::{Fleet, Ironic};
use crate::provision::ironic::{self, Endpoint};
use crate::provision::sim;
use crate::secrets::{SecretsFolder, Secrets as _};

use super::{Exit, Failure, home::Home, spec};

/// Where machines come from, as the command line says.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct MachinesArgs {
    /// Drive machines through the Ironic at this URL (http://user:password@host:port works)
    #[arg(long, value_name = "URL", env = "METALFORM_IRONIC")]
    ironic: Option<String>,
    /// Certificate authority of that Ironic
    #[arg(long, value_name = "FILE", requires = "ironic")]
    ironic_ca: Option<std::path::PathBuf>,
    /// Folder of secrets: one folder a secret, one file a key
    #[arg(long, value_name = "DIR")]
    secrets: Option<std::path::PathBuf>,
}

impl MachinesArgs {
    /// The folder of secrets: the flag, or what the spec says, relative to the spec.
    pub fn secrets(&self, fleet: &Fleet, root: &Path) -> SecretsFolder {
        let named = fleet.secrets.as_ref().map(|dir| spec::folder(root).join(&**dir));
        SecretsFolder { root: self.secrets.clone().or(named) }
    }
}

/// What `run` drives, and a line that says it.
pub(super) struct Driven {
    /// By name.
    pub machines: Machines,
    /// For people, e.g. `simulated machines` or `Ironic at http://…`.
    pub what: String,
}

/// Connects the fleet's machines. A fleet that neither says that it is simulated nor names an
/// Ironic is refused.
pub(super) fn connect(
    args: &MachinesArgs,
    fleet: &Fleet,
    root: &Path,
    home: &Home,
    clock: Clock,
) -> Result<Driven, Failure> {
    let secrets = args.secrets(fleet, root);
    if let Some(url) = &args.ironic {
        let endpoint = Endpoint::from_url(url, args.ironic_ca.as_deref())
            .map_err(|error| Failure::new(Exit::Usage, format!("--ironic: {error}")))?;
        return one(DEFAULT_MACHINES, endpoint);
    }
    match (&fleet.simulation, fleet.ironics.as_slice()) {
        (Some(_), [_, ..]) => Err(Failure::new(
            Exit::Spec,
            "the spec says `simulated` and names an Ironic; it can have one of them",
        )),
        (Some(simulation), []) => {
            let options = sim::Options::from_spec(simulation, spec::folder(root))
                .map_err(|error| Failure::new(Exit::Spec, error.to_string()))?;
            let machines = sim::Simulation::open(&home.machines(), options, clock)
                .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
            let machines: Machines =
                [(Arc::from(DEFAULT_MACHINES), Arc::new(machines) as Arc<_>)].into();
            Ok(Driven { machines, what: "simulated machines".to_owned() })
        }
        (None, [ironic]) => one(DEFAULT_MACHINES, endpoint(ironic, &secrets, root)?),
        (None, [_, _, ..]) => {
            let mut machines = Machines::new();
            for ironic in &fleet.ironics {
                let driven = one(&ironic.name, endpoint(ironic, &secrets, root)?)?;
                machines.extend(driven.machines);
            }
            Ok(Driven { what: format!("{} Ironics", machines.len()), machines })
        }
        (None, []) => Err(Failure::new(
            Exit::Spec,
            "the spec does not say what drives its machines",
        )
        .help(
            "add `ironic NAME { url \"http://…\" }` (or give --ironic URL); for machines that are \
             only simulated say so in the spec: `spec NAME { simulated }`",
        )),
    }
}

fn one(name: &str, endpoint: Endpoint) -> Result<Driven, Failure> {
    let what = format!("Ironic at {}", endpoint.shown());
    let machines = ironic::Ironic::new(endpoint)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    Ok(Driven { machines: [(Arc::from(name), Arc::new(machines) as Arc<_>)].into(), what })
}

/// The endpoint of an `ironic` node, with its credentials and certificate authority read.
fn endpoint(ironic: &Ironic, secrets: &SecretsFolder, root: &Path) -> Result<Endpoint, Failure> {
    let failed = |text: String| Failure::new(Exit::Spec, format!("ironic `{}`: {text}", ironic.name));
    let read = |name: &str| secrets.read("", name).map_err(|error| failed(error.to_string()));
    let login = match &ironic.auth {
        None => None,
        Some(reference) => {
            let secret = read(&reference.name)?;
            let part = |key: &str| {
                let found = secret.trimmed(key);
                found.ok_or_else(|| failed(format!("secret `{}`: no key `{key}`", reference.name)))
            };
            Some((part("username")?, part("password")?))
        }
    };
    let ca = match &ironic.ca {
        None => None,
        Some(reference) => {
            let bundle = read(&reference.name)?;
            let found = ["ca.crt", "tls.crt"].into_iter().find_map(|key| bundle.data.get(key));
            let found = found.ok_or_else(|| {
                failed(format!("`{}` has neither key `ca.crt` nor `tls.crt`", reference.name))
            })?;
            Some(found.reveal().as_bytes().to_vec())
        }
    };
    let _ = root;
    Endpoint::new(&ironic.url, login, ca, ironic.verify_ca)
        .map(|endpoint| endpoint.with_limits(ironic.inspect, ironic.clean, ironic.deploy))
        .map_err(|error| failed(error.to_string()))
}
