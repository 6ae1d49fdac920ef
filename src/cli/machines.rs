//! Which machines a fleet runs on: those of an Ironic, or simulated ones, never by accident.

use std::path::Path;
use std::sync::Arc;

use crate::engine::{Clock, DEFAULT_MACHINES, Machines};
use crate::fleet::{Fleet, Ironic};
use crate::provision::ironic::{Endpoint, Ironic as Remote, Options};
use crate::provision::sim;
use crate::secrets::{Secrets as _, SecretsFolder};

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
        let named = fleet
            .secrets
            .as_ref()
            .map(|dir| spec::folder(root).join(&**dir));
        SecretsFolder {
            root: self.secrets.clone().or(named),
        }
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
        let usage = |text: String| Failure::new(Exit::Usage, format!("--ironic: {text}"));
        let mut endpoint = Endpoint::parse(url).map_err(|error| usage(error.to_string()))?;
        if let Some(path) = &args.ironic_ca {
            let pem = std::fs::read(path)
                .map_err(|error| usage(format!("cannot read {}: {error}", path.display())))?;
            endpoint = endpoint.ca(pem);
        }
        return one(DEFAULT_MACHINES, Options::new(endpoint));
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
            Ok(Driven {
                machines,
                what: "simulated machines".to_owned(),
            })
        }
        (None, [ironic]) => one(DEFAULT_MACHINES, options(ironic, &secrets)?),
        (None, [_, _, ..]) => {
            let mut machines = Machines::new();
            for ironic in &fleet.ironics {
                let driven = one(&ironic.name, options(ironic, &secrets)?)?;
                machines.extend(driven.machines);
            }
            Ok(Driven {
                what: format!("{} Ironics", machines.len()),
                machines,
            })
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

fn one(name: &str, options: Options) -> Result<Driven, Failure> {
    let what = format!("Ironic at {}", options.endpoint.url());
    let machines =
        Remote::new(options).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    Ok(Driven {
        machines: [(Arc::from(name), Arc::new(machines) as Arc<_>)].into(),
        what,
    })
}

/// The endpoint of an `ironic` node, with its credentials and certificate authority read.
fn options(ironic: &Ironic, secrets: &SecretsFolder) -> Result<Options, Failure> {
    let failed =
        |text: String| Failure::new(Exit::Spec, format!("ironic `{}`: {text}", ironic.name));
    let read = |name: &str| {
        secrets
            .read("", name)
            .map_err(|error| failed(error.to_string()))
    };
    let mut endpoint = Endpoint::parse(&ironic.url).map_err(|error| failed(error.to_string()))?;
    if let Some(reference) = &ironic.auth {
        let secret = read(&reference.name)?;
        let part = |key: &str| {
            let found = secret.trimmed(key);
            found.ok_or_else(|| failed(format!("secret `{}`: no key `{key}`", reference.name)))
        };
        endpoint = endpoint.login(part("username")?.reveal(), part("password")?);
    }
    if let Some(reference) = &ironic.ca {
        let bundle = read(&reference.name)?;
        let found = ["ca.crt", "tls.crt"]
            .into_iter()
            .find_map(|key| bundle.data.get(key));
        let found = found.ok_or_else(|| {
            failed(format!(
                "`{}` has neither key `ca.crt` nor `tls.crt`",
                reference.name
            ))
        })?;
        endpoint = endpoint.ca(found.reveal().as_bytes().to_vec());
    }
    if !ironic.verify_ca {
        return Err(failed(
            "`verify-ca #false` is not in this version; name the certificate authority with `ca`"
                .to_owned(),
        ));
    }
    let mut options = Options::new(endpoint);
    let limits = &mut options.limits;
    for (limit, given) in [
        (&mut limits.inspect, ironic.inspect),
        (&mut limits.clean, ironic.clean),
        (&mut limits.deploy, ironic.deploy),
    ] {
        if let Some(given) = given {
            *limit = given as usize;
        }
    }
    Ok(options)
}
