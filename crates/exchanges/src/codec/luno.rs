//! Luno: the order-by-order stream and public REST.

use super::{
    DecodeError, InstrumentList, Int, bad, capped, json, luno_fees, millis, positive, price,
    quantity, refused, symbol,
};
use domain::{
    Amount, Bar, BookUpdate, Exchange, Instrument, InstrumentStatus, Level, Price, Print, Quantity,
    Round, Side, Timestamp, parse_scaled,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One resting order of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WireOrder<'a> {
    /// Order id.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// Price.
    pub price: &'a str,
    /// Base left.
    pub volume: &'a str,
}

/// The first data frame of a stream: every order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Snapshot<'a> {
    /// Number of the last update contained.
    pub sequence: Int,
    /// Orders.
    #[serde(borrow)]
    pub asks: Vec<WireOrder<'a>>,
    /// Orders.
    #[serde(borrow)]
    pub bids: Vec<WireOrder<'a>>,
    /// `ACTIVE`, `POSTONLY`, `DISABLED`.
    #[serde(borrow, default)]
    pub status: Cow<'a, str>,
    /// Milliseconds.
    pub timestamp: i64,
}

/// A match against one resting order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TradeUpdate<'a> {
    /// Trade id: rises per market.
    #[serde(default)]
    pub sequence: Int,
    /// Base traded.
    pub base: &'a str,
    /// Counter currency traded: not the price.
    pub counter: &'a str,
    /// The resting order.
    #[serde(borrow)]
    pub maker_order_id: Cow<'a, str>,
}

/// A new resting order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CreateUpdate<'a> {
    /// Order id.
    #[serde(borrow)]
    pub order_id: Cow<'a, str>,
    /// `BID` or `ASK`.
    #[serde(rename = "type", borrow)]
    pub side: Cow<'a, str>,
    /// Price.
    pub price: &'a str,
    /// Base.
    pub volume: &'a str,
}

/// A cancelled order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DeleteUpdate<'a> {
    /// Order id.
    #[serde(borrow)]
    pub order_id: Cow<'a, str>,
}

/// A change of what the market accepts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StatusUpdate<'a> {
    /// `ACTIVE`, `POSTONLY`, `DISABLED`.
    #[serde(borrow)]
    pub status: Cow<'a, str>,
}

/// One numbered update; may be empty and counts all the same.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Update<'a> {
    /// Consecutive.
    pub sequence: Int,
    /// In order; missing or empty.
    #[serde(borrow, default)]
    pub trade_updates: Option<Vec<TradeUpdate<'a>>>,
    /// At most one.
    #[serde(borrow, default)]
    pub create_update: Option<CreateUpdate<'a>>,
    /// At most one.
    #[serde(borrow, default)]
    pub delete_update: Option<DeleteUpdate<'a>>,
    /// At most one.
    #[serde(borrow, default)]
    pub status_update: Option<StatusUpdate<'a>>,
    /// Milliseconds.
    #[serde(default)]
    pub timestamp: i64,
}

/// What a frame of the stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// `""`, or nothing: alive.
    KeepAlive,
    /// Every order.
    Snapshot(Snapshot<'a>),
    /// A change.
    Update(Update<'a>),
    /// A refusal; the server hangs up after it.
    Error {
        /// As `invalid_credentials`.
        code: String,
        /// Its words.
        message: String,
    },
    /// Something else.
    Other,
}

#[derive(Deserialize, Default)]
struct Kind<'a> {
    #[serde(borrow, default)]
    asks: Option<&'a RawValue>,
    #[serde(default)]
    sequence: Option<Int>,
    #[serde(borrow, default)]
    error_code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
    // Some newer endpoints print these two instead.
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

/// Decodes a frame.
///
/// # Errors
/// Where the frame is not JSON, or an event that we know lacks a field.
pub fn decode_stream(frame: &[u8]) -> Result<StreamEvent<'_>, DecodeError> {
    if frame.is_empty() || frame == b"\"\"" {
        return Ok(StreamEvent::KeepAlive);
    }
    let kind: Kind<'_> = json(frame)?;
    match kind {
        Kind { error_code: Some(code), error, .. } => Ok(StreamEvent::Error {
            code: code.into_owned(),
            message: error.unwrap_or_default().into_owned(),
        }),
        Kind { asks: Some(_), .. } => json(frame).map(StreamEvent::Snapshot),
        Kind { sequence: Some(_), .. } => json(frame).map(StreamEvent::Update),
        _ => Ok(StreamEvent::Other),
    }
}

/// Code and words of an error body.
pub fn decode_error(body: &[u8]) -> Option<(String, String)> {
    let kind: Kind<'_> = json(body).ok()?;
    let code = kind.error_code.map(Cow::into_owned);
    let code = code.or_else(|| kind.code.map(|c| c.get().trim_matches('"').to_owned()))?;
    Some((code, kind.error.or(kind.message).unwrap_or_default().into_owned()))
}

/// The first frame that a client sends.
pub fn credentials(id: &str, secret: &str) -> String {
    serde_json::json!({ "api_key_id": id, "api_key_secret": secret }).to_string()
}

#[derive(Deserialize)]
struct Markets<'a> {
    #[serde(borrow)]
    markets: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Market<'a> {
    #[serde(borrow)]
    market_id: Cow<'a, str>,
    #[serde(borrow)]
    trading_status: Cow<'a, str>,
    #[serde(borrow)]
    base_currency: Cow<'a, str>,
    #[serde(borrow)]
    counter_currency: Cow<'a, str>,
    min_volume: &'a str,
    max_volume: &'a str,
    volume_scale: Int,
    min_price: &'a str,
    max_price: &'a str,
    price_scale: Int,
    #[serde(default)]
    fee_scale: Option<Int>,
}

/// Decodes `/api/exchange/1/markets` for somebody who traded nothing yet.
///
/// # Errors
/// Where the list itself is malformed; a single bad market is only named in the result.
pub fn decode_markets(body: &[u8]) -> Result<InstrumentList, DecodeError> {
    decode_markets_for(body, 0)
}

/// The same for somebody who traded this much rand in thirty days: fees hang from it.
///
/// # Errors
/// As [`decode_markets`].
pub fn decode_markets_for(body: &[u8], traded_zar: u64) -> Result<InstrumentList, DecodeError> {
    let list: Markets<'_> = json(body)?;
    let one = |raw: &RawValue| {
        json::<Market<'_>>(raw.get().as_bytes()).and_then(|m| instrument(&m, traded_zar))
    };
    Ok(InstrumentList::collect(list.markets.iter().map(|raw| one(raw))))
}

/// The only renamed code of Luno's 145 markets.
fn canonical(code: &str) -> &str {
    if code == "XBT" { "BTC" } else { code }
}

/// Status as markets, tickers and the stream spell it.
pub fn status(text: &str) -> InstrumentStatus {
    match text {
        "ACTIVE" => InstrumentStatus::Trading,
        "POST_ONLY" | "POSTONLY" => InstrumentStatus::PostOnly,
        // SUSPENDED, DISABLED, UNKNOWN, and whatever they add.
        _ => InstrumentStatus::Halted,
    }
}

fn instrument(wire: &Market<'_>, traded_zar: u64) -> Result<Instrument, DecodeError> {
    let name = wire.market_id.as_ref();
    let scale = |field, value: Int| match u8::try_from(value.0) {
        Ok(v @ 0..=12) => Ok(v),
        _ => Err(refused(name, field, &value.0.to_string(), "no scale")),
    };
    let price_places = scale("price_scale", wire.price_scale)?;
    let volume_places = scale("volume_scale", wire.volume_scale)?;
    let price_scale = Instrument::scale_for(price_places);
    let quantity_scale = Instrument::scale_for(volume_places);
    let step = |scale: u8, places: u8| 10i64.pow(u32::from(scale - places));
    let fee_places = wire.fee_scale.and_then(|s| u8::try_from(s.0).ok()).unwrap_or(8).min(12);
    Ok(Instrument {
        exchange: Exchange::Luno,
        symbol: symbol(canonical(&wire.base_currency), canonical(&wire.counter_currency))?,
        native: name.to_owned(),
        status: status(&wire.trading_status),
        price_scale,
        quantity_scale,
        tick_size: Price(step(price_scale, price_places)),
        lot_size: Quantity(step(quantity_scale, volume_places)),
        min_quantity: capped(name, "min_volume", wire.min_volume, quantity_scale, Round::Up)
            .map(Quantity)?,
        max_quantity: capped(name, "max_volume", wire.max_volume, quantity_scale, Round::Down)
            .map(Quantity)?,
        max_market_quantity: None,
        min_price: Some(
            capped(name, "min_price", wire.min_price, price_scale, Round::Up).map(Price)?,
        ),
        max_price: Some(
            capped(name, "max_price", wire.max_price, price_scale, Round::Down).map(Price)?,
        ),
        // None is published.
        min_notional: Amount::ZERO,
        max_notional: None,
        percent_band: None,
        max_open_orders: None,
        fees: luno_fees::of(&wire.base_currency, &wire.counter_currency, traded_zar, fee_places),
    })
}

/// One line of `/api/1/tickers`. An empty side is `0.00`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ticker<'a> {
    /// Market.
    #[serde(borrow)]
    pub pair: Cow<'a, str>,
    /// Last change of the book in milliseconds: no proof of life.
    pub timestamp: i64,
    /// Best bid price.
    pub bid: &'a str,
    /// Best ask price.
    pub ask: &'a str,
    /// Status.
    #[serde(borrow, default)]
    pub status: Cow<'a, str>,
}

/// Decodes `/api/1/tickers`.
///
/// # Errors
/// Where it is malformed.
pub fn decode_tickers(body: &[u8]) -> Result<Vec<Ticker<'_>>, DecodeError> {
    #[derive(Deserialize)]
    struct Tickers<'a> {
        #[serde(borrow, default)]
        tickers: Option<Vec<Ticker<'a>>>,
    }
    json::<Tickers<'_>>(body).map(|t| t.tickers.unwrap_or_default())
}

/// Decodes `/api/1/ticker`.
///
/// # Errors
/// Where it is malformed.
pub fn decode_ticker(body: &[u8]) -> Result<Ticker<'_>, DecodeError> {
    json(body)
}

#[derive(Deserialize)]
struct WireBook<'a> {
    #[serde(borrow, default)]
    asks: Option<Vec<BookLine<'a>>>,
    #[serde(borrow, default)]
    bids: Option<Vec<BookLine<'a>>>,
    timestamp: i64,
}

#[derive(Deserialize)]
struct BookLine<'a> {
    price: &'a str,
    volume: &'a str,
}

/// Decodes `/api/1/orderbook_top`: the best hundred levels a side, aggregated. It has no sequence:
/// the time of its last change stands for it.
///
/// # Errors
/// Where it is malformed or a number cannot be.
pub fn decode_book(
    body: &[u8],
    of: &Instrument,
    requested_at: Timestamp,
) -> Result<BookUpdate, DecodeError> {
    let wire: WireBook<'_> = json(body)?;
    let side = |field, lines: Option<Vec<BookLine<'_>>>| {
        let level = |l: &BookLine<'_>| {
            Ok(Level {
                price: price(of, field, l.price)?,
                quantity: quantity(of, field, l.volume)?,
            })
        };
        lines.unwrap_or_default().iter().map(level).collect::<Result<Vec<_>, DecodeError>>()
    };
    let at = millis(&of.native, "book.time", wire.timestamp)?;
    Ok(BookUpdate {
        is_snapshot: true,
        update_id: wire.timestamp.unsigned_abs(),
        at: Some(at),
        requested_at: Some(requested_at),
        bids: side("book.bid", wire.bids)?,
        asks: side("book.ask", wire.asks)?,
    })
}

#[derive(Deserialize)]
struct WireTrade<'a> {
    sequence: Int,
    timestamp: Int,
    price: &'a str,
    volume: &'a str,
    is_buy: bool,
}

/// Decodes `/api/1/trades`, put in order: oldest first.
///
/// # Errors
/// Where it is malformed or a number cannot be.
pub fn decode_trades(body: &[u8], of: &Instrument) -> Result<Vec<Print>, DecodeError> {
    #[derive(Deserialize)]
    struct Trades<'a> {
        #[serde(borrow, default)]
        trades: Option<Vec<WireTrade<'a>>>,
    }
    let wire: Trades<'_> = json(body)?;
    let print = |t: &WireTrade<'_>| {
        Ok(Print {
            id: t.sequence.id(&of.native, "trade.sequence")?,
            price: price(of, "trade.price", t.price)?,
            quantity: positive(of, "trade.volume", t.volume)?,
            taker_side: if t.is_buy { Side::Buy } else { Side::Sell },
            at: millis(&of.native, "trade.time", t.timestamp.0)?,
            backfilled: false,
        })
    };
    let trades = wire.trades.unwrap_or_default();
    let mut prints = trades.iter().map(print).collect::<Result<Vec<_>, DecodeError>>()?;
    prints.sort_by_key(|p| p.id);
    Ok(prints)
}

#[derive(Deserialize)]
struct Candle<'a> {
    timestamp: i64,
    open: &'a str,
    close: &'a str,
    high: &'a str,
    low: &'a str,
    volume: &'a str,
}

/// Decodes `/api/exchange/1/candles`, oldest first. The number of trades is not given: 1 where
/// there is volume.
///
/// # Errors
/// Where it is malformed or a number cannot be.
pub fn decode_candles(body: &[u8], of: &Instrument) -> Result<Vec<Bar>, DecodeError> {
    #[derive(Deserialize)]
    struct Candles<'a> {
        #[serde(borrow, default)]
        candles: Option<Vec<Candle<'a>>>,
    }
    let wire: Candles<'_> = json(body)?;
    let bar = |c: &Candle<'_>| {
        let volume = quantity(of, "candle.volume", c.volume)?;
        Ok(Bar {
            open_at: millis(&of.native, "candle.time", c.timestamp)?,
            open: price(of, "candle.open", c.open)?,
            high: price(of, "candle.high", c.high)?,
            low: price(of, "candle.low", c.low)?,
            close: price(of, "candle.close", c.close)?,
            volume,
            prints: u32::from(volume.is_positive()),
        })
    };
    wire.candles.unwrap_or_default().iter().map(bar).collect()
}

/// Price of a trade: counter / base where that is exact at the scale, else `None`.
pub(crate) fn exact_price(of: &Instrument, base: Quantity, counter: &str) -> Option<Price> {
    let counter: Amount = counter.parse().ok()?;
    let up = 10i128.checked_pow(u32::from(of.price_scale) + u32::from(of.quantity_scale))?;
    let numerator = counter.atoms().checked_mul(up)?;
    let denominator = i128::from(base.0).checked_mul(Amount::ONE.atoms())?;
    if denominator <= 0 || numerator % denominator != 0 {
        return None;
    }
    i64::try_from(numerator / denominator).ok().filter(|p| *p > 0).map(Price)
}

/// Base of a trade: above zero, at the instrument's scale.
pub(crate) fn base(of: &Instrument, text: &str) -> Result<Quantity, DecodeError> {
    match parse_scaled(text, of.quantity_scale) {
        Ok(0) => Err(refused(&of.native, "trade.base", text, "zero")),
        Ok(v) => Ok(Quantity(v)),
        Err(e) => Err(bad(&of.native, "trade.base", text, e)),
    }
}
