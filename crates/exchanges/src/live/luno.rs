//! Luno, private REST. No signature and no clock of its own; `COMPLETE` is filled or cancelled.

use super::http::{Ask, Style};
use super::numbers::{self, Text, currency, positive, rate, unsigned};
use super::types::{
    Balance, Charge, FeeRates, KeyPermissions, LiveFill, OrderKey, OrderState, Placed, Reaction,
};
use super::venue::{Context, Fills, Meaning, Outgoing, Page};
use crate::codec::{self, DecodeError, Int, json, refused};
use domain::{Amount, Currency, Liquidity, OrderStatus, Rate, Side, TimeInForce, Timestamp};
use serde::Deserialize;
use std::borrow::Cow;

/// Rows of one page of trades.
const PAGE: usize = 1_000;

/// Longest life of a request that Luno takes.
const TTL_MAX_MS: i64 = 10_000;

pub(super) fn error(body: &[u8]) -> Option<(String, String)> {
    codec::luno::decode_error(body)
}

pub(super) fn meaning(code: &str, _text: &str) -> Meaning {
    use Meaning::{Duplicate, Gone, Limited, NotFound, Refused, Unclear};
    match code {
        "ErrTooManyRequests" => Limited,
        "ErrDuplicateClientOrderID" => Duplicate,
        "ErrOrderNotFound" => NotFound,
        "ErrCannotStopUnknownOrNonPendingOrder" => Gone,
        "ErrInsufficientBalance" | "ErrInsufficientFunds" => Refused(Reaction::Reconcile),
        "ErrDeadlineExceeded" => Refused(Reaction::Clock),
        "ErrUnauthorised" | "ErrApiKeyRevoked" | "ErrInsufficientPerms" => Refused(Reaction::Key),
        "ErrVolumeTooLow"
        | "ErrVolumeTooHigh"
        | "ErrPriceTooLow"
        | "ErrPriceTooHigh"
        | "ErrValueTooHigh"
        | "ErrPriceDenominationNotAllowed"
        | "ErrVolumeDenominationNotAllowed"
        | "ErrCounterDenominationNotAllowed"
        | "ErrInvalidVolume"
        | "ErrInvalidPrice"
        | "ErrInvalidBaseVolume"
        | "ErrInvalidCounterVolume"
        | "ErrInvalidMarketPair"
        | "ErrMarketUnavailable"
        | "ErrMarketNotAllowed"
        | "ErrPostOnlyMode"
        | "ErrPostOnlyNotAllowed" => Refused(Reaction::RefreshInstrument),
        "ErrOrderCanceled"
        | "ErrNotEnoughLiquidity"
        | "ErrInvalidArguments"
        | "ErrInvalidClientOrderId"
        | "ErrUnderMaintenance" => Refused(Reaction::Drop),
        // Internal errors, and every code that we do not know.
        _ => Unclear,
    }
}

pub(super) fn place(order: &Outgoing, now_ms: i64) -> Ask {
    let native = order.instrument.native.as_str();
    let volume = order.quantity_text();
    let ask = match order.price_text() {
        // Buys at market are by counter amount only here; ours come as limits.
        None => Ask::post("/api/1/marketorder", Style::Form)
            .with("pair", native)
            .with("type", "SELL")
            .with("base_volume", volume),
        Some(price) => {
            let life = match order.time_in_force {
                TimeInForce::Gtc => "GTC",
                TimeInForce::Ioc => "IOC",
                TimeInForce::Fok => "FOK",
            };
            let ask = Ask::post("/api/1/postorder", Style::Form)
                .with("pair", native)
                .with("type", if order.side == Side::Buy { "BID" } else { "ASK" })
                .with("volume", volume)
                .with("price", price)
                .with("time_in_force", life);
            if order.post_only { ask.with("post_only", "true") } else { ask }
        }
    };
    ask.with("client_order_id", order.client_id.as_str())
        .with("timestamp", now_ms.to_string())
        .with("ttl", order.validity_ms.clamp(1, TTL_MAX_MS).to_string())
}

pub(super) fn placed(
    body: &[u8],
    order: &Outgoing,
    _context: Context<'_>,
) -> Result<Placed, DecodeError> {
    #[derive(Deserialize)]
    struct Taken<'a> {
        #[serde(borrow)]
        order_id: Cow<'a, str>,
    }
    let taken: Taken<'_> = json(body)?;
    Ok(Placed {
        client_id: order.client_id.clone(),
        exchange_id: taken.order_id.into_owned(),
        state: None,
        fills: Vec::new(),
    })
}

pub(super) fn cancel(key: &OrderKey, _native: &str) -> Option<Ask> {
    let id = key.exchange_id.as_deref()?;
    Some(Ask::post("/api/1/stoporder", Style::Form).with("order_id", id))
}

pub(super) fn cancelled(
    body: &[u8],
    _context: Context<'_>,
) -> Result<Option<OrderState>, DecodeError> {
    #[derive(Deserialize)]
    struct Stopped {
        success: bool,
    }
    match json::<Stopped>(body)?.success {
        true => Ok(None),
        false => Err(DecodeError::Malformed("no success, and no error either".to_owned())),
    }
}

pub(super) fn query(key: &OrderKey, _native: &str) -> Ask {
    let ask = Ask::get("/api/exchange/3/order", 1);
    match &key.exchange_id {
        Some(id) if key.client_id.is_empty() => ask.with("id", id.as_str()),
        _ => ask.with("client_order_id", key.client_id.as_str()),
    }
}

#[derive(Deserialize)]
struct WireOrder<'a> {
    #[serde(borrow)]
    order_id: Cow<'a, str>,
    #[serde(borrow, default)]
    client_order_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pair: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    base: &'a str,
    counter: &'a str,
    #[serde(borrow, default)]
    limit_price: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    limit_volume: Option<Cow<'a, str>>,
    #[serde(default)]
    creation_timestamp: Int,
    #[serde(default)]
    completed_timestamp: Int,
    #[serde(default)]
    expiration_timestamp: Int,
}

impl WireOrder<'_> {
    fn state(&self, context: Context<'_>) -> Result<OrderState, DecodeError> {
        let of = self.pair.as_ref();
        let number = |field, text: &Option<Cow<'_, str>>| {
            let text = text.as_deref().filter(|t| !t.is_empty());
            let value = text.map(|t| unsigned(of, field, t)).transpose()?;
            Ok::<_, DecodeError>(value.filter(|v| v.is_positive()))
        };
        let quantity = number("limit_volume", &self.limit_volume)?;
        let filled = unsigned(of, "base", self.base)?;
        let client_id = self.client_order_id.as_deref().unwrap_or_default();
        let created_at = numbers::time(of, self.creation_timestamp)?;
        let completed_at = numbers::time(of, self.completed_timestamp)?;
        Ok(OrderState {
            instrument: context.listed.id(of),
            native: of.to_owned(),
            id: context.ids.id(client_id),
            client_id: client_id.to_owned(),
            exchange_id: self.order_id.to_string(),
            side: Some(side(of, &self.side)?),
            limit_price: number("limit_price", &self.limit_price)?,
            quantity,
            filled: Some(filled),
            filled_quote: Some(unsigned(of, "counter", self.counter)?),
            status: self.status(quantity, filled)?,
            reason: None,
            created_at,
            updated_at: completed_at.or(created_at),
        })
    }

    /// Complete is filled, cancelled on request, or ended by Luno.
    fn status(&self, whole: Option<Amount>, filled: Amount) -> Result<OrderStatus, DecodeError> {
        match self.status.as_ref() {
            "AWAITING" | "PENDING" => Ok(OrderStatus::Open),
            "COMPLETE" if whole.map_or(filled.is_positive(), |whole| filled >= whole) => {
                Ok(OrderStatus::Filled)
            }
            "COMPLETE" if self.expiration_timestamp.0 != 0 => Ok(OrderStatus::Cancelled),
            "COMPLETE" => Ok(OrderStatus::Expired),
            other => Err(refused(&self.pair, "status", other, "no status that we know")),
        }
    }
}

fn side(of: &str, text: &str) -> Result<Side, DecodeError> {
    match text {
        "BUY" | "BID" => Ok(Side::Buy),
        "SELL" | "ASK" => Ok(Side::Sell),
        _ => Err(refused(of, "side", text, "neither BUY nor SELL")),
    }
}

pub(super) fn order(body: &[u8], context: Context<'_>) -> Result<Option<OrderState>, DecodeError> {
    json::<WireOrder<'_>>(body)?.state(context).map(Some)
}

pub(super) fn open_orders(native: Option<&str>) -> Ask {
    let ask = Ask::get("/api/exchange/2/listorders", 1);
    let ask = ask.with("closed", "false").with("limit", "1000");
    match native {
        Some(native) => ask.with("pair", native),
        None => ask,
    }
}

pub(super) fn orders(body: &[u8], context: Context<'_>) -> Result<Vec<OrderState>, DecodeError> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow, default)]
        orders: Option<Vec<WireOrder<'a>>>,
    }
    let wires = json::<List<'_>>(body)?.orders.unwrap_or_default();
    wires.iter().map(|wire| wire.state(context)).collect()
}

pub(super) fn fills(native: &str, page: &Page) -> Ask {
    let ask = Ask::get("/api/1/listtrades", 1).with("pair", native);
    let ask = match page {
        Page::Since(at) => ask.with("since", at.as_millis().to_string()),
        Page::After(sequence, _) => ask.with("after_seq", sequence.as_str()),
    };
    ask.with("limit", PAGE.to_string())
}

#[derive(Deserialize)]
struct WireTrade<'a> {
    #[serde(borrow)]
    order_id: Cow<'a, str>,
    #[serde(borrow, default)]
    client_order_id: Option<Cow<'a, str>>,
    sequence: Int,
    timestamp: Int,
    price: &'a str,
    volume: &'a str,
    counter: &'a str,
    fee_base: &'a str,
    fee_counter: &'a str,
    is_buy: bool,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// Fees come in either currency, and both must be read.
pub(super) fn charges(
    native: &str,
    context: Context<'_>,
    base: Amount,
    counter: Amount,
) -> Result<Vec<Charge>, DecodeError> {
    let symbol = context.listed.native(native).map(|i| i.symbol);
    let unknown = || refused(native, "fee", native, "of an instrument that we were not told of");
    let mut fees = Vec::new();
    for (amount, is_base) in [(base, true), (counter, false)] {
        if !amount.is_zero() {
            let symbol = symbol.ok_or_else(unknown)?;
            let currency = if is_base { symbol.base } else { symbol.quote };
            fees.push(Charge { amount, currency });
        }
    }
    Ok(fees)
}

impl WireTrade<'_> {
    /// With the sequence as its id, until it is known what the order had executed before.
    fn fill(&self, native: &str, context: Context<'_>) -> Result<LiveFill, DecodeError> {
        let own = side(native, &self.kind)?;
        let taker = if self.is_buy { Side::Buy } else { Side::Sell };
        let client_id = self.client_order_id.as_deref().unwrap_or_default();
        let base = numbers::amount(native, "fee_base", self.fee_base)?;
        let counter = numbers::amount(native, "fee_counter", self.fee_counter)?;
        Ok(LiveFill {
            instrument: context.listed.id(native),
            native: native.to_owned(),
            trade_id: self.sequence.0.to_string(),
            id: context.ids.id(client_id),
            client_id: client_id.to_owned(),
            exchange_id: self.order_id.to_string(),
            side: Some(own),
            price: positive(native, "price", self.price)?,
            quantity: positive(native, "volume", self.volume)?,
            quote: unsigned(native, "counter", self.counter)?,
            fees: charges(native, context, base, counter)?,
            liquidity: Some(if own == taker { Liquidity::Taker } else { Liquidity::Maker }),
            at: numbers::time(native, self.timestamp)?.unwrap_or_default(),
        })
    }
}

pub(super) fn filled(
    body: &[u8],
    native: &str,
    page: &Page,
    context: Context<'_>,
) -> Result<Fills, DecodeError> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow, default)]
        trades: Option<Vec<WireTrade<'a>>>,
    }
    let mut trades = json::<List<'_>>(body)?.trades.unwrap_or_default();
    trades.sort_by_key(|trade| trade.sequence);
    let since: Timestamp = match page {
        Page::Since(at) | Page::After(_, at) => *at,
    };
    let last = trades.last().filter(|_| trades.len() >= PAGE);
    let next = last.map(|last| Page::After(last.sequence.0.to_string(), since));
    let fills = trades.iter().map(|trade| trade.fill(native, context));
    Ok((fills.collect::<Result<_, _>>()?, next))
}

/// The id of a fill: the order and its total after it, which stream and list both know.
pub(super) fn trade_id(exchange_id: &str, total: Amount) -> String {
    format!("{exchange_id}@{total}")
}

/// Gives an order's fills, oldest first and complete, the ids that its stream gives them.
pub(super) fn number(fills: &mut [LiveFill]) {
    let mut total = Amount::ZERO;
    for fill in fills {
        total += fill.quantity;
        fill.trade_id = trade_id(&fill.exchange_id, total);
    }
}

pub(super) fn balances() -> Ask {
    Ask::get("/api/1/balance", 1)
}

/// Free is the balance less what is reserved: the cautious reading of two that contradict. A user
/// may have several accounts of an asset.
pub(super) fn balance_list(body: &[u8]) -> Result<Vec<Balance>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        asset: Cow<'a, str>,
        balance: &'a str,
        reserved: &'a str,
    }
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        balance: Vec<Wire<'a>>,
    }
    let mut list: Vec<Balance> = Vec::new();
    for wire in &json::<List<'_>>(body)?.balance {
        let held = unsigned(&wire.asset, "reserved", wire.reserved)?;
        let free = unsigned(&wire.asset, "balance", wire.balance)? - held;
        let Ok(currency) = currency(&wire.asset) else { continue };
        Balance::add_to(&mut list, currency, free, held);
    }
    Ok(list)
}

/// Which currency each account holds.
pub(super) fn accounts(body: &[u8]) -> Result<Vec<(String, Currency)>, DecodeError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        account_id: Text,
        #[serde(borrow)]
        asset: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        balance: Vec<Wire<'a>>,
    }
    let list = json::<List<'_>>(body)?.balance;
    let known = list.into_iter().filter_map(|w| Some((w.account_id.0, currency(&w.asset).ok()?)));
    Ok(known.collect())
}

pub(super) fn fee_rates(native: &str) -> Ask {
    Ask::get("/api/1/fee_info", 1).with("pair", native)
}

pub(super) fn rates(body: &[u8], native: &str) -> Result<FeeRates, DecodeError> {
    #[derive(Deserialize)]
    struct Fees<'a> {
        maker_fee: &'a str,
        taker_fee: &'a str,
        // Buys and sells may pay differently; the fields above are then out of date.
        maker_fee_buy: Option<&'a str>,
        maker_fee_sell: Option<&'a str>,
        taker_fee_buy: Option<&'a str>,
        taker_fee_sell: Option<&'a str>,
    }
    let fees: Fees<'_> = json(body)?;
    let worst = |old: &str, sides: [Option<&str>; 2]| -> Result<Rate, DecodeError> {
        let rates = sides.into_iter().flatten().map(|text| rate(native, "fee", text));
        let rates: Vec<Rate> = rates.collect::<Result<_, _>>()?;
        rates.into_iter().max().map_or_else(|| rate(native, "fee", old), Ok)
    };
    Ok(FeeRates {
        maker: worst(fees.maker_fee, [fees.maker_fee_buy, fees.maker_fee_sell])?,
        taker: worst(fees.taker_fee, [fees.taker_fee_buy, fees.taker_fee_sell])?,
        discounted_in: None,
    })
}

/// There is no call that tells.
pub(super) const fn permissions() -> Option<Ask> {
    None
}

pub(super) const fn permitted(_body: &[u8]) -> Result<KeyPermissions, DecodeError> {
    Ok(KeyPermissions::CannotAsk { advice: ADVICE })
}

/// What a person has to look at.
const ADVICE: &str = "Luno does not tell what a key may do: use a custom key with R_Balance, \
                      R_Orders and W_Orders only, never W_Send, and restrict its addresses";

/// The smallest public answer; its `Date` is the only clock that Luno shows.
pub(super) fn time() -> Ask {
    Ask::get("/api/1/ticker", 1).with("pair", "XBTZAR").public()
}

pub(super) const fn time_ms(_body: &[u8]) -> Result<Option<i64>, DecodeError> {
    Ok(None)
}
