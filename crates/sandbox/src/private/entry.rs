//! What is asked of the desk, and why it may refuse.

use crate::model::book::{Book, Standing};
use crate::model::catalogue::Spec;
use domain::{Amount, Side};

/// Price of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whatever is there.
    Market,
    /// Ticks.
    Limit(i64),
}

/// An order as it was asked for, in ticks and lots.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) market: usize,
    pub(crate) client_id: String,
    pub(crate) side: Side,
    pub(crate) kind: Kind,
    pub(crate) quantity: i64,
    pub(crate) standing: Standing,
    /// Refused once it was taken (a fault).
    pub(crate) reject_later: bool,
}

/// Why an order is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Price,
    Quantity,
    Notional,
    Funds,
    Duplicate,
    WouldTake,
    Liquidity,
}

/// A decimal text in units of its last place; `None`: no number, or too fine.
pub(crate) fn units(text: &str, places: u8) -> Option<i64> {
    domain::parse_scaled(text, places).ok()
}

/// The filters that every exchange has.
pub(crate) fn fits(spec: &Spec, asked: &Asked, reference: i64) -> Result<(), Refusal> {
    let price = match asked.kind {
        Kind::Limit(price) if price <= 0 => return Err(Refusal::Price),
        // Ten times the market is a slip of the finger everywhere.
        Kind::Limit(price) if price / 10 > reference => return Err(Refusal::Price),
        Kind::Limit(price) => price,
        Kind::Market => reference,
    };
    if asked.quantity < spec.min_quantity.max(1) {
        return Err(Refusal::Quantity);
    }
    let least: Amount = spec.min_notional.parse().unwrap_or_default();
    if super::funds::value(spec, price, asked.quantity) < least {
        return Err(Refusal::Notional);
    }
    Ok(())
}

/// Would it trade at once?
pub(crate) fn crosses(book: &Book, side: Side, price: i64) -> bool {
    book.best(side.opposite()).is_some_and(|best| match side {
        Side::Buy => best <= price,
        Side::Sell => best >= price,
    })
}

/// The worst price that a market order of this size meets; `None`: there is not enough.
pub(crate) fn worst(book: &Book, side: Side, quantity: i64) -> Option<i64> {
    let mut left = quantity;
    for (price, level) in book.levels(side.opposite()) {
        left -= level.total();
        if left <= 0 {
            return Some(price);
        }
    }
    None
}
