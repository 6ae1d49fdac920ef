//! `metalform completions`.

use clap::CommandFactory as _;

use super::{Args, Exit, Failure, Term};

/// Print completions for a shell
///
/// For bash: metalform completions bash > ~/.local/share/bash-completion/completions/metalform
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn completions(term: &Term, args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "metalform", &mut text);
    term.out(&String::from_utf8_lossy(&text));
    Ok(Exit::Success)
}
