//! The exchange's filters: what an order must fit, as one question with one answer.
//!
//! Asked before the order is sent, again when it arrives, and of open orders when a filter changes,
//! so that the three cannot drift apart.

use crate::{Instrument, OrderKind, PercentBand, Price, Quantity, Round, Side};
use serde::{Deserialize, Serialize};

/// The filter that an order does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misfit {
    /// Below the lowest price, or no price at all.
    PriceTooLow,
    /// Above the highest price.
    PriceTooHigh,
    /// No multiple of the tick size.
    PriceStep,
    /// Too far from the reference price.
    PercentPrice,
    /// Below the smallest order.
    QuantityTooLow,
    /// Above the largest order.
    QuantityTooHigh,
    /// Above the largest market order.
    MarketLot,
    /// No multiple of the lot size.
    QuantityStep,
    /// Worth too little.
    NotionalTooLow,
    /// Worth too much.
    NotionalTooHigh,
}

impl PercentBand {
    /// Lowest and highest permitted limit price of a side; rounded inwards.
    pub fn limits(&self, side: Side, reference: Price) -> (Price, Price) {
        let (down, up) = match side {
            Side::Buy => (self.bid_down, self.bid_up),
            Side::Sell => (self.ask_down, self.ask_up),
        };
        let one = i128::from(crate::Rate::ONE.0);
        let times = |rate: crate::Rate| i128::from(reference.0) * i128::from(rate.0);
        let as_price = |v: i128| Price(i64::try_from(v).unwrap_or(i64::MAX));
        let low = (times(down) + one - 1).div_euclid(one);
        (as_price(low), as_price(times(up).div_euclid(one)))
    }
}

impl Instrument {
    /// The first filter that an order does not fit; `None`: it fits.
    ///
    /// `reference` is the price that the percent band is relative to and a market order is valued
    /// at. Where it is not known these two are not judged: the exchange judges them.
    pub fn misfit(
        &self,
        side: Side,
        kind: OrderKind,
        quantity: Quantity,
        reference: Option<Price>,
    ) -> Option<Misfit> {
        let limit = match kind {
            OrderKind::Limit { price, .. } => Some(price),
            OrderKind::Market => None,
        };
        limit
            .and_then(|price| self.price_misfit(side, price, reference))
            .or_else(|| self.quantity_misfit(limit.is_none(), quantity))
            .or_else(|| self.notional_misfit(limit.or(reference)?, quantity))
    }

    fn price_misfit(&self, side: Side, price: Price, reference: Option<Price>) -> Option<Misfit> {
        if price.0 <= 0 || self.min_price.is_some_and(|min| price < min) {
            return Some(Misfit::PriceTooLow);
        } else if self.max_price.is_some_and(|max| price > max) {
            return Some(Misfit::PriceTooHigh);
        } else if self.on_tick(price, Side::Buy) != price {
            return Some(Misfit::PriceStep);
        }
        let (low, high) = self.percent_band.as_ref()?.limits(side, reference?);
        (price < low || price > high).then_some(Misfit::PercentPrice)
    }

    fn quantity_misfit(&self, is_market: bool, quantity: Quantity) -> Option<Misfit> {
        if !quantity.is_positive() || quantity < self.min_quantity {
            Some(Misfit::QuantityTooLow)
        } else if quantity > self.max_quantity {
            Some(Misfit::QuantityTooHigh)
        } else if is_market && self.max_market_quantity.is_some_and(|max| quantity > max) {
            Some(Misfit::MarketLot)
        } else {
            (self.on_lot(quantity) != quantity).then_some(Misfit::QuantityStep)
        }
    }

    fn notional_misfit(&self, price: Price, quantity: Quantity) -> Option<Misfit> {
        let notional = self.notional(price, quantity, Round::Up);
        if notional < self.min_notional {
            return Some(Misfit::NotionalTooLow);
        }
        self.max_notional.is_some_and(|max| notional > max).then_some(Misfit::NotionalTooHigh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rate;

    #[test]
    fn a_band_is_of_the_side_and_rounds_inwards() {
        let band = PercentBand {
            bid_up: Rate::from_percent(110),
            bid_down: Rate::from_percent(20),
            ask_up: Rate::from_percent(500),
            ask_down: Rate::from_percent(90),
            average_minutes: 5,
        };
        assert_eq!(band.limits(Side::Buy, Price(1_001)), (Price(201), Price(1_101)));
        assert_eq!(band.limits(Side::Sell, Price(1_001)), (Price(901), Price(5_005)));
    }
}
