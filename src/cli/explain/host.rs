//! `explain host/NAME` of a cluster: in words, where a host is, what it waits for, whose word that is,
//! and what a person could do. For hosts that the Bare Metal Operator drives, too.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::api::names::annotation;
use crate::api::{
    BareMetalHost, BareMetalHostStatus, ConditionStatus, ConditionType, Payload, ProvisioningState,
    Timestamp,
};
use crate::cli::cluster::{self, ClusterArgs, Leads, Remote, next_steps, reason};
use crate::cli::home::Home;
use crate::cli::source::Source;
use crate::cli::{Exit, Failure, SpecArgs, Term, plan, screen, spec};
use crate::diag::one_line;
use crate::diag::suggest::similar;
use crate::eval::Cache;
use crate::plan::{self as plans, Grants};

/// Answers for one host. `spec` is the one that is named, or the folder that one is in.
pub(super) async fn explain(
    term: &Term,
    args: &ClusterArgs,
    spec: &SpecArgs,
    name: &str,
) -> Result<Exit, Failure> {
    let reached = args.reach().await?;
    let remote = reached.within(Some(&reached.namespace(&spec.spec)));
    let leads = async { Ok(remote.leads().await) };
    let (host, leads) = tokio::try_join!(remote.host(name), leads)?;
    let Some(host) = host else {
        let hosts = remote.hosts().await?;
        let names = cluster::names(&hosts);
        let near = similar(name, names.iter().map(|name| &**name));
        let near = near.map(|found| format!("; did you mean `{}`?", found.word));
        let text = format!(
            "no host is called `{name}` in {}{}",
            remote.place(),
            near.unwrap_or_default()
        );
        return Err(Failure::new(Exit::No, text));
    };
    let mut lines = Lines::new(format!("{name} in {}", remote.place()));
    let now = jiff::Timestamp::now();
    let steps = tell(&mut lines, &host, &leads, now);
    if Home::has_spec(&spec.spec) {
        let spec = reached.naming(spec);
        if let Some(change) = change(remote, &spec, &host, name).await? {
            lines.add("change", &change);
        }
    }
    if let Some(steps) = steps.or_else(|| next_steps(&host)) {
        lines.add("to do", &steps);
    }
    term.out(&lines.text);
    Ok(Exit::Success)
}

/// Lines with a word in front of each.
struct Lines {
    text: String,
}

impl Lines {
    fn new(title: String) -> Self {
        Self { text: title + "\n" }
    }

    fn add(&mut self, word: &str, said: &str) {
        // Writing into a String does not fail.
        writeln!(self.text, "  {word:<8}{}", one_line(said)).ok();
    }
}

/// All that the object says, and what holds it up among others. Answers what a person could do about
/// the latter.
fn tell(lines: &mut Lines, host: &BareMetalHost, leads: &Leads, now: Timestamp) -> Option<String> {
    let mut reason = reason(host);
    let shared = leads.cause(host, now);
    let amended = leads.amend(&mut reason, host, now);
    let status = host.status.as_ref();
    lines.add("is", &is(host, now));
    let wanted = Payload::wanted(&host.spec);
    let power = if host.spec.online { "on" } else { "off" };
    lines.add("wanted", &format!("{}, powered {power}", wanted.name()));
    let since = reason
        .since
        .map(|since| format!(" for {}", screen::age(since, now)))
        .unwrap_or_default();
    // The last word that came from Ironic has its own line.
    let is_told = |text: &str| status.is_some_and(|status| status.error_message == text);
    let text = match reason.text.as_str() {
        "" => String::new(),
        text if is_told(text) => String::new(),
        text => format!(": {text}"),
    };
    let word = if reason.settled { "rests" } else { "waits" };
    lines.add(word, &format!("{}{since}{text}", reason.code));
    let beside = leads.beside(host).filter(|_| !reason.settled);
    for cause in shared.iter().filter(|_| !amended).chain(&beside) {
        lines.add("", &format!("beside it {}", cause.line(now)));
    }
    if let Some(status) = status {
        lines.add("Ironic", &ironic(status));
        for trouble in troubles(status) {
            lines.add("", &trouble);
        }
    }
    lines.add("written", &written(host));
    shared.filter(|_| amended)?.next_steps()
}

fn is(host: &BareMetalHost, now: Timestamp) -> String {
    let state = match host.state() {
        ProvisioningState::None => "new".to_owned(),
        state => state.to_string(),
    };
    let power = match host.status.as_ref() {
        Some(status) if status.powered_on => ", powered on",
        Some(_) => ", powered off",
        None => "",
    };
    let going = host.metadata.deletion_timestamp;
    let going = going.map(|since| format!(", being deleted for {}", screen::age(since, now)));
    let invented = match cluster::is_simulated(host) {
        true => ", SIMULATED (there is no real machine)",
        false => "",
    };
    format!("{state}{power}{}{invented}", going.unwrap_or_default())
}

/// The last word that came from there.
fn ironic(status: &BareMetalHostStatus) -> String {
    let node = match status.provisioning.id.as_str() {
        "" => "knows no node of it yet".to_owned(),
        id => format!("node {id}"),
    };
    if status.error_message.is_empty() {
        return node;
    }
    let kind = match &status.error_type {
        Some(kind) => kind.to_string(),
        None => "error".to_owned(),
    };
    let times = match status.error_count {
        0 | 1 => String::new(),
        many => format!(", {many} times"),
    };
    format!(
        "{node}; last word ({kind}{times}): {}",
        status.error_message
    )
}

/// Conditions about the machine itself that do not hold.
fn troubles(status: &BareMetalHostStatus) -> Vec<String> {
    let of_machine = [ConditionType::Manageable, ConditionType::Healthy];
    let conditions = status
        .conditions
        .iter()
        .filter(|one| of_machine.contains(&one.kind) && one.status == ConditionStatus::False);
    conditions
        .map(|one| {
            let message = match one.message.as_str() {
                "" => String::new(),
                message => format!(": {message}"),
            };
            format!("not {} ({}){message}", one.kind, one.reason)
        })
        .collect()
}

/// Where its lines are.
fn written(host: &BareMetalHost) -> String {
    let Some(fleet) = host.annotation(annotation::FLEET) else {
        return "in no spec of metalform's: somebody else made this object".to_owned();
    };
    let mut text = host
        .annotation(annotation::ORIGIN)
        .unwrap_or("nowhere that is known")
        .to_owned();
    let parts = [
        ("fleet", Some(fleet)),
        ("rack", host.annotation(annotation::RACK)),
        ("pool", host.annotation(annotation::POOL)),
    ];
    for (word, name) in parts {
        if let Some(name) = name {
            // Writing into a String does not fail.
            write!(text, ", {word} {name}").ok();
        }
    }
    text
}

/// What the spec at hand would change, and what that waits for. A spec with errors, or of another
/// fleet, has no say.
async fn change(
    remote: Remote,
    args: &SpecArgs,
    host: &BareMetalHost,
    name: &str,
) -> Result<Option<String>, Failure> {
    let Ok(spec) = spec::load(args, &mut Cache::default()) else {
        return Ok(None);
    };
    let fleet = host.annotation(annotation::FLEET);
    if !spec.is_valid() || fleet.is_some_and(|fleet| *fleet != *spec.fleet.name) {
        return Ok(None);
    }
    let made = plan::make(&Source::Cluster(remote), &spec).await?;
    let grants = Grants::default();
    let rulings = plans::gate(&made.plan, &made.desired, &made.observed, &grants);
    let Some(ruling) = rulings
        .iter()
        .find(|ruling| *ruling.action.host.name == *name)
    else {
        return Ok(None);
    };
    let action = ruling.action;
    let paths: Vec<&str> = action.changes.iter().map(|change| &*change.path).collect();
    let what = match (action.verb, paths.as_slice()) {
        (plans::Verb::Delete, _) => "the spec has it no more".to_owned(),
        (_, []) => "its owner".to_owned(),
        (_, paths) => paths.join(", "),
    };
    let file = shown(&args.spec);
    let mut text = format!("{} says otherwise: {what}", file.display());
    match &ruling.hold {
        Some(hold) => text += &format!("; that waits: {} [{}]", hold.text, hold.code),
        None => text += "; `metalform apply` writes it",
    }
    Ok(Some(text))
}

fn shown(spec: &Path) -> PathBuf {
    match spec == Path::new(".") {
        true => PathBuf::from("the spec here"),
        false => spec.to_owned(),
    }
}

#[cfg(test)]
mod tests;
