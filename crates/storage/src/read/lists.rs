//! The lists and single rows that the outside asks for. `account: None` sees all accounts.

use crate::read::list::{Order, Page, Paged, Query, word};
use crate::read::rows::{self, AuditRow, OrderRow, PolicyRow, PostingRow, TradeProfit};
use crate::{ReadPool, StoreError};
use domain::{
    AccountId, BotId, Currency, Exchange, FillRecord, Mode, OrderId, Timestamp, Trade, TradeId,
};
use engine::{AccountRecord, BotRecord, DecisionRecord, FeedRecord, RefusalRecord, WalletRecord};

/// Most trades that [`ReadPool::trade_profits`] gives: some hundred megabytes of statistics.
pub const TRADE_PROFITS_MAX: usize = 1_000_000;

/// Which trades; `from` is included, `to` is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct TradeFilter {
    pub bot_id: Option<BotId>,
    pub exchange: Option<Exchange>,
    pub is_paper: Option<bool>,
    pub season: Option<u32>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// Which orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OrderFilter {
    pub bot_id: Option<BotId>,
    /// Not final yet, or final.
    pub open: Option<bool>,
}

/// Which fills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct FillFilter {
    pub bot_id: Option<BotId>,
    pub order_id: Option<OrderId>,
}

/// Which postings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PostingFilter {
    pub bot_id: Option<BotId>,
    pub mode: Option<Mode>,
    pub exchange: Option<Exchange>,
    pub currency: Option<Currency>,
}

/// Which refusals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RefusalFilter {
    pub bot_id: Option<BotId>,
}

const POSTINGS: &str = "SELECT * FROM (SELECT p.*, t.reason, t.order_id, t.trade_id FROM postings p
    JOIN transfers t ON t.account_id = p.account_id AND t.seq = p.transfer_seq)";
const OPEN: &str = "status IN ('sent', 'open')";
const FINAL: &str = "status NOT IN ('sent', 'open')";

fn bits(id: impl Into<u64>) -> i64 {
    id.into() as i64
}

#[allow(clippy::missing_errors_doc, reason = "all: a bad cursor, a busy pool, or SQLite's")]
impl ReadPool {
    /// Closed round trips, newest first.
    pub fn trades(
        &self,
        account: Option<AccountId>,
        filter: &TradeFilter,
        page: &Page,
    ) -> Result<Paged<Trade>, StoreError> {
        let query = trade_query("SELECT * FROM trades", account, filter)?;
        self.list(query, Order::Time("timestamp", "id"), page, rows::trade)
    }

    /// A closed round trip.
    pub fn trade(
        &self,
        account: Option<AccountId>,
        id: TradeId,
    ) -> Result<Option<Trade>, StoreError> {
        let query = Query::new("SELECT * FROM trades").and("id = ?", Some(bits(id)));
        let query = query.and("+account_id = ?", account.map(|a| a.0));
        Ok(self.up_to(query, "id", 1, rows::trade)?.pop())
    }

    /// What statistics need of each trade, oldest first; at most [`TRADE_PROFITS_MAX`], the
    /// newest ones.
    pub fn trade_profits(
        &self,
        account: Option<AccountId>,
        filter: &TradeFilter,
    ) -> Result<Vec<TradeProfit>, StoreError> {
        let select = "SELECT id, bot_id, exchange, symbol, is_paper, success, grade, profit_loss,
            gross_profit, fees, slippage, entry_price, exit_price, amount, reporting_rate, reporting_currency, entry_at, timestamp FROM trades";
        let query = trade_query(select, account, filter)?;
        let by = "timestamp DESC, id DESC";
        let mut profits = self.up_to(query, by, TRADE_PROFITS_MAX, rows::trade_profit)?;
        profits.reverse();
        Ok(profits)
    }

    /// Orders in their latest state, newest first.
    pub fn orders(
        &self,
        account: Option<AccountId>,
        filter: &OrderFilter,
        page: &Page,
    ) -> Result<Paged<OrderRow>, StoreError> {
        let query = Query::new("SELECT * FROM orders");
        let query = match filter.open {
            // Few at any time, and they have an index of their own.
            Some(true) => query.within(account, filter.bot_id).always(OPEN),
            Some(false) => query.scope(account, filter.bot_id).always(FINAL),
            None => query.scope(account, filter.bot_id),
        };
        self.list(query, Order::Time("created_at", "id"), page, rows::order)
    }

    /// An order in its latest state.
    pub fn order(
        &self,
        account: Option<AccountId>,
        id: OrderId,
    ) -> Result<Option<OrderRow>, StoreError> {
        let query = Query::new("SELECT * FROM orders").and("id = ?", Some(bits(id)));
        let query = query.and("+account_id = ?", account.map(|a| a.0));
        Ok(self.up_to(query, "id", 1, rows::order)?.pop())
    }

    /// Executions, newest first.
    pub fn fills(
        &self,
        account: Option<AccountId>,
        filter: &FillFilter,
        page: &Page,
    ) -> Result<Paged<FillRecord>, StoreError> {
        let query = Query::new("SELECT * FROM fills");
        let query = match filter.order_id {
            Some(order) => {
                query.within(account, filter.bot_id).and("order_id = ?", Some(bits(order)))
            }
            None => query.scope(account, filter.bot_id),
        };
        self.list(query, Order::Time("at", "id"), page, rows::fill)
    }

    /// Postings of the ledger, newest first.
    pub fn postings(
        &self,
        account: Option<AccountId>,
        filter: &PostingFilter,
        page: &Page,
    ) -> Result<Paged<PostingRow>, StoreError> {
        let query = Query::new(POSTINGS)
            .scope(account, filter.bot_id)
            .and("+mode = ?", filter.mode.map(word).transpose()?)
            .and("+exchange = ?", filter.exchange.map(word).transpose()?)
            .and("+currency = ?", filter.currency.map(word).transpose()?);
        self.list(query, Order::Id("id"), page, rows::posting)
    }

    /// Wallets as they were after the last movement.
    pub fn wallets(&self, account: Option<AccountId>) -> Result<Vec<WalletRecord>, StoreError> {
        let query = Query::new("SELECT * FROM wallets").scope(account, None);
        self.up_to(query, "account_id, mode, exchange, currency", 100_000, rows::wallet)
    }

    /// Why orders were sent, newest first.
    pub fn decisions(
        &self,
        account: Option<AccountId>,
        bot_id: BotId,
        page: &Page,
    ) -> Result<Paged<DecisionRecord>, StoreError> {
        let query = Query::new("SELECT * FROM decisions").scope(account, Some(bot_id));
        self.list(query, Order::Time("at", "order_id"), page, rows::decision)
    }

    /// Why an order was sent.
    pub fn decision(
        &self,
        account: Option<AccountId>,
        order: OrderId,
    ) -> Result<Option<DecisionRecord>, StoreError> {
        let query = Query::new("SELECT * FROM decisions").and("order_id = ?", Some(bits(order)));
        let query = query.and("+account_id = ?", account.map(|a| a.0));
        Ok(self.up_to(query, "order_id", 1, rows::decision)?.pop())
    }

    /// Why orders were not sent, the latest first.
    pub fn refusals(
        &self,
        account: Option<AccountId>,
        filter: &RefusalFilter,
        page: &Page,
    ) -> Result<Paged<RefusalRecord>, StoreError> {
        let query = Query::new("SELECT * FROM refusals").scope(account, filter.bot_id);
        self.list(query, Order::Time("last_at", "id"), page, rows::refusal)
    }

    /// Versions of the fleet's policy (`None`) or an account's, newest first.
    pub fn policies(
        &self,
        account: Option<AccountId>,
        page: &Page,
    ) -> Result<Paged<PolicyRow>, StoreError> {
        let select = "SELECT * FROM policies";
        let query = match account {
            Some(account) => Query::new(select).and("account_id = ?", Some(account.0)),
            None => Query::new(select).always("account_id IS NULL"),
        };
        self.list(query, Order::Id("id"), page, rows::policy)
    }

    /// Who did what to bots, policies, stops and breakers, newest first.
    pub fn audit(
        &self,
        account: Option<AccountId>,
        bot_id: Option<BotId>,
        page: &Page,
    ) -> Result<Paged<AuditRow>, StoreError> {
        let query = Query::new("SELECT * FROM audit").scope(account, bot_id);
        self.list(query, Order::Id("id"), page, rows::audit)
    }

    /// What the live gate said of a bot, newest first: kept for ever.
    pub fn gate_audit(
        &self,
        account: AccountId,
        bot: BotId,
        page: &Page,
    ) -> Result<Paged<AuditRow>, StoreError> {
        let query = Query::new("SELECT * FROM audit").scope(Some(account), Some(bot));
        let query = query.always("action = 'live_gate'");
        self.list(query, Order::Id("id"), page, rows::audit)
    }

    /// All accounts.
    pub fn accounts(&self) -> Result<Vec<AccountRecord>, StoreError> {
        self.up_to(Query::new("SELECT * FROM accounts"), "id", 100_000, rows::account)
    }

    /// Bots as they were last changed, by id: for offline commands; the engine knows more.
    pub fn bots(
        &self,
        account: Option<AccountId>,
        page: &Page,
    ) -> Result<Paged<BotRecord>, StoreError> {
        let query = Query::new("SELECT * FROM bots").scope(account, None);
        self.list(query, Order::Id("id"), page, rows::bot)
    }

    /// A bot as it was last changed.
    pub fn bot(
        &self,
        account: Option<AccountId>,
        id: BotId,
    ) -> Result<Option<BotRecord>, StoreError> {
        let query = Query::new("SELECT * FROM bots").and("id = ?", Some(id.0));
        let query = query.and("+account_id = ?", account.map(|a| a.0));
        Ok(self.up_to(query, "id", 1, rows::bot)?.pop())
    }

    /// Feeds as they last changed.
    pub fn feeds(&self) -> Result<Vec<FeedRecord>, StoreError> {
        self.up_to(Query::new("SELECT * FROM feeds"), "exchange, symbol", 100_000, rows::feed)
    }
}

/// `+` before what is filtered: the page's order decides which index is walked.
fn trade_query(
    select: &str,
    account: Option<AccountId>,
    filter: &TradeFilter,
) -> Result<Query, StoreError> {
    Ok(Query::new(select)
        .scope(account, filter.bot_id)
        .and("+exchange = ?", filter.exchange.map(word).transpose()?)
        .and("+is_paper = ?", filter.is_paper)
        .and("+season = ?", filter.season)
        .between("timestamp", filter.from, filter.to))
}
