//! A sign of life outward: whoever receives it notices when it stops, whatever stopped here.

use super::Notices;
use server::Status;
use std::time::Duration;

/// As monitors expect it.
const BEAT_EVERY: Duration = Duration::from_secs(60);
/// Longer than this is no sign of life.
const BEAT_TIME: Duration = Duration::from_secs(10);

/// Pings each minute while the product does its work; a product that does not is silent.
pub(super) async fn beat(notices: &Notices) {
    let Some(url) = notices.config.heartbeat_url.as_ref() else {
        return std::future::pending().await;
    };
    let mut interval = tokio::time::interval(BEAT_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        wait_until_ready(notices).await;
        let request = notices.http.get(url.expose()).timeout(BEAT_TIME);
        let part = |status, detail: String| notices.parts.set("heartbeat", status, detail);
        match request.send().await.and_then(reqwest::Response::error_for_status) {
            Ok(_) => part(Status::Healthy, "the last one arrived".to_owned()),
            // Without the address: it is a secret.
            Err(error) => part(Status::Degraded, error.without_url().to_string()),
        }
    }
}

/// Until the store is open and the core answers.
async fn wait_until_ready(notices: &Notices) {
    loop {
        let health = notices.health.load();
        if health.is_ready && health.status() != Status::Unhealthy {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
