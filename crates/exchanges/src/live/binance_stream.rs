//! Binance's user data, over the WebSocket API: listen keys are no more.

use super::binance::{charge, side, status};
use super::client::Inner;
use super::numbers::{self, amount, currency, positive, unsigned};
use super::sign;
use super::stream::{Heard, Opening};
use super::types::{Balance, BalanceCause, BalanceUpdate, LiveEvent, LiveFill, OrderState};
use super::venue::Context;
use crate::codec::{DecodeError, Int, json};
use domain::{Liquidity, Round};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Subscribes with a signature, which needs no sign-in and takes any kind of key.
pub(super) fn open(inner: &Inner) -> Opening {
    let (key, now_ms) = (inner.http.key(), inner.http.exchange_ms());
    let time = now_ms.to_string();
    let payload = sign::sorted(&[("apiKey", key.key()), ("timestamp", &time)]);
    let signature = sign::hmac_hex(key.secret(), &payload);
    let hello = serde_json::json!({
        "id": "user",
        "method": "userDataStream.subscribe.signature",
        "params": {
            "apiKey": key.key(),
            "timestamp": now_ms,
            "signature": signature,
        },
    });
    let url = format!("{}/ws-api/v3", inner.config.stream_url.trim_end_matches('/'));
    Opening {
        url,
        hello: vec![hello.to_string()],
        ping: None,
        is_silent: false,
        welcome: Vec::new(),
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(borrow, default)]
    error: Option<Fault<'a>>,
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
    #[serde(borrow)]
    e: Cow<'a, str>,
}

/// A frame: an answer to our subscription, or a wrapped event.
pub(super) fn heard(frame: &[u8], context: Context<'_>) -> Result<Heard, DecodeError> {
    let envelope: Envelope<'_> = json(frame)?;
    if let Some(event) = envelope.event {
        return self::event(event.get().as_bytes(), context);
    }
    match (envelope.status, envelope.error) {
        (Some(200), None) => Ok(Heard::Ready),
        (_, Some(fault)) => Ok(Heard::End(format!("refused: {} {}", fault.code, fault.msg))),
        (Some(status), None) => Ok(Heard::End(format!("refused with status {status}"))),
        (None, None) => Ok(Heard::Nothing),
    }
}

fn event(body: &[u8], context: Context<'_>) -> Result<Heard, DecodeError> {
    let tag: Tag<'_> = json(body)?;
    match tag.e.as_ref() {
        "executionReport" => report(body, context).map(Heard::Events),
        "outboundAccountPosition" => position(body).map(Heard::Events),
        "balanceUpdate" => moved(body).map(Heard::Events),
        "eventStreamTerminated" | "serverShutdown" => Ok(Heard::End(tag.e.into_owned())),
        _ => Ok(Heard::Nothing),
    }
}

#[derive(Deserialize)]
struct Report<'a> {
    #[serde(rename = "s", borrow)]
    symbol: Cow<'a, str>,
    #[serde(rename = "c", borrow)]
    client_id: Cow<'a, str>,
    /// Of the order that a cancel was about; its own name is then in `c`.
    #[serde(rename = "C", borrow, default)]
    original_id: Cow<'a, str>,
    #[serde(rename = "S", borrow)]
    side: Cow<'a, str>,
    #[serde(rename = "q")]
    quantity: &'a str,
    #[serde(rename = "p")]
    price: &'a str,
    #[serde(rename = "x", borrow)]
    execution: Cow<'a, str>,
    #[serde(rename = "X", borrow)]
    status: Cow<'a, str>,
    #[serde(rename = "r", borrow, default)]
    reject: Cow<'a, str>,
    #[serde(rename = "eR", borrow, default)]
    expiry: Cow<'a, str>,
    #[serde(rename = "i")]
    order_id: u64,
    #[serde(rename = "l")]
    last_quantity: &'a str,
    #[serde(rename = "z")]
    filled: &'a str,
    #[serde(rename = "L")]
    last_price: &'a str,
    #[serde(rename = "n", default)]
    fee: Option<&'a str>,
    #[serde(rename = "N", borrow, default)]
    fee_asset: Option<Cow<'a, str>>,
    #[serde(rename = "T")]
    at: Int,
    #[serde(rename = "t")]
    trade_id: i64,
    #[serde(rename = "m", default)]
    is_maker: bool,
    #[serde(rename = "O", default)]
    created: Int,
    #[serde(rename = "Z")]
    filled_quote: &'a str,
    #[serde(rename = "Y", default)]
    last_quote: Option<&'a str>,
}

fn report(body: &[u8], context: Context<'_>) -> Result<Vec<LiveEvent>, DecodeError> {
    let report: Report<'_> = json(body)?;
    let state = report.state(context)?;
    let mut events = Vec::with_capacity(2);
    // A trade of nothing exists (it prevents one with ourselves), and is no fill.
    if report.execution == "TRADE" && report.trade_id >= 0 {
        let of = report.symbol.as_ref();
        if unsigned(of, "l", report.last_quantity)?.is_positive() {
            events.push(LiveEvent::Fill(report.fill(&state)?));
        }
    }
    events.push(LiveEvent::Order(state));
    Ok(events)
}

impl Report<'_> {
    fn state(&self, context: Context<'_>) -> Result<OrderState, DecodeError> {
        let of = self.symbol.as_ref();
        let client_id =
            if self.original_id.is_empty() { &self.client_id } else { &self.original_id };
        let reasons = [&self.expiry, &self.reject];
        let reason = reasons.into_iter().find(|r| !matches!(r.as_ref(), "" | "NONE"));
        Ok(OrderState {
            instrument: context.listed.id(of),
            native: of.to_owned(),
            id: context.ids.id(client_id),
            client_id: client_id.to_string(),
            exchange_id: self.order_id.to_string(),
            side: Some(side(of, &self.side)?),
            limit_price: Some(unsigned(of, "p", self.price)?).filter(|p| p.is_positive()),
            quantity: Some(unsigned(of, "q", self.quantity)?).filter(|q| q.is_positive()),
            filled: Some(unsigned(of, "z", self.filled)?),
            filled_quote: Some(amount(of, "Z", self.filled_quote)?).filter(|q| !q.is_negative()),
            status: status(of, &self.status)?,
            reason: reason.map(|r| r.to_string()),
            created_at: numbers::time(of, self.created)?,
            updated_at: numbers::time(of, self.at)?,
        })
    }

    fn fill(&self, state: &OrderState) -> Result<LiveFill, DecodeError> {
        let of = self.symbol.as_ref();
        let price = positive(of, "L", self.last_price)?;
        let quantity = positive(of, "l", self.last_quantity)?;
        let given = self.last_quote.map(|text| unsigned(of, "Y", text)).transpose()?;
        let quote = given.filter(|q| q.is_positive());
        let product = || price.product(quantity, Round::Down).unwrap_or_default();
        Ok(LiveFill {
            instrument: state.instrument,
            native: state.native.clone(),
            trade_id: self.trade_id.to_string(),
            id: state.id,
            client_id: state.client_id.clone(),
            exchange_id: state.exchange_id.clone(),
            side: state.side,
            price,
            quantity,
            quote: quote.unwrap_or_else(product),
            fees: charge(of, self.fee.unwrap_or("0"), self.fee_asset.as_deref())?,
            liquidity: Some(if self.is_maker { Liquidity::Maker } else { Liquidity::Taker }),
            at: numbers::time(of, self.at)?.unwrap_or_default(),
        })
    }
}

fn position(body: &[u8]) -> Result<Vec<LiveEvent>, DecodeError> {
    #[derive(Deserialize)]
    struct Asset<'a> {
        #[serde(rename = "a", borrow)]
        asset: Cow<'a, str>,
        #[serde(rename = "f")]
        free: &'a str,
        #[serde(rename = "l")]
        locked: &'a str,
    }
    #[derive(Deserialize)]
    struct Position<'a> {
        #[serde(rename = "u")]
        at: Int,
        #[serde(rename = "B", borrow)]
        assets: Vec<Asset<'a>>,
    }
    let position: Position<'_> = json(body)?;
    let at = numbers::time("account", position.at)?.unwrap_or_default();
    let mut events = Vec::with_capacity(position.assets.len());
    for asset in &position.assets {
        let free = unsigned(&asset.asset, "f", asset.free)?;
        let held = unsigned(&asset.asset, "l", asset.locked)?;
        let Ok(currency) = currency(&asset.asset) else { continue };
        let now = Some(Balance { currency, free, held });
        let cause = BalanceCause::Unsaid;
        events.push(LiveEvent::Balance(BalanceUpdate { currency, now, change: None, cause, at }));
    }
    Ok(events)
}

/// A deposit, a withdrawal or a transfer.
fn moved(body: &[u8]) -> Result<Vec<LiveEvent>, DecodeError> {
    #[derive(Deserialize)]
    struct Moved<'a> {
        #[serde(rename = "a", borrow)]
        asset: Cow<'a, str>,
        #[serde(rename = "d")]
        change: &'a str,
        #[serde(rename = "T")]
        at: Int,
    }
    let moved: Moved<'_> = json(body)?;
    let change = Some(amount(&moved.asset, "d", moved.change)?);
    let at = numbers::time(&moved.asset, moved.at)?.unwrap_or_default();
    let currency = currency(&moved.asset)?;
    let cause = BalanceCause::External;
    Ok(vec![LiveEvent::Balance(BalanceUpdate { currency, now: None, change, cause, at })])
}
