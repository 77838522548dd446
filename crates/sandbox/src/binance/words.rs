//! How Binance writes orders, executions and accounts, by REST and on the user stream.

use super::frames::{DECIMALS, millis, price, quantity};
use super::rest::Refused;
use crate::http;
use crate::model::book::Standing;
use crate::private::{Desk, Event, Fill, Grant, News, Order, Status};
use crate::text::padded;
use axum::response::Response;
use domain::{Amount, Side};
use serde_json::{Value, json};
use std::collections::HashMap;

pub(super) fn refuse(refused: &Refused, status: u16) -> Response {
    let body = json!({"code": refused.code, "msg": refused.msg}).to_string();
    http::json(status, body)
}

/// A query or a form; percent-encoding is undone.
pub(super) fn parameters(text: &str) -> HashMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match code.filter(|_| *first == b'%').and_then(|c| u8::from_str_radix(c, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Eight decimals, as everything here.
pub(super) fn amount(value: Amount) -> String {
    let units = value.to_scaled(DECIMALS, domain::Round::Up).unwrap_or_default();
    padded(i128::from(units), DECIMALS, DECIMALS)
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

const fn kind(order: &Order) -> &'static str {
    match (order.price, order.standing) {
        (None, _) => "MARKET",
        (Some(_), Standing::PostOnly) => "LIMIT_MAKER",
        (Some(_), _) => "LIMIT",
    }
}

const fn life(order: &Order) -> &'static str {
    match order.standing {
        Standing::Fok => "FOK",
        Standing::Ioc if order.price.is_some() => "IOC",
        _ => "GTC",
    }
}

fn status(order: &Order) -> &'static str {
    match order.status {
        Status::Open if order.filled > 0 => "PARTIALLY_FILLED",
        Status::Open => "NEW",
        Status::Filled => "FILLED",
        Status::Cancelled => "CANCELED",
        Status::Expired => "EXPIRED",
        Status::Rejected => "REJECTED",
    }
}

fn limit(desk: &Desk, order: &Order) -> String {
    price(&desk.specs[order.market], order.price.unwrap_or(0))
}

/// What every answer about an order has.
fn common(desk: &Desk, order: &Order) -> Value {
    let spec = &desk.specs[order.market];
    json!({
        "symbol": spec.native, "orderId": order.id, "orderListId": -1,
        "clientOrderId": order.client_id, "price": limit(desk, order),
        "origQty": quantity(spec, order.quantity), "executedQty": quantity(spec, order.filled),
        "origQuoteOrderQty": "0.00000000", "cummulativeQuoteQty": amount(order.quote),
        "status": status(order), "timeInForce": life(order), "type": kind(order),
        "side": side(order.side), "selfTradePreventionMode": "NONE",
    })
}

pub(super) fn order(desk: &Desk, order: &Order, offset: i64) -> Value {
    let mut value = common(desk, order);
    value["time"] = millis(order.created_at + offset).into();
    value["updateTime"] = millis(order.updated_at + offset).into();
    value["workingTime"] = millis(order.created_at + offset).into();
    value["stopPrice"] = "0.00000000".into();
    value["icebergQty"] = "0.00000000".into();
    value["isWorking"] = true.into();
    value
}

/// The full answer to a new order: as it stands, with its executions.
pub(super) fn placed(desk: &Desk, account: usize, id: u64, offset: i64) -> Value {
    let holder = &desk.accounts[account];
    let Some(order) = holder.orders.get(&id) else { return Value::Null };
    let spec = &desk.specs[order.market];
    // One that is refused later looks like any other at first.
    let mut shown = order.clone();
    if shown.status == Status::Rejected {
        shown.status = Status::Open;
    }
    let mut value = common(desk, &shown);
    value["transactTime"] = millis(order.updated_at + offset).into();
    value["workingTime"] = millis(order.created_at + offset).into();
    let fills = holder.fills.iter().filter(|f| f.order == id && !f.is_maker);
    value["fills"] = fills
        .map(|f| {
            json!({
                "price": price(spec, f.price), "qty": quantity(spec, f.quantity),
                "commission": amount(f.fee), "commissionAsset": fee_asset(desk, f),
                "tradeId": f.id,
            })
        })
        .collect();
    value
}

/// A cancel has a name of its own; the order's is the original one.
pub(super) fn cancelled(desk: &Desk, order: &Order, offset: i64) -> Value {
    let mut value = common(desk, order);
    value["origClientOrderId"] = value["clientOrderId"].take();
    value["clientOrderId"] = format!("cancel{}", order.id).into();
    value["transactTime"] = millis(order.updated_at + offset).into();
    value
}

fn fee_asset<'a>(desk: &'a Desk, fill: &Fill) -> &'a str {
    let spec = &desk.specs[fill.market];
    if fill.fee_in_base { &spec.base } else { &spec.quote }
}

pub(super) fn my_trade(desk: &Desk, fill: &Fill, offset: i64) -> Value {
    let spec = &desk.specs[fill.market];
    json!({
        "symbol": spec.native, "id": fill.id, "orderId": fill.order, "orderListId": -1,
        "price": price(spec, fill.price), "qty": quantity(spec, fill.quantity),
        "quoteQty": amount(fill.value), "commission": amount(fill.fee),
        "commissionAsset": fee_asset(desk, fill), "time": millis(fill.at + offset),
        "isBuyer": fill.side == Side::Buy, "isMaker": fill.is_maker, "isBestMatch": true,
    })
}

pub(super) fn account(desk: &Desk, grant: &Grant) -> Value {
    let purse = &desk.accounts[grant.account].purse;
    let rates = |rate: domain::Rate| amount(rate.to_percent().part(1, 100, domain::Round::Up));
    let (maker, taker) = (rates(purse.fees.maker), rates(purse.fees.taker));
    let balances: Vec<Value> = purse
        .all()
        .map(|(asset, f)| json!({"asset": asset, "free": amount(f.free), "locked": amount(f.held)}))
        .collect();
    json!({
        "commissionRates": {
            "maker": maker, "taker": taker, "buyer": "0.00000000", "seller": "0.00000000",
        },
        // Of the account, not of the key.
        "canTrade": true, "canWithdraw": true, "canDeposit": true, "accountType": "SPOT",
        "balances": balances, "permissions": ["SPOT"], "uid": 354_937_868,
    })
}

pub(super) fn commission(desk: &Desk, grant: &Grant, symbol: &str) -> Value {
    let fees = desk.accounts[grant.account].purse.fees;
    let rate = |rate: domain::Rate| amount(rate.to_percent().part(1, 100, domain::Round::Up));
    let zero = json!({
        "maker": "0.00000000", "taker": "0.00000000", "buyer": "0.00000000", "seller": "0.00000000",
    });
    json!({
        "symbol": symbol,
        "standardCommission": {
            "maker": rate(fees.maker), "taker": rate(fees.taker), "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "specialCommission": zero, "taxCommission": zero,
        "discount": {
            "enabledForAccount": false, "enabledForSymbol": false, "discountAsset": "BNB",
            "discount": "0.75000000",
        },
    })
}

/// What the user stream says of an event.
pub(crate) fn tell(desk: &Desk, event: &Event, offset: i64) -> Vec<String> {
    let at = millis(event.at + offset);
    let mut out = Vec::with_capacity(2);
    match (&event.news, &event.order) {
        (News::Moved(asset, change), _) => out.push(json!({
            "e": "balanceUpdate", "E": at, "a": asset, "d": amount(*change), "T": at,
        })),
        (news, Some(order)) => out.push(report(desk, order, news, at, offset)),
        (_, None) => {}
    }
    let assets: Vec<Value> = event
        .balances
        .iter()
        .map(|(asset, f, _)| json!({"a": asset, "f": amount(f.free), "l": amount(f.held)}))
        .collect();
    out.push(json!({"e": "outboundAccountPosition", "E": at, "u": at, "B": assets}));
    let wrap = |event: Value| json!({"subscriptionId": 0, "event": event}).to_string();
    out.into_iter().map(wrap).collect()
}

fn report(desk: &Desk, order: &Order, news: &News, at: i64, offset: i64) -> Value {
    let spec = &desk.specs[order.market];
    let zero = "0.00000000";
    let execution = match (news, order.status) {
        (News::New, _) => "NEW",
        (News::Fill(_), _) => "TRADE",
        (_, Status::Cancelled) => "CANCELED",
        (_, Status::Rejected) => "REJECTED",
        _ => "EXPIRED",
    };
    let asked = execution == "CANCELED";
    let (name, original) = if asked {
        (format!("cancel{}", order.id), order.client_id.clone())
    } else {
        (order.client_id.clone(), String::new())
    };
    let mut value = json!({
        "e": "executionReport", "E": at, "s": spec.native, "c": name, "S": side(order.side),
        "o": kind(order), "f": life(order), "q": quantity(spec, order.quantity),
        "p": limit(desk, order), "P": zero, "F": zero, "g": -1, "C": original, "x": execution,
        "X": status(order), "r": "NONE", "i": order.id, "l": zero, "z": quantity(spec, order.filled),
        "L": zero, "n": "0", "N": null, "T": at, "t": -1, "w": order.is_open(), "m": false,
        "M": false, "O": millis(order.created_at + offset), "Z": amount(order.quote), "Y": zero,
        "Q": zero, "W": millis(order.created_at + offset), "V": "NONE",
    });
    if execution == "EXPIRED" {
        value["eR"] = "UNFILLED_IOC_QUANTITY_EXPIRED".into();
    }
    if execution == "REJECTED" {
        value["r"] = "EXCHANGE_CANCELED".into();
    }
    if let News::Fill(fill) = news {
        value["l"] = quantity(spec, fill.quantity).into();
        value["L"] = price(spec, fill.price).into();
        value["Y"] = amount(fill.value).into();
        value["n"] = amount(fill.fee).into();
        value["N"] = fee_asset(desk, fill).into();
        value["t"] = fill.id.into();
        value["m"] = fill.is_maker.into();
    }
    value
}
