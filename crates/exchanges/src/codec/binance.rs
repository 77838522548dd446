//! Binance spot: combined or raw stream frames, public REST answers, control frames.

use super::{
    DecodeError, InstrumentList, WireLevel, bad, capped, json, levels, malformed, millis, places,
    positive, price, quantity, refused, symbol,
};
use domain::{
    Amount, Bar, BookUpdate, Exchange, FeeSchedule, Instrument, InstrumentStatus, Level,
    PercentBand, Price, Print, Quantity, Rate, Round, Side, Touch, parse_scaled,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// `<symbol>@trade`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Trade<'a> {
    /// Symbol, upper case.
    #[serde(rename = "s", borrow)]
    pub symbol: Cow<'a, str>,
    /// Trade id: consecutive per symbol.
    #[serde(rename = "t")]
    pub id: u64,
    /// Price.
    #[serde(rename = "p")]
    pub price: &'a str,
    /// Base quantity.
    #[serde(rename = "q")]
    pub quantity: &'a str,
    /// Time of the trade in milliseconds.
    #[serde(rename = "T")]
    pub time_ms: i64,
    /// Time of the event in milliseconds.
    #[serde(rename = "E", default)]
    pub event_ms: i64,
    /// The buyer rested: the aggressor sold.
    #[serde(rename = "m")]
    pub is_buyer_maker: bool,
}

/// `<symbol>@aggTrade`, and a row of `/api/v3/aggTrades`, which names no symbol.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AggTrade<'a> {
    /// Aggregate id.
    #[serde(rename = "a")]
    pub id: u64,
    /// Price.
    #[serde(rename = "p")]
    pub price: &'a str,
    /// Base quantity of all its trades.
    #[serde(rename = "q")]
    pub quantity: &'a str,
    /// First trade id.
    #[serde(rename = "f")]
    pub first: u64,
    /// Last trade id.
    #[serde(rename = "l")]
    pub last: u64,
    /// Milliseconds.
    #[serde(rename = "T")]
    pub time_ms: i64,
    /// The aggressor sold.
    #[serde(rename = "m")]
    pub is_buyer_maker: bool,
    /// On the stream only.
    #[serde(rename = "s", borrow, default)]
    pub symbol: Option<Cow<'a, str>>,
}

/// `<symbol>@bookTicker`: no times on spot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BookTicker<'a> {
    /// Book update id.
    #[serde(rename = "u")]
    pub update_id: u64,
    /// Symbol, upper case.
    #[serde(rename = "s", borrow)]
    pub symbol: Cow<'a, str>,
    /// Bid price.
    #[serde(rename = "b")]
    pub bid: &'a str,
    /// Bid quantity.
    #[serde(rename = "B")]
    pub bid_quantity: &'a str,
    /// Ask price.
    #[serde(rename = "a")]
    pub ask: &'a str,
    /// Ask quantity.
    #[serde(rename = "A")]
    pub ask_quantity: &'a str,
}

/// `<symbol>@depth@100ms`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DepthDiff<'a> {
    /// Symbol, upper case.
    #[serde(rename = "s", borrow)]
    pub symbol: Cow<'a, str>,
    /// Milliseconds.
    #[serde(rename = "E")]
    pub event_ms: i64,
    /// First update id contained.
    #[serde(rename = "U")]
    pub first: u64,
    /// Last update id contained.
    #[serde(rename = "u")]
    pub last: u64,
    /// Absolute quantities.
    #[serde(rename = "b", borrow)]
    pub bids: Vec<WireLevel<'a>>,
    /// Absolute quantities.
    #[serde(rename = "a", borrow)]
    pub asks: Vec<WireLevel<'a>>,
}

/// What a frame of a public stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// A public trade.
    Trade(Trade<'a>),
    /// Several trades of one aggressive order at one price.
    AggTrade(AggTrade<'a>),
    /// Best bid and ask.
    Touch(BookTicker<'a>),
    /// Depth change.
    Depth(DepthDiff<'a>),
    /// A control frame was accepted.
    Ack {
        /// Of which.
        id: Option<i64>,
    },
    /// A control frame was refused.
    Refused {
        /// Of which, where it says so.
        id: Option<i64>,
        /// Binance's code.
        code: i64,
        /// Binance's words.
        message: String,
    },
    /// The server goes away: reconnect at once.
    ServerShutdown,
    /// Something that we did not ask for, by its name.
    Other(String),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(default)]
    code: Option<i64>,
    #[serde(borrow, default)]
    msg: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(default)]
    code: i64,
    #[serde(borrow, default)]
    msg: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow, default)]
    e: Option<Cow<'a, str>>,
    #[serde(default)]
    u: Option<u64>,
}

/// Decodes a frame, combined (`{"stream":…,"data":…}`) or raw.
///
/// # Errors
/// Where the frame is not JSON, or an event that we know lacks a field.
pub fn decode_stream(frame: &[u8]) -> Result<StreamEvent<'_>, DecodeError> {
    let envelope: Envelope<'_> = json(frame)?;
    let id = envelope.id.and_then(|v| v.get().trim_matches('"').parse().ok());
    if let Some(data) = envelope.data {
        let kind = envelope.stream.as_deref().and_then(|s| s.split_once('@')).map(|(_, k)| k);
        return event(data.get().as_bytes(), kind);
    }
    let fault = match (envelope.error, envelope.code) {
        (Some(raw), _) => Some(json::<Fault<'_>>(raw.get().as_bytes())?),
        (None, Some(code)) => Some(Fault { code, msg: envelope.msg.unwrap_or_default() }),
        (None, None) => None,
    };
    match fault {
        Some(f) => Ok(StreamEvent::Refused { id, code: f.code, message: f.msg.into_owned() }),
        None if envelope.id.is_some() => Ok(StreamEvent::Ack { id }),
        None => event(frame, None),
    }
}

/// The stream's name tells the type without a second look at the payload.
fn event<'a>(data: &'a [u8], kind: Option<&str>) -> Result<StreamEvent<'a>, DecodeError> {
    match kind {
        Some("trade") => return json(data).map(StreamEvent::Trade),
        Some("bookTicker") => return json(data).map(StreamEvent::Touch),
        Some("depth" | "depth@100ms") => return json(data).map(StreamEvent::Depth),
        _ => {}
    }
    let tag: Tag<'_> = json(data)?;
    match tag.e.as_deref() {
        Some("trade") => json(data).map(StreamEvent::Trade),
        Some("aggTrade") => json(data).map(StreamEvent::AggTrade),
        Some("depthUpdate") => json(data).map(StreamEvent::Depth),
        Some("serverShutdown") => Ok(StreamEvent::ServerShutdown),
        Some(other) => Ok(StreamEvent::Other(other.chars().take(40).collect())),
        None if tag.u.is_some() => json(data).map(StreamEvent::Touch),
        None => Ok(StreamEvent::Other("unnamed".into())),
    }
}

const fn taker(is_buyer_maker: bool) -> Side {
    if is_buyer_maker { Side::Sell } else { Side::Buy }
}

impl Trade<'_> {
    /// At the instrument's scale.
    ///
    /// # Errors
    /// Names the number that cannot be.
    pub fn print(&self, of: &Instrument) -> Result<Print, DecodeError> {
        Ok(Print {
            id: self.id,
            price: price(of, "trade.price", self.price)?,
            quantity: positive(of, "trade.quantity", self.quantity)?,
            taker_side: taker(self.is_buyer_maker),
            at: millis(&of.native, "trade.time", self.time_ms)?,
            backfilled: false,
        })
    }
}

impl AggTrade<'_> {
    /// As one print under its last trade id: the parts are not told apart here.
    ///
    /// # Errors
    /// Names the number that cannot be.
    pub fn print(&self, of: &Instrument) -> Result<Print, DecodeError> {
        Ok(Print {
            id: self.last,
            price: price(of, "trade.price", self.price)?,
            quantity: positive(of, "trade.quantity", self.quantity)?,
            taker_side: taker(self.is_buyer_maker),
            at: millis(&of.native, "trade.time", self.time_ms)?,
            backfilled: true,
        })
    }
}

impl BookTicker<'_> {
    /// At the instrument's scale; a side without quantity may have price zero.
    ///
    /// # Errors
    /// Names the number that cannot be.
    pub fn touch(&self, of: &Instrument) -> Result<Touch, DecodeError> {
        let side = |field, text, amount| -> Result<Level, DecodeError> {
            match quantity(of, field, amount)? {
                Quantity::ZERO => Ok(Level { price: Price::ZERO, quantity: Quantity::ZERO }),
                quantity => Ok(Level { price: price(of, field, text)?, quantity }),
            }
        };
        Ok(Touch {
            update_id: self.update_id,
            bid: side("touch.bid", self.bid, self.bid_quantity)?,
            ask: side("touch.ask", self.ask, self.ask_quantity)?,
        })
    }
}

impl DepthDiff<'_> {
    /// At the instrument's scale.
    ///
    /// # Errors
    /// Names the number that cannot be.
    pub fn update(&self, of: &Instrument) -> Result<BookUpdate, DecodeError> {
        Ok(BookUpdate {
            is_snapshot: false,
            update_id: self.last,
            at: Some(millis(&of.native, "depth.time", self.event_ms)?),
            requested_at: None,
            bids: levels(of, "depth.bid", &self.bids)?,
            asks: levels(of, "depth.ask", &self.asks)?,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDepth<'a> {
    last_update_id: u64,
    #[serde(borrow)]
    bids: Vec<WireLevel<'a>>,
    #[serde(borrow)]
    asks: Vec<WireLevel<'a>>,
}

/// Decodes `/api/v3/depth`.
///
/// # Errors
/// Where it is malformed or a number cannot be.
pub fn decode_depth(body: &[u8], of: &Instrument) -> Result<BookUpdate, DecodeError> {
    let wire: WireDepth<'_> = json(body)?;
    Ok(BookUpdate {
        is_snapshot: true,
        update_id: wire.last_update_id,
        at: None,
        requested_at: None,
        bids: levels(of, "depth.bid", &wire.bids)?,
        asks: levels(of, "depth.ask", &wire.asks)?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RestTrade<'a> {
    id: u64,
    price: &'a str,
    qty: &'a str,
    time: i64,
    is_buyer_maker: bool,
}

/// Decodes `/api/v3/trades`, oldest first.
///
/// # Errors
/// Where it is malformed or a number cannot be.
pub fn decode_trades(body: &[u8], of: &Instrument) -> Result<Vec<Print>, DecodeError> {
    let wire: Vec<RestTrade<'_>> = json(body)?;
    let print = |t: &RestTrade<'_>| {
        Ok(Print {
            id: t.id,
            price: price(of, "trade.price", t.price)?,
            quantity: positive(of, "trade.quantity", t.qty)?,
            taker_side: taker(t.is_buyer_maker),
            at: millis(&of.native, "trade.time", t.time)?,
            backfilled: true,
        })
    };
    wire.iter().map(print).collect()
}

/// Decodes `/api/v3/aggTrades`, oldest first.
///
/// # Errors
/// Where it is malformed.
pub fn decode_agg_trades(body: &[u8]) -> Result<Vec<AggTrade<'_>>, DecodeError> {
    json(body)
}

type Row<'a> = (i64, &'a str, &'a str, &'a str, &'a str, &'a str, i64, &'a str, u32);

/// Decodes `/api/v3/klines`, oldest first; the last one may be open still.
///
/// # Errors
/// Where it is malformed or a number cannot be.
pub fn decode_klines(body: &[u8], of: &Instrument) -> Result<Vec<Bar>, DecodeError> {
    let rows: Vec<&RawValue> = json(body)?;
    rows.iter().map(|row| kline(row.get(), of)).collect()
}

fn kline(row: &str, of: &Instrument) -> Result<Bar, DecodeError> {
    // A tuple would refuse the fields behind the nine that we read, so the array is read loosely.
    let cells: Vec<&RawValue> = serde_json::from_str(row).map_err(malformed)?;
    let cell = |i: usize| cells.get(i).map(|c| c.get()).unwrap_or("null");
    let row = format!("[{}]", (0..9).map(cell).collect::<Vec<_>>().join(","));
    let (at, open, high, low, close, volume, _, _, prints): Row<'_> =
        serde_json::from_str(&row).map_err(malformed)?;
    Ok(Bar {
        open_at: millis(&of.native, "kline.time", at)?,
        open: price(of, "kline.open", open)?,
        high: price(of, "kline.high", high)?,
        low: price(of, "kline.low", low)?,
        close: price(of, "kline.close", close)?,
        volume: quantity(of, "kline.volume", volume)?,
        prints,
    })
}

/// Decodes `/api/v3/time`, in milliseconds.
///
/// # Errors
/// Where it is malformed.
pub fn decode_time(body: &[u8]) -> Result<i64, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Time {
        server_time: i64,
    }
    json::<Time>(body).map(|t| t.server_time)
}

/// Decodes an error body: code and words.
pub fn decode_error(body: &[u8]) -> Option<(i64, String)> {
    json::<Fault<'_>>(body).ok().map(|f| (f.code, f.msg.into_owned()))
}

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
        }));
    }
    Ok(None)
}

/// A SUBSCRIBE or UNSUBSCRIBE frame.
pub fn control(method: &str, streams: &[String], id: i64) -> String {
    serde_json::json!({ "method": method, "params": streams, "id": id }).to_string()
}
