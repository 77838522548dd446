//! The server's port: it stays open while the task that serves on it is started again.

use crate::feeds::stopped;
use server::AppState;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Serves until told to leave, and then waits to be told to stop: an end before that is a fault.
pub(crate) async fn serve(
    listener: std::io::Result<std::net::TcpListener>,
    state: AppState,
    mut leave: watch::Receiver<bool>,
    mut stop: watch::Receiver<bool>,
) {
    let left = leave.clone();
    let shutdown = async move { stopped(&mut leave).await };
    let served = match listener.and_then(TcpListener::from_std) {
        Ok(listener) => server::serve(listener, state, shutdown).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the server ended");
    }
    if *left.borrow() {
        stopped(&mut stop).await;
    }
}

/// Until the store takes nothing more.
pub(crate) async fn store_ended(committed: &mut watch::Receiver<u64>) {
    while committed.changed().await.is_ok() {}
}
