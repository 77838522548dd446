//! KuCoin spot, private REST of the classic high-frequency endpoints. `code` decides, never HTTP.

use super::http::{Ask, Style};
use super::numbers::{any_time, currency, positive, rate, unsigned};
use super::types::{
    Balance, Charge, FeeRates, KeyPermissions, LiveFill, OrderKey, OrderState, Placed, Reaction,
};
use super::venue::{Context, Fills, Meaning, Outgoing, Page};
use crate::codec::{self, DecodeError, Int, json, refused};
use domain::{Amount, Liquidity, OrderStatus, Side, TimeInForce, Timestamp};
use serde::Deserialize;
use std::borrow::Cow;

/// Rows of one page of fills.
const PAGE: usize = 100;

pub(super) fn error(body: &[u8]) -> Option<(String, String)> {
    codec::kucoin::decode_error(body)
}

pub(super) fn meaning(code: &str, text: &str) -> Meaning {
    use Meaning::{Duplicate, Limited, NotFound, Refused, Unclear};
    let words = text.to_ascii_lowercase();
    let is_missing = ["not_exist", "not exist", "not found"].iter().any(|w| words.contains(w));
    match code {
        "429000" => Limited,
        _ if words.contains("duplicate") => Duplicate,
        "126044" => Duplicate,
        "200004" | "230003" => Refused(Reaction::Reconcile),
        "900001" | "200003" | "400600" | "300000" | "600100" | "600101" => {
            Refused(Reaction::RefreshInstrument)
        }
        "400002" => Refused(Reaction::Clock),
        "400001" | "400003" | "400004" | "400005" | "400006" | "400007" | "400200" | "400500"
        | "411100" => Refused(Reaction::Key),
        "400100" | "404" if is_missing => NotFound,
        "400100" if words.contains("increment") => Refused(Reaction::RefreshInstrument),
        "400100" | "400370" | "400413" => Refused(Reaction::Drop),
        // Internal errors, wrong addresses, and every code that we do not know.
        _ => Unclear,
    }
}

pub(super) const fn side_text(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

pub(super) fn place(order: &Outgoing, now_ms: i64) -> Ask {
    let ask = Ask::post("/api/v1/hf/orders", Style::Json)
        .with("clientOid", order.client_id.as_str())
        .with("symbol", order.instrument.native.as_str())
        .with("side", side_text(order.side))
        .with("size", order.quantity_text())
        // Refused when it comes later than that: then it is not coming at all.
        .with("clientTimestamp", now_ms.to_string())
        .with("allowMaxTimeWindow", order.validity_ms.to_string());
    let Some(price) = order.price_text() else { return ask.with("type", "market") };
    let ask = ask.with("type", "limit").with("price", price);
    match order.time_in_force {
        TimeInForce::Gtc if order.post_only => {
            ask.with("timeInForce", "GTC").with("postOnly", "true")
        }
        TimeInForce::Gtc => ask.with("timeInForce", "GTC"),
        TimeInForce::Ioc => ask.with("timeInForce", "IOC"),
        TimeInForce::Fok => ask.with("timeInForce", "FOK"),
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: Option<T>,
}

fn data<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, DecodeError> {
    let missing = || DecodeError::Malformed("an answer without data".to_owned());
    json::<Envelope<T>>(body)?.data.ok_or_else(missing)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Taken<'a> {
    #[serde(borrow)]
    order_id: Cow<'a, str>,
}

pub(super) fn placed(
    body: &[u8],
    order: &Outgoing,
    _context: Context<'_>,
) -> Result<Placed, DecodeError> {
    let taken: Taken<'_> = data(body)?;
    Ok(Placed {
        client_id: order.client_id.clone(),
        exchange_id: taken.order_id.into_owned(),
        state: None,
        fills: Vec::new(),
    })
}

fn by_name(key: &OrderKey) -> String {
    format!("/api/v1/hf/orders/client-order/{}", key.client_id)
}

pub(super) fn cancel(key: &OrderKey, native: &str) -> Option<Ask> {
    Some(Ask::delete(by_name(key)).with("symbol", native))
}

pub(super) fn cancelled(
    body: &[u8],
    _context: Context<'_>,
) -> Result<Option<OrderState>, DecodeError> {
    // Only that the request was taken.
    data::<serde::de::IgnoredAny>(body).map(|_| None)
}

pub(super) fn query(key: &OrderKey, native: &str) -> Ask {
    Ask::get(by_name(key), 2).with("symbol", native)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireOrder<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    client_oid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow, default)]
    price: Option<Cow<'a, str>>,
    size: &'a str,
    deal_size: &'a str,
    deal_funds: &'a str,
    #[serde(default)]
    cancel_exist: bool,
    active: bool,
    #[serde(default)]
    created_at: Int,
    #[serde(default)]
    last_updated_at: Int,
}

pub(super) fn side(of: &str, text: &str) -> Result<Side, DecodeError> {
    match text {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        _ => Err(refused(of, "side", text, "neither buy nor sell")),
    }
}

impl WireOrder<'_> {
    fn state(&self, context: Context<'_>) -> Result<OrderState, DecodeError> {
        let of = self.symbol.as_ref();
        let price = self.price.as_deref().filter(|p| !p.is_empty());
        let price = price.map(|p| unsigned(of, "price", p)).transpose()?;
        let client_id = self.client_oid.as_deref().unwrap_or_default();
        let at = |ms: Int| if ms.0 == 0 { Ok(None) } else { any_time(of, ms).map(Some) };
        Ok(OrderState {
            instrument: context.listed.id(of),
            native: of.to_owned(),
            id: context.ids.id(client_id),
            client_id: client_id.to_owned(),
            exchange_id: self.id.to_string(),
            side: Some(side(of, &self.side)?),
            limit_price: price.filter(|p| p.is_positive()),
            // "0" on a market order by funds.
            quantity: Some(unsigned(of, "size", self.size)?).filter(|q| q.is_positive()),
            filled: Some(unsigned(of, "dealSize", self.deal_size)?),
            filled_quote: Some(unsigned(of, "dealFunds", self.deal_funds)?),
            status: match (self.active, self.cancel_exist) {
                (true, _) => OrderStatus::Open,
                (false, true) => OrderStatus::Cancelled,
                (false, false) => OrderStatus::Filled,
            },
            reason: None,
            created_at: at(self.created_at)?,
            updated_at: at(self.last_updated_at)?,
        })
    }
}

pub(super) fn order(body: &[u8], context: Context<'_>) -> Result<Option<OrderState>, DecodeError> {
    let wire = json::<Envelope<WireOrder<'_>>>(body)?.data;
    wire.map(|wire| wire.state(context)).transpose()
}

/// Without an instrument: the names of those that have open orders.
pub(super) fn open_orders(native: Option<&str>) -> Ask {
    match native {
        Some(native) => Ask::get("/api/v1/hf/orders/active", 2).with("symbol", native),
        None => Ask::get("/api/v1/hf/orders/active/symbols", 2),
    }
}

pub(super) fn orders(body: &[u8], context: Context<'_>) -> Result<Vec<OrderState>, DecodeError> {
    let wires = json::<Envelope<Vec<WireOrder<'_>>>>(body)?.data.unwrap_or_default();
    wires.iter().map(|wire| wire.state(context)).collect()
}

/// The instruments with open orders.
pub(super) fn active(body: &[u8]) -> Result<Vec<String>, DecodeError> {
    #[derive(Deserialize)]
    struct Symbols {
        symbols: Vec<String>,
    }
    data::<Symbols>(body).map(|s| s.symbols)
}

pub(super) fn fills(native: &str, page: &Page) -> Ask {
    let ask = Ask::get("/api/v1/hf/fills", 2).with("symbol", native);
    let (since, last) = match page {
        Page::Since(at) => (at, None),
        Page::After(id, at) => (at, Some(id)),
    };
    let ask = ask.with("startAt", since.as_millis().to_string()).with("limit", PAGE.to_string());
    match last {
        Some(id) => ask.with("lastId", id.as_str()),
        None => ask,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FillPage<'a> {
    #[serde(borrow)]
    items: Vec<WireFill<'a>>,
    #[serde(default)]
    last_id: Option<Int>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireFill<'a> {
    #[serde(borrow)]
    order_id: Cow<'a, str>,
    trade_id: Int,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    liquidity: Cow<'a, str>,
    price: &'a str,
    size: &'a str,
    funds: &'a str,
    fee: &'a str,
    #[serde(borrow)]
    fee_currency: Cow<'a, str>,
    created_at: Int,
}

pub(super) fn liquidity(of: &str, text: &str) -> Result<Liquidity, DecodeError> {
    match text {
        "maker" => Ok(Liquidity::Maker),
        "taker" => Ok(Liquidity::Taker),
        _ => Err(refused(of, "liquidity", text, "neither maker nor taker")),
    }
}

impl WireFill<'_> {
    fn fill(&self, context: Context<'_>) -> Result<LiveFill, DecodeError> {
        let of = self.symbol.as_ref();
        let fee = super::numbers::amount(of, "fee", self.fee)?;
        let fees = if fee == Amount::ZERO {
            Vec::new()
        } else {
            vec![Charge { amount: fee, currency: currency(&self.fee_currency)? }]
        };
        Ok(LiveFill {
            instrument: context.listed.id(of),
            native: of.to_owned(),
            trade_id: self.trade_id.0.to_string(),
            id: None,
            client_id: String::new(),
            exchange_id: self.order_id.to_string(),
            side: Some(side(of, &self.side)?),
            price: positive(of, "price", self.price)?,
            quantity: positive(of, "size", self.size)?,
            quote: unsigned(of, "funds", self.funds)?,
            fees,
            liquidity: Some(liquidity(of, &self.liquidity)?),
            at: any_time(of, self.created_at)?,
        })
    }
}

/// Newest first: later pages are older.
pub(super) fn filled(
    body: &[u8],
    _native: &str,
    page: &Page,
    context: Context<'_>,
) -> Result<Fills, DecodeError> {
    let found: FillPage<'_> = data(body)?;
    let since: Timestamp = match page {
        Page::Since(at) | Page::After(_, at) => *at,
    };
    let next = found
        .last_id
        .filter(|id| id.0 > 0 && found.items.len() >= PAGE)
        .map(|id| Page::After(id.0.to_string(), since));
    let fills = found.items.iter().map(|item| item.fill(context));
    Ok((fills.collect::<Result<_, _>>()?, next))
}

/// Executions of one order, as its stream tells them without their fees.
pub(super) fn fills_of(native: &str, exchange_id: &str) -> Ask {
    let ask = Ask::get("/api/v1/hf/fills", 2).with("symbol", native);
    ask.with("orderId", exchange_id).with("limit", PAGE.to_string())
}

pub(super) fn balances() -> Ask {
    Ask::get("/api/v1/accounts", 5)
}

#[derive(Deserialize)]
struct WireAccount<'a> {
    #[serde(borrow)]
    currency: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    available: &'a str,
    holds: &'a str,
}

/// Spot trades from the accounts of type `trade` and, in some reports, `trade_hf`.
pub(super) fn balance_list(body: &[u8]) -> Result<Vec<Balance>, DecodeError> {
    let accounts: Vec<WireAccount<'_>> = data(body)?;
    let mut list: Vec<Balance> = Vec::new();
    for wire in accounts.iter().filter(|a| a.kind.starts_with("trade")) {
        let free = unsigned(&wire.currency, "available", wire.available)?;
        let held = unsigned(&wire.currency, "holds", wire.holds)?;
        let Ok(currency) = currency(&wire.currency) else { continue };
        Balance::add_to(&mut list, currency, free, held);
    }
    Ok(list)
}

pub(super) fn fee_rates(native: &str) -> Ask {
    Ask::get("/api/v1/trade-fees", 3).with("symbols", native)
}

pub(super) fn rates(body: &[u8], native: &str) -> Result<FeeRates, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        #[serde(borrow)]
        symbol: Cow<'a, str>,
        taker_fee_rate: &'a str,
        maker_fee_rate: &'a str,
    }
    let rows: Vec<Row<'_>> = data(body)?;
    let row = rows.iter().find(|row| row.symbol == native);
    let row = row.ok_or_else(|| refused(native, "symbol", native, "not in the answer"))?;
    Ok(FeeRates {
        maker: rate(native, "makerFeeRate", row.maker_fee_rate)?,
        taker: rate(native, "takerFeeRate", row.taker_fee_rate)?,
        discounted_in: None,
    })
}

pub(super) fn permissions() -> Option<Ask> {
    Some(Ask::get("/api/v1/user/api-key", 20))
}

/// `Transfer` is the right to withdraw; `InnerTransfer` moves between one's own accounts, which
/// would take money from under the bots as well.
pub(super) fn permitted(body: &[u8]) -> Result<KeyPermissions, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Key<'a> {
        #[serde(borrow)]
        permission: Cow<'a, str>,
        #[serde(borrow, default)]
        ip_whitelist: Option<Cow<'a, str>>,
    }
    let key: Key<'_> = data(body)?;
    let names: Vec<String> = key.permission.split(',').map(|n| n.trim().to_owned()).collect();
    let has = |wanted: &[&str]| names.iter().any(|n| wanted.contains(&n.as_str()));
    Ok(KeyPermissions::Known {
        can_trade: has(&["Spot", "Unified"]),
        can_withdraw: has(&["Transfer", "InnerTransfer", "Withdrawal", "Withdraw"]),
        is_ip_restricted: key.ip_whitelist.is_some_and(|list| !list.trim().is_empty()),
        names,
    })
}

pub(super) fn time() -> Ask {
    Ask::get("/api/v1/timestamp", 3).public()
}

pub(super) fn time_ms(body: &[u8]) -> Result<Option<i64>, DecodeError> {
    codec::kucoin::decode_time(body).map(Some)
}
