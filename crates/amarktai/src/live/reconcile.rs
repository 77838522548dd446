//! Holds the core's books against the exchange: open orders, fills, money.

use super::desk::{Desk, Hand, READ_AFTER};
use super::report;
use domain::{InstrumentId, OrderId, Span, Timestamp};
use engine::{LiveOpen, News};
use exchanges::live::{KeyPermissions, LiveFill};
use risk::KeyState;
use std::sync::atomic::Ordering::SeqCst;
use tokio::task::JoinSet;

/// Clocks differ: fills are asked for from so much earlier.
const BEFORE: Span = Span::from_secs(10);

impl Desk {
    /// Everything that may have been missed, then money; entries wait until it is done.
    pub(super) async fn reconcile(&self, tasks: &mut JoinSet<()>) {
        self.list().await;
        let (account, exchange) = self.post.place;
        let open = self.post.core.query(move |engine| engine.live_open(account, exchange)).await;
        let Ok(open) = open else { return };
        let hand = self.hand();
        match hand.reconcile(&open).await {
            Ok(()) => self.post.tell(News::Down(None)).await,
            Err(why) => {
                tracing::warn!(%exchange, why, "the exchange account cannot be compared");
                self.post.tell(News::Down(Some(why))).await;
                let hand = self.hand();
                tasks.spawn(async move {
                    tokio::time::sleep(READ_AFTER * 5).await;
                    hand.ask_for_reconciliation();
                });
            }
        }
        // An order that nobody answers for is asked about until it is known.
        for order in open.into_iter().filter(|order| order.is_cancelled) {
            let hand = self.hand();
            tasks.spawn(async move { hand.cancel(order.id, order.instrument).await });
        }
    }
}

impl Hand {
    async fn reconcile(&self, open: &[LiveOpen]) -> Result<(), String> {
        let told = |e: exchanges::ExchangeError| e.to_string();
        if let KeyPermissions::Known { can_trade, can_withdraw, .. } =
            self.client.key_permissions().await.map_err(told)?
        {
            let state = match (can_trade, can_withdraw) {
                (_, true) => KeyState::CanWithdraw,
                (false, _) => KeyState::CannotTrade,
                (true, false) => KeyState::Good,
            };
            self.post.tell(News::Key(state)).await;
        }
        for order in open {
            self.catch_up(order).await?;
        }
        self.read_balances().await?;
        tokio::time::sleep(READ_AFTER).await;
        self.read_balances().await
    }

    /// How an order stands, and what was executed of it.
    async fn catch_up(&self, order: &LiveOpen) -> Result<(), String> {
        let key = self.key(order.id, order.instrument);
        match self.client.query(&key).await.map_err(|e| e.to_string())? {
            Some(state) => {
                let name = state.exchange_id.clone();
                let is_its = |f: &LiveFill| f.exchange_id == name;
                let since = order.created_at - BEFORE;
                if !self.tell_fills(order.instrument, since, is_its, order.id).await {
                    return Err("fills cannot be listed".to_owned());
                }
                self.told(&state).await;
            }
            None => {
                let hand = self.clone();
                let (id, instrument, at) = (order.id, order.instrument, order.created_at);
                tokio::spawn(async move { hand.resolve(id, instrument, at).await });
            }
        }
        Ok(())
    }

    /// Tells fills of an order; says whether they could be listed.
    pub(super) async fn tell_fills(
        &self,
        instrument: InstrumentId,
        since: Timestamp,
        is_its: impl Fn(&LiveFill) -> bool,
        id: OrderId,
    ) -> bool {
        let Ok(fills) = self.client.fills(instrument, since - BEFORE).await else { return false };
        for fill in fills.iter().filter(|fill| is_its(fill)) {
            self.post.tell(report::fill(id, fill)).await;
        }
        true
    }

    async fn read_balances(&self) -> Result<(), String> {
        let balances = self.client.balances().await.map_err(|e| e.to_string())?;
        let whole = balances.into_iter().map(|b| (b.currency, b.free + b.held)).collect();
        self.post.tell(News::Balances(whole)).await;
        Ok(())
    }

    /// After something that moves money. Whoever asks meanwhile is served by the same readings.
    pub(super) async fn read_balances_twice(&self) {
        if self.readings.swap(2, SeqCst) > 0 {
            return;
        }
        while self.readings.load(SeqCst) > 0 {
            tokio::time::sleep(READ_AFTER).await;
            self.readings.fetch_sub(1, SeqCst);
            if self.read_balances().await.is_err() {
                self.readings.store(0, SeqCst);
                return self.ask_for_reconciliation();
            }
        }
    }
}
