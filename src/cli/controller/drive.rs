//! What drives the machines, as flags and the Bare Metal Operator's environment say.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::{Clock, DEFAULT_MACHINES, Machines};
use crate::provision::Provisioner;
use crate::provision::ironic::{Endpoint, Ironic, Options, Ramdisk};
use crate::provision::sim;
use crate::secrets::Sealed;
use crate::store::Key;
use crate::store::kube::Cluster;

use super::{default_file, resource};
use crate::cli::{Exit, Failure};

/// Where that operator looks for a certificate authority when nobody says where.
const CA_FILE: &str = "/opt/metal3/certs/ca/tls.crt";
/// Where it looks for credentials.
const AUTH_ROOT: &str = "/opt/metal3/auth";

/// An Ironic, or simulated machines.
#[derive(Debug, clap::Args)]
pub struct DriveArgs {
    /// The Ironic (http://user:password@host:port works)
    // Its value may hold a password, which `--help` would print.
    #[arg(
        long,
        value_name = "URL",
        env = "IRONIC_ENDPOINT",
        hide_env_values = true,
        required_unless_present_any = ["simulate", "ironic_name"]
    )]
    ironic: Option<String>,
    /// The Ironic by its Ironic resource: address, credentials and certificate are found there
    #[arg(
        long,
        value_name = "NAME",
        env = "IRONIC_NAME",
        conflicts_with = "ironic"
    )]
    ironic_name: Option<String>,
    /// Namespace of that resource; by default the controller's own
    #[arg(
        long,
        value_name = "NS",
        env = "IRONIC_NAMESPACE",
        requires = "ironic_name"
    )]
    ironic_namespace: Option<String>,
    /// Certificate authority of the Ironic; by default /opt/metal3/certs/ca/tls.crt where that is
    #[arg(long, value_name = "FILE", env = "IRONIC_CACERT_FILE")]
    ironic_ca: Option<PathBuf>,
    /// Folder with `ironic/username` and `ironic/password`
    #[arg(long, value_name = "DIR", env = "METAL3_AUTH_ROOT_DIR", default_value = AUTH_ROOT)]
    ironic_auth: PathBuf,
    /// Take any certificate of the Ironic
    #[arg(long, env = "IRONIC_INSECURE", value_parser = clap::builder::BoolishValueParser::new(),
        num_args = 0..=1, default_missing_value = "true", default_value = "false")]
    ironic_insecure: bool,
    /// Kernel of the ramdisk; without it what the Ironic is configured with
    #[arg(
        long,
        value_name = "URL",
        env = "DEPLOY_KERNEL_URL",
        requires = "deploy_ramdisk"
    )]
    deploy_kernel: Option<String>,
    /// The ramdisk
    #[arg(
        long,
        value_name = "URL",
        env = "DEPLOY_RAMDISK_URL",
        requires = "deploy_kernel"
    )]
    deploy_ramdisk: Option<String>,
    /// The ramdisk as an ISO, for machines whose BMC can attach one
    #[arg(long, value_name = "URL", env = "DEPLOY_ISO_URL")]
    deploy_iso: Option<String>,
    /// Machines that may inspect, clean or deploy at once, of each that many
    #[arg(long, value_name = "N", env = "PROVISIONING_LIMIT")]
    provisioning_limit: Option<usize>,
    /// Simulate machines in place of an Ironic, for demonstrations and measurements; PACE times as
    /// fast as in a lab
    #[arg(
        long,
        value_name = "PACE",
        num_args = 0..=1,
        default_missing_value = "1",
        conflicts_with_all = ["ironic", "ironic_name"]
    )]
    simulate: Option<u32>,
    /// Simulated machines remember here what they are at, over restarts
    #[arg(long, value_name = "FILE", requires = "simulate")]
    simulate_journal: Option<PathBuf>,
}

impl DriveArgs {
    /// True when no real machine is driven.
    pub fn simulates(&self) -> bool {
        self.simulate.is_some()
    }

    /// The machines. Waits for an Ironic resource that is not ready.
    pub async fn connect(&self, cluster: &Cluster, clock: Clock) -> Result<Machines, Failure> {
        let machines: Arc<dyn Provisioner> = match self.simulate {
            Some(pace) => Arc::new(self.simulation(pace, clock)?),
            None => {
                let endpoint = match &self.ironic_name {
                    None => self.endpoint()?,
                    Some(name) => {
                        let own = cluster.own_namespace();
                        let namespace = self.ironic_namespace.as_deref().unwrap_or(own);
                        let key = Key::new(namespace, name.as_str());
                        resource::endpoint(cluster, &key).await?
                    }
                };
                let ironic = Ironic::new(self.options(endpoint));
                Arc::new(ironic.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?)
            }
        };
        Ok([(Arc::from(DEFAULT_MACHINES), machines)].into())
    }

    fn simulation(&self, pace: u32, clock: Clock) -> Result<sim::Simulation, Failure> {
        if pace == 0 {
            let text = "--simulate 0: nothing would ever happen; 1 is a lab's pace";
            return Err(Failure::new(Exit::Usage, text));
        }
        let mut options = sim::Options {
            pace,
            ..sim::Options::default()
        };
        if let Some(limit) = self.provisioning_limit {
            set(&mut options.limits, limit);
        }
        match &self.simulate_journal {
            None => Ok(sim::Simulation::memory(options, clock)),
            Some(path) => sim::Simulation::open(path, options, clock)
                .map_err(|error| Failure::new(Exit::Usage, error.to_string())),
        }
    }

    fn endpoint(&self) -> Result<Endpoint, Failure> {
        let usage = |text: String| Failure::new(Exit::Usage, text);
        let url = self.ironic.as_deref().unwrap_or_default();
        let mut endpoint =
            Endpoint::parse(url).map_err(|error| usage(format!("--ironic: {error}")))?;
        if let Some(login) = self.login()? {
            endpoint = endpoint.login(login.0, login.1);
        }
        let ca = self.ironic_ca.clone();
        if let Some(path) = ca.or_else(|| default_file(CA_FILE.into())) {
            endpoint = endpoint.ca(read(&path)?);
        }
        if self.ironic_insecure {
            endpoint = endpoint.unverified();
        }
        Ok(endpoint)
    }

    fn options(&self, endpoint: Endpoint) -> Options {
        let mut options = Options::new(endpoint);
        options.ramdisk = Ramdisk {
            kernel: self.deploy_kernel.clone(),
            initramfs: self.deploy_ramdisk.clone(),
            iso: self.deploy_iso.clone(),
        };
        if let Some(limit) = self.provisioning_limit {
            set(&mut options.limits, limit);
        }
        options
    }

    /// What is in the folder of credentials; nothing where there is none.
    fn login(&self) -> Result<Option<(String, Sealed)>, Failure> {
        let folder = self.ironic_auth.join("ironic");
        if !folder.is_dir() {
            return Ok(None);
        }
        let part = |name: &str| -> Result<String, Failure> {
            let text = String::from_utf8(read(&folder.join(name))?);
            let text = text.map_err(|_| {
                let path = folder.join(name);
                Failure::new(Exit::Usage, format!("{} is not text", path.display()))
            })?;
            Ok(text.trim().to_owned())
        };
        Ok(Some((part("username")?, Sealed::new(part("password")?))))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("cannot read {}: {error}", path.display()),
        )
    })
}

fn set(limits: &mut crate::budget::Limits, limit: usize) {
    limits.inspect = limit;
    limits.clean = limit;
    limits.deploy = limit;
}
