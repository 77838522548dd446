//! Lists: trades, orders, events, wallets, and what may be done to their rows.

use super::answer::Answer;
use super::api::Api;
use super::bots;
use super::failure::Failure;
use super::table::Column;
use crate::cli::{Events, Orders, OrdersVerb, Page, Trades, WalletMove, WalletVerb};
use serde_json::json;

const TRADES: &[Column] = &[
    ("CLOSED", "timestamp"),
    ("BOT", "bot_id"),
    ("EXCHANGE", "exchange"),
    ("SYMBOL", "symbol"),
    ("AMOUNT", "amount"),
    ("ENTRY", "entry_price"),
    ("EXIT", "exit_price"),
    ("PROFIT", "profit_loss"),
    ("FEES", "fees"),
    ("WHY", "exit_reason"),
    ("GRADE", "grade"),
];
const ORDERS: &[Column] = &[
    ("CREATED", "created_at"),
    ("ID", "id"),
    ("BOT", "bot_id"),
    ("EXCHANGE", "exchange"),
    ("SYMBOL", "symbol"),
    ("SIDE", "side"),
    ("QUANTITY", "quantity"),
    ("LIMIT", "limit_price"),
    ("FILLED", "filled"),
    ("PRICE", "average_price"),
    ("STATUS", "status"),
];
const EVENTS: &[Column] =
    &[("AT", "at"), ("ACCOUNT", "account_id"), ("SEQ", "seq"), ("TYPE", "type"), ("DATA", "data")];
const WALLETS: &[Column] = &[
    ("EXCHANGE", "exchange"),
    ("CURRENCY", "currency"),
    ("MODE", "mode"),
    ("AVAILABLE", "available"),
    ("WITH BOTS", "reserved"),
    ("TOTAL", "total"),
];

type Query = Vec<(&'static str, String)>;

/// The page that was asked for, as a query.
pub(crate) fn paged(page: &Page) -> Query {
    let mut query = vec![("limit", page.limit.to_string())];
    query.extend(page.after.clone().map(|after| ("after", after)));
    query
}

async fn of_bot(api: &Api, bot: Option<&str>, query: &mut Query) -> Result<(), Failure> {
    if let Some(bot) = bot {
        query.push(("bot_id", bots::id_of(api, bot).await?.to_string()));
    }
    Ok(())
}

/// Closed round trips, newest first.
pub(crate) async fn trades(api: &Api, asked: &Trades) -> Result<Answer, Failure> {
    let mut query = paged(&asked.page);
    of_bot(api, asked.bot.as_deref(), &mut query).await?;
    query.extend(asked.exchange.map(|exchange| ("exchange", exchange.name().to_owned())));
    if asked.paper || asked.live {
        query.push(("is_paper", asked.paper.to_string()));
    }
    Ok(Answer::list(api.find("/api/trades", &query).await?, TRADES))
}

/// Orders, newest first, or the end of one.
pub(crate) async fn orders(api: &Api, asked: &Orders) -> Result<Answer, Failure> {
    if let Some(OrdersVerb::Cancel { order }) = &asked.verb {
        let id: u64 = order.parse().map_err(|_| {
            Failure::Usage(format!("{order:?} is no id of an order; `amarktai orders` lists them"))
        })?;
        let order = api.delete(&format!("/api/orders/{id}")).await?;
        return Ok(Answer::list(json!([order]), ORDERS));
    }
    let mut query = paged(&asked.page);
    of_bot(api, asked.bot.as_deref(), &mut query).await?;
    if asked.open {
        query.push(("open", "true".to_owned()));
    }
    Ok(Answer::list(api.find("/api/orders", &query).await?, ORDERS))
}

/// A page of the event log, oldest first.
pub(crate) async fn events(api: &Api, asked: &Events) -> Result<Answer, Failure> {
    let mut page = api.find("/api/events", &paged(&asked.page)).await?;
    // The server names a place to go on even where nothing is new; a person asks only for more.
    let rows = page["items"].as_array().map_or(0, Vec::len);
    if rows < usize::from(asked.page.limit) {
        page["next"] = json!(null);
    }
    Ok(Answer::list(page, EVENTS))
}

/// What is in the wallets, after a movement where one was ordered.
pub(crate) async fn wallet(api: &Api, verb: Option<&WalletVerb>) -> Result<Answer, Failure> {
    let wallets = match verb {
        None => api.get("/api/wallets").await?,
        Some(WalletVerb::Deposit(money)) => moved(api, "/api/wallets/deposits", money).await?,
        Some(WalletVerb::Withdraw(money)) => moved(api, "/api/wallets/withdrawals", money).await?,
    };
    Ok(Answer::list(wallets, WALLETS))
}

async fn moved(api: &Api, path: &str, money: &WalletMove) -> Result<serde_json::Value, Failure> {
    let WalletMove { exchange, currency, amount } = money;
    let body = json!({ "exchange": exchange, "currency": currency, "amount": amount });
    api.post(path, Some(&body)).await
}
