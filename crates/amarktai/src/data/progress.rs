//! How far long work has come: one line that moves on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Plain lines are for logs: not more often than that.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The moving line.
const MOVE_EVERY: Duration = Duration::from_millis(200);

/// See the module.
pub(crate) struct Progress {
    is_terminal: bool,
    said_at: Option<Instant>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), said_at: None }
    }

    /// Says it, unless something was said just before.
    pub(crate) fn say(&mut self, text: impl FnOnce() -> String) {
        let every = if self.is_terminal { MOVE_EVERY } else { LINE_EVERY };
        if self.said_at.is_some_and(|at| at.elapsed() < every) {
            return;
        }
        self.said_at = Some(Instant::now());
        if self.is_terminal {
            eprint!("\r\x1b[2K{}", text());
            // Nothing depends on it.
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{}", text());
        }
    }

    /// Leaves the terminal's line to whoever comes next.
    pub(crate) fn end(&mut self) {
        if self.is_terminal && self.said_at.take().is_some() {
            eprint!("\r\x1b[2K");
        }
    }
}

/// A share as a bar of twenty.
pub(crate) fn bar(done: i64, all: i64) -> String {
    let share = if all > 0 { (done.clamp(0, all) * 20 / all) as usize } else { 20 };
    let percent = if all > 0 { done.clamp(0, all) * 100 / all } else { 100 };
    format!("[{}{}] {percent:3} %", "#".repeat(share), ".".repeat(20 - share))
}
