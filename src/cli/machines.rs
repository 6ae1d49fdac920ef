//! Which machines a fleet runs on: those of an Ironic, or simulated ones, never by accident.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::{PathBufValueParser, TypedValueParser as _};

use crate::engine::{Clock, DEFAULT_MACHINES, Machines};
use crate::fleet::{Fleet, Ironic, Ref, Simulation, Text};
use crate::provision::Provisioner;
use crate::provision::ironic::{Endpoint, Ironic as Remote, Options, Ramdisk};
use crate::provision::sim;
use crate::secrets::{Secret, Secrets as _, SecretsFolder};

use super::home::{self, Home};
use super::{Exit, Failure, books::Books, spec};

mod findings;

pub(super) use findings::{absent, absent_secrets, findings, named_secrets};

/// Where machines come from, as the command line says.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct MachinesArgs {
    /// Drive machines through the Ironic at this URL (http://user:password@host:port works)
    // Its value may hold a password, which `--help` would print.
    #[arg(
        long,
        value_name = "URL",
        env = "METALFORM_IRONIC",
        hide_env_values = true
    )]
    ironic: Option<String>,
    /// Certificate authority of that Ironic
    #[arg(
        long,
        value_name = "FILE",
        requires = "ironic",
        value_parser = PathBufValueParser::new().map(home::as_seen)
    )]
    ironic_ca: Option<PathBuf>,
    /// The Ironic has another address than before and the same machines
    #[arg(long)]
    pub(super) same_machines: bool,
    /// Folder of secrets: one folder a secret, one file a key
    #[arg(
        long,
        value_name = "DIR",
        value_parser = PathBufValueParser::new().map(home::as_seen)
    )]
    secrets: Option<PathBuf>,
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

    /// True when a folder of secrets is named.
    pub fn has_secrets(&self) -> bool {
        self.secrets.is_some()
    }

    /// What a fleet says of its machines.
    pub fn drive(&self, fleet: &Fleet, root: &Path) -> Drive {
        let secrets = self.secrets(fleet, root);
        let read = |reference: &Option<Ref>| {
            let reference = reference.as_ref()?;
            secrets.read("", &reference.name).ok()
        };
        let ironic = |ironic: &Ironic| Named {
            name: Arc::clone(&ironic.name),
            // With --ironic only the names matter.
            said: self.ironic.is_none().then(|| Said {
                url: ironic.url.clone(),
                auth: ironic.auth.clone(),
                ca: ironic.ca.clone(),
                verify_ca: ironic.verify_ca,
                ramdisk: ironic.ramdisk.clone(),
                limits: [ironic.inspect, ironic.clean, ironic.deploy],
            }),
        };
        let contents = |ironic: &Ironic| (read(&ironic.auth), read(&ironic.ca));
        Drive {
            simulation: fleet.simulation.clone(),
            ironics: fleet.ironics.iter().map(ironic).collect(),
            contents: fleet.ironics.iter().map(contents).collect(),
            secrets: secrets.root,
        }
    }
}

/// What drives a fleet's machines, as it was said at the start: connected once, so an edit of it
/// takes effect at the next start.
#[derive(PartialEq)]
pub(super) struct Drive {
    simulation: Option<Simulation>,
    ironics: Vec<Named>,
    /// The secrets that lead into the Ironics: credentials and certificate authority.
    contents: Vec<(Option<Secret>, Option<Secret>)>,
    secrets: Option<PathBuf>,
}

#[derive(PartialEq)]
struct Named {
    name: Arc<str>,
    said: Option<Said>,
}

/// An `ironic` node, wherever it is written.
#[derive(PartialEq)]
struct Said {
    url: Text,
    auth: Option<Ref>,
    ca: Option<Ref>,
    verify_ca: bool,
    ramdisk: Option<crate::fleet::Ramdisk>,
    limits: [Option<u32>; 3],
}

/// What an edit changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redrive {
    /// These nodes of the spec: what else it says may rest on them.
    Nodes(&'static str),
    /// The secrets of an Ironic only.
    Secrets,
}

impl Drive {
    /// What is different in another one.
    pub fn changed(&self, next: &Self) -> Option<Redrive> {
        let but_faults = |simulation: &Option<Simulation>| {
            simulation.clone().map(|simulation| Simulation {
                faults: Vec::new(),
                ..simulation
            })
        };
        let nodes = if but_faults(&self.simulation) != but_faults(&next.simulation) {
            "`simulated`"
        } else if self.simulation != next.simulation {
            "what `simulated` says of faults (its `faults` or `script`)"
        } else if self.ironics != next.ironics {
            "`ironic`"
        } else if self.secrets != next.secrets {
            "`secrets`"
        } else if self.contents != next.contents {
            return Some(Redrive::Secrets);
        } else {
            return None;
        };
        Some(Redrive::Nodes(nodes))
    }
}

/// What `run` drives.
pub(super) struct Driven {
    /// By name.
    pub machines: Machines,
    /// What they are.
    pub books: Books,
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
    let named = || fleet.ironics.iter().map(|ironic| &*ironic.name);
    if let Some(url) = &args.ironic {
        if fleet.simulation.is_some() {
            return Err(Failure::new(
                Exit::Spec,
                "the spec says `simulated`, and --ironic (or METALFORM_IRONIC) names an Ironic",
            )
            .help("leave one of them out: invented machines have no place in an Ironic"));
        }
        let usage = |text: String| Failure::new(Exit::Usage, format!("--ironic: {text}"));
        let mut endpoint = Endpoint::parse(url).map_err(|error| usage(error.to_string()))?;
        if let Some(path) = &args.ironic_ca {
            let pem = std::fs::read(path)
                .map_err(|error| usage(format!("cannot read {}: {error}", path.display())))?;
            endpoint = endpoint.ca(pem);
        }
        // It takes the place of all that the spec names.
        return one(named().chain([DEFAULT_MACHINES]), Options::new(endpoint));
    }
    match (&fleet.simulation, fleet.ironics.as_slice()) {
        // With an Ironic beside it the spec is not valid, see `findings`.
        (Some(simulation), _) => {
            let options = sim::Options::from_spec(simulation)
                .map_err(|error| Failure::new(Exit::Spec, error.to_string()))?;
            let machines = sim::Simulation::open(&home.machines(), options, clock)
                .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
            let machines: Machines =
                [(Arc::from(DEFAULT_MACHINES), Arc::new(machines) as Arc<_>)].into();
            Ok(Driven {
                machines,
                books: Books::simulated(),
            })
        }
        // The only one is everybody's, named or not.
        (None, [ironic]) => one(
            named().chain([DEFAULT_MACHINES]),
            options(ironic, &secrets)?,
        ),
        (None, [_, _, ..]) => {
            let mut machines = Machines::new();
            let mut urls = Vec::new();
            for ironic in &fleet.ironics {
                let options = options(ironic, &secrets)?;
                urls.push((&*ironic.name, options.endpoint.url().to_owned()));
                machines.extend(one([&*ironic.name], options)?.machines);
            }
            Ok(Driven {
                machines,
                books: Books::ironics(urls.iter().map(|(name, url)| (*name, url.as_str()))),
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

/// One Ironic under these names.
fn one<'a>(names: impl IntoIterator<Item = &'a str>, options: Options) -> Result<Driven, Failure> {
    let url = options.endpoint.url().to_owned();
    let machines =
        Remote::new(options).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let machines: Arc<dyn Provisioner> = Arc::new(machines);
    let names: Vec<&str> = names.into_iter().collect();
    Ok(Driven {
        books: Books::ironics(names.iter().map(|name| (*name, url.as_str()))),
        machines: names
            .into_iter()
            .map(|name| (Arc::from(name), Arc::clone(&machines)))
            .collect(),
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
    let endpoint = Endpoint::parse(&ironic.url).map_err(|error| failed(error.to_string()))?;
    let mut endpoint = endpoint.of_node(Arc::clone(&ironic.name));
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
        endpoint = endpoint.unverified();
    }
    let mut options = Options::new(endpoint);
    if let Some(ramdisk) = &ironic.ramdisk {
        options.ramdisk = Ramdisk {
            kernel: Some(ramdisk.kernel.to_string()),
            initramfs: Some(ramdisk.initramfs.to_string()),
            iso: None,
        };
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ironic_node_says_its_name_its_ramdisk_and_whom_it_trusts() {
        let text = "ironic fra1 {\n    url \"https://i:6385\"\n    verify-ca #false\n    ramdisk {\n \
                    kernel \"http://i/k\"\n initramfs \"http://i/r\"\n }\n}\n";
        let mut disk = crate::vfs::MemoryDisk::new();
        disk.write("/spec/fleet.kdl", text);
        let inputs = crate::eval::Inputs {
            disk: &disk,
            root: Path::new("/spec/fleet.kdl"),
            params: None,
            limits: crate::eval::Limits::default(),
        };
        let evaluation = crate::eval::evaluate(&inputs, &mut crate::eval::Cache::default());
        let options = options(&evaluation.fleet.ironics[0], &SecretsFolder { root: None });
        let options = options.unwrap();
        assert_eq!(
            options.endpoint.to_string(),
            "Ironic `fra1` at https://i:6385"
        );
        let ramdisk = Ramdisk {
            kernel: Some("http://i/k".into()),
            initramfs: Some("http://i/r".into()),
            iso: None,
        };
        assert_eq!(options.ramdisk, ramdisk);
        // Any certificate: without the system's authorities too.
        assert!(Remote::new(options).is_ok());
    }
}
