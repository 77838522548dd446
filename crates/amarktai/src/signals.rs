//! The signals that end the program, listened for from its first moment: one that comes while it
//! starts ends it in order as soon as it can. SIGUSR1 pulls the fleet's emergency stop: it needs
//! neither the network nor the web.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// An orderly end.
    End,
    /// The emergency stop of the fleet.
    EmergencyStop,
}

/// SIGTERM, Ctrl-C, the closed terminal, and SIGUSR1.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// `None`: ignored from the start.
    hangup: Option<Signal>,
    user: Signal,
}

impl Signals {
    /// Listens from now on; the signals do not end the process by themselves any more.
    ///
    /// # Errors
    /// Where the system does not let us listen.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: (!is_hangup_ignored()).then(|| signal(SignalKind::hangup())).transpose()?,
            user: signal(SignalKind::user_defined1())?,
        })
    }

    /// Until one comes that ends the program.
    pub async fn end(&mut self) {
        while self.come().await != Asked::End {}
    }

    /// Until one of them came; further ones are harmless.
    pub async fn come(&mut self) -> Asked {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = hangup => Asked::End,
            _ = self.user.recv() => Asked::EmergencyStop,
        }
    }
}

/// Started by `nohup`, we outlive the terminal; listening for the signal would undo that.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Bit 0 is signal 1.
    mask.is_some_and(|mask| mask & 1 == 1)
}
