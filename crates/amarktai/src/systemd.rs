//! Words to the service manager, and the port that it keeps for us.
//!
//! Its protocol is one datagram a word, so there is no library for it here. Without the manager's
//! variables all of it does nothing.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The way to the service manager.
#[derive(Debug)]
pub struct Manager {
    socket: Option<(UnixDatagram, SocketAddr)>,
}

impl Manager {
    /// As this process' environment says.
    pub fn of_process() -> Self {
        Self::at(std::env::var("NOTIFY_SOCKET").ok().as_deref())
    }

    /// At this address: a path, or a name after `@`.
    pub fn at(address: Option<&str>) -> Self {
        let address = address.and_then(|address| match address.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok(),
            None => SocketAddr::from_pathname(address).ok(),
        });
        let socket = address.and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        Self { socket }
    }

    /// The server listens and the store is recovered.
    pub fn ready(&self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={status}"));
    }

    /// The core advances.
    pub fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    /// An orderly end has begun.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    fn say(&self, word: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(word.as_bytes(), address)
        {
            tracing::warn!(%error, "the service manager does not listen");
        }
    }
}

/// The listening socket that the service manager holds for us: while we restart, clients wait in
/// its backlog. Taken once; `None`: there is none, and we bind our own.
///
/// # Errors
/// There is one, and it is no TCP socket.
pub fn inherited_listener() -> std::io::Result<Option<TcpListener>> {
    let listener = listenfd::ListenFd::from_env().take_tcp_listener(0)?;
    if let Some(listener) = &listener {
        listener.set_nonblocking(true)?;
    }
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_one_datagram_and_nobody_listening_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let listening = UnixDatagram::bind(&path).unwrap();
        let manager = Manager::at(path.to_str());
        manager.ready("listening");
        manager.alive();
        manager.stopping();
        let mut words = Vec::new();
        for _ in 0..3 {
            let mut buffer = [0; 64];
            let length = listening.recv(&mut buffer).unwrap();
            words.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
        assert_eq!(words, ["READY=1\nSTATUS=listening", "WATCHDOG=1", "STOPPING=1"]);
        drop(listening);
        manager.alive();
        Manager::at(None).alive();
    }
}
