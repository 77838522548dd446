//! To whom a verb speaks: the server that owns the data directory, or, where nobody does, the data
//! directory itself.

use super::api::{Api, Token};
use super::failure::Failure;
use crate::config::{Config, Origin};
use crate::offline::{Offline, OfflineError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use storage::StoreError;
use tokio::net::TcpStream;

/// Written by the running server: its address.
pub(crate) const ADDRESS_FILE: &str = "server.addr";
/// Written by the running server: an admin's token that ends with it.
pub(crate) const TOKEN_FILE: &str = "local.token";
/// Where `demo` keeps its data when nobody says.
const DEMO_DIR: &str = "amarktai-demo";
/// A server that starts, or another command, holds the lock for a moment before it answers.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Between two looks at the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// To see whether anybody listens.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// What a verb needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Something to read.
    Look,
    /// Something to change.
    Order,
    /// The same, where there may be nothing yet: the store is created.
    Found,
}

/// Somebody to speak to.
pub(crate) struct Session {
    pub(crate) api: Api,
    pub(crate) here: Option<Offline>,
}

impl Session {
    /// Finds whom to speak to.
    pub(crate) async fn open(config: &Config, need: Need) -> Result<Self, Failure> {
        let session = Self::find(config, need).await?;
        if need != Need::Look {
            session.first_account(config).await?;
        }
        Ok(session)
    }

    async fn find(config: &Config, need: Need) -> Result<Self, Failure> {
        if is_address_given(config) {
            return Self::running(config);
        }
        let is_stored = config.database_path().exists();
        if !is_stored && (config.token.is_some() || need != Need::Found) {
            return Self::elsewhere(config);
        }
        let began = Instant::now();
        loop {
            let pid = match Offline::open(config).await {
                Ok(here) => return Self::offline(here),
                Err(OfflineError::Store(StoreError::Locked { pid, .. })) => pid,
                Err(error) => return Err(Failure::could_not(error.to_string())),
            };
            let address = address(config);
            if is_listening(&address).await {
                return Self::server(config, address);
            }
            if began.elapsed() > LOCK_WAIT {
                let owner = pid.map_or_else(|| "a process".into(), |pid| format!("process {pid}"));
                return Err(Failure::could_not(format!(
                    "{} is in use by {owner}, but nothing answers at {address}; wait until it \
                     listens, or end it",
                    config.data_dir.display()
                )));
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
    }

    /// The running server alone.
    pub(crate) fn running(config: &Config) -> Result<Self, Failure> {
        Self::server(config, address(config))
    }

    fn server(config: &Config, address: String) -> Result<Self, Failure> {
        let address = reachable(address);
        let token = token(config, &address);
        Ok(Self { api: Api::new(address, token)?, here: None })
    }

    /// No store: only a server with another data directory can be meant.
    fn elsewhere(config: &Config) -> Result<Self, Failure> {
        if config.token.is_some() {
            return Self::running(config);
        }
        let demo = Path::new(DEMO_DIR);
        if demo.is_dir() && demo != config.data_dir {
            return Err(Failure::could_not(format!(
                "there is no store in {}; the demo's is asked with --data-dir {DEMO_DIR}",
                config.data_dir.display()
            )));
        }
        Err(Failure::could_not(format!(
            "there is no store in {}; start with `amarktai run`, name the right one with \
             --data-dir, or set AMARKTAI_TOKEN to speak to the server at {}",
            config.data_dir.display(),
            config.server.listen
        )))
    }

    fn offline(here: Offline) -> Result<Self, Failure> {
        let origin = "this process".to_owned();
        let token = Token { text: here.token.clone(), origin };
        let api = Api::new(here.address.to_string(), Some(token))?;
        Ok(Self { api, here: Some(here) })
    }

    /// Account 1, opened where there is none: whatever is ordered belongs to an account. Only an
    /// admin sees no account at all.
    async fn first_account(&self, config: &Config) -> Result<(), Failure> {
        let accounts = self.api.get("/api/accounts").await?;
        if accounts.as_array().is_some_and(Vec::is_empty) {
            let reporting_currency = config.account.reporting_currency;
            let main =
                serde_json::json!({ "name": "main", "reporting_currency": reporting_currency });
            self.api.post("/api/accounts", Some(&main)).await?;
        }
        Ok(())
    }

    /// Frees the data directory.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        drop(self.api);
        match self.here {
            Some(here) => here.close().await.map_err(|e| Failure::could_not(e.to_string())),
            None => Ok(()),
        }
    }
}

/// Named on the command line: then that one is meant and no other.
fn is_address_given(config: &Config) -> bool {
    let mut settings = config.settings.iter();
    settings.any(|s| s.key == "server.listen" && matches!(s.origin, Origin::Flag { .. }))
}

/// Where the running server says that it is; else where it would be.
fn address(config: &Config) -> String {
    let given = is_address_given(config).then(|| config.server.listen.to_string());
    let address = given.or_else(|| written_address(config));
    reachable(address.unwrap_or_else(|| config.server.listen.to_string()))
}

fn written_address(config: &Config) -> Option<String> {
    let text = std::fs::read_to_string(config.data_dir.join(ADDRESS_FILE)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A server that listens everywhere is asked on the loopback.
fn reachable(address: String) -> String {
    match address.parse::<SocketAddr>() {
        Ok(at) if at.ip() == IpAddr::V4(Ipv4Addr::UNSPECIFIED) => {
            SocketAddr::from((Ipv4Addr::LOCALHOST, at.port())).to_string()
        }
        Ok(at) if at.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            SocketAddr::from((Ipv6Addr::LOCALHOST, at.port())).to_string()
        }
        _ => address,
    }
}

/// The one that was set; else that of the server beside the data, and then only for this server:
/// it is an admin's, and no other machine needs to see it.
fn token(config: &Config, address: &str) -> Option<Token> {
    if let Some(token) = &config.token {
        let (text, origin) = (token.expose().to_owned(), "AMARKTAI_TOKEN".to_owned());
        return Some(Token { text, origin });
    }
    let is_near = address.parse::<SocketAddr>().is_ok_and(|at| at.ip().is_loopback());
    if !is_near && written_address(config).as_deref() != Some(address) {
        return None;
    }
    let path: PathBuf = config.data_dir.join(TOKEN_FILE);
    let text = std::fs::read_to_string(&path).ok()?.trim().to_owned();
    Some(Token { text, origin: path.display().to_string() })
}

/// Does anybody answer where the running server says that it is?
pub(crate) async fn is_reachable(config: &Config) -> bool {
    is_listening(&address(config)).await
}

async fn is_listening(address: &str) -> bool {
    matches!(tokio::time::timeout(PROBE_TIME, TcpStream::connect(address)).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn the_token_beside_the_data_is_shown_to_that_server_alone() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().display().to_string();
        let flags = vec![("--data-dir", "data_dir", data_dir)];
        let config = Config::load(&Sources { flags, ..Sources::default() }).unwrap();
        let shown = |address: &str| token(&config, address).map(|token| token.text);
        assert_eq!(shown("127.0.0.1:8000"), None, "there is none");
        std::fs::write(directory.path().join(TOKEN_FILE), "amk_x\n").unwrap();
        assert_eq!(shown("127.0.0.1:8000").as_deref(), Some("amk_x"));
        assert_eq!(shown("10.0.0.1:8000"), None);
        std::fs::write(directory.path().join(ADDRESS_FILE), "10.0.0.1:8000\n").unwrap();
        assert_eq!(shown("10.0.0.1:8000").as_deref(), Some("amk_x"));
        assert_eq!(address(&config), "10.0.0.1:8000");
        assert_eq!(reachable("0.0.0.0:9".to_owned()), "127.0.0.1:9");
    }
}
