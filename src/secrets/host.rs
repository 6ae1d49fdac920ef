//! The secrets that one host names: are they there, and their content for one effect.

use serde_json::Value;

use crate::api::names::secret_key;
use crate::api::{BareMetalHost, SecretReference};
use crate::provision::Effect;
use crate::reconcile::Credentials;

use super::{JobSecrets, Sealed, Secret, SecretError, Secrets};

/// The key that Kubernetes uses for registry credentials.
const DOCKER_CONFIG: &str = ".dockerconfigjson";

/// What is known of the host's BMC credentials: keys `username` and `password`, white space around
/// them ignored, as the Bare Metal Operator reads them.
pub fn credentials(host: &BareMetalHost, secrets: &dyn Secrets) -> Credentials {
    let bmc = &host.spec.bmc;
    if bmc.credentials_name.is_empty() {
        return Credentials::Missing("the host names no `bmc credentials`".to_owned());
    }
    match secrets.read(namespace(host), &bmc.credentials_name) {
        Err(error) => Credentials::Missing(error.to_string()),
        Ok(secret) => match login(&bmc.credentials_name, &secret) {
            Ok(_) => Credentials::Present {
                version: secret.version,
            },
            Err(text) => Credentials::Invalid(text),
        },
    }
}

/// Texts for the other secrets that the spec names and that cannot be read.
pub fn missing(host: &BareMetalHost, secrets: &dyn Secrets) -> Vec<String> {
    let spec = &host.spec;
    let references = [&spec.user_data, &spec.network_data, &spec.meta_data];
    let named = references
        .into_iter()
        .flatten()
        .map(|reference| reference.name.as_str());
    let pull = spec
        .image
        .as_ref()
        .map(|image| image.oci_auth_secret_name.as_str());
    named
        .chain([spec.preprovisioning_network_data_name.as_str()])
        .chain(pull)
        .filter(|name| !name.is_empty())
        .filter_map(|name| secrets.read(namespace(host), name).err())
        .map(|error| error.to_string())
        .collect()
}

/// The contents that `effect` needs and no others.
pub fn job_secrets(
    host: &BareMetalHost,
    effect: &Effect,
    secrets: &dyn Secrets,
) -> Result<JobSecrets, SecretError> {
    let spec = &host.spec;
    let read = |name: &str| secrets.read(namespace(host), name);
    let keyed = |name: &str, key: &str| -> Result<Option<Sealed>, SecretError> {
        if name.is_empty() {
            return Ok(None);
        }
        let secret = read(name)?;
        // `value` is the Bare Metal Operator's fall-back for every kind of data.
        let found = secret
            .data
            .get(key)
            .or_else(|| secret.data.get(secret_key::FALLBACK));
        found
            .cloned()
            .map(Some)
            .ok_or_else(|| SecretError::Unreadable {
                name: name.to_owned(),
                tried: format!("keys `{key}` and `value`"),
                reason: "neither is there".to_owned(),
            })
    };
    let mut job = JobSecrets::default();
    if matches!(
        effect,
        Effect::Enroll { .. } | Effect::Amend { .. } | Effect::Adopt | Effect::Deploy
    ) && !spec.bmc.credentials_name.is_empty()
    {
        let secret = read(&spec.bmc.credentials_name)?;
        job.bmc = login(&spec.bmc.credentials_name, &secret).ok();
        job.preprovisioning_network_data = keyed(
            &spec.preprovisioning_network_data_name,
            secret_key::NETWORK_DATA,
        )?;
    }
    if matches!(effect, Effect::Deploy) {
        let name = |reference: &Option<SecretReference>| {
            reference
                .as_ref()
                .map(|reference| reference.name.clone())
                .unwrap_or_default()
        };
        job.user_data = keyed(&name(&spec.user_data), secret_key::USER_DATA)?;
        job.meta_data = keyed(&name(&spec.meta_data), secret_key::META_DATA)?;
        let mut network = name(&spec.network_data);
        if network.is_empty() {
            network.clone_from(&spec.preprovisioning_network_data_name);
        }
        job.network_data = keyed(&network, secret_key::NETWORK_DATA)?;
        if let Some(image) = &spec.image
            && !image.oci_auth_secret_name.is_empty()
        {
            let name = &image.oci_auth_secret_name;
            job.image_pull = Some(pull_secret(name, &read(name)?, &image.url)?);
        }
    }
    Ok(job)
}

fn namespace(host: &BareMetalHost) -> &str {
    host.metadata.namespace.as_deref().unwrap_or_default()
}

/// User name and password, or which key is not usable.
fn login(name: &str, secret: &Secret) -> Result<(Sealed, Sealed), String> {
    let part = |key: &str| match secret.trimmed(key) {
        Some(text) if !text.reveal().is_empty() => Ok(text),
        Some(_) => Err(format!("secret `{name}`: key `{key}` is empty")),
        None => Err(format!("secret `{name}`: no key `{key}`")),
    };
    Ok((part(secret_key::USERNAME)?, part(secret_key::PASSWORD)?))
}

/// `user:password` for the registry of an `oci://` image from a docker configuration.
fn pull_secret(name: &str, secret: &Secret, image: &str) -> Result<Sealed, SecretError> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let failed = |reason: &str| SecretError::Unreadable {
        name: name.to_owned(),
        tried: format!("key `{DOCKER_CONFIG}`"),
        reason: reason.to_owned(),
    };
    let text = secret
        .data
        .get(DOCKER_CONFIG)
        .ok_or_else(|| failed("it is not there"))?;
    let config: Value =
        serde_json::from_str(text.reveal()).map_err(|_| failed("it is not JSON"))?;
    let registry = image
        .trim_start_matches("oci://")
        .split('/')
        .next()
        .unwrap_or_default();
    let auths = config["auths"]
        .as_object()
        .ok_or_else(|| failed("it has no `auths`"))?;
    let bare = |key: &str| -> String {
        let key = key
            .trim_start_matches("https://")
            .trim_start_matches("http://");
        key.split('/').next().unwrap_or_default().to_owned()
    };
    let entry = auths
        .get(registry)
        .or_else(|| {
            auths
                .iter()
                .find(|(key, _)| bare(key) == registry)
                .map(|(_, entry)| entry)
        })
        .ok_or_else(|| failed(&format!("it has nothing for `{registry}`")))?;
    if let (Some(user), Some(password)) = (entry["username"].as_str(), entry["password"].as_str()) {
        return Ok(Sealed::new(format!("{user}:{password}")));
    }
    let encoded = entry["auth"]
        .as_str()
        .ok_or_else(|| failed("the entry has no `auth`"))?;
    let decoded = STANDARD
        .decode(encoded)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    decoded
        .filter(|text| text.contains(':'))
        .map(Sealed::new)
        .ok_or_else(|| failed("`auth` is not base64 of `user:password`"))
}
