//! Asks an exchange what a key may do, before it is kept.

use super::Places;
use domain::Exchange;
use exchanges::ExchangeError;
use exchanges::live::{ClientIds, KeyPermissions as Told, LiveClient};
use futures_util::future::BoxFuture;
use risk::WireGate;
use server::operator::{KeySecret, KeyTestError, KeyTester};
use storage::KeyPermissions;

/// See the module.
pub(crate) struct ExchangeKeyTester(pub(crate) Places);

impl ExchangeKeyTester {
    async fn ask(
        &self,
        exchange: Exchange,
        secret: KeySecret,
    ) -> Result<KeyPermissions, KeyTestError> {
        let config = self.0.config(exchange, secret, ClientIds::untagged());
        let config = config.map_err(KeyTestError::Rejected)?;
        // Nothing is approved at this gate: the client can only ask.
        let client = LiveClient::new(config, WireGate::default()).map_err(|e| judged(&e))?;
        let told = client.key_permissions().await.map_err(|e| judged(&e))?;
        Ok(match told {
            Told::Known { can_trade, can_withdraw, .. } => {
                KeyPermissions { can_trade: Some(can_trade), can_withdraw: Some(can_withdraw) }
            }
            Told::CannotAsk { .. } => {
                // That the key is one is proven by what it may read.
                client.balances().await.map_err(|e| judged(&e))?;
                KeyPermissions::default()
            }
        })
    }
}

fn judged(error: &ExchangeError) -> KeyTestError {
    match error {
        ExchangeError::Refused { .. } => KeyTestError::Rejected(error.to_string()),
        _ => KeyTestError::Unreachable(error.to_string()),
    }
}

impl KeyTester for ExchangeKeyTester {
    fn permissions<'a>(
        &'a self,
        exchange: Exchange,
        key: &'a KeySecret,
    ) -> BoxFuture<'a, Result<KeyPermissions, KeyTestError>> {
        Box::pin(self.ask(exchange, key.clone()))
    }
}
