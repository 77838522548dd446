//! How the machine's own people come in.

use crate::run::{RunError, failed};
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use storage::{ControlWrite, Store, secret_hash};

/// Tells the machine's own people how to come in: the address, a token for the command line, and
/// the setup code while there is no owner.
pub(crate) async fn announce(
    store: &Store,
    data_dir: &Path,
    address: SocketAddr,
    token: &str,
) -> Result<Option<String>, RunError> {
    write_private(&data_dir.join("local.token"), token)?;
    fs::write(data_dir.join("server.addr"), format!("{address}\n"))
        .map_err(|e| failed("store", e))?;
    let reader = store.reader();
    let has_owner = reader.has_users().map_err(|e| failed("store", e))?;
    let file = data_dir.join("setup-code");
    if has_owner {
        let _ = fs::remove_file(&file);
        return Ok(None);
    }
    let code: String =
        server::new_token().chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    control(store, ControlWrite::SetupCode(Some(secret_hash(&code)))).await?;
    write_private(&file, &code)?;
    Ok(Some(code))
}

async fn control(store: &Store, write: ControlWrite) -> Result<(), RunError> {
    let pending = store.control(write).map_err(|e| failed("store", e))?;
    pending.answer_async().await.map(drop).map_err(|e| failed("store", e))
}

/// A file that only its owner may read.
fn write_private(path: &Path, text: &str) -> Result<(), RunError> {
    use std::os::unix::fs::OpenOptionsExt;
    let _ = fs::remove_file(path);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| failed("store", format!("{}: {e}", path.display())))?;
    writeln!(file, "{text}").map_err(|e| failed("store", format!("{}: {e}", path.display())))
}
