//! Unknown orders: asked about until the exchange has settled, and never sent again.

use super::client::LiveClient;
use super::types::{OrderKey, OrderState, Resolution};
use crate::delivery::now;
use crate::error::ExchangeError;
use domain::Timestamp;
use std::time::{Duration, Instant};

/// The distance of two questions doubles so often.
const DOUBLINGS_MAX: u32 = 3;

impl LiveClient {
    /// Finds out what became of an order whose placing had no clear answer, also after a restart:
    /// `sent_at` is when it may have been sent at the latest.
    ///
    /// Until the settle time has passed, "no such order" proves nothing: the request may still be
    /// on its way. Afterwards it is believed when the list of open orders agrees.
    pub async fn resolve(&self, key: &OrderKey, sent_at: Timestamp) -> Resolution {
        let started = Instant::now();
        // Measured by the monotonic clock from here on: the wall's may be set.
        let since = Duration::from_nanos((now() - sent_at).0.max(0).unsigned_abs());
        let settled_after = self.settle().saturating_sub(since);
        let give_up_after = settled_after + self.inner.config.timings.resolve_limit;
        for round in 0_u32.. {
            let is_settled = started.elapsed() >= settled_after;
            let why = match self.look(key, is_settled).await {
                Ok(Some(state)) => return Resolution::Found(state),
                Ok(None) if is_settled => return Resolution::NeverSent,
                Ok(None) => "not there yet".to_owned(),
                Err(error) => error.to_string(),
            };
            if started.elapsed() >= give_up_after {
                return Resolution::StillUnknown { why };
            }
            let every = self.inner.config.timings.resolve_every;
            tokio::time::sleep(every * (1 << round.min(DOUBLINGS_MAX))).await;
        }
        unreachable!("the rounds end at the limit")
    }

    async fn look(
        &self,
        key: &OrderKey,
        is_last: bool,
    ) -> Result<Option<OrderState>, ExchangeError> {
        let found = self.query(key).await?;
        if found.is_some() || !is_last {
            return Ok(found);
        }
        // A second source: one that was asked wrongly would say "not there" as well.
        let open = self.open_orders().await?;
        Ok(open.into_iter().find(|order| order.client_id == key.client_id))
    }
}
