//! What a verb prints: the server's JSON or a text for people, and how the process ends.

use super::failure::Failure;
use super::table::{Column, table};
use serde_json::Value;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// What a verb came to.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) json: Value,
    pub(crate) text: String,
    /// For people beside the result, on stderr.
    pub(crate) note: Option<String>,
    pub(crate) exit: u8,
}

impl Answer {
    /// A result and its text.
    pub(crate) fn new(json: Value, text: String) -> Self {
        Self { json, text, note: None, exit: 0 }
    }

    /// A list, whole or a page of one; says how to go on where there is more.
    pub(crate) fn list(answer: Value, columns: &[Column]) -> Self {
        let next = answer["next"].as_str().map(|next| format!("more: --after {next}"));
        let items = items(answer);
        let text = table(columns, &items);
        Self { json: Value::Array(items), text, note: next, exit: 0 }
    }

    /// Prints it.
    pub(crate) fn print(self, is_json: bool) -> Result<ExitCode, Failure> {
        let text = if is_json { format!("{:#}\n", self.json) } else { self.text };
        out(&text)?;
        if let Some(note) = self.note {
            eprintln!("{note}");
        }
        Ok(ExitCode::from(self.exit))
    }
}

/// The rows of a page, or of a list that is given whole.
pub(crate) fn items(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(items) => items,
        Value::Object(mut page) => match page.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// To stdout; a reader that went away is told apart from a disk that is full.
pub(crate) fn out(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => Failure::NobodyReads,
        _ => Failure::could_not(format!("stdout: {e}")),
    })
}
