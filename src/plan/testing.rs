//! Specs, hosts and a store for tests of what becomes of an edit.

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt as _;
use serde_json::json;

use crate::api::{
    BareMetalHost, BareMetalHostStatus, ErrorType, OperationalStatus, ProvisioningState, Timestamp,
};
use crate::desired::{self, Desired};
use crate::diag::Diagnostic;
use crate::eval::{self, Cache, Inputs, Limits};
use crate::fleet::Fleet;
use crate::store::{Embedded, Key, Object as _, Options, Patch, Store};
use crate::vfs::{Files, MemoryDisk};

use super::{Action, Grants, OWNER, Owned, Plan, Ruling, Verb};

/// What a spec says.
pub(crate) struct Spec {
    pub fleet: Arc<Fleet>,
    pub files: Arc<Files>,
    pub complete: bool,
    pub findings: Vec<String>,
}

/// Evaluates files below `/spec`, the first of them the root; the version line is added.
pub(crate) fn spec_of(files: &[(&str, &str)]) -> Spec {
    let mut disk = MemoryDisk::new();
    for (path, text) in files {
        disk.write(
            Path::new("/spec").join(path),
            format!("/- kdl-version 2\n{text}"),
        );
    }
    let root = Path::new("/spec").join(files[0].0);
    let inputs = Inputs {
        disk: &disk,
        root: &root,
        params: None,
        limits: Limits::default(),
    };
    let evaluation = eval::evaluate(&inputs, &mut Cache::default());
    let finding = |finding: &Diagnostic| format!("{} {}", finding.code, finding.message);
    Spec {
        findings: evaluation.diagnostics.iter().map(finding).collect(),
        fleet: evaluation.fleet,
        files: Arc::new(evaluation.files),
        complete: evaluation.complete,
    }
}

/// Evaluates one file that has to be without errors.
pub(crate) fn spec(text: &str) -> Spec {
    let spec = spec_of(&[("fleet.kdl", text)]);
    assert!(
        spec.complete && spec.fleet.held.is_empty(),
        "{:#?}\n{text}",
        spec.findings
    );
    spec
}

impl Spec {
    pub fn desired(&self, observed: &[Arc<BareMetalHost>]) -> Desired {
        desired::desired(&self.fleet, &self.files, self.complete, observed, None)
    }
}

/// A fleet of `count` hosts `n01`, `n02`, … in pool `workers` with image `a`; `more` is added.
pub(crate) fn workers(count: usize, more: &str) -> String {
    format!(
        r#"spec lab {{ simulated; }}
{IMAGES}
pool workers {{ select role=worker; deploy a; }}
host "n[slot=01-{count:02}]" {{ {HOST}; labels role=worker; }}
{more}"#
    )
}

/// Images `a` and `b`.
pub(crate) const IMAGES: &str = r#"
image a { url "https://images.lab/os-20260701.qcow2"; checksum "sha256:aa010e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1"; }
image b { url "https://images.lab/os-20260801.qcow2"; checksum "sha256:bb020e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1"; }"#;

/// What each host of a range with `slot` says.
pub(crate) const HOST: &str = r#"bmc address="redfish://10.0.0.${host.slot}/redfish/v1/Systems/1" credentials=(secret)bmc; boot mac="${mac('52:54:00:00:00:00', host.slot)}""#;

/// A fleet and its store.
pub(crate) struct Lab {
    pub store: Arc<Embedded>,
    pub desired: Desired,
}

impl Lab {
    /// A store with nothing in it.
    pub fn new(text: &str) -> Self {
        let options = Options::default()
            .seed(1)
            .clock(|| Timestamp::from_second(1_790_000_000).unwrap());
        let store = Arc::new(Embedded::memory(options));
        Self {
            desired: spec(text).desired(&[]),
            store,
        }
    }

    /// A store with all hosts applied and provisioned with what they are to have.
    pub fn provisioned(text: &str) -> Self {
        let lab = Self::new(text);
        lab.apply();
        for host in lab.hosts() {
            lab.provision(&host.key().name);
        }
        lab
    }

    /// Another text.
    pub fn edit(&mut self, text: &str) -> Plan {
        self.desired = spec(text).desired(&self.hosts());
        self.plan()
    }

    pub fn hosts(&self) -> Vec<Arc<BareMetalHost>> {
        Store::list(self.store.as_ref())
    }

    pub fn key(name: &str) -> Key {
        Key::new("metal3", name)
    }

    pub fn host(&self, name: &str) -> Arc<BareMetalHost> {
        Store::get(self.store.as_ref(), &Self::key(name)).unwrap()
    }

    pub fn owned(&self) -> Owned {
        let hosts = self.hosts();
        let keys = super::differing(&self.desired, &hosts).into_iter();
        let fields = |key: Key| {
            let store: &dyn Store<BareMetalHost> = self.store.as_ref();
            let fields = store.managed_fields(&key).now_or_never().unwrap().unwrap();
            (key, fields)
        };
        keys.map(fields).collect()
    }

    pub fn plan(&self) -> Plan {
        super::diff(&self.desired, &self.hosts(), &self.owned())
    }

    pub fn gate<'a>(&self, plan: &'a Plan, names: &[&str]) -> Vec<Ruling<'a>> {
        let grants = Grants::named(names.iter().map(ToString::to_string));
        super::gate(plan, &self.desired, &self.hosts(), &grants)
    }

    /// Carries out one action.
    pub fn carry_out(&self, action: &Action) {
        let key = &action.host;
        let store: &dyn Store<BareMetalHost> = self.store.as_ref();
        match action.verb {
            Verb::Create | Verb::Update => {
                let object = self.desired.object(key, &self.desired.hosts[key]);
                store
                    .apply(key, object, OWNER, true)
                    .now_or_never()
                    .unwrap()
                    .unwrap();
            }
            Verb::Delete => {
                store.delete(key, None).now_or_never().unwrap().unwrap();
            }
        }
    }

    /// Carries out the whole plan, whatever holds it.
    pub fn apply(&self) {
        self.plan()
            .actions
            .iter()
            .for_each(|action| self.carry_out(action));
    }

    /// Somebody else's edit.
    pub fn patch(&self, name: &str, patch: serde_json::Value) {
        let store = self.store.by("kubectl");
        let store: &dyn Store<BareMetalHost> = &store;
        let key = Self::key(name);
        store
            .patch(&key, Patch::Merge(patch), None)
            .now_or_never()
            .unwrap()
            .unwrap();
    }

    /// Changes the status of a host.
    pub fn status(&self, name: &str, change: impl FnOnce(&mut BareMetalHostStatus)) {
        let host = self.host(name);
        let mut object = BareMetalHost::clone(&host);
        change(object.status.get_or_insert_default());
        let store: &dyn Store<BareMetalHost> = self.store.as_ref();
        store
            .update_status(object, host.version())
            .now_or_never()
            .unwrap()
            .unwrap();
    }

    /// Puts a host in a state.
    pub fn state(&self, name: &str, state: ProvisioningState) {
        self.status(name, |status| status.provisioning.state = state);
    }

    /// The host has what it is to have, and is well.
    pub fn provision(&self, name: &str) {
        let spec = self.host(name).spec.clone();
        self.status(name, |status| {
            status.provisioning.state = ProvisioningState::Provisioned;
            status.provisioning.image = spec.image.clone().unwrap_or_default();
            status
                .provisioning
                .custom_deploy
                .clone_from(&spec.custom_deploy);
            status.operational_status = OperationalStatus::Ok;
            status.error_type = None;
            status.error_message.clear();
        });
    }

    /// The host is well again; what is on it stays.
    pub fn recover(&self, name: &str) {
        self.status(name, |status| {
            status.operational_status = OperationalStatus::Ok;
            status.error_type = None;
            status.error_message.clear();
        });
    }

    /// The host is in an error.
    pub fn fail(&self, name: &str, text: &str) {
        self.status(name, |status| {
            status.operational_status = OperationalStatus::Error;
            status.error_type = Some(ErrorType::Provisioning);
            status.error_message = text.to_owned();
        });
    }

    /// Keeps the object when it is deleted, as the reconciler does until its machine is gone.
    pub fn finalizer(&self, name: &str, on: bool) {
        let all = if on {
            json!(["baremetalhost.metal3.io"])
        } else {
            json!(null)
        };
        self.patch(name, json!({"metadata": {"finalizers": all}}));
    }
}

/// One line an action: verb, class, host, changed paths, guard and refusal.
pub(crate) fn brief(plan: &Plan) -> String {
    let mut lines: Vec<String> = Vec::new();
    for action in &plan.actions {
        let verb = serde_json::to_value(action.verb).unwrap();
        let mut line = format!(
            "{} {} {}",
            verb.as_str().unwrap(),
            action.disruption.word(),
            action.host.name
        );
        if action.verb == Verb::Update {
            let paths: Vec<&str> = action.changes.iter().map(|one| one.path.as_str()).collect();
            line += &format!(" {}", paths.join(" "));
        }
        if let Some(guard) = &action.guard {
            line += &format!(" ! {}", guard.text);
        }
        if let Some(refusal) = &action.refusal {
            line += &format!(" x {}", refusal.code);
        }
        lines.push(line);
    }
    lines.extend(
        plan.kept
            .iter()
            .map(|kept| format!("kept {:?} {}", kept.why, kept.host.name)),
    );
    lines.push(format!("{} unchanged", plan.unchanged));
    lines.join("\n")
}
