//! What a host is deployed with, once it is known whether its pool has it.

use super::{Digest, Fleet, Found, Host, Image, Ref};

/// What a host is deployed with: its own `deploy`, `image` and data, and what its pool says where
/// the host says nothing.
#[derive(Debug, Clone)]
pub struct Deployment<'a> {
    /// The image entity by name, or none.
    pub image: Option<&'a Image>,
    /// The image that is written at the host itself (`image { url … }`): fields `image.*`.
    pub inline: Vec<Found<'a>>,
    /// The deploy step of a custom agent.
    pub custom_deploy: Option<Found<'a>>,
    /// Secrets of the config drive.
    pub user_data: Option<&'a Ref>,
    /// See `user_data`.
    pub meta_data: Option<&'a Ref>,
    /// See `user_data`.
    pub network_data: Option<&'a Ref>,
    /// Where the image is chosen: the winner of `deploy.image`, `image.url` or `custom-deploy`.
    pub chosen: Option<Found<'a>>,
    /// SHA-256 over the host's digest and all of the above: equal digests lower to equal objects.
    pub digest: Digest,
}

impl Host {
    /// What it is deployed with. `member` says whether it is placed in its pool ([`super::place`]).
    pub fn deployment<'a>(&'a self, fleet: &'a Fleet, member: bool) -> Deployment<'a> {
        let pool = self
            .pool
            .as_ref()
            .filter(|_| member)
            .map(|candidate| &candidate.fields);
        let from_pool = |path: &str| pool.and_then(|fields| fields.get(path));
        // The host is nearer than its pool: what it says itself wins. An image of its own also
        // shuts out the pool's image.
        let own_image = self
            .fields
            .get("deploy.image")
            .or_else(|| self.fields.get("image.url"))
            .or_else(|| self.fields.get("custom-deploy"));
        let chosen = own_image.or_else(|| from_pool("deploy.image"));
        let image = match own_image {
            Some(_) => self.fields.text("deploy.image"),
            None => pool.and_then(|fields| fields.text("deploy.image")),
        }
        .and_then(|name| fleet.image(name));
        let inline: Vec<_> = self
            .fields
            .iter()
            .filter(|found| found.path.text.starts_with("image."))
            .collect();
        let data = |own: &str, deploy: &str| {
            self.fields
                .reference(own)
                .or_else(|| self.fields.reference(deploy))
                .or_else(|| pool.and_then(|fields| fields.reference(deploy)))
        };
        let mut made = Deployment {
            image,
            inline,
            custom_deploy: self.fields.get("custom-deploy"),
            user_data: data("user-data", "deploy.user-data"),
            meta_data: data("meta-data", "deploy.meta-data"),
            network_data: data("network-data", "deploy.network-data"),
            chosen,
            digest: self.digest,
        };
        made.digest = made.seal(self, fleet);
        made
    }
}

impl Deployment<'_> {
    fn seal(&self, host: &Host, fleet: &Fleet) -> Digest {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&host.digest.0);
        bytes.extend_from_slice(fleet.namespace.as_bytes());
        bytes.push(0);
        if let Some(image) = self.image {
            bytes.extend_from_slice(&image.digest.0);
        }
        for data in [self.user_data, self.meta_data, self.network_data] {
            bytes.push(0);
            if let Some(reference) = data {
                bytes.extend_from_slice(reference.to_string().as_bytes());
            }
        }
        Digest::of(&bytes)
    }
}
