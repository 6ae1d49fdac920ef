//! The terminal: where to write, in which colours, how wide.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::plan::Palette;

use super::{ColorChoice, Global, LogFormat};

/// Knows how to write to the two streams.
#[derive(Debug, Clone)]
pub struct Term {
    quiet: bool,
    /// Standard error is one JSON object a line.
    json: bool,
    color_out: bool,
    color_err: bool,
    tty_err: bool,
    /// What stands on the terminal.
    drawn: Arc<Mutex<Drawn>>,
    /// Why the answer did not get out, the first time.
    lost: Arc<Mutex<Option<String>>>,
}

/// What stands on the terminal.
#[derive(Debug, Default)]
struct Drawn {
    /// Lines of the picture that stands at the bottom and is drawn anew.
    picture: usize,
    /// Lines above it that were said last.
    said: usize,
    /// Lines that were said since the picture was drawn.
    fresh: usize,
    /// When that was.
    when: Option<Instant>,
}

/// What is said within so long belongs together.
const TOGETHER: Duration = Duration::from_secs(3);

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
            json: global.log_format == LogFormat::Json,
            color_out: allowed(io::stdout().is_terminal()),
            color_err: allowed(io::stderr().is_terminal()),
            // Without cursor movement there are lines only.
            tty_err: io::stderr().is_terminal()
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
            drawn: Arc::default(),
            lost: Arc::default(),
        }
    }

    /// True with `--quiet`.
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// True when standard error is a terminal: then progress may redraw itself.
    pub fn live(&self) -> bool {
        self.tty_err && !self.quiet && !self.json
    }

    /// True with `--log-format json`: then [`Term::event`] is for what has fields.
    pub fn json(&self) -> bool {
        self.json
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

    /// Columns of an answer: those of the terminal that shows it, or as many as a plan has.
    pub fn width_out(&self) -> usize {
        let terminal = console::Term::stdout();
        match terminal.size_checked() {
            Some((_, columns)) if terminal.is_term() => usize::from(columns).clamp(60, 140),
            _ => crate::plan::WIDTH,
        }
    }

    /// Rows of the terminal.
    pub fn height(&self) -> usize {
        let (rows, _) = console::Term::stderr().size_checked().unwrap_or((50, 100));
        usize::from(rows)
    }

    /// Writes the answer. What does not get out is told at the end, see [`Term::lost`]; a reader
    /// who has seen enough (`| head`) is no error.
    pub fn out(&self, text: &str) {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.get_or_insert_with(|| error.to_string());
        }
    }

    /// Why a part of the answer did not get out.
    pub fn lost(&self) -> Option<String> {
        let lost = self.lost.lock();
        lost.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes a line of progress, unless quiet.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.err(&format!("{line}\n"));
        }
    }

    /// Writes to standard error, quiet or not; an event of its own with `--log-format json`.
    pub fn err(&self, text: &str) {
        if self.json {
            self.event("INFO", text.trim_end(), json!({}));
        } else {
            self.write(text);
        }
    }

    /// An event among the log lines, with `--log-format json`.
    pub fn event(&self, level: &str, message: &str, fields: Value) {
        let mut line = json!({
            "timestamp": jiff::Timestamp::now().to_string(),
            "level": level,
            "message": message,
            "target": "metalform",
        });
        if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
            line.extend(fields);
        }
        self.write(&format!("{line}\n"));
    }

    /// A picture that stands there goes; it comes back with the next [`Term::redraw`].
    fn write(&self, text: &str) {
        let mut drawn = self.drawn();
        let frame = clear(&mut drawn) + text;
        if self.tty_err {
            let width = self.width();
            let rows = |line: &str| console::measure_text_width(line).div_ceil(width).max(1);
            drawn.fresh += text.lines().map(rows).sum::<usize>();
        }
        send(&frame);
    }

    /// How many lines were said last, which whoever looks is to see above a picture.
    pub fn said(&self) -> usize {
        let mut drawn = self.drawn();
        if drawn.fresh > 0 {
            let now = Instant::now();
            let together = drawn.when.is_some_and(|when| now - when < TOGETHER);
            drawn.said = std::mem::take(&mut drawn.fresh) + if together { drawn.said } else { 0 };
            drawn.when = Some(now);
        }
        drawn.said
    }

    /// Puts a picture in the place of the last one, at once for terminals that can.
    pub fn redraw(&self, text: &str) {
        let mut drawn = self.drawn();
        let clear = clear(&mut drawn);
        send(&format!("\u{1b}[?2026h{clear}{text}\u{1b}[?2026l"));
        drawn.picture = text.lines().count();
    }

    fn drawn(&self) -> MutexGuard<'_, Drawn> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an error.
    pub fn error(&self, text: &str) {
        if self.json {
            return self.event("ERROR", text, json!({}));
        }
        let Palette { red, off, .. } = self.palette_err();
        self.err(&format!("{red}error{off}: {text}\n"));
    }

    /// Writes what to do next.
    pub fn help(&self, text: &str) {
        if self.json {
            return self.event("INFO", text, json!({"kind": "help"}));
        }
        let Palette { dim, off, .. } = self.palette_err();
        self.err(&format!("  {dim}help{off}: {text}\n"));
    }
}

/// Takes the picture off: up to its first line, and clear to the end of the screen.
fn clear(drawn: &mut Drawn) -> String {
    match std::mem::take(&mut drawn.picture) {
        0 => String::new(),
        lines => format!("\u{1b}[{lines}A\r\u{1b}[J"),
    }
}

/// To standard error, in one piece. Nobody is left to tell when that fails.
fn send(text: &str) {
    let mut err = io::stderr().lock();
    err.write_all(text.as_bytes()).ok();
    err.flush().ok();
}

/// Lets log lines and a picture share the terminal.
#[derive(Debug)]
pub struct LogWriter(Term);

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&String::from_utf8_lossy(bytes));
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
