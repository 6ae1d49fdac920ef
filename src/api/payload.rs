//! What is put on a machine, as far as a change of it means putting it there anew.

use super::{BareMetalHostSpec, BareMetalHostStatus};

/// The URL of the image and the method of a custom deploy, empty for none. As with the Bare Metal
/// Operator nothing else counts: a corrected checksum or other user-data do not wipe a machine.
/// What the plan guards and what the reconciler takes off is decided by this one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Payload<'a> {
    /// URL of the image.
    pub url: &'a str,
    /// Method of the custom deploy.
    pub method: &'a str,
}

impl<'a> Payload<'a> {
    /// What a spec asks for.
    pub fn wanted(spec: &'a BareMetalHostSpec) -> Self {
        Self {
            url: spec.image.as_ref().map_or("", |image| &image.url),
            method: spec
                .custom_deploy
                .as_ref()
                .map_or("", |deploy| &deploy.method),
        }
    }

    /// What is on the machine.
    pub fn applied(status: &'a BareMetalHostStatus) -> Self {
        let applied = &status.provisioning;
        Self {
            url: &applied.image.url,
            method: applied
                .custom_deploy
                .as_ref()
                .map_or("", |deploy| &deploy.method),
        }
    }

    /// Nothing is put on the machine.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// In words: the URL where there is one.
    pub fn name(self) -> &'a str {
        match (self.url, self.method) {
            ("", "") => "nothing",
            ("", method) => method,
            (url, _) => url,
        }
    }
}
