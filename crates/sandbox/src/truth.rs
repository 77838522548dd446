//! What truly became of an account's orders: for tests, and for whoever plays the bank.

use crate::private::order::Status;
use crate::private::{Desk, funds};
use crate::sandbox::Sandbox;
use domain::{Amount, Exchange, Round, Side};

/// An order as the matching engine has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueOrder {
    /// As its sender named it.
    pub client_id: String,
    /// Ordered, in base.
    pub quantity: Amount,
    /// Executed, in base.
    pub filled: Amount,
    /// It can still execute.
    pub is_open: bool,
    /// It was refused after it was taken.
    pub is_rejected: bool,
}

/// An execution as the matching engine has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueFill {
    /// As the order's sender named it.
    pub client_id: String,
    /// The public print's id.
    pub trade_id: i64,
    /// In quote per base.
    pub price: Amount,
    /// In base.
    pub quantity: Amount,
    /// As charged.
    pub fee: Amount,
}

impl Sandbox {
    /// Every order that an exchange's accounts have under this name: how many real orders it made.
    pub fn orders_of(&self, exchange: Exchange, client_id: &str) -> Vec<TrueOrder> {
        true_orders(&self.core.state().desk, exchange, |name| name == client_id)
    }

    /// Every order that was ever made by an exchange's accounts, refused ones included.
    pub fn orders(&self, exchange: Exchange) -> Vec<TrueOrder> {
        true_orders(&self.core.state().desk, exchange, |_| true)
    }

    /// Every execution of the account behind a key, oldest first.
    pub fn fills_of(&self, exchange: Exchange, key: &str) -> Vec<TrueFill> {
        let state = self.core.state();
        let desk = &state.desk;
        let Some(account) = desk.account(exchange, key) else { return Vec::new() };
        let fill = |f: &crate::private::Fill| {
            let spec = &desk.specs[f.market];
            TrueFill {
                client_id: f.client_id.clone(),
                trade_id: f.id,
                price: Amount::from_scaled(f.price.into(), spec.price_places, Round::Down),
                quantity: funds::base(spec, f.quantity),
                fee: f.fee,
            }
        };
        desk.accounts[account].fills.iter().map(fill).collect()
    }

    /// What the account behind a key has of an asset, by the exchange's code: free, and held.
    pub fn balance(&self, exchange: Exchange, key: &str, asset: &str) -> (Amount, Amount) {
        let state = self.core.state();
        let Some(account) = state.desk.account(exchange, key) else {
            return (Amount::ZERO, Amount::ZERO);
        };
        let funds = state.desk.funds(account, asset);
        (funds.free, funds.held)
    }

    /// Money comes from outside, or below zero goes there. False where no account has this key.
    pub fn deposit(&self, exchange: Exchange, key: &str, asset: &str, amount: Amount) -> bool {
        crate::control::deposit(&self.core, exchange, key, asset, amount)
    }

    /// Best bid and ask of a market by the exchange's name of it, in quote.
    pub fn touch(&self, exchange: Exchange, native: &str) -> Option<(Amount, Amount)> {
        let state = self.core.state();
        let index = state.world.find(exchange, native)?;
        let market = state.world.markets().get(index)?;
        let price = |side| {
            let ticks = market.book.best(side)?;
            Some(Amount::from_scaled(ticks.into(), market.spec.price_places, Round::Down))
        };
        Some((price(Side::Buy)?, price(Side::Sell)?))
    }
}

pub(crate) fn true_orders(
    desk: &Desk,
    exchange: Exchange,
    is_meant: impl Fn(&str) -> bool,
) -> Vec<TrueOrder> {
    let accounts = desk.accounts.iter().filter(|a| a.spec.exchange == exchange);
    let orders = accounts.flat_map(|a| a.orders.values()).filter(|o| is_meant(&o.client_id));
    let order = |o: &crate::private::Order| {
        let spec = &desk.specs[o.market];
        TrueOrder {
            client_id: o.client_id.clone(),
            quantity: funds::base(spec, o.quantity),
            filled: funds::base(spec, o.filled),
            is_open: o.is_open(),
            is_rejected: o.status == Status::Rejected,
        }
    };
    orders.map(order).collect()
}
