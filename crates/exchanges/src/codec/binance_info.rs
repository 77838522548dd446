//! Binance's instrument list: symbols, their filters, and the fee everyone starts with.

use super::{DecodeError, InstrumentList, bad, capped, json, places, refused, symbol};
use domain::{
    Amount, Exchange, FeeSchedule, Instrument, InstrumentStatus, PercentBand, Price, Quantity,
    Rate, Round, parse_scaled,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct WireInfo<'a> {
    #[serde(borrow)]
    symbols: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSymbol<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    base_asset: Cow<'a, str>,
    #[serde(borrow)]
    quote_asset: Cow<'a, str>,
    #[serde(default)]
    base_commission_precision: Option<u8>,
    #[serde(default)]
    is_spot_trading_allowed: Option<bool>,
    #[serde(borrow, default)]
    filters: Vec<Filter<'a>>,
}

/// All filters in one loose shape: an unknown type only has fields that nobody reads.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Filter<'a> {
    #[serde(borrow)]
    filter_type: Cow<'a, str>,
    min_price: Option<&'a str>,
    max_price: Option<&'a str>,
    tick_size: Option<&'a str>,
    min_qty: Option<&'a str>,
    max_qty: Option<&'a str>,
    step_size: Option<&'a str>,
    min_notional: Option<&'a str>,
    max_notional: Option<&'a str>,
    multiplier_up: Option<&'a str>,
    multiplier_down: Option<&'a str>,
    bid_multiplier_up: Option<&'a str>,
    bid_multiplier_down: Option<&'a str>,
    ask_multiplier_up: Option<&'a str>,
    ask_multiplier_down: Option<&'a str>,
    max_num_orders: Option<u32>,
    avg_price_mins: Option<u32>,
}

/// Decodes `/api/v3/exchangeInfo`.
///
/// # Errors
/// Where the list itself is malformed; a single bad symbol is only named in the result.
pub fn decode_exchange_info(body: &[u8]) -> Result<InstrumentList, DecodeError> {
    let info: WireInfo<'_> = json(body)?;
    Ok(InstrumentList::collect(
        info.symbols
            .iter()
            .map(|raw| json::<WireSymbol<'_>>(raw.get().as_bytes()).and_then(|s| instrument(&s))),
    ))
}

fn status(wire: &WireSymbol<'_>) -> InstrumentStatus {
    match wire.status.as_ref() {
        _ if wire.is_spot_trading_allowed == Some(false) => InstrumentStatus::Halted,
        "TRADING" => InstrumentStatus::Trading,
        "CANCEL_ONLY" => InstrumentStatus::CancelOnly,
        // END_OF_DAY, HALT, BREAK, and whatever they add: an open enum is halted until known.
        _ => InstrumentStatus::Halted,
    }
}

/// Zero switches a filter's field off.
fn on(text: Option<&str>) -> Option<&str> {
    text.filter(|t| t.bytes().any(|b| (b'1'..=b'9').contains(&b)))
}

fn instrument(wire: &WireSymbol<'_>) -> Result<Instrument, DecodeError> {
    let name = wire.symbol.as_ref();
    let filter = |kind: &str| wire.filters.iter().find(|f| f.filter_type == kind);
    let missing = |field| refused(name, field, "", "missing");
    let price_filter = filter("PRICE_FILTER").ok_or_else(|| missing("PRICE_FILTER"))?;
    let lot = filter("LOT_SIZE").ok_or_else(|| missing("LOT_SIZE"))?;
    let market_lot = filter("MARKET_LOT_SIZE");
    // A switched-off tick leaves Binance's eight places.
    let tick = on(price_filter.tick_size).unwrap_or("0.00000001");
    let step = on(lot.step_size).unwrap_or("0.00000001");
    let (price_scale, quantity_scale) =
        (Instrument::scale_for(places(tick)), Instrument::scale_for(places(step)));
    let as_price =
        |field, text: &str, strict| capped(name, field, text, price_scale, strict).map(Price);
    let as_quantity =
        |field, text: &str, strict| capped(name, field, text, quantity_scale, strict).map(Quantity);
    let max_quantity = on(lot.max_qty)
        .map_or(Ok(Quantity(i64::MAX / 4)), |t| as_quantity("LOT_SIZE.maxQty", t, Round::Down))?;
    Ok(Instrument {
        exchange: Exchange::Binance,
        symbol: symbol(&wire.base_asset, &wire.quote_asset)?,
        native: name.to_owned(),
        status: status(wire),
        price_scale,
        quantity_scale,
        tick_size: exact(name, "tickSize", tick, price_scale).map(Price)?,
        lot_size: exact(name, "stepSize", step, quantity_scale).map(Quantity)?,
        min_quantity: as_quantity("LOT_SIZE.minQty", lot.min_qty.unwrap_or("0"), Round::Up)?,
        max_quantity,
        // Its step is often zero, which is off; its maximum holds all the same.
        max_market_quantity: on(market_lot.and_then(|f| f.max_qty))
            .map(|t| as_quantity("MARKET_LOT_SIZE.maxQty", t, Round::Down))
            .transpose()?,
        min_price: on(price_filter.min_price)
            .map(|t| as_price("minPrice", t, Round::Up))
            .transpose()?,
        max_price: on(price_filter.max_price)
            .map(|t| as_price("maxPrice", t, Round::Down))
            .transpose()?,
        min_notional: min_notional(wire)?,
        max_notional: on(filter("NOTIONAL").and_then(|f| f.max_notional))
            .map(|t| amount(name, "NOTIONAL.maxNotional", t))
            .transpose()?,
        percent_band: percent_band(wire)?,
        max_open_orders: filter("MAX_NUM_ORDERS").and_then(|f| f.max_num_orders),
        fees: FeeSchedule {
            maker: Rate::from_bp(10),
            taker: Rate::from_bp(10),
            in_received: true,
            places: wire.base_commission_precision.unwrap_or(8).min(12),
            source: "Binance regular user 0.1 % / 0.1 %, 2026-11-22".into(),
        },
    })
}

fn exact(name: &str, field: &'static str, text: &str, scale: u8) -> Result<i64, DecodeError> {
    parse_scaled(text, scale).map_err(|e| bad(name, field, text, e))
}

fn amount(name: &str, field: &'static str, text: &str) -> Result<Amount, DecodeError> {
    text.parse::<Amount>().map_err(|e| bad(name, field, text, e))
}

/// Old symbols carry MIN_NOTIONAL, current ones NOTIONAL; where both are, the larger binds.
fn min_notional(wire: &WireSymbol<'_>) -> Result<Amount, DecodeError> {
    let mut least = Amount::ZERO;
    for filter in &wire.filters {
        if let ("MIN_NOTIONAL" | "NOTIONAL", Some(text)) =
            (filter.filter_type.as_ref(), filter.min_notional)
        {
            least = least.max(amount(&wire.symbol, "minNotional", text)?);
        }
    }
    Ok(least)
}

fn percent_band(wire: &WireSymbol<'_>) -> Result<Option<PercentBand>, DecodeError> {
    let name = wire.symbol.as_ref();
    let rate = |text: Option<&str>| {
        let text = text.unwrap_or("");
        Rate::parse(text).map_err(|e| bad(name, "PERCENT_PRICE", text, e))
    };
    for f in &wire.filters {
        let sides = match f.filter_type.as_ref() {
            "PERCENT_PRICE_BY_SIDE" => [
                f.bid_multiplier_up,
                f.bid_multiplier_down,
                f.ask_multiplier_up,
                f.ask_multiplier_down,
            ],
            "PERCENT_PRICE" => {
                [f.multiplier_up, f.multiplier_down, f.multiplier_up, f.multiplier_down]
            }
            _ => continue,
        };
        return Ok(Some(PercentBand {
            bid_up: rate(sides[0])?,
            bid_down: rate(sides[1])?,
            ask_up: rate(sides[2])?,
            ask_down: rate(sides[3])?,
            // An hour is far more than any symbol has; it bounds what is kept.
            average_minutes: f.avg_price_mins.unwrap_or(5).min(60) as u8,
        }));
    }
    Ok(None)
}
