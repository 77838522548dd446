//! KuCoin spot: the keyless UTA stream (JSON in binary frames), and classic public REST.
//!
//! Keys that differ only in case (`s`/`S`, `a`/`A`) are told apart; the channel's name is not.

use super::{
    DecodeError, InstrumentList, Int, WireLevel, bad, capped, json, levels, nanos, places,
    positive, price, quantity, refused, symbol,
};
use domain::{
    Amount, Bar, BookUpdate, Exchange, FeeSchedule, Instrument, InstrumentStatus, PercentBand,
    Price, Print, Quantity, Rate, Round, Side, Span, Timestamp, parse_scaled,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A book, or its change over the ids `O..=C`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Obu<'a> {
    /// Symbol.
    #[serde(rename = "s", borrow)]
    pub symbol: Cow<'a, str>,
    /// First id contained.
    #[serde(rename = "O")]
    pub open: Int,
    /// Last id contained.
    #[serde(rename = "C")]
    pub close: Int,
    /// Matching time in nanoseconds.
    #[serde(rename = "M")]
    pub time_ns: Int,
    /// Asks.
    #[serde(rename = "a", borrow, default)]
    pub asks: Vec<WireLevel<'a>>,
    /// Bids.
    #[serde(rename = "b", borrow, default)]
    pub bids: Vec<WireLevel<'a>>,
}

/// A public trade.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Trade<'a> {
    /// Symbol.
    #[serde(rename = "s", borrow)]
    pub symbol: Cow<'a, str>,
    /// Trade id: rises, with holes.
    #[serde(rename = "ti")]
    pub id: Int,
    /// Matching time in nanoseconds.
    #[serde(rename = "M")]
    pub time_ns: Int,
    /// Taker's side, in either case.
    #[serde(rename = "S", borrow)]
    pub side: Cow<'a, str>,
    /// Price.
    #[serde(rename = "p")]
    pub price: &'a str,
    /// Base quantity.
    #[serde(rename = "q")]
    pub quantity: &'a str,
}

/// What a frame of the UTA stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// The server is ready: nothing may be sent before.
    Welcome {
        /// How often it wants a ping.
        ping_interval_ms: Option<u64>,
    },
    /// A whole book.
    Snapshot(Obu<'a>),
    /// A change.
    Delta(Obu<'a>),
    /// A trade.
    Trade(Trade<'a>),
    /// A subscription was accepted.
    Ack {
        /// Which.
        id: String,
    },
    /// A subscription was refused.
    Refused {
        /// Which.
        id: String,
        /// KuCoin's words.
        message: String,
    },
    /// Answer to our ping.
    Pong,
    /// Something that we did not ask for, by its name.
    Other(String),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "T", borrow, default)]
    channel: Option<Cow<'a, str>>,
    #[serde(rename = "t", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(rename = "d", borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    result: Option<bool>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
    #[serde(rename = "type", borrow, default)]
    of_type: Option<Cow<'a, str>>,
    #[serde(rename = "pingInterval", default)]
    ping_interval: Option<u64>,
}

/// Decodes a frame, text or binary.
///
/// # Errors
/// Where the frame is not JSON, or an event that we know lacks a field.
pub fn decode_stream(frame: &[u8]) -> Result<StreamEvent<'_>, DecodeError> {
    let e: Envelope<'_> = json(frame)?;
    if let (Some(channel), Some(data)) = (&e.channel, e.data) {
        return event(channel, e.kind.as_deref(), data.get().as_bytes());
    }
    let id = || e.id.map(|v| v.get().trim_matches('"').to_owned()).unwrap_or_default();
    let words = || e.message.clone().or_else(|| e.reason.clone()).unwrap_or_default().into_owned();
    Ok(match (e.result, e.of_type.as_deref(), e.message.as_deref()) {
        (Some(true), ..) => StreamEvent::Ack { id: id() },
        (Some(false), ..) => StreamEvent::Refused { id: id(), message: words() },
        (None, Some("pong"), _) => StreamEvent::Pong,
        (None, _, Some("welcome")) => StreamEvent::Welcome { ping_interval_ms: e.ping_interval },
        (None, of_type, _) => StreamEvent::Other(of_type.unwrap_or("unnamed").to_owned()),
    })
}

fn event<'a>(
    channel: &str,
    kind: Option<&str>,
    data: &'a [u8],
) -> Result<StreamEvent<'a>, DecodeError> {
    let name = channel.split('.').next().unwrap_or_default();
    if name.eq_ignore_ascii_case("obu") {
        return match kind {
            Some(k) if k.eq_ignore_ascii_case("snapshot") => json(data).map(StreamEvent::Snapshot),
            Some(k) if k.eq_ignore_ascii_case("delta") => json(data).map(StreamEvent::Delta),
            other => Ok(StreamEvent::Other(format!("obu {}", other.unwrap_or_default()))),
        };
    }
    if name.eq_ignore_ascii_case("trade") {
        return json(data).map(StreamEvent::Trade);
    }
    Ok(StreamEvent::Other(name.chars().take(40).collect()))
}

fn side(of: &Instrument, text: &str) -> Result<Side, DecodeError> {
    match text {
        t if t.eq_ignore_ascii_case("buy") => Ok(Side::Buy),
        t if t.eq_ignore_ascii_case("sell") => Ok(Side::Sell),
        other => Err(refused(&of.native, "trade.side", other, "neither buy nor sell")),
    }
}

impl Obu<'_> {
    /// First and last id contained.
    ///
    /// # Errors
    /// Where one of them is negative.
    pub fn range(&self) -> Result<(u64, u64), DecodeError> {
        Ok((self.open.id(&self.symbol, "obu.O")?, self.close.id(&self.symbol, "obu.C")?))
    }

    /// At the instrument's scale.
    ///
    /// # Errors
    /// Names the number that cannot be.
    pub fn update(&self, of: &Instrument, is_snapshot: bool) -> Result<BookUpdate, DecodeError> {
        Ok(BookUpdate {
            is_snapshot,
            update_id: self.range()?.1,
            at: Some(nanos(&of.native, "obu.time", self.time_ns.0)?),
            requested_at: None,
            bids: levels(of, "obu.bid", &self.bids)?,
            asks: levels(of, "obu.ask", &self.asks)?,
        })
    }
}

impl Trade<'_> {
    /// At the instrument's scale.
    ///
    /// # Errors
    /// Names the number that cannot be.
    pub fn print(&self, of: &Instrument) -> Result<Print, DecodeError> {
        Ok(Print {
            id: self.id.id(&of.native, "trade.id")?,
            price: price(of, "trade.price", self.price)?,
            quantity: positive(of, "trade.quantity", self.quantity)?,
            taker_side: side(of, &self.side)?,
            at: nanos(&of.native, "trade.time", self.time_ns.0)?,
            backfilled: false,
        })
    }
}

/// A subscription frame; one symbol each. `SUBSCRIBE` or `UNSUBSCRIBE`.
pub fn control(action: &str, channel: &str, native: &str, id: &str) -> String {
    let mut frame = serde_json::json!({
        "id": id, "action": action, "channel": channel, "tradeType": "SPOT", "symbol": native,
    });
    if channel == "obu" {
        // Snapshot and deltas of the top 500; the older `increment` has no snapshot.
        frame["depth"] = "increment@10ms".into();
    }
    frame.to_string()
}

/// Our ping.
pub fn ping(id: u64) -> String {
    serde_json::json!({ "id": format!("p{id}"), "type": "ping" }).to_string()
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    code: Cow<'a, str>,
    #[serde(borrow, default)]
    msg: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

fn data(body: &[u8]) -> Result<&[u8], DecodeError> {
    let answer: Answer<'_> = json(body)?;
    let missing = || DecodeError::Malformed(format!("code {} and no data", answer.code));
    answer.data.map(|d| d.get().as_bytes()).ok_or_else(missing)
}

/// Code and words of an answer that is an error: HTTP 200 can carry one.
pub fn decode_error(body: &[u8]) -> Option<(String, String)> {
    let answer: Answer<'_> = json(body).ok()?;
    let is_error = !answer.code.is_empty() && answer.code != "200000";
    is_error.then(|| (answer.code.into_owned(), answer.msg.unwrap_or_default().into_owned()))
}

/// Decodes `/api/v1/timestamp`, in milliseconds.
///
/// # Errors
/// Where it is malformed.
pub fn decode_time(body: &[u8]) -> Result<i64, DecodeError> {
    json::<Int>(data(body)?).map(|t| t.0)
}

#[derive(Deserialize)]
struct HistoryTrade<'a> {
    sequence: Int,
    price: &'a str,
    size: &'a str,
    #[serde(borrow)]
    side: Cow<'a, str>,
    time: Int,
}

/// Decodes `/api/v1/market/histories`: the last 100 trades, put in order.
///
/// # Errors
/// Where it is malformed or a number cannot be.
pub fn decode_histories(body: &[u8], of: &Instrument) -> Result<Vec<Print>, DecodeError> {
    let wire: Vec<HistoryTrade<'_>> = json(data(body)?)?;
    let print = |t: &HistoryTrade<'_>| {
        Ok(Print {
            id: t.sequence.id(&of.native, "trade.id")?,
            price: price(of, "trade.price", t.price)?,
            quantity: positive(of, "trade.quantity", t.size)?,
            taker_side: side(of, &t.side)?,
            at: nanos(&of.native, "trade.time", t.time.0)?,
            backfilled: true,
        })
    };
    let mut prints = wire.iter().map(print).collect::<Result<Vec<_>, _>>()?;
    prints.sort_by_key(|p| p.id);
    Ok(prints)
}

/// Decodes `/api/v1/market/candles`, oldest first. On the wire: newest first, and the order is
/// time, open, CLOSE, high, low, volume. The number of trades is not given: 1 where there is volume.
///
/// # Errors
/// Where it is malformed or a number cannot be.
pub fn decode_candles(body: &[u8], of: &Instrument) -> Result<Vec<Bar>, DecodeError> {
    type Row<'a> = (Int, &'a str, &'a str, &'a str, &'a str, &'a str, &'a str);
    let rows: Vec<Row<'_>> = json(data(body)?)?;
    let bar = |(at, open, close, high, low, volume, _): &Row<'_>| {
        let volume = quantity(of, "candle.volume", volume)?;
        Ok(Bar {
            open_at: nanos(&of.native, "candle.time", at.0.saturating_mul(1_000_000_000))?,
            open: price(of, "candle.open", open)?,
            high: price(of, "candle.high", high)?,
            low: price(of, "candle.low", low)?,
            close: price(of, "candle.close", close)?,
            volume,
            prints: u32::from(volume.is_positive()),
        })
    };
    let mut bars = rows.iter().map(bar).collect::<Result<Vec<_>, _>>()?;
    bars.sort_by_key(|b| b.open_at);
    Ok(bars)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSymbol<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    base_currency: Cow<'a, str>,
    #[serde(borrow)]
    quote_currency: Cow<'a, str>,
    #[serde(borrow, default)]
    fee_currency: Option<Cow<'a, str>>,
    base_min_size: &'a str,
    base_max_size: &'a str,
    base_increment: &'a str,
    price_increment: &'a str,
    #[serde(default)]
    quote_min_size: Option<&'a str>,
    #[serde(default)]
    quote_increment: Option<&'a str>,
    #[serde(default)]
    min_funds: Option<&'a str>,
    #[serde(default)]
    price_limit_rate: Option<&'a str>,
    #[serde(default)]
    enable_trading: bool,
    #[serde(default)]
    fee_category: Option<i64>,
    #[serde(default)]
    maker_fee_coefficient: Option<&'a str>,
    #[serde(default)]
    taker_fee_coefficient: Option<&'a str>,
}

/// Decodes `/api/v2/symbols` (and the older `/api/v1/symbols`).
///
/// # Errors
/// Where the list itself is malformed; a single bad symbol is only named in the result.
pub fn decode_symbols(body: &[u8]) -> Result<InstrumentList, DecodeError> {
    let symbols: Vec<&RawValue> = json(data(body)?)?;
    Ok(InstrumentList::collect(
        symbols
            .iter()
            .map(|raw| json::<WireSymbol<'_>>(raw.get().as_bytes()).and_then(|s| instrument(&s))),
    ))
}

/// The answer of `/api/v2/symbols/{symbol}`.
///
/// # Errors
/// Where the answer is malformed.
pub fn decode_symbol(body: &[u8]) -> Result<InstrumentList, DecodeError> {
    let one = json::<WireSymbol<'_>>(data(body)?).and_then(|s| instrument(&s));
    Ok(InstrumentList::collect(std::iter::once(one)))
}

fn instrument(wire: &WireSymbol<'_>) -> Result<Instrument, DecodeError> {
    let name = wire.symbol.as_ref();
    let price_scale = Instrument::scale_for(places(wire.price_increment));
    let quantity_scale = Instrument::scale_for(places(wire.base_increment));
    let step = |field, text: &str, scale| match parse_scaled(text, scale) {
        Ok(0) => Err(refused(name, field, text, "zero")),
        Ok(v) => Ok(v),
        Err(e) => Err(bad(name, field, text, e)),
    };
    let tick_size = Price(step("priceIncrement", wire.price_increment, price_scale)?);
    Ok(Instrument {
        exchange: Exchange::Kucoin,
        symbol: symbol(&wire.base_currency, &wire.quote_currency)?,
        native: name.to_owned(),
        status: if wire.enable_trading {
            InstrumentStatus::Trading
        } else {
            InstrumentStatus::Halted
        },
        price_scale,
        quantity_scale,
        tick_size,
        lot_size: Quantity(step("baseIncrement", wire.base_increment, quantity_scale)?),
        min_quantity: capped(name, "baseMinSize", wire.base_min_size, quantity_scale, Round::Up)
            .map(Quantity)?,
        max_quantity: capped(name, "baseMaxSize", wire.base_max_size, quantity_scale, Round::Down)
            .map(Quantity)?,
        max_market_quantity: None,
        min_price: Some(tick_size),
        max_price: None,
        min_notional: min_notional(wire)?,
        max_notional: None,
        percent_band: percent_band(wire)?,
        max_open_orders: None,
        fees: fees(wire)?,
    })
}

/// `minFunds` binds orders, `quoteMinSize` market orders by value: the larger is safe for both.
fn min_notional(wire: &WireSymbol<'_>) -> Result<Amount, DecodeError> {
    let mut least = Amount::ZERO;
    for text in [wire.min_funds, wire.quote_min_size].into_iter().flatten() {
        let amount: Amount = text.parse().map_err(|e| bad(&wire.symbol, "minFunds", text, e))?;
        least = least.max(amount);
    }
    Ok(least)
}

fn percent_band(wire: &WireSymbol<'_>) -> Result<Option<PercentBand>, DecodeError> {
    let Some(text) = wire.price_limit_rate else { return Ok(None) };
    let rate = Rate::parse(text).map_err(|e| bad(&wire.symbol, "priceLimitRate", text, e))?;
    if rate.0 <= 0 || rate.0 >= Rate::ONE.0 {
        return Ok(None);
    }
    let (up, down) = (Rate(Rate::ONE.0 + rate.0), Rate(Rate::ONE.0 - rate.0));
    // No document says relative to what: the last price is what its pages show.
    Ok(Some(PercentBand {
        bid_up: up,
        bid_down: down,
        ask_up: up,
        ask_down: down,
        average_minutes: 0,
    }))
}

/// Class A 0.1 %, B 0.2 %, C 0.3 %, times the symbol's own coefficients; zero is free.
fn fees(wire: &WireSymbol<'_>) -> Result<FeeSchedule, DecodeError> {
    let category = wire.fee_category.unwrap_or(1).clamp(1, 3);
    let rate = |coefficient: Option<&str>| {
        let text = coefficient.unwrap_or("1");
        let factor: Amount =
            text.parse().map_err(|e| bad(&wire.symbol, "feeCoefficient", text, e))?;
        let base = Rate::from_bp(10 * category);
        let rate = factor.times(base, Round::Up).to_scaled(9, Round::Up).map(Rate);
        rate.ok_or_else(|| refused(&wire.symbol, "feeCoefficient", text, "too large"))
    };
    let class = ["A", "B", "C"][category as usize - 1];
    let quote = wire.quote_currency.as_ref();
    let charged = wire.fee_currency.as_deref().unwrap_or(quote);
    // A third currency would need a wallet of its own: the same value is charged in quote, said so.
    let is_third = charged != quote && charged != wire.base_currency;
    let instead =
        if is_third { format!(" (here: the same value in {quote})") } else { String::new() };
    Ok(FeeSchedule {
        maker: rate(wire.maker_fee_coefficient)?,
        taker: rate(wire.taker_fee_coefficient)?,
        // `feeCurrency` is the quote nearly everywhere. Where it is the base, a buy receives less,
        // as on Binance.
        in_received: charged == wire.base_currency,
        places: places(wire.quote_increment.unwrap_or("0.00000001")).max(8),
        source: format!("KuCoin class {class} VIP 0, charged in {charged}{instead}, 2026-11-22"),
    })
}

/// Name of a candle length; `None` where KuCoin has none.
pub fn candle_type(span: Span) -> Option<&'static str> {
    Some(match span.as_secs() {
        60 => "1min",
        300 => "5min",
        900 => "15min",
        3_600 => "1hour",
        14_400 => "4hour",
        86_400 => "1day",
        _ => return None,
    })
}

/// Path of one page of candles between two instants.
pub fn candles_path(native: &str, kind: &str, from: Timestamp, until: Timestamp) -> String {
    let (from, until) = (from.as_millis() / 1_000, until.as_millis() / 1_000);
    format!("/api/v1/market/candles?symbol={native}&type={kind}&startAt={from}&endAt={until}")
}
