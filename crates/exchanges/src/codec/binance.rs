//! Binance spot: combined or raw stream frames, public REST answers, control frames.

pub use super::binance_info::decode_exchange_info;
use super::{DecodeError, WireLevel, json, levels, malformed, millis, positive, price, quantity};
use domain::{Bar, BookUpdate, Instrument, Level, Price, Print, Quantity, Side, Touch};
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

/// A SUBSCRIBE or UNSUBSCRIBE frame.
pub fn control(method: &str, streams: &[String], id: i64) -> String {
    serde_json::json!({ "method": method, "params": streams, "id": id }).to_string()
}
