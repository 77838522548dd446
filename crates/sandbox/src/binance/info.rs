//! `exchangeInfo`, the choice of symbols, and the figures of the last day.

use super::frames;
use super::rest::Refused;
use crate::model::bars::{Bar, Interval, SECOND};
use crate::model::catalogue::Spec;
use crate::model::market::Market;
use domain::Side;
use serde_json::{Value, json};
use std::collections::HashMap;

pub(super) fn exchange<'a>(
    own: impl Iterator<Item = &'a Market>,
    query: &HashMap<String, String>,
    now: i64,
) -> Result<String, Refused> {
    let chosen = choose(own, query)?;
    let symbols: Vec<Value> = chosen.iter().map(|m| symbol(&m.spec)).collect();
    let body = json!({
        "timezone": "UTC",
        "serverTime": frames::millis(now),
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
             "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
            {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5,
             "limit": 300000},
        ],
        "exchangeFilters": [],
        "symbols": symbols,
    });
    Ok(body.to_string())
}

/// The markets that `symbol` or `symbols` names; all when there is neither.
pub(super) fn choose<'a>(
    own: impl Iterator<Item = &'a Market>,
    query: &HashMap<String, String>,
) -> Result<Vec<&'a Market>, Refused> {
    let names: Vec<String> = match (query.get("symbol"), query.get("symbols")) {
        (Some(_), Some(_)) => {
            return Err(Refused::new(-1128, "Combination of optional parameters invalid."));
        }
        (Some(one), None) => vec![one.clone()],
        (None, Some(list)) => serde_json::from_str(list)
            .map_err(|_| Refused::new(-1100, "Illegal characters found in parameter 'symbols'."))?,
        (None, None) => return Ok(own.collect()),
    };
    let own: Vec<&Market> = own.collect();
    let find = |name: &String| {
        own.iter().copied().find(|m| m.spec.native == *name).ok_or_else(Refused::symbol)
    };
    names.iter().map(find).collect()
}

fn symbol(spec: &Spec) -> Value {
    json!({
        "symbol": spec.native,
        "status": "TRADING",
        "baseAsset": spec.base,
        "baseAssetPrecision": 8,
        "quoteAsset": spec.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT",
                       "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": true,
        "ocoAllowed": true,
        "otoAllowed": true,
        "opoAllowed": true,
        "quoteOrderQtyMarketAllowed": true,
        "allowTrailingStop": true,
        "cancelReplaceAllowed": true,
        "amendAllowed": true,
        "pegInstructionsAllowed": true,
        "isSpotTradingAllowed": true,
        "isMarginTradingAllowed": false,
        "filters": filters(spec),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes":
            ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"],
    })
}

fn filters(spec: &Spec) -> Value {
    let tick = frames::price(spec, 1);
    let lot = frames::quantity(spec, 1);
    json!([
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000",
         "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": frames::quantity(spec, spec.min_quantity),
         "maxQty": "9000000.00000000", "stepSize": lot},
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "100000.00000000",
         "stepSize": "0.00000000"},
        {"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10,
         "maxTrailingAboveDelta": 2000, "minTrailingBelowDelta": 10,
         "maxTrailingBelowDelta": 2000},
        {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5",
         "bidMultiplierDown": "0.2", "askMultiplierUp": "5", "askMultiplierDown": "0.2",
         "avgPriceMins": 5},
        {"filterType": "NOTIONAL", "minNotional": spec.min_notional, "applyMinToMarket": true,
         "maxNotional": "9000000.00000000", "applyMaxToMarket": false, "avgPriceMins": 5},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
    ])
}

/// Price of the last print, or the last close of the history.
pub(super) fn last(market: &Market) -> i64 {
    let bid = market.book.best(Side::Buy).unwrap_or_default();
    market.board.prints.back().map_or(bid, |p| p.price)
}

/// The last 24 hours.
pub(super) fn day(market: &Market, now: i64, offset: i64) -> Value {
    let spec = &market.spec;
    let opened = now - 86_400 * SECOND;
    let mut sum = Bar::flat(opened, last(market));
    for bar in market.board.bars.range(Interval::Seconds(60), opened, now) {
        sum.absorb(&bar);
    }
    let change = i128::from(sum.close - sum.open);
    let percent = (change * 100_000).checked_div(i128::from(sum.open)).unwrap_or_default();
    let average = sum.turnover.checked_div(i128::from(sum.volume)).unwrap_or_default();
    let best = |side| market.book.best(side).unwrap_or_default();
    json!({
        "symbol": spec.native,
        "priceChange": crate::text::padded(change, spec.price_places, 8),
        "priceChangePercent": crate::text::exact(percent, 3),
        "weightedAvgPrice": frames::price(spec, average as i64),
        "prevClosePrice": frames::price(spec, sum.open),
        "lastPrice": frames::price(spec, sum.close),
        "lastQty": frames::quantity(spec, market.board.prints.back().map_or(0, |p| p.quantity)),
        "bidPrice": frames::price(spec, best(Side::Buy)),
        "askPrice": frames::price(spec, best(Side::Sell)),
        "openPrice": frames::price(spec, sum.open),
        "highPrice": frames::price(spec, sum.high),
        "lowPrice": frames::price(spec, sum.low),
        "volume": frames::quantity(spec, sum.volume),
        "quoteVolume": frames::turnover(spec, sum.turnover),
        "openTime": frames::millis(opened + offset),
        "closeTime": frames::millis(now + offset),
        "firstId": sum.first,
        "lastId": sum.last,
        "count": sum.trades,
    })
}
