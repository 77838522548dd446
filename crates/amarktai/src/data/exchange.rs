//! An exchange's connector outside of `run`.

use crate::client::Failure;
use crate::config::Config;
use crate::feeds::connector_config;
use domain::{Exchange, Instrument, Symbol};
use exchanges::{Connector, Delivery, DeliveryKind, Tapped};
use std::time::Duration;
use tokio::sync::mpsc;

/// A second of a very busy market.
const DELIVERIES_MAX: usize = 8_192;
/// An exchange that has not listed its markets by then is not there.
const LIST_WAIT: Duration = Duration::from_secs(60);

/// Starts the connector of an exchange.
pub(crate) fn connect(
    config: &Config,
    exchange: Exchange,
    tap: Option<mpsc::Sender<Tapped>>,
) -> Result<(Connector, mpsc::Receiver<Delivery>), Failure> {
    let (sink, deliveries) = mpsc::channel(DELIVERIES_MAX);
    let mut settings = connector_config(config, exchange);
    settings.tap = tap;
    let failed = |e: exchanges::ExchangeError| Failure::could_not(format!("{exchange}: {e}"));
    Ok((Connector::start(settings, sink).map_err(failed)?, deliveries))
}

/// Waits for the list of markets and takes those that are asked for.
pub(crate) async fn listed(
    exchange: Exchange,
    symbols: &[Symbol],
    connector: &Connector,
    deliveries: &mut mpsc::Receiver<Delivery>,
) -> Result<Vec<Instrument>, Failure> {
    let list = async {
        while let Some(delivery) = deliveries.recv().await {
            if let DeliveryKind::Instruments(list) = delivery.kind {
                return Some(list);
            }
        }
        None
    };
    let silent = || {
        let status = connector.status();
        let wait = LIST_WAIT.as_secs();
        let tried = |why| format!("no list of markets within {wait} s, the last try: {why}");
        let why = status.fatal.or(status.unreachable.map(tried));
        let why = why.unwrap_or_else(|| format!("no list of markets within {wait} s"));
        Failure::could_not(format!("{exchange}: {why}"))
    };
    let list = tokio::time::timeout(LIST_WAIT, list).await.ok().flatten().ok_or_else(silent)?;
    let find = |symbol: &Symbol| {
        let found = list.iter().find(|i| i.symbol == *symbol).cloned();
        found.ok_or_else(|| Failure::could_not(format!("{exchange} does not list {symbol}")))
    };
    symbols.iter().map(find).collect()
}
