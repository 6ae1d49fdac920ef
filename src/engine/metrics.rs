//! Metrics: typed, few labels, never a host's name.

mod peer;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::api::BareMetalHost;
use crate::provision::{Ack, Fault};

use self::peer::Peer;

/// One effect and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EffectLabels {
    effect: &'static str,
    outcome: &'static str,
}

/// One state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: String,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: String,
}

/// One sort of error.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    r#type: String,
}

/// One Ironic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IronicLabels {
    ironic: String,
}

/// How many of each name.
pub type Counts = BTreeMap<String, i64>;

/// What is counted when somebody looks.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// Hosts by provisioning state.
    pub states: Counts,
    /// Hosts that wait for a person, by reason.
    pub blocked: Counts,
    /// Hosts with an error in their status, by its type.
    pub errors: Counts,
    /// Hosts for which nothing is left to do.
    pub settled: i64,
    /// Changes of the plan that wait, by reason.
    pub held: Counts,
    /// The spec as it is in its files is followed.
    pub spec_followed: bool,
    /// The store refused a change of the plan.
    pub refused: bool,
    /// This process works; another one stands by.
    pub leads: bool,
    /// By name, 1 for an Ironic whose machines are seen. None of one who stands by: it asks none.
    pub ironics: Counts,
}

/// All metrics of one engine.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Held from setting gauges to reading them.
    looking: Mutex<()>,
    steps: Counter,
    step_seconds: Histogram,
    status_writes: Counter,
    effects: Family<EffectLabels, Counter>,
    effect_seconds: Family<EffectLabels, Histogram>,
    hosts: Family<StateLabels, Gauge>,
    blocked: Family<ReasonLabels, Gauge>,
    errors: Family<ErrorLabels, Gauge>,
    settled: Gauge,
    held: Family<ReasonLabels, Gauge>,
    spec_followed: Gauge,
    refused: Gauge,
    leads: Gauge,
    ironics: Family<IronicLabels, Gauge>,
    peer: Peer,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut all = Registry::default();
        let peer = Peer::new(all.sub_registry_with_prefix("metal3"));
        let registry = all.sub_registry_with_prefix("metalform");
        let steps = Counter::default();
        let step_seconds = Histogram::new(exponential_buckets(1e-7, 4.0, 10));
        let status_writes = Counter::default();
        let effects = Family::<EffectLabels, Counter>::default();
        let effect_seconds = Family::<EffectLabels, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.005, 3.0, 9))
        });
        let hosts = Family::<StateLabels, Gauge>::default();
        let blocked = Family::<ReasonLabels, Gauge>::default();
        let errors = Family::<ErrorLabels, Gauge>::default();
        let settled = Gauge::default();
        let held = Family::<ReasonLabels, Gauge>::default();
        let spec_followed = Gauge::default();
        let refused = Gauge::default();
        let leads = Gauge::default();
        let ironics = Family::<IronicLabels, Gauge>::default();
        registry.register("steps", "Decisions taken", steps.clone());
        registry.register_with_unit(
            "step",
            "Time that one decision took",
            Unit::Seconds,
            step_seconds.clone(),
        );
        registry.register("status_writes", "Statuses written", status_writes.clone());
        registry.register(
            "effects",
            "Effects sent, by what came of them",
            effects.clone(),
        );
        registry.register_with_unit(
            "effect",
            "Time until an effect was accepted",
            Unit::Seconds,
            effect_seconds.clone(),
        );
        registry.register("hosts", "Hosts by provisioning state", hosts.clone());
        registry.register(
            "hosts_blocked",
            "Hosts that wait for a person, by reason",
            blocked.clone(),
        );
        registry.register(
            "hosts_error",
            "Hosts with an error in their status, by its type",
            errors.clone(),
        );
        registry.register(
            "hosts_settled",
            "Hosts for which nothing is left to do",
            settled.clone(),
        );
        registry.register(
            "changes_held",
            "Changes of the plan that wait, by reason",
            held.clone(),
        );
        registry.register(
            "spec_followed",
            "1 when the spec is followed as it is in its files, 0 when the last good one is",
            spec_followed.clone(),
        );
        registry.register(
            "store_refused",
            "1 while the store refuses a change of the plan",
            refused.clone(),
        );
        registry.register(
            "leads",
            "1 for the process that works, 0 for one that stands by",
            leads.clone(),
        );
        registry.register(
            "ironic_up",
            "1 while the machines of this Ironic are seen",
            ironics.clone(),
        );
        Self {
            registry: all,
            peer,
            looking: Mutex::new(()),
            steps,
            step_seconds,
            status_writes,
            effects,
            effect_seconds,
            hosts,
            blocked,
            errors,
            settled,
            held,
            spec_followed,
            refused,
            leads,
            ironics,
        }
    }
}

impl Metrics {
    pub(super) fn step(&self, took: Duration) {
        self.steps.inc();
        self.peer.reconcile();
        self.step_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn status_write(&self) {
        self.status_writes.inc();
    }

    /// A status was written.
    pub(super) fn written(&self, before: &BareMetalHost, after: &BareMetalHost) {
        self.peer.written(before, after);
    }

    /// A host begins to wait for another reason.
    pub(super) fn waits(&self, code: &str) {
        self.peer.waits(code);
    }

    pub(super) fn effect(&self, effect: &'static str, took: Duration, result: &Result<Ack, Fault>) {
        let outcome = result.as_ref().map_or_else(Fault::code, |_| "ok");
        let labels = EffectLabels { effect, outcome };
        self.effects.get_or_create(&labels).inc();
        self.effect_seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    fn set(&self, gauges: &Gauges) {
        fill(&self.hosts, &gauges.states, |state| StateLabels { state });
        fill(&self.blocked, &gauges.blocked, |reason| ReasonLabels {
            reason,
        });
        fill(&self.errors, &gauges.errors, |r#type| ErrorLabels {
            r#type,
        });
        fill(&self.held, &gauges.held, |reason| ReasonLabels { reason });
        self.settled.set(gauges.settled);
        self.spec_followed.set(gauges.spec_followed.into());
        self.refused.set(gauges.refused.into());
        self.leads.set(gauges.leads.into());
        fill(&self.ironics, &gauges.ironics, |ironic| IronicLabels {
            ironic,
        });
    }

    /// Status writes so far.
    pub fn status_writes(&self) -> u64 {
        self.status_writes.get()
    }

    /// Decisions so far.
    pub fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// The text form that Prometheus reads (OpenMetrics), with what is counted when somebody looks.
    pub fn text(&self, gauges: &Gauges) -> String {
        // Two may look at once, and each sees its own counts whole.
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        self.set(gauges);
        let mut text = String::new();
        // Writing into a String does not fail.
        prometheus_client::encoding::text::encode(&mut text, &self.registry).ok();
        text
    }
}

fn fill<L>(family: &Family<L, Gauge>, counts: &Counts, labels: impl Fn(String) -> L)
where
    L: Clone + std::hash::Hash + Eq,
{
    family.clear();
    for (name, count) in counts {
        family.get_or_create(&labels(name.clone())).set(*count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_them_are_documented_and_nothing_else() {
        let metrics = Metrics::default();
        // A family without members is not told.
        let one = || Counts::from([("a".to_owned(), 1)]);
        metrics.effect("deploy", Duration::ZERO, &Ok(Ack::Done));
        metrics.written(&BareMetalHost::default(), &failed());
        let text = metrics.text(&Gauges {
            states: one(),
            blocked: one(),
            errors: one(),
            held: one(),
            ironics: one(),
            ..Gauges::default()
        });
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let mut told: Vec<String> = types
            .filter_map(|line| {
                let (name, kind) = line.split_once(' ')?;
                Some(match kind {
                    "counter" => format!("{name}_total"),
                    _ => name.to_owned(),
                })
            })
            .collect();
        let page = include_str!("../../docs/metrics.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut documented: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        told.sort_unstable();
        documented.sort_unstable();
        assert_eq!(documented, told);
    }

    /// A host that came to a state, with an error, and is on.
    fn failed() -> BareMetalHost {
        serde_json::from_value(serde_json::json!({
            "metadata": { "name": "a" },
            "spec": {},
            "status": {
                "provisioning": { "state": "inspecting" }, "poweredOn": true,
                "errorType": "inspection error", "errorCount": 1,
                "operationHistory": {
                    "register": {
                        "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:07Z",
                    },
                },
            },
        }))
        .unwrap()
    }

    #[test]
    fn what_is_written_is_counted_under_the_other_operators_names() {
        let metrics = Metrics::default();
        metrics.written(&BareMetalHost::default(), &failed());
        // The same once more says nothing new.
        metrics.written(&failed(), &failed());
        metrics.waits("CredentialsMissing");
        metrics.waits("WaitingForCleanSlot");
        let text = metrics.text(&Gauges::default());
        for line in [
            "metal3_provisioning_state_change_total{prev_state=\"\",new_state=\"inspecting\"} 1",
            "metal3_host_error_total{error_type=\"inspection error\"} 1",
            "metal3_operation_power_change_total{on_off=\"on\"} 1",
            "metal3_operation_register_duration_seconds_sum 7.0",
            "metal3_operation_register_duration_seconds_count 1",
            "metal3_credentials_missing_total 1",
            "metal3_delayed__deprovisioning_total 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }

    #[test]
    fn what_is_not_there_any_more_is_not_told() {
        let metrics = Metrics::default();
        let one = |name: &str| Counts::from([(name.to_owned(), 1)]);
        let text = metrics.text(&Gauges {
            states: one("available"),
            held: one("Rolling"),
            errors: one("inspection error"),
            spec_followed: true,
            ..Gauges::default()
        });
        for line in [
            "metalform_hosts{state=\"available\"} 1",
            "metalform_changes_held{reason=\"Rolling\"} 1",
            "metalform_hosts_error{type=\"inspection error\"} 1",
            "metalform_spec_followed 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        let text = metrics.text(&Gauges::default());
        assert!(
            !text.contains("available") && !text.contains("Rolling"),
            "{text}"
        );
        assert!(text.contains("metalform_spec_followed 0"), "{text}");
    }
}
