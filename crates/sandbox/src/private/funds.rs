//! Money of an account: what is free, what orders bind, what fills cost. All of it exact.

use super::config::AccountSpec;
use super::order::{Fill, Funds, Order};
use crate::model::catalogue::Spec;
use domain::{Amount, Exchange, Rate, Round, Side};
use std::collections::BTreeMap;

/// Fees of an account, and in what they are charged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fees {
    pub(crate) maker: Rate,
    pub(crate) taker: Rate,
    /// In the asset received (Binance); otherwise in quote.
    pub(crate) in_received: bool,
}

impl Fees {
    pub(crate) const fn of(exchange: Exchange) -> Self {
        let (maker, taker, in_received) = match exchange {
            Exchange::Binance => (10, 10, true),
            Exchange::Kucoin => (10, 10, false),
            Exchange::Luno => (40, 60, false),
        };
        Self { maker: Rate::from_bp(maker), taker: Rate::from_bp(taker), in_received }
    }

    /// Eight decimals, in favour of the exchange.
    fn charge(&self, amount: Amount, is_maker: bool) -> Amount {
        let rate = if is_maker { self.maker } else { self.taker };
        let fee = amount.times(rate, Round::Up);
        fee.to_scaled(8, Round::Up)
            .map_or(fee, |v| Amount::from_scaled(i128::from(v), 8, Round::Up))
    }
}

/// The value of lots at a price.
pub(crate) fn value(spec: &Spec, price: i64, quantity: i64) -> Amount {
    let product = i128::from(price) * i128::from(quantity);
    Amount::from_scaled(product, spec.price_places + spec.quantity_places, Round::Up)
}

/// Lots as an amount of base.
pub(crate) fn base(spec: &Spec, quantity: i64) -> Amount {
    Amount::from_scaled(i128::from(quantity), spec.quantity_places, Round::Down)
}

/// The purse of an account.
#[derive(Clone, Debug)]
pub(crate) struct Purse {
    assets: BTreeMap<String, Funds>,
    pub(crate) fees: Fees,
}

impl Purse {
    pub(crate) fn new(spec: &AccountSpec) -> Self {
        let mut assets: BTreeMap<String, Funds> = BTreeMap::new();
        for (asset, amount) in &spec.balances {
            assets.entry(asset.clone()).or_default().free += *amount;
        }
        Self { assets, fees: Fees::of(spec.exchange) }
    }

    pub(crate) fn get(&self, asset: &str) -> Funds {
        self.assets.get(asset).copied().unwrap_or_default()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&String, Funds)> {
        self.assets.iter().map(|(asset, funds)| (asset, *funds))
    }

    fn entry(&mut self, asset: &str) -> &mut Funds {
        self.assets.entry(asset.to_owned()).or_default()
    }

    pub(crate) fn deposit(&mut self, asset: &str, amount: Amount) {
        self.entry(asset).free += amount;
    }

    /// What lots bind until they are executed: a buy its price and, where fees come on top, the
    /// highest fee; a sale its base.
    pub(crate) fn need(&self, spec: &Spec, side: Side, price: i64, quantity: i64) -> Amount {
        match side {
            Side::Sell => base(spec, quantity),
            Side::Buy => {
                let cost = value(spec, price, quantity);
                if self.fees.in_received {
                    return cost;
                }
                let most = self.fees.taker.max(self.fees.maker).max(Rate::ZERO);
                cost + cost.times(most, Round::Up)
            }
        }
    }

    /// Binds it; false when it is not there.
    pub(crate) fn hold(&mut self, asset: &str, amount: Amount) -> bool {
        let funds = self.entry(asset);
        if funds.free < amount {
            return false;
        }
        funds.free -= amount;
        funds.held += amount;
        true
    }

    pub(crate) fn release(&mut self, asset: &str, amount: Amount) {
        let funds = self.entry(asset);
        funds.held -= amount;
        funds.free += amount;
    }

    /// Settles an execution of an order, whose hold shrinks to what is left of it. Returns the fee
    /// and whether it is in base.
    pub(crate) fn settle(
        &mut self,
        spec: &Spec,
        order: &mut Order,
        (price, quantity): (i64, i64),
        is_maker: bool,
    ) -> (Amount, bool) {
        let (cost, lots) = (value(spec, price, quantity), base(spec, quantity));
        order.filled += quantity;
        order.quote += cost;
        let spent = if order.side == Side::Buy { &spec.quote } else { &spec.base };
        let left = match order.price {
            Some(limit) => self.need(spec, order.side, limit, order.left()),
            // A market order keeps its whole hold until it ends.
            None if order.side == Side::Sell => base(spec, order.left()),
            None => order.held,
        };
        self.release(spent, order.held - left);
        order.held = left;
        let in_base = self.fees.in_received && order.side == Side::Buy;
        let fee = self.fees.charge(if in_base { lots } else { cost }, is_maker);
        match order.side {
            Side::Buy => {
                let paid = if in_base { cost } else { cost + fee };
                // A market order still binds everything: it pays from that.
                if order.price.is_none() {
                    let funds = self.entry(&spec.quote);
                    funds.held -= paid;
                    order.held -= paid;
                } else {
                    let funds = self.entry(&spec.quote);
                    funds.free -= paid;
                }
                self.entry(&spec.base).free += if in_base { lots - fee } else { lots };
            }
            Side::Sell => {
                let funds = self.entry(&spec.base);
                funds.free -= lots;
                self.entry(&spec.quote).free += cost - fee;
            }
        }
        if in_base {
            order.fees.0 += fee;
        } else {
            order.fees.1 += fee;
        }
        (fee, in_base)
    }

    /// What is bound for an order that has ended comes back.
    pub(crate) fn end(&mut self, spec: &Spec, order: &mut Order) {
        let spent = if order.side == Side::Buy { &spec.quote } else { &spec.base };
        self.release(spent, order.held);
        order.held = Amount::ZERO;
    }
}

/// By how much an execution changed base and quote.
pub(crate) fn changes(spec: &Spec, fill: &Fill) -> (Amount, Amount) {
    let lots = base(spec, fill.quantity);
    let (in_base, in_quote) =
        if fill.fee_in_base { (fill.fee, Amount::ZERO) } else { (Amount::ZERO, fill.fee) };
    match fill.side {
        Side::Buy => (lots - in_base, Amount::ZERO - fill.value - in_quote),
        Side::Sell => (Amount::ZERO - lots - in_base, fill.value - in_quote),
    }
}
