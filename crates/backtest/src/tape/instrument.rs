//! What we take an instrument to be where the data does not say.

use domain::{
    Amount, Exchange, FeeSchedule, Instrument, InstrumentStatus, Price, Quantity, Rate, Symbol,
};

/// An instrument by its name and the decimal places that its prices and quantities need.
///
/// Steps are the finest ones seen, minima the smallest that the exchange states for its large
/// markets, fees those of its entry tier: assumed, and said so in their source.
pub fn assumed_instrument(
    exchange: Exchange,
    symbol: Symbol,
    price_places: u8,
    quantity_places: u8,
) -> Instrument {
    let price_scale = Instrument::scale_for(price_places);
    let quantity_scale = Instrument::scale_for(quantity_places);
    let step = |scale: u8, places: u8| 10_i64.pow(u32::from(scale - places));
    let lot_size = Quantity(step(quantity_scale, quantity_places));
    Instrument {
        exchange,
        symbol,
        native: native(exchange, symbol),
        status: InstrumentStatus::Trading,
        price_scale,
        quantity_scale,
        tick_size: Price(step(price_scale, price_places)),
        lot_size,
        min_quantity: lot_size,
        max_quantity: Quantity(i64::MAX / 4),
        max_market_quantity: None,
        min_price: None,
        max_price: None,
        min_notional: min_notional(exchange, symbol),
        max_notional: None,
        percent_band: None,
        max_open_orders: None,
        fees: fees(exchange, symbol),
    }
}

fn native(exchange: Exchange, symbol: Symbol) -> String {
    match exchange {
        Exchange::Binance => format!("{}{}", symbol.base, symbol.quote),
        Exchange::Kucoin => format!("{}-{}", symbol.base, symbol.quote),
        Exchange::Luno => format!("{}{}", symbol.base, symbol.quote).replace("BTC", "XBT"),
    }
}

fn min_notional(exchange: Exchange, symbol: Symbol) -> Amount {
    let is_dollar = matches!(symbol.quote.as_str(), "USDT" | "USDC" | "USD" | "FDUSD" | "BUSD");
    match exchange {
        Exchange::Binance if is_dollar => Amount::from_int(5),
        _ => Amount::ZERO,
    }
}

fn fees(exchange: Exchange, symbol: Symbol) -> FeeSchedule {
    let is_fiat = matches!(
        symbol.quote.as_str(),
        "ZAR" | "EUR" | "GBP" | "NGN" | "MYR" | "IDR" | "UGX" | "KES" | "AUD"
    );
    let is_stable = matches!(symbol.base.as_str(), "USDT" | "USDC");
    let (maker, taker, class) = match (exchange, is_fiat, is_stable) {
        (Exchange::Binance, ..) => (10, 10, "regular user"),
        (Exchange::Kucoin, ..) => (10, 10, "class A VIP 0"),
        (Exchange::Luno, true, false) => (40, 60, "crypto/fiat entry tier"),
        (Exchange::Luno, true, true) => (-1, 20, "stablecoin/fiat entry tier"),
        (Exchange::Luno, false, _) => (8, 10, "crypto/crypto entry tier"),
    };
    FeeSchedule {
        maker: Rate::from_bp(maker),
        taker: Rate::from_bp(taker),
        in_received: exchange == Exchange::Binance,
        places: 8,
        source: format!("assumed: {exchange} {class}, 2026-11-22"),
    }
}
