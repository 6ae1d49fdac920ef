//! Objects on the wire: kind, metadata, and the rest.

/// Declares a kind: its metadata, its spec, and its status where it has one. Its `apiVersion` is
/// BMO's unless another one is told.
///
/// kube's derive makes such a type too, with metadata as the API machinery has it, which is too
/// large to have ten thousand of (see [`super::Metadata`]); that one serves the CRD.
macro_rules! kind {
    (
        $(#[$meta:meta])*
        pub struct $name:ident ($kind:literal $(of $api_version:expr)?) {
            $(#[$about:meta])* spec: $spec:ty,
            $( status: $status:ty, )?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
        pub struct $name {
            /// Its name, labels, and what a store notes of it.
            #[serde(default)]
            pub metadata: super::Metadata,
            $(#[$about])*
            #[serde(default)]
            pub spec: $spec,
            $(
                /// What is.
                #[serde(default)]
                pub status: Option<$status>,
            )?
        }

        impl $name {
            /// One of this name.
            pub fn new(name: &str, spec: $spec) -> Self {
                let mut new = Self { spec, ..Self::default() };
                new.metadata.name = Some(name.into());
                new
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[derive(serde::Serialize)]
                #[serde(rename_all = "camelCase")]
                struct Wire<'a> {
                    api_version: &'static str,
                    kind: &'static str,
                    metadata: &'a super::Metadata,
                    spec: &'a $spec,
                    $(
                        #[serde(skip_serializing_if = "Option::is_none")]
                        status: &'a Option<$status>,
                    )?
                }
                let wire = Wire {
                    api_version: $crate::api::kind::kind!(@of $($api_version)?),
                    kind: $kind,
                    metadata: &self.metadata,
                    spec: &self.spec,
                    $( status: { let status: &Option<$status> = &self.status; status }, )?
                };
                wire.serialize(serializer)
            }
        }
    };
    (@of) => { super::API_VERSION };
    (@of $api_version:expr) => { $api_version };
}

pub(super) use kind;
