//! KuCoin's user stream: a token by REST, then orders and balances of the classic socket.

use super::client::Inner;
use super::http::{Ask, Style};
use super::kucoin::{fills_of, liquidity, side};
use super::numbers::{any_time, currency, positive, unsigned};
use super::stream::{Heard, Opening};
use super::types::{Balance, BalanceCause, BalanceUpdate, LiveEvent, LiveFill, OrderState};
use super::venue::{self, Context, Page};
use crate::codec::{DecodeError, Int, json};
use crate::config::check_url;
use domain::{Amount, Exchange, OrderStatus, Round, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::time::Duration;

const ORDERS: &str = "/spotMarket/tradeOrdersV2";
const BALANCE: &str = "/account/balance";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bullet {
    token: String,
    instance_servers: Vec<Server>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Server {
    endpoint: String,
}

/// Asks for a token and builds the address from the answer, as KuCoin insists.
pub(super) async fn open(inner: &Inner) -> Result<Opening, String> {
    #[derive(Deserialize)]
    struct Envelope {
        data: Bullet,
    }
    let ask = Ask { weight: 10, ..Ask::post("/api/v1/bullet-private", Style::Json) };
    let body = inner.ask(&ask).await.map_err(|e| e.to_string())?;
    let bullet = json::<Envelope>(&body).map_err(|e| e.to_string())?.data;
    let server = bullet.instance_servers.first().ok_or("no server in the answer")?;
    // It comes from outside, and the token goes there.
    check_url(&server.endpoint).map_err(|_| "a server address that is none".to_owned())?;
    let subscribe = |id: &str, topic: &str| {
        serde_json::json!({
            "id": id, "type": "subscribe", "topic": topic, "privateChannel": true,
            "response": true,
        })
        .to_string()
    };
    Ok(Opening {
        url: format!("{}?token={}&connectId=user", server.endpoint, bullet.token),
        // Nothing may be said before the welcome.
        hello: Vec::new(),
        ping: Some(r#"{"id":"ping","type":"ping"}"#.to_owned()),
        is_silent: false,
        welcome: vec![subscribe("balance", BALANCE), subscribe("orders", ORDERS)],
    })
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    topic: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

pub(super) async fn heard(inner: &Inner, frame: &[u8]) -> Result<Heard, DecodeError> {
    let message: Message<'_> = json(frame)?;
    match message.kind.as_ref() {
        "welcome" => return Ok(Heard::Welcome),
        // Balances are subscribed first, so this is the last one.
        "ack" if message.id.as_deref() == Some("orders") => return Ok(Heard::Ready),
        "error" => {
            let text = message.data.map_or("", |d| d.get());
            let text: String = text.chars().take(120).collect();
            return Ok(Heard::End(format!("refused: {text}")));
        }
        "message" => {}
        _ => return Ok(Heard::Nothing),
    }
    let Some(data) = message.data.map(|d| d.get().as_bytes()) else { return Ok(Heard::Nothing) };
    match message.topic.as_deref() {
        Some(ORDERS | "/spotMarket/tradeOrders") => changed(inner, data).await,
        Some(BALANCE) => balance(data).map(Heard::Events),
        _ => Ok(Heard::Nothing),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    order_id: Cow<'a, str>,
    #[serde(borrow, default)]
    client_oid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    price: Option<Cow<'a, str>>,
    #[serde(default)]
    origin_size: Option<&'a str>,
    #[serde(default)]
    size: Option<&'a str>,
    #[serde(default)]
    filled_size: Option<&'a str>,
    #[serde(default)]
    order_time: Int,
    ts: Int,
    #[serde(default)]
    match_price: Option<&'a str>,
    #[serde(default)]
    match_size: Option<&'a str>,
    #[serde(borrow, default)]
    trade_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    liquidity: Option<Cow<'a, str>>,
    /// Maker or taker as it is charged, which is what counts.
    #[serde(borrow, default)]
    fee_type: Option<Cow<'a, str>>,
}

impl Change<'_> {
    fn state(&self, context: Context<'_>) -> Result<OrderState, DecodeError> {
        let of = self.symbol.as_ref();
        let number = |field, text: Option<&str>| {
            text.filter(|t| !t.is_empty()).map(|t| unsigned(of, field, t)).transpose()
        };
        let client_id = self.client_oid.as_deref().unwrap_or_default();
        let positive = |value: Option<Amount>| value.filter(|v| v.is_positive());
        let created = self.order_time;
        Ok(OrderState {
            instrument: context.listed.id(of),
            native: of.to_owned(),
            id: context.ids.id(client_id),
            client_id: client_id.to_owned(),
            exchange_id: self.order_id.to_string(),
            side: Some(side(of, &self.side)?),
            limit_price: positive(number("price", self.price.as_deref())?),
            quantity: positive(number("size", self.origin_size.or(self.size))?),
            filled: number("filledSize", self.filled_size)?,
            filled_quote: None,
            status: match self.kind.as_ref() {
                "filled" => OrderStatus::Filled,
                "canceled" => OrderStatus::Cancelled,
                // received, open, match, update, and whatever else does not end it.
                _ => OrderStatus::Open,
            },
            reason: None,
            created_at: if created.0 == 0 { None } else { Some(any_time(of, created)?) },
            updated_at: Some(any_time(of, self.ts)?),
        })
    }

    /// Without its fee, which the stream does not tell.
    fn fill(&self, state: &OrderState) -> Result<Option<LiveFill>, DecodeError> {
        let of = self.symbol.as_ref();
        let parts = (self.match_price, self.match_size, self.trade_id.as_deref());
        let (Some(price), Some(size), Some(trade_id)) = parts else { return Ok(None) };
        let (price, quantity) =
            (positive(of, "matchPrice", price)?, positive(of, "matchSize", size)?);
        let words = [self.fee_type.as_deref(), self.liquidity.as_deref()];
        let kind = words.into_iter().flatten().find(|w| matches!(*w, "maker" | "taker"));
        Ok(Some(LiveFill {
            instrument: state.instrument,
            native: state.native.clone(),
            trade_id: trade_id.to_owned(),
            id: state.id,
            client_id: state.client_id.clone(),
            exchange_id: state.exchange_id.clone(),
            side: state.side,
            price,
            quantity,
            quote: price.product(quantity, Round::Down).unwrap_or_default(),
            fees: Vec::new(),
            liquidity: kind.map(|word| liquidity(of, word)).transpose()?,
            at: any_time(of, self.ts)?,
        }))
    }
}

async fn changed(inner: &Inner, data: &[u8]) -> Result<Heard, DecodeError> {
    let change: Change<'_> = json(data)?;
    let state = inner.with(|c| change.state(c))?;
    let mut events = Vec::with_capacity(2);
    if change.kind == "match"
        && let Some(fill) = change.fill(&state)?
    {
        events.push(receipt(inner, fill).await);
    }
    events.push(LiveEvent::Order(state));
    Ok(Heard::Events(events))
}

/// The list of fills may be a moment behind the stream.
const RECEIPT_TRIES: u32 = 5;

/// The same fill with what was charged, from the list of fills. Without it the books would be
/// guessed, so a fill whose receipt cannot be had is left to reconciliation.
async fn receipt(inner: &Inner, fill: LiveFill) -> LiveEvent {
    let ask = fills_of(&fill.native, &fill.exchange_id);
    let page = Page::Since(Timestamp(0));
    for attempt in 0..RECEIPT_TRIES {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
        }
        let Ok(body) = inner.ask(&ask).await else { continue };
        let decode =
            |c: Context<'_>| venue::filled(Exchange::Kucoin, &body, &fill.native, &page, c);
        let Ok((listed, _)) = inner.with(decode) else { continue };
        if let Some(found) = listed.into_iter().find(|f| f.trade_id == fill.trade_id) {
            let (id, client_id) = (fill.id, fill.client_id);
            return LiveEvent::Fill(LiveFill { id, client_id, ..found });
        }
    }
    LiveEvent::Resync { why: format!("no receipt of fill {} yet", fill.trade_id) }
}

fn balance(data: &[u8]) -> Result<Vec<LiveEvent>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'a> {
        #[serde(borrow)]
        currency: Cow<'a, str>,
        available: &'a str,
        hold: &'a str,
        #[serde(borrow, default)]
        relation_event: Cow<'a, str>,
        time: Int,
    }
    let wire: Wire<'_> = json(data)?;
    let of = wire.currency.as_ref();
    let (free, held) =
        (unsigned(of, "available", wire.available)?, unsigned(of, "hold", wire.hold)?);
    let currency = currency(of)?;
    let cause = match wire.relation_event.as_ref() {
        "" => BalanceCause::Unsaid,
        event if event.starts_with("trade") && !event.contains("transfer") => BalanceCause::Trade,
        _ => BalanceCause::External,
    };
    let (now, at) = (Some(Balance { currency, free, held }), any_time(of, wire.time)?);
    Ok(vec![LiveEvent::Balance(BalanceUpdate { currency, now, change: None, cause, at })])
}
