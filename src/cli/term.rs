//! The terminal: where to write, in which colours, how wide.

use std::io::{self, IsTerminal as _, Write as _};

use crate::plan::Palette;

use super::{ColorChoice, Global};

/// Knows how to write to the two streams.
#[derive(Debug, Clone)]
pub struct Term {
    quiet: bool,
    color_out: bool,
    color_err: bool,
    tty_err: bool,
}

impl Term {
    pub(super) fn new(global: &Global) -> Self {
        let allowed = |terminal: bool| match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                let set = |name: &str| std::env::var_os(name).is_some_and(|text| !text.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                !set("NO_COLOR") && ((terminal && !dumb) || set("CLICOLOR_FORCE"))
            }
        };
        Self {
            quiet: global.quiet,
            color_out: allowed(io::stdout().is_terminal()),
            color_err: allowed(io::stderr().is_terminal()),
            tty_err: io::stderr().is_terminal(),
        }
    }

    /// True with `--quiet`.
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// True when standard error is a terminal: then progress may redraw itself.
    pub fn live(&self) -> bool {
        self.tty_err && !self.quiet
    }

    /// True when standard error takes colours.
    pub fn color_err(&self) -> bool {
        self.color_err
    }

    /// True when standard output takes colours.
    pub fn color_out(&self) -> bool {
        self.color_out
    }

    /// Colours for standard output.
    pub fn palette(&self) -> Palette {
        if self.color_out { Palette::ANSI } else { Palette::default() }
    }

    /// Colours for standard error.
    pub fn palette_err(&self) -> Palette {
        if self.color_err { Palette::ANSI } else { Palette::default() }
    }

    /// Columns of the terminal, 100 where there is none.
    pub fn width(&self) -> usize {
        let (_, columns) = console::Term::stderr().size_checked().unwrap_or((50, 100));
        usize::from(columns).max(40)
    }

    /// Rows of the terminal.
    pub fn height(&self) -> usize {
        let (rows, _) = console::Term::stderr().size_checked().unwrap_or((50, 100));
        usize::from(rows)
    }

    /// Writes the answer. A closed pipe ends quietly.
    pub fn out(&self, text: &str) {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
    }

    /// Writes a line of progress, unless quiet.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.err(&format!("{line}\n"));
        }
    }

    /// Writes to standard error, quiet or not.
    pub fn err(&self, text: &str) {
        let mut err = io::stderr().lock();
        err.write_all(text.as_bytes()).and_then(|()| err.flush()).ok();
    }

    /// Writes an error.
    pub fn error(&self, text: &str) {
        let Palette { red, off, .. } = self.palette_err();
        self.err(&format!("{red}error{off}: {text}\n"));
    }

    /// Writes what to do next.
    pub fn help(&self, text: &str) {
        let Palette { dim, off, .. } = self.palette_err();
        self.err(&format!("  {dim}help{off}: {text}\n"));
    }
}
