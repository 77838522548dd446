//! The instrument that a recording does not bring along: what the exchange asks of everybody.

use domain::{
    Amount, Exchange, FeeSchedule, Instrument, InstrumentStatus, Price, Quantity, Rate, Symbol,
};

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

const FIAT: [&str; 14] = [
    "ZAR", "MYR", "NGN", "IDR", "KES", "UGX", "AUD", "GBP", "EUR", "USD", "SGD", "CAD", "ZMW",
    "GHS",
];

/// An instrument with the exchange's public fees and smallest order and these scales.
pub fn instrument(
    exchange: Exchange,
    symbol: Symbol,
    (price_scale, quantity_scale): (u8, u8),
    rates: FeeRates,
) -> Instrument {
    let min_notional = match exchange {
        Exchange::Binance => Amount::from_int(5),
        Exchange::Kucoin => Amount::from_atoms(100_000_000_000),
        Exchange::Luno => Amount::ZERO,
    };
    Instrument {
        exchange,
        symbol,
        native: symbol.to_string(),
        status: InstrumentStatus::Trading,
        price_scale,
        quantity_scale,
        tick_size: Price(1),
        lot_size: Quantity(1),
        min_quantity: Quantity(1),
        max_quantity: Quantity(i64::MAX / 8),
        max_market_quantity: None,
        min_price: None,
        max_price: None,
        min_notional,
        max_notional: None,
        percent_band: None,
        max_open_orders: (exchange == Exchange::Binance).then_some(200),
        fees: fees(exchange, symbol, rates),
    }
}

/// The entry tier of each exchange, as its instrument lists say it.
fn fees(exchange: Exchange, symbol: Symbol, rates: FeeRates) -> FeeSchedule {
    let is_fiat = FIAT.contains(&symbol.quote.as_str());
    let is_stable = matches!(symbol.base.as_str(), "USDT" | "USDC");
    let (maker, taker, source) = match (exchange, is_fiat, is_stable) {
        (Exchange::Binance, _, _) => (10, 10, "Binance regular user, 2026-11-22"),
        (Exchange::Kucoin, _, _) => (10, 10, "KuCoin class A VIP 0, 2026-11-22"),
        (Exchange::Luno, true, false) => (40, 60, "Luno crypto/fiat, entry tier, 2026-09-17"),
        (Exchange::Luno, true, true) => (-1, 20, "Luno stablecoin/fiat, entry tier, 2026-09-17"),
        (Exchange::Luno, false, _) => (8, 10, "Luno crypto/crypto, entry tier, 2026-09-17"),
    };
    let is_changed = rates.maker.is_some() || rates.taker.is_some();
    FeeSchedule {
        maker: rates.maker.unwrap_or(Rate::from_bp(maker)),
        taker: rates.taker.unwrap_or(Rate::from_bp(taker)),
        in_received: exchange == Exchange::Binance,
        places: 8,
        source: if is_changed { "as given".to_owned() } else { source.to_owned() },
    }
}
