//! KuCoin's classic stream: recorded tapes speak it; the connector uses UTA, which needs no token.

use super::{DecodeError, Int, WireLevel, json, levels, millis, nanos, positive, price, refused};
use domain::{BookUpdate, Instrument, Print, Side};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// `/market/level2`: changes over the ids `start..=end`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Level2<'a> {
    /// Symbol.
    #[serde(borrow)]
    pub symbol: Cow<'a, str>,
    /// First id contained.
    pub sequence_start: Int,
    /// Last id contained.
    pub sequence_end: Int,
    /// Sides.
    #[serde(borrow)]
    pub changes: Changes<'a>,
    /// Milliseconds; missing in old recordings.
    #[serde(default)]
    pub time: Option<Int>,
}

/// See [`Level2`]. A price of 0 carries nothing and only moves the sequence.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Changes<'a> {
    /// Asks.
    #[serde(borrow)]
    pub asks: Vec<WireLevel<'a>>,
    /// Bids.
    #[serde(borrow)]
    pub bids: Vec<WireLevel<'a>>,
}

/// `/market/match`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Match<'a> {
    /// Symbol.
    #[serde(borrow)]
    pub symbol: Cow<'a, str>,
    /// Rises per symbol.
    pub sequence: Int,
    /// Taker's side.
    #[serde(borrow)]
    pub side: Cow<'a, str>,
    /// Price.
    pub price: &'a str,
    /// Base quantity.
    pub size: &'a str,
    /// Nanoseconds, as text.
    pub time: Int,
}

/// What a classic frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClassicEvent<'a> {
    /// Book change.
    Level2(Level2<'a>),
    /// Trade.
    Match(Match<'a>),
    /// Greeting, by its id.
    Welcome(String),
    /// Subscription accepted.
    Ack(String),
    /// Answer to a ping.
    Pong(String),
    /// Refusal, in KuCoin's words.
    Error(String),
    /// Another subject, by its name.
    Other(String),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    subject: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// Decodes a classic frame.
///
/// # Errors
/// Where the frame is not JSON, or an event that we know lacks a field.
pub fn decode(frame: &[u8]) -> Result<ClassicEvent<'_>, DecodeError> {
    let e: Envelope<'_> = json(frame)?;
    let id = || e.id.map(|v| v.get().trim_matches('"').to_owned()).unwrap_or_default();
    let data = e.data.map_or("null", RawValue::get);
    match (e.kind.as_ref(), e.subject.as_ref()) {
        ("message", "trade.l2update") => json(data.as_bytes()).map(ClassicEvent::Level2),
        ("message", "trade.l3match") => json(data.as_bytes()).map(ClassicEvent::Match),
        ("message", other) => Ok(ClassicEvent::Other(other.to_owned())),
        ("welcome", _) => Ok(ClassicEvent::Welcome(id())),
        ("ack", _) => Ok(ClassicEvent::Ack(id())),
        ("pong", _) => Ok(ClassicEvent::Pong(id())),
        ("error", _) => Ok(ClassicEvent::Error(data.trim_matches('"').to_owned())),
        (other, _) => Ok(ClassicEvent::Other(other.chars().take(40).collect())),
    }
}

impl Level2<'_> {
    /// First and last id contained.
    ///
    /// # Errors
    /// Where one of them is negative.
    pub fn range(&self) -> Result<(u64, u64), DecodeError> {
        let id = |v: Int, field| v.id(&self.symbol, field);
        Ok((id(self.sequence_start, "sequenceStart")?, id(self.sequence_end, "sequenceEnd")?))
    }

    /// At the instrument's scale.
    ///
    /// # Errors
    /// Names the number that cannot be.
    pub fn update(&self, of: &Instrument) -> Result<BookUpdate, DecodeError> {
        Ok(BookUpdate {
            is_snapshot: false,
            update_id: self.range()?.1,
            at: self.time.map(|t| millis(&of.native, "l2.time", t.0)).transpose()?,
            requested_at: None,
            bids: levels(of, "l2.bid", &self.changes.bids)?,
            asks: levels(of, "l2.ask", &self.changes.asks)?,
        })
    }
}

impl Match<'_> {
    /// At the instrument's scale.
    ///
    /// # Errors
    /// Names the number that cannot be.
    pub fn print(&self, of: &Instrument) -> Result<Print, DecodeError> {
        let taker_side = match self.side.as_ref() {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            other => return Err(refused(&of.native, "trade.side", other, "unknown")),
        };
        Ok(Print {
            id: self.sequence.id(&of.native, "trade.id")?,
            price: price(of, "trade.price", self.price)?,
            quantity: positive(of, "trade.quantity", self.size)?,
            taker_side,
            at: nanos(&of.native, "trade.time", self.time.0)?,
            backfilled: false,
        })
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Snapshot<'a>,
}

#[derive(Deserialize)]
struct Snapshot<'a> {
    sequence: Int,
    #[serde(default)]
    time: Option<Int>,
    #[serde(borrow)]
    bids: Vec<WireLevel<'a>>,
    #[serde(borrow)]
    asks: Vec<WireLevel<'a>>,
}

/// Decodes a REST book (`level2_20`, `level2_100`, or the full one of a recording).
///
/// # Errors
/// Where it is malformed or a number cannot be.
pub fn decode_snapshot(body: &[u8], of: &Instrument) -> Result<BookUpdate, DecodeError> {
    let answer: Answer<'_> = json(body)?;
    Ok(BookUpdate {
        is_snapshot: true,
        update_id: answer.data.sequence.id(&of.native, "l2.sequence")?,
        at: answer.data.time.map(|t| millis(&of.native, "l2.time", t.0)).transpose()?,
        requested_at: None,
        bids: levels(of, "l2.bid", &answer.data.bids)?,
        asks: levels(of, "l2.ask", &answer.data.asks)?,
    })
}
