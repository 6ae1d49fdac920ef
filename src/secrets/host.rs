//! The secrets that one host names: are they there, and their content for one effect.

use crate::api::names::secret_key;
use crate::api::{BareMetalHost, SecretReference};
use crate::provision::Effect;
use crate::reconcile::Credentials;

use super::{JobSecrets, Salt, Sealed, Secret, SecretError, Secrets, pull};

/// How a host uses a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To reach its BMC: nothing can be done without it, a deletion neither.
    Access,
    /// The ramdisk's network: a deletion that cleans needs it.
    Ramdisk,
    /// For one deployment.
    Deployment,
}

impl Use {
    /// True when the Secret has to stay as long as the host does.
    pub(super) fn holds(self) -> bool {
        matches!(self, Self::Access | Self::Ramdisk)
    }
}

/// The Secrets that the spec names, each once.
pub fn named(host: &BareMetalHost) -> Vec<(&str, Use)> {
    let spec = &host.spec;
    let pull = spec
        .image
        .as_ref()
        .map(|image| &*image.oci_auth_secret_name);
    let all = [
        (&*spec.bmc.credentials_name, Use::Access),
        (&*spec.preprovisioning_network_data_name, Use::Ramdisk),
        (own(host, spec.user_data.as_ref()), Use::Deployment),
        (own(host, spec.meta_data.as_ref()), Use::Deployment),
        (own(host, spec.network_data.as_ref()), Use::Deployment),
        (pull.unwrap_or_default(), Use::Deployment),
    ];
    let mut named: Vec<(&str, Use)> = Vec::new();
    for (name, of) in all {
        // The first use of it asks for the most.
        if !name.is_empty() && !named.iter().any(|(known, _)| *known == name) {
            named.push((name, of));
        }
    }
    named
}

/// What is known of the host's BMC credentials: keys `username` and `password`, white space around
/// them ignored, as the Bare Metal Operator reads them. Other keys do not matter, nor does it when
/// they change, unless the secret has a version of its own ([`Secret::version`]).
pub fn credentials(host: &BareMetalHost, secrets: &dyn Secrets, salt: &Salt) -> Credentials {
    let name = &host.spec.bmc.credentials_name;
    if name.is_empty() {
        return Credentials::Missing("the host names no `bmc credentials`".to_owned());
    }
    match secrets.read(namespace(host), name) {
        Err(error) => Credentials::Missing(error.to_string()),
        Ok(secret) => match login(name, &secret) {
            Err(error) => Credentials::Invalid(error.to_string()),
            Ok((user, password)) => {
                let parts = [
                    secret_key::PASSWORD,
                    password.reveal(),
                    secret_key::USERNAME,
                    user.reveal(),
                ];
                let known = secret.version.as_deref().map(str::to_owned);
                Credentials::Present {
                    version: known.unwrap_or_else(|| salt.version(parts)),
                }
            }
        },
    }
}

/// Secrets beside the credentials that a host names and that cannot be used, as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// All of them: what a deployment waits for.
    pub all: Vec<String>,
    /// The one that enrolling and writing settings need too.
    pub registering: Option<String>,
}

/// The other secrets that the spec names and that cannot be used.
pub fn missing(host: &BareMetalHost, secrets: &dyn Secrets) -> Missing {
    let all = Named { host, secrets };
    let ramdisk = all.preprovisioning_network_data().err();
    let registering = ramdisk.as_ref().map(ToString::to_string);
    let errors = [
        all.user_data().err(),
        all.meta_data().err(),
        all.network_data().err(),
        ramdisk,
        all.image_pull().err(),
    ];
    let mut texts: Vec<String> = errors
        .into_iter()
        .flatten()
        .map(|error| error.to_string())
        .collect();
    // The ramdisk's network data stands in for the machine's.
    texts.dedup();
    Missing {
        all: texts,
        registering,
    }
}

/// The contents that `effect` needs and no others.
pub fn job_secrets(
    host: &BareMetalHost,
    effect: &Effect,
    secrets: &dyn Secrets,
) -> Result<JobSecrets, SecretError> {
    let all = Named { host, secrets };
    let mut job = JobSecrets::default();
    match effect {
        Effect::Enroll { .. } | Effect::Amend { .. } => {
            job.bmc = all.bmc()?;
            job.preprovisioning_network_data = all.preprovisioning_network_data()?;
        }
        // They boot the ramdisk. When its network cannot be read, what the machine has of it stays:
        // an image is taken off all the same.
        Effect::Inspect
        | Effect::Clean { .. }
        | Effect::Provide
        | Effect::Deploy
        | Effect::Undeploy => {
            job.preprovisioning_network_data = all.preprovisioning_network_data().ok().flatten();
        }
        Effect::Ports
        | Effect::Manage
        | Effect::ReadInventory
        | Effect::ReadFirmware(_)
        | Effect::Adopt
        | Effect::Abort
        | Effect::Power(_)
        | Effect::Unlock
        | Effect::Forget { .. } => {}
    }
    if matches!(effect, Effect::Deploy) {
        job.user_data = all.user_data()?;
        job.meta_data = all.meta_data()?;
        job.network_data = all.network_data()?;
        job.image_pull = all.image_pull()?;
    }
    Ok(job)
}

/// What the host names, read.
struct Named<'a> {
    host: &'a BareMetalHost,
    secrets: &'a dyn Secrets,
}

type Found = Result<Option<Sealed>, SecretError>;

impl Named<'_> {
    fn read(&self, name: &str) -> Result<Secret, SecretError> {
        self.secrets.read(namespace(self.host), name)
    }

    /// One key of a secret, or `value`, which the Bare Metal Operator takes for every kind of
    /// data. Nothing for a host that names no secret.
    fn keyed(&self, name: &str, key: &'static str) -> Found {
        if name.is_empty() {
            return Ok(None);
        }
        let secret = self.read(name)?;
        let fallback = secret_key::FALLBACK;
        let found = secret
            .data
            .get(key)
            .or_else(|| secret.data.get(fallback))
            .cloned();
        let missing = || SecretError::NoKey {
            name: name.to_owned(),
            key,
            fallback,
        };
        found.map(Some).ok_or_else(missing)
    }

    /// Nothing also where a key is not usable: the host's credentials say so, and what sends them
    /// asks for them.
    fn bmc(&self) -> Result<Option<(Sealed, Sealed)>, SecretError> {
        let name = &self.host.spec.bmc.credentials_name;
        if name.is_empty() {
            return Ok(None);
        }
        Ok(login(name, &self.read(name)?).ok())
    }

    /// The same for a reference, which may say a namespace, but no other than the host's.
    fn referred(&self, reference: Option<&SecretReference>, key: &'static str) -> Found {
        let Some(reference) = reference else {
            return Ok(None);
        };
        if !reference.name.is_empty() && !is_own(self.host, reference) {
            return Err(SecretError::Elsewhere {
                name: reference.name.clone(),
                namespace: reference.namespace.clone(),
            });
        }
        self.keyed(&reference.name, key)
    }

    fn user_data(&self) -> Found {
        self.referred(self.host.spec.user_data.as_ref(), secret_key::USER_DATA)
    }

    fn meta_data(&self) -> Found {
        self.referred(self.host.spec.meta_data.as_ref(), secret_key::META_DATA)
    }

    fn network_data(&self) -> Found {
        let reference = self.host.spec.network_data.as_ref();
        match reference.filter(|reference| !reference.name.is_empty()) {
            None => self.preprovisioning_network_data(),
            some => self.referred(some, secret_key::NETWORK_DATA),
        }
    }

    fn preprovisioning_network_data(&self) -> Found {
        let name = &self.host.spec.preprovisioning_network_data_name;
        self.keyed(name, secret_key::NETWORK_DATA)
    }

    fn image_pull(&self) -> Found {
        let image = self.host.spec.image.as_ref();
        match image.filter(|image| !image.oci_auth_secret_name.is_empty()) {
            None => Ok(None),
            Some(image) => {
                let name = &image.oci_auth_secret_name;
                pull::login(name, &self.read(name)?, &image.url).map(Some)
            }
        }
    }
}

fn is_own(host: &BareMetalHost, reference: &SecretReference) -> bool {
    reference.namespace.is_empty() || reference.namespace == namespace(host)
}

/// The name of a Secret of the host's namespace.
fn own<'a>(host: &BareMetalHost, reference: Option<&'a SecretReference>) -> &'a str {
    let own = reference.filter(|reference| is_own(host, reference));
    own.map_or("", |reference| &reference.name)
}

fn namespace(host: &BareMetalHost) -> &str {
    host.metadata.namespace.as_deref().unwrap_or_default()
}

/// User name and password, or which key is not usable.
fn login(name: &str, secret: &Secret) -> Result<(Sealed, Sealed), SecretError> {
    let part = |key: &'static str| {
        let unusable = |reason: String| SecretError::Unusable {
            name: name.to_owned(),
            key,
            reason,
        };
        let text = secret
            .trimmed(key)
            .ok_or_else(|| unusable(secret.lacks(key)))?;
        if text.reveal().is_empty() {
            Err(unusable("it is empty".to_owned()))
        } else {
            Ok(text)
        }
    };
    Ok((part(secret_key::USERNAME)?, part(secret_key::PASSWORD)?))
}
