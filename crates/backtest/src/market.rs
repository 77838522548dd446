//! The instrument that a recording does not bring along: what the exchange asks of everybody.

use crate::tape::assumed_instrument;
use domain::{Exchange, Instrument, Rate, Symbol};

/// Rates that replace an exchange's public ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeeRates {
    /// Of resting fills.
    pub maker: Option<Rate>,
    /// Of aggressive fills.
    pub taker: Option<Rate>,
}

/// Half the spread that is assumed where bars show none, in basis points of the price: what the
/// exchanges' liquid markets show at worst, and never less than the tick allows.
pub const fn half_spread_bp(exchange: Exchange) -> u32 {
    match exchange {
        Exchange::Binance => 1,
        Exchange::Kucoin => 2,
        // XBT/ZAR: 5 bp in the median and 19 at the 95th percentile from bid to ask.
        Exchange::Luno => 5,
    }
}

/// What the exchange asks of everybody, with scales for so many decimal places and these rates.
pub fn instrument(
    exchange: Exchange,
    symbol: Symbol,
    (price_places, quantity_places): (u8, u8),
    rates: FeeRates,
) -> Instrument {
    with_rates(assumed_instrument(exchange, symbol, price_places, quantity_places), rates)
}

/// The instrument with other fees, where some are given.
pub fn with_rates(mut instrument: Instrument, rates: FeeRates) -> Instrument {
    if rates.maker.is_some() || rates.taker.is_some() {
        instrument.fees.maker = rates.maker.unwrap_or(instrument.fees.maker);
        instrument.fees.taker = rates.taker.unwrap_or(instrument.fees.taker);
        instrument.fees.source = "as given".to_owned();
    }
    instrument
}
