//! What a person at a terminal is asked before something is done.

use std::io::{BufRead, IsTerminal as _};

use crate::cli::{Exit, Failure, Term};

use super::ApplyArgs;

/// What is asked before something is done.
pub(super) struct Question {
    text: &'static str,
    /// What `--yes` does without it.
    to: &'static str,
    /// What a no comes to.
    no: &'static str,
}

pub(super) const CARRY_OUT: Question = Question {
    text: "Carry this out?",
    to: "carry out the plan as shown",
    no: "not confirmed; nothing was changed",
};

/// Beside a process that carries out what needs no word.
pub(super) const GIVE_WORDS: Question = Question {
    text: "The running process carries out what needs no word. Give the words that are allowed here?",
    to: "give the words",
    no: "not confirmed; no word was given, and the running process carries out the rest",
};

/// The same beside a controller of a cluster.
pub(super) const GIVE_WORDS_TO_CONTROLLER: Question = Question {
    text: "The controller carries out what needs no word. Give the words that are allowed here?",
    to: "give the words",
    no: "not confirmed; no word was given, and the controller carries out the rest",
};

/// Asks, unless the command line says yes. Anything but a yes is a failure.
pub(super) fn ask(term: &Term, args: &ApplyArgs, question: &Question) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(
            Failure::new(Exit::Usage, "not on a terminal, so nobody can be asked")
                .help(format!("give --yes to {}", question.to)),
        );
    }
    term.err(&format!("{} [y/N] ", question.text));
    if confirmed(&mut stdin.lock()) {
        return Ok(());
    }
    Err(Failure::new(Exit::No, question.no))
}

/// Nothing but a clear yes is one: not the end of the input, not an empty line.
fn confirmed(answers: &mut impl BufRead) -> bool {
    let mut answer = String::new();
    let read = answers.read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        let said = |text: &str| confirmed(&mut text.as_bytes());
        assert!(["y\n", "yes\n", " Y \n", "YES"].into_iter().all(said));
        assert!(
            !["", "\n", "n\n", "no\n", "yo\n", "n\ny\n"]
                .into_iter()
                .any(said)
        );
        assert!(
            !confirmed(&mut [0xff, 0xfe, b'\n'].as_slice()),
            "what is no text is no yes"
        );
    }
}
