//! An instrument: one symbol on one exchange, with the filters and fees that the exchange states.

use crate::{Amount, Currency, Exchange, Price, Quantity, Rate, Round, Side, Symbol};
use serde::{Deserialize, Serialize};

/// What the exchange lets one do with an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstrumentStatus {
    /// All orders.
    Trading,
    /// Only orders that rest.
    PostOnly,
    /// Only cancels.
    CancelOnly,
    /// Nothing, now.
    Halted,
    /// Gone from the exchange's list.
    Delisted,
}

/// Limits of a limit price relative to the reference price, per side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PercentBand {
    /// Highest buy price / reference.
    pub bid_up: Rate,
    /// Lowest buy price / reference.
    pub bid_down: Rate,
    /// Highest sell price / reference.
    pub ask_up: Rate,
    /// Lowest sell price / reference.
    pub ask_down: Rate,
    /// The reference is the average over so many minutes; 0: the last price.
    #[serde(default)]
    pub average_minutes: u8,
}

/// What the exchange charges here, and in what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeSchedule {
    /// Share of a resting fill's value; below zero it is a rebate.
    pub maker: Rate,
    /// Share of an aggressive fill's value.
    pub taker: Rate,
    /// `true`: in the currency received (base on a buy, as Binance); `false`: in quote (KuCoin).
    pub in_received: bool,
    /// Decimal places to which the exchange rounds a fee; rounded up.
    pub places: u8,
    /// Where the rates come from, with their date.
    pub source: String,
}

/// One symbol on one exchange. Prices and quantities are at its two scales.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// Where.
    pub exchange: Exchange,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// The exchange's own name of it, as on the wire.
    pub native: String,
    /// What may be done.
    pub status: InstrumentStatus,
    /// Decimal places of [`Price`] here (at least those of the tick).
    pub price_scale: u8,
    /// Decimal places of [`Quantity`] here (at least those of the lot).
    pub quantity_scale: u8,
    /// Prices of orders are multiples of it.
    pub tick_size: Price,
    /// Quantities of orders are multiples of it.
    pub lot_size: Quantity,
    /// Smallest order.
    pub min_quantity: Quantity,
    /// Largest order.
    pub max_quantity: Quantity,
    /// Largest market order, where the exchange has a limit of its own for it.
    pub max_market_quantity: Option<Quantity>,
    /// Lowest price of an order.
    pub min_price: Option<Price>,
    /// Highest price of an order.
    pub max_price: Option<Price>,
    /// Smallest price × quantity, in quote.
    pub min_notional: Amount,
    /// Largest price × quantity, in quote.
    pub max_notional: Option<Amount>,
    /// Limits relative to the reference price.
    pub percent_band: Option<PercentBand>,
    /// Most open orders per account.
    pub max_open_orders: Option<u32>,
    /// Fees.
    pub fees: FeeSchedule,
}

impl Instrument {
    /// Scale for an exchange step of `places` decimals: room for finer figures that the exchange
    /// may still send (fills of quote-sized orders), without overflow on coins of tiny value.
    pub const fn scale_for(places: u8) -> u8 {
        let wide = places + 4;
        let usual = if places > 8 { places } else { 8 };
        if wide < usual { wide } else { usual }
    }

    /// Price × quantity in quote, rounded as named where it has more than twelve places.
    pub fn notional(&self, price: Price, quantity: Quantity, round: Round) -> Amount {
        let product = i128::from(price.0) * i128::from(quantity.0);
        Amount::from_scaled(product, self.price_scale + self.quantity_scale, round)
    }

    /// A price in quote per base, exact.
    pub fn price_amount(&self, price: Price) -> Amount {
        Amount::from_scaled(i128::from(price.0), self.price_scale, Round::Down)
    }

    /// A quantity in base, exact.
    pub fn quantity_amount(&self, quantity: Quantity) -> Amount {
        Amount::from_scaled(i128::from(quantity.0), self.quantity_scale, Round::Down)
    }

    /// The price at this instrument's scale.
    pub fn price(&self, amount: Amount, round: Round) -> Option<Price> {
        amount.to_scaled(self.price_scale, round).map(Price)
    }

    /// The quantity at this instrument's scale.
    pub fn quantity(&self, amount: Amount, round: Round) -> Option<Quantity> {
        amount.to_scaled(self.quantity_scale, round).map(Quantity)
    }

    /// The nearest permitted price that is no better for us: down for a buy, up for a sell.
    pub fn on_tick(&self, price: Price, side: Side) -> Price {
        let tick = self.tick_size.0.max(1);
        let floor = price.0.div_euclid(tick) * tick;
        match side {
            Side::Sell if floor != price.0 => Price(floor + tick),
            _ => Price(floor),
        }
    }

    /// The largest permitted quantity that is not above this one.
    pub fn on_lot(&self, quantity: Quantity) -> Quantity {
        let lot = self.lot_size.0.max(1);
        Quantity(quantity.0.div_euclid(lot) * lot)
    }

    /// How much base this much quote buys at a price, on the lot, never more.
    pub fn affordable(&self, quote: Amount, price: Price) -> Quantity {
        if price.0 <= 0 || !quote.is_positive() {
            return Quantity::ZERO;
        }
        let base = quote.quotient(self.price_amount(price), Round::Down);
        let quantity = base.and_then(|b| self.quantity(b, Round::Down)).unwrap_or_default();
        self.on_lot(quantity)
    }

    /// The smallest order at a price in quote: what the quantity and the notional filters ask.
    pub fn smallest_order(&self, price: Price) -> Amount {
        let lot = Quantity(self.min_quantity.0.max(self.lot_size.0));
        self.min_notional.max(self.notional(price, lot, Round::Up))
    }

    /// The currency in which a fill on this side is charged.
    pub const fn fee_currency(&self, side: Side) -> Currency {
        match side {
            Side::Buy if self.fees.in_received => self.symbol.base,
            _ => self.symbol.quote,
        }
    }

    /// The same instrument with prices and quantities at these scales: what is known of a market
    /// keeps its scale when the exchange makes a step finer or coarser. `None`: a step of the
    /// exchange is finer than that.
    pub fn at_scales(&self, price_scale: u8, quantity_scale: u8) -> Option<Self> {
        let price = |p: Price, round| shift(p.0, self.price_scale, price_scale, round).map(Price);
        let quantity = |q: Quantity, round| {
            shift(q.0, self.quantity_scale, quantity_scale, round).map(Quantity)
        };
        let is_whole = |a: Option<i64>, b: Option<i64>| a == b && a.is_some_and(|v| v > 0);
        let tick = |round| price(self.tick_size, round).map(|p| p.0);
        let lot = |round| quantity(self.lot_size, round).map(|q| q.0);
        if !is_whole(tick(Round::Down), tick(Round::Up))
            || !is_whole(lot(Round::Down), lot(Round::Up))
        {
            return None;
        }
        Some(Self {
            price_scale,
            quantity_scale,
            tick_size: price(self.tick_size, Round::Down)?,
            lot_size: quantity(self.lot_size, Round::Down)?,
            min_quantity: quantity(self.min_quantity, Round::Up)?,
            max_quantity: quantity(self.max_quantity, Round::Down)?,
            max_market_quantity: self.max_market_quantity.and_then(|q| quantity(q, Round::Down)),
            min_price: self.min_price.and_then(|p| price(p, Round::Up)),
            max_price: self.max_price.and_then(|p| price(p, Round::Down)),
            ..self.clone()
        })
    }
}

/// A figure at another scale; one that is too large to be told is as good as unbounded.
fn shift(value: i64, from: u8, to: u8, round: Round) -> Option<i64> {
    let wide = i128::from(value) * 10i128.checked_pow(u32::from(to.saturating_sub(from)))?;
    let divisor = 10i128.checked_pow(u32::from(from.saturating_sub(to)))?;
    let scaled = round.of(crate::divide::floor(wide, divisor)).min(i128::from(i64::MAX / 4));
    i64::try_from(scaled).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_at_another_scale_is_exact_or_rounds_as_named() {
        assert_eq!(shift(15, 1, 3, Round::Down), Some(1_500));
        assert_eq!(shift(1_501, 3, 1, Round::Down), Some(15));
        assert_eq!(shift(1_501, 3, 1, Round::Up), Some(16));
        assert_eq!(shift(i64::MAX / 4, 0, 8, Round::Down), Some(i64::MAX / 4));
    }
}
