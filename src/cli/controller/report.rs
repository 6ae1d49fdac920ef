//! What a `Fleet` object tells of the spec that is followed. Pure: from what is known to a status.

use std::collections::BTreeSet;

use crate::api::fleet::{
    Finding, FindingSeverity, FleetConditionType, FleetReason, FleetSource, FleetStatus,
    HostCounts, LastGood, MOST_FINDINGS,
};
use crate::api::{ConditionStatus, Timestamp, conditions, whole_seconds};
use crate::desired::is_of;
use crate::diag::{Diagnostic, Severity};
use crate::engine::{HostLine, Overview, Standing};
use crate::plan::{Action, Hold, HoldCode};
use crate::store::{Key, Object as _};
use crate::vfs::Files;

/// What came of the last look at the files.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Read {
    /// The root file.
    pub path: String,
    /// Digest of all texts; empty when they cannot be read.
    pub digest: String,
    /// Why they cannot be read.
    pub unreadable: Option<String>,
    pub errors: i64,
    pub warnings: i64,
    /// The first of both, errors first.
    pub findings: Vec<Finding>,
    /// The digest of the fleet, when it may be followed.
    pub good: Option<String>,
}

impl Read {
    /// Takes what was found in these files.
    pub fn findings(&mut self, files: &Files, diagnostics: &[Diagnostic]) {
        let count = |severity| {
            let all = diagnostics.iter();
            all.filter(|found| found.severity == severity).count() as i64
        };
        self.errors = count(Severity::Error);
        self.warnings = count(Severity::Warning);
        let mut sorted: Vec<&Diagnostic> = diagnostics
            .iter()
            .filter(|found| matches!(found.severity, Severity::Error | Severity::Warning))
            .collect();
        // Stable: those of one sort stay in the order in which they are shown.
        sorted.sort_by_key(|found| found.severity != Severity::Error);
        self.findings = sorted
            .into_iter()
            .take(MOST_FINDINGS)
            .map(|found| finding(files, found))
            .collect();
    }
}

fn finding(files: &Files, found: &Diagnostic) -> Finding {
    let place = found.primary.place;
    let (line, column) = files.line_col(place);
    Finding {
        code: found.code.to_string(),
        severity: match found.severity {
            Severity::Error => FindingSeverity::Error,
            _ => FindingSeverity::Warning,
        },
        message: found.message.clone(),
        file: files.path(place.file).to_owned(),
        line: line.into(),
        column: column.into(),
        extra: Default::default(),
    }
}

/// Where everything stands.
pub(super) struct Scene<'a> {
    /// The fleet's own object.
    pub fleet: &'a Key,
    pub read: &'a Read,
    pub standing: &'a Standing,
    pub overview: &'a Overview,
    /// `spec.paused`.
    pub paused: bool,
    /// Why the object cannot be the parent of the fleet's set.
    pub hindrance: Option<&'a str>,
    pub generation: i64,
    pub now: Timestamp,
}

/// The status after `before`. Equal scenes give equal statuses, whatever the time.
pub(super) fn status(before: &FleetStatus, scene: &Scene<'_>) -> FleetStatus {
    let Scene { read, standing, .. } = scene;
    let mut status = before.clone();
    status.observed_generation = scene.generation;
    status.source = Some(FleetSource {
        path: read.path.clone(),
        digest: read.digest.clone(),
        ..FleetSource::default()
    });
    if standing.applied() {
        status.digest = standing.digest.to_string();
    }
    if let Some(good) = &read.good
        && before.last_good.as_ref().map(|last| &last.digest) != Some(good)
    {
        status.last_good = Some(LastGood {
            digest: good.clone(),
            time: whole_seconds(scene.now),
            extra: Default::default(),
        });
    }
    status.errors = read.errors;
    status.warnings = read.warnings;
    status.findings.clone_from(&read.findings);
    status.hosts = counts(scene);
    let mut set = |kind, (yes, reason, message): (bool, FleetReason, String)| {
        let value = if yes {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        };
        let list = &mut status.conditions;
        conditions::set(
            list,
            kind,
            value,
            reason,
            message,
            scene.generation,
            scene.now,
        );
    };
    let hosts = counts(scene);
    let (valid, synced) = (valid(read), synced(scene));
    let ready = ready(&valid, &synced, &hosts);
    set(FleetConditionType::Valid, valid);
    set(FleetConditionType::Synced, synced);
    set(FleetConditionType::Ready, ready);
    status
}

type Verdict = (bool, FleetReason, String);

fn valid(read: &Read) -> Verdict {
    if let Some(text) = &read.unreadable {
        return (false, FleetReason::SourceUnreadable, text.clone());
    }
    if read.good.is_some() {
        return (true, FleetReason::NoErrors, String::new());
    }
    let first = read.findings.first();
    let first = first.map(|found| format!(": {}:{}: {}", found.file, found.line, found.message));
    let first = first.unwrap_or_default();
    let errors = match read.errors {
        1 => "1 error".to_owned(),
        many => format!("{many} errors"),
    };
    let text = format!("{errors}{first}; the last good fleet is kept");
    (false, FleetReason::SpecErrors, text)
}

fn synced(scene: &Scene<'_>) -> Verdict {
    let standing = scene.standing;
    if scene.paused {
        let text = "spec.paused is set: the objects of the hosts stay as they are".to_owned();
        return (false, FleetReason::Paused, text);
    }
    if let Some(hindrance) = scene.hindrance {
        return (false, FleetReason::ApplyFailed, hindrance.to_owned());
    }
    if let Some(trouble) = &standing.trouble {
        return (false, FleetReason::ApplyFailed, trouble.clone());
    }
    let waits = standing
        .held
        .iter()
        .filter(|(_, hold)| hold.code.needs_person());
    if let Some((action, hold)) = waits.clone().next() {
        let more = match waits.count() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let text = format!("{}: {}{more}", action.host, way_on(action, hold));
        return (false, FleetReason::ChangesHeld, text);
    }
    if standing.applied() {
        return (true, FleetReason::Applied, String::new());
    }
    let text = match (standing.round, standing.held.len()) {
        (0, _) if scene.read.good.is_none() => {
            "no spec without errors was read since the controller began".to_owned()
        }
        (0, _) => "nothing was compared yet".to_owned(),
        (_, 0) => "changes are being written".to_owned(),
        (_, 1) => "1 change waits for its turn".to_owned(),
        (_, many) => format!("{many} changes wait for their turn"),
    };
    (false, FleetReason::Applying, text)
}

/// What a change waits for and how it goes on, for somebody who sees no more than the object.
fn way_on(action: &Action, hold: &Hold) -> String {
    match &action.guard {
        Some(guard) if hold.code == HoldCode::NeedsAllowDestroy => format!(
            "{}; to go on, beside the files: metalform apply --namespace {} --allow-destroy {}",
            guard.text, action.host.namespace, action.host.name
        ),
        _ => hold.text.to_string(),
    }
}

/// All of it.
fn ready(valid: &Verdict, synced: &Verdict, hosts: &HostCounts) -> Verdict {
    for part in [valid, synced] {
        if !part.0 {
            // Being written is on its way.
            let reason = match part.1 {
                FleetReason::Applying => FleetReason::Progressing,
                ref reason => reason.clone(),
            };
            return (false, reason, part.2.clone());
        }
    }
    if hosts.failed + hosts.held > 0 {
        let text = format!(
            "{} with errors, {} wait for a person",
            hosts.failed, hosts.held
        );
        return (false, FleetReason::HostsNotReady, text);
    }
    if hosts.progressing > 0 {
        let text = format!("{} of {} on their way", hosts.progressing, hosts.total);
        return (false, FleetReason::Progressing, text);
    }
    (true, FleetReason::Settled, String::new())
}

fn counts(scene: &Scene<'_>) -> HostCounts {
    let held: BTreeSet<&Key> = scene
        .standing
        .held
        .iter()
        .filter(|(_, hold)| hold.code.needs_person())
        .map(|(action, _)| &action.host)
        .collect();
    let Key { namespace, name } = scene.fleet;
    let ours = |line: &&HostLine| is_of(name, namespace, &line.host);
    let mut counts = HostCounts::default();
    for line in scene.overview.hosts.iter().filter(ours) {
        counts.total += 1;
        let status = line.host.status.as_ref();
        let failed = status.is_some_and(|status| status.error_type.is_some());
        let slot = if failed {
            &mut counts.failed
        } else if line.needs_person || held.contains(&line.host.key()) {
            &mut counts.held
        } else if line.settled {
            &mut counts.ready
        } else {
            &mut counts.progressing
        };
        *slot += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{Lab, workers};

    /// A status of these, after `before`.
    fn told(before: &FleetStatus, read: &Read, standing: &Standing) -> FleetStatus {
        let scene = Scene {
            fleet: &Lab::key("lab"),
            read,
            standing,
            overview: &Overview::default(),
            paused: false,
            hindrance: None,
            generation: 1,
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        status(before, &scene)
    }

    fn why(status: &FleetStatus, kind: &FleetConditionType) -> (FleetReason, String) {
        let found = conditions::find(&status.conditions, kind).unwrap();
        (found.reason.clone(), found.message.clone())
    }

    #[test]
    fn files_that_cannot_be_read_leave_the_last_good_version() {
        let good = Read {
            path: "/specs".to_owned(),
            digest: "texts".to_owned(),
            good: Some("0123".to_owned()),
            ..Read::default()
        };
        let standing = Standing {
            round: 1,
            ..Standing::default()
        };
        let before = told(&FleetStatus::default(), &good, &standing);
        assert_eq!(
            why(&before, &FleetConditionType::Ready).0,
            FleetReason::Settled
        );
        let gone = Read {
            path: "/specs".to_owned(),
            unreadable: Some("no file at `/specs`".to_owned()),
            ..Read::default()
        };
        // As after a start: nothing was compared.
        let after = told(&before, &gone, &Standing::default());
        assert_eq!(
            (&after.last_good, &after.digest),
            (&before.last_good, &before.digest)
        );
        for kind in [FleetConditionType::Valid, FleetConditionType::Ready] {
            let (reason, text) = why(&after, &kind);
            assert_eq!(reason, FleetReason::SourceUnreadable);
            assert_eq!(text, "no file at `/specs`");
        }
        let (_, synced) = why(&after, &FleetConditionType::Synced);
        assert!(synced.contains("no spec without errors"), "{synced}");
    }

    #[test]
    fn a_change_that_needs_a_word_is_told_with_the_whole_command() {
        let mut lab = Lab::provisioned(&workers(2, ""));
        let plan = lab.edit(&workers(1, ""));
        let rulings = lab.gate(&plan, &[]);
        let holds = rulings.into_iter().map(|ruling| ruling.hold);
        let held = plan.actions.iter().cloned().zip(holds);
        let standing = Standing {
            round: 1,
            held: held
                .filter_map(|(action, hold)| Some((action, hold?)))
                .collect(),
            ..Standing::default()
        };
        let after = told(&FleetStatus::default(), &Read::default(), &standing);
        let (reason, text) = why(&after, &FleetConditionType::Synced);
        assert_eq!(reason, FleetReason::ChangesHeld);
        let namespace = Lab::key("n02").namespace;
        assert!(
            text.ends_with(&format!(
                "metalform apply --namespace {namespace} --allow-destroy n02"
            )),
            "{text}"
        );
    }
}
