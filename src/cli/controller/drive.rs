//! What drives the machines, as flags and the Bare Metal Operator's environment say.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::engine::{Clock, DEFAULT_MACHINES, Machines};
use crate::provision::Provisioner;
use crate::provision::ironic::{Endpoint, Ironic, Options, Ramdisk, Whereabouts};
use crate::provision::sim;
use crate::reconcile::Policy;
use crate::secrets::Sealed;
use crate::store::Key;
use crate::store::kube::Cluster;

use super::default_file;
use super::resource::Finder;
use crate::cli::{Exit, Failure};

/// Where that operator looks for a certificate authority when nobody says where.
const CA_FILE: &str = "/opt/metal3/certs/ca/tls.crt";
/// Where it looks for a certificate of its own, and for the key to it.
const CLIENT_CERT_FILE: &str = "/opt/metal3/certs/client/tls.crt";
const CLIENT_KEY_FILE: &str = "/opt/metal3/certs/client/tls.key";
/// Where it looks for credentials.
const AUTH_ROOT: &str = "/opt/metal3/auth";

/// An Ironic, or simulated machines; and what is decided by when they fail.
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
    // That operator sets it beside an address, too.
    #[arg(long, value_name = "NS", env = "IRONIC_NAMESPACE")]
    ironic_namespace: Option<String>,
    /// Certificate authority of the Ironic; by default /opt/metal3/certs/ca/tls.crt where that is
    #[arg(long, value_name = "FILE", env = "IRONIC_CACERT_FILE")]
    ironic_ca: Option<PathBuf>,
    /// Certificate that is shown to an Ironic which asks for one; by default
    /// /opt/metal3/certs/client/tls.crt where that is
    #[arg(long, value_name = "FILE", env = "IRONIC_CLIENT_CERT_FILE")]
    ironic_client_cert: Option<PathBuf>,
    /// Its key; by default /opt/metal3/certs/client/tls.key where that is
    #[arg(long, value_name = "FILE", env = "IRONIC_CLIENT_PRIVATE_KEY_FILE")]
    ironic_client_key: Option<PathBuf>,
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
    /// Architecture of machines of which neither their host nor an inspection says one; by default the
    /// controller's own
    #[arg(long, value_name = "ARCH", default_value = std::env::consts::ARCH, hide_default_value = true)]
    default_architecture: String,
    /// Machines that may inspect, clean or deploy at once, of each that many
    #[arg(long, value_name = "N", env = "PROVISIONING_LIMIT", value_parser = limit)]
    provisioning_limit: Option<usize>,
    /// Give an image up after it failed this often on a host; 0 never
    #[arg(long, value_name = "N", default_value_t = 5)]
    max_provisioning_retries: i64,
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

    /// What decisions go by: the same for who acts and for who only looks.
    pub fn policy(&self) -> Policy {
        Policy {
            max_provisioning_retries: self.max_provisioning_retries,
            simulated: self.simulates(),
            ..Policy::default()
        }
    }

    /// Finds the Ironic by its resource, where it is named so.
    pub(super) fn finder(&self, cluster: &Cluster) -> Option<Finder> {
        let name = self.ironic_name.as_deref()?;
        let own = cluster.own_namespace();
        let namespace = self.ironic_namespace.as_deref().unwrap_or(own);
        let key = Key::new(namespace, name);
        Some(Finder::new(cluster, key, self.ironic_insecure))
    }

    /// The machines. An Ironic is not asked yet, and its resource not looked for.
    pub fn connect(&self, cluster: &Cluster, clock: Clock) -> Result<Machines, Failure> {
        let usage = |text: String| Failure::new(Exit::Usage, text);
        let machines: Arc<dyn Provisioner> = match self.simulate {
            Some(pace) => Arc::new(self.simulation(pace, clock)?),
            None => {
                let (endpoint, whereabouts): (_, Arc<dyn Whereabouts>) = match self.finder(cluster)
                {
                    Some(finder) => (finder.unknown(), Arc::new(finder)),
                    None => {
                        let files = self.files()?;
                        (files.read().map_err(usage)?, Arc::new(files))
                    }
                };
                let ironic = Ironic::new(self.options(endpoint, whereabouts));
                Arc::new(ironic.map_err(|error| usage(error.to_string()))?)
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

    fn files(&self) -> Result<Files, Failure> {
        let url = self.ironic.as_deref().unwrap_or_default();
        let base = Endpoint::parse(url)
            .map_err(|error| Failure::new(Exit::Usage, format!("--ironic: {error}")))?;
        Ok(Files {
            base: match self.ironic_insecure {
                true => base.unverified(),
                false => base,
            },
            insecure: self.ironic_insecure,
            login: self.ironic_auth.join("ironic"),
            ca: self.ironic_ca.clone(),
            client_cert: self.ironic_client_cert.clone(),
            client_key: self.ironic_client_key.clone(),
        })
    }

    fn options(&self, endpoint: Endpoint, whereabouts: Arc<dyn Whereabouts>) -> Options {
        let mut options = Options::new(endpoint);
        options.whereabouts = Some(whereabouts);
        options.ramdisk = Ramdisk {
            kernel: self.deploy_kernel.clone(),
            initramfs: self.deploy_ramdisk.clone(),
            iso: self.deploy_iso.clone(),
        };
        options.architecture = self.default_architecture.as_str().into();
        if let Some(limit) = self.provisioning_limit {
            set(&mut options.limits, limit);
        }
        options
    }
}

/// An Ironic by its address, with all that lies in files: they are mounted from Secrets, and
/// replaced while they are in use.
#[derive(Debug)]
struct Files {
    base: Endpoint,
    insecure: bool,
    /// Folder of `username` and `password`.
    login: PathBuf,
    ca: Option<PathBuf>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
}

impl Files {
    /// What they say now.
    fn read(&self) -> Result<Endpoint, String> {
        let mut endpoint = self.base.clone();
        // No folder is no login.
        if self.login.is_dir() {
            let user = text(&self.login.join("username"))?;
            let password = Sealed::new(text(&self.login.join("password"))?.trim());
            endpoint = endpoint
                .login(user.trim(), password)
                .of_folder(self.login.display().to_string());
        }
        let or = |said: &Option<PathBuf>, usual: &str| {
            let said = said.clone();
            said.or_else(|| default_file(usual.into()))
        };
        if let Some(path) = or(&self.ca, CA_FILE).filter(|_| !self.insecure) {
            endpoint = endpoint.ca(bytes(&path)?);
        }
        let certificate = or(&self.client_cert, CLIENT_CERT_FILE);
        let key = or(&self.client_key, CLIENT_KEY_FILE);
        if let (Some(certificate), Some(key)) = (certificate, key) {
            let pem = format!("{}\n{}", text(&certificate)?, text(&key)?);
            endpoint = endpoint.identity(Sealed::new(pem));
        }
        Ok(endpoint)
    }
}

impl Whereabouts for Files {
    fn look(&self) -> BoxFuture<'_, Result<Endpoint, String>> {
        Box::pin(std::future::ready(self.read()))
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn text(path: &Path) -> Result<String, String> {
    String::from_utf8(bytes(path)?).map_err(|_| format!("{} is not text", path.display()))
}

/// How much may be under way at once.
fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("with 0 no machine is ever inspected, cleaned or deployed".into()),
        Ok(limit) => Ok(limit),
        Err(error) => Err(format!("{error}")),
    }
}

fn set(limits: &mut crate::budget::Limits, limit: usize) {
    limits.inspect = limit;
    limits.clean = limit;
    limits.deploy = limit;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Files {
        Files {
            base: Endpoint::parse("https://ironic:6385").unwrap(),
            insecure: false,
            login: folder.join("ironic"),
            ca: None,
            client_cert: None,
            client_key: None,
        }
    }

    #[test]
    fn what_is_replaced_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = files(folder.path());
        let bare = files.read().unwrap();
        std::fs::create_dir(&files.login).unwrap();
        let missing = files.read().unwrap_err();
        assert!(missing.contains("username"), "{missing}");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("ironic/username", "admin\n").unwrap();
        write("ironic/password", "calvin\n").unwrap();
        let first = files.read().unwrap();
        assert!(first != bare && first == files.read().unwrap());
        write("ironic/password", "hobbes\n").unwrap();
        let second = files.read().unwrap();
        assert_ne!(second, first);
        assert!(!format!("{second:?} {files:?}").contains("hobbes"));
        // What is named has to be there, and what is not may be.
        files.ca = Some(folder.path().join("ca.crt"));
        let missing = files.read().unwrap_err();
        assert!(missing.contains("ca.crt"), "{missing}");
        write("ca.crt", "a certificate").unwrap();
        assert_ne!(files.read().unwrap(), second);
        files.insecure = true;
        assert_eq!(files.read().unwrap(), second);
    }

    #[test]
    fn a_limit_of_nothing_is_refused_in_words() {
        assert_eq!(limit("20"), Ok(20));
        assert!(limit("0").unwrap_err().contains("no machine is ever"));
        assert!(limit("-1").is_err() && limit("").is_err());
    }
}
