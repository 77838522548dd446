//! A password: asked for on the terminal without showing it, or one line of stdin.

use super::failure::Failure;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{BufRead, IsTerminal, Read, Stdin, Write};

/// Longest line that is read: more than the server takes.
const LINE_BYTES_MAX: u64 = 4_096;

/// The password of somebody new; typed twice on a terminal, where a slip would be unseen.
pub(crate) fn ask(name: &str) -> Result<String, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return line(&stdin);
    }
    let hidden = Hidden::on(&stdin)?;
    eprint!("password of {name}: ");
    let password = line(&stdin);
    eprint!("\nonce more: ");
    let again = line(&stdin);
    drop(hidden);
    eprintln!();
    let password = password?;
    if password != again? {
        return Err(Failure::could_not("the two passwords differ; nobody was made"));
    }
    Ok(password)
}

/// A part of a secret that can be looked at where it came from: typed once.
pub(crate) fn part(of: &str) -> Result<String, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return line(&stdin);
    }
    let hidden = Hidden::on(&stdin)?;
    eprint!("{of}: ");
    let part = line(&stdin);
    drop(hidden);
    eprintln!();
    part
}

fn line(stdin: &Stdin) -> Result<String, Failure> {
    let _shown = std::io::stderr().flush();
    let mut text = String::new();
    let read = stdin.lock().take(LINE_BYTES_MAX).read_line(&mut text);
    read.map_err(|e| Failure::could_not(format!("the password cannot be read: {e}")))?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(Failure::Usage("nothing was given: type it, or pipe one line".into()));
    }
    Ok(password.to_owned())
}

/// The terminal shows nothing of what is typed until this is dropped.
struct Hidden<'s> {
    stdin: &'s Stdin,
    before: Termios,
}

impl<'s> Hidden<'s> {
    fn on(stdin: &'s Stdin) -> Result<Self, Failure> {
        let wrong = |e| Failure::could_not(format!("the terminal cannot hide a password: {e}"));
        let before = tcgetattr(stdin).map_err(wrong)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stdin, OptionalActions::Flush, &silent).map_err(wrong)?;
        Ok(Self { stdin, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that went away.
        let _gone = tcsetattr(self.stdin, OptionalActions::Flush, &self.before);
    }
}
