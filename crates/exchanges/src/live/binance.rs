//! Binance spot, private REST: requests and answers.

use super::http::{Ask, Style};
use super::numbers::{self, amount, currency, positive, unsigned};
use super::types::{Charge, LiveFill, OrderKey, OrderState, Placed, Reaction};
use super::venue::{Context, Fills, Meaning, Outgoing, Page};
use crate::codec::{self, DecodeError, Int, json, refused};
use domain::{Liquidity, OrderStatus, Side, TimeInForce, Timestamp};
use serde::Deserialize;
use std::borrow::Cow;

pub(super) use super::binance_account::{
    balance_list, balances, fee_rates, permissions, permitted, rates, time, time_ms,
};

/// Rows of one page of fills.
const PAGE: usize = 1_000;

pub(super) fn error(body: &[u8]) -> Option<(String, String)> {
    let (code, text) = codec::binance::decode_error(body)?;
    (code != 0).then(|| (code.to_string(), text))
}

pub(super) fn meaning(code: &str, text: &str) -> Meaning {
    use Meaning::{Duplicate, Gone, Limited, NotFound, Refused, Unclear};
    let Ok(number) = code.parse::<i64>() else { return Unclear };
    match number {
        // -1008: overloaded, and refused before it was looked at.
        -1003 | -1008 | -1015 => Limited,
        -1013 | -1111 | -1121 => Refused(Reaction::RefreshInstrument),
        -1021 => Refused(Reaction::Clock),
        -1002 | -1022 | -2014 | -2015 => Refused(Reaction::Key),
        -2010 if text.starts_with("Duplicate") => Duplicate,
        -2010 if text.contains("insufficient balance") => Refused(Reaction::Reconcile),
        -2010 if text.starts_with("Market is closed") => Refused(Reaction::RefreshInstrument),
        -2010 | -2021 | -2022 | -1199..=-1100 => Refused(Reaction::Drop),
        -2011 => Gone,
        // -2026: archived, so it is at least 90 days final.
        -2013 => NotFound,
        // Internal, disconnected, timed out, and everything that we do not know.
        _ => Unclear,
    }
}

const fn side_text(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

pub(super) fn place(order: &Outgoing, _now_ms: i64) -> Ask {
    let ask = Ask::post("/api/v3/order", Style::Form)
        .with("symbol", order.instrument.native.as_str())
        .with("side", side_text(order.side));
    let ask = match order.price_text() {
        None => ask.with("type", "MARKET"),
        Some(price) if order.post_only => ask.with("type", "LIMIT_MAKER").with("price", price),
        Some(price) => {
            let life = match order.time_in_force {
                TimeInForce::Gtc => "GTC",
                TimeInForce::Ioc => "IOC",
                TimeInForce::Fok => "FOK",
            };
            ask.with("type", "LIMIT").with("timeInForce", life).with("price", price)
        }
    };
    ask.with("quantity", order.quantity_text())
        .with("newClientOrderId", order.client_id.as_str())
        .with("newOrderRespType", "FULL")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireOrder<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    order_id: u64,
    #[serde(borrow)]
    client_order_id: Cow<'a, str>,
    #[serde(borrow, default)]
    orig_client_order_id: Cow<'a, str>,
    #[serde(borrow, default)]
    price: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    orig_qty: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    executed_qty: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    cummulative_quote_qty: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    side: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    expiry_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    time: Int,
    #[serde(default)]
    update_time: Int,
    #[serde(default)]
    transact_time: Int,
    #[serde(borrow, default)]
    fills: Vec<WireFill<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireFill<'a> {
    price: &'a str,
    qty: &'a str,
    commission: &'a str,
    #[serde(borrow, default)]
    commission_asset: Option<Cow<'a, str>>,
    trade_id: u64,
}

pub(super) fn side(of: &str, text: &str) -> Result<Side, DecodeError> {
    match text {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(refused(of, "side", text, "neither BUY nor SELL")),
    }
}

pub(super) fn status(of: &str, text: &str) -> Result<OrderStatus, DecodeError> {
    match text {
        "NEW" | "PENDING_NEW" | "PARTIALLY_FILLED" | "PENDING_CANCEL" => Ok(OrderStatus::Open),
        "FILLED" => Ok(OrderStatus::Filled),
        "CANCELED" => Ok(OrderStatus::Cancelled),
        "REJECTED" => Ok(OrderStatus::Rejected),
        "EXPIRED" | "EXPIRED_IN_MATCH" => Ok(OrderStatus::Expired),
        _ => Err(refused(of, "status", text, "no status that we know")),
    }
}

impl WireOrder<'_> {
    /// `None` where the answer says nothing but that the order was taken.
    fn state(&self, context: Context<'_>) -> Result<Option<OrderState>, DecodeError> {
        let of = self.symbol.as_ref();
        let Some(status_text) = self.status.as_deref() else { return Ok(None) };
        let number = |field, text: &Option<Cow<'_, str>>| {
            text.as_deref().map(|text| amount(of, field, text)).transpose()
        };
        let at = [self.update_time, self.transact_time, self.time];
        let updated = at.into_iter().find(|t| t.0 > 0).unwrap_or_default();
        let client_id = self.client_id();
        Ok(Some(OrderState {
            instrument: context.listed.id(of),
            native: of.to_owned(),
            id: context.ids.id(client_id),
            client_id: client_id.to_owned(),
            exchange_id: self.order_id.to_string(),
            side: self.side.as_deref().map(|text| side(of, text)).transpose()?,
            limit_price: number("price", &self.price)?.filter(|p| p.is_positive()),
            quantity: number("origQty", &self.orig_qty)?.filter(|q| q.is_positive()),
            filled: number("executedQty", &self.executed_qty)?,
            // Below zero means that it is not known any more.
            filled_quote: number("cummulativeQuoteQty", &self.cummulative_quote_qty)?
                .filter(|q| !q.is_negative()),
            status: status(of, status_text)?,
            reason: self.expiry_reason.as_deref().filter(|r| *r != "NONE").map(str::to_owned),
            created_at: numbers::time(of, self.time)?,
            updated_at: numbers::time(of, updated)?,
        }))
    }

    /// A cancel has a name of its own; the order's is then the original one.
    fn client_id(&self) -> &str {
        match self.orig_client_order_id.as_ref() {
            "" => &self.client_order_id,
            original => original,
        }
    }
}

pub(super) fn placed(
    body: &[u8],
    order: &Outgoing,
    context: Context<'_>,
) -> Result<Placed, DecodeError> {
    let wire: WireOrder<'_> = json(body)?;
    let at = numbers::time(&wire.symbol, wire.transact_time)?.unwrap_or_default();
    let fills = wire.fills.iter().map(|f| immediate(f, &wire, order, context, at));
    Ok(Placed {
        client_id: wire.client_id().to_owned(),
        exchange_id: wire.order_id.to_string(),
        state: wire.state(context)?,
        fills: fills.collect::<Result<_, _>>()?,
    })
}

/// What executes while the order is placed has taken.
fn immediate(
    fill: &WireFill<'_>,
    wire: &WireOrder<'_>,
    order: &Outgoing,
    context: Context<'_>,
    at: Timestamp,
) -> Result<LiveFill, DecodeError> {
    let of = wire.symbol.as_ref();
    let (price, quantity) = (positive(of, "price", fill.price)?, positive(of, "qty", fill.qty)?);
    Ok(LiveFill {
        instrument: context.listed.id(of),
        native: of.to_owned(),
        trade_id: fill.trade_id.to_string(),
        id: context.ids.id(&order.client_id),
        client_id: order.client_id.clone(),
        exchange_id: wire.order_id.to_string(),
        side: Some(order.side),
        price,
        quantity,
        quote: price.product(quantity, domain::Round::Down).unwrap_or_default(),
        fees: charge(of, fill.commission, fill.commission_asset.as_deref())?,
        liquidity: Some(Liquidity::Taker),
        at,
    })
}

pub(super) fn charge(
    of: &str,
    text: &str,
    asset: Option<&str>,
) -> Result<Vec<Charge>, DecodeError> {
    let amount = amount(of, "commission", text)?;
    match asset {
        _ if amount.is_zero() => Ok(Vec::new()),
        Some(asset) => Ok(vec![Charge { amount, currency: currency(asset)? }]),
        None => Err(refused(of, "commission", text, "in no currency")),
    }
}

pub(super) fn cancel(key: &OrderKey, native: &str) -> Option<Ask> {
    let ask = Ask::delete("/api/v3/order").with("symbol", native);
    Some(ask.with("origClientOrderId", key.client_id.as_str()))
}

pub(super) fn cancelled(
    body: &[u8],
    context: Context<'_>,
) -> Result<Option<OrderState>, DecodeError> {
    json::<WireOrder<'_>>(body)?.state(context)
}

pub(super) fn query(key: &OrderKey, native: &str) -> Ask {
    let ask = Ask::get("/api/v3/order", 4).with("symbol", native);
    ask.with("origClientOrderId", key.client_id.as_str())
}

pub(super) fn order(body: &[u8], context: Context<'_>) -> Result<Option<OrderState>, DecodeError> {
    json::<WireOrder<'_>>(body)?.state(context)
}

pub(super) fn open_orders(native: Option<&str>) -> Ask {
    match native {
        Some(native) => Ask::get("/api/v3/openOrders", 6).with("symbol", native),
        None => Ask::get("/api/v3/openOrders", 80),
    }
}

pub(super) fn orders(body: &[u8], context: Context<'_>) -> Result<Vec<OrderState>, DecodeError> {
    let wires: Vec<WireOrder<'_>> = json(body)?;
    wires.iter().filter_map(|wire| wire.state(context).transpose()).collect()
}

pub(super) fn fills(native: &str, page: &Page) -> Ask {
    let ask = Ask::get("/api/v3/myTrades", 20).with("symbol", native);
    let ask = match page {
        Page::Since(at) => ask.with("startTime", at.as_millis().to_string()),
        Page::After(id, _) => ask.with("fromId", id.as_str()),
    };
    ask.with("limit", PAGE.to_string())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MyTrade<'a> {
    id: u64,
    order_id: u64,
    price: &'a str,
    qty: &'a str,
    quote_qty: &'a str,
    commission: &'a str,
    #[serde(borrow, default)]
    commission_asset: Option<Cow<'a, str>>,
    time: Int,
    is_buyer: bool,
    is_maker: bool,
}

/// A window by time ends after 24 hours; from the first id on there is no window.
const WINDOW_MS: i64 = 86_400_000;

pub(super) fn filled(
    body: &[u8],
    native: &str,
    page: &Page,
    context: Context<'_>,
) -> Result<Fills, DecodeError> {
    let trades: Vec<MyTrade<'_>> = json(body)?;
    let next = match (trades.last(), page) {
        (Some(last), Page::Since(at)) => Some(Page::After((last.id + 1).to_string(), *at)),
        (Some(last), Page::After(_, at)) if trades.len() == PAGE => {
            Some(Page::After((last.id + 1).to_string(), *at))
        }
        (None, Page::Since(at)) => {
            let later = at.as_millis() + WINDOW_MS;
            let is_past = later < crate::delivery::now().as_millis();
            Timestamp::from_millis(later).filter(|_| is_past).map(Page::Since)
        }
        _ => None,
    };
    let fills = trades.iter().map(|trade| my_trade(trade, native, context));
    Ok((fills.collect::<Result<_, _>>()?, next))
}

fn my_trade(
    trade: &MyTrade<'_>,
    native: &str,
    context: Context<'_>,
) -> Result<LiveFill, DecodeError> {
    Ok(LiveFill {
        instrument: context.listed.id(native),
        native: native.to_owned(),
        trade_id: trade.id.to_string(),
        id: None,
        client_id: String::new(),
        exchange_id: trade.order_id.to_string(),
        side: Some(if trade.is_buyer { Side::Buy } else { Side::Sell }),
        price: positive(native, "price", trade.price)?,
        quantity: positive(native, "qty", trade.qty)?,
        quote: unsigned(native, "quoteQty", trade.quote_qty)?,
        fees: charge(native, trade.commission, trade.commission_asset.as_deref())?,
        liquidity: Some(if trade.is_maker { Liquidity::Maker } else { Liquidity::Taker }),
        at: numbers::time(native, trade.time)?.unwrap_or_default(),
    })
}
