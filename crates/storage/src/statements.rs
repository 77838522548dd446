//! The writer's statements: each prepared once, and looked up once in a transaction.

use rusqlite::{CachedStatement, Connection, Result};

const ACCOUNT: &str = "INSERT INTO accounts (id, name, reporting_currency, season, created_at)
    VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,
    reporting_currency = excluded.reporting_currency, season = excluded.season";
const BOT: &str = "INSERT INTO bots (id, account_id, name, exchange, symbol, strategy, params,
    timeframe, risk_mode, capital, sizing, exits, managed, mode, lifecycle, holds, season,
    created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, exchange = excluded.exchange,
    symbol = excluded.symbol, strategy = excluded.strategy, params = excluded.params,
    timeframe = excluded.timeframe, risk_mode = excluded.risk_mode, capital = excluded.capital,
    sizing = excluded.sizing, exits = excluded.exits, managed = excluded.managed,
    mode = excluded.mode, lifecycle = excluded.lifecycle, holds = excluded.holds,
    season = excluded.season, updated_at = excluded.updated_at";
// An order's identity never changes; the rest is its latest state.
const ORDER: &str = "INSERT INTO orders (id, client_order_id, account_id, bot_id, exchange, symbol,
    mode, side, purpose, exit_reason, limit_price, post_only, time_in_force, quantity, filled,
    average_price, status, reject_code, cancel_reason, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET limit_price = excluded.limit_price,
    quantity = excluded.quantity, filled = excluded.filled,
    average_price = excluded.average_price, status = excluded.status,
    reject_code = excluded.reject_code, cancel_reason = excluded.cancel_reason,
    updated_at = excluded.updated_at";
const FILL: &str = "INSERT INTO fills (id, order_id, account_id, bot_id, exchange, symbol, mode,
    side, price, quantity, fee, fee_currency, liquidity, grade, book_update_id, print_id,
    queue_ahead_at_join, optimistic_filled, round_trip_ns, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const TRADE: &str = "INSERT INTO trades (id, status, side, success, bot_id, symbol, exchange,
    entry_price, exit_price, amount, profit_loss, fees, is_paper, timestamp, account_id, entry_at,
    exit_at, gross_profit, slippage, exit_reason, strategy, grade, fees_base, fees_quote,
    reporting_rate, reporting_currency, rate_source, rate_age_s, season)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
    ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, (SELECT season FROM bots WHERE id = ?5))";
const TRANSFER: &str = "INSERT INTO transfers (account_id, seq, mode, exchange, reason, order_id,
    trade_id, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const POSTING: &str = "INSERT INTO postings (id, account_id, transfer_seq, mode, exchange, book,
    bot_id, currency, amount, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const WALLET: &str = "INSERT INTO wallets (account_id, mode, exchange, currency, available,
    reserved, total, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (account_id, mode, exchange, currency) DO UPDATE SET
    available = excluded.available, reserved = excluded.reserved, total = excluded.total,
    at = excluded.at";
// Replaced: a point told twice for one time is the later one.
const EQUITY: &str = "INSERT OR REPLACE INTO equity (bot_id, at, account_id, mode, exchange,
    currency, equity, flow) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const REFUSAL: &str = "INSERT INTO refusals (id, seq, account_id, bot_id, exchange, symbol, side,
    code, refusal, also, policy_version, count, first_at, last_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    refusal = excluded.refusal, also = excluded.also, policy_version = excluded.policy_version,
    count = excluded.count, last_at = excluded.last_at";
const DECISION: &str = "INSERT INTO decisions (order_id, account_id, bot_id, bid, ask, mid,
    indicators, reason, checks_passed, policy_version, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const FEED: &str = "INSERT INTO feeds (instrument_id, exchange, symbol, state, reason, grade, at)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (instrument_id) DO UPDATE SET state = excluded.state,
    reason = excluded.reason, grade = excluded.grade, at = excluded.at";
const POLICY: &str = "INSERT INTO policies (account_id, version, policy, actor, at)
    VALUES (?, ?, ?, ?, ?)";
const AUDIT: &str = "INSERT INTO audit (account_id, bot_id, at, action, actor, detail)
    VALUES (?, ?, ?, ?, ?, ?)";
const STATE: &str = "INSERT INTO states (key, state) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET state = excluded.state";
const CURSOR: &str = "INSERT INTO cursors (name, value) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const EVENT: &str = "INSERT INTO events (id, account_id, seq, at, type, data, prev_hash, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const FORGET: &str = "DELETE FROM states WHERE key = ?";

/// A statement of the writer's.
#[derive(Clone, Copy)]
pub(crate) enum Sql {
    Account,
    Bot,
    Order,
    Fill,
    Trade,
    Transfer,
    Posting,
    Wallet,
    Equity,
    Refusal,
    Decision,
    Feed,
    Policy,
    Audit,
    State,
    Cursor,
    Event,
    Forget,
}

impl Sql {
    const fn text(self) -> &'static str {
        match self {
            Self::Account => ACCOUNT,
            Self::Bot => BOT,
            Self::Order => ORDER,
            Self::Fill => FILL,
            Self::Trade => TRADE,
            Self::Transfer => TRANSFER,
            Self::Posting => POSTING,
            Self::Wallet => WALLET,
            Self::Equity => EQUITY,
            Self::Refusal => REFUSAL,
            Self::Decision => DECISION,
            Self::Feed => FEED,
            Self::Policy => POLICY,
            Self::Audit => AUDIT,
            Self::State => STATE,
            Self::Cursor => CURSOR,
            Self::Event => EVENT,
            Self::Forget => FORGET,
        }
    }
}

const COUNT: usize = Sql::Forget as usize + 1;

/// The statements of one transaction. The connection's cache is asked once for each: it hashes and
/// copies the text at every look-up, which for a row of ten cells is felt.
pub(crate) struct Statements<'c> {
    connection: &'c Connection,
    found: [Option<CachedStatement<'c>>; COUNT],
}

impl<'c> Statements<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, found: [const { None }; COUNT] }
    }

    pub(crate) fn get(&mut self, sql: Sql) -> Result<&mut CachedStatement<'c>> {
        let slot = &mut self.found[sql as usize];
        match slot {
            Some(statement) => Ok(statement),
            None => Ok(slot.insert(self.connection.prepare_cached(sql.text())?)),
        }
    }
}
