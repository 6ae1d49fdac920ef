//! Reads a script and plays it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use metalform::eval::range::Pattern;
use metalform::provision::Provisioner as _;

use super::stage::{Stage, clocked};

/// How long `until` waits at most.
const PATIENCE: Duration = Duration::from_hours(24);

/// What a command needs to be noticed by everybody.
const BEAT: Duration = Duration::from_millis(150);

/// Plays a script; answers with everything that it printed.
pub async fn play(script: &str) -> String {
    let mut player = Player {
        stage: Stage::new(String::new()),
        started: false,
        shown_effects: 0,
    };
    for (index, line) in script.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            player.stage.printed.push('\n');
            continue;
        }
        player.stage.say(if line.starts_with('#') {
            line.to_owned()
        } else {
            format!("> {line}")
        });
        if line.starts_with('#') {
            continue;
        }
        if let Err(problem) = player.command(line).await {
            panic!(
                "line {}: `{line}`: {problem}\n{}",
                index + 1,
                player.stage.printed
            );
        }
    }
    player.stage.printed
}

struct Player {
    stage: Stage,
    started: bool,
    shown_effects: usize,
}

impl Player {
    async fn command(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "fleet" => self.stage.text = fleet(rest)?,
            "fault" => self.stage.fault(rest),
            "edit" => {
                let (old, new) = rest.split_once(" => ").ok_or("edit OLD => NEW")?;
                if !self.stage.text.contains(old) {
                    return Err("nothing like that in the spec".to_owned());
                }
                self.stage.text = self.stage.text.replace(old, new);
                self.follow().await;
            }
            "add" => {
                self.stage.text.push_str(rest);
                self.stage.text.push('\n');
                self.follow().await;
            }
            "secret" => self.secret(rest)?,
            "bios" | "firmware" => self.wish(word, rest).await?,
            "allow" => self.stage.allow(&pattern(rest)?).await,
            "trace" => {
                self.start().await;
                let pattern = pattern(rest)?;
                let names = self
                    .stage
                    .hosts()
                    .into_iter()
                    .filter_map(|host| host.metadata.name.as_deref().map(str::to_owned));
                self.stage.traced = names.filter(|name| pattern.matches(name)).collect();
            }
            "run" => {
                self.start().await;
                self.stage.pass(time(rest)?, |_| false).await;
            }
            "until" => self.until(rest).await?,
            "restart" => {
                let pause = rest
                    .strip_prefix("after ")
                    .map_or(Ok(Duration::ZERO), time)?;
                self.stage.kill();
                tokio::time::sleep(pause).await;
                self.stage.start().await;
            }
            "show" => self.show(rest)?,
            "events" => self.events(rest),
            "effects" => self.effects(rest)?,
            "settings" => self.settings(rest)?,
            "hardware" => self.hardware(),
            "order" => self.order(rest),
            "turns" => self.turns(rest),
            "peaks" => {
                let limits = self.stage.simulation().limits();
                let text = self.stage.peaks.iter().map(|(kind, most)| {
                    let limit = limits.of(*kind);
                    let how = match most.cmp(&limit) {
                        Ordering::Less => "fewer than",
                        Ordering::Equal => "all of",
                        Ordering::Greater => "MORE THAN",
                    };
                    format!("{} {how} {limit}", kind.as_str())
                });
                let text: Vec<_> = text.collect();
                self.stage
                    .say(format!("  at once at most: {}", text.join(", ")));
            }
            _ => return Err("no such command".to_owned()),
        }
        Ok(())
    }

    async fn start(&mut self) {
        if !std::mem::replace(&mut self.started, true) {
            self.stage.start().await;
        }
    }

    async fn follow(&mut self) {
        if self.started {
            self.stage.follow().await;
        }
    }

    /// `secret NAME write KEY=VALUE…` or `secret NAME remove`.
    fn secret(&mut self, rest: &str) -> Result<(), String> {
        let mut words = rest.split_whitespace();
        let name = words.next().ok_or("which secret?")?;
        match words.next() {
            Some("write") => {
                let keys: Vec<_> = words.filter_map(|word| word.split_once('=')).collect();
                self.stage.secrets.write(name, &keys);
            }
            Some("remove") => self.stage.secrets.remove(name),
            _ => return Err("secret NAME write KEY=VALUE… or secret NAME remove".to_owned()),
        }
        if self.started {
            self.stage.engine().wake_all();
        }
        Ok(())
    }

    /// `bios HOSTS NAME=VALUE…` and `firmware HOSTS PART=URL…`: what is wanted, all of it.
    async fn wish(&mut self, word: &str, rest: &str) -> Result<(), String> {
        self.start().await;
        let mut words = rest.split_whitespace();
        let hosts = pattern(words.next().ok_or("of which hosts?")?)?;
        let wanted: Option<Vec<_>> = words.map(|word| word.split_once('=')).collect();
        let wanted = wanted.ok_or("each is written NAME=VALUE")?;
        self.stage.wish(word, &hosts, &wanted).await;
        Ok(())
    }

    /// What the objects beside hosts say of settings and firmware, and which schemas there are.
    fn settings(&mut self, rest: &str) -> Result<(), String> {
        let text = self.stage.settings(&pattern(rest)?);
        self.stage.say(text);
        Ok(())
    }

    /// `until settled`, `until NAME STATE`, each with `within TIME`.
    async fn until(&mut self, rest: &str) -> Result<(), String> {
        self.start().await;
        let (what, limit) = match rest.split_once(" within ") {
            Some((what, limit)) => (what, time(limit)?),
            None => (rest, PATIENCE),
        };
        // What was said just now is seen first.
        self.stage.pass(BEAT, |_| false).await;
        let done = match what.split_once(' ') {
            None if what == "settled" => self.stage.pass(limit, Stage::is_settled).await,
            None => return Err("until settled, or until HOSTS STATE".to_owned()),
            Some((hosts, state)) => {
                let pattern = pattern(hosts)?;
                let there = |stage: &Stage| {
                    let overview = stage.engine().overview();
                    let mut named = overview.hosts.iter().filter(|line| {
                        pattern.matches(line.host.metadata.name.as_deref().unwrap_or_default())
                    });
                    named.all(|line| {
                        let code = line.why.as_ref().map(|why| why.code);
                        line.state() == state || code == Some(state)
                    })
                };
                self.stage.pass(limit, there).await
            }
        };
        let line = match (done, rest == what) {
            (true, true) => format!("{} {what}", clocked(self.stage.now())),
            // With a limit the exact time is no matter of the script.
            (true, false) => "  in time".to_owned(),
            (false, _) => "  not yet".to_owned(),
        };
        self.stage.say(line);
        Ok(())
    }

    /// `show`, `show HOSTS`, `show counts`, `show held`.
    fn show(&mut self, rest: &str) -> Result<(), String> {
        let overview = self.stage.engine().overview();
        let mut text = String::new();
        match rest {
            "counts" => {
                let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
                for line in &overview.hosts {
                    let code = line.why.as_ref().map_or("", |why| why.code);
                    *counts.entry((line.state(), code)).or_default() += 1;
                }
                for ((state, code), count) in counts {
                    let _ = writeln!(text, "  {count:>4} {state:<22} {code}");
                }
            }
            "held" => {
                for (action, hold) in self.stage.standing().held.iter() {
                    let _ = writeln!(text, "  {} {}: {}", action.host.name, hold.code, hold.text);
                }
            }
            _ => {
                let pattern = pattern(if rest.is_empty() { "*" } else { rest })?;
                for line in &overview.hosts {
                    let name = line.host.metadata.name.as_deref().unwrap_or_default();
                    if !pattern.matches(name) {
                        continue;
                    }
                    let status = line.host.status.as_ref();
                    let power = status.is_some_and(|status| status.powered_on);
                    let errors = status.map_or(0, |status| status.error_count);
                    let why = line.why.as_ref();
                    let why =
                        why.map_or(String::new(), |why| format!("{}: {}", why.code, why.text));
                    let _ = writeln!(
                        text,
                        "  {name} {state:<14} {power:<3} {errors} {why}",
                        state = line.state(),
                        power = if power { "on" } else { "off" },
                    );
                }
            }
        }
        if text.is_empty() {
            text.push_str("  nothing\n");
        }
        self.stage.say(text);
        Ok(())
    }

    fn events(&mut self, host: &str) {
        for event in self.stage.events(host) {
            let reason = event.reason.as_deref().unwrap_or_default();
            let message = event.message.as_deref().unwrap_or_default();
            let kind = event.type_.as_deref().unwrap_or_default();
            self.stage.say(format!("  {kind:<7} {reason}: {message}"));
        }
    }

    /// `effects` counts those since the last time, `effects NAME` lists a host's.
    fn effects(&mut self, rest: &str) -> Result<(), String> {
        let sent = self.stage.sent.lock().unwrap().clone();
        let mut text = String::new();
        if rest.is_empty() {
            let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
            for one in &sent[self.shown_effects..] {
                *counts.entry((one.effect, one.answer)).or_default() += 1;
            }
            self.shown_effects = sent.len();
            for ((effect, answer), count) in counts {
                let _ = writeln!(text, "  {count:>4} {effect:<14} {answer}");
            }
        } else {
            let pattern = pattern(rest)?;
            for one in sent.iter().filter(|one| pattern.matches(&one.host)) {
                let answer = if one.answer == "ok" { "" } else { one.answer };
                let _ = writeln!(
                    text,
                    "{} {} {:<14} {answer}",
                    clocked(one.at),
                    one.host,
                    one.effect
                );
            }
        }
        if text.is_empty() {
            text.push_str("  none\n");
        }
        self.stage.say(text);
        Ok(())
    }

    fn hardware(&mut self) {
        for host in self.stage.hosts() {
            let name = host.metadata.name.clone().unwrap_or_default();
            let Some(glance) = self.stage.simulation().hardware(&name) else {
                continue;
            };
            let disk = glance.disk.as_deref().unwrap_or("empty");
            let disk = disk.rsplit('/').next().unwrap_or_default().to_owned();
            let power = if glance.power { "on" } else { "off" };
            let began = glance.began.iter().filter(|(_, count)| *count > 0);
            let began: Vec<_> = began
                .map(|(task, count)| format!("{} {count}", task.as_str()))
                .collect();
            self.stage.say(format!(
                "  {name} {power:<3} {disk:<8} {}",
                began.join(", ")
            ));
        }
    }

    /// The order in which hosts came into a state.
    fn order(&mut self, state: &str) {
        let entered = self
            .stage
            .entered
            .iter()
            .filter(|entered| entered.state == state);
        let names: Vec<_> = entered.map(|entered| entered.host.clone()).collect();
        for line in names.chunks(8) {
            self.stage.say(format!("  {}", line.join(" ")));
        }
    }

    /// Whether the racks took turns with an effect, as long as two of them had hosts left. Which
    /// host of a rack comes first is not told: the scheduler does not order what is due at once.
    fn turns(&mut self, effect: &str) {
        let sent = self.stage.sent.lock().unwrap().clone();
        let rack = |host: &str| host.split('-').next().unwrap_or_default().to_owned();
        let racks: Vec<String> = sent
            .iter()
            .filter(|one| one.effect == effect)
            .map(|one| rack(&one.host))
            .collect();
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        racks
            .iter()
            .for_each(|rack| *left.entry(rack).or_default() += 1);
        let text: Vec<_> = left
            .iter()
            .map(|(rack, count)| format!("{rack} {count}"))
            .collect();
        let (mut longest, mut run, mut last) = (0, 0, "");
        for rack in &racks {
            let others = left
                .iter()
                .any(|(other, count)| *other != rack && *count > 0);
            run = if last == rack { run + 1 } else { 1 };
            last = rack;
            if others {
                longest = longest.max(run);
            }
            *left.get_mut(rack.as_str()).unwrap() -= 1;
        }
        // A few hosts that came at the same time as a slot may go first.
        let word = if longest <= 4 {
            "took turns"
        } else {
            "did NOT take turns"
        };
        self.stage
            .say(format!("  racks {word}: {}", text.join(", ")));
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::compile(text).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| format!("`{text}` is not a time"))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        "h" => Ok(Duration::from_secs(number * 3600)),
        _ => Err(format!("`{text}` is not a time")),
    }
}

/// `COUNT hosts`, `COUNT hosts in COUNT racks`: a fleet with one pool, written as KDL.
pub fn fleet(rest: &str) -> Result<String, String> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let number = |word: &str| {
        word.parse::<usize>()
            .map_err(|_| format!("`{word}` is no number"))
    };
    let (hosts, racks) = match words[..] {
        [hosts, "host" | "hosts"] => (number(hosts)?, 1),
        [hosts, "hosts", "in", racks, "racks"] => (number(hosts)?, number(racks)?),
        _ => return Err("fleet COUNT hosts [in COUNT racks]".to_owned()),
    };
    let mut text = String::from(
        r#"/- kdl-version 2
spec sim edition="2026" namespace=metal3 {
    lab #true
    simulated pace=1 seed=1
    secrets secrets
}
image a {
    url "https://images.example/a.qcow2"
    checksum "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
    format qcow2
}
image b {
    url "https://images.example/b.qcow2"
    checksum "sha256:1f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
    format qcow2
}
pool workers {
    select role=worker
    replicas all
    deploy a {
        user-data (secret)init
    }
    rollout max-unavailable=1
}
each {
    online #true
    labels role=worker
    bmc {
        address "redfish-virtualmedia://192.0.2.${rack.index}:${8000 + host.slot}/redfish/v1/Systems/1"
        credentials (secret)bmc
    }
    boot mac="${mac('52:54:00:01:00:00', rack.index * 1000 + host.slot)}"
}
"#,
    );
    for rack in 1..=racks {
        let count = (hosts + racks - rack) / racks;
        let _ = writeln!(
            text,
            "rack r{rack:02} index={rack} {{\n    host \"r{rack:02}-n[slot=01-{count:02}]\"\n}}"
        );
    }
    Ok(text)
}
