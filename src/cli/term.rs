//! The terminal: where to write, in which colours, how wide.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::plan::Palette;

use super::{ColorChoice, Global};

/// Knows how to write to the two streams.
#[derive(Debug, Clone)]
pub struct Term {
    quiet: bool,
    color_out: bool,
    color_err: bool,
    tty_err: bool,
    /// Lines of the picture that stands at the bottom of the terminal and is drawn anew.
    drawn: Arc<Mutex<usize>>,
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
            drawn: Arc::default(),
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
        if self.color_out {
            Palette::ANSI
        } else {
            Palette::default()
        }
    }

    /// Colours for standard error.
    pub fn palette_err(&self) -> Palette {
        if self.color_err {
            Palette::ANSI
        } else {
            Palette::default()
        }
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
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .ok();
    }

    /// Writes a line of progress, unless quiet.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.err(&format!("{line}\n"));
        }
    }

    /// Writes to standard error, quiet or not. A picture that stands there goes; it comes back
    /// with the next [`Term::redraw`].
    pub fn err(&self, text: &str) {
        let mut drawn = self.drawn();
        let mut err = io::stderr().lock();
        clear(&mut err, &mut drawn)
            .and_then(|()| err.write_all(text.as_bytes()))
            .ok();
        err.flush().ok();
    }

    /// Puts a picture in the place of the last one.
    pub fn redraw(&self, text: &str) {
        let mut drawn = self.drawn();
        let mut err = io::stderr().lock();
        clear(&mut err, &mut drawn)
            .and_then(|()| err.write_all(text.as_bytes()))
            .ok();
        err.flush().ok();
        *drawn = text.lines().count();
    }

    fn drawn(&self) -> MutexGuard<'_, usize> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Takes the picture off: up to its first line, and clear to the end of the screen.
fn clear(err: &mut impl io::Write, drawn: &mut usize) -> io::Result<()> {
    let lines = std::mem::take(drawn);
    if lines == 0 {
        Ok(())
    } else {
        write!(err, "\u{1b}[{lines}A\r\u{1b}[J")
    }
}

/// Lets log lines and a picture share the terminal.
#[derive(Debug)]
pub struct LogWriter(Term);

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.err(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Term {
    type Writer = LogWriter;

    fn make_writer(&'a self) -> LogWriter {
        LogWriter(self.clone())
    }
}
