//! Luno's user stream: no snapshot, no trade ids, no prices; totals and what was added to them.

use super::client::Inner;
use super::http::Ask;
use super::luno::{self, charges, trade_id};
use super::numbers::{self, Text, positive, unsigned};
use super::stream::{Heard, Opening};
use super::types::{Balance, BalanceCause, BalanceUpdate, LiveEvent, LiveFill};
use crate::codec::{self, DecodeError, Int, json, refused};
use domain::{Round, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The key is the first frame, and nothing acknowledges it: a wrong one is answered by an error.
///
/// Balances are told by account, so the accounts are listed before.
pub(super) async fn open(inner: &Inner) -> Result<Opening, String> {
    let body = inner.ask(&luno::balances()).await.map_err(|e| e.to_string())?;
    let accounts = luno::accounts(&body).map_err(|e| e.to_string())?;
    inner.set_accounts(accounts);
    let key = inner.http.key();
    let url = format!("{}/api/1/userstream", inner.config.stream_url.trim_end_matches('/'));
    let hello = vec![codec::luno::credentials(key.key(), key.secret())];
    Ok(Opening { url, hello, ping: None, is_silent: true, welcome: Vec::new() })
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    timestamp: Int,
    #[serde(borrow, default)]
    order_status_update: Option<Status<'a>>,
    #[serde(borrow, default)]
    order_fill_update: Option<Fill<'a>>,
    #[serde(borrow, default)]
    balance_update: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error_code: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow)]
    order_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Fill<'a> {
    #[serde(borrow)]
    order_id: Cow<'a, str>,
    #[serde(borrow, default)]
    client_order_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    market_id: Cow<'a, str>,
    base_fill: &'a str,
    base_delta: &'a str,
    counter_delta: &'a str,
    base_fee_delta: &'a str,
    counter_fee_delta: &'a str,
}

pub(super) async fn heard(inner: &Inner, frame: &[u8]) -> Result<Heard, DecodeError> {
    // Keepalives: an empty text, or the empty JSON string.
    if frame.is_empty() || frame == b"\"\"" {
        return Ok(Heard::Nothing);
    }
    let envelope: Envelope<'_> = json(frame)?;
    if let Some(code) = envelope.error_code {
        return Ok(Heard::End(format!("refused: {code}")));
    }
    let at = time(envelope.timestamp)?;
    match envelope.kind.as_deref() {
        Some("order_status") => match envelope.order_status_update {
            Some(status) => order(inner, &status.order_id).await,
            None => Ok(Heard::Nothing),
        },
        Some("order_fill") => match envelope.order_fill_update {
            Some(update) => {
                let events = fill(inner, &update, at)?;
                Ok(Heard::Events(events.into_iter().collect()))
            }
            None => Ok(Heard::Nothing),
        },
        Some("balance_update") => match envelope.balance_update {
            Some(update) => balance(inner, update.get().as_bytes(), at),
            None => Ok(Heard::Nothing),
        },
        _ => Ok(Heard::Nothing),
    }
}

/// The documentation's samples look like seconds; the wire of the market stream has milliseconds.
fn time(value: Int) -> Result<Timestamp, DecodeError> {
    const SECONDS_UNTIL: i64 = 100_000_000_000;
    let ms = if value.0 < SECONDS_UNTIL { value.0.saturating_mul(1_000) } else { value.0 };
    Ok(numbers::time("stream", Int(ms))?.unwrap_or_default())
}

/// A status says neither how much was executed nor whether complete means filled: it is asked.
async fn order(inner: &Inner, id: &str) -> Result<Heard, DecodeError> {
    let ask = Ask::get("/api/exchange/3/order", 1).with("id", id);
    let event = match inner.ask(&ask).await {
        Ok(body) => match inner.with(|c| luno::order(&body, c))? {
            Some(state) => LiveEvent::Order(state),
            None => return Ok(Heard::Nothing),
        },
        Err(why) => LiveEvent::Resync { why: format!("order {id} changed, and: {why}") },
    };
    Ok(Heard::Events(vec![event]))
}

fn fill(inner: &Inner, update: &Fill<'_>, at: Timestamp) -> Result<Option<LiveEvent>, DecodeError> {
    let of = update.market_id.as_ref();
    if !unsigned(of, "base_delta", update.base_delta)?.is_positive() {
        return Ok(None);
    }
    let quantity = positive(of, "base_delta", update.base_delta)?;
    let quote = positive(of, "counter_delta", update.counter_delta)?;
    let total = positive(of, "base_fill", update.base_fill)?;
    let base = numbers::amount(of, "base_fee_delta", update.base_fee_delta)?;
    let counter = numbers::amount(of, "counter_fee_delta", update.counter_fee_delta)?;
    let price = quote.quotient(quantity, Round::Down);
    let price = price.ok_or_else(|| refused(of, "price", update.counter_delta, "too large"))?;
    let client_id = update.client_order_id.as_deref().unwrap_or_default();
    inner.with(|context| {
        Ok(Some(LiveEvent::Fill(LiveFill {
            instrument: context.listed.id(of),
            native: of.to_owned(),
            trade_id: trade_id(&update.order_id, total),
            id: context.ids.id(client_id),
            client_id: client_id.to_owned(),
            exchange_id: update.order_id.to_string(),
            side: None,
            price,
            quantity,
            quote,
            fees: charges(of, context, base, counter)?,
            liquidity: None,
            at,
        })))
    })
}

/// Of an account; which currency it holds was listed when the stream was opened.
fn balance(inner: &Inner, body: &[u8], at: Timestamp) -> Result<Heard, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        account_id: Text,
        balance: &'a str,
        available: &'a str,
        balance_delta: &'a str,
    }
    let wire: Wire<'_> = json(body)?;
    let of = wire.account_id.0.as_str();
    let Some(currency) = inner.account(of) else {
        let why = format!("a balance of account {of}, which is new");
        return Ok(Heard::Events(vec![LiveEvent::Resync { why }]));
    };
    let free = unsigned(of, "available", wire.available)?;
    let held = unsigned(of, "balance", wire.balance)? - free;
    let change = Some(numbers::amount(of, "balance_delta", wire.balance_delta)?);
    let now = Some(Balance { currency, free, held });
    let cause = BalanceCause::Unsaid;
    let update = BalanceUpdate { currency, now, change, cause, at };
    Ok(Heard::Events(vec![LiveEvent::Balance(update)]))
}
