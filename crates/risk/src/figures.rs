//! What follows from an order and the market: worked out once, read by many checks.

use crate::{OrderIntent, Snapshot};
use domain::{Amount, Instrument, OrderKind, Price, Quantity, Rate, Round, Side};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The order's value at its limit, else at the touch that it would take.
    pub notional: Option<Amount>,
    /// The highest price that a market buy may pay.
    pub worst_price: Option<Price>,
    /// The worst that a buy can cost, to be held until it is final; sells hold base.
    pub worst_cost: Option<Amount>,
}

impl Figures {
    /// Of an order as the market is.
    pub fn of(intent: &OrderIntent, s: &Snapshot<'_>) -> Self {
        let (limit, touch) = match intent.kind {
            OrderKind::Limit { price, .. } => (Some(price), None),
            OrderKind::Market => (None, s.book.best(intent.side.opposite()).map(|l| l.price)),
        };
        let value = |p: Price| s.instrument.notional(p, intent.quantity, Round::Up);
        let notional = limit.or(touch).map(value);
        if intent.side == Side::Sell {
            return Self { notional, worst_price: None, worst_cost: None };
        }
        let worst_price = touch.and_then(|touch| collar(touch, s.policy.price_collar_bp));
        let worst = limit.or(worst_price);
        let worst_cost = worst.map(|price| cost_at(s.instrument, price, intent.quantity));
        Self { notional, worst_price, worst_cost }
    }
}

/// A price this much above the touch; `None` where no price is so high.
fn collar(touch: Price, collar_bp: u32) -> Option<Price> {
    let touch = i128::from(touch.0);
    let room = touch * i128::from(collar_bp);
    // Mostly it fits 64 bits, where a division is one instruction.
    let room = match i64::try_from(room) {
        Ok(room) => i128::from(room / 10_000),
        Err(_) => room / 10_000,
    };
    i64::try_from(touch + room).ok().map(Price)
}

/// Parts in which an order may fill before the rounding of its fees costs more than is held. Each
/// rounds up by less than one unit of the fee's last place.
const FILLS_HELD: i64 = 100;

/// The worst that a quantity can cost at a price, with the taker fee.
fn cost_at(instrument: &Instrument, price: Price, quantity: Quantity) -> Amount {
    let notional = instrument.notional(price, quantity, Round::Up);
    // A notional itself is rounded up at the twelfth place.
    let atoms = Amount::from_atoms(i128::from(FILLS_HELD));
    // A fee in base comes out of what is bought, not out of cash.
    if instrument.fees.in_received {
        return notional + atoms;
    }
    let fee = instrument.fees.taker.max(instrument.fees.maker).max(Rate::ZERO);
    let unit = Amount::from_scaled(1, instrument.fees.places.min(12), Round::Up);
    let rounding = unit.part(FILLS_HELD, 1, Round::Up);
    let fees = notional.times(fee, Round::Up);
    notional + fees + atoms + if fee.0 > 0 { rounding } else { Amount::ZERO }
}
