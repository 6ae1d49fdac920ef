//! Metrics: typed, few labels, never a host's name.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::provision::{Ack, Fault};

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

/// All metrics of one engine.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    steps: Counter,
    step_seconds: Histogram,
    status_writes: Counter,
    effects: Family<EffectLabels, Counter>,
    effect_seconds: Family<EffectLabels, Histogram>,
    hosts: Family<StateLabels, Gauge>,
    waiting: Family<StateLabels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("metalform");
        let steps = Counter::default();
        let step_seconds = Histogram::new(exponential_buckets(1e-7, 4.0, 10));
        let status_writes = Counter::default();
        let effects = Family::<EffectLabels, Counter>::default();
        let effect_seconds = Family::<EffectLabels, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.005, 3.0, 9))
        });
        let hosts = Family::<StateLabels, Gauge>::default();
        let waiting = Family::<StateLabels, Gauge>::default();
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
            waiting.clone(),
        );
        Self {
            registry,
            steps,
            step_seconds,
            status_writes,
            effects,
            effect_seconds,
            hosts,
            waiting,
        }
    }
}

impl Metrics {
    pub(super) fn step(&self, took: Duration) {
        self.steps.inc();
        self.step_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn status_write(&self) {
        self.status_writes.inc();
    }

    pub(super) fn effect(&self, effect: &'static str, took: Duration, result: &Result<Ack, Fault>) {
        let outcome = result.as_ref().map_or_else(Fault::code, |_| "ok");
        let labels = EffectLabels { effect, outcome };
        self.effects.get_or_create(&labels).inc();
        self.effect_seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// Sets the gauges from a count of hosts by state and of blocked hosts by reason.
    pub fn set_hosts(
        &self,
        states: &std::collections::BTreeMap<String, i64>,
        blocked: &std::collections::BTreeMap<String, i64>,
    ) {
        for (family, counts) in [(&self.hosts, states), (&self.waiting, blocked)] {
            family.clear();
            for (state, count) in counts {
                family
                    .get_or_create(&StateLabels {
                        state: state.clone(),
                    })
                    .set(*count);
            }
        }
    }

    /// Status writes so far.
    pub fn status_writes(&self) -> u64 {
        self.status_writes.get()
    }

    /// Decisions so far.
    pub fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// The text form that Prometheus reads (OpenMetrics).
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        prometheus_client::encoding::text::encode(&mut text, &self.registry).ok();
        text
    }
}
