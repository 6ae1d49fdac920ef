//! Reading scripts: one rule a line.
//!
//! ```text
//! line   = [ rule ] [ "#" comment ]
//! rule   = "fail" task hosts [ times ] [ during ]
//!        | "slow" ( task | "bmc" | "all" ) hosts number "x" [ during ]
//!        | "lose" "node" hosts [ "at" time ]
//!        | "lose" "bmc" hosts [ during ]
//!        | "wrong" "credentials" hosts [ during ]
//!        | "busy" hosts [ times ] [ during ]
//!        | "api" ( "down" | "slow" time | "unauthorized" ) [ during ]
//!        | "limit" ( "inspect" | "clean" | "deploy" ) number
//!        | "take" task time [ "to" time ]
//! task   = "verify" | "inspect" | "clean" | "deploy" | "undeploy" | "adopt" | "power"
//! times  = "once" | "always" | number "times" | number "%"
//! during = "from" time [ ( "to" | "until" ) time ] | "until" time
//! time   = number ( "ms" | "s" | "m" | "h" )
//! hosts  = a name with ranges and "*", as in the language: r01-n[01-04], r02-*
//! ```

use std::ops::Range;
use std::time::Duration;

use super::{During, Hosts, Rule, Tasks, Times, What};
use crate::budget::SlotKind;
use crate::eval::range::Pattern;
use crate::provision::sim::script::{Span, Task};

/// Longest time that a script can name.
const LONGEST: Duration = Duration::from_hours(8784);
/// How much slower something can be.
const SLOWEST: u32 = 1000;

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}:{line}:{column}: {message}\n  | {text}\n  = help: {help}")]
pub struct ScriptError {
    /// The script's name.
    pub place: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The line.
    pub text: String,
    /// What would be right.
    pub help: String,
}

/// Reads a script. `place` is its name in errors.
pub fn script(place: &str, text: &str) -> Result<Vec<Rule>, ScriptError> {
    let mut rules = Vec::new();
    for (index, line) in text.lines().enumerate() {
        rules.extend(rule(line).map_err(|problem| {
            let before = line.get(..problem.range.start).unwrap_or(line);
            ScriptError {
                place: place.to_owned(),
                line: index + 1,
                column: before.chars().count() + 1,
                message: problem.message,
                text: line.trim_end().to_owned(),
                help: problem.help,
            }
        })?);
    }
    Ok(rules)
}

/// What is wrong with a line.
struct Problem {
    message: String,
    help: String,
    range: Range<usize>,
}

/// The words of a line.
struct Words<'t> {
    line: &'t str,
    words: Vec<(usize, &'t str)>,
    next: usize,
}

const RULES: &str = "a line begins with `fail`, `slow`, `lose`, `wrong`, `busy`, `api`, `limit` or \
                     `take`, e.g. `fail deploy r01-n03 once`";
const HOSTS: &str = "name the hosts, e.g. `r01-n03`, `r01-n[01-04]` or `*`";
const TIME: &str = "a time is a whole number with its unit, e.g. `500ms`, `20s`, `5m` or `1h`";
const TASKS: &str =
    "it is one of `verify`, `inspect`, `clean`, `deploy`, `undeploy`, `adopt` and `power`";

fn rule(line: &str) -> Result<Option<Rule>, Problem> {
    let code = line.split('#').next().unwrap_or_default();
    let mut words = Words {
        line: code,
        words: code
            .split_whitespace()
            .map(|word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
            .collect(),
        next: 0,
    };
    if words.words.is_empty() {
        return Ok(None);
    }
    let mut during = None;
    let what = match words.take(RULES)? {
        "fail" => What::Fail {
            task: words.task(TASKS)?,
            hosts: words.hosts()?,
            times: words.times()?,
        },
        "slow" => What::Slow {
            tasks: words.tasks()?,
            hosts: words.hosts()?,
            factor: words.factor()?,
        },
        "lose" => match words.take("lose what? `node` or `bmc`")? {
            "node" => {
                let hosts = words.hosts()?;
                let from = if words.skip("at") {
                    words.time()?
                } else {
                    Duration::ZERO
                };
                during = Some(During { from, until: None });
                What::LoseNode(hosts)
            }
            "bmc" => What::LoseBmc(words.hosts()?),
            _ => return Err(words.unknown("lose what? `node` or `bmc`")),
        },
        "wrong" => match words.take("only credentials can be wrong: `wrong credentials HOSTS`")? {
            "credentials" => What::WrongCredentials(words.hosts()?),
            _ => return Err(words.unknown("only credentials can be wrong")),
        },
        "busy" => What::Busy {
            hosts: words.hosts()?,
            times: words.times()?,
        },
        "api" => match words.take("what of the API? `down`, `slow TIME` or `unauthorized`")? {
            "down" => What::ApiDown,
            "slow" => What::ApiSlow(words.time()?),
            "unauthorized" => What::ApiUnauthorized,
            _ => return Err(words.unknown("it is one of `down`, `slow TIME` and `unauthorized`")),
        },
        "limit" => {
            during = Some(During::ALWAYS);
            What::Limit {
                kind: words.slot()?,
                most: words.most()?,
            }
        }
        "take" => {
            during = Some(During::ALWAYS);
            What::Take {
                task: words.task(TASKS)?,
                span: words.span()?,
            }
        }
        _ => return Err(words.unknown(RULES)),
    };
    let during = match during {
        Some(during) => during,
        None => words.during()?,
    };
    words.end()?;
    Ok(Some(Rule {
        what,
        during,
        text: words
            .words
            .iter()
            .map(|(_, word)| *word)
            .collect::<Vec<_>>()
            .join(" "),
    }))
}

impl<'t> Words<'t> {
    fn peek(&self) -> Option<&'t str> {
        self.words.get(self.next).map(|(_, word)| *word)
    }

    fn take(&mut self, help: &str) -> Result<&'t str, Problem> {
        let Some(word) = self.peek() else {
            let end = self.line.trim_end().len();
            return Err(Problem {
                message: "the line ends too early".to_owned(),
                help: help.to_owned(),
                range: end..end,
            });
        };
        self.next += 1;
        Ok(word)
    }

    fn skip(&mut self, word: &str) -> bool {
        let there = self.peek() == Some(word);
        self.next += usize::from(there);
        there
    }

    /// A problem with the word that was taken last.
    fn wrong(&self, message: impl Into<String>, help: impl Into<String>) -> Problem {
        let (at, word) = self
            .words
            .get(self.next.saturating_sub(1))
            .copied()
            .unwrap_or_default();
        Problem {
            message: message.into(),
            help: help.into(),
            range: at..at + word.len(),
        }
    }

    fn unknown(&self, help: &str) -> Problem {
        let word = self
            .words
            .get(self.next.saturating_sub(1))
            .map_or("", |(_, word)| *word);
        self.wrong(format!("`{word}` is not known here"), help)
    }

    fn end(&mut self) -> Result<(), Problem> {
        match self.peek() {
            None => Ok(()),
            Some(word) => {
                self.next += 1;
                Err(self.wrong(
                    format!("`{word}` is too much"),
                    "nothing more is expected; one rule a line, comments begin with `#`",
                ))
            }
        }
    }

    fn task(&mut self, help: &str) -> Result<Task, Problem> {
        let word = self.take(help)?;
        Task::named(word).ok_or_else(|| self.unknown(help))
    }

    fn tasks(&mut self) -> Result<Tasks, Problem> {
        const HELP: &str = "it is one of `bmc` (verify and power), `all`, `verify`, `inspect`, \
                            `clean`, `deploy`, `undeploy`, `adopt` and `power`";
        match self.take(HELP)? {
            "bmc" => Ok(Tasks::Bmc),
            "all" => Ok(Tasks::All),
            word => Task::named(word)
                .map(Tasks::One)
                .ok_or_else(|| self.unknown(HELP)),
        }
    }

    fn slot(&mut self) -> Result<SlotKind, Problem> {
        const HELP: &str = "it is one of `inspect`, `clean` and `deploy`";
        let word = self.take(HELP)?;
        let kind = SlotKind::ALL.into_iter().find(|kind| kind.as_str() == word);
        kind.ok_or_else(|| self.unknown(HELP))
    }

    fn most(&mut self) -> Result<usize, Problem> {
        const HELP: &str = "how many machines at once, e.g. `limit deploy 20`";
        let word = self.take(HELP)?;
        let number = word
            .parse()
            .ok()
            .filter(|number| (1..=1_000_000).contains(number));
        number.ok_or_else(|| self.wrong(format!("`{word}` is not a number from 1"), HELP))
    }

    fn hosts(&mut self) -> Result<Hosts, Problem> {
        let word = self.take(HOSTS)?;
        Pattern::compile(word).map(Hosts).map_err(|error| {
            let mut problem = self.wrong(error.message, error.help.unwrap_or_else(|| HOSTS.into()));
            problem.range.start += error.range.start;
            problem
        })
    }

    fn factor(&mut self) -> Result<u32, Problem> {
        const HELP: &str = "how many times as slow, e.g. `10x`; at most `1000x`";
        let word = self.take(HELP)?;
        let factor = word
            .strip_suffix('x')
            .and_then(|number| number.parse().ok());
        let factor = factor.filter(|factor| (1..=SLOWEST).contains(factor));
        factor.ok_or_else(|| self.wrong(format!("`{word}` is not a factor"), HELP))
    }

    fn times(&mut self) -> Result<Times, Problem> {
        const HELP: &str = "how often is `once`, `always`, `3 times` or `2%`";
        let Some(word) = self.peek() else {
            return Ok(Times::Always);
        };
        if word == "once" || word == "always" {
            self.next += 1;
            return Ok(if word == "once" {
                Times::First(1)
            } else {
                Times::Always
            });
        }
        if !word.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(Times::Always);
        }
        self.next += 1;
        if let Some(number) = word.strip_suffix('%') {
            let percent: Option<u32> = number.parse().ok().filter(|percent| *percent <= 100);
            let percent = percent
                .ok_or_else(|| self.wrong(format!("`{word}` is not a share up to 100%"), HELP))?;
            return Ok(Times::Permille(percent * 10));
        }
        let number = word.parse().map_err(|_| self.unknown(HELP))?;
        match self.take(HELP)? {
            "times" | "time" => Ok(Times::First(number)),
            _ => Err(self.unknown(HELP)),
        }
    }

    fn during(&mut self) -> Result<During, Problem> {
        let from = if self.skip("from") {
            Some(self.time()?)
        } else {
            None
        };
        let has_end = self.skip("until") || (from.is_some() && self.skip("to"));
        let until = if has_end { Some(self.time()?) } else { None };
        let from = from.unwrap_or_default();
        if until.is_some_and(|until| until <= from) {
            return Err(self.wrong("it ends before it begins", "times count from the start"));
        }
        Ok(During { from, until })
    }

    fn span(&mut self) -> Result<Span, Problem> {
        let least = self.time()?;
        let most = if self.skip("to") { self.time()? } else { least };
        if most < least {
            return Err(self.wrong("the longest is shorter than the shortest", TIME));
        }
        Ok(Span { least, most })
    }

    fn time(&mut self) -> Result<Duration, Problem> {
        let word = self.take(TIME)?;
        let digits = word
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(word.len());
        let (number, unit) = word.split_at(digits);
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(self.wrong(format!("`{word}` is not a time"), TIME)),
        };
        let number: Option<u64> = number.parse().ok();
        let time = number
            .and_then(|number| number.checked_mul(millis))
            .map(Duration::from_millis);
        let time = time.filter(|time| *time <= LONGEST);
        time.ok_or_else(|| self.wrong(format!("`{word}` is not a time of at most a year"), TIME))
    }
}
