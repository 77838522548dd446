//! How KuCoin writes orders, executions and accounts, by REST and on the classic user stream.

use super::frames::{price, size};
use crate::model::book::Standing;
use crate::private::{Desk, Event, Fill, Grant, News, Order, Status};
use domain::Side;
use serde_json::{Value, json};

/// What bullet-private hands out.
pub(super) fn token(account: usize) -> String {
    format!("{PRIVATE}{account}")
}

/// The account behind a private token.
pub(super) fn account(token: &str) -> Option<usize> {
    token.strip_prefix(PRIVATE)?.parse().ok()
}

const PRIVATE: &str = "sandbox-private-token-";

/// 24 hexadecimal digits.
pub(super) fn order_id(id: u64) -> String {
    format!("{id:024x}")
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

const fn kind(order: &Order) -> &'static str {
    if order.price.is_some() { "limit" } else { "market" }
}

const fn life(order: &Order) -> &'static str {
    match order.standing {
        Standing::Fok => "FOK",
        Standing::Ioc => "IOC",
        _ => "GTC",
    }
}

const fn millis(nanos: i64) -> i64 {
    nanos.div_euclid(1_000_000)
}

/// What was never executed of an order that has ended.
fn cancelled(order: &Order) -> i64 {
    if order.is_open() { 0 } else { order.left() }
}

/// No status: flags and sizes.
pub(super) fn order(desk: &Desk, order: &Order, offset: i64) -> Value {
    let spec = &desk.specs[order.market];
    let remains = if order.is_open() { order.left() } else { 0 };
    let fee = order.fees.1.to_string();
    json!({
        "id": order_id(order.id), "clientOid": order.client_id, "symbol": spec.native,
        "opType": "DEAL", "type": kind(order), "side": side(order.side),
        "price": order.price.map_or("0".to_owned(), |p| price(spec, p)),
        "size": size(spec, order.quantity), "funds": "0", "dealSize": size(spec, order.filled),
        "dealFunds": order.quote.to_string(), "fee": fee, "feeCurrency": spec.quote, "stp": null,
        "timeInForce": life(order), "postOnly": order.standing == Standing::PostOnly,
        "hidden": false, "iceberg": false, "visibleSize": "0", "cancelAfter": 0, "channel": "API",
        "remark": null, "tags": null, "cancelExist": cancelled(order) > 0, "tradeType": "TRADE",
        "inOrderBook": order.is_open(), "cancelledSize": size(spec, cancelled(order)),
        "cancelledFunds": "0", "remainSize": size(spec, remains), "remainFunds": "0", "tax": "0",
        "active": order.is_open(), "createdAt": millis(order.created_at + offset),
        "lastUpdatedAt": millis(order.updated_at + offset),
    })
}

const fn liquidity(fill: &Fill) -> &'static str {
    if fill.is_maker { "maker" } else { "taker" }
}

pub(super) fn fill(desk: &Desk, fill: &Fill, offset: i64) -> Value {
    let spec = &desk.specs[fill.market];
    json!({
        "id": fill.id, "orderId": order_id(fill.order), "counterOrderId": order_id(1),
        "tradeId": fill.id, "symbol": spec.native, "side": side(fill.side),
        "liquidity": liquidity(fill), "type": "limit", "forceTaker": false,
        "price": price(spec, fill.price), "size": size(spec, fill.quantity),
        "funds": fill.value.to_string(), "fee": fill.fee.to_string(), "feeRate": "0.001",
        "feeCurrency": spec.quote, "stop": "", "tradeType": "TRADE", "taxRate": "0", "tax": "0",
        "createdAt": millis(fill.at + offset),
    })
}

pub(super) fn accounts(desk: &Desk, grant: &Grant) -> Value {
    let purse = &desk.accounts[grant.account].purse;
    let row = |(asset, f): (&String, crate::private::order::Funds)| {
        json!({
            "id": format!("acc-{asset}"), "currency": asset, "type": "trade",
            "balance": (f.free + f.held).to_string(), "available": f.free.to_string(),
            "holds": f.held.to_string(),
        })
    };
    let savings = json!({
        "id": "acc-main", "currency": "USDT", "type": "main", "balance": "0.01",
        "available": "0.01", "holds": "0",
    });
    purse.all().map(row).chain(std::iter::once(savings)).collect()
}

/// What the user stream says of an event.
pub(crate) fn tell(desk: &Desk, event: &Event, offset: i64) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(order) = &event.order {
        out.push(change(desk, order, &event.news, event.at + offset, offset));
    }
    let cause = match event.news {
        News::Moved(..) => "main.deposit",
        News::Fill(_) => "trade.setted",
        News::New | News::End => "trade.hold",
    };
    for (asset, funds, moved) in &event.balances {
        out.push(json!({
            "topic": "/account/balance", "type": "message", "subject": "account.balance",
            "channelType": "private", "data": {
                "accountId": format!("acc-{asset}"), "currency": asset,
                "total": (funds.free + funds.held).to_string(),
                "available": funds.free.to_string(), "hold": funds.held.to_string(),
                "availableChange": moved.to_string(), "holdChange": "0",
                "relationContext": {}, "relationEvent": cause, "relationEventId": "1",
                "time": millis(event.at + offset).to_string(),
            },
        }));
    }
    out.into_iter().map(|value| value.to_string()).collect()
}

fn change(desk: &Desk, order: &Order, news: &News, at: i64, offset: i64) -> Value {
    let spec = &desk.specs[order.market];
    let (kind_text, status) = match (news, order.status) {
        (News::New, _) => ("received", "new"),
        (News::Fill(_), _) => ("match", "match"),
        (_, Status::Filled) => ("filled", "done"),
        _ => ("canceled", "done"),
    };
    let mut data = json!({
        "symbol": spec.native, "orderType": kind(order), "side": side(order.side),
        "orderId": order_id(order.id), "clientOid": order.client_id, "type": kind_text,
        "status": status, "orderTime": millis(order.created_at + offset), "ts": at,
        "originSize": size(spec, order.quantity),
    });
    if let Some(limit) = order.price {
        data["price"] = price(spec, limit).into();
    }
    if kind_text != "received" {
        data["filledSize"] = size(spec, order.filled).into();
        data["canceledSize"] = size(spec, cancelled(order)).into();
        let remains = if order.is_open() { order.left() } else { 0 };
        data["remainSize"] = size(spec, remains).into();
    }
    if let News::Fill(fill) = news {
        data["matchPrice"] = price(spec, fill.price).into();
        data["matchSize"] = size(spec, fill.quantity).into();
        data["tradeId"] = fill.id.to_string().into();
        data["liquidity"] = liquidity(fill).into();
        data["feeType"] = liquidity(fill).into();
    }
    json!({
        "topic": "/spotMarket/tradeOrdersV2", "type": "message", "subject": "orderChange",
        "channelType": "private", "data": data,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn private_tokens_name_their_account() {
        assert_eq!(super::account(&super::token(3)), Some(3));
        assert_eq!(super::account("sandbox-public-token"), None);
    }
}
