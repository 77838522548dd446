//! How far something is: a bar on a terminal, plain lines elsewhere, nothing for what is done at
//! once.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Work that ends sooner shows nothing.
const PATIENCE: Duration = Duration::from_millis(700);
/// Between two drawings on a terminal…
const REDRAW: Duration = Duration::from_millis(120);
/// …and between two lines elsewhere.
const LINES: Duration = Duration::from_secs(10);
/// Characters of the bar.
const WIDTH: usize = 30;

/// See the module.
pub(super) struct Progress {
    what: &'static str,
    started: Instant,
    shown: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { what, started: Instant::now(), shown: None, is_terminal }
    }

    /// This share is done.
    pub(super) fn show(&mut self, done: f64) -> ControlFlow<()> {
        let wait = if self.is_terminal { REDRAW } else { LINES };
        let is_due =
            self.shown.map_or(self.started.elapsed() >= PATIENCE, |at| at.elapsed() >= wait);
        if is_due {
            self.shown = Some(Instant::now());
            let done = done.clamp(0.0, 1.0);
            let mut stderr = std::io::stderr().lock();
            // Progress that cannot be shown is not shown.
            let _ = match self.is_terminal {
                true => write!(stderr, "\r{} {} {:3.0} %", self.what, bar(done), done * 100.0),
                false => writeln!(stderr, "{}: {:.0} %", self.what, done * 100.0),
            };
            let _ = stderr.flush();
        }
        ControlFlow::Continue(())
    }

    /// Takes the bar away.
    pub(super) fn end(&mut self) {
        if self.is_terminal && self.shown.is_some() {
            let _ = write!(std::io::stderr(), "\r{:80}\r", "");
        }
    }
}

fn bar(done: f64) -> String {
    let full = (done * WIDTH as f64) as usize;
    format!("[{}{}]", "#".repeat(full), ".".repeat(WIDTH - full.min(WIDTH)))
}
