//! Paths, as the Kubernetes API has them.

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Health,
    Ready,
    Metrics,
    Version,
    Groups,
    CoreVersions,
    /// The resources of a group version, e.g. `metal3.io/v1alpha1`; `v1` is the core group.
    Resources(&'static str),
    Hosts,
    Held,
    Objects(Target),
}

/// A kind that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Host,
    Hardware,
    FirmwareSettings,
    FirmwareSchema,
    FirmwareComponents,
    UpdatePolicy,
    Event,
}

/// Objects of a kind, or one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub kind: Kind,
    /// `None`: all namespaces.
    pub namespace: Option<String>,
    /// `None`: a list.
    pub name: Option<String>,
    /// The `/status` subresource.
    pub status: bool,
}

impl Route {
    /// Reads a path; `None` when there is no such one.
    pub fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        Some(match parts.as_slice() {
            ["healthz" | "livez"] => Self::Health,
            ["readyz"] => Self::Ready,
            ["metrics"] => Self::Metrics,
            ["version"] => Self::Version,
            ["api"] => Self::CoreVersions,
            ["apis"] => Self::Groups,
            ["api", "v1"] => Self::Resources("v1"),
            ["apis", "metal3.io", "v1alpha1"] => Self::Resources("metal3.io/v1alpha1"),
            ["metalform", "v1", "hosts"] => Self::Hosts,
            ["metalform", "v1", "held"] => Self::Held,
            ["api", "v1", rest @ ..] => Self::Objects(target(rest, |plural| match plural {
                "events" => Some(Kind::Event),
                _ => None,
            })?),
            ["apis", "metal3.io", "v1alpha1", rest @ ..] => {
                Self::Objects(target(rest, |plural| match plural {
                    "baremetalhosts" => Some(Kind::Host),
                    "hardwaredata" => Some(Kind::Hardware),
                    "hostfirmwaresettings" => Some(Kind::FirmwareSettings),
                    "firmwareschemas" => Some(Kind::FirmwareSchema),
                    "hostfirmwarecomponents" => Some(Kind::FirmwareComponents),
                    "hostupdatepolicies" => Some(Kind::UpdatePolicy),
                    _ => None,
                })?)
            }
            _ => return None,
        })
    }
}

fn target(parts: &[&str], kind: impl Fn(&str) -> Option<Kind>) -> Option<Target> {
    let (namespace, rest) = match parts {
        ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
        rest => (None, rest),
    };
    let (plural, name, status) = match rest {
        [plural] => (plural, None, false),
        [plural, name] => (plural, Some((*name).to_owned()), false),
        [plural, name, "status"] => (plural, Some((*name).to_owned()), true),
        _ => return None,
    };
    if name.is_some() && namespace.is_none() {
        return None;
    }
    Some(Target {
        kind: kind(plural)?,
        namespace,
        name,
        status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_kubernetes_paths() {
        let target = |path: &str| match Route::parse(path) {
            Some(Route::Objects(target)) => target,
            other => panic!("{path}: {other:?}"),
        };
        let list = target("/apis/metal3.io/v1alpha1/baremetalhosts");
        assert_eq!(
            (list.kind, list.namespace, list.name),
            (Kind::Host, None, None)
        );
        let one = target("/apis/metal3.io/v1alpha1/namespaces/m/baremetalhosts/a/status");
        assert_eq!(
            (one.namespace.as_deref(), one.name.as_deref()),
            (Some("m"), Some("a"))
        );
        assert!(one.status);
        assert_eq!(target("/api/v1/namespaces/m/events").kind, Kind::Event);
    }

    #[test]
    fn refuses_what_is_not_there() {
        for path in [
            "/apis/metal3.io/v1alpha1/baremetalhosts/a",
            "/apis/metal3.io/v1alpha1/namespaces/m/others",
            "/apis/metal3.io/v1alpha1/namespaces/m/baremetalhosts/a/scale",
            "/api/v1/namespaces/m/secrets",
            "/x",
        ] {
            assert_eq!(Route::parse(path), None, "{path}");
        }
    }
}
